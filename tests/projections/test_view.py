"""The view for SQL from outside: instants as the client's columns have them, and their index."""

import datetime as dt
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.instants import moment_of
from projections.application import Engagements, IssueEngagementRepository
from projections.views.tables import written
from tests import strategies

FORMER_VIEW = "CREATE VIEW issue_engagements AS SELECT last_at AS last_interaction FROM engagements"
INDEXES = "SELECT name, tbl_name FROM sqlite_master WHERE sql LIKE 'CREATE INDEX%strftime%'"
QUERY = "SELECT issue_id FROM issue_engagements WHERE last_interaction >= '2026-03-02'"


@given(strategies.instants | st.sampled_from([946_684_800_000_000, 253_402_300_799_999_999]))
def test_an_instant_is_written_to_the_microsecond_in_utc(instant):
    with closing(sqlite3.connect(":memory:")) as memory:
        ((text,),) = memory.execute(f"SELECT {written('?1')}", (instant,))
    assert text == f"{moment_of(instant):%Y-%m-%d %H:%M:%S.%f}"


def opened(folder: Path) -> Engagements:
    return Engagements(f"sqlite:///{folder}/ledger.db")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with opened(tmp_path) as engagements, IssueEngagementRepository(engagements) as repository:
        for day in (1, 3):
            at = dt.datetime(2026, 3, day, 9, microsecond=day, tzinfo=dt.UTC)
            repository.record_interaction("1", f"AI-{day}", None, "view", occurred_at=at)
    return tmp_path


def asked(folder: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"{folder}/ledger.db")) as ledger:
        return ledger.execute(query).fetchall()


def test_the_view_shows_them_so(folder):
    query = "SELECT first_interaction, last_interaction, length(scored_at) FROM issue_engagements"
    text = "2026-03-01 09:00:00.000001"
    assert asked(folder, f"{query} ORDER BY issue_id LIMIT 1") == [(text, text, 26)]


def test_what_is_asked_of_the_last_interaction_is_answered_by_an_index(folder):
    assert asked(folder, QUERY) == [("AI-3",)]
    plan = str(asked(folder, f"EXPLAIN QUERY PLAN {QUERY}"))
    assert "by_last_interaction" in plan


def test_a_view_of_another_form_is_made_anew_with_its_indexes(folder):
    with opened(folder) as engagements:
        engagements.replays.begin("beside")
        names = ["engagements", "replay_beside"]
    with closing(sqlite3.connect(f"{folder}/ledger.db", isolation_level=None)) as ledger:
        ledger.execute("DROP VIEW issue_engagements")
        ledger.execute(FORMER_VIEW)
        found = ledger.execute(
            "SELECT name, tbl_name FROM sqlite_master WHERE sql LIKE '%strftime%'"
        )
        for index, table in found.fetchall():
            ledger.execute(f"DROP INDEX {index}")
            ledger.execute(f"CREATE INDEX {index} ON {table} (last_at)")
    with opened(folder):
        pass
    assert asked(folder, QUERY) == [("AI-3",)]
    tables = asked(
        folder, "SELECT tbl_name FROM sqlite_master WHERE sql LIKE 'CREATE INDEX%strftime%'"
    )
    assert sorted(str(table) for (table,) in tables) == names


def test_a_view_that_is_lost_comes_back(folder):
    with closing(sqlite3.connect(f"{folder}/ledger.db", isolation_level=None)) as ledger:
        ledger.execute("DROP VIEW issue_engagements")
    with opened(folder):
        pass
    assert asked(folder, QUERY) == [("AI-3",)]
