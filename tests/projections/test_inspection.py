"""An inspection says what a ledger holds without opening it: nothing is created or upgraded."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ledger.errors import LedgerLostError
from ledger.store import schema
from projections.application import Engagements, Inspection
from tests.support.strategies import Clock

OLDER = Path(__file__).parents[1] / "store" / "version_1.sql"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def inspection(path: Path) -> Inspection:
    return Inspection(f"sqlite:///{path}")


def test_where_there_is_no_ledger_none_is_created(path):
    assert not inspection(path).has_ledger()
    assert list(path.parent.iterdir()) == []


def test_a_lost_ledger_is_an_error_and_not_an_absent_one(path):
    path.with_name("ledger.db.barriers").write_bytes(b"left")
    with pytest.raises(LedgerLostError):
        inspection(path).has_ledger()


def test_a_ledger_of_this_version_is_read(path):
    with Engagements(f"sqlite:///{path}", clock=Clock()):
        pass
    with closing(inspection(path)) as found:
        assert found.has_ledger()
        assert found.schema_version() == schema.VERSION
        assert (found.is_current, found.is_older) == (True, False)
        assert (found.latest_instant(), found.job_runs.last_ran_at()) == (0, None)
        assert (found.segments(), found.unknown_files(), found.barrier_findings()) == ([], [], [])
        assert found.verify(lambda _: None, {}).findings == []


def test_a_ledger_of_an_older_version_stays_as_it_is(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(OLDER.read_text())
    before = path.read_bytes()
    with closing(inspection(path)) as found:
        assert (found.schema_version(), found.is_older, found.is_current) == (1, True, False)
        assert found.latest_instant() > 0
        assert found.segments() == []
    assert path.read_bytes() == before


def test_checks_of_files_beside_it_are_part_of_its_verification(path):
    with Engagements(f"sqlite:///{path}", clock=Clock()):
        pass

    def fails() -> None:
        raise OSError("planted")

    with closing(inspection(path)) as found:
        (finding,) = found.verify(lambda _: None, {"the spool": fails}).findings  # type: ignore[dict-item]
        assert finding.where == "the spool"
