"""Checks of rows, each alone and in their order, and checksums for those that lack them."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
from sqlalchemy import (
    Connection,
    Double,
    Integer,
    LargeBinary,
    Table,
    Text,
    bindparam,
    func,
    select,
    tuple_,
    update,
)

from ledger import codec
from ledger.archive.columns import END, LAST, integers
from ledger.archive.reading import events_by_account
from ledger.archive.segment_store import Archive
from ledger.events import TOPICS
from ledger.segment import Segment, events_in
from ledger.store import tables
from ledger.store.database import Database
from ledger.store.rows import checksum, is_sound, sum_of_sources
from ledger.store.segment_rows import segments
from ledger.store.statements import Query, Statement, stored_uuid, value
from ledger.store.streams import Head
from ledger.verification.findings import Finding, truth

# Checks of single rows: checksums, types, and the order of keys.

TABLES = tables.metadata.sorted_tables
_ALL = {table.name: Statement(select(table)) for table in TABLES}
_COUNTS: list[Query[int]] = [
    Query(value, select(func.count()).select_from(table)) for table in TABLES
]
_SUM: Query[int | None] = Query(value, select(tables.head.c.sources_sum))
_AT_ONCE = 5_000
_NUMBERED = ("position", "id", "stream", "first_position")
"""Names of keys that do not identify people, so that a finding may quote their values."""

Row = Sequence[Any]
Progress = Callable[[int], object]
"""Called with the number of rows read since the last call."""


def count_rows(connection: Connection) -> int:
    """The number of rows of truth."""
    return sum(each.one(connection) for each in _COUNTS)


def row_findings(connection: Connection, progress: Progress) -> Iterator[Finding]:
    """Check each row of each table."""
    for table in TABLES:
        yield from _findings_in(connection, table, progress)


def _findings_in(connection: Connection, table: Table, progress: Progress) -> Iterator[Finding]:
    has_checksum, is_by_key = tables.CHECKSUM in table.c, _is_stored_by_key(table)
    before: tuple[Any, ...] | None = None
    for number, row in enumerate(_rows(connection, table, progress), start=1):
        key = tuple(row[table.c.keys().index(each.name)] for each in table.primary_key)
        where = _where(table, number, key)
        if has_checksum and not _is_sound(table, row):
            yield truth(table.name, f"{where} is not what was written", _meaning(table))
        elif not all(map(_fits, table.c, row)):
            yield truth(table.name, f"{where} holds values that cannot be there", _meaning(table))
        elif before is not None and is_by_key and not _is_after(before, key):
            yield truth(table.name, f"{where} is not in its order", "rows are not found by key")
        before = key


def source_findings(connection: Connection) -> Iterator[Finding]:
    """Check that the rows of `sources` add up to the sum in the head."""
    kept = _SUM.one(connection)
    rows = _rows(connection, tables.sources, lambda _: None)
    if kept is not None and sum_of_sources((digest, at) for digest, at in rows) != kept:
        meaning = "an interaction may be counted twice or not at all when it comes again"
        yield truth("sources", "its rows are not those that were written", meaning)


def _is_stored_by_key(table: Table) -> bool:
    """Whether SQLite stores the rows in the order of the key instead of their arrival."""
    keys = list(table.primary_key)
    is_rowid = len(keys) == 1 and isinstance(keys[0].type, Integer)
    return is_rowid or table.dialect_options["sqlite"]["with_rowid"] is False


def _rows(connection: Connection, table: Table, progress: Progress) -> Iterator[Row]:
    cursor = _ALL[table.name].run(connection)
    while rows := cursor.fetchmany(_AT_ONCE):
        yield from rows
        progress(len(rows))


def _is_sound(table: Table, row: Row) -> bool:
    try:
        return is_sound(table.name, row)
    except UnicodeEncodeError:  # the text was not UTF-8
        return False


def _where(table: Table, number: int, key: tuple[Any, ...]) -> str:
    (name, *_), (first, *_) = (each.name for each in table.primary_key), key
    is_number = name in _NUMBERED and isinstance(first, int)
    return f"the row with the {name} {first}" if is_number else f"row number {number}"


def _meaning(table: Table) -> str:
    match table.name:
        case "events":
            return "answers that count this event may be wrong"
        case "segments" | "retired":
            return "the archive may be misread"
        case "opt_outs":
            return "a user who opted out may be recorded"
        case "origins":
            return "its text or its source may have changed"
        case _:
            return "answers that depend on it may be wrong"


def _fits(column: Any, value: object) -> bool:  # noqa: ANN401 - a column of any type
    if value is None:
        return bool(column.nullable)
    kind = column.type
    if isinstance(kind, Text):
        return _is_text(value)
    if isinstance(kind, LargeBinary):
        return isinstance(value, bytes) and kind.length in {None, len(value)}
    return isinstance(value, float if isinstance(kind, Double) else int)


def _is_text(value: object) -> bool:
    if not isinstance(value, str):
        return False
    return not any("\ud800" <= each <= "\udfff" for each in value)  # text that was not UTF-8


def _is_after(before: tuple[Any, ...], key: tuple[Any, ...]) -> bool:
    try:
        return before < key
    except TypeError:
        return False


# Checks across rows: positions, versions, source keys and origins.

_GAP = "events may be missing or counted twice"
_HOT = "SELECT stream, count(*), max(version) FROM events GROUP BY stream"
_STREAMS = "SELECT id, originator_id, version FROM streams"
_ORIGIN = "SELECT salt, context, metadata, source FROM origins WHERE position = ?"


def position_findings(connection: Connection) -> Iterator[Finding]:
    """Check that every position up to the head has exactly one event, hot or in a segment."""
    sealed, last = segments(connection), 0
    for segment in sealed:
        if segment.first_position != last + 1 or segment.last_position < segment.first_position:
            what = f"no segment begins at position {last + 1}"
            yield truth("segments", what, _GAP)
        last = segment.last_position
    head = _one(connection, "SELECT position FROM head")
    hot = _one(connection, "SELECT count(*) FROM events WHERE position > ?", last)
    own = _one(
        connection, "SELECT count(*) FROM events WHERE position <= ? AND issue_id IS NULL", last
    )
    left = _one(
        connection, "SELECT count(*) FROM events WHERE position <= ? AND issue_id NOT NULL", last
    )
    most = _one(connection, "SELECT max(position) FROM events")
    if hot != max(0, head - last) or max(last, most) != head:
        what = f"there are {hot} after position {last}, but the head is at {head}"
        yield truth("events", what, _GAP)
    if own + events_in(sealed) != last:
        what = f"there are {own + events_in(sealed)} for {last} sealed positions"
        yield truth("events", what, _GAP)
    if left:
        yield truth("events", f"{left} of them are sealed and hot as well", _GAP)


def version_findings(connection: Connection, archive: Archive) -> Iterator[Finding]:
    """Check that each stream has all versions up to its last one."""
    sealed: Counter[str] = Counter()
    for segment in segments(connection):
        counts = events_by_account(archive, segment, upto=END)
        sealed.update({name.removeprefix(LAST): count for name, count in counts.items()})
    others = {stream for (stream,) in _all(connection, _others())}
    hot = {stream: (count, last) for stream, count, last in _all(connection, _HOT)}
    for stream, originator, version in _all(connection, _STREAMS):
        count, last = hot.get(stream, (0, -1))
        ends_at = max(version, last)
        counted = count + sealed[str(stored_uuid(originator))]
        if stream not in others and counted != ends_at + 1:
            what = f"stream {stream} ends at version {ends_at}, but has {counted} events"
            yield truth("streams", what, _GAP)


def _others() -> str:
    """The query for streams of other applications, which choose their versions themselves."""
    ours = ", ".join(f"'{each}'" for each in TOPICS)
    return f"SELECT DISTINCT stream FROM events WHERE topic NOT IN ({ours})"  # noqa: S608 - our own words


def key_findings(connection: Connection) -> Iterator[Finding]:
    """Check that each source key belongs to an event that has one, and no two to the same."""
    nowhere = _one(
        connection,
        """SELECT count(*) FROM sources WHERE position < 1
        OR position > (SELECT position FROM head)
        OR position IN (SELECT position FROM events
                        WHERE issue_id IS NULL AND topic NOT IN ('hiding', 'observation'))""",
    )
    twice = _one(
        connection,
        "SELECT count(*) FROM (SELECT 1 FROM sources GROUP BY position HAVING count(*) > 1)",
    )
    for count, what in (
        (nowhere, "name no interaction"),
        (twice, "name the same one as another row"),
    ):
        if count:
            meaning = "an interaction may be counted twice or not at all when it comes again"
            yield truth("sources", f"{count} of its rows {what}", meaning)


def origin_findings(connection: Connection, archive: Archive) -> Iterator[Finding]:
    """Check each origin against the commitment in its event."""
    query = """SELECT o.position, e.commitment, o.salt, o.context, o.metadata, o.source
        FROM origins o JOIN events e ON e.position = o.position"""
    for position, commitment, *origin in _all(connection, query):
        if not _is_bound(commitment, origin):
            yield _unbound(position)
    yield from _sealed_origin_findings(connection, archive)
    yield from _lone_origin_findings(connection)


def _sealed_origin_findings(connection: Connection, archive: Archive) -> Iterator[Finding]:
    for segment in segments(connection):
        wanted = _origins_of(connection, segment)
        found: set[int] = set()
        groups = archive.row_groups(segment, ("position", "commitment")) if len(wanted) else ()
        for group in groups:
            chosen = group.filter(np.isin(integers(group["position"]), wanted))
            for each in chosen.to_pylist():
                found.add(each["position"])
                row = _row(connection, _ORIGIN, each["position"])
                if not _is_bound(each["commitment"], list(row or ())):
                    yield _unbound(each["position"])
        for position in sorted(set(wanted.tolist()) - found):
            yield _unbound(position)


def _origins_of(connection: Connection, segment: Segment) -> Any:  # noqa: ANN401 - an array
    query = """SELECT position FROM origins WHERE position BETWEEN ? AND ?
        AND position NOT IN (SELECT position FROM events WHERE position BETWEEN ? AND ?)"""
    rows = _all(connection, query, *segment.range, *segment.range)
    return np.array([position for (position,) in rows], np.int64)


def _lone_origin_findings(connection: Connection) -> Iterator[Finding]:
    query = """SELECT position FROM origins WHERE position > ?
        AND position NOT IN (SELECT position FROM events)"""
    last = max((each.last_position for each in segments(connection)), default=0)
    for (position,) in _all(connection, query, last):
        yield _unbound(position)


def _unbound(position: object) -> Finding:
    what = f"the row with the position {position} does not match its event's commitment"
    return truth("origins", what, "its text or its source may have changed")


def _is_bound(commitment: bytes | None, origin: list[Any]) -> bool:
    try:
        salt, context, metadata, source = origin
        raw = None if metadata is None else msgspec.Raw(metadata)
        return codec.commitment(salt, codec.Origin(context, raw, source)) == commitment
    except (ValueError, TypeError, msgspec.MsgspecError):  # if the types are wrong
        return False


def _all(connection: Connection, query: str, *parameters: object) -> Iterator[tuple[Any, ...]]:
    cursor: Iterator[tuple[Any, ...]] = connection.connection.cursor().execute(query, parameters)
    return cursor


def _row(connection: Connection, query: str, *parameters: object) -> tuple[Any, ...] | None:
    return next(_all(connection, query, *parameters), None)


def _one(connection: Connection, query: str, *parameters: object) -> int:
    (found,) = _row(connection, query, *parameters) or (0,)
    return 0 if found is None else found


# Checksums for rows of older versions, after a verification found no damage.

FILLED_AT_ONCE = 4_000
"""Rows per transaction, which bounds how long others wait to record."""

CHECKED = [table for table in tables.metadata.sorted_tables if tables.CHECKSUM in table.c]
_SOURCES = Statement(select(tables.sources))


def count_unverified(connection: Connection) -> int:
    """The number of rows of truth without a checksum."""
    counts = (select(func.count()).where(table.c.checksum.is_(None)) for table in CHECKED)
    missing = sum(connection.scalar(each) or 0 for each in counts)
    return missing + _unsummed(connection)


def fill(database: Database, progress: Progress = lambda _: None) -> int:
    """Write the missing checksums, and return their number.

    Only for a ledger in which no damage was found. After an interruption, the next call continues.
    """
    filled = sum(_fill_table(database, table, progress) for table in CHECKED)
    with database.write() as connection:
        unsummed = _unsummed(connection)
        if unsummed:
            head = Head.read(connection)
            head.sources_sum = sum_of_sources(_SOURCES.run(connection))
            head.write(connection)
    progress(unsummed)
    return filled + unsummed


def _unsummed(connection: Connection) -> int:
    """The number of rows of `sources` that the sum does not cover."""
    if connection.scalar(select(tables.head.c.sources_sum)) is not None:
        return 0
    return connection.scalar(select(func.count()).select_from(tables.sources)) or 0


def _fill_table(database: Database, table: Table, progress: Progress) -> int:
    key = list(table.primary_key)
    order = tuple_(*key)
    this = [column == bindparam(f"{column.name}_") for column in key]
    change = update(table).where(*this).values(checksum=bindparam("checksum_"))
    filled, after, count = 0, None, FILLED_AT_ONCE
    while count == FILLED_AT_ONCE:
        query = select(table).where(table.c.checksum.is_(None)).order_by(*key)
        if after is not None:
            query = query.where(order > after)
        with database.write() as connection:
            rows = connection.execute(query.limit(FILLED_AT_ONCE)).fetchall()
            new = [_change_of(table, row) for row in rows]
            if new:
                connection.execute(change, new)
        count, filled = len(rows), filled + len(rows)
        after = tuple(new[-1][f"{column.name}_"] for column in key) if new else None
        progress(count)
    return filled


def _change_of(table: Table, row: Sequence[Any]) -> dict[str, Any]:
    values = dict(zip(table.c.keys(), row, strict=True))
    kept = {f"{column.name}_": values[column.name] for column in table.primary_key}
    *unsummed, _ = row
    return kept | {"checksum_": checksum(table.name, unsummed)}
