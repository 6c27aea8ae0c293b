"""Queries read rows by the columns' names, and say what is missing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    Table,
    Text,
    bindparam,
    create_engine,
    insert,
    select,
)

from ledger.errors import LedgerDamagedError
from ledger.store.statements import Query, Statement, value

shelf = Table("shelf", MetaData(), Column("number", Integer), Column("title", Text))


class Book(NamedTuple):
    """A row, with its columns in another order than the table's."""

    title: str | None
    number: int


BOOKS = select(*shelf.c[Book._fields]).order_by(shelf.c.number)
ALL = Query(Book, BOOKS)
NUMBERED = Query(Book, BOOKS.where(shelf.c.number == bindparam("number")), "number")
TITLE: Query[str | None] = Query(
    value, select(shelf.c.title).where(shelf.c.number == bindparam("number")), "number"
)
PUT = Statement(insert(shelf), *shelf.c.keys())

books = st.lists(
    st.builds(Book, st.none() | st.text("abc", max_size=3), st.integers(0, 9)),
    unique_by=lambda book: book.number,
)


@contextmanager
def shelved(kept: list[Book]) -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        shelf.create(connection)
        PUT.run_many(connection, [(book.number, book.title) for book in kept])
        yield connection
    engine.dispose()


@given(books)
def test_a_query_reads_the_columns_of_its_type_wherever_the_table_has_them(kept):
    with shelved(kept) as connection:
        assert sorted(ALL.all(connection), key=lambda book: book.number) == sorted(
            kept, key=lambda book: book.number
        )


@given(books, st.integers(0, 9))
def test_first_one_and_finder_agree(kept, number):
    wanted = next((book for book in kept if book.number == number), None)
    with shelved(kept) as connection:
        assert NUMBERED.first(connection, number) == wanted
        assert NUMBERED.finder(connection)(number) == wanted
        if wanted is not None:
            assert NUMBERED.one(connection, number) == wanted
            assert TITLE.one(connection, number) == wanted.title


def test_a_row_that_must_exist_and_does_not_is_damage():
    with shelved([]) as connection, pytest.raises(LedgerDamagedError, match="is missing"):
        TITLE.one(connection, 1)
