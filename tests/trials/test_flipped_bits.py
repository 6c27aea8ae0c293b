"""One bit of a ledger's file is flipped: verifying finds it, or all answers are the same.

The damaged ledger answers each question, or refuses it as damaged; no question fails in another
way. Without the checksums some flips would go unnoticed, which is tried as well.
"""

import sqlite3
import traceback
from collections import Counter, defaultdict
from contextlib import closing
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from ledger.errors import LedgerError
from ledger.store.database import Database
from ledger.verification import row_checks, truth
from projections.read_model.compare import verify
from tests.support.sealed_ledgers import opened
from tests.support.trials.bit_flips import Flip, Ledger, answers, copied, dump, flips, made
from tests.support.trials.counts import chance, count, tell

pytestmark = pytest.mark.trial

FLIPS = count(full=600, small=20)
OF_ROWS = count(full=200, small=12)
OF_THE_LOG = count(full=60, small=6)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory) -> Ledger:
    if not _has_dbstat():
        pytest.skip("this SQLite lacks dbstat, which names the table of each page")
    return made(tmp_path_factory.mktemp("ledger"))


def _has_dbstat() -> bool:
    with closing(sqlite3.connect(":memory:")) as connection:
        options = [name for (name,) in connection.execute("PRAGMA compile_options")]
    return "ENABLE_DBSTAT_VTAB" in options


class Bare(NamedTuple):
    """An error that is not the ledger's own, and the place where it was raised."""

    error: str
    where: object


def finders(path: Path) -> list[str]:
    """The tables and files that are reported as damaged."""
    database = Database(f"sqlite:///{path}")
    try:
        return [each.where for each in verify(database).findings]
    finally:
        database.close()


def said_by(ledger: Ledger, path: Path) -> object:
    """The rows and answers of a copy, or the error with which it refuses."""
    try:
        with opened(path.parent, ledger.clock) as engagements:
            answered = answers(engagements)
    except LedgerError as refusal:
        return refusal
    except Exception as error:  # noqa: BLE001 - the trial reports any error
        return Bare(repr(error), traceback.extract_tb(error.__traceback__)[-1])
    try:
        return dump(path), answered
    except sqlite3.Error as damage:
        return damage


@pytest.mark.long
def test_each_flipped_bit_is_found_or_harmless(ledger, tmp_path):
    found: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    missed, bare = [], []
    for flip in flips(ledger, chance(), FLIPS):
        path = copied(ledger, tmp_path / "copy", flip)
        finding = finders(path)
        said = said_by(ledger, path)
        if not finding and said != ledger.said:
            missed.append(flip)
        if isinstance(said, Bare):
            bare.append(said)
        found[flip.where, flip.page][finding[0] if finding else "harmless"] += 1
    _tell(found)
    assert missed == []
    assert bare == []


def _tell(found: dict[tuple[str, str], Counter[str]]) -> None:
    for (where, page), by in sorted(found.items()):
        tell(f"{where or 'the file'}, {page}: {dict(by.most_common())}")
    total = sum(found.values(), Counter[str]())
    tell(f"{total.total()} flips, {total['harmless']} harmless")


def test_without_checksums_some_flips_are_missed(ledger, tmp_path, monkeypatch):
    monkeypatch.setattr(row_checks, "is_sound", lambda *_: True)
    missed = 0
    for flip in _of_values(ledger, OF_ROWS):
        path = copied(ledger, tmp_path / "copy", flip)
        missed += not finders(path) and said_by(ledger, path) != ledger.said
        if missed and OF_ROWS < 100:
            break
    tell(f"{missed} missed without checksums")
    assert missed


def _of_values(ledger: Ledger, wanted: int) -> list[Flip]:
    """Flips on pages of rows whose texts and digests are covered by checksums alone."""
    tables = {"job_runs", "places", "opt_outs", "snapshots", "accounts"}
    chosen = (each for each in flips(ledger, Random(1), 10_000) if each.where in tables)
    return [flip for flip, _ in zip(chosen, range(wanted), strict=False)]


# --- the log -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def unclosed(tmp_path_factory) -> Path:
    """A ledger whose process ended abruptly: its last transactions are only in the log."""
    folder: Path = tmp_path_factory.mktemp("unclosed")
    source = folder / "source"
    source.mkdir()
    made_there = made(source)
    with opened(source, made_there.clock) as engagements:
        for user in ("ana", "ben", "Zoë"):
            engagements.ledger.name_users({user: "another name"})
        for name in ("ledger.db", "ledger.db-wal"):
            (folder / name).write_bytes((source / name).read_bytes())
    (folder / "ledger.db.archive").symlink_to(source / "ledger.db.archive")
    return folder


def log_copied(unclosed: Path, folder: Path, byte: int | None, bit: int = 0) -> Path:
    folder.mkdir()
    for each in unclosed.glob("ledger.db*"):
        if each.is_file() and not each.name.endswith("-shm"):
            (folder / each.name).write_bytes(each.read_bytes())
    (folder / "ledger.db.archive").symlink_to((unclosed / "ledger.db.archive").resolve())
    if byte is not None:
        log = bytearray((folder / "ledger.db-wal").read_bytes())
        log[byte] ^= 1 << bit
        (folder / "ledger.db-wal").write_bytes(log)
    return folder / "ledger.db"


def test_a_log_that_is_sound_is_found_so(unclosed, tmp_path):
    assert finders(log_copied(unclosed, tmp_path / "copy", None)) == []


def test_each_flipped_bit_of_the_log_is_found(unclosed, tmp_path):
    dice = chance()
    size = (unclosed / "ledger.db-wal").stat().st_size
    for number in range(OF_THE_LOG):
        byte, bit = dice.randrange(size), dice.randrange(8)
        path = log_copied(unclosed, tmp_path / str(number), byte, bit)
        assert finders(path), (byte, bit)


def test_a_log_without_checks_loses_transactions_in_silence(unclosed, tmp_path, monkeypatch):
    monkeypatch.setattr(truth, "log_findings", lambda _: [])
    assert finders(log_copied(unclosed, tmp_path / "copy", 100)) == []
