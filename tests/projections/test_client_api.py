"""The client's interface to the letter, and the ledger that both forms of it share."""

import asyncio
import datetime as dt
import inspect
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import projections
from ledger.application import configured_url
from ledger.commands import FOREVER, Interaction, OptOut, interaction_of
from ledger.errors import (
    InvalidInteractionError,
    LedgerError,
    LedgerUnavailableError,
    SettingsError,
)
from ledger.events import InteractionRecorded
from ledger.instants import DAY, Instant, moment_of
from ledger.store import group_commit
from ledger.store.append import Batch, Outcome, Receipt
from ledger.validation import UserId
from projections import EngagementTracker, IssueEngagementRepository
from projections.application import Engagements, client_api
from tests.support.strategies import NOON, Clock

# --- the client's document -----------------------------------------------------------------------

TRACKER = {
    "track_issue_mention": "user_id, issue_id, interaction_type, linear_id=None, context=None",
    "calculate_engagement_score": "user_id, issue_id",
    "get_top_engaged_issues": "user_id, limit=10",
    "get_engagement_stats": "user_id",
    "decay_old_engagements": "days=30",
}
REPOSITORY = {
    "record_interaction": "user_id, issue_id, linear_id, interaction_type, context=None",
    "get_engagement": "user_id, issue_id",
    "get_all_engagements": "user_id, min_score=0.0",
    "get_top_engaged": "user_id, limit=10",
    "update_score": "user_id, issue_id, new_score",
    "decay_old_engagements": "user_id, days_threshold=30, decay_factor=0.1",
}
METHODS = [
    *((EngagementTracker, name, said) for name, said in TRACKER.items()),
    *((IssueEngagementRepository, name, said) for name, said in REPOSITORY.items()),
]
COLUMNS = [
    *("id", "user_id", "issue_id", "linear_id", "interaction_type", "interaction_count"),
    *("engagement_score", "last_interaction", "first_interaction", "context", "extra_metadata"),
]


@pytest.mark.parametrize(("door", "name", "said"), METHODS)
def test_a_method_has_the_names_the_order_and_the_defaults_of_the_document(door, name, said):
    parameters = list(inspect.signature(getattr(door, name)).parameters.values())[1:]
    positional = [each for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
    shown = [
        each.name if each.default is each.empty else f"{each.name}={each.default!r}"
        for each in positional
    ]
    assert ", ".join(shown) == said
    more = [each for each in parameters if each not in positional]
    assert all(each.kind is each.KEYWORD_ONLY and each.default is None for each in more)
    assert inspect.iscoroutinefunction(getattr(door, name)) == (door is EngagementTracker)


@pytest.mark.parametrize("door", [EngagementTracker, IssueEngagementRepository])
def test_a_door_takes_engagements_or_a_clock_and_needs_neither(door):
    _, engagements, clock = inspect.signature(door.__init__).parameters.values()
    assert (engagements.name, engagements.default) == ("engagements", None)
    assert (clock.name, clock.kind) == ("clock", clock.KEYWORD_ONLY)


def test_what_the_methods_return_has_the_shapes_of_the_document(home):
    with EngagementTracker() as tracker, IssueEngagementRepository() as repository:
        asyncio.run(tracker.track_issue_mention("1", "AI-1", "query", "lin-1", "AI-1?"))
        score = asyncio.run(tracker.calculate_engagement_score("1", "AI-1"))
        assert score == 0.68
        assert asyncio.run(tracker.get_top_engaged_issues("1")) == [("AI-1", 0.68)]
        stats = asyncio.run(tracker.get_engagement_stats("1"))
        last = stats["last_interaction"]
        assert str(last).endswith("Z")
        assert dt.datetime.fromisoformat(str(last)).tzinfo == dt.UTC
        assert stats == {
            "last_interaction": last,
            "total_interactions": 1,
            "unique_issues": 1,
            "avg_interactions_per_issue": 1.0,
            "most_engaged_issues": ["AI-1"],
        }
        assert asyncio.run(tracker.decay_old_engagements()) == 0
        repository.record_interaction("1", "AI-2", "lin-2", "view", "AI-2!")
        shown = repository.get_engagement("1", "AI-2")
        assert shown is not None
        assert [name for name in COLUMNS if not hasattr(shown, name)] == []
        assert (shown.linear_id, shown.interaction_type, shown.context) == (
            "lin-2",
            "view",
            "AI-2!",
        )
        assert [each.issue_id for each in repository.get_all_engagements("1")] == ["AI-2", "AI-1"]
        assert [each.issue_id for each in repository.get_top_engaged("1", 1)] == ["AI-2"]
        repository.update_score("1", "AI-1", new_score=0.9)
        assert repository.decay_old_engagements("1") == 0
        assert repository.get_engagement("1", "AI-3") is None


def test_the_doors_are_found_in_the_package_and_nothing_else_is():
    assert projections.EngagementTracker is EngagementTracker
    with pytest.raises(AttributeError, match="EngagementTracer"):
        _ = projections.EngagementTracer


def test_importing_a_pure_module_loads_no_database():
    program = (
        "import sys, projections, projections.ranking, projections.statistics\n"
        "assert not {'sqlalchemy', 'eventsourcing.application', 'pyarrow'} & set(sys.modules)\n"
        "from projections import EngagementTracker\n"
        "assert 'sqlalchemy' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


# --- ids that are no strings ---------------------------------------------------------------------

NO_STRINGS = [4711, 0, -100, True, 1.5, None, b"1", ["1"]]


@pytest.mark.parametrize("user", NO_STRINGS, ids=repr)
def test_a_user_id_that_is_no_string_is_refused_everywhere_by_its_type(home, user):
    with EngagementTracker() as tracker, IssueEngagementRepository() as repository:
        engagements, ledger = tracker.engagements, tracker.engagements.ledger
        calls = [
            lambda: asyncio.run(tracker.track_issue_mention(user, "AI-1", "query")),
            lambda: asyncio.run(tracker.calculate_engagement_score(user, "AI-1")),
            lambda: asyncio.run(tracker.get_top_engaged_issues(user)),
            lambda: asyncio.run(tracker.get_engagement_stats(user)),
            lambda: repository.record_interaction(user, "AI-1", None, "query"),
            lambda: repository.get_engagement(user, "AI-1"),
            lambda: repository.get_all_engagements(user),
            lambda: repository.get_top_engaged(user),
            lambda: repository.update_score(user, "AI-1", 0.5),
            lambda: engagements.questions.explain(user, "AI-1"),
            lambda: engagements.questions.explain_order(user),
            lambda: engagements.questions.history(user),
            lambda: engagements.ledger.erase(user),
            lambda: engagements.questions.known(user),
            lambda: ledger.knows(user),
            lambda: ledger.has_account(user),
            lambda: ledger.is_opted_out(user, NOON),
            lambda: list(ledger.history(user)),
            lambda: interaction_of(user, "AI-1", "query"),
        ]
        if user is not None:
            calls.append(lambda: repository.decay_old_engagements(user))
        for call in calls:
            with pytest.raises(InvalidInteractionError, match="must be a string, not") as refused:
                call()
            assert type(user).__name__ in str(refused.value)
            assert refused.value.field == "user_id"


@pytest.mark.parametrize(
    ("field", "given"),
    [("issue_id", {}), ("linear_id", {"linear_id": 7}), ("context", {"context": 7})],
)
def test_other_texts_that_are_no_strings_are_refused_likewise(field, given):
    issue: object = 7 if field == "issue_id" else "AI-1"
    with pytest.raises(InvalidInteractionError, match="must be a string, not int") as refused:
        interaction_of("1", issue, "query", **given)  # type: ignore[arg-type]
    assert refused.value.field == field


# --- many in one transaction ---------------------------------------------------------------------

_INTERACTIONS = st.builds(
    interaction_of,
    st.sampled_from(["ana", "ben"]),
    st.sampled_from(["AI-1", "AI-2"]),
    st.sampled_from(["query", "view", "mention"]),
    occurred_at=st.sampled_from([None, moment_of(NOON), moment_of(Instant(NOON + 2 * DAY))]),
    linear_id=st.sampled_from([None, "lin-1"]),
    context=st.sampled_from([None, "AI-1?"]),
    metadata=st.sampled_from([None, {"chat": "team"}]),
    chat_id=st.sampled_from([None, "-7"]),
    source_key=st.sampled_from([None, "key-1", "key-2"]),
)
_OPT_OUTS = st.builds(OptOut, st.just(UserId("ben")), st.sampled_from([NOON, FOREVER]))


async def tracked_one_by_one(
    tracker: EngagementTracker, interactions: Sequence[Interaction | OptOut]
) -> AsyncIterator[Outcome]:
    """Record each with a call of its own, and yield its receipt or its refusal."""
    for each in interactions:
        try:
            if isinstance(each, OptOut):
                yield tracker.engagements.ledger.record(each)
                continue
            yield await tracker.track_issue_mention(
                each.user_id,
                each.issue_id,
                each.kind.label,
                each.linear_id,
                each.context,
                source_key=each.source_key,
                occurred_at=None if each.occurred_at is None else moment_of(each.occurred_at),
                place=each.chat_id,
                metadata=None if each.metadata is None else msgspec.json.decode(each.metadata),
            )
        except LedgerError as refusal:
            yield refusal


def told(outcomes: Iterable[Outcome]) -> list[object]:
    """Outcomes that can be compared."""
    return [each if isinstance(each, Receipt) else repr(each) for each in outcomes]


def kept(engagements: Engagements) -> list[object]:
    """All that is recorded, without what is drawn at random."""
    drawn = {"originator_id": None, "place": None, "commitment": None}
    return [
        (position, msgspec.structs.replace(event, **drawn), origin, event.place is None)
        for user in ("ana", "ben")
        for position, event, origin, *_ in engagements.questions.history(user)
        if isinstance(event, InteractionRecorded)
    ]


@given(st.lists(_INTERACTIONS | _OPT_OUTS, max_size=8))
@settings(max_examples=25)
def test_tracking_all_gives_what_tracking_one_by_one_gives(interactions):
    async def one_by_one() -> list[Outcome]:
        return [each async for each in tracked_one_by_one(single, interactions)]

    with (
        TemporaryDirectory() as folder,
        Engagements(f"sqlite:///{folder}/many.db", clock=Clock()) as many,
        Engagements(f"sqlite:///{folder}/one.db", clock=Clock()) as one,
    ):
        single = EngagementTracker(one)
        outcomes = asyncio.run(EngagementTracker(many).track_all(iter(interactions)))
        assert told(outcomes) == told(asyncio.run(one_by_one()))
        assert kept(many) == kept(one)


def test_all_or_none_are_tracked_and_another_attempt_counts_each_once(tmp_path, monkeypatch):
    interactions = [interaction_of("1", f"AI-{n}", "query", source_key=f"{n}") for n in range(9)]
    monkeypatch.setattr(group_commit, "SHARED_BY_AT_MOST", 2)
    with Engagements(f"sqlite:///{tmp_path}/ledger.db", clock=Clock()) as engagements:
        tracker = EngagementTracker(engagements)
        with monkeypatch.context() as patch:
            patch.setattr(Batch, "add", failing_at("AI-7", Batch.add))
            with pytest.raises(LedgerUnavailableError):
                asyncio.run(tracker.track_all(interactions))
        assert engagements.ledger.size() == (0, 0)
        for counted in (True, False):
            receipts = [Receipt(n + 1, counted=counted) for n in range(9)]
            assert asyncio.run(tracker.track_all(interactions)) == receipts
        assert asyncio.run(tracker.track_all([])) == []


def failing_at(issue: str, add: Callable[[Batch, Any], Outcome]) -> Callable[[Batch, Any], Outcome]:
    def failing(batch: Batch, entry: Interaction) -> Outcome:
        if entry.issue_id == issue:
            raise LedgerUnavailableError("planted")
        return add(batch, entry)

    return failing


# --- one ledger for all interfaces ---------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ENGAGEMENT_DATABASE_URL", raising=False)
    monkeypatch.delenv("ENGAGEMENT_HOME", raising=False)
    yield tmp_path
    assert not client_api._opened


def test_the_doors_share_one_ledger_that_is_opened_at_the_first_use(home):
    with EngagementTracker() as tracker, IssueEngagementRepository() as repository:
        assert not (home / "engagement-data").exists()
        asyncio.run(tracker.track_issue_mention("1", "AI-1", "query"))
        assert (home / "engagement-data" / "ledger.db").exists()
        assert repository.engagements is tracker.engagements


def test_a_door_that_closes_leaves_the_ledger_to_the_others_and_may_open_it_again(home):
    repository = IssueEngagementRepository()
    with EngagementTracker() as tracker:
        assert repository.engagements is tracker.engagements
    repository.record_interaction("1", "AI-1", None, "query")
    repository.close()
    repository.close()
    assert not client_api._opened
    assert len(repository.get_all_engagements("1")) == 1
    repository.close()


def test_another_url_is_another_ledger(home, monkeypatch):
    with IssueEngagementRepository() as one, IssueEngagementRepository() as other:
        one.record_interaction("1", "AI-1", None, "query")
        monkeypatch.setenv("ENGAGEMENT_DATABASE_URL", f"sqlite:///{home}/other.db")
        assert other.get_all_engagements("1") == []
        assert len(one.get_all_engagements("1")) == 1


def test_a_relative_place_is_the_same_from_every_folder_once_it_is_open(home, monkeypatch):
    (home / "elsewhere").mkdir()
    with IssueEngagementRepository() as one, IssueEngagementRepository() as other:
        one.record_interaction("1", "AI-1", None, "query")
        monkeypatch.chdir(home / "elsewhere")
        assert len(one.get_all_engagements("1")) == 1
        assert other.get_all_engagements("1") == []


def test_dotenv_says_where_it_lies_and_the_environment_before_it(home, monkeypatch):
    (home / ".env").write_text("ENGAGEMENT_HOME=kept here\n")
    assert configured_url() == "sqlite:///kept%20here/ledger.db"
    monkeypatch.setenv("ENGAGEMENT_HOME", "there")
    assert configured_url() == "sqlite:///there/ledger.db"
    (home / ".env").write_bytes(b"ENGAGEMENT_HOME=\xff\n")
    with pytest.raises(SettingsError, match="not in UTF-8"):
        IssueEngagementRepository().get_all_engagements("1")


def test_a_clock_is_that_of_the_shared_ledger_and_stands_beside_no_given_one(home):
    clock, other = Clock(), Clock()
    with IssueEngagementRepository(clock=clock) as repository:
        repository.record_interaction("1", "AI-1", None, "query")
        assert repository.engagements.clock is clock
        with EngagementTracker() as tracker:
            assert tracker.engagements.clock is clock
        with pytest.raises(ValueError, match="another clock"):
            _ = EngagementTracker(clock=other).engagements
        for door in (EngagementTracker, IssueEngagementRepository):
            with pytest.raises(TypeError, match="a clock"):
                door(repository.engagements, clock=clock)


def test_a_given_ledger_stays_open_when_a_door_closes(tmp_path):
    with Engagements(f"sqlite:///{tmp_path}/ledger.db") as engagements:
        with IssueEngagementRepository(engagements) as repository:
            repository.record_interaction("1", "AI-1", None, "query")
        assert len(IssueEngagementRepository(engagements).get_all_engagements("1")) == 1


def test_many_threads_that_come_first_open_it_once(home):
    async def asked(trackers: list[EngagementTracker]) -> set[int]:
        scores = (each.calculate_engagement_score("1", "AI-1") for each in trackers)
        assert set(await asyncio.gather(*scores)) == {0.5}
        return {id(each.engagements) for each in trackers}

    trackers = [EngagementTracker() for _ in range(8)]
    assert len(asyncio.run(asked(trackers))) == 1
    for each in trackers:
        each.close()


def test_at_exit_it_is_closed(home):
    program = (
        "from projections import IssueEngagementRepository as R\n"
        "R().record_interaction('1', 'AI-1', None, 'query')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        timeout=60,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert not done.stderr
    assert not list(home.glob("engagement-data/ledger.db-wal"))
