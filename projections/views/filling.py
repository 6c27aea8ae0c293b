"""Folding a very long tail: into a copy of the live read model, which takes its place at the end.

The copy has no index but that by which rows are found, and gets the others when it holds
everything: to bring them along takes several times as long. Others record and ask meanwhile. What
was filled by a process that was killed is dropped, and filled from the beginning.
"""

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import Connection

from ledger.errors import LedgerUnavailableError
from ledger.store.background_fold import TURN_SECONDS
from ledger.store.database import Database
from ledger.store.head import Head
from ledger.store.job_runs import job_alone
from projections.views import beside
from projections.views.beside import NEXT, Watermark

if TYPE_CHECKING:
    from ledger.archive.folder import Archive

_log = logging.getLogger(__name__)

FILLED_FROM = 20_000
"""Events; a shorter tail is folded in place, however small the ledger is."""

SHARE = 20
"""A tail is very long if it is more than a twentieth of the ledger."""

FOLDED_AT_ONCE = 10_000
COPIED_AT_ONCE = 20_000

JOB = "fold"


class _Model(Protocol):
    """A read model, as far as it is folded here."""

    def advance(self, connection: Connection, archive: "Archive", at_most: int) -> bool:
        """Fold the next events; tell whether the head is reached."""

    def fold(self, connection: Connection, archive: "Archive") -> None:
        """Fold everything up to the head."""


class _OvertakenError(Exception):
    """Something else has folded into the live read model, or made it anew."""


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
        return not _is_far_behind(database) or _Filling(database, model_of(NEXT), is_ended).run()


def _is_far_behind(database: Database) -> bool:
    with database.read() as connection:
        position, watermark = Head.read(connection).position, beside.live(connection).position
    return position - watermark > max(FILLED_FROM, position // SHARE)


class _Filling:
    """One filling, of short transactions between which others write."""

    def __init__(self, database: Database, model: _Model, is_ended: Callable[[], bool]) -> None:
        self._database, self._model, self._is_ended = database, model, is_ended

    def run(self) -> bool:
        begun = self._begin()
        for step in (self._copy, self._fold, self._index, self._replace):
            is_done = False
            while not is_done:
                if self._is_ended():
                    self._drop()
                    return False
                try:
                    with self._database.write() as connection:
                        self._expect(connection, begun)
                        is_done = step(connection)
                except _OvertakenError:
                    self._drop()
                    return True
                time.sleep(TURN_SECONDS)
        return True

    def _begin(self) -> Watermark:
        with self._database.write() as connection:
            if beside.find(connection, NEXT):  # of a process that was killed
                beside.drop(connection, NEXT)
            live = beside.live(connection)
            beside.create_bare(connection, live._replace(name=NEXT, identical=None))
        return live

    def _expect(self, connection: Connection, begun: Watermark) -> None:
        live = beside.live(connection)
        if live.position != begun.position or beside.find(connection, NEXT) is None:
            raise _OvertakenError

    def _copy(self, connection: Connection) -> bool:
        return beside.copy_live(connection, NEXT, COPIED_AT_ONCE) < COPIED_AT_ONCE

    def _fold(self, connection: Connection) -> bool:
        return self._model.advance(connection, self._database.archive, FOLDED_AT_ONCE)

    def _index(self, connection: Connection) -> bool:
        to_come = beside.indexes_to_come(connection, NEXT)
        for index in to_come[:1]:
            index.create(connection)
        return len(to_come) <= 1

    def _replace(self, connection: Connection) -> bool:
        self._model.fold(connection, self._database.archive)
        beside.replace_live(connection, beside.known(connection, NEXT))
        return True

    def _drop(self) -> None:
        with self._database.write() as connection:
            if beside.find(connection, NEXT):
                beside.drop(connection, NEXT)
