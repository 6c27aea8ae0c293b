"""Folding the events of the ledger, hot and sealed: by engagement, or as they were recorded."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection, and_, bindparam, func, select, tuple_

from ledger.archive.columns import coded, one_chunk, ranks, uuids
from ledger.archive.folder import LAST, Archive
from ledger.archive.reading import EVENT_COLUMNS
from ledger.events import EventRow
from ledger.segment import events_in
from ledger.store.rows import FOLDED
from ledger.store.sealed_events import sealed_rows
from ledger.store.segments import segments
from ledger.store.statements import Statement
from ledger.store.tables import accounts, events, streams
from projections.columnar import NO, FoldColumns, starts_of
from projections.engagement import Engagement, fold, merge
from projections.views.merging import merged
from projections.views.partials import NUMBERS, as_partial, partial_of_rows
from projections.views.table_statements import COLUMNS, TableStatements

# Events of a user who was forgotten are nobody's: no account, so no engagement.
_FOLDABLE = and_(events.c.issue_id.is_not(None), events.c.stream.in_(select(accounts.c.stream)))

_SOME = and_(
    streams.c.originator_id > bindparam("after"), streams.c.originator_id <= bindparam("upto")
)
_BY_ENGAGEMENT = (
    select(
        streams.c.originator_id,
        events.c.issue_id,
        events.c.occurred_at,
        events.c.position,
        events.c.recorded_at,
        events.c.kind,
        events.c.linear_id,
        events.c.score,
    )
    .join(streams, streams.c.id == events.c.stream)
    .where(events.c.issue_id.is_not(None))
    .order_by(streams.c.originator_id, events.c.issue_id, events.c.position)
)
_OF_SOME = Statement(_BY_ENGAGEMENT.where(_SOME), "after", "upto")
_touching = events.alias()
_TOUCHED = select(_touching.c.stream, _touching.c.issue_id).where(
    _touching.c.issue_id.is_not(None), _touching.c.position <= bindparam("last")
)
_OF_TOUCHED = Statement(
    _BY_ENGAGEMENT.where(
        events.c.position > bindparam("position"),
        tuple_(events.c.stream, events.c.issue_id).in_(_TOUCHED),
    ),
    "position",
    "last",
)
_ACCOUNTS = Statement(
    select(streams.c.originator_id, streams.c.id)
    .join(accounts, accounts.c.stream == streams.c.id)
    .where(_SOME),
    "after",
    "upto",
)
_RECORDED = Statement(
    select(*FOLDED)
    .where(
        events.c.position > bindparam("after"), events.c.position <= bindparam("upto"), _FOLDABLE
    )
    .order_by(events.c.position),
    "after",
    "upto",
)
_VERSIONS = Statement(
    select(streams.c.originator_id, streams.c.version)
    .where(streams.c.originator_id > bindparam("after"))
    .order_by(streams.c.originator_id),
    "after",
)
_COUNT = Statement(select(func.count()).select_from(events).where(_FOLDABLE))

_HOT_AT_ONCE = 16_384

BEFORE_ALL, AFTER_ALL = "", LAST
"""Before and after every account's UUID."""

_BESIDE = ("id", "last_position", "scored_at")
_ISSUE = COLUMNS.index("issue_id")
_ENDS = {BEFORE_ALL: b"", AFTER_ALL: b"\xff" * 17}


class Stored(NamedTuple):
    """A row of the read model, but for what a policy makes of it."""

    id: int
    stream: int
    issue_id: str
    engagement: Engagement
    last_position: int | None
    scored_at: int


class Folded(NamedTuple):
    """A row of the read model, whose it is, and how many events it was folded from."""

    account: str
    events: int
    row: Stored


def folds(
    connection: Connection, archive: Archive, after: str = BEFORE_ALL, upto: str = AFTER_ALL
) -> Iterator[Folded]:
    """Yield every engagement of some accounts folded from its events, hot and sealed.

    They come by account and issue; of the accounts `after` < account <= `upto`.
    """
    for table in folded_tables(connection, archive, after, upto):
        yield from rows_of(table)


def folded_tables(
    connection: Connection, archive: Archive, after: str = BEFORE_ALL, upto: str = AFTER_ALL
) -> Iterator[pa.Table]:
    """Yield what `folds` does as partials with the column stream."""
    sealed = (
        archive.row_groups(segment, EVENT_COLUMNS, after, upto) for segment in segments(connection)
    )
    for table in merged(sealed, [hot_partials(connection, after, upto)]):
        yield somebodys(connection, table)


def hot_partials(
    connection: Connection, after: str = BEFORE_ALL, upto: str = AFTER_ALL
) -> Iterator[pa.Table]:
    """Yield the partials of the hot events of some accounts."""
    return _partials(_OF_SOME.run(connection, _bytes(after), _bytes(upto)))


def touched_partials(connection: Connection, last: int) -> Iterator[pa.Table]:
    """Yield the partials of the events after a position, of engagements with hot ones up to it."""
    return _partials(_OF_TOUCHED.run(connection, last, last))


def _partials(cursor: Any) -> Iterator[pa.Table]:  # noqa: ANN401 - a DBAPI cursor
    while rows := cursor.fetchmany(_HOT_AT_ONCE):
        yield partial_of_rows(rows)


def partial_of_folds(folds: Sequence[tuple[bytes, Stored]]) -> pa.Table:
    """Return the partial of rows that come by account, whose UUID is beside each, and issue."""
    fields: dict[str, Any] = {
        name: [getattr(row.engagement, name) for _, row in folds]
        for name in Engagement.__struct_fields__
    }
    fields |= {name: [getattr(row, name) for _, row in folds] for name in _BESIDE}
    account = coded(uuids(account for account, _ in folds))
    issue, linear = coded(row.issue_id for _, row in folds), coded(fields.pop("linear_id"))
    override = pa.array(fields.pop("override"), pa.float64()).fill_null(0.0).to_numpy()
    numbers = {
        name: pa.array(values, pa.int64()).fill_null(NO).to_numpy()
        for name, values in fields.items()
    }
    uncounted = np.zeros(len(folds), np.int64)
    ranked = ranks(pa.chunked_array([linear]))
    columns = FoldColumns(**numbers, events=uncounted, linear=ranked, override=override)
    return as_partial(account, issue, linear, columns)


def touched_events(connection: Connection, last: int) -> Iterator[tuple[bytes, list[EventRow]]]:
    """Yield the hot events of each engagement that has some up to a position, by position.

    Beside each stands the account's UUID.
    """
    rows = _OF_TOUCHED.run(connection, 0, last)
    for (account, issue), group in groupby(rows, key=itemgetter(0, 1)):
        yield (
            account,
            [
                EventRow(position, 0, issue, kind, at, linear_id, score, recorded_at)
                for _, _, at, position, recorded_at, kind, linear_id, score in group
            ],
        )


def kept_rows(
    connection: Connection, statements: TableStatements, after: str, upto: str
) -> Iterator[tuple[tuple[str, str], Sequence[Any]]]:
    """Yield the rows of a table of engagements in the order of `folds`, each with its place."""
    for originator, *row in statements.of_accounts.run(connection, _bytes(after), _bytes(upto)):
        yield (str(UUID(bytes=originator)), row[_ISSUE]), tuple(row)


def _before(account: str) -> str:
    """What stands before an account and after all others that do."""
    number = UUID(account).int
    return str(UUID(int=number - 1)) if number else BEFORE_ALL


def last_account(connection: Connection, after: str, events_at_least: int) -> str:
    """Return where a group of accounts ends that have so many events, or AFTER_ALL."""
    total = 0
    for originator, version in _VERSIONS.run(connection, _bytes(after)):
        total += version + 1
        if total >= events_at_least:
            return str(UUID(bytes=originator))
    return AFTER_ALL


def recorded(connection: Connection, archive: Archive, after: int, upto: int) -> list[EventRow]:
    """Return what folds read of the events at the positions `after` < position <= `upto`."""
    sealed = sealed_rows(connection, archive, after + 1, upto)
    return [*sealed, *(EventRow(*row) for row in _RECORDED.run(connection, after, upto))]


def count(connection: Connection) -> int:
    """Return how many events there are to fold, at most: those of the forgotten may be counted."""
    hot: int = _COUNT.run(connection).fetchone()[0]
    return hot + events_in(segments(connection))


def fold_stored(rows: Sequence[EventRow]) -> Stored:
    """Return the read model's row for the events of one user with one issue, by position."""
    position, stream, issue_id = rows[0][:3]
    scored_at = rows[-1][-1]
    return Stored(position, stream, issue_id, fold(rows), _last_position(rows), scored_at)


def together(before: Stored, after: Stored) -> Stored:
    """Return the row of both histories; no event is in both, and `after` was recorded later."""
    is_later = after.last_position is None or _last(before) > _last(after)
    return Stored(
        min(before.id, after.id),
        before.stream,
        before.issue_id,
        merge(before.engagement, after.engagement),
        before.last_position if is_later else after.last_position,
        max(before.scored_at, after.scored_at),
    )


def _last(row: Stored) -> tuple[int, int]:
    engagement = row.engagement
    return engagement.last_at or NO, engagement.last_kind or NO


def _last_position(rows: Sequence[EventRow]) -> int | None:
    touches = [(row.occurred_at, row.kind, row.position) for row in rows if row.kind is not None]
    return max(touches)[-1] if touches else None


def somebodys(connection: Connection, table: pa.Table) -> pa.Table:
    """Return the engagements of a partial that are not of the forgotten, with the column stream."""
    streams_of = _streams_of(connection, table)
    accounts = one_chunk(table["account"])
    starts = starts_of(accounts.indices.to_numpy())
    whose = accounts.take(pa.array(starts)).to_pylist()
    numbers = [streams_of.get(_bytes(account), NO) for account in whose]
    stream = np.repeat(np.array(numbers, np.int64), np.diff(starts, append=len(accounts)))
    known = table.append_column("stream", pa.array(stream))
    return known if stream.min() != NO else known.filter(pa.array(stream != NO))


def rows_of(table: pa.Table) -> Iterator[Folded]:
    """Yield the engagements that `somebodys` returned."""
    names = ("account", "issue_id", "linear_id", "stream", *NUMBERS)
    columns = {name: table[name].to_pylist() for name in names}
    overridden = zip(columns["override_at"], columns["override"], strict=True)
    columns["override"] = [None if at == NO else value for at, value in overridden]
    fields = [columns[name] for name in Engagement.__struct_fields__]
    beside = [columns[name] for name in ("account", "events", "stream", "issue_id", *_BESIDE)]
    for account, events_, stream, issue, id_, last_position, scored_at, *fold_ in zip(
        *beside, *fields, strict=True
    ):
        engagement = Engagement(*map(_some, fold_))
        row = Stored(id_, stream, issue, engagement, _some(last_position), scored_at)
        yield Folded(account, events_, row)


def _streams_of(connection: Connection, table: pa.Table) -> dict[bytes, int]:
    """The numbers of the accounts of a partial, but for those of the forgotten."""
    first, last = (table["account"][row].as_py() for row in (0, len(table) - 1))
    return dict(_ACCOUNTS.run(connection, _bytes(_before(first)), _bytes(last)))


def _some(value: Any) -> Any:  # noqa: ANN401 - of any column
    return None if value == NO else value


def _bytes(account: str) -> bytes:
    """The account as the streams have it; also before and after all of them."""
    return _ENDS[account] if account in _ENDS else UUID(account).bytes
