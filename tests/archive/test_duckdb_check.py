"""DuckDB folds the files of segments as events are folded one by one, and finds what differs."""

from itertools import groupby
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.archive.segment_store import Archive
from ledger.events import Correction, Corrections, EventRow
from ledger.instants import DAY
from projections.application import Engagements
from projections.read_model import columnar_fold, snapshots
from projections.read_model.columnar_fold import Row, partial_of
from projections.read_model.engagement_rows import fold_stored
from tests.support.command_line import CommandLine
from tests.support.segment_tables import ACCOUNTS, histories, table
from tests.support.strategies import NOON

independent = pytest.importorskip(
    "projections.read_model.duckdb_check", reason="the extra `independent` is not installed"
)

a_quarter_as_often = settings(max_examples=settings().max_examples // 4)
"""An example writes a file, and asks another engine."""

corrections = st.lists(
    st.builds(Correction, st.integers(1, 40), st.integers(NOON - 40 * DAY, NOON + 40 * DAY)),
    max_size=3,
    unique_by=lambda each: each.position,
).map(Corrections)


def one_by_one(events: list[EventRow], known: Corrections) -> list[Row]:
    in_order = sorted(known.of(events), key=attrgetter("stream", "issue_id", "position"))
    groups = groupby(in_order, attrgetter("stream", "issue_id"))
    rows = (snapshots._row(fold_stored(list(group))) for _, group in groups)
    return [(str(ACCOUNTS[row[0]]), *row[1:]) for row in rows]


@a_quarter_as_often
@given(histories(min_size=1), corrections)
def test_duckdb_folds_as_events_are_folded_one_by_one(events, known):
    with TemporaryDirectory() as folder:
        archive = Archive(Path(folder) / "ledger.db.archive")
        segment = archive.publish(table(events), events[0].position, events[-1].position)
        found = list(independent.folded([archive.files.path_of(segment)], known))
    assert found == one_by_one(events, known)


@pytest.mark.usefixtures("engagements")
def test_a_sealed_history_is_fine(cli: CommandLine):
    assert cli("archive", "check", "--independent").out.startswith("fine: ")


def test_a_ledger_without_segments_is_fine(cli: CommandLine):
    cli("init")
    done = cli("archive", "check", "--independent")
    assert done.out == "fine: 0 segments with 0 events\n"


def test_the_forgotten_have_no_engagements(engagements: Engagements):
    engagements.ledger.erase("ben")
    assert independent.difference(engagements.ledger.database) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("UPDATE sealed_engagements SET views = views + 1 WHERE id = {}", "the column views"),
        ("DELETE FROM sealed_engagements WHERE id = {}", "is only among the events"),
        ("UPDATE sealed_engagements SET issue_id = 'AA-1' WHERE id = {}", "is only in what is"),
    ],
)
def test_a_sealed_engagement_that_differs_is_named(engagements: Engagements, change, words):
    with engagements.ledger.database.write() as connection:
        cursor = connection.connection.cursor()
        (last,) = cursor.execute("SELECT max(id) FROM sealed_engagements").fetchone()
        cursor.execute(change.format(last))
    assert words in str(independent.difference(engagements.ledger.database))


def test_a_fault_that_what_is_kept_and_what_is_folded_share_is_found(
    engagements: Engagements, cli: CommandLine, monkeypatch
):
    """Only other code sees it: the ledger's own check folds with the same fault."""

    def without_views(events: pa.Table) -> pa.Table:
        partial = partial_of(events)
        at = partial.column_names.index("views")
        return partial.set_column(at, "views", pa.array([0] * len(partial)))

    with engagements.ledger.database.write() as connection:
        connection.connection.cursor().execute("UPDATE sealed_engagements SET views = 0")
        snapshots.sum_up(connection)
    monkeypatch.setattr(columnar_fold, "partial_of", without_views)
    assert cli("archive", "check").code == 0
    done = cli("archive", "check", "--independent")
    assert (done.code, "DuckDB: of a user's" in done.err) == (1, True)
