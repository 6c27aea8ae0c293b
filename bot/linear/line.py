"""The line to Linear: open, or paused until a moment, as its answers and failures decide."""

from typing import Self

import msgspec

from bot.linear.decoding import Failed, Reason, Said
from bot.linear.quota import Quota, wait_after_refusal, wait_seconds
from ledger.instants import Instant

FIRST_PAUSE_SECONDS = 5.0
"""After one failure, which may be a passing one."""
DOWN_PAUSE_SECONDS = 60.0
"""After the next in a row: then one request a minute finds out whether Linear is back."""


class Line(msgspec.Struct, frozen=True):
    """Whether Linear may be asked; moments are seconds of a monotonic clock."""

    paused_until: float = 0.0
    failures: int = 0
    """How many requests in a row had no answer."""
    reason: Reason = Reason.PAUSED
    """Why the line is paused, if it is."""
    quota: Quota = Quota()

    def is_open(self, now: float) -> bool:
        """Whether a request may be sent."""
        return now >= self.paused_until

    def during_request(self, now: float) -> Self:
        """Return the line while a request is under way: after failures it is the only one."""
        if not self.failures:
            return self
        return msgspec.structs.replace(self, paused_until=now + DOWN_PAUSE_SECONDS)

    def after(self, said: Said, quota: Quota, now: float, instant: Instant) -> Self:
        """Return the line after an answer or a failure, at `now` or `instant`."""
        # Who refuses one question is there to answer others.
        if not isinstance(said, Failed) or said.reason is Reason.REFUSED:
            wait = wait_seconds(quota, instant)
            until = now + wait if wait else 0.0
            if self.reason is Reason.LIMITED:  # one that was sent earlier ends no pause
                until = max(until, self.paused_until)
            return type(self)(until, 0, Reason.LIMITED, quota)
        if said.reason is Reason.LIMITED:
            until = now + wait_after_refusal(quota, instant)
            return type(self)(max(self.paused_until, until), 0, said.reason, quota)
        pause = DOWN_PAUSE_SECONDS if self.failures else FIRST_PAUSE_SECONDS
        return type(self)(now + pause, self.failures + 1, said.reason, self.quota)
