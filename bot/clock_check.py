"""Whether the clock can be trusted for irreversible work (R8).

Even if a clock is ahead only for a minute, irreversible work could expire every text, seal every
event and note years of job days as done. So all such work checks the clock first; recording never
does.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from ledger.errors import LedgerError
from ledger.instants import DAY, Instant, iso

LONG = 7 * DAY
"""The longest time since the last run for which the clock alone is trusted."""

AGREEMENT = DAY
"""The largest difference between two clocks that agree."""

FRESH = DAY // 24
"""The oldest reading of an outside clock that can prove this one wrong."""


class ClockUnconfirmedError(LedgerError):
    """The clock is long after the last run, and no outside clock agrees with it."""


class Heard(NamedTuple):
    """The present time by an outside clock, and how many microseconds ago it was read."""

    now: Instant
    ago: int


class ClockState(NamedTuple):
    """The clock's time, the last run of a job, and the readings of outside clocks.

    `last_run` is None if there was no run or event: then there is nothing to protect.
    """

    now: Instant
    last_run: Instant | None
    heard: tuple[Heard, ...] = ()

    @property
    def days(self) -> int:
        """The whole days since the last run."""
        return 0 if self.last_run is None else (self.now - self.last_run) // DAY

    @property
    def is_confirmed(self) -> bool:
        """Whether an outside clock agrees."""
        return any(abs(each.now - self.now) <= AGREEMENT for each in self.heard)

    @property
    def is_wrong(self) -> bool:
        """Whether an outside clock that was read recently disagrees, and none agrees."""
        return not self.is_confirmed and any(each.ago <= FRESH for each in self.heard)

    @property
    def may_act(self) -> bool:
        """Return whether irreversible work may be done now."""
        is_near = self.last_run is None or self.now - self.last_run <= LONG
        return is_near or self.is_confirmed


def last_in_a_row(instants: Sequence[Instant]) -> Instant | None:
    """Return the last of ascending instants before the first gap that is too long to be trusted.

    Used on event instants if no job ever ran; those after a gap may come from a clock that was
    ahead.
    """
    for before, after in pairwise(instants):
        if after - before > LONG:
            return before
    return instants[-1] if instants else None


def check(state: ClockState) -> None:
    """Raise ClockUnconfirmedError unless irreversible work may be done."""
    if not state.may_act:
        outside = "outside clocks disagree" if state.is_wrong else "no outside clock confirms it"
        message = (
            f"the clock says {iso(state.now)}, {state.days} days after the last run, and "
            f"{outside}: nothing is deleted, sealed or noted as done; set the clock right, or "
            "confirm it with --clock-is-right or, as an admin of the bot, with /clock ok"
        )
        raise ClockUnconfirmedError(message)
