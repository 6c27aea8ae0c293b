"""The database after something broke off: the next transaction finds all as it should be."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, column, insert, table, text

from ledger.errors import (
    DiskFullError,
    LedgerDamagedError,
    LedgerError,
    LedgerUnavailableError,
)
from ledger.store import sqlite as module
from ledger.store.database import Database
from ledger.store.job_runs import job_alone
from ledger.store.sqlite import FileLock

DESCRIPTORS = Path("/proc/self/fd")


@pytest.fixture
def database(tmp_path) -> Iterator[Database]:
    """A database of one table with one row."""
    opened = Database(f"sqlite:///{tmp_path}/ledger.db", patience_seconds=5)
    with opened.write() as connection:
        connection.exec_driver_sql("CREATE TABLE kept (word TEXT)")
    add(opened, "first")
    yield opened
    opened.close()


def add(database: Database, word: str) -> None:
    with database.write() as connection:
        connection.exec_driver_sql("INSERT INTO kept VALUES (?)", (word,))


def kept(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.exec_driver_sql("SELECT word FROM kept ORDER BY rowid").scalars())


def fail(connection: Connection) -> None:
    connection.exec_driver_sql("INSERT INTO kept VALUES ('lost')")
    raise ValueError


def test_a_table_of_one_row_that_has_two_or_none_is_damaged(database):
    for number in (0, 2):
        query = text("SELECT 1 FROM kept, (VALUES (1), (2)) LIMIT :number").bindparams(
            number=number
        )
        with pytest.raises(LedgerDamagedError), database.read() as connection:
            connection.execute(query).scalar_one()


def test_a_connection_that_could_not_roll_back_is_used_no_more(database, monkeypatch):
    def unable(_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patch:
        patch.setattr(database._writers.dialect, "do_rollback", unable)
        with pytest.raises(LedgerUnavailableError), database.write() as connection:
            fail(connection)
    add(database, "second")
    assert kept(database) == ["first", "second"]


WAYS = {
    "a construct": lambda connection, word: connection.execute(
        insert(table("kept", column("word"))).values(word=word)
    ),
    "the driver's SQL": lambda connection, word: connection.exec_driver_sql(
        "INSERT INTO kept VALUES (?)", (word,)
    ),
    "the driver's cursor": lambda connection, word: connection.connection.cursor().execute(
        "INSERT INTO kept VALUES (?)", (word,)
    ),
}
"""How statements run inside a transaction."""


class BrokenOffError(Exception):
    """Neither the driver's error nor SQLAlchemy's."""


def commits(connection: Connection) -> None:
    """End as most transactions do."""


def breaks_off(connection: Connection) -> None:
    raise BrokenOffError


def is_refused(connection: Connection) -> None:
    connection.exec_driver_sql("INSERT INTO once VALUES (1)")


def is_not_sql(connection: Connection) -> None:
    connection.connection.cursor().execute("nonsense")


def leaves_a_row_unread(connection: Connection) -> None:
    connection.connection.cursor().execute("SELECT word FROM kept UNION ALL VALUES (1), (2)")


ENDS = (commits, breaks_off, is_refused, is_not_sql, leaves_a_row_unread)


@given(
    st.lists(st.tuples(st.lists(st.sampled_from(sorted(WAYS)), max_size=3), st.sampled_from(ENDS)))
)
def test_a_transaction_is_there_as_a_whole_once_it_has_ended_well_and_else_not_at_all(
    tmp_path_factory, transactions
):
    path, expected = tmp_path_factory.mktemp("database") / "ledger.db", list[str]()
    opened = Database(f"sqlite:///{path}", patience_seconds=5)
    with opened.write() as connection:
        connection.exec_driver_sql("CREATE TABLE kept (word TEXT)")
        connection.exec_driver_sql("CREATE TABLE once (number INTEGER PRIMARY KEY)")
        connection.exec_driver_sql("INSERT INTO once VALUES (1)")
    for number, (ways, end) in enumerate(transactions):
        words = [f"{number}.{place}" for place in range(len(ways))]
        try:
            with opened.write() as connection:
                for way, word in zip(ways, words, strict=True):
                    WAYS[way](connection, word)
                end(connection)
            expected += words
        except (BrokenOffError, LedgerError):
            assert end in {breaks_off, is_refused, is_not_sql}
        with closing(sqlite3.connect(path)) as another:  # which sees what is committed
            seen = [word for (word,) in another.execute("SELECT word FROM kept ORDER BY rowid")]
        assert seen == expected
    opened.close()
    assert [each.name for each in path.parent.iterdir() if each.name != "ledger.db.lock"] == [
        "ledger.db"
    ]


def test_a_commit_that_fails_leaves_nothing_and_the_next_one_works(database, monkeypatch):
    def full(_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(database._writers.dialect, "do_commit", full)
        with pytest.raises(DiskFullError):
            add(database, "lost")
    add(database, "second")
    assert kept(database) == ["first", "second"]


def test_what_broke_off_outside_a_transaction_leaves_none_open(database):
    def begin_and_break_off() -> None:
        with database._writing() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO kept VALUES ('lost')")
            raise ValueError("broke off")

    with pytest.raises(ValueError, match="broke off"):
        begin_and_break_off()
    add(database, "second")
    assert kept(database) == ["first", "second"]


def test_a_file_that_was_moved_away_is_written_to_again_once_it_is_back(database, tmp_path):
    database.truncate_log()
    path = tmp_path / "ledger.db"
    path.rename(tmp_path / "elsewhere")
    for _ in range(2):
        with pytest.raises(LedgerUnavailableError, match="moved or replaced"):
            add(database, "lost")
        assert not path.exists()
    (tmp_path / "elsewhere").rename(path)
    add(database, "second")
    assert kept(database) == ["first", "second"]


def test_a_file_that_was_replaced_is_neither_read_nor_written_until_it_is_back(database, tmp_path):
    database.truncate_log()
    path, old = tmp_path / "ledger.db", tmp_path / "old"
    path.rename(old)
    shutil.copy(old, path)
    for use in (lambda: add(database, "lost"), lambda: kept(database)) * 2:
        with pytest.raises(LedgerUnavailableError, match="moved or replaced"):
            use()
    old.replace(path)
    add(database, "second")
    assert kept(database) == ["first", "second"]


def test_a_log_that_a_reader_holds_for_a_moment_is_cut_all_the_same(database, monkeypatch):
    attempts = iter([False, False, True])
    monkeypatch.setattr(database, "_is_log_truncated", lambda: next(attempts))
    database.truncate_log()
    assert list(attempts) == []


def test_a_lock_that_another_holds_for_a_moment_is_waited_for(tmp_path, monkeypatch):
    attempts = iter([False, False, True])
    monkeypatch.setattr(module, "_locked", lambda _: next(attempts))
    lock = FileLock(tmp_path / "ledger.db")
    with lock:
        assert list(attempts) == []
    lock.close()


@pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="this system does not list what is open")
def test_a_job_that_broke_off_keeps_neither_its_lock_nor_a_descriptor(database):
    before = len(list(DESCRIPTORS.iterdir()))
    for _ in range(3):
        with pytest.raises(ValueError, match="broke off"), job_alone(database, "job"):
            raise ValueError("broke off")
    assert len(list(DESCRIPTORS.iterdir())) == before
    with job_alone(database, "job"):
        pass
