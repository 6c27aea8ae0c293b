"""Read-only copies: a ledger in a folder without write access answers every question."""

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.cli.main import main
from ledger.errors import LedgerUnavailableError
from ledger.store.database import Database
from tests.support.command_line import CommandLine, at

NOBODY = 65_534

QUESTIONS = (
    ("score", "ana", "AI-1799", "--at", at(0)),
    ("top", "ana", "--at", at(0)),
    ("top", "ana"),
    ("engagements", "ana", "--at", at(0)),
    ("stats", "ana", "--at", at(3)),
    ("history", "ana"),
    ("explain", "ana", "AI-1799", "--at", at(0)),
    ("explain", "ana", "--top", "--at", at(0)),
    ("timeline", "ana", "--to", at(0)),
    ("policy", "show"),
    ("policy", "history"),
    ("policy", "try", "decay_after_days=7"),
    ("archive", "list"),
    ("replay", "list"),
    ("verify",),
)


@pytest.fixture
def shelf() -> Iterator[Path]:
    """A folder that another user can enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        path.chmod(0o755)
        yield path


def _as_another_user() -> None:
    if os.geteuid() == 0:  # whom no mode keeps from writing
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    main()


def _shelved(home: Path, shelf: Path) -> CommandLine:
    copy = shelf / "copy"
    shutil.copytree(home, copy, ignore=shutil.ignore_patterns("*-shm", "*.lock"))
    for path in (copy, *copy.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return CommandLine(copy)


@pytest.mark.parametrize(("has_log", "sealed"), [(False, False), (True, True)])
def test_a_copy_that_cannot_be_written_answers_as_the_ledger_does(ana, shelf, has_log, sealed):
    if sealed:
        assert ana("compact", "--all").code == 0
    with contextlib.closing(sqlite3.connect(ana.ledger)) as reader:
        if has_log:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM events").fetchone()
            ana("record", "ana", "AI-1799", "query")  # cannot be checkpointed
        copy = _shelved(ana.home, shelf)
        assert has_log == any(copy.home.glob("*-wal"))
    before = sorted(copy.home.rglob("*"))
    try:
        for words in QUESTIONS:
            done = copy.forked(*words, "--json", program=_as_another_user)
            assert (done.code, done.err) == (0, ""), words
            if "--at" in words:
                assert done.json == ana(*words, "--json").json, words
        doctor = copy.forked("doctor", "--json", program=_as_another_user)
        assert sorted(copy.home.rglob("*")) == before
        assert doctor.code == 0
        (access,) = [each for each in doctor.json if each["check"] == "access"]
        assert access["state"] == "note"
        assert "can only be read: every question is answered, but nothing" in access["detail"]
    finally:
        copy.home.chmod(0o755)


def test_what_was_read_without_a_lock_while_another_wrote_is_refused(ana, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # as it is for another user
    with contextlib.closing(Database(f"sqlite:///{ana.ledger}")) as database:
        with pytest.raises(LedgerUnavailableError, match="ask again"):
            _read_while_written(database, ana.ledger)
        with database.read() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM events").scalar() == 5


def _read_while_written(database: Database, ledger: Path) -> None:
    with database.read() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM events").fetchone()
        with contextlib.closing(sqlite3.connect(ledger)) as writer:
            writer.execute("CREATE TABLE another (number INTEGER)")
