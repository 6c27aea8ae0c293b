"""Replays into read models beside the live one, and switching to them (R12).

Events are folded a chunk a transaction, together with the position that the read model has come to:
a process that is killed loses a chunk at most, and the next goes on from there. Others record and
ask meanwhile.
"""

import logging
import time
from collections.abc import Callable

import msgspec
from sqlalchemy import Connection

from ledger.errors import ReplayRefusedError
from ledger.store.database import Database
from ledger.store.streams import Head
from ledger.verification.truth import expect_sound
from projections.read_model import catalog
from projections.read_model.catalog import PREVIOUS, Watermark, statements_of
from projections.read_model.compare import Row, first_difference_of_rows, place_of
from projections.read_model.model import ReadModel

_log = logging.getLogger(__name__)

COMPARED_AT_ONCE = 1_000
"""Engagements a transaction."""

TURN_SECONDS = 0.01
"""Between two transactions; the waiting look for their turn every 5 milliseconds."""

Progress = Callable[[int], object]
"""Called after each transaction with the position, or the number of engagements, it has come to."""


class Compared(msgspec.Struct, frozen=True):
    """The result of comparing two read models: `difference` is None if they are identical.

    Both held all events up to `position`. `engagements` counts those of the replayed one, up to the
    difference if there is one.
    """

    position: int
    engagements: int
    difference: str | None


class Replays:
    """The read models beside the live one of a ledger; any thread may use them.

    All methods raise LedgerUnavailableError where the ledger cannot be written. Those that take a
    name raise InvalidReplayError for one that no replay can have, and UnknownReplayError for one
    that none has.
    """

    def __init__(self, database: Database, live: ReadModel) -> None:
        """Make them in `database`, where `live` is kept."""
        self._database = database
        self._live = live

    def listed(self) -> list[Watermark]:
        """Return all of them by name; the one before the last switch is called previous."""
        with self._database.read() as connection:
            return catalog.besides(connection)

    def begin(self, name: str) -> Watermark:
        """Return the read model `name` as far as it has come, making an empty one if need be."""
        catalog.checked(name)
        with self._database.write() as connection:
            found = catalog.find(connection, name)
            if found is None:
                found = Watermark(name, policy_version=Head.read(connection).policy_version)
                catalog.create(connection, found)
        return found

    def fold(self, name: str, progress: Progress = lambda _: None) -> int:
        """Fold events into it until it has met the head; return that position."""
        while True:
            with self._database.write() as connection:
                is_at_head = self._model(name).advance(connection, self._database.archive)
                reached = catalog.known(connection, name)
            progress(reached.position)
            if is_at_head:
                return reached.position
            time.sleep(TURN_SECONDS)

    def compare(self, name: str, progress: Progress = lambda _: None) -> Compared:
        """Compare it with the live one, a few engagements at a time, all columns of each.

        Both hold the same events each time: those recorded meanwhile are folded into both before.
        """
        place, engagements = (0, ""), 0
        while True:
            with self._database.write() as connection:
                self._live.fold(connection, self._database.archive)
                reached = self._meet_head(connection, name)
                rows, difference = self._difference_after(connection, name, place)
                is_last = difference is not None or len(rows) < COMPARED_AT_ONCE
                if is_last:
                    catalog.note(connection, reached._replace(identical=difference is None))
            engagements += len(rows)
            progress(engagements)
            if is_last:
                return Compared(reached.position, engagements, difference)
            place = place_of(rows[-1])
            time.sleep(TURN_SECONDS)

    def switch(self, name: str, *, different: bool = False) -> int:
        """Make it the live one in one transaction, and the live one the previous one.

        It is first brought to the head, whose position is returned. Raises ReplayRefusedError if it
        was not compared with the live one or is not identical, unless it may be `different`, and
        LedgerDamagedError if a verification finds damaged events.
        """
        catalog.checked(name)
        self._check_compared(name, different=different)
        expect_sound(self._database)
        return self._switch(name)

    def back(self) -> int:
        """Switch to the one that was live before the last switch; again, and it is undone.

        Raises ReplayRefusedError where there was none.
        """
        if all(each.name != PREVIOUS for each in self.listed()):
            raise ReplayRefusedError("there is no previous read model to go back to")
        return self._switch(PREVIOUS)

    def drop(self, name: str) -> None:
        """Drop it; also previous, after which there is nothing to go back to."""
        if name != PREVIOUS:
            catalog.checked(name)
        with self._database.write() as connection:
            catalog.known(connection, name)
            catalog.drop(connection, name)

    def _switch(self, name: str) -> int:
        self.fold(name)  # so that the transaction in which others wait is a short one
        with self._database.write() as connection:
            reached = self._meet_head(connection, name)
            catalog.swap(connection, reached)
        _log.info("switched", extra={"head": reached.position})
        return reached.position

    def _check_compared(self, name: str, *, different: bool) -> None:
        with self._database.read() as connection:
            found = catalog.known(connection, name)
        if found.identical is None:
            message = f"{name} was not compared yet; `engagement replay --into {name}` does it"
            raise ReplayRefusedError(message)
        if not (found.identical or different):
            message = (
                f"{name} differs from the live read model; `engagement replay --into {name}` says "
                f"where, and `engagement replay switch {name} --different` switches all the same"
            )
            raise ReplayRefusedError(message)

    def _meet_head(self, connection: Connection, name: str) -> Watermark:
        self._model(name).fold(connection, self._database.archive)
        return catalog.known(connection, name)

    def _difference_after(
        self, connection: Connection, name: str, place: tuple[int, str]
    ) -> tuple[list[Row], str | None]:
        """Compare what follows a place; return the rows of the replayed one and a difference."""
        rows, kept = (
            statements.following.run(connection, *place).fetchmany(COMPARED_AT_ONCE)
            for statements in (statements_of(name), self._live.statements)
        )
        adopted = self._live.policies.in_force(connection)
        return rows, first_difference_of_rows(rows, kept, adopted)

    def _model(self, name: str) -> ReadModel:
        return ReadModel(name, self._live.policies)
