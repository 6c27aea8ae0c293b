"""Observations of issues are recorded once, without a name in an event, and read back."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete

from ledger.commands import FOREVER, OptOut, interaction_of
from ledger.errors import FutureInteractionError, InvalidInteractionError, LedgerDamagedError
from ledger.events import FORGOTTEN, IssueObserved
from ledger.instants import DAY, Instant, moment_of
from ledger.observations import Observation, Person, Text
from ledger.store import tables
from ledger.store.append import Receipt
from ledger.store.issue_streams import observations_of
from ledger.validation import UserId
from projections.application import Engagements
from projections.application.issues import KnownIssue
from projections.issue_history import IssueAt
from projections.read_model.keys_of_issues import streams_named
from projections.read_model.tables import metadata as derived
from tests.support.observations import DAY_ONE, observation, observations, uuid
from tests.support.sealed_ledgers import small_segments
from tests.support.strategies import Clock

ANA, BOB = Person(uuid(200), "Ana Canary"), Person(uuid(201), "Bob Canary")


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.at = Instant(DAY_ONE + DAY)
    return clock


@pytest.fixture
def engagements(tmp_path, clock) -> Iterator[Engagements]:
    with opened(tmp_path, clock) as ledger:
        yield ledger


def opened(folder: Path, clock: Clock) -> Engagements:
    return Engagements(f"sqlite:///{folder}/ledger.db", clock=clock)


def recorded(engagements: Engagements, *said: Observation) -> list[Any]:
    return [engagements.ledger.record(each) for each in said]


def events_named(engagements: Engagements, key: str) -> list[IssueObserved]:
    with engagements.ledger.database.read() as connection:
        return [
            each
            for stream in streams_named(connection, key)
            for each in observations_of(connection, engagements.ledger.database, stream)
        ]


def known(engagements: Engagements, key: str = "AI-1", **moments: Any) -> KnownIssue:
    found = engagements.issues.issue(key, **moments)
    assert found is not None
    return found


# --- once ----------------------------------------------------------------------------------------


def test_the_same_fact_is_counted_once_by_whichever_way_it_comes(engagements, clock):
    said = observation(assignee=ANA, said_at=DAY_ONE)
    clock.move(DAY)
    by_look_up = msgspec.structs.replace(said, origin="look-up", said_at=clock.at)
    assert recorded(engagements, said, said, by_look_up) == [
        Receipt(1, counted=True),
        Receipt(1, counted=False),
        Receipt(1, counted=False),
    ]
    assert engagements.ledger.record_many([said, by_look_up]) == [Receipt(1, counted=False)] * 2


def test_an_unchanged_issue_looked_up_again_adds_nothing(engagements, clock, tmp_path):
    said = observation(assignee=ANA, texts=(Text(uuid(1), "A title"),), said_at=DAY_ONE)
    recorded(engagements, said)
    before = contents(tmp_path / "ledger.db")
    for days in (1, 2, 3):
        clock.move(DAY)
        again = msgspec.structs.replace(said, said_at=Instant(DAY_ONE + days), origin="look-up")
        recorded(engagements, again)
    assert contents(tmp_path / "ledger.db") == before


def contents(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def test_what_linear_says_again_after_something_else_counts_again(engagements):
    """A relation does not change `updated_at`: free, blocked, and free again."""
    said = [
        observation(blockers=blockers, said_at=Instant(DAY_ONE + at), origin="look-up")
        for at, blockers in enumerate([(), (uuid(2),), (), ()])
    ]
    counted = [each.counted for each in recorded(engagements, *said, *said)]
    assert counted == [True, True, True, False, *[False] * 4]
    assert known(engagements).at.blockers == ()


def test_a_repetition_within_one_transaction_is_seen(engagements):
    said = [
        observation(blockers=blockers, said_at=Instant(DAY_ONE + at))
        for at, blockers in enumerate([(), (uuid(2),), (), ()])
    ]
    outcomes = engagements.ledger.record_many(said)
    assert [each.counted for each in outcomes] == [True, True, True, False]


# --- all in one transaction ----------------------------------------------------------------------


def test_an_observation_that_is_refused_disturbs_no_other_entry(engagements, clock):
    ahead = observation(2, updated_at=Instant(clock.at + 2 * DAY), assignee=BOB)
    ahead_too = observation(2, said_at=Instant(clock.at + 2 * DAY), assignee=BOB)
    before, refused, refused_too, after, last = engagements.ledger.record_many(
        [
            interaction_of("4711", "AI-1", "query"),
            ahead,
            ahead_too,
            observation(1),
            interaction_of("4711", "AI-2", "query"),
        ]
    )
    assert isinstance(refused, FutureInteractionError)
    assert isinstance(refused_too, FutureInteractionError)
    assert [each.position for each in (before, after, last)] == [1, 2, 3]
    assert not engagements.ledger.has_account(BOB.user_id)
    assert engagements.issues.issue("AI-2") is None
    assert engagements.maintenance.replay(repair=False, progress=lambda _: None).difference is None
    assert engagements.maintenance.verify().findings == []


def test_an_observation_that_was_not_checked_is_checked_before_it_is_recorded(engagements):
    said = observation(1, identifier="AI-1", cycle=uuid(7))
    odd = msgspec.structs.replace(said, identifier="ai-1", cycle=uuid(7).upper())
    bad = msgspec.structs.replace(said, issue="\ud800")
    beside = interaction_of("1001", "AI-1", "query")
    first, refused, *others = engagements.ledger.record_many([odd, bad, said, beside])
    assert first == Receipt(1, counted=True)
    assert isinstance(refused, InvalidInteractionError)
    assert others == [Receipt(1, counted=False), Receipt(2, counted=True)]
    assert known(engagements).at.identifier == "AI-1"


def test_nothing_of_it_is_there_if_the_transaction_fails(engagements, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(engagements.read_model, "note_keys", failing)
        with pytest.raises(RuntimeError):
            recorded(engagements, observation(assignee=ANA))
    assert not engagements.ledger.has_account(ANA.user_id)
    assert recorded(engagements, observation(assignee=ANA)) == [Receipt(1, counted=True)]
    assert known(engagements).people[account_of(known(engagements).at)] == ANA


def failing(*_: object) -> None:
    raise RuntimeError


def account_of(issue: IssueAt) -> UUID:
    assert isinstance(issue.assignee, UUID)
    return issue.assignee


# --- reading -------------------------------------------------------------------------------------


def test_a_key_leads_to_the_issue_that_has_it_or_had_it_last(engagements):
    recorded(
        engagements,
        observation(1, identifier="DMD-480"),
        observation(1, identifier="AI-3", former_identifiers=("DMD-480",), updated_at=DAY_ONE + 1),
        observation(2, identifier="AI-9"),
        observation(2, identifier="DMD-480", updated_at=DAY_ONE + 2),
        observation(2, identifier="AI-8", updated_at=DAY_ONE + 3),
    )
    at = moment_of
    assert known(engagements, "AI-3").at.issue == uuid(1)
    assert known(engagements, "ai-9").at.issue == uuid(2)
    assert known(engagements, "DMD-480").at.issue == uuid(2)
    assert known(engagements, "AI-3", at=at(DAY_ONE)).at.identifier == "DMD-480"
    assert engagements.issues.issue("AI-8", known_at=at(DAY_ONE)) is None
    assert engagements.issues.issue("AI-7") is None


def test_the_issue_is_known_with_its_words(engagements):
    texts = (
        Text(uuid(1), "A title", "https://linear.app/1"),
        Text(uuid(101), "In Progress"),
        Text(uuid(102), "bug"),
    )
    recorded(
        engagements,
        observation(state_id=uuid(101), labels=(uuid(102),), assignee=ANA, texts=texts),
    )
    issue = known(engagements)
    assert issue.texts == {each.id: each for each in texts}
    assert (issue.text(uuid(1)), issue.text(uuid(102)), issue.text(None)) == (
        "A title",
        "bug",
        None,
    )
    assert issue.people == {issue.at.assignee: ANA}
    assert [each.state_id for each in issue.spans] == [uuid(101)]


def test_the_text_that_linear_said_last_is_kept(engagements):
    def titled(title: str, updated: int, said: int) -> Observation:
        return observation(
            updated_at=Instant(DAY_ONE + updated),
            said_at=Instant(DAY_ONE + said),
            texts=(Text(uuid(1), title),),
        )

    recorded(engagements, titled("second", 2, 2), titled("first", 1, 1))
    assert known(engagements).text(uuid(1)) == "second"
    recorded(engagements, titled("third", 2, 3))
    assert known(engagements).text(uuid(1)) == "third"


def test_instants_of_a_clock_that_ran_ahead_are_corrected(engagements, clock):
    right = clock.at
    clock.move(10 * DAY)
    recorded(engagements, observation(blockers=(uuid(2),)))
    clock.at = Instant(right + DAY)
    engagements.ledger.correct_clock("it was ahead")
    (event,) = events_named(engagements, "AI-1")
    assert (event.said_at, event.recorded_at) == (clock.at, clock.at)
    assert known(engagements, known_at=clock()).at.blockers == (uuid(2),)
    assert engagements.maintenance.verify().findings == []


def test_a_title_that_a_clock_ahead_has_dated_gives_way_to_a_newer_one(engagements, clock):
    right = clock.at
    for title, days in (("old", 10), ("new", 2)):
        clock.at = Instant(right + days * DAY)
        if title == "new":
            engagements.ledger.correct_clock("it was ahead")
            clock.move(1)
        texts = (Text(uuid(1), title),)
        said = observation(priority=days % 5, updated_at=Instant(right + days), texts=texts)
        recorded(engagements, said)
    assert known(engagements).text(uuid(1)) == "new"
    assert engagements.maintenance.verify().findings == []


def test_an_observation_that_cannot_be_read_is_damage(engagements, tmp_path):
    recorded(engagements, observation())
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        connection.executescript(
            "DROP TRIGGER events_are_never_updated; UPDATE events SET state = '{}'"
        )
    with pytest.raises(LedgerDamagedError, match="position 1 cannot be read"):
        engagements.issues.issue("AI-1")


# --- people, and what can be deleted (R11) -------------------------------------------------------


def test_no_name_or_title_is_in_an_event_or_a_log(engagements, clock, tmp_path, caplog):
    caplog.set_level("DEBUG")
    title = Text(uuid(1), "Title Canary", "https://linear.app/canary")
    recorded(engagements, observation(assignee=ANA, actor=BOB, texts=(title,)))
    assert copies(tmp_path) > 0
    for user in (ANA.user_id, BOB.user_id):
        engagements.ledger.erase(user)
    with engagements.ledger.database.write() as connection:
        connection.execute(delete(tables.linear_texts))
    engagements.ledger.database.vacuum()
    engagements.ledger.database.truncate_log()
    assert copies(tmp_path) == 0
    assert "anary" not in caplog.text
    issue = known(engagements)
    assert (dict(issue.texts), dict(issue.people)) == ({}, {})
    assert isinstance(issue.at.assignee, UUID)
    assert engagements.maintenance.verify().findings == []
    assert engagements.maintenance.replay(repair=True, progress=lambda _: None).difference is None


def copies(folder: Path) -> int:
    """How often a name, a title or the id of a person is in any file of the ledger."""
    needles = (b"anary", uuid(200).encode(), uuid(201).encode(), UUID(uuid(200)).bytes)
    return sum(
        path.read_bytes().count(needle)
        for path in folder.rglob("*")
        if path.is_file()
        for needle in needles
    )


def test_a_person_who_was_forgotten_is_not_named_by_what_happened_before(engagements, clock):
    recorded(engagements, observation(assignee=ANA))
    engagements.ledger.erase(ANA.user_id)
    clock.move(1)
    late = observation(assignee=ANA, priority=1)
    assert recorded(engagements, late) == [Receipt(2, counted=True)]
    assert not engagements.ledger.has_account(ANA.user_id)
    assert known(engagements).at.assignee == FORGOTTEN
    again = msgspec.structs.replace(late, said_at=Instant(clock.at + 1))
    assert recorded(engagements, again) == [Receipt(2, counted=False)]


def test_a_person_who_was_forgotten_gets_a_name_again_only_by_a_link(engagements, clock, tmp_path):
    recorded(engagements, observation(assignee=ANA, actor=ANA))
    engagements.ledger.erase(ANA.user_id)
    for _ in range(3):
        clock.move(DAY)
        later = observation(assignee=ANA, actor=ANA, updated_at=clock.at)
        assert recorded(engagements, later)[0].counted
        assert not recorded(engagements, later)[0].counted
    assert known(engagements).at.assignee == FORGOTTEN
    assert copies(tmp_path) == 0
    engagements.ledger.record(interaction_of("4711", "AI-1", "query"))
    engagements.ledger.linear_links.link(UserId("4711"), ANA)
    clock.move(DAY)
    recorded(engagements, observation(assignee=ANA, updated_at=clock.at))
    assert list(known(engagements).people.values()) == [ANA]


def test_a_person_who_opted_out_gets_no_account(engagements):
    engagements.ledger.record(OptOut(ANA.user_id, FOREVER))
    recorded(engagements, observation(assignee=ANA, actor=BOB))
    assert not engagements.ledger.has_account(ANA.user_id)
    assert known(engagements).at.assignee == FORGOTTEN
    assert engagements.ledger.has_account(BOB.user_id)


def test_what_is_said_of_users_does_not_depend_on_linear(engagements, clock):
    touch = interaction_of("4711", "AI-1", "query", source_key="one")
    engagements.ledger.record(touch)

    def said() -> list[object]:
        return [
            engagements.questions.ranking("4711"),
            engagements.questions.statistics("4711"),
            engagements.maintenance.count(),
            engagements.maintenance.count_dormant(),
            engagements.ledger.users(),
            engagements.ledger.size()[1],
            list(engagements.ledger.history("4711")),
            engagements.questions.ask(ANA.user_id, "AI-1"),
            list(engagements.ledger.history(ANA.user_id)),
        ]

    before = said()
    recorded(engagements, observation(assignee=ANA, actor=BOB), observation(2, assignee=BOB))
    assert said() == before
    engagements.ledger.fold()
    assert said() == before
    engagements.ledger.record(interaction_of(BOB.user_id, "AI-1", "query"))
    assert [each.user_id for each in engagements.ledger.users()] == ["4711", BOB.user_id]
    assert engagements.ledger.size()[1] == 2
    engagements.ledger.compactor.compact(engagements.ledger.size()[0])
    assert [each.user_id for each in engagements.ledger.users()] == ["4711", BOB.user_id]


# --- rebuilt, compacted, in any order ------------------------------------------------------------


def test_derived_tables_are_brought_back_by_replay(engagements, tmp_path, clock):
    recorded(engagements, observation(1), observation(2, former_identifiers=("AI-7", "AI-1")))
    engagements.ledger.fold()
    engagements.close()
    path = tmp_path / "ledger.db"
    before = contents(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("DROP TABLE issue_keys")
    with opened(tmp_path, clock) as again:
        assert again.maintenance.replay(repair=False, progress=lambda _: None).difference is None
        assert known(again, "AI-7").at.issue == uuid(2)
    assert sorted(contents(path)) == sorted(before)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM issue_keys WHERE key = 'AI-7'")
        connection.commit()
    with opened(tmp_path, clock) as again:
        said = again.maintenance.replay(repair=False, progress=lambda _: None).difference
        assert said == "the key AI-7: the events name other issues for it, or another position"
        again.maintenance.replay(repair=True, progress=lambda _: None)
        assert again.maintenance.replay(repair=False, progress=lambda _: None).difference is None
    assert sorted(contents(path)) == sorted(before)
    assert "issue_keys" in derived.tables


def test_compaction_leaves_answers_and_observations_as_they_are(engagements, clock):
    for number in range(20):
        engagements.ledger.record(interaction_of("4711", f"AI-{number}", "query"))
        recorded(engagements, observation(number % 3, updated_at=Instant(DAY_ONE + number)))
    before = [engagements.issues.issue(f"AI-{number}") for number in range(3)]
    with small_segments(10):
        engagements.ledger.compactor.compact(30)
    assert [engagements.issues.issue(f"AI-{number}") for number in range(3)] == before
    again = observation(0, updated_at=DAY_ONE)
    assert recorded(engagements, again) == [Receipt(2, counted=False)]
    assert engagements.maintenance.verify().findings == []


@given(st.lists(observations(), max_size=8), st.randoms(use_true_random=False))
def test_any_order_and_repetition_gives_the_issues_of_the_ordered_ones(found, dice):
    found = [distinct(number, each) for number, each in enumerate(found)]
    mixed = [*found, *(dice.choice(found) for _ in found)]
    dice.shuffle(mixed)
    with TemporaryDirectory() as folder:
        assert answers(Path(folder) / "mixed", mixed) == answers(Path(folder) / "ordered", found)


def distinct(number: int, said: Observation) -> Observation:
    """The observation, with an instant of its own; accounts of people differ between ledgers."""
    return msgspec.structs.replace(said, said_at=Instant(DAY_ONE + number))


def answers(folder: Path, said: list[Observation]) -> list[object]:
    folder.mkdir()
    clock = Clock()
    clock.at = Instant(DAY_ONE + DAY)
    with opened(folder, clock) as engagements:
        for start in range(0, len(said), 3):
            engagements.ledger.record_many(said[start : start + 3])
        found = [engagements.issues.issue(f"AI-{number}") for number in range(1, 5)]
        assert engagements.maintenance.verify().findings == []
    return [None if each is None else _comparable(each) for each in found]


def _comparable(issue: KnownIssue) -> object:
    person = issue.people.get(issue.at.assignee) if isinstance(issue.at.assignee, UUID) else None
    at = msgspec.structs.replace(issue.at, assignee=None)
    return at, person and person.id, issue.spans, issue.texts
