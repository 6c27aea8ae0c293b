"""A state machine: a ledger whose clock jumps, and a list that knows the real time."""

import datetime as dt
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from bot.clock_check import ClockUnconfirmedError
from bot.clocks import ClockGuard
from bot.dates.job_days import CLEANUP, DECAY, EXPIRY, Schedule, due_days
from bot.jobs import EngagementJobs
from ledger.codec import Origin
from ledger.errors import ClockBehindError, ClockNotAheadError
from ledger.events import CLOCK, OBSERVATION, SEALING
from ledger.instants import DAY, Instant, moment_of
from ledger.segment import RETAINED_DAYS
from tests.support import strategies
from tests.support.strategies import HOUR, NOON
from tests.support.trials.compaction_model import (
    AGOS,
    DERIVED,
    DONE,
    MOMENTS_BETWEEN,
    POLICIES,
    Compactions,
    Touch,
    batches,
    issues,
    seeds,
    some_touches,
    users,
)
from tests.support.trials.list_model import event_of
from tests.support.trials.questions import ZONE

CONTEXT_DAYS = 60

MINUTE = HOUR // 60
LITTLE = 3 * DAY
"""The largest error of a clock that may be believed."""

OFFSETS = (10 * MINUTE, LITTLE, 30 * DAY, 3_650 * DAY, -HOUR, -30 * DAY, -365 * DAY)
"""How far a wrong clock is ahead of the real time; negative if it is behind."""

Instants = tuple[int, int]


class Clocks(Compactions):
    """A ledger, the list of everything recorded in it, and the real time."""

    def __init__(self) -> None:
        self.right, self.offset = NOON, 0
        self.is_heard = False
        self.raw: dict[int, Instants] = {}
        self.recorded_when: dict[int, int] = {}
        self.corrections: list[tuple[int, int]] = []
        self.runs: dict[str, dict[dt.date, int]] = {
            each.job: {} for each in (DECAY, CLEANUP, EXPIRY)
        }
        super().__init__()
        self.guard = self._guard()

    @initialize(seed=seeds, batch=st.builds(some_touches, st.integers(5, 25), seeds))
    def begin(self, seed, batch):
        super().begin(seed=seed, batch=batch)
        self._work()  # as a bot does at its first start

    # --- the clock -------------------------------------------------------------------------------

    @rule(by=st.sampled_from([0, 1, HOUR, DAY, 5 * DAY, 31 * DAY, 92 * DAY]))
    def move(self, by):
        self.right = Instant(self.right + by)
        self._set(self.offset)

    @rule(offset=st.sampled_from(OFFSETS))
    def jump(self, offset):
        self._set(offset)

    @rule(
        offset=st.sampled_from(OFFSETS),
        batch=batches,
        words=st.sampled_from([None, *POLICIES]),
        is_heard=st.booleans(),
        is_mended=st.booleans(),
    )
    def trouble(self, offset, batch, words, is_heard, is_mended):
        """Let people talk and jobs run by a wrong clock, and then set it right."""
        if is_heard:
            self._hear()
        self._set(offset)
        self._record(batch)
        if words:
            self._adopt(words)
        self._work()
        self._set(0)
        if is_mended:
            self._repair()
            self._work()
            self.compared(MOMENTS_BETWEEN, lambda: None)

    @rule(by=st.sampled_from([31 * DAY, 92 * DAY]), batch=batches)
    def weeks_pass(self, by, batch):
        """Stop the bot for a time; it learns the real time when it is back."""
        self.right = Instant(self.right + by)
        self._set(0)
        self._hear()
        self._work()
        self.compared(MOMENTS_BETWEEN, lambda: None)
        self._record(batch)

    def _hear(self) -> None:
        self.guard.hear("outside", self.right)
        self.is_heard = True

    @rule()
    def confirm(self):
        self._set(0)
        self.guard.confirm()
        self.runs.setdefault("clock_confirmed", {}).setdefault(
            moment_of(self.clock.at).date(), self.clock.at
        )

    @rule(right=st.booleans())
    def repair(self, right):
        """Repair the ledger, sometimes while the clock is still ahead, though by less."""
        if right or not 0 < self.offset < 3_650 * DAY:
            self._set(0)
        self._repair()

    def _set(self, offset: int) -> None:
        self.offset = offset
        self.clock.at = Instant(self.right + offset)

    @property
    def is_behind(self) -> bool:
        return self.clock.at < self.list.recorded_at - DAY

    # --- what is recorded ------------------------------------------------------------------------

    @rule(batch=batches, late=st.booleans())
    def record(self, batch, late):
        super().record(batch=batch, late=late)

    @rule(user=users, issue=issues, score=strategies.scores, ago=st.sampled_from(AGOS))
    def override(self, user, issue, score, ago):
        self._unless_behind(
            lambda: Compactions.override(self, user=user, issue=issue, score=score, ago=ago)
        )

    @rule(words=st.sampled_from(POLICIES))
    def adopt(self, words):
        self._adopt(words)

    def _adopt(self, words: str) -> None:
        self._unless_behind(lambda: Compactions.adopt(self, words=words))

    def _record(self, batch: list[Touch]) -> None:
        self._unless_behind(lambda: super(Clocks, self)._record(batch))

    def _compact(self, *given: Any, **how: Any) -> None:
        self._unless_behind(lambda: super(Clocks, self)._compact(*given, **how))

    def _unless_behind(self, act: Any) -> None:
        last = len(self.list.notifications)
        try:
            act()
        except ClockBehindError:
            assert self.is_behind
            assert self.engagements.ledger.recorder.max_notification_id() == last or None
            DONE["refused"] += 1
        self._remember()

    # --- the scheduled work ----------------------------------------------------------------------

    @rule()
    def work(self):
        self._work()
        self.compared(MOMENTS_BETWEEN, lambda: None)

    def _work(self) -> None:
        jobs = EngagementJobs(self.engagements, ZONE, self.guard)
        before = Instant(self.clock.at - RETAINED_DAYS * DAY)
        compactor = self.engagements.ledger.compactor
        assert compactor.sealable(compactor.last_recorded_before(before)) == compactor.sealable(
            self._last_before(before)
        )
        self._job(DECAY, jobs.decay)
        self._job(CLEANUP, jobs.cleanup)
        self._other_news(SEALING)
        if self._job(EXPIRY, lambda: jobs.expire(CONTEXT_DAYS)):
            self._expire(Instant(self.clock.at - CONTEXT_DAYS * DAY))
        for job, noted in self.runs.items():
            assert self.engagements.ledger.job_runs.days(job) == sorted(noted)
        texts = sum(each.origin != Origin() for each in self.list.told)
        with self.engagements.ledger.database.read() as connection:
            (kept,) = connection.exec_driver_sql("SELECT count(*) FROM origins").one()
        assert kept == texts

    def _job(self, schedule: Schedule, work: Any) -> bool:
        """Do a job's work; return whether anything was due and done."""
        noted, now = self.runs[schedule.job], moment_of(self.clock.at)
        due = due_days(schedule, max(noted, default=None), now, ZONE)
        is_trusted = self._is_trusted()
        try:
            work()
        except ClockUnconfirmedError:
            assert due
            assert not is_trusted
            DONE["doubted"] += 1
            return False
        except ClockBehindError:
            assert self.is_behind
            return False
        assert is_trusted or not due
        noted |= dict.fromkeys(due, self.clock.at)
        DONE["worked"] += bool(due)
        DONE["worked ahead"] += bool(due) and self.offset > 0
        return bool(due)

    def _is_trusted(self) -> bool:
        ran_at = [at for noted in self.runs.values() for at in noted.values()]
        last = max(ran_at, default=NOON)  # when the first events were recorded
        return self.clock.at - last <= 7 * DAY or (self.is_heard and abs(self.offset) <= DAY)

    def _expire(self, before: Instant) -> None:
        had = {each.row.position for each in self.list.told if each.origin != Origin()}
        self.list.expire(before)
        gone = had - {each.row.position for each in self.list.told if each.origin != Origin()}
        for position in gone:  # regardless of the error of the clock
            age = self.right - self.recorded_when[position]
            assert age > CONTEXT_DAYS * DAY - LITTLE
        DONE["expired"] += len(gone)

    def _last_before(self, at: int) -> int:
        known = [(each.row.position, each.row.recorded_at) for each in self.list.told]
        for each in self.list.notifications:
            if each.topic == OBSERVATION:
                _, recorded = self._effective(each.id, 0, event_of(each).recorded_at)
                known.append((each.id, Instant(recorded)))
        return max((position for position, recorded in known if recorded < at), default=0)

    # --- the list by its effective instants ------------------------------------------------------

    def _repair(self) -> None:
        latest = max(at for noted in self.runs.values() for at in [0, *noted.values()])
        barred = self.list.barred
        if max(self.list.recorded_at, latest, *barred.values()) <= self.clock.at:
            try:
                self.engagements.ledger.correct_clock("tried")
            except ClockNotAheadError:
                return
            raise AssertionError
        due_again = sum(at > self.clock.at for each in self.runs.values() for at in each.values())
        assert self.engagements.ledger.correct_clock("it ran ahead") == due_again
        (event,) = self._other_news(CLOCK)
        assert event.recorded_at == self.list.recorded_at == self.clock.at
        self.corrections.append((len(self.list.notifications), self.clock.at))
        for job, noted in self.runs.items():
            self.runs[job] = {day: at for day, at in noted.items() if at <= self.clock.at}
        barred |= {user: min(at, self.clock.at) for user, at in barred.items()}
        self._remember()
        for number, adopted in enumerate(self.list.policies[1:], 1):
            at = self._effective(adopted.position or 0, 0, adopted.adopted_at or 0)[1]
            self.list.policies[number] = adopted._replace(adopted_at=Instant(at))
        DONE["repaired"] += 1

    def _remember(self) -> None:
        """Give every entry of the list its effective instant."""
        for number, each in enumerate(self.list.told):
            row = each.row
            raw = self.raw.setdefault(row.position, (row.occurred_at, row.recorded_at))
            self.recorded_when.setdefault(row.position, self.right)
            occurred, recorded = self._effective(row.position, *raw)
            change: dict[str, Any] = {"occurred_at": occurred, "recorded_at": recorded}
            event = msgspec.structs.replace(each.event, **change)
            self.list.told[number] = each._replace(row=row._replace(**change), event=event)

    def _effective(self, position: int, occurred: int, recorded: int) -> Instants:
        for corrected, at in self.corrections:
            if position < corrected:
                recorded = min(recorded, at)
        return (recorded if occurred > recorded + DAY else occurred), recorded

    # --- both sides ------------------------------------------------------------------------------

    def end(self) -> None:
        self._set(0)
        self._repair()
        self._work()
        super().end()

    def _guard(self) -> ClockGuard:
        self.is_heard = False
        return ClockGuard(self.engagements, monotonic=lambda: self.right / 1_000_000)

    @rule(names=st.sets(st.sampled_from(DERIVED)))
    def reopen(self, names):
        super().reopen(names=names)
        self.guard = self._guard()
