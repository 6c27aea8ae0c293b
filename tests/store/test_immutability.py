"""Recorded data stay: the database itself refuses anything else, from any program (R9).

The statements come from outside: from a bare sqlite3 connection with the default pragmas, where
foreign keys and recursive triggers are off, and from one where they are on.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from eventsourcing.persistence import IntegrityError

from ledger.application import EngagementLedger
from ledger.commands import Adoption, interaction_of, override_of
from ledger.store import tables
from projections.policy import ScoringPolicy, changed, fields_of
from projections.read_model.model import ReadModel
from tests.support.sealed_ledgers import small_segments
from tests.support.strategies import HOUR, Clock

COLUMNS = (
    "position",
    "stream",
    "version",
    "topic",
    "recorded_at",
    "issue_id",
    "kind",
    "occurred_at",
    "linear_id",
    "score",
    "place",
    "commitment",
    "state",
)
USED = {"position": 2, "stream": 1, "version": 1}

INSERT = (
    "{verb} INTO events (position, stream, version, topic, recorded_at) "
    "VALUES ({position}, {stream}, {version}, 'interaction', 0)"
)


def insert(verb: str = "INSERT", **where: object) -> str:
    return INSERT.format(verb=verb, **USED | where)


REFUSED = {
    **{f"update-{name}": f"UPDATE events SET {name} = {name}" for name in COLUMNS},  # noqa: S608 - our own words
    "update-to-another-value": "UPDATE events SET issue_id = 'AI-2' WHERE position = 2",
    "update-or-replace": "UPDATE OR REPLACE events SET position = 1 WHERE position = 2",
    "update-or-ignore": "UPDATE OR IGNORE events SET kind = 1",
    "delete-one": "DELETE FROM events WHERE position = 2",
    "delete-last": "DELETE FROM events WHERE position = (SELECT MAX(position) FROM events)",
    "delete-all": "DELETE FROM events",
    "insert-at-a-used-position": insert(version=77),
    "insert-again": insert(),
    "insert-beyond-the-head": insert(position=99, version=77),
    "insert-wherever-there-is-room": insert(position="NULL", version=77),
    "insert-at-position-0": insert(position=0, version=77),
    "insert-before-the-first": insert(position=-1, version=77),
    "replace-at-a-used-position": insert("REPLACE", version=77),
    "replace-beyond-the-head": insert("REPLACE", position=99),
    "replace-wherever-there-is-room": insert("REPLACE", position="NULL"),
    "insert-or-replace": insert("INSERT OR REPLACE"),
    "upsert": insert() + " ON CONFLICT DO UPDATE SET topic = 'override'",
    "upsert-position": insert(version=77) + " ON CONFLICT(position) DO UPDATE SET kind = 1",
    "replace-with-itself": "REPLACE INTO events SELECT * FROM events",
    "head-position-back": "UPDATE head SET position = position - 1",
    "head-instant-back": "UPDATE head SET recorded_at = recorded_at - 1",
    "head-policy-back": "UPDATE head SET policy_version = policy_version - 1",
    "head-deleted": "DELETE FROM head",
    "head-replaced": "REPLACE INTO head (id, position, recorded_at) VALUES (1, 0, 0)",
    "head-upserted": "INSERT INTO head VALUES (1, 0, 0, 1, 0, 0) ON CONFLICT DO UPDATE SET id = 1",
    "second-head": "INSERT INTO head (id, position, recorded_at) VALUES (2, 0, 0)",
    "versions-back": "UPDATE streams SET version = version - 1",
    "streams-change-hands": "UPDATE streams SET originator_id = randomblob(16)",
    "streams-renumbered": "UPDATE streams SET id = id + 100",
    "another-digest-key": "UPDATE ledger SET digest_key = randomblob(32)",
    "identity-deleted": "DELETE FROM ledger",
    "identity-replaced": "REPLACE INTO ledger SELECT * FROM ledger",
    "barrier-back": "UPDATE opt_outs SET before_at = erased_at - 1",
    "erasure-back": "UPDATE opt_outs SET erased_at = erased_at - 1",
    "erasure-undone": "UPDATE opt_outs SET erased_at = NULL",
    "barrier-changes-hands": "UPDATE opt_outs SET user_digest = randomblob(16)",
    "barrier-deleted": "DELETE FROM opt_outs",
    "barrier-replaced": "REPLACE INTO opt_outs SELECT user_digest, 0, NULL, 0, NULL FROM opt_outs",
    **{
        f"rowid-{table}": f"UPDATE {table} SET rowid = rowid + 100"  # noqa: S608 - our own words
        for table in ("events", "streams", "ledger")
    },
    "versions-replaced": "REPLACE INTO streams SELECT id, originator_id, -1, NULL FROM streams",
}

Rows = list[tuple[Any, ...]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[EngagementLedger]:
    """A ledger with four events of two users, an override among them, and a third one's erasure."""
    clock = Clock()
    with EngagementLedger(f"sqlite:///{path}", projection=ReadModel(), clock=clock) as opened:
        opened.record(interaction_of("4711", "AI-1", "query", context="said", source_key="k"))
        opened.record(interaction_of("4711", "AI-2", "view", linear_id="lin-2", chat_id="-100"))
        clock.move(HOUR)
        opened.record(override_of("4711", "AI-1", 0.8))
        opened.record(interaction_of("42", "AI-1", "mention"))
        opened.erase("43")
        yield opened


def truth(path: Path) -> dict[str, Rows]:
    """The state that must be the same after any attempt, read from outside."""
    with closing(sqlite3.connect(path)) as connection:
        return {
            "events": connection.execute("SELECT * FROM events ORDER BY position").fetchall(),
            "head": connection.execute("SELECT * FROM head").fetchall(),
            "segments": connection.execute("SELECT * FROM segments ORDER BY 1").fetchall(),
            "opt_outs": connection.execute("SELECT * FROM opt_outs").fetchall(),
            "streams": connection.execute("SELECT * FROM streams ORDER BY id").fetchall(),
        }


STRICT = ("foreign_keys=ON", "recursive_triggers=ON")


def attempt(path: Path, statement: str, pragmas: Sequence[str] = ()) -> None:
    """Run a statement from outside and commit it."""
    with closing(sqlite3.connect(path)) as connection:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
        connection.execute(statement)
        connection.commit()


def attempt_within(ledger: EngagementLedger, statement: str) -> None:
    """Run a statement on the ledger's own connection and commit it."""
    with ledger.database.write() as connection:
        connection.execute(sqlalchemy.text(statement))


def not_refused(
    path: Path, statements: dict[str, str], attempt: Callable[[str], None], match: str = ""
) -> list[str]:
    """The statements that an attempt at is no IntegrityError, or changes what must stay."""
    before = truth(path)
    return [
        name
        for name, statement in statements.items()
        if not _is_refused(statement, attempt, match) or truth(path) != before
    ]


def _is_refused(statement: str, attempt: Callable[[str], None], match: str) -> bool:
    try:
        attempt(statement)
    except (sqlite3.IntegrityError, IntegrityError) as error:
        return match in str(error)
    return False


def test_the_database_refuses_it_from_a_bare_connection(ledger, path):
    assert not_refused(path, REFUSED, partial(attempt, path)) == []


def test_the_database_refuses_it_once_the_ledger_is_closed(ledger, path):
    ledger.close()
    assert not_refused(path, REFUSED, partial(attempt, path, pragmas=STRICT)) == []


def test_the_database_refuses_it_from_the_ledgers_own_connection(ledger, path):
    assert not_refused(path, REFUSED, partial(attempt_within, ledger)) == []


def test_an_attempt_that_is_not_refused_is_noticed(ledger, path):
    allowed = {"delete-origins": "DELETE FROM origins"}
    assert not_refused(path, allowed, partial(attempt, path)) == [*allowed]
    assert not_refused(path, REFUSED, lambda _: None) == [*REFUSED]


def test_the_ledger_records_on_after_an_attempt(ledger, path):
    for number, statement in enumerate(REFUSED.values()):
        before = truth(path)["events"]
        with suppress(sqlite3.IntegrityError):
            attempt(path, statement)
        receipt = ledger.record(interaction_of("42", "AI-3", "view"))
        assert receipt.position == 5 + number
        assert truth(path)["events"][:-1] == before


@pytest.mark.parametrize("verb", ["INSERT", "REPLACE", "INSERT OR REPLACE", "INSERT OR FAIL"])
def test_a_used_version_is_refused_at_a_position_that_is_free(ledger, path, verb):
    attempt(path, "UPDATE head SET position = 9, checksum = NULL")
    before = truth(path)
    for statement in (insert(verb, position=7), insert(verb, position=7, version=0)):
        with pytest.raises(sqlite3.IntegrityError, match="immutable"):
            attempt(path, statement)
    assert truth(path) == before
    assert ledger.record(interaction_of("42", "AI-3", "view")).position == 10


def test_insert_or_ignore_changes_nothing(ledger, path):
    before = truth(path)
    try:
        attempt(path, insert("INSERT OR IGNORE"))
    except sqlite3.IntegrityError as error:
        assert "immutable" in str(error)  # noqa: PT017 - it may be refused, not must
    assert truth(path) == before


def test_the_refusal_says_why(ledger, path):
    for statement in (REFUSED["delete-one"], REFUSED["update-kind"], REFUSED["insert-again"]):
        with pytest.raises(sqlite3.IntegrityError, match="the ledger is immutable"):
            attempt(path, statement)


def test_what_the_ledger_itself_appends_is_not_refused(ledger, path):
    before = truth(path)["events"]
    ledger.record(interaction_of("4711", "AI-1", "query"))
    assert truth(path)["events"][:-1] == before
    assert truth(path)["head"][0][1] == 5


# --- once events are sealed ----------------------------------------------------------------------

SEGMENT = "{verb} INTO segments SELECT {first}, {last}, {rest} FROM segments WHERE first_position=1"
REST = ", ".join(each.name for each in list(tables.segments.columns)[2:])


def segment(first: int, last: int, verb: str = "INSERT") -> str:
    return SEGMENT.format(verb=verb, first=first, last=last, rest=REST)


REFUSED_OF_SEALED = {
    "delete-what-is-not-sealed": "DELETE FROM events WHERE position = 5",
    "delete-a-policy": "DELETE FROM events WHERE position = 2",
    "delete-a-sealing": "DELETE FROM events WHERE position = 6",
    "delete-up-to-what-is-sealed": "DELETE FROM events WHERE position <= 4",
    "delete-everything": "DELETE FROM events",
    **{
        f"{verb.lower()}-at-the-sealed-position-{position}": insert(
            verb, position=position, version=77
        )
        for verb in ("INSERT", "REPLACE", "INSERT OR FAIL")
        for position in (1, 3, 4)
    },
    "replace-a-policy": insert("REPLACE", position=2, version=77),
    "insert-what-was-sealed": insert(position=1, version=0),
    **{
        f"update-{column.name}-of-segments": f"UPDATE segments SET {column.name} = {column.name}"  # noqa: S608 - our own words
        for column in tables.segments.columns
    },
    "update-a-digest": "UPDATE segments SET digest = randomblob(32) WHERE first_position = 1",
    "delete-the-first-segment": "DELETE FROM segments WHERE first_position = 1",
    "delete-the-last-segment": "DELETE FROM segments WHERE first_position = 4",
    "delete-all-segments": "DELETE FROM segments",
    "insert-a-segment-again": segment(1, 3),
    "replace-a-segment": segment(1, 3, "REPLACE"),
    "insert-or-replace-a-segment": segment(4, 4, "INSERT OR REPLACE"),
    "upsert-a-segment": f"{segment(1, 3)} ON CONFLICT DO UPDATE SET events = 0",
    "leave-a-gap": segment(6, 7),
    "leave-a-gap-of-nothing": segment(7, 7),
    "begin-at-position-0": segment(0, 3),
    "begin-before-the-first": segment(-5, 4),
    "begin-within-a-segment": segment(2, 3),
    "begin-within-and-end-beyond": segment(3, 5),
    "begin-with-one-and-end-within": segment(1, 2),
    "begin-with-one-and-end-beyond": segment(4, 5),
    "seal-beyond-the-head": segment(5, 8),
    "end-before-it-begins": segment(5, 4),
    "replace-leaving-a-gap": segment(6, 7, "REPLACE"),
}


@pytest.fixture
def sealed(path: Path) -> Iterator[EngagementLedger]:
    """A ledger with two segments, of the positions 1 to 3 and 4, and a policy at position 2.

    Position 5 is hot, and 6 and 7 say what was sealed.
    """
    clock = Clock()
    with EngagementLedger(f"sqlite:///{path}", projection=ReadModel(), clock=clock) as opened:
        opened.record(interaction_of("4711", "AI-1", "query", context="said", source_key="k"))
        opened.record(Adoption(fields_of(changed(ScoringPolicy(), ["pin_hours=8"])), 1))
        opened.record(interaction_of("4711", "AI-2", "view", linear_id="lin-2", chat_id="-100"))
        opened.record(override_of("4711", "AI-1", 0.8))
        opened.record(interaction_of("42", "AI-1", "mention"))
        with small_segments(2):
            opened.compactor.compact(4)
        assert [row[:2] for row in truth(path)["segments"]] == [(1, 3), (4, 4)]
        assert [row[0] for row in truth(path)["events"]] == [2, 5, 6, 7]
        yield opened


def test_the_database_refuses_it_around_segments(sealed, path):
    refuse = partial(not_refused, path, REFUSED_OF_SEALED, match="the ledger is immutable")
    assert refuse(partial(attempt, path)) == []
    assert refuse(partial(attempt, path, pragmas=STRICT)) == []
    refuse = partial(not_refused, path, REFUSED_OF_SEALED)
    assert refuse(partial(attempt_within, sealed)) == []


def test_all_of_it_is_refused_once_the_segments_are_merged_too(sealed, path):
    sealed.compactor.merge()
    assert [row[:2] for row in truth(path)["segments"]] == [(1, 4)]
    before = truth(path)
    for statement in REFUSED_OF_SEALED.values():
        with closing(sqlite3.connect(path)) as connection:
            try:
                changed_rows = connection.execute(statement).rowcount
            except sqlite3.IntegrityError:
                changed_rows = 0
            connection.commit()
        assert changed_rows == 0
        assert truth(path) == before


@pytest.mark.parametrize("verb", ["INSERT", "REPLACE", "INSERT OR FAIL"])
@pytest.mark.parametrize("version", [0, 1, 2])
def test_a_version_that_is_sealed_is_never_given_again(sealed, path, verb, version):
    attempt(path, "UPDATE head SET position = 9, checksum = NULL")
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT stream FROM accounts WHERE user_id = '4711'"
        (stream,) = connection.execute(query).fetchone()
    with pytest.raises(sqlite3.IntegrityError, match="immutable"):
        attempt(path, insert(verb, position=9, stream=stream, version=version))
    attempt(path, insert(verb, position=9, stream=stream, version=3))


def test_a_ledger_with_segments_records_on_at_the_next_position_and_version(sealed, path):
    receipt = sealed.record(interaction_of("4711", "AI-3", "view"))
    assert receipt.position == 8
    assert truth(path)["events"][-1][2] == 3
    assert not sealed.record(interaction_of("4711", "AI-1", "query", source_key="k")).counted
    with small_segments(2):
        sealed.compactor.compact(8)
    assert [row[:2] for row in truth(path)["segments"]] == [(1, 3), (4, 4), (5, 8)]
    assert [row[0] for row in truth(path)["events"]] == [2, 6, 7, 9]
