"""The scheduled work itself: once for each logical day, from any caller and any process."""

import asyncio
import datetime as dt
import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from threading import Barrier
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, delete

from bot.clocks import ClockGuard
from bot.dates.job_days import CLEANUP, DECAY, due_days
from bot.jobs import EngagementJobs, cleanup_zero_engagements_job, decay_engagement_scores_job
from ledger.clock import utc_now
from ledger.errors import LedgerUnavailableError, SettingsError
from ledger.instants import DAY, Instant
from ledger.store import tables
from ledger.store.job_runs import JobRuns, Run, job_alone
from projections.application import Engagements
from projections.policy import Adopted
from projections.read_model.engagement_rows import LIVE, Stored
from projections.read_model.model import values
from projections.read_model.queries import dormant_count
from projections.read_model.tables import engagements as table
from projections.read_model.tables import metadata
from projections.scoring import score
from tests.support.scheduled_work import DORMANT, SUNDAY, UNDER_DECAY, YESTERDAY, ZONE, done, touch
from tests.support.strategies import HOUR, NOON, engagements_by_issue, moments_of_asking, policies

ONE_DAY = dt.timedelta(days=1)


def both(jobs: EngagementJobs) -> tuple[int, int]:
    """The results of both jobs."""
    return jobs.decay(), jobs.cleanup()


# --- the work ------------------------------------------------------------------------------------


def test_keys_are_resolved_once_a_day_and_a_day_on_which_keys_are_left_stays_due(
    jobs, engagements, clock
):
    asked: list[str] = []

    def resolve() -> int:
        asked.append("all")
        return 7

    def fail() -> int:
        asked.append("some")
        raise LedgerUnavailableError("Linear is still to be asked for 5 keys")

    with pytest.raises(LedgerUnavailableError):
        jobs.resolve(fail)
    assert [jobs.resolve(resolve), jobs.resolve(fail)] == [7, 7]
    clock.move(DAY)
    assert jobs.resolve(resolve) == 7
    assert asked == ["some", "all", "all"]


def test_the_decay_brings_the_scores_up_to_date_and_counts_what_is_under_decay(engagements, jobs):
    assert asyncio.run(decay_engagement_scores_job(jobs)) == UNDER_DECAY
    assert done(engagements) == ([YESTERDAY], [])
    with engagements.ledger.database.read() as connection:
        rows = connection.exec_driver_sql("SELECT DISTINCT scored_at FROM engagements").all()
    assert rows == [(NOON,)]


def test_the_cleanup_counts_the_dormant_and_leaves_them(engagements, jobs):
    assert asyncio.run(cleanup_zero_engagements_job(jobs)) == DORMANT
    assert done(engagements) == ([], [SUNDAY])
    assert [each.issue_id for each in engagements.questions.ranking("ana")] == ["AI-1"]


def test_the_cleanup_seals_what_was_recorded_long_ago_and_changes_nothing(
    engagements, jobs, caplog
):
    before = [engagements.questions.ranking(user) for user in ("ana", "ben")]
    caplog.set_level(logging.INFO)
    jobs.cleanup()
    (segment,) = engagements.ledger.compactor.segments()
    assert (segment.events, segment.last_recorded_at) == (1, NOON - 200 * DAY)
    assert [engagements.questions.ranking(user) for user in ("ana", "ben")] == before
    (said,) = (vars(record) for record in caplog.records if record.msg == "compacted")
    assert (said["events"], said["archived_bytes"]) == (1, segment.size_bytes)


def test_the_cleanup_restores_what_was_moved_aside_before_it_looks_for_damage(
    engagements, jobs, clock, caplog
):
    jobs.cleanup()
    (segment,) = engagements.ledger.compactor.segments()
    files = engagements.ledger.archive.files
    files.set_aside(files.place(segment.range))
    clock.move(7 * DAY)
    jobs.cleanup()
    assert files.is_sound(segment)
    assert [record.msg for record in caplog.records if record.msg == "damaged"] == []


def test_a_run_is_noted_with_its_instant_and_its_count(engagements, jobs):
    jobs.decay()
    noted = engagements.ledger.job_runs.last(DECAY.job)
    assert noted == Run(YESTERDAY, NOON, UNDER_DECAY)


def test_asking_again_does_nothing_and_says_what_was_counted(engagements, jobs, worked):
    for _ in range(3):
        assert both(jobs) == (UNDER_DECAY, DORMANT)
    touch(engagements, "ana", "AI-1")  # no longer dormant, nor under decay
    assert both(jobs) == (UNDER_DECAY, DORMANT)
    assert worked == ["decay", "cleanup"]


def test_the_next_day_it_is_done_again(engagements, jobs, clock, worked):
    jobs.decay()
    clock.move(11 * HOUR - 1)  # to the last microsecond of the first of January in Berlin
    jobs.decay()
    assert worked == ["decay"]
    clock.move(1)
    jobs.decay()
    assert worked == ["decay", "decay"]
    assert done(engagements)[0] == [YESTERDAY, YESTERDAY + ONE_DAY]


def test_missed_days_are_caught_up_together(engagements, jobs, clock, worked):
    both(jobs)
    clock.move(15 * DAY)
    ClockGuard(engagements).confirm()
    both(jobs)
    days = [YESTERDAY + number * ONE_DAY for number in range(16)]
    assert done(engagements) == (days, [SUNDAY, SUNDAY + 7 * ONE_DAY, SUNDAY + 14 * ONE_DAY])
    assert worked == ["decay", "cleanup"] * 2


def test_a_restart_does_nothing_again(url, engagements, jobs, clock, worked):
    both(jobs)
    engagements.close()
    with Engagements(url, clock=clock) as opened:
        assert both(EngagementJobs(opened, ZONE)) == (UNDER_DECAY, DORMANT)
        assert done(opened) == ([YESTERDAY], [SUNDAY])
    assert worked == ["decay", "cleanup"]


def test_a_day_is_a_day_of_the_zone(engagements, clock):
    jobs = EngagementJobs(engagements, ZoneInfo("Pacific/Kiritimati"))
    jobs.decay()
    assert done(engagements)[0] == [YESTERDAY + ONE_DAY]  # it is two in the morning there


def test_each_run_is_logged_with_its_counts_and_no_users(jobs, caplog):
    with caplog.at_level(logging.DEBUG):
        both(jobs), both(jobs)
    lines = [vars(record) for record in caplog.records if record.msg == "job done"]
    facts = [(line["levelname"], line["job"], line["days"], line["counted"]) for line in lines]
    assert facts == [("INFO", DECAY.job, 1, UNDER_DECAY), ("INFO", CLEANUP.job, 1, DORMANT)]
    for record in caplog.records:
        assert "ana" not in str(vars(record))
        assert "AI-1" not in str(vars(record))


# --- several at once -----------------------------------------------------------------------------


def test_of_many_who_ask_at_once_one_does_it(url, engagements, clock, worked):
    with ThreadPoolExecutor(8) as threads, Engagements(url, clock=clock) as second:
        each = [EngagementJobs(opened, ZONE) for opened in (engagements, second)] * 4
        asked = [threads.submit(jobs.decay) for jobs in each]
        assert [answer.result() for answer in asked] == [UNDER_DECAY] * 8
    assert worked == ["decay"]
    assert done(engagements)[0] == [YESTERDAY]


def test_without_a_lock_the_days_are_noted_once_all_the_same(url, engagements, clock, monkeypatch):
    """As on a database that is no file."""
    monkeypatch.setattr(JobRuns, "alone", lambda *_: nullcontext())
    meeting = Barrier(2)
    with Engagements(url, clock=clock) as second, ThreadPoolExecutor(2) as threads:
        for opened in (engagements, second):
            monkeypatch.setattr(
                opened.maintenance, "count_dormant", lambda: meeting.wait(10) * 0 + DORMANT
            )
        both = [EngagementJobs(opened, ZONE) for opened in (engagements, second)]
        list(threads.map(EngagementJobs.cleanup, both))
    assert not meeting.broken  # both were at it at the same time
    assert done(engagements) == ([], [SUNDAY])


def test_a_process_that_waits_too_long_for_another_leaves_the_days_due(
    engagements, jobs, url, clock
):
    with Engagements(url, clock=clock) as second:
        second.ledger.database.patience_seconds = 0.001
        impatient = EngagementJobs(second, ZONE)
        with job_alone(engagements.ledger.database, DECAY.job):
            with pytest.raises(LedgerUnavailableError):
                impatient.decay()
            assert impatient.cleanup() == DORMANT  # that is another job
        assert done(engagements) == ([], [SUNDAY])
        assert EngagementJobs(second, ZONE).decay() == UNDER_DECAY


def test_others_may_write_while_a_job_runs(engagements, jobs, monkeypatch):
    def count() -> int:
        touch(engagements, "ana", "AI-3")
        return 7

    monkeypatch.setattr(engagements.maintenance, "count_dormant", count)
    assert jobs.cleanup() == 7
    assert engagements.questions.ask("ana", "AI-3").engagement.count == 1


# --- breaking off --------------------------------------------------------------------------------


def test_a_run_that_fails_is_done_again_and_noted_once(engagements, jobs, monkeypatch):
    def fail() -> int:
        raise LedgerUnavailableError

    with monkeypatch.context() as broken:
        broken.setattr(engagements.maintenance, "count_dormant", fail)
        with pytest.raises(LedgerUnavailableError):
            jobs.cleanup()
        assert done(engagements) == ([], [])
    assert jobs.cleanup() == DORMANT
    assert done(engagements) == ([], [SUNDAY])


KILLED = """
import sys
from zoneinfo import ZoneInfo
from bot.jobs import EngagementJobs
from projections.application import Engagements
from tests.support.strategies import Clock

engagements = Engagements(sys.argv[1], clock=Clock())

def count():
    print("counting", flush=True)
    sys.stdin.read()  # until killed

engagements.maintenance.count_dormant = count
EngagementJobs(engagements, ZoneInfo("Europe/Berlin")).cleanup()
"""


def test_a_process_that_is_killed_in_the_middle_holds_up_no_other(url, engagements, jobs, worked):
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"counting\n"
        engagements.ledger.database.patience_seconds = 0.001
        with pytest.raises(LedgerUnavailableError):
            jobs.cleanup()
        process.kill()
    assert jobs.cleanup() == DORMANT
    assert done(engagements) == ([], [SUNDAY])
    assert worked == ["cleanup"]


# --- by the environment --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("work", "job"),
    [(decay_engagement_scores_job, DECAY), (cleanup_zero_engagements_job, CLEANUP)],
    ids=["decay", "cleanup"],
)
def test_without_jobs_the_environment_says_which_ledger(work, job, url, tmp_path, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_HOME", str(tmp_path))
    monkeypatch.setenv("ENGAGEMENT_TIMEZONE", "UTC")
    began = utc_now()
    assert asyncio.run(work()) == 0
    with Engagements(url) as opened:
        days = opened.ledger.job_runs.days(job.job)
    # A day may have become due meanwhile.
    assert days in [due_days(job, None, at, dt.UTC) for at in (began, utc_now())]


def test_an_environment_that_cannot_be_meant_is_refused(monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_TIMEZONE", "Mars/Olympus")
    with pytest.raises(SettingsError):
        asyncio.run(decay_engagement_scores_job())


# --- what is noted -------------------------------------------------------------------------------

few_days = st.lists(st.integers(0, 6).map(lambda number: SUNDAY + number * ONE_DAY), max_size=5)


@settings(max_examples=25)
@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), few_days), max_size=8))
def test_a_day_of_a_job_is_noted_once(tmp_path_factory, notes):
    known: dict[str, dict[dt.date, int]] = {"a": {}, "b": {}}
    with Engagements(f"sqlite:///{tmp_path_factory.mktemp('notes')}/ledger.db") as opened:
        database = opened.ledger.database
        for number, (job, days) in enumerate(notes):
            new = [day for day in dict.fromkeys(days) if day not in known[job]]
            assert JobRuns(database).note(job, days, Instant(NOON + number), number) == new
            known[job] |= dict.fromkeys(new, number)
        for job, days in known.items():
            assert JobRuns(database).days(job) == sorted(days)
            last = max(days, default=None)
            expected = last and Run(last, Instant(NOON + days[last]), days[last])
            assert JobRuns(database).last(job) == expected


# --- counting the dormant ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def memory():
    """A read model in memory."""
    with create_engine("sqlite://").connect() as connection:
        tables.metadata.create_all(connection)
        metadata.create_all(connection)
        yield connection


@given(engagements_by_issue(), moments_of_asking, policies())
def test_the_dormant_are_those_whose_score_says_so(memory, known, at, policy):
    memory.execute(delete(table))
    adopted = Adopted(1, policy)
    rows = [Stored(n, 1, issue, each, n, 0) for n, (issue, each) in enumerate(known.items())]
    LIVE.insert.run_many(memory, [values(row, adopted) for row in rows])
    expected = sum(score(each, at, policy).dormant for each in known.values())
    assert dormant_count(memory, at, policy) == expected


def test_an_engagement_is_dormant_from_the_ninety_first_day_on(engagements, clock):
    clock.move(51 * DAY - 1)  # a user's first touch was forty days before noon
    assert engagements.maintenance.count_dormant() == 1
    clock.move(1)
    assert engagements.maintenance.count_dormant() == 2


def test_an_override_keeps_an_engagement_awake(engagements):
    assert engagements.maintenance.count_dormant() == 1
    engagements.adjustments.override("ana", "AI-1", 0.9)
    assert engagements.maintenance.count_dormant() == 0
