"""A ledger whose clock stands still, and the jobs on it."""

import pytest

from bot.clocks import ClockGuard
from bot.jobs import EngagementJobs
from ledger.instants import DAY
from projections.application import Engagements, Maintenance
from tests.support.scheduled_work import ZONE, touch


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/ledger.db"


@pytest.fixture
def engagements(url, clock):
    """Of three users' engagements at noon, two are under decay, and one of these is dormant."""
    with Engagements(url, clock=clock) as opened:
        clock.move(-200 * DAY)
        touch(opened, "ana", "AI-1")
        clock.move(160 * DAY)
        touch(opened, "ben", "AI-1")
        clock.move(35 * DAY)
        touch(opened, "ben", "AI-2")
        clock.move(5 * DAY)
        ClockGuard(opened).confirm()  # there were weeks between these, and nothing ran yet
        yield opened


@pytest.fixture
def jobs(engagements):
    return EngagementJobs(engagements, ZONE)


@pytest.fixture
def worked(monkeypatch):
    """The work that was done, by any process, in order."""
    done = []

    def noting(name, work):
        def note_and_work(*given, **more):
            done.append(name)
            return work(*given, **more)

        return note_and_work

    for name, method in (("decay", "refresh_scores"), ("cleanup", "count_dormant")):
        monkeypatch.setattr(Maintenance, method, noting(name, getattr(Maintenance, method)))
    return done
