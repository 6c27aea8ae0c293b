"""Scheduling: any scheduler of APScheduler 3 does what is due, at its start and every full hour."""

import asyncio
import datetime as dt
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread, get_ident
from typing import Any
from unittest.mock import Mock

import pytest
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED  # type: ignore[import-untyped]
from apscheduler.schedulers.asyncio import AsyncIOScheduler  # type: ignore[import-untyped]
from apscheduler.schedulers.background import BackgroundScheduler  # type: ignore[import-untyped]
from apscheduler.schedulers.base import BaseScheduler  # type: ignore[import-untyped]
from apscheduler.schedulers.blocking import BlockingScheduler  # type: ignore[import-untyped]
from apscheduler.schedulers.tornado import TornadoScheduler  # type: ignore[import-untyped]
from telegram.ext import JobQueue

from bot.jobs import EngagementJobs, add_engagement_jobs_to_scheduler
from ledger.errors import SettingsError
from ledger.instants import DAY
from ledger.store.job_runs import job_alone
from projections.application import Engagements
from tests.support.scheduled_work import SUNDAY, YESTERDAY, ZONE, done

NAMES = {"engagement_decay", "engagement_cleanup"}
PATIENCE_SECONDS = 20


class Runs:
    """Awaits the runs of a scheduler's jobs, and keeps what went wrong."""

    def __init__(self, scheduler: BaseScheduler, count: int = 2) -> None:
        self.errors: list[object] = []
        self._left = count
        self._ended = Event()
        scheduler.add_listener(self._note, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR)

    def wait(self) -> None:
        """Return when all have ended."""
        assert self._ended.wait(PATIENCE_SECONDS)
        assert self.errors == []

    def _note(self, event) -> None:
        if event.exception:
            self.errors.append(event.exception)
        self._left -= 1
        if self._left == 0:
            self._ended.set()


@contextmanager
def background(jobs: EngagementJobs | None) -> Iterator[Runs]:
    """A scheduler in a thread of its own, which has begun to run the jobs."""
    scheduler = BackgroundScheduler()
    runs = Runs(scheduler)
    add_engagement_jobs_to_scheduler(scheduler, jobs)
    scheduler.start()
    try:
        yield runs
    finally:
        scheduler.shutdown()


def in_background(jobs: EngagementJobs) -> None:
    with background(jobs) as runs:
        runs.wait()


def blocking(jobs: EngagementJobs) -> None:
    scheduler = BlockingScheduler()
    runs = Runs(scheduler)
    add_engagement_jobs_to_scheduler(scheduler, jobs)
    thread = Thread(target=scheduler.start)
    thread.start()
    runs.wait()
    scheduler.shutdown()
    thread.join()


def in_a_loop(jobs: EngagementJobs, new: Callable[[], BaseScheduler]) -> None:
    async def run() -> None:
        scheduler = new()
        runs = Runs(scheduler)
        add_engagement_jobs_to_scheduler(scheduler, jobs)
        scheduler.start()
        await asyncio.to_thread(runs.wait)
        scheduler.shutdown()

    asyncio.run(run())


def in_asyncio(jobs: EngagementJobs) -> None:
    in_a_loop(jobs, AsyncIOScheduler)


def in_tornado(jobs: EngagementJobs) -> None:
    in_a_loop(jobs, TornadoScheduler)


def in_a_job_queue(jobs: EngagementJobs) -> None:
    async def run() -> None:
        queue: JobQueue[Any] = JobQueue()
        runs = Runs(queue.scheduler)
        add_engagement_jobs_to_scheduler(queue, jobs)
        await queue.start()
        await asyncio.to_thread(runs.wait)
        await queue.stop()

    asyncio.run(run())


every_scheduler = pytest.mark.parametrize(
    "run", [in_background, blocking, in_asyncio, in_tornado, in_a_job_queue]
)


# --- what is scheduled ---------------------------------------------------------------------------


@pytest.mark.parametrize("new", [BackgroundScheduler, AsyncIOScheduler, BlockingScheduler])
def test_two_jobs_are_added_under_their_names(new, jobs):
    scheduler = new()
    add_engagement_jobs_to_scheduler(scheduler, jobs)
    pending = [job for job, _, _ in scheduler._pending_jobs]
    assert {(job.id, job.name) for job in pending} == {(name, name) for name in NAMES}
    for job in pending:
        assert (job.misfire_grace_time, job.coalesce, job.max_instances) == (None, True, 1)
        assert not asyncio.iscoroutinefunction(job.func)
        assert job.trigger.timezone == ZONE


@pytest.fixture
def paused():
    """A scheduler that runs nothing."""
    scheduler = BackgroundScheduler()
    scheduler.start(paused=True)
    yield scheduler
    scheduler.shutdown()


def test_adding_them_again_replaces_them(jobs, paused):
    for _ in range(2):
        add_engagement_jobs_to_scheduler(paused, jobs)
    assert sorted(job.id for job in paused.get_jobs()) == sorted(NAMES)


def test_the_next_time_to_ask_is_the_next_full_hour(jobs, paused):
    add_engagement_jobs_to_scheduler(paused, jobs)
    for job in paused.get_jobs():
        first = job.next_run_time
        following = job.trigger.get_next_fire_time(first, first)
        assert dt.timedelta(0) < following - first <= dt.timedelta(hours=1)
        assert (following.minute, following.second, following.microsecond) == (0, 0, 0)


def test_whatever_has_add_job_is_a_scheduler(jobs):
    anything = Mock()
    add_engagement_jobs_to_scheduler(anything, jobs)
    assert {call.kwargs["id"] for call in anything.add_job.call_args_list} == NAMES


def test_a_job_queue_can_still_list_its_jobs(jobs, engagements):
    """It takes every job in its scheduler for one of its own."""

    async def run() -> None:
        queue: JobQueue[Any] = JobQueue()
        add_engagement_jobs_to_scheduler(queue, jobs)
        assert {job.name for job in queue.jobs()} == NAMES
        (listed,) = queue.get_jobs_by_name("engagement_decay")
        await listed.callback(Mock())

    asyncio.run(run())
    assert done(engagements) == ([YESTERDAY], [])


# --- what is done --------------------------------------------------------------------------------


@every_scheduler
def test_a_scheduler_does_at_its_start_what_is_due(run, jobs, engagements, worked):
    run(jobs)
    assert done(engagements) == ([YESTERDAY], [SUNDAY])
    assert sorted(worked) == ["cleanup", "decay"]


@every_scheduler
def test_it_is_done_in_another_thread_than_the_schedulers_loop(run, jobs, monkeypatch):
    threads: list[int] = []
    monkeypatch.setattr(jobs, "decay", lambda: threads.append(get_ident()))
    run(jobs)
    assert len(threads) == 1
    assert get_ident() not in threads


def test_two_schedulers_on_one_ledger_do_each_day_once(url, jobs, engagements, clock, worked):
    with Engagements(url, clock=clock) as second:
        with background(jobs) as one, background(EngagementJobs(second, ZONE)) as two:
            one.wait()
            two.wait()
        assert done(second) == ([YESTERDAY], [SUNDAY])
    assert sorted(worked) == ["cleanup", "decay"]


def test_a_restarted_scheduler_catches_up(jobs, engagements, clock, worked):
    in_background(jobs)
    in_background(jobs)
    assert sorted(worked) == ["cleanup", "decay"]
    clock.move(2 * DAY)
    in_background(jobs)
    assert len(done(engagements)[0]) == 3
    assert sorted(worked) == ["cleanup", "decay", "decay"]


def test_what_fails_is_a_warning_and_stays_due(jobs, engagements, caplog):
    database = engagements.ledger.database
    database.patience_seconds = 0.001
    decaying, cleaning = (job_alone(database, name) for name in NAMES)
    with decaying, cleaning, caplog.at_level(logging.WARNING):
        in_background(jobs)
    facts = [(each.levelname, each.msg, vars(each)["job"]) for each in caplog.records]
    assert sorted(facts) == [("WARNING", "job not done", name) for name in sorted(NAMES)]
    assert done(engagements) == ([], [])
    in_background(jobs)
    assert done(engagements) == ([YESTERDAY], [SUNDAY])


# --- by the environment --------------------------------------------------------------------------


def test_without_jobs_each_run_opens_the_ledger_of_the_environment(url, tmp_path, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_HOME", str(tmp_path))
    monkeypatch.setenv("ENGAGEMENT_TIMEZONE", "Pacific/Apia")
    with background(None) as runs:
        runs.wait()
    with Engagements(url) as opened:
        assert list(map(len, done(opened))) == [1, 1]


def test_an_environment_that_cannot_be_meant_is_refused_at_once(monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_TIMEZONE", "Mars/Olympus")
    scheduler = BackgroundScheduler()
    with pytest.raises(SettingsError):
        add_engagement_jobs_to_scheduler(scheduler)


def test_without_jobs_they_can_be_kept_in_a_store_of_jobs(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_HOME", str(tmp_path))
    stored = f"sqlite:///{tmp_path}/jobs.db"
    for _ in range(2):
        scheduler = BackgroundScheduler()
        scheduler.add_jobstore("sqlalchemy", url=stored)
        runs = Runs(scheduler)
        add_engagement_jobs_to_scheduler(scheduler)
        scheduler.start()
        runs.wait()
        assert {job.id for job in scheduler.get_jobs()} == NAMES
        scheduler.shutdown()
