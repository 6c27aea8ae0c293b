"""The webhook's server: accepts updates from Telegram only.

A request without the secret is refused by its headers, before its body is read. Bytes, seconds and
connections of all other senders are limited.
"""

import hmac
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import urlsplit

import telegram
from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream
from tornado.web import Application, RequestHandler, stream_request_body

from bot.telegram.sending import fault

_log = logging.getLogger(__name__)

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - a name, no secret

BODY_BYTES = 1_000_000
"""The most bytes of a body: many times Telegram's largest update."""
HEADER_BYTES = 16_384
BUFFER_BYTES = 65_536
BODY_SECONDS = 10.0
IDLE_SECONDS = 75.0
"""Seconds in which a connection must send the headers of its next request."""
CONNECTIONS = 100
"""The most connections; Telegram opens forty. To accept more, strangers' are closed."""

Take = Callable[[telegram.Update], Awaitable[bool]]
"""Records an update and returns whether it may be acknowledged."""


@asynccontextmanager
async def listening(
    bot: telegram.Bot, take: Take, *, url: str, address: tuple[str, int], secret: str
) -> AsyncIterator[None]:
    """Serve the path of `url` at a host and a port, and pass updates to `take`.

    Raises OSError if it cannot listen at that address.
    """
    served: dict[str, Any] = {"bot": bot, "take": take, "secret": secret}
    served["path"] = _plain(urlsplit(url).path)
    server = _Server(
        # One handler for every path: tornado's default one would read a body before it answers 404.
        Application([(".*", _Door, served)], log_function=_log_nothing),
        max_body_size=BODY_BYTES,
        max_header_size=HEADER_BYTES,
        max_buffer_size=4 * BUFFER_BYTES,
        chunk_size=BUFFER_BYTES,
        body_timeout=BODY_SECONDS,
        idle_connection_timeout=IDLE_SECONDS,
    )
    served["trust"] = server.trust
    host, port = address
    server.listen(port, address=host)
    try:
        yield
    finally:
        server.stop()
        await server.close_all_connections()


class _Server(HTTPServer):
    """A server with a limit on connections that other senders cannot exhaust.

    Only requests with the secret are answered without closing the connection, so a connection
    that has sent it is Telegram's, and is never closed to make room.
    """

    def initialize(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - as tornado's
        """Start without connections; tornado calls this in place of a constructor."""
        super().initialize(*arguments, **options)
        self._strangers: dict[IOStream, None] = {}
        self._trusted: set[IOStream] = set()

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        """Serve a connection; over the limit, close the oldest without the secret, or else this
        one.
        """
        if len(self._strangers) + len(self._trusted) >= CONNECTIONS:
            oldest = next(iter(self._strangers), stream)
            self._strangers.pop(oldest, None)
            oldest.close()
        if not stream.closed():
            self._strangers[stream] = None
            super().handle_stream(stream, address)

    def trust(self, stream: IOStream) -> None:
        """Note that a connection has sent the secret."""
        if stream in self._strangers:
            del self._strangers[stream]
            self._trusted.add(stream)

    def on_close(self, server_conn: Any) -> None:  # noqa: ANN401 - as tornado's
        """Drop a connection that has ended."""
        super().on_close(server_conn)
        self._strangers.pop(server_conn.stream, None)
        self._trusted.discard(server_conn.stream)


@stream_request_body
class _Door(RequestHandler):
    """One request: its headers decide whether its body is read."""

    SUPPORTED_METHODS = ("POST",)

    def initialize(
        self,
        bot: telegram.Bot,
        take: Take,
        path: str,
        secret: str,
        trust: Callable[[IOStream], None],
    ) -> None:
        """Set the route's arguments."""
        self._bot = bot
        self._trust = trust
        self._take = take
        self._path = path
        self._secret = secret
        self._body = bytearray()

    def prepare(self) -> None:
        """Refuse by the headers alone."""
        said = self.request.headers.get(SECRET_HEADER, "")
        length = self.request.headers.get("Content-Length", "0")
        if not hmac.compare_digest(said.encode(), self._secret.encode()):
            self._refuse(HTTPStatus.FORBIDDEN)
            return
        self._trust(cast("Any", self.request.connection).stream)
        if _plain(self.request.path) != self._path:
            self._refuse(HTTPStatus.NOT_FOUND)
        elif length.isdigit() and int(length) > BODY_BYTES:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    def data_received(self, chunk: bytes) -> None:
        """Add a part of the body."""
        self._body += chunk

    async def post(self) -> None:
        """Record an update: 200 acknowledges it, 503 makes Telegram send it again."""
        update = self._update()
        if update is None:
            self.set_status(HTTPStatus.BAD_REQUEST)
        elif not await self._take(update):
            self.set_status(HTTPStatus.SERVICE_UNAVAILABLE)

    def write_error(self, status_code: int, **_: Any) -> None:  # noqa: ANN401 - tornado's signature
        """Answer without a page."""
        del status_code
        self.finish()

    def log_exception(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Log the error, without any message text."""
        del kind, trace
        _log.warning("request failed", extra={"error": "" if error is None else fault(error)})

    def _update(self) -> telegram.Update | None:
        try:
            return telegram.Update.de_json(json.loads(self._body), self._bot)
        except Exception as error:  # noqa: BLE001 - the library may raise anything for an invalid update
            _log.warning("not an update", extra={"error": type(error).__name__})
            return None

    def _refuse(self, status: HTTPStatus) -> None:
        self.set_status(status)
        self.set_header("Connection", "close")
        self.finish()


def _plain(path: str) -> str:
    return path.rstrip("/")


def _log_nothing(_: object) -> None:
    """Do not log requests, since updates are logged."""
