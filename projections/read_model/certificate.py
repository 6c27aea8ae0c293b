"""The certificate: why the events of a range may be deleted from the hot store."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from sqlalchemy import Connection, select

from ledger.archive.reading import FOLDED_COLUMNS, corrected_groups
from ledger.archive.segment_store import Archive
from ledger.commands import Kind
from ledger.errors import CertificateError
from ledger.events import INTERACTION, Corrections
from ledger.instants import DAY
from ledger.segment import Segment
from ledger.store.clock_corrections import corrections
from ledger.store.collecting import without_collecting
from ledger.store.database import Database
from ledger.store.projection import Progress
from ledger.store.segment_rows import Comparison
from ledger.store.statements import Query, Statement, stored_uuid, value
from ledger.store.tables import accounts, streams
from projections.engagement import COUNTS, DECISION_FIELDS, EXTREME_NAMES, EXTREMES, LASTS
from projections.read_model import snapshots
from projections.read_model.columnar_fold import SEALED, Row, merged, sealed_rows, stream_of
from projections.read_model.full_fold import before, numbered
from projections.read_model.snapshots import OTHER_SUM, difference_of, digest_of, in_order

# Hot events of a range folded by SQLite: the second way of a certificate.
#
# It only shares the rules with the fold by columns: no file, no Arrow, no NumPy. To find the latest
# of several values, instant and value are joined to a text that sorts as they do: numbers of equal
# length, followed by the other value.

_T, _P = 2 * 10**18, 10**18  # added to instants and positions, so that all have equally many digits
_T_DIGITS = len(str(_T))

_EVENTS = """
    SELECT stream, issue_id, position, topic, kind, linear_id, score, recorded_at,
        occurred_at
    FROM events WHERE position BETWEEN :first AND :last AND issue_id IS NOT NULL"""

_CORRECTED = """
    SELECT stream, issue_id, position, topic, kind, linear_id, score, recorded_at,
        CASE WHEN occurred_at > recorded_at + {day} THEN recorded_at ELSE occurred_at END
            AS occurred_at
    FROM (
        SELECT stream, issue_id, position, topic, kind, linear_id, score, occurred_at,
            min(recorded_at, CASE {cases} ELSE recorded_at END) AS recorded_at
        FROM ({events})
    )"""

_RANKS = 2 ** (len(Kind).bit_length())
"""An instant times this and a kind sort as instants do, at one instant as kinds do."""

_COUNTS = ", ".join(
    f"count(CASE kind WHEN {int(kind)} THEN 1 END) AS {kind.count_name}" for kind in Kind
)
_EXTREMES = ", ".join(
    f"{rule}(CASE topic WHEN '{INTERACTION}' THEN {column} END) AS {name}"
    for name, rule, column in EXTREMES
)
_LASTS = ", ".join(
    f"max(CASE kind WHEN {int(kind)} THEN occurred_at END) AS {kind.last_name}" for kind in Kind
)
_DECIDED = ", ".join(
    f"max(CASE topic WHEN '{topic}' THEN occurred_at END) AS {at}"
    for topic, at, _ in DECISION_FIELDS
)
_FOLD = f"""
    SELECT stream, issue_id, id, {", ".join((*COUNTS, *EXTREME_NAMES, *LASTS))},
        CAST(substr(linear, 1, {_T_DIGITS}) AS INTEGER) - {_T} AS linear_at,
        substr(linear, {_T_DIGITS} + 1) AS linear_id,
        {", ".join(f"{at}, NULL AS {value}" for _, at, value in DECISION_FIELDS)},
        CAST(substr(last, {_T_DIGITS} + 1) AS INTEGER) - {_P} AS last_position,
        scored_at
    FROM (
        SELECT stream, issue_id, min(position) AS id, {_COUNTS}, {_EXTREMES}, {_LASTS},
            max(({_T} + occurred_at) || linear_id) AS linear, {_DECIDED},
            max(({_T} + occurred_at * {_RANKS} + kind) || ({_P} + position)) AS last,
            max(recorded_at) AS scored_at
        FROM ({{events}}) GROUP BY stream, issue_id
    )
    ORDER BY stream, issue_id"""  # noqa: S608 - our own words

_DECISIONS = """
    SELECT stream, issue_id, topic, occurred_at, max(score)
    FROM ({events}) WHERE score IS NOT NULL GROUP BY stream, issue_id, topic, occurred_at"""


@without_collecting()
def hot_folds(connection: Connection, first: int, last: int) -> list[Row]:
    """The engagements of the hot events at the positions `first` to `last`.

    They have the columns of `sealed_engagements`, are sorted by stream and issue, and include those
    of forgotten users.
    """
    events = _effective(corrections(connection))
    fold = _FOLD.format(events=events)
    cursor, span = connection.connection.cursor(), {"first": first, "last": last}
    rows: list[Row] = cursor.execute(fold, span).fetchall()
    found = cursor.execute(_DECISIONS.format(events=events), span)
    decisions = {tuple(place): value for *place, value in found}
    return [_decided(row, decisions) for row in rows] if decisions else rows


def _decided(row: Row, decisions: dict[Row, float]) -> Row:
    """The row with the values of the latest decisions."""
    stream, issue_id, *_ = row
    values = dict(zip(SEALED, row, strict=True))
    for fields in DECISION_FIELDS:
        latest = (stream, issue_id, fields.topic, values[fields.at])
        values[fields.value] = decisions.get(latest)
    return tuple(values.values())


def _effective(known: Corrections) -> str:
    """A query of the events with effective instants (R8)."""
    following = zip(known.positions, known.bounds, strict=True)
    cases = [f"WHEN position < {each} THEN {bound}" for each, bound in following]
    if not cases:
        return _EVENTS
    return _CORRECTED.format(events=_EVENTS, cases=" ".join(cases), day=DAY)


# The file of the events was synced, read back and found to have the contents of the hot rows
# (`HotEvents` and `Archive.publish`). Here it is proven that the engagements add up, in two ways
# that share no code: the file's events are folded by columns, and the hot rows by SQLite. What was
# certified before is not folded again: the stored rows of each account with these events must have
# the sum that they had then. `snapshots.seal` writes only what was compared.

_KNOWN: Query[int] = Query(value, select(accounts.c.stream))
_ACCOUNTS = Statement(select(streams.c.id, streams.c.originator_id))
_MENDED = "`engagement replay --repair` writes it again from the archive"


def prepare(database: Database) -> None:
    """Sum up the sealed engagements of an earlier version, if they are a fold of the segments.

    Raises CertificateError if they are not.
    """
    with database.read() as connection:
        if not snapshots.sums_are_missing(connection):
            return
        other = snapshots.difference(connection, database.archive)
    if other is not None:
        raise CertificateError(f"nothing was sealed: {other}; {_MENDED}")
    with database.write() as connection:
        snapshots.sum_up(connection)


def certify(
    connection: Connection, archive: Archive, new: Sequence[Segment], progress: Progress
) -> list[Comparison]:
    """Return the comparison for each segment of `new`, whose events are still hot.

    Raises CertificateError if its engagements are not those of its hot events, or if other
    engagements of these accounts are not what was certified before. `progress` takes the events of
    each segment.
    """
    unseen, found = set(_KNOWN.all(connection)), []
    for segment in new:
        rows = in_order([row for table in _folded(connection, archive, segment) for row in table])
        _expect_equal(rows, hot_folds(connection, *segment.range))
        touched = set(map(stream_of, rows))
        _expect_certified(connection, archive, touched & unseen)
        unseen -= touched
        found.append(
            {
                "through": segment.last_position,
                "engagements": len(rows),
                "accounts": len(touched),
                "sha256": digest_of(rows),
            }
        )
        progress(segment.events)
    return found


def _folded(connection: Connection, archive: Archive, segment: Segment) -> Iterator[list[Row]]:
    """Yield the engagements of a segment's file, folded by columns, including forgotten users'."""
    known = corrections(connection)
    for table in merged([corrected_groups(archive, known, segment, FOLDED_COLUMNS)]):
        yield sealed_rows(numbered(connection, table))


def _expect_equal(ours: list[Row], theirs: list[Row]) -> None:
    if ours != theirs:
        pairs = zip_longest(ours, theirs)
        first = next(difference_of(our, their) for our, their in pairs if our != their)
        raise CertificateError(f"nothing was deleted: {first}")


def _expect_certified(connection: Connection, archive: Archive, touched: set[int]) -> None:
    other = next(snapshots.other_sums(connection, sorted(touched)), None)
    if other is not None:
        account = str(stored_uuid(dict(_ACCOUNTS.run(connection))[other]))
        where = snapshots.difference(connection, archive, before(account), account)
        raise CertificateError(f"nothing was deleted: {where or OTHER_SUM}; {_MENDED}")
