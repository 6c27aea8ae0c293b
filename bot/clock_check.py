"""Whether the clock may be believed where something cannot be taken back (R8).

A clock that is ahead for a minute would have every text expired, everything sealed and years of job
days noted as done. So each of these asks first; recording never does.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from ledger.errors import LedgerError
from ledger.instants import DAY, Instant, iso

LONG = 7 * DAY
"""More than this after the last run, the clock alone is not believed."""

AGREEMENT = DAY
"""Two clocks that differ by this much at most agree."""

FRESH = DAY // 24
"""A clock outside that was heard this long ago at most can prove this one wrong."""


class ClockUnconfirmedError(LedgerError):
    """The clock stands long after the last run, and nothing from outside agrees with it."""


class Heard(NamedTuple):
    """What a clock outside shows now, and how many microseconds ago it was heard."""

    now: Instant
    ago: int


class ClockState(NamedTuple):
    """What the clock shows, when anything ran last, and what clocks outside show.

    Without a run and without any event `last_run` is None: there is nothing to protect.
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
        """Tell whether a clock outside agrees."""
        return any(abs(each.now - self.now) <= AGREEMENT for each in self.heard)

    @property
    def is_wrong(self) -> bool:
        """Tell whether a clock outside that was heard lately disagrees, and none agrees."""
        return not self.is_confirmed and any(each.ago <= FRESH for each in self.heard)

    @property
    def may_act(self) -> bool:
        """Tell whether what cannot be taken back may be done now."""
        is_near = self.last_run is None or self.now - self.last_run <= LONG
        return is_near or self.is_confirmed


def last_in_a_row(instants: Sequence[Instant]) -> Instant | None:
    """Return the last of ascending instants before the first gap that is too long to be believed.

    Where no job ever ran they stand for its runs; what was recorded after a gap, a clock that was
    ahead may have dated.
    """
    for before, after in pairwise(instants):
        if after - before > LONG:
            return before
    return instants[-1] if instants else None


def check(state: ClockState) -> None:
    """Raise ClockUnconfirmedError unless what cannot be taken back may be done."""
    if not state.may_act:
        outside = "clocks outside disagree" if state.is_wrong else "nothing outside confirms it"
        message = (
            f"the clock says {iso(state.now)}, {state.days} days after the last run, and "
            f"{outside}: nothing is deleted, sealed or noted as done; set the clock right, or "
            "confirm it with --clock-is-right or, as an admin of the bot, with /clock ok"
        )
        raise ClockUnconfirmedError(message)
