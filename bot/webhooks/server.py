"""The server of all webhooks: one handler for each path, and limits for all senders together.

A request that its headers give away is refused before its body is read. Bytes, seconds and
connections of senders that have not proven who they are, are limited.
"""

import logging
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, NamedTuple, cast

from bot.extras import extra
from ledger.errors import LedgerError

with extra("webhook"):
    from tornado.httpserver import HTTPServer
    from tornado.iostream import IOStream
    from tornado.web import Application, RequestHandler, stream_request_body

_log = logging.getLogger(__name__)

BODY_BYTES = 1_000_000
"""The most bytes of a body: many times the largest of Telegram's updates and Linear's webhooks."""
HEADER_BYTES = 16_384
BUFFER_BYTES = 65_536
BODY_SECONDS = 10.0
IDLE_SECONDS = 75.0
"""Seconds in which a connection must send the headers of its next request."""
_LENGTH = re.compile(r"[0-9]{1,18}")
"""A length that can be compared; the server itself refuses any other."""
CONNECTIONS = 100
"""The most connections; Telegram opens forty. To accept more, strangers' are closed."""


@stream_request_body
class Door(RequestHandler):
    """One request to one path: its headers decide whether its body is read."""

    SUPPORTED_METHODS = ("POST",)

    def refused(self) -> HTTPStatus | None:
        """The status with which the headers alone are refused, or None."""
        raise NotImplementedError

    async def answer(self) -> HTTPStatus:
        """Take the body, and return the status to answer with."""
        raise NotImplementedError

    def trust(self) -> None:
        """Note that the sender has proven who it is: its connection gives way to no other."""
        self.settings["trust"](cast("Any", self.request.connection).stream)

    def prepare(self) -> None:
        """Refuse by the headers alone."""
        self.body = bytearray()
        status = self.refused()
        length = self.request.headers.get("Content-Length", "")
        if status is None and _LENGTH.fullmatch(length) and int(length) > BODY_BYTES:
            status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        if status is not None:
            self._close_with(status)

    def data_received(self, chunk: bytes) -> None:
        """Add a part of the body."""
        self.body += chunk

    async def post(self) -> None:
        """Answer without a page; what is refused ends its connection."""
        status = await self.answer()
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            self._close_with(status)
        else:
            self.set_status(status)

    def write_error(self, status_code: int, **_: Any) -> None:  # noqa: ANN401 - tornado's signature
        """Answer without a page."""
        del status_code
        self.finish()

    def log_exception(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Log the error, without any message text."""
        del kind, trace
        _log.warning("request failed", extra={"error": type(error).__name__})

    def _close_with(self, status: HTTPStatus) -> None:
        self.set_status(status)
        self.set_header("Connection", "close")
        self.finish()


class _Nowhere(Door):
    """A path without a handler; tornado's own handler would read a body before it answers 404."""

    def refused(self) -> HTTPStatus:
        """Refuse every request."""
        return HTTPStatus.NOT_FOUND


class ListeningError(LedgerError):
    """The bot cannot listen at an address."""


class Route(NamedTuple):
    """A path, with or without slashes at its end, its handler, and what the handler needs."""

    path: str
    door: type[Door]
    needs: Mapping[str, Any]


@asynccontextmanager
async def listening(routes: Iterable[Route], address: tuple[str, int]) -> AsyncIterator[None]:
    """Serve `routes` at a host and a port.

    Raises ListeningError if it cannot listen at that address.
    """
    application = Application(
        [*map(_rule, routes), (".*", _Nowhere)],
        log_function=_log_nothing,
    )
    server = _Server(
        application,
        max_body_size=BODY_BYTES,
        max_header_size=HEADER_BYTES,
        max_buffer_size=4 * BUFFER_BYTES,
        chunk_size=BUFFER_BYTES,
        body_timeout=BODY_SECONDS,
        idle_connection_timeout=IDLE_SECONDS,
    )
    application.settings["trust"] = server.trust
    host, port = address
    try:
        server.listen(port, address=host)
    except OSError as error:
        raise ListeningError(f"cannot listen at {host}:{port}: {error.strerror}") from None
    try:
        yield
    finally:
        server.stop()
        await server.close_all_connections()


class _Server(HTTPServer):
    """A server with a limit on connections that other senders cannot exhaust.

    Only requests of known senders are answered without closing the connection, so a connection that
    one of them has used is theirs, and is never closed to make room.
    """

    def initialize(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - as tornado's
        """Start without connections; tornado calls this in place of a constructor."""
        super().initialize(*arguments, **options)
        self._strangers: dict[IOStream, None] = {}
        self._trusted: set[IOStream] = set()

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        """Serve a connection; over the limit, close the oldest stranger's, or else this one."""
        if len(self._strangers) + len(self._trusted) >= CONNECTIONS:
            oldest = next(iter(self._strangers), stream)
            self._strangers.pop(oldest, None)
            oldest.close()
        if not stream.closed():
            self._strangers[stream] = None
            super().handle_stream(stream, address)

    def trust(self, stream: IOStream) -> None:
        """Note that a connection is a known sender's."""
        if stream in self._strangers:
            del self._strangers[stream]
            self._trusted.add(stream)

    def on_close(self, server_conn: Any) -> None:  # noqa: ANN401 - as tornado's
        """Drop a connection that has ended."""
        super().on_close(server_conn)
        self._strangers.pop(server_conn.stream, None)
        self._trusted.discard(server_conn.stream)


def plain_path(path: str) -> str:
    """The path without the slashes at its end, which do not matter."""
    return path.rstrip("/")


def _rule(route: Route) -> tuple[str, type[Door], dict[str, Any]]:
    return f"{re.escape(plain_path(route.path))}/*", route.door, dict(route.needs)


def _log_nothing(_: object) -> None:
    """Do not log requests, since what they deliver is logged."""
