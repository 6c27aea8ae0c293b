"""The view for SQL from outside: instants as the client's columns have them, and their index."""

import datetime as dt
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.commands import Interaction, interaction_of
from ledger.instants import moment_of
from projections.application import Engagements, IssueEngagementRepository
from projections.policy import DECIMALS
from projections.read_model.tables import _rounded, written
from tests.support import strategies

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
        engagements.maintenance.replays.begin("beside")
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


# --- with a tail ---------------------------------------------------------------------------------


def test_an_override_in_the_tail_is_rounded_as_the_api_rounds_it(tmp_path):
    query = "SELECT issue_id, engagement_score FROM issue_engagements"
    digits = [0.4625758047925, 0.2800000000005, 0.1 + 0.2, 0.7000000000015, 1 - 2**-53, 0.0, 1.0]
    with opened(tmp_path) as engagements:
        for number, value in enumerate(digits):
            issue = f"AI-{number}"
            engagements.ledger.record(interaction_of("1", issue, "view"))
            engagements.adjustments.override("1", issue, value)
        scores = {each.issue_id: each.score.value for each in engagements.questions.ranking("1")}
        assert sorted(asked(tmp_path, query)) == sorted(scores.items())


@given(st.floats(0, 1).map(lambda value: value if value > 1e-9 else 0.0))
def test_a_score_is_rounded_in_sql_as_in_python(value):
    with closing(sqlite3.connect(":memory:")) as memory:
        ((rounded,),) = memory.execute(f"SELECT {_rounded('?1')}", (value,))
    assert rounded == round(value, DECIMALS)


HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "query-with-sql.md"
EVENTS, TAIL = 8_000, 500
MOST_TIMES = 3
"""The factor by which a full tail may increase the steps of a query."""
_STEPS_AT_ONCE = 10

READING = 12
"""Steps that it takes to read an event."""

FOR_FEW_ROWS = (
    "SELECT * FROM issue_engagements WHERE user_id = 'user 7'",
    "SELECT * FROM issue_engagements WHERE user_id = 'user 7' AND issue_id = 'AI-7'",
    "SELECT * FROM issue_engagements WHERE user_id = 'user 7' ORDER BY engagement_score LIMIT 3",
    "SELECT * FROM issue_engagements WHERE issue_id = 'AI-7'",
)
OVER_MANY_ROWS = (
    "SELECT user_id, sum(interaction_count) FROM issue_engagements GROUP BY user_id",
    "SELECT count(*) FROM issue_engagements",
)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> list[sqlite3.Connection]:
    """A ledger without a tail, and the same one with as long a tail as is left alone."""
    folder: Path = tmp_path_factory.mktemp("large")
    with opened(folder) as engagements:
        engagements.ledger.record_many([touch(number) for number in range(EVENTS)])
        engagements.ledger.fold()
        engagements.ledger.database.truncate_log()
        (folder / "without.db").write_bytes((folder / "ledger.db").read_bytes())
        engagements.ledger.record_many([touch(EVENTS + number * 7) for number in range(TAIL)])
    return [sqlite3.connect(folder / name) for name in ("without.db", "ledger.db")]


def touch(number: int) -> Interaction:
    at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(hours=number % 2_000)
    user, issue = number % 101, number * 7 % 83
    return interaction_of(f"user {user}", f"AI-{issue}", "view", occurred_at=at)


def steps(connection: sqlite3.Connection, query: str) -> int:
    """The steps of SQLite's machine that a query takes, independent of other load."""
    count = 0

    def advance() -> None:
        nonlocal count
        count += 1

    connection.set_progress_handler(advance, _STEPS_AT_ONCE)
    connection.execute(query).fetchall()
    connection.set_progress_handler(None, 0)
    return count * _STEPS_AT_ONCE


def of_how_to() -> list[str]:
    """The queries of the how-to page that ask the view, but for those it says are slower."""
    fast = HOW_TO.read_text().partition("## Ask for the latest few")[0].replace("...  ", "")
    return re.findall(r"SELECT [^`\"]*?FROM issue_engagements[^`\"]*(?=\")", fast)


def test_the_queries_of_the_how_to_page_are_found():
    assert len(of_how_to()) == 2


@pytest.mark.parametrize("query", [*of_how_to(), *OVER_MANY_ROWS])
def test_a_full_tail_makes_no_query_much_slower(large, query):
    without, full = (steps(connection, query) for connection in large)
    assert full <= MOST_TIMES * without


@pytest.mark.parametrize("query", FOR_FEW_ROWS)
def test_a_query_for_few_rows_reads_the_tail_once_at_most(large, query):
    without, full = (steps(connection, query) for connection in large)
    assert full <= MOST_TIMES * without + READING * TAIL


def test_the_latest_few_come_from_the_index_and_the_tail_however_large_the_ledger_is(large):
    query = "SELECT * FROM issue_engagements ORDER BY last_interaction DESC LIMIT 10"
    every = "SELECT * FROM issue_engagements"
    without, full = (steps(connection, query) for connection in large)
    assert without * 20 < steps(large[0], every)
    assert full < 400 * TAIL
