"""The certificate: the proof that the events of a range may be deleted from the hot store.

Their file was synced, read back and found to have the contents of the hot rows (`HotEvents` and
`Archive.publish`). Here it is proven that the engagements add up, in two ways that share no code:
the file's events are folded by columns, and the hot rows by SQLite. What was certified before is
not folded again: the stored rows of each account with these events must have the sum that they had
then. `sealing.seal` writes only what was compared.
"""

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from sqlalchemy import Connection, select

from ledger.archive.reading import FOLDED_COLUMNS, corrected_groups
from ledger.archive.segment_store import Archive
from ledger.errors import CertificateError
from ledger.segment import Segment
from ledger.store.clock_corrections import corrections
from ledger.store.database import Database
from ledger.store.projection import Progress
from ledger.store.segment_rows import Comparison
from ledger.store.statements import Statement, stored_uuid
from ledger.store.tables import accounts, streams
from projections.read_model import sealed_sums, snapshots
from projections.read_model.accounts import before, numbered
from projections.read_model.hot_folds import hot_folds
from projections.read_model.merging import merged
from projections.read_model.partial_rows import Row, sealed_rows
from projections.read_model.sealed_sums import OTHER_SUM
from projections.read_model.snapshots import difference_of, digest_of, in_order

_KNOWN = Statement(select(accounts.c.stream))
_ACCOUNTS = Statement(select(streams.c.id, streams.c.originator_id))
_MENDED = "`engagement replay --repair` writes it again from the archive"


def prepare(database: Database) -> None:
    """Sum up the sealed engagements of an earlier version, if they are a fold of the segments.

    Raises CertificateError if they are not.
    """
    with database.read() as connection:
        if not sealed_sums.are_missing(connection):
            return
        other = snapshots.difference(connection, database.archive)
    if other is not None:
        raise CertificateError(f"nothing was sealed: {other}; {_MENDED}")
    with database.write() as connection:
        sealed_sums.sum_up(connection)


def certify(
    connection: Connection, archive: Archive, new: Sequence[Segment], progress: Progress
) -> list[Comparison]:
    """Return the comparison for each segment of `new`, whose events are still hot.

    Raises CertificateError if its engagements are not those of its hot events, or if other
    engagements of these accounts are not what was certified before. `progress` takes the events of
    each segment.
    """
    unseen, found = {row[0] for row in _KNOWN.run(connection)}, []
    for segment in new:
        rows = in_order([row for table in _folded(connection, archive, segment) for row in table])
        _expect_equal(rows, hot_folds(connection, *segment.range))
        touched = {row[0] for row in rows}
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
        differing = (pair for pair in zip_longest(ours, theirs) if pair[0] != pair[1])
        raise CertificateError(f"nothing was deleted: {difference_of(*next(differing))}")


def _expect_certified(connection: Connection, archive: Archive, touched: set[int]) -> None:
    other = next(sealed_sums.others(connection, sorted(touched)), None)
    if other is not None:
        account = str(stored_uuid(dict(_ACCOUNTS.run(connection))[other]))
        where = snapshots.difference(connection, archive, before(account), account)
        raise CertificateError(f"nothing was deleted: {where or OTHER_SUM}; {_MENDED}")
