"""Damaged values of events, and rows that are missing: each question is answered, or refused as
damaged."""

from contextlib import suppress

import pytest

from ledger.commands import interaction_of
from ledger.errors import LedgerError
from ledger.store import tables
from tests.support.sealed_ledgers import opened
from tests.support.trials.bit_flips import Ledger, answers, copied, made
from tests.verification.test_truth import damage

VALUES = ("0", "9223372036854775807", "1.5", "'é'", "x'00ff'", "NULL")
OF_BOTH = ("kind", "occurred_at", "recorded_at", "issue_id", "score")
OF_INTERACTIONS = (*OF_BOTH, "stream", "version", "topic", "linear_id", "place", "state")


@pytest.fixture(scope="module")
def ledger(tmp_path_factory) -> Ledger:
    return made(tmp_path_factory.mktemp("ledger"))


@pytest.mark.parametrize(
    ("topic", "column"),
    [
        *(("interaction", column) for column in OF_INTERACTIONS),
        *(("override", column) for column in OF_BOTH),
    ],
)
def test_damaged_values_of_events_raise_no_bare_error(ledger, tmp_path, topic, column):
    for value in VALUES:
        path = copied(ledger, tmp_path / "copy", None)
        damage(path, f"UPDATE OR IGNORE events SET {column} = {value} WHERE topic = '{topic}'")  # noqa: S608
        with suppress(LedgerError), opened(path.parent, ledger.clock) as engagements:
            answers(engagements)


@pytest.mark.parametrize("table", sorted(tables.metadata.tables))
def test_missing_rows_raise_no_bare_error(ledger, tmp_path, table):
    path = copied(ledger, tmp_path / "copy", None)
    damage(path, "PRAGMA foreign_keys=OFF", f"DELETE FROM {table}")  # noqa: S608
    with suppress(LedgerError), opened(path.parent, ledger.clock) as engagements:
        with suppress(LedgerError):
            answers(engagements)
        engagements.ledger.record(interaction_of("ana", "AI-1", "query"))
