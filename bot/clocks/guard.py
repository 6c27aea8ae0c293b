"""The guard of irreversible work: compares the clock with the last run and outside clocks."""

import datetime as dt
import threading
import time
from collections.abc import Callable

from bot.clock_check import ClockState, ClockUnconfirmedError, Heard, check, last_in_a_row
from ledger.application import ClockHistory, JobRuns
from ledger.instants import Instant, instant_of
from projections.application import Engagements

CONFIRMED = "clock_confirmed"
"""The job id under which confirmations of the clock by operators or admins are noted."""

_MICROSECONDS = 1_000_000

OnDoubt = Callable[[ClockState], object]
"""Called once per loss of trust, in the thread that checks."""


def last_run_of(job_runs: JobRuns, history: ClockHistory) -> Instant | None:
    """Return when any job last ran; if none ever ran, the last instant before a suspicious gap."""
    ran_at = job_runs.last_ran_at()
    return last_in_a_row(history.of_events()) if ran_at is None else ran_at


class ClockGuard:
    """Checks whether a ledger's clock can be trusted; thread-safe."""

    def __init__(
        self,
        engagements: Engagements,
        on_doubt: OnDoubt | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Guard the ledger of `engagements`; `monotonic` is a clock in seconds that is never
        adjusted.
        """
        self.on_doubt = on_doubt
        self._engagements, self._monotonic = engagements, monotonic
        # Replaced and never changed, by the event loop alone, so any thread may read it without a
        # lock.
        self._said: dict[str, tuple[Instant, float]] = {}
        # `_lock` guards the step of `_is_doubted` from false to true: of several threads that find
        # the clock doubtful at once, one calls `on_doubt`. A check that succeeds sets it back to
        # false.
        self._lock = threading.Lock()
        self._is_doubted = False

    def hear(self, source: str, says: Instant) -> None:
        """Store the reading of an outside clock, replacing its earlier one."""
        self._said = {**self._said, source: (says, self._monotonic())}

    def state(self, now: dt.datetime | None = None) -> ClockState:
        """Return the state of the clocks at the moment `now`, by default the present."""
        ledger = self._engagements.ledger
        last_run = last_run_of(ledger.job_runs, ledger.clock_history)
        at = instant_of(self._engagements.clock() if now is None else now)
        return ClockState(at, last_run, tuple(map(self._heard, self._said.values())))

    def check(self, now: dt.datetime) -> None:
        """Raise ClockUnconfirmedError unless irreversible work may be done at `now`."""
        state = self.state(now)
        try:
            check(state)
        except ClockUnconfirmedError:
            self._doubt(state)
            raise
        self._is_doubted = False

    def confirm(self) -> None:
        """Note in the ledger that the clock is right today."""
        now = self._engagements.clock()
        self._engagements.ledger.job_runs.note(CONFIRMED, [now.date()], instant_of(now), 0)

    def _heard(self, said: tuple[Instant, float]) -> Heard:
        says, at = said
        ago = int((self._monotonic() - at) * _MICROSECONDS)
        return Heard(Instant(says + ago), ago)

    def _doubt(self, state: ClockState) -> None:
        with self._lock:
            is_told, self._is_doubted = self._is_doubted, True
        if self.on_doubt is not None and not is_told:
            self.on_doubt(state)
