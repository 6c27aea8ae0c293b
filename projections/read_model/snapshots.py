"""Snapshots: one row per sealed engagement, so that now = merge(snapshot, hot events)."""

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice, zip_longest
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
from sqlalchemy import Connection, bindparam, delete, func, insert, select, text

from ledger.archive.columns import listed, uuids
from ledger.archive.reading import FOLDED_COLUMNS, corrected, corrected_groups
from ledger.archive.segment_store import Archive
from ledger.archive.sorted_merge import Source
from ledger.errors import CertificateError
from ledger.store.clock_corrections import corrections
from ledger.store.collecting import without_collecting
from ledger.store.segment_rows import Comparison, segments
from ledger.store.statements import Query, Statement, value
from ledger.store.tables import streams
from projections.engagement import values_of
from projections.read_model.columnar_fold import (
    SEALED,
    Row,
    joined,
    merged,
    partial_of,
    partial_of_sealed,
    place_of,
    sealed_rows,
    stream_of,
)
from projections.read_model.engagement_rows import Stored, stored_engagement, together
from projections.read_model.full_fold import (
    AFTER_ALL,
    BEFORE_ALL,
    IN_SPAN,
    bytes_of,
    hot_partials,
    numbered,
    without_forgotten,
)
from projections.read_model.tables import sealed_accounts, sealed_engagements

# A count and a checksum of each account's sealed engagements, as they were last certified.
#
# Every certificate compares them with the stored rows, so that certified segments need not be
# folded again. The checksum is the sum of the CRC-32 of each row, as MessagePack, modulo 2**63: a
# sealing subtracts the rows that it changes, and adds the new ones.

OTHER_SUM = "the checksum that is kept of a user's sealed engagements is not theirs"

_SUMS = 2**63

_a, _s = sealed_accounts.c, sealed_engagements.c
_INSERT = Statement(insert(sealed_accounts).prefix_with("OR REPLACE"), *_a.keys())
_FORGET = Statement(delete(sealed_accounts).where(_a.stream == bindparam("stream")), "stream")
_CLEAR = Statement(delete(sealed_accounts))
_ROWS_OF = Statement(select(sealed_engagements).where(_s.stream == bindparam("stream")), "stream")
_ALL = Statement(select(sealed_engagements).order_by(_s.stream, _s.issue_id))
_KEPT = Statement(select(sealed_accounts).order_by(_a.stream))
_FIRST = [Query(value, select(func.min(each.stream))) for each in (_s, _a)]


class Sum(NamedTuple):
    """The number and the checksum of some rows of sealed engagements."""

    engagements: int = 0
    checksum: int = 0

    def plus(self, rows: Sequence[Row]) -> "Sum":
        """The sum with these rows."""
        return self._add(rows, 1)

    def minus(self, rows: Sequence[Row]) -> "Sum":
        """The sum without these rows."""
        return self._add(rows, -1)

    def _add(self, rows: Sequence[Row], sign: int) -> "Sum":
        crc, encode = zlib.crc32, msgspec.msgpack.encode
        added = sum([crc(encode(row)) for row in rows])
        return Sum(self.engagements + sign * len(rows), (self.checksum + sign * added) % _SUMS)


_FIND = Query(
    Sum, select(_a.engagements, _a.checksum).where(_a.stream == bindparam("stream")), "stream"
)


def kept_sum(connection: Connection, stream: int) -> Sum:
    """The certified sum of an account."""
    return _FIND.first(connection, stream) or Sum()


def other_sums(connection: Connection, streams: Iterable[int]) -> Iterator[int]:
    """Yield the accounts whose rows are not what was certified."""
    for stream in streams:
        rows = _ROWS_OF.run(connection, stream).fetchall()
        if Sum().plus(rows) != kept_sum(connection, stream):
            yield stream


def replace_sum(connection: Connection, old: Sequence[Row], new: Sequence[Row]) -> None:
    """Update the sums for rows that are replaced by others; both are sorted by stream."""
    before = {stream: list(rows) for stream, rows in groupby(old, stream_of)}
    sums = [
        (stream, *kept_sum(connection, stream).minus(before.get(stream, [])).plus(list(rows)))
        for stream, rows in groupby(new, stream_of)
    ]
    _INSERT.run_many(connection, sums)


def forget_sum(connection: Connection, stream: int) -> None:
    """Delete the sum of one account."""
    _FORGET.run(connection, stream)


def sums_are_missing(connection: Connection) -> bool:
    """Whether there are sealed engagements but no sums."""
    row, sum_ = (each.one(connection) for each in _FIRST)
    return row is not None and sum_ is None


def sum_up(connection: Connection) -> None:
    """Sum up the rows of every account."""
    _CLEAR.run(connection)
    _INSERT.run_many(connection, _summed(connection))


def sum_difference(connection: Connection) -> str | None:
    """A sentence if the rows of an account do not have the stored sum, or None."""
    if sums_are_missing(connection) or _summed(connection) == _KEPT.run(connection).fetchall():
        return None
    return OTHER_SUM


def _summed(connection: Connection) -> list[Row]:
    rows = _ALL.run(connection)
    return [(stream, *Sum().plus(list(group))) for stream, group in groupby(rows, stream_of)]


# The rows equal a fold of all segments, which `projections.read_model.certificate` proves before
# events leave the hot store.

_FORGET_SNAPSHOT = Statement(
    delete(sealed_engagements).where(_s.stream == bindparam("stream")), "stream"
)
_INSERT_SNAPSHOT = Statement(insert(sealed_engagements).prefix_with("OR REPLACE"), *_s.keys())


def _of_account(originator: bytes, *row: Any) -> tuple[bytes, Row]:  # noqa: ANN401 - of any column
    return originator, row


_BY_ACCOUNT = Query(
    _of_account,
    select(streams.c.originator_id, sealed_engagements)
    .join(streams, streams.c.id == _s.stream)
    .where(IN_SPAN)
    .order_by(streams.c.originator_id, _s.issue_id),
    "after",
    "upto",
)
_ORIGINATORS = Statement(select(streams.c.id, streams.c.originator_id))
_OF = Statement(
    text(
        f"SELECT {', '.join(f's.{name}' for name in SEALED)} FROM json_each(:places) AS place"  # noqa: S608 - our own names
        " CROSS JOIN sealed_engagements AS s ON s.stream = json_extract(place.value, '$[0]')"
        " AND s.issue_id = json_extract(place.value, '$[1]')"
    ),
    "places",
)
"""In the order of the places, each of which is `[stream, issue_id]`."""

_READ_AT_ONCE = 5_000


def make_anew(connection: Connection, archive: Archive) -> None:
    """Fold every segment into the empty table of sealed engagements."""
    for table in merged(_events(connection, archive)):
        _INSERT_SNAPSHOT.run_many(connection, sealed_rows(without_forgotten(connection, table)))
    sum_up(connection)


def kept_by_account(
    connection: Connection, after: str = BEFORE_ALL, upto: str = AFTER_ALL
) -> Iterator[tuple[bytes, Row]]:
    """Yield the sealed engagements of some accounts, by account and issue.

    Each comes after the 16 bytes of the account's UUID.
    """
    return _BY_ACCOUNT.all(connection, bytes_of(after), bytes_of(upto))


def difference(
    connection: Connection, archive: Archive, after: str = BEFORE_ALL, upto: str = AFTER_ALL
) -> str | None:
    """A sentence on the first difference of the sealed engagements from a fold of all segments.

    Only accounts with `after` < account <= `upto` are compared; None if there is no difference.
    """
    kept = (row for _, row in kept_by_account(connection, after, upto))
    said = (
        row
        for table in merged(_events(connection, archive, after, upto))
        for row in sealed_rows(without_forgotten(connection, table))
    )
    for ours, theirs in zip_longest(kept, said):
        if ours != theirs:
            return difference_of(ours, theirs, _by_account(connection))
    return None


def whole_difference(connection: Connection, archive: Archive) -> str | None:
    """A sentence on the first wrong value among sealed engagements and their sums, or None."""
    return difference(connection, archive) or sum_difference(connection)


def _by_account(connection: Connection) -> Callable[[Row], Any]:
    """The order of rows by their accounts' UUIDs instead of their numbers."""
    accounts = dict(_ORIGINATORS.run(connection))

    def place(row: Row) -> Any:  # noqa: ANN401 - any sort key
        stream, issue_id = place_of(row)
        return accounts[stream], issue_id

    return place


def present(connection: Connection) -> Iterator[pa.Table]:
    """Yield all present engagements, from sealed ones and hot events, as `folded_tables` does."""
    for table in merged([], [_sealed(connection), hot_partials(connection)]):
        yield without_forgotten(connection, table)


def forget(connection: Connection, stream: int) -> None:
    """Delete the sealed engagements of one account."""
    _FORGET_SNAPSHOT.run(connection, stream)
    forget_sum(connection, stream)


@without_collecting()
def seal(connection: Connection, table: pa.Table, compared: Comparison) -> None:
    """Merge the events of a segment, in the file's order, into the sealed engagements.

    The table is empty if the segment has observations alone. Raises CertificateError if they are
    not what was `compared`, if two ways of merging differ, or if the rows do not read back as
    written.
    """
    partials = [partial_of(corrected(table, corrections(connection)))] if len(table) else []
    partials = [numbered(connection, each) for each in partials]
    rows = in_order([row for each in partials for row in sealed_rows(each)])
    if digest_of(rows) != compared["sha256"]:
        raise CertificateError(
            "nothing was deleted: a segment does not say what was certified of it"
        )
    for partial in partials:
        _keep(connection, partial)


def _keep(connection: Connection, partial: pa.Table) -> None:
    """Merge the engagements of a partial into the sealed ones."""
    new = without_forgotten(connection, partial.drop_columns("stream"))
    rows = in_order(sealed_rows(new))
    before = _find(connection, rows)
    after = _merged(connection, new, rows, before)
    _INSERT_SNAPSHOT.run_many(connection, after)
    _expect_read_back(connection, after)
    replace_sum(connection, before, after)


def in_order(rows: list[Row]) -> list[Row]:
    """Sort rows by stream and issue."""
    return sorted(rows, key=place_of)


def digest_of(rows: Sequence[Row]) -> str:
    """The SHA-256 of rows, in hexadecimal digits."""
    return hashlib.sha256(msgspec.json.encode(rows)).hexdigest()


def difference_of(
    ours: Row | None, theirs: Row | None, place: Callable[[Row], Any] = place_of
) -> str:
    """A sentence on how two rows differ that should be equal; one of them may be missing."""
    if ours and theirs and place_of(ours) == place_of(theirs):
        compared = zip(SEALED, ours, theirs, strict=True)
        name = next(name for name, our, their in compared if our != their)
        _, issue = place_of(ours)
        return f"of a user's {issue}, the column {name} that is sealed is not what the events say"
    alone = min(filter(None, (ours, theirs)), key=place)
    where = "in what is kept" if alone is ours else "among the events"
    _, issue = place_of(alone)
    return f"a user's {issue} is only {where}"


def _merged(connection: Connection, new: pa.Table, rows: list[Row], before: list[Row]) -> list[Row]:
    """Merge `rows`, which are those of `new`, with the stored rows.

    This is done by columns, and row by row; raises CertificateError if the results differ.
    """
    if not before:
        return rows
    found = {place_of(row): row for row in _merged_by_columns(connection, new, before)}
    _expect_merged(before, {place_of(row): row for row in rows}, found)
    return [found.get(place_of(row), row) for row in rows]


def _expect_merged(before: list[Row], new: dict[Any, Row], found: dict[Any, Row]) -> None:
    """Raise CertificateError if rows merged one by one differ from those merged by columns."""
    for row in before:
        expected = _row(together(_stored(row), _stored(new[place_of(row)])))
        merged_row = found.get(place_of(row))
        if merged_row != expected:
            raise CertificateError(f"nothing was deleted: {difference_of(merged_row, expected)}")


def _merged_by_columns(connection: Connection, new: pa.Table, before: list[Row]) -> list[Row]:
    accounts = dict(zip(new["stream"].to_pylist(), listed(new["account"]), strict=True))
    in_account = sorted(before, key=lambda row: (accounts[stream_of(row)], place_of(row)))
    places = set(map(place_of, before))
    issues = zip(new["stream"].to_pylist(), listed(new["issue_id"]), strict=True)
    touched = new.filter(pa.array([place in places for place in issues]))
    kept = partial_of_sealed((accounts[stream_of(row)] for row in in_account), in_account)
    return [
        row
        for table in joined([kept, touched.drop_columns("stream")])
        for row in sealed_rows(numbered(connection, table))
    ]


def _expect_read_back(connection: Connection, written: list[Row]) -> None:
    if _find(connection, written) != written:
        raise CertificateError("nothing was deleted: what was sealed does not read back")


def _find(connection: Connection, rows: Sequence[Row]) -> list[Row]:
    """The sealed rows at the same places, in the same order."""
    places = msgspec.json.encode([place_of(row) for row in rows]).decode()
    found: list[Row] = _OF.run(connection, places).fetchall()
    return found


def _events(
    connection: Connection, archive: Archive, after: str = BEFORE_ALL, upto: str = AFTER_ALL
) -> list[Source]:
    known = corrections(connection)
    return [
        corrected_groups(archive, known, segment, FOLDED_COLUMNS, after, upto)
        for segment in segments(connection)
    ]


def _sealed(connection: Connection) -> Iterator[pa.Table]:
    found = kept_by_account(connection)
    while rows := list(islice(found, _READ_AT_ONCE)):
        originators, kept = zip(*rows, strict=True)
        yield partial_of_sealed(uuids(originators), kept)


def _stored(row: Row) -> Stored:
    stream, issue_id, id_, *fields, last_position, scored_at = row
    return Stored(id_, stream, issue_id, stored_engagement(fields), last_position, scored_at)


def _row(row: Stored) -> Row:
    values = values_of(row.engagement)
    return row.stream, row.issue_id, row.id, *values, row.last_position, row.scored_at
