"""The one module that sends to Linear: a request out, a response or a failure back."""

import asyncio
import logging
from urllib.parse import urlsplit

import httpx
import msgspec

from bot.linear.decoding import Failed, Reason, Response
from bot.linear.documents import Request
from bot.settings import Secret

_log = logging.getLogger(__name__)

REQUEST_SECONDS = 8.0
"""An answer that takes longer is none."""
CONNECTIONS = 4
BODY_LIMIT = 4 * 1024 * 1024
"""Bytes; fifty issues take less than a hundredth of it."""


class Connection:
    """Sends requests with the key; nothing that the other end does raises an exception."""

    def __init__(self, url: str, key: Secret, patience_seconds: float = REQUEST_SECONDS) -> None:
        """Send to `url`; nothing is sent before the first request."""
        self._url = url
        self._key = key
        self._patience_seconds = patience_seconds
        self._client: httpx.AsyncClient | None = None

    async def send(self, request: Request) -> Response | Failed:
        """Return the response to `request`."""
        try:
            async with asyncio.timeout(self._patience_seconds):
                return await self._sent(request)
        except (TimeoutError, httpx.TimeoutException):
            return Failed(Reason.SLOW)
        except Exception as error:  # noqa: BLE001 - no failure of Linear's may stop an answer (R13)
            # Not the error itself, which holds the request and so the key.
            _log.debug("not sent to Linear", extra={"error": type(error).__name__})
            return Failed(Reason.UNREACHABLE)

    async def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _sent(self, request: Request) -> Response | Failed:
        content = msgspec.json.encode(request)
        async with self._opened().stream("POST", self._url, content=content) as answer:
            body = bytearray()
            async for piece in answer.aiter_raw():  # a few compressed bytes could be gigabytes
                body += piece
                if len(body) > BODY_LIMIT:
                    return Failed(Reason.TOO_LONG)
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return Response(answer.status_code, headers, bytes(body))

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            is_secure = urlsplit(self._url).scheme == "https"
            self._client = httpx.AsyncClient(
                headers={
                    "Authorization": self._key.reveal(),
                    "Content-Type": "application/json",
                    "Accept-Encoding": "identity",
                },
                limits=httpx.Limits(max_connections=CONNECTIONS),
                timeout=self._patience_seconds,
                follow_redirects=False,  # the key is for this address alone
                verify=is_secure,  # without TLS there is nothing to verify, on this machine
                trust_env=is_secure,  # no proxy sees an open request
            )
        return self._client
