"""The guard: what it hears, whom it tells, and what a confirmation is worth."""

import pytest

from bot.clock_check import ClockUnconfirmedError
from bot.clocks import ClockGuard
from bot.jobs import EngagementJobs
from ledger.commands import interaction_of
from ledger.instants import DAY, Instant
from ledger.store.job_runs import JobRuns
from projections.application import Engagements
from tests.support.scheduled_work import ZONE
from tests.support.strategies import NOON

YEARS = 3_650 * DAY


@pytest.fixture
def engagements(tmp_path, clock):
    """A ledger with a text, on which the jobs ran at noon."""
    with Engagements(f"sqlite:///{tmp_path}/ledger.db", clock=clock) as opened:
        opened.ledger.record(interaction_of("ana", "AI-1", "query", context="canary"))
        EngagementJobs(opened, ZONE).decay()
        yield opened


@pytest.fixture
def doubts():
    return []


@pytest.fixture
def guard(engagements, doubts):
    return ClockGuard(engagements, doubts.append, monotonic=lambda: 0.0)


def texts(engagements):
    return [each.origin.context for each in engagements.questions.history("ana")]


def test_nothing_that_cannot_be_taken_back_is_done_by_a_clock_that_is_ahead(
    engagements, guard, clock
):
    jobs, database = EngagementJobs(engagements, ZONE, guard), engagements.ledger.database
    done = JobRuns(database).days("engagement_decay")
    clock.move(YEARS)
    for work in (jobs.decay, jobs.cleanup, lambda: jobs.expire(90)):
        with pytest.raises(ClockUnconfirmedError):
            work()
    assert texts(engagements) == ["canary"]
    assert engagements.ledger.compactor.segments() == []
    assert JobRuns(database).days("engagement_decay") == done
    assert JobRuns(database).days("engagement_cleanup") == []


def test_a_bot_that_was_off_for_a_month_goes_on_once_it_hears_the_time(engagements, guard, clock):
    clock.move(100 * DAY)
    guard.hear("answers", clock.at)
    assert EngagementJobs(engagements, ZONE, guard).expire(90) == 1
    assert texts(engagements) == [None]


def test_what_was_heard_goes_on_by_the_monotonic_clock(engagements, clock):
    seconds = [0.0]
    guard = ClockGuard(engagements, monotonic=lambda: seconds[0])
    guard.hear("answers", NOON)
    seconds[0] = 40 * 86_400.0
    clock.move(40 * DAY)
    guard.check(clock())
    (heard,) = guard.state().heard
    assert heard == (NOON + 40 * DAY, 40 * DAY)


def test_a_clock_that_jumps_between_the_question_and_the_work_changes_nothing(
    engagements, guard, clock
):
    jobs = EngagementJobs(engagements, ZONE, guard)
    clock.move(2 * DAY)
    check = guard.check

    def check_and_jump(now):
        check(now)
        clock.move(YEARS)

    guard.check = check_and_jump
    assert jobs.expire(90) == 0
    assert texts(engagements) == ["canary"]


def test_a_doubt_is_told_once_until_the_clock_is_believed_again(guard, clock, doubts):
    def ask():
        try:
            guard.check(clock())
        except ClockUnconfirmedError:
            return False
        return True

    clock.move(YEARS)
    assert [ask(), ask()] == [False, False]
    assert len(doubts) == 1
    assert doubts[0].now == NOON + YEARS
    clock.move(-YEARS)
    assert ask()
    clock.move(YEARS)
    assert not ask()
    assert len(doubts) == 2


def test_a_confirmation_holds_for_every_process_and_for_seven_days(engagements, guard, clock):
    clock.move(100 * DAY)
    guard.confirm()
    ClockGuard(engagements).check(clock())
    clock.move(7 * DAY)
    ClockGuard(engagements).check(clock())
    clock.move(1)
    with pytest.raises(ClockUnconfirmedError):
        ClockGuard(engagements).check(clock())


@pytest.fixture
def unworked(tmp_path, clock):
    """A ledger on which no job ever ran."""
    with Engagements(f"sqlite:///{tmp_path}/new.db", clock=clock) as opened:
        yield opened


def touch(engagements):
    engagements.ledger.record(interaction_of("ana", "AI-1", "query"))


def test_where_nothing_ever_happened_there_is_nothing_to_protect(unworked, clock):
    clock.move(YEARS)
    ClockGuard(unworked).check(clock())
    assert ClockGuard(unworked).state().last_run is None


def test_where_no_job_ever_ran_the_last_event_counts(unworked, clock):
    for _ in range(5):
        touch(unworked)
        clock.move(7 * DAY)
    ClockGuard(unworked).check(clock())
    clock.move(1)
    with pytest.raises(ClockUnconfirmedError):
        ClockGuard(unworked).check(clock())


@pytest.mark.parametrize("is_sealed", [False, True])
def test_what_a_clock_that_is_ahead_has_dated_does_not_speak_for_it(unworked, clock, is_sealed):
    touch(unworked)
    clock.move(YEARS)
    touch(unworked)  # recording never asks
    if is_sealed:
        unworked.ledger.compactor.compact(1)
        unworked.ledger.compactor.compact(2)
    with pytest.raises(ClockUnconfirmedError):
        ClockGuard(unworked).check(clock())


def test_a_correction_speaks_for_the_clock(unworked, clock):
    touch(unworked)
    clock.move(YEARS)
    touch(unworked)
    clock.move(100 * DAY - YEARS)
    unworked.ledger.correct_clock("it ran ahead")
    ClockGuard(unworked).check(clock())


def test_a_clock_that_is_behind_ruins_nothing(engagements, guard, clock):
    clock.move(-NOON)  # 1970, as at a boot without a battery
    jobs = EngagementJobs(engagements, ZONE, guard)
    assert jobs.expire(0) == 0
    jobs.decay()
    assert texts(engagements) == ["canary"]
    assert guard.state().now == Instant(0)
