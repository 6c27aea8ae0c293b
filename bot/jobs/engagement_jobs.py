"""EngagementJobs: does the scheduled work of one ledger, once for each logical day."""

import datetime as dt
import logging
from collections.abc import Callable

import msgspec

from bot.clocks import ClockGuard
from bot.dates.job_days import CLEANUP, DECAY, EXPIRY, RESOLUTION, Schedule, due_days
from ledger.instants import DAY, Instant, instant_of
from ledger.segment import RETAINED_DAYS
from projections.application import Engagements

_log = logging.getLogger(__name__)


def _ignore(_: str) -> None:
    """Ignore it: the log reports it."""


class EngagementJobs:
    """The scheduled work of one ledger, whose days are those of a zone.

    `on_damage` is called with a sentence for each damaged place that the weekly cleanup finds, once
    until the ledger is sound again.

    A call does the work that is due by the ledger's clock, if any: any process may call at any
    time. Missed days are done together, since the work is about the present; an interrupted day is
    done again. Raises LedgerUnavailableError if the ledger cannot be written or another process
    holds the job lock for too long, and ClockUnconfirmedError if the clock may be wrong; then the
    days stay due.
    """

    def __init__(
        self, engagements: Engagements, zone: dt.tzinfo, guard: ClockGuard | None = None
    ) -> None:
        """Work on `engagements`, which the caller closes, by the days of `zone`.

        `guard` decides whether the clock can be trusted; the default one has no outside clocks.
        """
        self.zone = zone
        self._engagements = engagements
        self._guard = guard or ClockGuard(engagements)
        self.on_damage: Callable[[str], object] = _ignore
        self._damaged: frozenset[str] = frozenset()

    def decay(self) -> int:
        """Bring the read model's score column up to date, once a day.

        Returns the number of engagements under decay at the last run.
        """
        idle_longer_than_days = self._engagements.policies.in_force.decay_after_days
        return self._do(
            DECAY, lambda _: self._engagements.maintenance.refresh_scores(idle_longer_than_days)
        )

    def cleanup(self) -> int:
        """Move events that were recorded long ago into the archive, once a week (R7).

        No engagement changes. In a damaged ledger nothing is moved, and an error is logged.
        Returns the number of engagements that were dormant at the last cleanup.
        """
        return self._do(CLEANUP, self._compacted)

    def _compacted(self, now: Instant) -> int:
        ledger = self._engagements.ledger
        if ledger.archive.is_possible:
            compactor = ledger.compactor
            compactor.recover()  # first: a file that can be restored does not count as damage
            if self._is_sound():
                retained = Instant(now - RETAINED_DAYS * DAY)
                done = compactor.compact(compactor.last_recorded_before(retained))
                _log.info("compacted", extra=msgspec.structs.asdict(done))
        return self._engagements.maintenance.count_dormant()

    def _is_sound(self) -> bool:
        """Whether a verification finds no damage, which sealing would hide."""
        findings = self._engagements.maintenance.verify().findings
        for each in findings:
            _log.error("damaged", extra={"finding": each.says})
        first = {each.where: each.says for each in reversed(findings)}
        for where in first.keys() - self._damaged:
            self.on_damage(first[where])
        self._damaged = frozenset(first)
        return not findings

    def expire(self, context_days: int) -> int:
        """Delete the origins of events that were recorded more than `context_days` ago, once a day.

        Returns the number deleted by the last run.
        """
        expire = self._engagements.ledger.expire_origins
        return self._do(EXPIRY, lambda now: expire(Instant(now - context_days * DAY)))

    def resolve(self, resolve: Callable[[], int]) -> int:
        """Ask Linear by `resolve` which issues recorded keys name, once a day.

        Returns the number of keys whose issues the last run found. If `resolve` raises an error, as
        it does where keys are left, the day stays due.
        """
        return self._do(RESOLUTION, lambda _: resolve())

    def _do(self, schedule: Schedule, work: Callable[[Instant], int]) -> int:
        runs = self._engagements.ledger.job_runs
        if self._due(schedule, self._engagements.clock()):
            with runs.alone(schedule.job):
                self._do_alone(schedule, work)
        last = runs.last(schedule.job)
        return 0 if last is None else last.counted

    def _do_alone(self, schedule: Schedule, work: Callable[[Instant], int]) -> None:
        now = self._engagements.clock()  # read once: it may jump after the check
        # The previous holder of the lock may have done it.
        days = self._due(schedule, now)
        if not days:
            return
        self._guard.check(now)
        ran_at = instant_of(now)
        counted = work(ran_at)
        # Noted last, so that an interrupted run leaves its days due.
        noted = self._engagements.ledger.job_runs.note(schedule.job, days, ran_at, counted)
        _log.info("job done", extra={"job": schedule.job, "days": len(noted), "counted": counted})

    def _due(self, schedule: Schedule, now: dt.datetime) -> list[dt.date]:
        last = self._engagements.ledger.job_runs.last(schedule.job)
        return due_days(schedule, last and last.day, now, self.zone)
