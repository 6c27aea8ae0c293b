"""Source keys whose text has changed since an earlier version: seen under either, counted once."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from ledger.commands import Interaction, interaction_of
from ledger.idempotency import SourceKey
from ledger.instants import Instant
from ledger.store.append import Receipt
from projections.application import Engagements
from tests.support.strategies import NOON, Clock


@pytest.fixture
def engagements(tmp_path) -> Iterator[Engagements]:
    with Engagements(f"sqlite:///{tmp_path}/ledger.db", clock=Clock()) as opened:
        yield opened


def touch(text: str, former: str | None = None) -> Interaction:
    key = SourceKey(text, Instant(NOON), None, former)
    return interaction_of("ana", "AI-1", "query", source_key=key)


def sources(tmp_path) -> list[tuple[bytes, int]]:
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        return list(connection.execute("SELECT digest, position FROM sources ORDER BY position"))


def test_a_key_that_is_known_by_its_former_text_takes_its_place(engagements, tmp_path):
    ledger = engagements.ledger
    ledger.record(touch("old"))
    before = sources(tmp_path)
    assert ledger.record(touch("new", "old")) == Receipt(1, counted=False)
    assert ledger.record(touch("new", "older")) == Receipt(1, counted=False)
    assert ledger.record(touch("new")) == Receipt(1, counted=False)
    after = sources(tmp_path)
    assert [position for _, position in after] == [1]
    assert after != before


def test_a_key_that_is_unknown_by_both_texts_counts_by_the_new_one(engagements, tmp_path):
    ledger = engagements.ledger
    assert ledger.record(touch("new", "old")) == Receipt(1, counted=True)
    assert ledger.record(touch("old")) == Receipt(2, counted=True)
    assert ledger.record(touch("new", "old")) == Receipt(1, counted=False)
    assert [position for _, position in sources(tmp_path)] == [1, 2]


def test_a_former_text_stands_for_one_key(engagements, tmp_path):
    ledger = engagements.ledger
    ledger.record(touch("old"))
    outcomes = ledger.record_many([touch("a", "old"), touch("b", "old"), touch("a", "old")])
    assert outcomes == [
        Receipt(1, counted=False),
        Receipt(2, counted=True),
        Receipt(1, counted=False),
    ]
    assert [position for _, position in sources(tmp_path)] == [1, 2]
