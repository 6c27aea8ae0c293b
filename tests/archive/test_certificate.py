"""The proof of a certificate: each planted fault is found, named, and nothing is deleted."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ledger.archive import segment_store
from ledger.archive.columns import event_batch, in_order
from ledger.archive.reading import corrected_groups
from ledger.errors import CertificateError, LedgerDamagedError, LedgerError
from ledger.store import compaction
from ledger.store.compaction import HotEvents
from ledger.store.segment_rows import Comparison
from projections.application import Engagements
from projections.read_model import certificate, snapshots
from projections.read_model.columnar_fold import SEALED, joined, partial_of
from tests.support.sealed_ledgers import EVENTS, opened, segments_of
from tests.support.strategies import Clock

ALL = 1_000


@pytest.fixture
def engagements(filled: Path, clock: Clock) -> Iterator[Engagements]:
    """Two parts of the same engagements are sealed, and a third is hot."""
    with opened(filled, clock) as found:
        yield found


def change(engagements: Engagements, *sql: str) -> None:
    path = engagements.ledger.database.path
    assert path is not None
    with closing(sqlite3.connect(path)) as connection:
        for each in sql:
            assert connection.execute(each).rowcount
        connection.commit()


def refused(engagements: Engagements, error: type[LedgerError], words: str) -> None:
    """A compaction raises an error that says where, and deletes nothing."""
    compactor = engagements.ledger.compactor
    before = segments_of(engagements), compactor.sealable(ALL)
    with pytest.raises(error, match=words):
        compactor.compact(ALL)
    assert (segments_of(engagements), compactor.sealable(ALL)) == before


# --- of the events -------------------------------------------------------------------------------


def lose_the_last_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of the hot events lacks one, and so does the file."""
    table = HotEvents.table
    monkeypatch.setattr(HotEvents, "table", lambda *given: table(*given)[:-1])


def fold_all_but_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event of the file is not folded by columns."""
    groups = corrected_groups
    monkeypatch.setattr(
        certificate, "corrected_groups", lambda *given: (each[1:] for each in groups(*given))
    )


def write_all_but_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event is lost on its way into the file."""
    monkeypatch.setattr(segment_store, "in_order", lambda table: in_order(table[1:]))


EVENT_LOST: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], type[LedgerError], str]] = {
    "from the table": (lose_the_last_row, CertificateError, "nothing was deleted: .*AI-2"),
    "from the file": (write_all_but_one, LedgerError, "does not read back as it was written"),
    "from the fold": (fold_all_but_one, CertificateError, "nothing was deleted: .*AI-0"),
}


@pytest.mark.parametrize(("lose", "error", "words"), EVENT_LOST.values(), ids=EVENT_LOST)
def test_an_event_that_is_lost_is_missed(engagements, monkeypatch, lose, error, words):
    lose(monkeypatch)
    refused(engagements, error, words)


@pytest.mark.parametrize(
    "name", ["issue", "occurred", "version", "recorded", "kind", "linear_id", "commitment"]
)
def test_a_value_that_changes_on_its_way_into_columns_is_found(engagements, monkeypatch, name):
    def changed(**columns: Any) -> pa.RecordBatch:
        first, *rest = columns[name]
        wrong = next((each for each in rest if each != first), None) or first
        if wrong == first:
            wrong = "lin-x" if name == "linear_id" else wrong + 1
        return event_batch(**columns | {name: [wrong, *rest]})

    monkeypatch.setattr(compaction, "event_batch", changed)
    refused(engagements, LedgerDamagedError, "the event at position .* is not what was written")


def test_a_row_without_a_checksum_is_compared_with_the_columns_themselves():
    compaction._expect_sound([(1, "AI-1", None)], iter([(1, "AI-1")]))
    with pytest.raises(LedgerDamagedError, match="the event at position 1 "):
        compaction._expect_sound([(1, "AI-1", None)], iter([(1, "AI-2")]))


# --- of the engagements --------------------------------------------------------------------------


def test_sealed_engagements_that_are_not_what_was_certified_are_named(engagements):
    change(engagements, "UPDATE sealed_engagements SET views = views + 1 WHERE issue_id = 'AI-1'")
    refused(engagements, CertificateError, "nothing was deleted: .*AI-1, the column views")


def test_a_sealed_engagement_that_is_gone_is_named(engagements):
    change(engagements, "DELETE FROM sealed_engagements WHERE issue_id = 'AI-1' AND stream > 1")
    refused(engagements, CertificateError, "AI-1 is only among the events")


@pytest.mark.parametrize(
    "wrong",
    [
        "UPDATE sealed_accounts SET checksum = checksum + 1",
        "UPDATE sealed_accounts SET engagements = engagements + 1",
        "DELETE FROM sealed_accounts WHERE stream = (SELECT min(stream) FROM sealed_accounts)",
    ],
)
def test_a_wrong_sum_of_an_account_is_found(engagements, wrong):
    change(engagements, wrong)
    refused(
        engagements, CertificateError, "the checksum that is kept of a user's sealed engagements"
    )
    assert "checksum" in str(engagements.ledger.compactor.sealed_difference())
    engagements.maintenance.replay(repair=True, progress=lambda _: None)
    assert engagements.ledger.compactor.compact(ALL).events == EVENTS


def test_what_an_earlier_version_sealed_is_summed_up_once_it_is_what_the_segments_say(engagements):
    change(engagements, "DELETE FROM sealed_accounts")
    assert engagements.ledger.compactor.compact(ALL).events == EVENTS
    assert engagements.ledger.compactor.sealed_difference() is None


def test_what_an_earlier_version_sealed_wrong_is_not_summed_up(engagements):
    change(
        engagements,
        "DELETE FROM sealed_accounts",
        "UPDATE sealed_engagements SET views = views + 1 WHERE issue_id = 'AI-2'",
    )
    refused(engagements, CertificateError, "nothing was sealed: .*AI-2, the column views")


def without(name: str) -> Callable[[pa.Table], pa.Table]:
    """Lose a column of a partial."""

    def lose(table: pa.Table) -> pa.Table:
        none = pa.array(np.full(len(table), -1))
        return table.set_column(table.column_names.index(name), name, none)

    return lose


def test_rows_that_are_merged_otherwise_by_columns_than_one_by_one_are_found(
    engagements, monkeypatch
):
    lose = without("mentioned_at")
    monkeypatch.setattr(snapshots, "joined", lambda parts: [lose(each) for each in joined(parts)])
    refused(engagements, CertificateError, "nothing was deleted: .*the column mentioned_at")


def test_what_is_sealed_is_what_was_certified(engagements, monkeypatch):
    lose = without("viewed_at")
    monkeypatch.setattr(snapshots, "partial_of", lambda events: lose(partial_of(events)))
    refused(engagements, CertificateError, "does not say what was certified of it")


def test_rows_that_do_not_read_back_are_found(engagements, monkeypatch):
    insert, at = snapshots._INSERT_SNAPSHOT.run_many, SEALED.index("scored_at")

    def wrong(connection: Any, rows: Any) -> None:
        insert(connection, [(*row[:at], row[at] + 1) for row in rows])

    monkeypatch.setattr(snapshots._INSERT_SNAPSHOT, "run_many", wrong)
    refused(engagements, CertificateError, "does not read back")


def test_a_forgotten_users_events_are_sealed_and_no_account_is_summed_up(engagements):
    engagements.ledger.erase("ana")
    assert engagements.ledger.compactor.compact(ALL).events == EVENTS
    assert engagements.ledger.compactor.sealed_difference() is None


def test_each_segment_has_a_certificate_of_its_own(engagements):
    found: list[Comparison] = []
    for each in segments_of(engagements):
        found += (kept["compared"] for kept in engagements.ledger.compactor.certificates(each))
    assert [each["engagements"] for each in found] == [6, 6]
    assert [each["accounts"] for each in found] == [2, 2]
