"""A definition in the database that is not the program's is found, also after read models moved."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from ledger.commands import interaction_of
from ledger.errors import LedgerError
from ledger.store.database import Database
from ledger.verification import file_checks
from projections.application import Engagements
from projections.read_model import compare
from projections.read_model.catalog import missing
from projections.read_model.tables import metadata
from tests.support.strategies import Clock


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    """A ledger with a read model that became the live one, the former one, and another one."""
    path: Path = tmp_path_factory.mktemp("ledger") / "ledger.db"
    with Engagements(f"sqlite:///{path}", clock=Clock()) as engagements:
        engagements.ledger.record(interaction_of("4711", "AI-1", "query"))
        replays = engagements.maintenance.replays
        for name in ("first", "second"):
            replays.begin(name)
            replays.fold(name)
        replays.compare("first")
        replays.switch("first")
        replays.begin("third")
        replays.fold("third")
    return path


def objects(path: Path) -> dict[str, str]:
    """The SQL of everything that is defined, by name."""
    with closing(sqlite3.connect(path)) as connection:
        named = "SELECT name, sql FROM sqlite_schema WHERE sql NOT NULL"
        return dict(connection.execute(named).fetchall())


def define(path: Path, name: str, sql: str | bytes) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        text = "UPDATE sqlite_schema SET sql = CAST(? AS TEXT) WHERE name = ?"
        connection.execute(text, (sql, name))
        connection.commit()


def found_in(path: Path) -> list[str]:
    """The findings about definitions, or the error that they cannot be read."""
    database = Database(f"sqlite:///{path}")
    try:
        with database.read() as connection:
            truth = file_checks.schema_findings(connection)
            lost = [f"{each.name} is missing" for each in missing(connection)]
            derived = compare._definitions(connection, is_whole=not lost)
            return [*lost, *(each.says for each in (*truth, *derived))]
    except LedgerError as damage:
        return [str(damage)]
    finally:
        database.close()


def flipped(sql: str, dice: Random) -> bytes:
    """The SQL with one bit of a character that is no white space flipped."""
    data = bytearray(sql.encode())
    at = dice.choice([at for at, byte in enumerate(data) if not bytes([byte]).isspace()])
    data[at] ^= 1 << dice.randrange(7)
    return bytes(data)


def misses(path: Path, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Yield each definition that is changed without being found, by its name and new SQL."""
    dice, before = Random(7), objects(path)
    for name in names:
        other = flipped(before[name], dice)
        define(path, name, other)
        if not found_in(path):
            yield name, other
        define(path, name, before[name])


def test_a_ledger_whose_read_models_moved_has_the_definitions_of_a_new_one(path):
    assert found_in(path) == []


def test_a_flipped_bit_of_every_definition_is_found(path):
    before = objects(path)
    assert {"issue_engagements", "events_are_never_updated", "engagements"} <= before.keys()
    assert {"replay_previous", "replay_second", "replay_third"} <= before.keys()
    assert list(misses(path, before)) == []
    assert objects(path) == before
    assert found_in(path) == []


@pytest.mark.parametrize(
    ("part", "name", "words", "others"),
    [
        ("different_tables", "issue_keys_by_stream", "(stream)", "(stream, position)"),
        ("different_replays", "replay_third", "NOT NULL", ""),
        ("difference_of_view", "issue_engagements", "UNION ALL", "UNION"),
    ],
)
def test_each_of_the_comparisons_is_needed(path, monkeypatch, part, name, words, others):
    before = objects(path)[name]
    define(path, name, before.replace(words, others, 1))
    assert len(found_in(path)) == 1
    with monkeypatch.context() as patch:
        patch.setattr(compare, part, lambda _: None if "view" in part else ())
        assert found_in(path) == []
    define(path, name, before)


def test_a_trigger_or_an_index_too_many_is_found(path):
    made = {
        "TRIGGER planted": "CREATE TRIGGER planted BEFORE INSERT ON origins BEGIN SELECT 1; END",
        "TRIGGER also": "CREATE TRIGGER also AFTER INSERT ON engagements BEGIN SELECT 1; END",
        "INDEX third": "CREATE UNIQUE INDEX third ON engagements (issue_id)",
    }
    for what, sql in made.items():
        execute(path, sql)
        assert len(found_in(path)) == 1, what
        execute(path, f"DROP {what}")
    assert found_in(path) == []


def execute(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(sql)
        connection.commit()


def test_a_repair_makes_every_derived_definition_again(path, tmp_path):
    copy = tmp_path / "ledger.db"
    copy.write_bytes(path.read_bytes())
    for name in metadata.tables:
        define(copy, name, objects(path)[name].replace("NOT NULL", "", 1).replace("Big", "", 1))
    with Engagements(f"sqlite:///{copy}", clock=Clock()) as engagements:
        engagements.maintenance.replay(repair=True, progress=lambda _: None)
        assert engagements.maintenance.verify().findings == []
