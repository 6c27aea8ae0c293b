"""What is sealed, folded: one row per engagement, so that now = merge(sealed, hot events).

Those rows say what reading every segment would. Before events leave the hot store it is certified
that they do, by another way of folding than the one that made them.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, bindparam, delete, insert, select

from ledger.archive.corrected import corrected, corrected_groups
from ledger.archive.folder import Archive
from ledger.archive.reading import FOLDED_COLUMNS
from ledger.archive.stepping import Source
from ledger.errors import CertificateError
from ledger.segment import Segment
from ledger.store.corrections import corrections
from ledger.store.sealable import Progress
from ledger.store.segments import Comparison, segments
from ledger.store.statements import Statement
from ledger.store.tables import streams
from ledger.store.users import known_accounts
from projections.engagement import Engagement
from projections.views.accounts import somebodys
from projections.views.hot_events import hot_partials, touched_events, touched_partials
from projections.views.merging import merged
from projections.views.partial_rows import partial_of_folds, rows_of
from projections.views.partials import NUMBERS, partial_of
from projections.views.stored import Stored, fold_stored, stored_engagement, together
from projections.views.tables import sealed_engagements

_s = sealed_engagements.c
_FIELDS = ("id", *Engagement.__struct_fields__, "last_position", "scored_at")
_ROW = [_s[name] for name in _FIELDS]

_FIND = Statement(
    select(*_ROW).where(_s.stream == bindparam("stream"), _s.issue_id == bindparam("issue")),
    "stream",
    "issue",
)
_DELETE = Statement(
    delete(sealed_engagements).where(
        _s.stream == bindparam("stream"), _s.issue_id == bindparam("issue")
    ),
    "stream",
    "issue",
)
_FORGET = Statement(delete(sealed_engagements).where(_s.stream == bindparam("stream")), "stream")
_INSERT = Statement(insert(sealed_engagements), "stream", "issue_id", *_FIELDS)
_BY_ACCOUNT = Statement(
    select(streams.c.originator_id, _s.stream, _s.issue_id, *_ROW)
    .join(streams, streams.c.id == _s.stream)
    .order_by(streams.c.originator_id, _s.issue_id)
)
_FOLDED_AT_ONCE = 5_000
_COMPARED = ("account", "issue_id", "linear_id", *(name for name in NUMBERS if name != "events"))
"""All but how many events there were, which nobody keeps of what is sealed."""


def make_anew(connection: Connection, archive: Archive) -> None:
    """Fold every segment into the table of sealed engagements, which is empty."""
    for table in merged(_events(connection, archive, segments(connection))):
        rows = [_values(each.row) for each in rows_of(somebodys(connection, table))]
        _INSERT.run_many(connection, rows)


def difference(connection: Connection, archive: Archive) -> str | None:
    """Return where what is sealed differs from what folding every segment gives, if at all."""
    whose = pa.array(sorted(known_accounts(connection)), pa.string())
    kept = _engagements([], [_sealed(connection)], whose)
    said = _engagements(_events(connection, archive, segments(connection)), [], whose)
    for ours, theirs in zip_longest(kept, said):
        if ours != theirs:
            return _difference(ours, theirs)
    return None


def present(connection: Connection) -> Iterator[pa.Table]:
    """Yield every engagement as it stands, from what is sealed and hot, as `folded_tables` does."""
    for table in merged([], [_sealed(connection), hot_partials(connection)]):
        yield somebodys(connection, table)


def forget(connection: Connection, stream: int) -> None:
    """Delete what is sealed of one account."""
    _FORGET.run(connection, stream)


def seal(connection: Connection, table: pa.Table) -> None:
    """Merge the events of a segment, in the file's order, into what is sealed.

    Raises CertificateError where the rows that were written do not read back.
    """
    find = _FIND.finder(connection)
    rows = []
    effective = corrected(table, corrections(connection))
    for each in rows_of(somebodys(connection, partial_of(effective))):
        new = each.row
        before = find(new.stream, new.issue_id)
        rows.append(
            new if before is None else together(_read(new.stream, new.issue_id, before), new)
        )
    _DELETE.run_many(connection, [(row.stream, row.issue_id) for row in rows])
    _INSERT.run_many(connection, [_values(row) for row in rows])
    for row in rows:
        if find(row.stream, row.issue_id) != _values(row)[2:]:
            message = f"engagement {row.id} ({row.issue_id}) does not read back as it was sealed"
            raise CertificateError(message)


def certify(
    connection: Connection, archive: Archive, new: Sequence[Segment], progress: Progress
) -> Comparison:
    """Return what was compared so that the events of `new`, which are still hot, can be deleted.

    For every engagement that these events are of: what is sealed, the segments and its events that
    stay hot, folded by columns, add up to what the older segments and all its hot events, folded
    one by one, do; and for the other ones of these accounts, what is sealed to what the older
    segments do. Raises CertificateError where they do not. `progress` is told how many more events
    of `new` were folded.
    """
    whose = _accounts_in(connection, archive, new)
    last = new[-1].last_position
    older = segments(connection)
    rows = [_sealed(connection), touched_partials(connection, last)]
    kept = _engagements(_events(connection, archive, new), rows, whose)
    one_by_one = _folded_one_by_one(connection, last, progress)
    known = _engagements(_events(connection, archive, older), [one_by_one], whose)
    compared, summed = 0, hashlib.sha256()
    for ours, theirs in zip_longest(kept, known):
        if ours != theirs:
            message = f"nothing was deleted: {_difference(ours, theirs)}"
            raise CertificateError(message)
        compared += 1
        summed.update(msgspec.json.encode(ours))
    return {
        "through": last,
        "engagements": compared,
        "accounts": len(whose),
        "sha256": summed.hexdigest(),
    }


def _accounts_in(connection: Connection, archive: Archive, new: Iterable[Segment]) -> pa.Array:
    """The accounts of events in some segments; the events of the forgotten are nobody's."""
    found = {
        account
        for segment in new
        for group in archive.row_groups(segment, ["account"])
        for account in group["account"].unique().to_pylist()
    }
    return pa.array(sorted(found & known_accounts(connection)), pa.string())


def _engagements(
    files: Iterable[Source], rows: Iterable[Source], whose: pa.Array
) -> Iterator[tuple[Any, ...]]:
    """Yield the engagements of some accounts, each as all that is known of it."""
    for table in merged(files, rows):
        theirs = table.filter(pc.is_in(table["account"], value_set=whose)).select(_COMPARED)
        yield from zip(*(column.to_pylist() for column in theirs.columns), strict=True)


def _events(connection: Connection, archive: Archive, of: Iterable[Segment]) -> list[Source]:
    known = corrections(connection)
    return [corrected_groups(archive, known, segment, FOLDED_COLUMNS) for segment in of]


def _sealed(connection: Connection) -> Iterator[pa.Table]:
    cursor = _BY_ACCOUNT.run(connection)
    while rows := cursor.fetchmany(_FOLDED_AT_ONCE):
        yield partial_of_folds([(row[0], _read(row[1], row[2], row[3:])) for row in rows])


def _folded_one_by_one(connection: Connection, last: int, progress: Progress) -> Iterator[pa.Table]:
    """Yield the hot events of engagements that the position `last` and earlier ones touch.

    They are folded as `projections.engagement.fold` does. `progress` is told how many more of those
    up to that position were.
    """
    folds: list[tuple[bytes, Stored]] = []
    counted = 0
    for account, rows in touched_events(connection, last):
        folds.append((account, fold_stored(rows)))
        counted += sum(row.position <= last for row in rows)
        if len(folds) == _FOLDED_AT_ONCE:
            yield partial_of_folds(folds)
            progress(counted)
            folds, counted = [], 0
    if folds:
        yield partial_of_folds(folds)
        progress(counted)


def _difference(ours: tuple[Any, ...] | None, theirs: tuple[Any, ...] | None) -> str:
    """Say how two differ that should be the same: the earlier one may have none beside it."""
    if ours and theirs and _place(ours) == _place(theirs):
        compared = zip(_COMPARED, ours, theirs, strict=True)
        name = next(name for name, our, their in compared if our != their)
        return f"of a user's {ours[1]}, the column {name} that is sealed is not what the events say"
    alone = min(filter(None, (ours, theirs)), key=_place)
    where = "in what is kept" if alone is ours else "among the events"
    return f"a user's {alone[1]} is only {where}"


def _place(engagement: tuple[Any, ...]) -> tuple[str, str]:
    account, issue_id, *_ = engagement
    return account, issue_id


def _read(stream: int, issue_id: str, row: Sequence[Any]) -> Stored:
    id_, *fields, last_position, scored_at = row
    return Stored(id_, stream, issue_id, stored_engagement(fields), last_position, scored_at)


def _values(row: Stored) -> tuple[Any, ...]:
    fields = msgspec.structs.astuple(row.engagement)
    return row.stream, row.issue_id, row.id, *fields, row.last_position, row.scored_at
