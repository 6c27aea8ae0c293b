"""The watchdog: notices when polling has died, or is stuck on an update that cannot be parsed.

python-telegram-bot goes on looking alive in both cases: it logs, and asks again.
"""

import asyncio
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from telegram.request import HTTPXRequest, RequestData

from ledger.errors import LedgerError

SILENCE_SECONDS = 180.0
"""Polling asks at least every ten seconds, and pauses for thirty after failures of the network."""

SAME_AGAIN = 20
"""How often the same updates may come in a row: each time they are acknowledged, or should be."""

LOOKED_AT_EVERY_SECONDS = 1.0


class PollingFailedError(LedgerError):
    """Polling has ended or does not get on; the process has to be started again, or mended."""


class PollingRequest(HTTPXRequest):
    """The connection that updates are polled through, which remembers how that goes."""

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
        """Ask as HTTPXRequest does, and note what came of it."""
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
        """Tell whether an update is the last one of its batch.

        The whole batch could be read then. So if it comes again, that is because it could not be
        recorded, and not because of an update that stops polling.
        """
        is_last = update_id == self._batch_ends_with
        if is_last:
            self._times = 0
        return is_last

    def check(self) -> None:
        """Raise PollingFailedError where polling has fallen silent or goes in a circle."""
        if not self._is_known:
            raise PollingFailedError("Telegram does not know this TELEGRAM_BOT_TOKEN any more")
        if self._times >= SAME_AGAIN:
            message = (
                f"Telegram has sent the same updates {self._times} times, and one of them cannot "
                "be read: a newer version of this program may know how"
            )
            raise PollingFailedError(message)
        silence = self._clock() - self._heard_at
        if silence > SILENCE_SECONDS:
            raise PollingFailedError(f"polling has stopped: nothing for {silence:.0f} seconds")


def _last_of(payload: bytes) -> int | None:
    """Return the id of the last update in Telegram's answer, or None without any.

    The answer is read as the library reads it, so that both accept the same.
    """
    try:
        updates = json.loads(payload.decode(errors="replace"))["result"]
        return int(updates[-1]["update_id"]) if updates else None
    except (ValueError, LookupError, TypeError):
        return None


async def watch(polling: PollingRequest) -> None:
    """Look at `polling` for ever; raise PollingFailedError once it does not get on."""
    while True:
        polling.check()
        await asyncio.sleep(LOOKED_AT_EVERY_SECONDS)
