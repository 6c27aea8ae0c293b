"""Expiry: words and sources go after some time, and change no answer (R7)."""

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.jobs import EngagementJobs
from ledger.commands import interaction_of
from ledger.instants import DAY, Instant
from ledger.store import retention
from projections.application import Engagements
from tests.support.strategies import NOON, Clock
from tests.support.trials.counts import count


def record(engagements: Engagements, number: int) -> None:
    engagements.ledger.record(
        interaction_of(
            "ana", "AI-1", "query", context=f"canary {number}", source_key=f"key {number}"
        )
    )


def contexts(engagements: Engagements) -> list[str | None]:
    return [each.origin.context for each in engagements.questions.history("ana")]


@settings(max_examples=count(full=1_000, small=30))  # each example is a ledger of its own
@given(st.lists(st.integers(0, 4), min_size=1, max_size=12), st.integers(-1, 30), st.integers(1, 4))
def test_only_what_was_recorded_before_the_instant_goes(tmp_path_factory, gaps, days, at_once):
    clock = Clock()
    path = tmp_path_factory.mktemp("expiry") / "ledger.db"
    with (
        pytest.MonkeyPatch.context() as patch,
        Engagements(f"sqlite:///{path}", clock=clock) as engagements,
    ):
        patch.setattr(retention, "EXPIRED_AT_ONCE", at_once)
        recorded = []
        for number, gap in enumerate(gaps):
            clock.move(gap * DAY)
            record(engagements, number)
            recorded.append(clock.at)
        before = Instant(NOON + days * DAY)
        top, scored = engagements.questions.top("ana"), engagements.questions.statistics("ana")
        gone = sum(at < before for at in recorded)
        assert engagements.ledger.expire_origins(before) == gone
        kept = [f"canary {number}" for number in range(gone, len(gaps))]
        assert contexts(engagements) == [None] * gone + kept
        assert (engagements.questions.top("ana"), engagements.questions.statistics("ana")) == (
            top,
            scored,
        )
        assert (
            engagements.maintenance.replay(repair=False, progress=lambda _: None).difference is None
        )
        record(engagements, 0)  # its words are deleted, and it still counts once
        assert len(contexts(engagements)) == len(gaps)


def test_the_job_keeps_words_for_so_many_days(tmp_path):
    clock = Clock()
    with Engagements(f"sqlite:///{tmp_path}/ledger.db", clock=clock) as engagements:
        jobs = EngagementJobs(engagements, dt.UTC)
        record(engagements, 1)
        assert jobs.expire(context_days=2) == 0
        clock.move(2 * DAY)
        assert jobs.expire(context_days=2) == 0
        clock.move(DAY)
        assert jobs.expire(context_days=2) == 1
        assert contexts(engagements) == [None]
