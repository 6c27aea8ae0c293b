"""A correction of the clock: one event that repairs the effects of a clock ahead (R8)."""

import sqlite3
from contextlib import closing

import pytest

from bot.clocks import ClockGuard
from bot.jobs import EngagementJobs
from ledger.commands import FOREVER, OptOut, interaction_of
from ledger.errors import (
    ClockBehindError,
    ClockNotAheadError,
    InvalidReasonError,
    LedgerDamagedError,
    OptedOutError,
)
from ledger.events import ClockCorrected
from ledger.instants import DAY, Instant, moment_of
from ledger.store.clock_corrections import correct
from ledger.store.job_runs import JobRuns
from ledger.store.statements import Statement
from ledger.validation import UserId
from projections.application import Engagements
from projections.read_model.compare import verify
from tests.support.scheduled_work import ZONE
from tests.support.strategies import HOUR, NOON

YEARS = 3_650 * DAY


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/ledger.db"


@pytest.fixture
def engagements(url, clock):
    """At noon, of a day on which the clock was ten years ahead for a minute."""
    with Engagements(url, clock=clock) as opened:
        clock.move(-2 * DAY)
        touch(opened, "AI-1")
        clock.move(2 * DAY + YEARS)
        touch(opened, "AI-2")
        ClockGuard(opened).confirm()  # by an operator who was wrong
        EngagementJobs(opened, ZONE).decay()
        clock.move(-YEARS)
        yield opened


def touch(engagements, issue):
    engagements.ledger.record(interaction_of("ana", issue, "query"))


def own_events(engagements):
    (last,) = engagements.ledger.recorder.select_notifications(
        engagements.ledger.recorder.max_notification_id(), 1
    )
    return engagements.ledger.mapper.to_domain_event(last)


def test_recording_goes_on_after_a_correction(engagements):
    with pytest.raises(ClockBehindError):
        touch(engagements, "AI-3")
    engagements.ledger.correct_clock("the battery")
    touch(engagements, "AI-3")
    assert [each.issue_id for each in engagements.questions.top("ana")] == ["AI-2", "AI-3", "AI-1"]


def test_the_correction_is_an_event_that_says_the_present_and_the_reason(engagements):
    engagements.ledger.correct_clock("  the\nbattery ")
    event = own_events(engagements)
    assert isinstance(event, ClockCorrected)
    assert (event.recorded_at, event.reason) == (NOON, "the battery")


def test_the_days_of_jobs_that_ran_ahead_are_due_again(engagements):
    database = engagements.ledger.database
    assert JobRuns(database).days("engagement_decay")
    assert engagements.ledger.correct_clock("it ran ahead") == 2  # and the confirmation
    assert JobRuns(database).days("engagement_decay") == []


@pytest.mark.parametrize("is_sealed", [False, True])
def test_what_was_recorded_ahead_counts_as_of_the_correction(engagements, clock, is_sealed):
    if is_sealed:
        clock.move(YEARS)
        engagements.ledger.compactor.compact(10)
        clock.move(-YEARS)
    engagements.ledger.correct_clock("it ran ahead")
    before = engagements.questions.ask("ana", "AI-2", known_at=moment_of(Instant(NOON - 1)))
    assert before.engagement.count == 0
    now = engagements.questions.ask("ana", "AI-2", known_at=moment_of(NOON))
    assert (now.engagement.count, now.engagement.last_at) == (1, NOON)
    (entry,) = engagements.questions.history("ana", "AI-2")
    assert (entry.event.occurred_at, entry.event.recorded_at) == (NOON, NOON)
    clock.move(40 * DAY)
    assert engagements.questions.ask("ana", "AI-2").score.idle_days == 40
    assert engagements.maintenance.replay(repair=False, progress=lambda _: None).difference is None
    assert engagements.ledger.compactor.sealed_difference() is None


def test_scores_that_were_refreshed_ahead_are_brought_back(engagements, clock):
    clock.move(YEARS)
    engagements.maintenance.refresh_scores(30)
    clock.move(-YEARS)
    engagements.ledger.correct_clock("it ran ahead")
    clock.move(HOUR)
    engagements.maintenance.refresh_scores(30)
    with engagements.ledger.database.read() as connection:
        rows = connection.exec_driver_sql("SELECT DISTINCT scored_at FROM engagements").all()
    assert rows == [(NOON + HOUR,)]


def test_replays_beside_begin_anew_and_are_as_the_live_one(engagements):
    replays = engagements.maintenance.replays
    replays.begin("again")
    replays.fold("again")
    engagements.ledger.correct_clock("it ran ahead")
    (beside,) = replays.listed()
    assert (beside.position, beside.identical) == (0, None)
    replays.fold("again")
    assert replays.compare("again").difference is None


def test_another_process_answers_by_the_correction_at_once(engagements, url, clock):
    with Engagements(url, clock=clock) as other:
        policy = engagements.policies.in_force
        clock.move(YEARS)
        other.policies.adopt(policy, 1)
        clock.move(-YEARS)
        assert other.policies.known_at(moment_of(NOON)).version == 1
        engagements.ledger.correct_clock("it ran ahead")
        assert other.policies.known_at(moment_of(NOON)).version == 2
        assert other.policies.all()[-1].adopted_at == NOON


def test_a_second_correction_counts_where_the_first_was_still_ahead(engagements, clock):
    clock.move(30 * DAY)
    engagements.ledger.correct_clock("by a clock that was still wrong")
    clock.move(-30 * DAY)
    engagements.ledger.correct_clock("now it is right")
    (entry,) = engagements.questions.history("ana", "AI-2")
    assert entry.event.recorded_at == NOON


def test_a_ledger_that_is_not_ahead_is_not_corrected(engagements):
    engagements.ledger.correct_clock("it ran ahead")
    last = engagements.ledger.recorder.max_notification_id()
    with pytest.raises(ClockNotAheadError, match="nothing to repair"):
        engagements.ledger.correct_clock("again")
    assert engagements.ledger.recorder.max_notification_id() == last


def test_job_days_alone_can_be_ahead(url, clock):
    with Engagements(url, clock=clock) as engagements:
        clock.move(YEARS)
        EngagementJobs(engagements, ZONE).decay()
        clock.move(-YEARS)
        assert engagements.ledger.correct_clock("it ran ahead") == 1


def test_a_clock_that_cannot_be_right_corrects_nothing(engagements, clock):
    clock.move(-NOON)
    with pytest.raises(ClockNotAheadError, match="cannot be right"):
        engagements.ledger.correct_clock("1970")


@pytest.mark.parametrize("reason", ["", " \n", "\u200b", "x" * 201])
def test_a_reason_is_needed_and_short(engagements, reason):
    with pytest.raises(InvalidReasonError):
        engagements.ledger.correct_clock(reason)


def test_a_damaged_ledger_is_not_folded_again(engagements, tmp_path):
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        connection.execute("UPDATE job_runs SET counted = counted + 1")
        connection.commit()
    last = engagements.ledger.recorder.max_notification_id()
    with pytest.raises(LedgerDamagedError, match="verify"):
        engagements.ledger.correct_clock("it ran ahead")
    assert engagements.ledger.recorder.max_notification_id() == last


def test_the_head_goes_back_by_no_other_way(engagements, tmp_path):
    with (
        closing(sqlite3.connect(tmp_path / "ledger.db")) as connection,
        pytest.raises(sqlite3.IntegrityError, match="head never goes back"),
    ):
        connection.execute("UPDATE head SET recorded_at = recorded_at - 1")


def test_killed_at_any_statement_it_has_changed_nothing(engagements, url, tmp_path, monkeypatch):
    def dump():
        with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
            return list(connection.iterdump())

    class Killed(BaseException):
        """The state that a killed process loses."""

    run, run_many = Statement.run, Statement.run_many
    whole, counted = dump(), 0

    def dying_at(number):
        def count():
            nonlocal counted
            counted += 1
            if counted == number:
                raise Killed

        def dies(self, *given):
            count()
            return run(self, *given)

        def dies_many(self, *given):
            count()
            return run_many(self, *given)

        return dies, dies_many

    for number in range(1, 100):
        counted = 0
        with monkeypatch.context() as patch:
            dies, dies_many = dying_at(number)
            patch.setattr(Statement, "run", dies)
            patch.setattr(Statement, "run_many", dies_many)
            try:
                correct(engagements.ledger.database, engagements.read_model, NOON, "it ran ahead")
            except Killed:
                assert dump() == whole
                continue
        break
    assert number > 10
    assert dump() != whole
    touch(engagements, "AI-3")


@pytest.fixture
def forgotten(tmp_path, url, clock):
    """A ledger in which only a deletion, an opt-out and an opt-in are ahead."""
    with Engagements(url, clock=clock) as opened:
        for user in ("ana", "ben"):
            opened.ledger.record(interaction_of(user, "AI-1", "query"))
        with closing(sqlite3.connect(tmp_path / "ledger.db")) as database:
            database.execute("VACUUM INTO ?", (f"{tmp_path}/backup",))
        clock.move(YEARS)
        opened.ledger.erase("ana")
        for before in (FOREVER, clock.at):
            opened.ledger.record_many([OptOut(UserId("ben"), before)])
        clock.move(-YEARS)
        yield opened


@pytest.mark.parametrize("user", ["ana", "ben"])
def test_who_was_forgotten_or_opted_in_ahead_is_recorded_from_the_correction_on(
    forgotten, clock, user
):
    forgotten.ledger.correct_clock("the battery")
    said = interaction_of(user, "AI-1", "query", occurred_at=moment_of(Instant(clock.at - 1)))
    with pytest.raises(OptedOutError):
        forgotten.ledger.record(said)
    clock.move(1)
    touch_of(forgotten, user)
    assert verify(forgotten.ledger.database).findings == []


def touch_of(engagements, user):
    engagements.ledger.record(interaction_of(user, "AI-2", "query"))


def test_a_backup_that_is_put_back_after_a_correction_bars_up_to_it(
    forgotten, tmp_path, url, clock
):
    forgotten.ledger.correct_clock("the battery")
    forgotten.close()
    (tmp_path / "backup").replace(tmp_path / "ledger.db")
    with Engagements(url, clock=clock) as opened:
        with pytest.raises(OptedOutError):
            opened.ledger.record(
                interaction_of("ana", "AI-1", "query", occurred_at=moment_of(Instant(NOON - 1)))
            )
        touch_of(opened, "ana")


def test_an_opt_out_that_is_in_force_outlasts_a_correction(url, clock):
    with Engagements(url, clock=clock) as opened:
        opened.ledger.record_many([OptOut(UserId("ana"), FOREVER)])
        clock.move(YEARS)
        opened.ledger.erase("ana")
        clock.move(-YEARS)
        opened.ledger.correct_clock("the battery")
        with pytest.raises(OptedOutError):
            touch_of(opened, "ana")


def test_no_barrier_goes_back_without_a_correction(forgotten, tmp_path):
    with (
        closing(sqlite3.connect(tmp_path / "ledger.db")) as database,
        pytest.raises(sqlite3.IntegrityError, match="barriers never go back"),
    ):
        database.execute("UPDATE opt_outs SET erased_at = 1 WHERE erased_at > 1")
