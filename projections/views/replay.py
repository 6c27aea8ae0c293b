"""Replay: fold every event again and compare with the read model, or write it anew (R12).

Events come sorted by engagement, so only one engagement is in memory at a time.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, cast

import msgspec
from sqlalchemy import Connection, and_, delete, func, select

from ledger.events import EventRow
from ledger.store.database import Database
from ledger.store.rows import FOLDED
from ledger.store.statements import Statement
from ledger.store.tables import accounts, events
from projections.views.read_model import COLUMNS, INSERT, ReadModel, Stored, fold_stored
from projections.views.tables import engagements

BATCH = 2_000

# Events of a user who was forgotten are nobody's: no account, so no engagement.
_FOLDABLE = and_(events.c.issue_id.is_not(None), events.c.stream.in_(select(accounts.c.stream)))

_EVENTS = Statement(
    select(*FOLDED).where(_FOLDABLE).order_by(events.c.stream, events.c.issue_id, events.c.position)
)
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
        query = select(func.count()).select_from(events).where(_FOLDABLE)
        return connection.execute(query).scalar_one()


def compare(database: Database, read_model: ReadModel, progress: Progress) -> Replay:
    """Fold every event, and return the first difference from the read model, if any.

    It sees one moment of the ledger; recording goes on meanwhile.
    """
    difference = None
    folded = counted = 0
    with database.read() as connection:
        kept = iter(_ROWS.run(connection))
        stored = next(kept, None)
        for count, fresh in folds(connection):
            folded, counted = folded + count, counted + 1
            progress(count)
            if difference is None:
                difference = _difference(fresh, stored, read_model)
                stored = next(kept, None)
        if difference is None and stored is not None:
            difference = f"{_name(stored)}: in the read model, but in no event"
    return Replay(folded, counted, difference)


def repair(database: Database, read_model: ReadModel, progress: Progress) -> Replay:
    """Write the read model anew from every event, in one transaction."""
    folded = counted = 0
    with database.write() as connection:
        connection.execute(delete(engagements))
        batch: list[tuple[Any, ...]] = []
        for count, fresh in folds(connection):
            folded, counted = folded + count, counted + 1
            progress(count)
            batch.append(read_model.values(fresh))
            if len(batch) == BATCH:
                INSERT.run_many(connection, batch)
                batch.clear()
        INSERT.run_many(connection, batch)
    return Replay(folded, counted, None)


def folds(connection: Connection) -> Iterator[tuple[int, Stored]]:
    """Yield every engagement folded from its events, and how many those were."""
    for _, group in groupby(_EVENTS.run(connection), key=itemgetter(1, 2)):
        rows = cast("list[EventRow]", list(group))
        yield len(rows), fold_stored(rows)


def _difference(fresh: Stored, stored: Sequence[Any] | None, read_model: ReadModel) -> str | None:
    if stored is None:
        return _missing(fresh)
    # The score may have been brought up to date since; it must hold for its own instant.
    expected = read_model.values(fresh, stored[_SCORED_AT])
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
