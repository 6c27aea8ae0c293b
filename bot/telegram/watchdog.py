"""The watchdog: detects that polling has died, or is stuck on an update that cannot be parsed.

python-telegram-bot does not stop in either case: it logs the error and polls again.
"""

import asyncio
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from telegram.request import HTTPXRequest, RequestData

from ledger.errors import LedgerError

SILENCE_SECONDS = 180.0
"""Seconds without a poll that count as failure; polls are at most 10 apart, 30 after errors."""

SAME_AGAIN = 20
"""How many times in a row the same updates may come, since each poll should acknowledge them."""

LOOKED_AT_EVERY_SECONDS = 1.0


class PollingFailedError(LedgerError):
    """Polling has ended or makes no progress; the process must be restarted or upgraded."""


class PollingRequest(HTTPXRequest):
    """The connection for polling updates, which keeps track of its progress."""

    def __init__(self, clock: Callable[[], float], **options: Any) -> None:  # noqa: ANN401 - as the library takes them
        """Poll as HTTPXRequest does; `clock` is monotonic, in seconds."""
        super().__init__(**options)
        self._clock = clock
        self._heard_at = clock()
        self._offset: object = None
        self._times = 0
        self._is_known = True
        self._batch_ends_with: int | None = None

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        *args: Any,  # noqa: ANN401 - as the library takes them
        **kwargs: Any,  # noqa: ANN401 - as the library takes them
    ) -> tuple[int, bytes]:
        """Send the request as HTTPXRequest does, and note its outcome."""
        self._heard_at = self._clock()
        code, payload = await super().do_request(url, method, request_data, *args, **kwargs)
        self._heard_at = self._clock()
        self._is_known = code != HTTPStatus.UNAUTHORIZED
        if code == HTTPStatus.OK:
            offset = None if request_data is None else request_data.parameters.get("offset")
            self._batch_ends_with = _last_of(payload)
            is_same = offset == self._offset and self._batch_ends_with is not None
            self._times = self._times + 1 if is_same else 0
            self._offset = offset
        return code, payload

    def is_last(self, update_id: int) -> bool:
        """Return whether an update is the last one of its batch.

        If it is, the whole batch could be parsed: should the batch come again, the reason is that
        it could not be recorded.
        """
        is_last = update_id == self._batch_ends_with
        if is_last:
            self._times = 0
        return is_last

    def check(self) -> None:
        """Raise PollingFailedError if polling has stopped, or keeps receiving the same updates."""
        if not self._is_known:
            raise PollingFailedError("Telegram does not know this TELEGRAM_BOT_TOKEN any more")
        if self._times >= SAME_AGAIN:
            message = (
                f"Telegram has sent the same updates {self._times} times, and one of them cannot "
                "be read: upgrade this program, as a newer version may read it"
            )
            raise PollingFailedError(message)
        silence = self._clock() - self._heard_at
        if silence > SILENCE_SECONDS:
            raise PollingFailedError(f"polling has stopped: nothing for {silence:.0f} seconds")


def _last_of(payload: bytes) -> int | None:
    """Return the id of the last update in Telegram's response, or None if there is none.

    The response is parsed as the library parses it, so that both accept the same.
    """
    try:
        updates = json.loads(payload.decode(errors="replace"))["result"]
        return int(updates[-1]["update_id"]) if updates else None
    except (ValueError, LookupError, TypeError):
        return None


async def watch(polling: PollingRequest) -> None:
    """Check `polling` until it fails; raises PollingFailedError then."""
    while True:
        polling.check()
        await asyncio.sleep(LOOKED_AT_EVERY_SECONDS)
