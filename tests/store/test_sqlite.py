"""Locks that fail, disks that turn read-only, a log that is deleted: what was recorded stays."""

import asyncio
import errno
import fcntl
import os
import resource
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest

from ledger.commands import Interaction, interaction_of
from ledger.errors import LedgerUnavailableError
from ledger.store.database import Database
from ledger.store.sqlite import FileLock, StoreUnavailableError
from projections.application import Engagements
from tests.support.disks import remount, small_disk
from tests.support.strategies import Clock

USER = "ana"


def opened(folder: Path) -> Engagements:
    return Engagements(f"sqlite:///{folder}/ledger.db", clock=Clock(), patience_seconds=2)


def touch(number: int) -> Interaction:
    return interaction_of(USER, f"AI-{number}", "query", source_key=str(number))


def counted(engagements: Engagements) -> int:
    return engagements.questions.statistics(USER).total_interactions


@pytest.fixture
def engagements(tmp_path) -> Iterator[Engagements]:
    with opened(tmp_path) as held:
        held.ledger.record(touch(1))
        yield held


# --- the lock ------------------------------------------------------------------------------------


class Locking:
    """fcntl.flock, failing the first time that a lock is asked for, or given back."""

    def __init__(self, operation: int, number: int) -> None:
        self.flock: Callable[[int, int], None] = fcntl.flock
        self.operation, self.number, self.failed = operation, number, False

    def __call__(self, descriptor: int, operation: int) -> None:
        if operation & self.operation and not self.failed:
            self.failed = True
            raise OSError(self.number, "planted")
        self.flock(descriptor, operation)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EIO, errno.EBADF])
def test_a_lock_that_fails_is_told_as_a_ledger_that_cannot_be_written(
    engagements, monkeypatch, number
):
    monkeypatch.setattr(fcntl, "flock", Locking(fcntl.LOCK_EX, number))
    with pytest.raises(LedgerUnavailableError, match="cannot lock"):
        engagements.ledger.record(touch(2))
    assert engagements.ledger.record(touch(2)).counted


def test_a_lock_whose_descriptor_went_bad_is_opened_anew(engagements):
    lock = engagements.ledger.database._lock
    os.close(cast("int", cast("FileLock", lock)._descriptor))
    with pytest.raises(LedgerUnavailableError, match="cannot lock"):
        engagements.ledger.record(touch(2))
    assert engagements.ledger.record(touch(2)).counted


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EINTR], ids=["held", "interrupted"])
def test_a_lock_that_cannot_be_had_for_a_moment_is_asked_for_again(
    engagements, monkeypatch, number
):
    monkeypatch.setattr(fcntl, "flock", Locking(fcntl.LOCK_EX, number))
    assert engagements.ledger.record(touch(2)).counted


def test_a_lock_that_cannot_be_given_back_is_given_back(engagements, monkeypatch, tmp_path):
    monkeypatch.setattr(fcntl, "flock", Locking(fcntl.LOCK_UN, errno.EIO))
    assert engagements.ledger.record(touch(2)).counted
    with opened(tmp_path) as another:
        assert another.ledger.record(touch(3)).counted


def test_a_thread_that_cannot_be_started_costs_one_record_and_no_more(tmp_path, monkeypatch):
    with opened(tmp_path) as held:
        with monkeypatch.context() as patch:
            patch.setattr(ThreadPoolExecutor, "submit", _no_threads)
            with pytest.raises(RuntimeError, match="new thread"):
                asyncio.run(held.ledger.record_async(touch(1)))
        again = asyncio.run(asyncio.wait_for(held.ledger.record_async(touch(1)), 20))
        assert again.counted
        assert counted(held) == 1


def _no_threads(*_: object) -> None:
    raise RuntimeError("can't start new thread")


# --- a disk that is read-only for a moment -------------------------------------------------------


@pytest.fixture
def disk(tmp_path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    with small_disk(folder, "16m"):
        yield folder


def test_a_ledger_opened_on_a_read_only_disk_writes_and_reads_on_once_it_can(disk):
    with opened(disk) as held:
        held.ledger.record(touch(1))
    remount(disk, "ro")
    with opened(disk) as held:
        assert counted(held) == 1
        with pytest.raises(LedgerUnavailableError):
            held.ledger.record(touch(2))
        remount(disk, "rw")
        assert held.ledger.record(touch(2)).counted
        assert counted(held) == 2


def test_a_connection_that_was_opened_read_only_is_dropped(engagements, monkeypatch):
    database = engagements.ledger.database
    with monkeypatch.context() as patch:
        database._disconnect()
        patch.setattr(database._writers.pool, "_creator", _read_only(database))
        with pytest.raises(LedgerUnavailableError, match="readonly"):
            engagements.ledger.record(touch(2))
    assert engagements.ledger.record(touch(2)).counted


def _read_only(database: Any) -> Callable[[], Any]:
    """SQLite's behaviour if a file is read-only: it silently opens it for reading."""

    def connect() -> Any:
        connection = database._readers.pool._creator()
        connection.execute("PRAGMA query_only=ON").close()
        return connection

    return connect


# --- the log -------------------------------------------------------------------------------------


def test_a_log_that_is_deleted_is_noticed_at_once_and_loses_nothing(engagements, tmp_path):
    log = tmp_path / "ledger.db-wal"
    for number in range(2, 50):
        engagements.ledger.record(touch(number))
    log.unlink()
    with pytest.raises(LedgerUnavailableError, match="was deleted"):
        engagements.ledger.record(touch(50))
    assert engagements.ledger.record(touch(50)).counted
    assert log.exists()
    assert counted(engagements) == 50
    with opened(tmp_path) as another:
        assert counted(another) == 50
        assert another.maintenance.replay(repair=False, progress=lambda _: None).difference is None


def test_a_log_that_is_deleted_during_a_read_is_saved_after_it(engagements, tmp_path):
    engagements.ledger.record(touch(2))
    reading = engagements.ledger.history(USER)
    next(reading)
    engagements.ledger.record(touch(3))
    engagements.ledger.database.patience_seconds = 0.1
    (tmp_path / "ledger.db-wal").unlink()
    _expect_refused(engagements, touch(4))
    reading.close()
    _expect_refused(engagements, touch(4))
    assert engagements.ledger.record(touch(4)).counted
    with opened(tmp_path) as another:
        assert counted(another) == 4


def _expect_refused(engagements: Engagements, entry: Interaction) -> None:
    with pytest.raises(LedgerUnavailableError, match="was deleted"):
        engagements.ledger.record(entry)


def test_a_log_that_another_process_has_begun_anew_is_left_alone(engagements, tmp_path):
    log = tmp_path / "ledger.db-wal"
    log.rename(tmp_path / "aside")
    log.write_bytes(b"another's")
    for _ in range(2):
        with pytest.raises(LedgerUnavailableError, match="was replaced"):
            engagements.ledger.record(touch(2))
    assert log.read_bytes() == b"another's"
    log.unlink()
    (tmp_path / "aside").rename(log)
    assert engagements.ledger.record(touch(2)).counted
    assert counted(engagements) == 2


def test_a_disk_without_room_to_read_is_named_as_full(engagements, tmp_path):
    """Reading makes a file of shared memory beside the log, which a full disk has no room for."""
    engagements.close()
    database = Database(f"sqlite:///{tmp_path}/ledger.db")
    before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))
    try:
        with pytest.raises(StoreUnavailableError, match="its disk is full"), database.read():
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))
        database.close()
