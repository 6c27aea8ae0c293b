"""Every write of truth writes its checksum: the guard of all tables, including future ones."""

import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.commands import OVERRIDE, interaction_of
from ledger.errors import LedgerDamagedError
from ledger.events import HIDING, INTERACTION
from ledger.instants import Instant
from ledger.store import tables
from ledger.store.rows import (
    EventValues,
    checksum,
    event_row,
    event_rows,
    folded_event,
    sum_of_sources,
)
from projections.application import Engagements
from tests.support.every_write import WRITES, write_everything
from tests.support.sealed_ledgers import opened
from tests.support.strategies import Clock

CHECKED = [each for each in tables.metadata.sorted_tables if tables.CHECKSUM in each.c]
WITHOUT = {"origins", "sources"}
"""An origin has its event's commitment, and the sources have a sum in the head."""

FILLED_BY_MERGES = {"retired"}


def rows(path: Path, table: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - our own names


def unsound(path: Path) -> list[tuple[str, object]]:
    """The rows whose checksum is missing or wrong, by table and first column."""
    found: list[tuple[str, object]] = [
        (table.name, row[0])
        for table in CHECKED
        for row in rows(path, table.name)
        if row[-1] != checksum(table.name, row[:-1])
    ]
    (head,) = rows(path, "head")
    sources = [(row[0], row[1]) for row in rows(path, "sources")]
    if head[-2] != sum_of_sources(sources):
        found.append(("sources", None))
    return found


def test_each_table_of_truth_has_a_checksum_but_two():
    names = {each.name for each in tables.metadata.sorted_tables}
    assert names - {each.name for each in CHECKED} == WITHOUT
    assert all(each.c.keys()[-1] == tables.CHECKSUM for each in CHECKED)


def test_every_write_writes_the_checksums(tmp_path):
    clock = Clock()
    with opened(tmp_path, clock) as engagements:
        write_everything(engagements, clock, Random(1))
    path = tmp_path / "ledger.db"
    assert unsound(path) == []
    empty = {each.name for each in tables.metadata.sorted_tables if not rows(path, each.name)}
    assert empty <= FILLED_BY_MERGES, "the history leaves out what fills them"


@given(st.lists(st.sampled_from(WRITES), max_size=8), st.randoms(use_true_random=False))
def test_any_writes_in_any_order_leave_every_row_sound(writes, dice):
    clock = Clock()
    with TemporaryDirectory() as folder:
        with opened(Path(folder), clock) as engagements:
            for each in writes:
                each(engagements, clock, dice)
        assert unsound(Path(folder) / "ledger.db") == []


@pytest.mark.parametrize(
    ("damage", "write"),
    [
        ("UPDATE head SET recorded_at = recorded_at + 1", "record"),
        ("UPDATE streams SET version = version + 1", "record"),
        ("UPDATE accounts SET display_name = 'x'", "name"),
        ("UPDATE places SET chat_id = '-9' WHERE chat_id = '-100'", "migrate"),
        ("UPDATE opt_outs SET before_at = before_at + 1", "erase"),
    ],
)
def test_a_damaged_row_is_not_written_on(tmp_path, damage, write):
    clock = Clock()
    with opened(tmp_path, clock) as engagements:
        engagements.ledger.record(interaction_of("ana", "AI-1", "view", chat_id="-100"))
        engagements.ledger.erase("ben")
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(damage)
        connection.commit()
    before = [rows(path, each.name) for each in CHECKED]
    with opened(tmp_path, clock) as engagements, pytest.raises(LedgerDamagedError, match="verify"):
        _write(engagements, write)
    assert [rows(path, each.name) for each in CHECKED] == before


@pytest.mark.parametrize(
    ("topic", "kind", "score"),
    [
        (INTERACTION, None, None),
        (INTERACTION, None, 0.5),
        (INTERACTION, 1, 0.5),
        (OVERRIDE, None, None),
        (OVERRIDE, 1, None),
        (OVERRIDE, 1, 0.5),
        (HIDING, None, None),
        ("another", None, 0.5),
        ("another", 1, None),
    ],
)
def test_an_event_that_is_not_what_its_topic_says_is_damaged(topic, kind, score):
    with pytest.raises(LedgerDamagedError, match="position 7"):
        folded_event((7, 1, topic, "AI-1", kind, 0, None, score, 0))


def _write(engagements: Engagements, what: str) -> None:
    match what:
        case "record":
            engagements.ledger.record(interaction_of("ana", "AI-1", "view"))
        case "name":
            engagements.ledger.name_users({"ana": "Ana"})
        case "migrate":
            engagements.ledger.migrate_chat("-9", "-1009")
        case "erase":
            engagements.ledger.erase("ben")


def test_the_values_of_an_event_are_the_columns_of_its_table():
    assert [*EventValues._fields, tables.CHECKSUM] == tables.events.c.keys()


def test_events_in_columns_become_the_rows_that_they_become_one_by_one():
    ones = [
        EventValues(at, 2, at - 1, "interaction", Instant(at), issue_id="AI-1", place=at or None)
        for at in range(3)
    ]
    columns = {name: [getattr(one, name) for one in ones] for name in EventValues._fields}
    sparse = {name: each for name, each in columns.items() if any(each)}
    assert len(sparse) < len(columns)
    assert event_rows(columns) == event_rows(sparse) == [event_row(one) for one in ones]
