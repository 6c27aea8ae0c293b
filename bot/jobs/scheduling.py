"""Scheduling of the jobs with APScheduler 3."""

import asyncio
import contextlib
import datetime as dt
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Protocol

from bot.dates.job_days import CLEANUP, DECAY, EXPIRY, RESOLUTION
from bot.extras import extra
from bot.jobs.engagement_jobs import EngagementJobs
from bot.settings import settings_of
from ledger.application import environment, utc_now
from ledger.errors import LedgerError
from projections.application import Engagements

_log = logging.getLogger(__name__)


class Scheduler(Protocol):
    """Any scheduler of APScheduler 3."""

    def add_job(self, func: Callable[..., object], trigger: str, **options: Any) -> object:  # noqa: ANN401 - APScheduler's signature
        """Add a job."""
        ...


class HasScheduler(Protocol):
    """An object with a scheduler, such as python-telegram-bot's JobQueue."""

    @property
    def scheduler(self) -> Scheduler:
        """The APScheduler instance that runs the jobs."""
        ...


def add_engagement_jobs_to_scheduler(
    scheduler: Scheduler | HasScheduler, jobs: EngagementJobs | None = None
) -> None:
    """Schedule `engagement_decay` daily at midnight and `engagement_cleanup` on Sundays at 02:00.

    Without `jobs`, the environment names the ledger and the zone, and each run opens that ledger
    itself; raises SettingsError if the environment is invalid. The scheduler checks for due days at
    its start and at every full hour of the zone's wall clock, in a thread. Missed days are caught
    up; a failure is logged as a warning and retried an hour later.
    """
    zone = settings_of(environment()).zone if jobs is None else jobs.zone
    for job, ask, work in (
        (DECAY.job, ask_for_decay, decay_engagement_scores_job),
        (CLEANUP.job, ask_for_cleanup, cleanup_zero_engagements_job),
    ):
        # When a JobQueue lists its jobs, it treats the second argument of each as one of its own
        # Jobs.
        shown = [] if hasattr(scheduler, "add_job") else [_shown(job, work, jobs)]
        _add(scheduler, zone, job, ask, [jobs, *shown])


def add_expiry_to_scheduler(queue: HasScheduler, jobs: EngagementJobs, context_days: int) -> None:
    """Schedule `EngagementJobs.expire` daily at midnight, in the same way."""
    _add_own(queue, jobs, EXPIRY.job, lambda: jobs.expire(context_days))


def add_resolution_to_scheduler(
    queue: HasScheduler, jobs: EngagementJobs, resolve: Callable[[], int]
) -> None:
    """Schedule `EngagementJobs.resolve` daily at midnight, in the same way."""
    _add_own(queue, jobs, RESOLUTION.job, lambda: jobs.resolve(resolve))


def _add_own(
    queue: HasScheduler, jobs: EngagementJobs, job: str, work: Callable[[], object]
) -> None:
    """Schedule work of the bot's own, for which other schedulers have no settings."""

    async def run(_: object) -> None:
        await asyncio.to_thread(work)

    def ask(*_: object) -> None:
        with _survived(job):
            work()

    _add(queue, jobs.zone, job, ask, [jobs, _shown(job, run, jobs)])


def _add(
    scheduler: Scheduler | HasScheduler,
    zone: dt.tzinfo,
    job: str,
    ask: Callable[..., None],
    arguments: list[object],
) -> None:
    target = scheduler if hasattr(scheduler, "add_job") else scheduler.scheduler
    target.add_job(
        ask,
        "cron",
        args=arguments,
        minute=0,
        timezone=zone,
        next_run_time=utc_now(),
        id=job,
        name=job,
        replace_existing=True,
        misfire_grace_time=None,
        coalesce=True,
        max_instances=1,
    )


async def decay_engagement_scores_job(jobs: EngagementJobs | None = None) -> int:
    """Run `EngagementJobs.decay` in a thread and return its result."""
    return await asyncio.to_thread(_decay, jobs)


async def cleanup_zero_engagements_job(jobs: EngagementJobs | None = None) -> int:
    """Run `EngagementJobs.cleanup` in a thread and return its result."""
    return await asyncio.to_thread(_cleanup, jobs)


def ask_for_decay(jobs: EngagementJobs | None, *_: object) -> None:
    """Run the decay job for the days that are due."""
    with _survived(DECAY.job):
        _decay(jobs)


def ask_for_cleanup(jobs: EngagementJobs | None, *_: object) -> None:
    """Run the cleanup job for the days that are due."""
    with _survived(CLEANUP.job):
        _cleanup(jobs)


def _shown(
    job: str,
    work: Callable[[EngagementJobs | None], Awaitable[object]],
    jobs: EngagementJobs | None,
) -> object:
    with extra("telegram"):
        from telegram.ext import Job  # noqa: PLC0415 - other schedulers do without

    async def run(_: object) -> None:
        await work(jobs)

    return Job(run, name=job)


def _decay(jobs: EngagementJobs | None) -> int:
    with _opened(jobs) as opened:
        return opened.decay()


def _cleanup(jobs: EngagementJobs | None) -> int:
    with _opened(jobs) as opened:
        return opened.cleanup()


@contextlib.contextmanager
def _opened(jobs: EngagementJobs | None) -> Iterator[EngagementJobs]:
    if jobs is not None:
        yield jobs
        return
    settings = settings_of(environment())
    with Engagements(settings.database_url) as engagements:
        yield EngagementJobs(engagements, settings.zone)


@contextlib.contextmanager
def _survived(job: str) -> Iterator[None]:
    try:
        yield
    except LedgerError as error:
        _log.warning("job not done", extra={"job": job, "reason": str(error)})
