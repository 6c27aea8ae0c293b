"""The tables: the same definitions serve both databases, and each says what it is (R12)."""

import pytest
from sqlalchemy import MetaData, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from ledger.store import tables as truths
from projections.read_model import tables as views

TABLES = [*truths.metadata.sorted_tables, *views.metadata.sorted_tables]

every_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()], ids=["sqlite", "pg"])
@every_table
def test_a_table_and_its_indexes_compile(table: Table, dialect):
    assert f"CREATE TABLE {table.name}" in str(CreateTable(table).compile(dialect=dialect))
    for index in table.indexes:
        assert str(index.name) in str(CreateIndex(index).compile(dialect=dialect))


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()], ids=["sqlite", "pg"])
def test_the_index_of_hidings_holds_nothing_else(dialect):
    truths.complete_for(dialect.name)
    ddl = str(CreateIndex(truths.hidings_of_user).compile(dialect=dialect))
    assert ddl.endswith("ON events (stream) WHERE topic = 'hiding'")


@every_table
def test_a_table_says_whether_it_is_truth_or_derived(table: Table):
    assert table.info.get("kind") in {"truth", "derived"}


@every_table
def test_a_table_says_what_it_holds(table: Table):
    assert table.comment


@pytest.mark.parametrize(
    ("metadata", "kind"),
    [(truths.metadata, "truth"), (views.metadata, "derived")],
    ids=["ledger", "projections"],
)
def test_what_happened_is_truth_and_what_it_means_is_derived(metadata: MetaData, kind):
    assert {table.info["kind"] for table in metadata.sorted_tables} == {kind}


def test_no_table_of_truth_depends_on_a_derived_one():
    derived = set(views.metadata.tables)
    for table in truths.metadata.sorted_tables:
        assert derived.isdisjoint(key.column.table.name for key in table.foreign_keys)


def test_positions_and_instants_are_64_bits_wide_on_postgresql():
    for table in TABLES:
        for column in table.columns:
            if column.name.endswith(("_at", "position")):
                compiled = column.type.compile(dialect=postgresql.dialect())
                assert compiled == "BIGINT", column


def test_positions_are_never_used_again():
    ddl = str(CreateTable(truths.events).compile(dialect=sqlite.dialect()))
    assert "PRIMARY KEY AUTOINCREMENT" in ddl
    assert "CHECK (position > 0)" in ddl
    assert "UNIQUE (stream, version)" in ddl


def test_no_event_has_a_column_for_what_people_wrote_or_are_called():
    people = {"context", "metadata", "source", "user_id", "chat_id", "display_name"}
    assert people.isdisjoint(truths.events.columns.keys())
