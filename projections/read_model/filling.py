"""Folding a very long tail: into a copy of the live read model, which takes its place at the end.

The tail is folded once, some accounts at a time, and its engagements are written by their ids, so
that no page of the table is written twice. The copy gets its indexes when it holds everything: to
bring them along takes several times as long. Others record and ask meanwhile; what they record is
the tail of the copy. What was filled by a process that was killed is dropped, and filled from the
beginning.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import Connection

from ledger.errors import LedgerUnavailableError
from ledger.store.database import Database
from ledger.store.job_runs import job_alone
from ledger.store.projection import TURN_SECONDS
from ledger.store.streams import Head
from projections import read_model
from projections.read_model import catalog
from projections.read_model.catalog import NEXT, Watermark
from projections.read_model.tables import engagements

if TYPE_CHECKING:
    import pyarrow as pa

FILLED_FROM = 20_000
"""Events; a shorter tail is folded in place, however small the ledger is."""

SHARE = 20
"""A tail is very long if it is more than a twentieth of the ledger."""

COPIED_AT_ONCE = 100_000
"""Positions a transaction, and as many rows at most."""

FOLDED_AT_ONCE = 250_000
"""Events in memory as columns, or those of one user."""

WRITTEN_AT_ONCE = 20_000
"""Engagements a transaction: others wait to record while it holds the lock."""

JOB = "fold"


Step = Callable[[Connection], object]


class _Model(Protocol):
    """A read model, as far as it is filled here."""

    def merge(self, connection: Connection, table: "pa.Table", live: Watermark) -> None:
        """Merge engagements of the tail of the live read model into this copy of it."""


class _OvertakenError(Exception):
    """The live read model has changed, so the copy would not be of use."""


def catch_up(
    database: Database, model_of: Callable[[str], _Model], is_ended: Callable[[], bool]
) -> bool:
    """Fold the tail of the live read model if it is very long; tell whether the head is near.

    It is not if `is_ended` said so, or where another process is at it.
    """
    if not _is_far_behind(database):
        return True
    with ExitStack() as held:
        try:
            held.enter_context(job_alone(database, JOB, patience_seconds=0))
        except LedgerUnavailableError:
            return False
        while _is_far_behind(database):
            if not _Filling(database, model_of(NEXT), is_ended).run():
                return False
    return True


def _is_far_behind(database: Database) -> bool:
    with database.read() as connection:
        position, watermark = Head.read(connection).position, catalog.live(connection).position
    return position - watermark > max(FILLED_FROM, position // SHARE)


class _Filling:
    """One filling, of short transactions between which others write."""

    def __init__(self, database: Database, model: _Model, is_ended: Callable[[], bool]) -> None:
        self._database, self._model, self._is_ended = database, model, is_ended
        with database.write() as connection:
            catalog.drop_next(connection)
            self._live = catalog.live(connection)
            position = Head.read(connection).position
            self._next = self._live._replace(name=NEXT, position=position, identical=None)
            catalog.create_bare(connection, self._next)

    def run(self) -> bool:
        """Return whether it was not ended early; it may have been overtaken."""
        try:
            for step in self._steps():
                if self._is_ended():
                    self._drop()
                    return False
                with self._database.write() as connection:
                    self._expect(connection)
                    step(connection)
                time.sleep(TURN_SECONDS)
        except _OvertakenError:
            self._drop()
        return True

    def _steps(self) -> Iterator[Step]:
        for after in range(0, self._live.position, COPIED_AT_ONCE):
            upto = min(after + COPIED_AT_ONCE, self._live.position)
            yield partial(catalog.copy_live, name=NEXT, after=after, upto=upto)
        for table in self._tail():
            for begin in range(0, len(table), WRITTEN_AT_ONCE):
                yield partial(self._merge, table.slice(begin, WRITTEN_AT_ONCE))
        for _ in engagements.indexes:
            yield partial(catalog.create_an_index, name=NEXT)
        yield partial(catalog.replace_live, beside=self._next)

    def _tail(self) -> "Iterator[pa.Table]":
        """Yield the engagements of the tail, those of some accounts at a time."""
        positions = self._live.position, self._next.position
        with self._reading() as connection:
            spans = list(read_model.tail_folds.spans(connection, *positions, FOLDED_AT_ONCE))
        for span in spans:
            with self._reading() as connection:  # while one lasts, SQLite cannot reuse its log
                tables = list(read_model.tail_folds.folded_span(connection, *positions, span))
            yield from tables

    def _merge(self, table: "pa.Table", connection: Connection) -> None:
        self._model.merge(connection, table, self._live)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._database.read() as connection:
            self._expect(connection)
            yield connection

    def _expect(self, connection: Connection) -> None:
        """Raise _OvertakenError if anything but events has changed since this began.

        Any other change folds the live one, or drops or empties the other.
        """
        if (catalog.live(connection), catalog.find(connection, NEXT)) != (self._live, self._next):
            raise _OvertakenError

    def _drop(self) -> None:
        with self._database.write() as connection:
            catalog.drop_next(connection)
