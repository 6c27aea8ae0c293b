"""Replay: fold every event again and compare with the read model, or write it anew (R12)."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, select

from ledger.store.database import Database
from ledger.store.statements import Statement
from projections.policy import Adopted
from projections.views.folding import Stored, count, folds
from projections.views.read_model import COLUMNS, ReadModel, values
from projections.views.tables import engagements

_ROWS = Statement(select(engagements).order_by(engagements.c.stream, engagements.c.issue_id))
_STREAM, _ISSUE, _SCORED_AT = (COLUMNS.index(name) for name in ("stream", "issue_id", "scored_at"))

Progress = Callable[[int], object]
"""Called now and then with how many more events were folded."""


class Replay(msgspec.Struct, frozen=True):
    """What a replay found: `difference` is None where the read model is identical."""

    events: int
    engagements: int
    difference: str | None


def count_events(database: Database) -> int:
    """Return how many events a replay folds."""
    with database.read() as connection:
        return count(connection)


def compare(database: Database, read_model: ReadModel, progress: Progress) -> Replay:
    """Fold every event, and return the first difference from the read model, if any.

    It sees one moment of the ledger; recording goes on meanwhile.
    """
    difference = None
    folded = counted = 0
    with database.read() as connection:
        adopted = read_model.policies.in_force(connection)
        kept = iter(_ROWS.run(connection))
        stored = next(kept, None)
        for number, fresh in folds(connection):
            folded, counted = folded + number, counted + 1
            progress(number)
            if difference is None:
                difference = _difference(fresh, stored, adopted)
                stored = next(kept, None)
        if difference is None and stored is not None:
            difference = f"{_name(stored)}: in the read model, but in no event"
    return Replay(folded, counted, difference)


def repair(database: Database, read_model: ReadModel, progress: Progress) -> Replay:
    """Write the read model anew from every event, in one transaction."""
    folded = counted = 0

    def rows(connection: Connection) -> Iterator[Stored]:
        nonlocal folded, counted
        for number, fresh in folds(connection):
            folded, counted = folded + number, counted + 1
            progress(number)
            yield fresh

    with database.write() as connection:
        connection.execute(delete(engagements))
        read_model.fill(connection, rows(connection))
    return Replay(folded, counted, None)


def _difference(fresh: Stored, stored: Sequence[Any] | None, adopted: Adopted) -> str | None:
    if stored is None:
        return _missing(fresh)
    # The score may have been brought up to date since; it must hold for its own instant.
    expected = values(fresh, adopted, stored[_SCORED_AT])
    if expected == stored:
        return None
    place, stored_place = (fresh.stream, fresh.issue_id), (stored[_STREAM], stored[_ISSUE])
    if stored_place > place:
        return _missing(fresh)
    if stored_place < place:
        return f"{_name(stored)}: in the read model, but in no event"
    columns = zip(COLUMNS, stored, expected, strict=True)
    column, is_, was = next(each for each in columns if each[1] != each[2])
    return f"{_name(stored)}: {column} is {is_!r}, the events say {was!r}"


def _missing(fresh: Stored) -> str:
    return f"engagement {fresh.id} ({fresh.issue_id}): not in the read model"


def _name(stored: Sequence[Any]) -> str:
    return f"engagement {stored[0]} ({stored[_ISSUE]})"
