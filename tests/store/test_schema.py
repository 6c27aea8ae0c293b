"""A ledger of an older version is brought up at the start, whole or not at all."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest
from sqlalchemy import Connection

from ledger.commands import FOREVER, OptOut, interaction_of
from ledger.errors import LedgerUnavailableError, OptedOutError
from ledger.store import schema
from ledger.store.append import Receipt
from ledger.store.database import Database
from ledger.store.sqlite import StoreUnavailableError
from ledger.validation import UserId
from projections.application import Engagements
from projections.read_model.model import ReadModel
from tests.support.strategies import HOUR, Clock

HERE = Path(__file__).parent


@pytest.fixture(params=[1, 2, 3, 4, 5, 6, 7])
def version(request) -> int:
    """The older versions: each made and wrote two users, three interactions and an override."""
    number: int = request.param
    return number


@pytest.fixture
def path(tmp_path, version) -> Path:
    path: Path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((HERE / f"version_{version}.sql").read_text())
        connection.execute("PRAGMA journal_mode=WAL")
    return path


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.move(2 * HOUR)
    return clock


def opened(path: Path, clock: Clock) -> Engagements:
    return Engagements(f"sqlite:///{path}", clock=clock)


def objects(path: Path) -> set[tuple[str, str]]:
    """Every table, index, trigger and view, as words without blanks at the ends of lines."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name, COALESCE(sql, '') FROM sqlite_master").fetchall()
    return {(name, " ".join(sql.split())) for name, sql in rows}


def version_of(path: Path) -> object:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT schema_version FROM ledger").fetchone()[0]


def test_an_upgraded_ledger_is_laid_out_as_a_new_one(path, version, tmp_path, clock):
    new = tmp_path / "new.db"
    assert version_of(path) == version
    for each in (path, new):
        opened(each, clock).close()
    assert objects(path) == objects(new)
    assert version_of(path) == version_of(new) == schema.VERSION


def test_an_upgraded_ledger_answers_as_before_and_records_on(path, clock):
    with opened(path, clock) as engagements:
        found = [(each.issue_id, each.score.value) for each in engagements.questions.top("4711")]
        assert found == [("AI-1", 0.8), ("AI-2", 0.68)]
        again = interaction_of("4711", "AI-1", "query", chat_id="4711", source_key="4711 1")
        assert engagements.ledger.record(again) == Receipt(1, counted=False)
        new = interaction_of("42", "AI-1", "query", context="more", source_key="-100 9")
        assert engagements.ledger.record(new) == Receipt(5, counted=True)
        assert engagements.questions.ask("42", "AI-1").engagement.count == 2
        engagements.ledger.fold()
        replayed = engagements.maintenance.replay(repair=False, progress=lambda _: None)
        assert (replayed.events, replayed.difference) == (5, None)


def test_what_is_new_works_on_what_is_old(path, clock):
    with opened(path, clock) as engagements:
        engagements.adjustments.hide("4711", "AI-1")
        assert [each.issue_id for each in engagements.questions.top("4711")] == ["AI-2"]
        engagements.ledger.erase("4711")
        assert not engagements.questions.top("4711")
        engagements.ledger.record(OptOut(UserId("42"), FOREVER))
        with pytest.raises(OptedOutError):
            engagements.ledger.record(interaction_of("42", "AI-1", "query"))
        engagements.ledger.migrate_chat("-100", "-1001")
        assert engagements.ledger.migrations() == {"-100": "-1001"}
        assert (
            engagements.maintenance.replay(repair=False, progress=lambda _: None).difference is None
        )
        assert engagements.questions.ask("42", "AI-1").engagement.count == 1
    assert b"what of AI-1?" not in path.read_bytes()


LISTED_AS_BEFORE = """
    CREATE TABLE replays (name TEXT NOT NULL PRIMARY KEY, position INTEGER NOT NULL,
        policy_version INTEGER NOT NULL, identical SMALLINT) WITHOUT ROWID;
    INSERT INTO replays SELECT * FROM read_models WHERE name <> 'live';
    DROP TABLE read_models;
"""
"""From when each append brought the live read model along."""


def test_read_models_from_before_there_were_watermarks_are_not_folded_again(
    tmp_path, clock, monkeypatch
):
    path = tmp_path / "ledger.db"
    with opened(path, clock) as engagements:
        for number in range(4):
            engagements.ledger.record(interaction_of("4711", f"AI-{number}", "query"))
        engagements.ledger.fold()
        engagements.maintenance.replays.begin("other")
        engagements.maintenance.replays.fold("other")
    before = objects(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(LISTED_AS_BEFORE)
    monkeypatch.delattr(ReadModel, "_make")
    with opened(path, clock) as engagements:
        assert [each.position for each in engagements.maintenance.replays.listed()] == [4]
        assert engagements.maintenance.replay(repair=False, progress=lambda _: None).events == 4
        engagements.ledger.record(interaction_of("4711", "AI-9", "query"))
        assert len(engagements.questions.top("4711")) == 5
    assert objects(path) == before


def test_several_at_once_bring_it_up_once(path, clock):
    with ThreadPoolExecutor(4) as pool:
        ledgers = list(pool.map(lambda _: opened(path, clock), range(4)))
    for each in ledgers:
        assert len(each.questions.top("4711")) == 2
        each.close()
    assert version_of(path) == schema.VERSION


def upgrade_meanwhile(path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let another process have its turn between the next one's look at the version and its own."""
    write = Database.write

    def later(database: Database) -> AbstractContextManager[Connection]:
        monkeypatch.setattr(Database, "write", write)
        opened(path, clock).close()
        return write(database)

    monkeypatch.setattr(Database, "write", later)


def test_what_another_process_brought_up_meanwhile_is_not_brought_up_again(
    path, clock, monkeypatch
):
    upgrade_meanwhile(path, clock, monkeypatch)
    with opened(path, clock) as engagements:
        assert len(engagements.questions.top("4711")) == 2
    assert version_of(path) == schema.VERSION


def test_a_ledger_that_another_process_began_meanwhile_is_not_begun_again(
    tmp_path, clock, monkeypatch
):
    path = tmp_path / "new.db"
    upgrade_meanwhile(path, clock, monkeypatch)
    with opened(path, clock) as engagements:
        assert engagements.ledger.record(interaction_of("42", "AI-1", "query")).counted


def test_an_upgrade_that_fails_leaves_the_old_version(path, version, clock, monkeypatch):
    before = objects(path)
    with monkeypatch.context() as patch:
        patch.setattr(schema, "change", _failing)
        with pytest.raises(RuntimeError):
            opened(path, clock)
    assert (version_of(path), objects(path)) == (version, before)
    opened(path, clock).close()
    assert version_of(path) == schema.VERSION


def _failing(*_: object, **__: object) -> None:
    raise RuntimeError


def test_an_old_ledger_that_cannot_be_written_is_refused_plainly(path, version, clock, monkeypatch):
    monkeypatch.setattr(Database, "write", _read_only)
    expected = f"version {version} and must become {schema.VERSION}: .*read-only"
    with pytest.raises(LedgerUnavailableError, match=expected):
        opened(path, clock)
    assert version_of(path) == version


def _read_only(_: Database) -> None:
    message = "the disk is read-only"
    raise StoreUnavailableError(message)


def test_a_newer_ledger_is_refused(path, clock):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE ledger SET schema_version = ?", (schema.VERSION + 1,))
        connection.commit()
    with pytest.raises(LedgerUnavailableError, match=f"this program knows {schema.VERSION}"):
        opened(path, clock)
