"""Compaction: the oldest events go into segments, and only then leave the hot store (R7, R9).

First a segment's file is written, synced, read back and named; then it is certified that the sealed
and the hot events add up to the same engagements as all events do; then one transaction records
that the range is sealed, and deletes its rows. A compaction that is interrupted before that commit
leaves a file, which a later one removes once it has sealed the same events. Segments are sealed in
batches, and merged with their neighbours before the next batch: memory holds a part of each file,
so there must be few.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice, repeat
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import pyarrow as pa
from sqlalchemy import Connection, and_, bindparam, func, literal_column, select

from ledger.archive.columns import (
    SCHEMA,
    STATE,
    event_batch,
    exactly,
    integers,
    issue_stream,
    listed,
    occurred_at,
    one_table,
    recorded_at,
    release_memory,
)
from ledger.archive.digests import Range
from ledger.archive.reading import FOLDED_COLUMNS
from ledger.archive.sorted_merge import merge
from ledger.clock import Clock
from ledger.errors import DiskFullError, LedgerDamagedError, LedgerUnavailableError
from ledger.events import DECISIONS, OBSERVATION, OBSERVATION_CODE, TOPIC_OF_CODE
from ledger.instants import Instant, instant_of
from ledger.segment import Segment, due_merges, events_in, mergeable
from ledger.store import tables
from ledger.store.clock_corrections import corrections
from ledger.store.collecting import without_collecting
from ledger.store.database import Database
from ledger.store.job_runs import job_alone
from ledger.store.projection import Progress, Sealable
from ledger.store.recovery import Recovery, recover
from ledger.store.retention import clear_unknown, remove_retired
from ledger.store.rows import EventValues, checked, checksums
from ledger.store.segment_rows import (
    IS_SEALABLE,
    Certificate,
    Comparison,
    certificates,
    replace,
    seal,
    sealed_position,
    segments,
)
from ledger.store.statements import Query, Statement, value

# The hot events of a range as the table of a segment.
#
# Segments are written from such tables. Each row of the hot store is rebuilt from the table's
# columns and must have the checksum that was written with it, which proves that the row is sound
# and that the table holds all of it.

_events = tables.events
_HOT_ROWS = Statement(
    select(_events)
    .where(
        _events.c.position >= bindparam("first"),
        _events.c.position <= bindparam("last"),
        IS_SEALABLE,
    )
    .order_by(_events.c.position),
    "first",
    "last",
)


def _accounts(*row: Any) -> tuple[int, str]:  # noqa: ANN401 - of any column
    number, uuid, _version = checked(tables.streams.name, row)
    return number, str(UUID(bytes=uuid))


def _places(*row: Any) -> tuple[int, str]:  # noqa: ANN401 - of any column
    number, uuid, _chat_id = checked(tables.places.name, row)
    return number, str(UUID(bytes=uuid))


_ACCOUNTS = Query(_accounts, select(tables.streams))
_PLACES = Query(_places, select(tables.places))
"""Find the numbers of streams and places, and the UUIDs that these stand for, as texts."""

_OBSERVED: Query[int] = Query(
    value, select(_events.c.stream).where(tables.IS_OBSERVATION).distinct()
)

_SEALED_CODES = {
    **{topic: code or None for topic, code in DECISIONS.items()},
    OBSERVATION: OBSERVATION_CODE,
}
"""The codes of decisions and observations as segments have them; an interaction's is its kind."""

NO_ISSUE = ""
"""The key in the row of an observation, which says in its state which keys an issue has."""

_READ_AT_ONCE = 4_096

Row = tuple[Any, ...]


class HotEvents:
    """Reads hot events in one snapshot; accounts and places are read and checked at the start."""

    def __init__(self, connection: Connection) -> None:
        """Read through `connection`; raises LedgerDamagedError for a damaged stream or place."""
        self._connection = connection
        self._accounts = dict(_ACCOUNTS.all(connection))
        for number in _OBSERVED.all(connection):
            self._accounts[number] = issue_stream(self._accounts[number])
        self._places = dict(_PLACES.all(connection))
        self._stream_of = {name: number for number, name in self._accounts.items()}
        self._number_of = {name: number for number, name in self._places.items()}

    @without_collecting()
    def table(self, first: int, last: int) -> pa.Table:
        """Return the events at the positions `first` to `last`, by position.

        Raises LedgerDamagedError if a row is not what was written.
        """
        cursor, batches = _HOT_ROWS.run(self._connection, first, last), []
        while rows := cursor.fetchmany(_READ_AT_ONCE):
            try:
                batch = self._batch(rows)
            except (pa.ArrowException, ArithmeticError, LookupError, TypeError, ValueError):
                _expect_sound(rows, (values for *values, _ in rows))
                row, *_ = rows  # of a wrong type, and without a checksum
                raise _damaged(row) from None
            _expect_sound(rows, self._rows(batch))
            batches.append(batch)
        return one_table([SCHEMA.empty_table(), *(pa.Table.from_batches([one]) for one in batches)])

    def _batch(self, rows: Sequence[Row]) -> pa.RecordBatch:
        column = dict(zip(_events.c.keys(), zip(*rows, strict=True), strict=True))
        occurred = zip(column["occurred_at"], column["recorded_at"], strict=True)
        batch = event_batch(
            account=_coded(column["stream"], self._accounts),
            issue=[each or NO_ISSUE for each in column["issue_id"]],
            occurred=[recorded if at is None else at for at, recorded in occurred],
            position=column["position"],
            version=column["version"],
            recorded=column["recorded_at"],
            kind=list(map(_SEALED_CODES.get, column["topic"], column["kind"])),
            linear_id=column["linear_id"],
            score=column["score"],
            place=_coded(column["place"], self._places),
            commitment=column["commitment"],
        )
        if OBSERVATION not in column["topic"]:
            return batch
        return batch.append_column(STATE, exactly(column["state"], STATE.type))

    def _rows(self, batch: pa.RecordBatch) -> Iterator[Row]:
        """Yield the rows of events as in the hot store, without checksums."""
        said = pa.Table.from_batches([batch])
        codes = integers(said["kind"]).tolist()
        is_typed = [code != OBSERVATION_CODE for code in codes]
        has_states = STATE.name in said.column_names
        column: dict[str, Iterable[Any]] = {
            "position": said["position"].to_pylist(),
            "stream": _numbers(batch.column("account"), self._stream_of),
            "version": said["version"].to_pylist(),
            "topic": map(TOPIC_OF_CODE.__getitem__, codes),
            "recorded_at": recorded_at(said).tolist(),
            "issue_id": _if(is_typed, listed(said["issue_id"])),
            "kind": [code if code > 0 else None for code in codes],
            "occurred_at": _if(is_typed, occurred_at(said).tolist()),
            "linear_id": listed(said["linear_id"]),
            "score": said["score"].to_pylist(),
            "place": _numbers(batch.column("place"), self._number_of),
            "commitment": listed(said["commitment"]),
            "state": said[STATE.name].to_pylist() if has_states else repeat(None),
        }
        return zip(*(column[name] for name in EventValues._fields), strict=False)


def _if(is_there: Sequence[bool], values: Sequence[Any]) -> list[Any]:
    """The values, and None for those that are not there."""
    return [value if there else None for value, there in zip(values, is_there, strict=True)]


def _coded(numbers: Sequence[int | None], names: dict[int, str]) -> pa.DictionaryArray:
    found = pa.array(numbers, pa.int64()).dictionary_encode()
    texts = pa.array([names[each] for each in found.dictionary.to_pylist()], pa.string())
    return pa.DictionaryArray.from_arrays(found.indices, texts)


def _numbers(column: pa.DictionaryArray, numbers: dict[str, int]) -> list[int | None]:
    values = pa.array([numbers[each] for each in column.dictionary.to_pylist()], pa.int64())
    taken: list[int | None] = values.take(column.indices).to_pylist()
    return taken


def _expect_sound(rows: Sequence[Row], rebuilt: Iterator[Row]) -> None:
    """Compare rows with those rebuilt from the table, by their checksums if they have one.

    Raises LedgerDamagedError for the first row that differs.
    """
    others = list(rebuilt)
    found = checksums(_events.name, others)
    if found == [written for *_, written in rows]:
        return
    for row, other, sum_ in zip(rows, others, found, strict=True):
        *values, written = row
        if [*other] != values if written is None else sum_ != written:
            raise _damaged(row)


def _damaged(row: Row) -> LedgerDamagedError:
    position, *_ = row
    return LedgerDamagedError(
        f"the event at position {position} is not what was written; nothing is sealed"
    )


_log = logging.getLogger(__name__)

SEALED_AT_ONCE = 100_000
"""Positions per segment; recording waits while the rows of one are deleted."""

STATES_AT_ONCE_BYTES = 1 << 25
"""From so many bytes of observations on, a segment ends earlier, since they are in memory."""

SEALED_TOGETHER = 10
"""Segments that are written and compared before the first of them is sealed."""

SHRUNK_FROM = 0.2
"""The share of unused pages from which the database's file is rewritten; recording waits then."""

MERGED_EVENTS = 5_000_000
"""The most events of a merged segment: replays read few files then, none of them too large."""

JOB = "compaction"

_NOTHING_FOLDED = SCHEMA.empty_table().select(FOLDED_COLUMNS)

_e = tables.events.c

# Earlier versions left observations hot in ranges that they sealed.
_sealed = select(func.max(tables.segments.c.last_position)).scalar_subquery()
_HOT = and_(
    IS_SEALABLE,
    _e.position > func.coalesce(_sealed, literal_column("0")),
    _e.position <= bindparam("through"),
)
_COUNT: Query[int] = Query(value, select(func.count()).where(_HOT), "through")
_LAST: Query[int | None] = Query(value, select(func.max(_e.position)).where(_HOT), "through")


class _Next(NamedTuple):
    """The position of an event, and the bytes of its state."""

    position: int
    state_bytes: int


_NEXT = Query(
    _Next,
    select(_e.position, func.coalesce(func.length(_e.state), literal_column("0")))
    .where(_e.position > bindparam("sealed"), _HOT)
    .order_by(_e.position),
    "sealed",
    "through",
)
_LAST_BEFORE: Query[int | None] = Query(
    value,
    select(func.max(_e.position)).where(IS_SEALABLE, _e.recorded_at < bindparam("at")),
    "at",
)


class Compaction(msgspec.Struct, frozen=True):
    """The result of a compaction: the number of events sealed, and of segments afterwards.

    The segments' files have `archived_bytes` in total. The database's file shrank by `freed_bytes`;
    `swept_bytes` of obsolete files were removed from the archive. `recovered` counts the segments
    that were restored, `lost` those whose files are missing or damaged, `set_aside` the unknown
    files that were moved aside.
    """

    events: int = 0
    segments: int = 0
    archived_bytes: int = 0
    freed_bytes: int = 0
    swept_bytes: int = 0
    recovered: int = 0
    lost: int = 0
    set_aside: int = 0


class Compactor:
    """Moves events of one ledger into its archive; a lock lets one process at a time do so.

    All methods raise LedgerUnavailableError if the database or the archive cannot be read or
    written, and CertificateError; segments sealed before stay sealed, and nothing else is deleted.
    """

    def __init__(self, database: Database, projection: Sealable, clock: Clock) -> None:
        """Work on `database` and `projection`, with the instants of `clock`."""
        self._database, self._projection, self._clock = database, projection, clock
        self._archive = database.archive

    def segments(self) -> list[Segment]:
        """All segments, the oldest first."""
        with self._database.read() as connection:
            return segments(connection)

    def certificates(self, segment: Segment) -> list[Certificate]:
        """The certificates of a segment, one of each sealing that it contains."""
        with self._database.read() as connection:
            return certificates(connection, segment)

    def check(self, segment: Segment) -> None:
        """Read all of a segment; raises ArchiveUnavailableError if it is not what was sealed."""
        self._archive.check(segment, digests_of(self.certificates(segment)))

    def sealed_difference(self) -> str | None:
        """The first difference of the sealed engagements from a fold of the segments, if any."""
        with self._database.read() as connection:
            return self._projection.sealed_difference(connection, self._archive)

    def last_recorded_before(self, at: Instant) -> int:
        """The last hot position that was recorded before an instant, or 0."""
        with self._database.read() as connection:
            corrected = corrections(connection).last_before(at)
            last = _LAST.one(connection, corrected), _LAST_BEFORE.one(connection, at)
            return max(filter(None, last), default=0)

    def sealable(self, through: int) -> int:
        """The number of events that `compact` would seal."""
        with self._database.read() as connection:
            return _COUNT.one(connection, through)

    def compact(self, through: int, progress: Progress = lambda _: None) -> Compaction:
        """Seal the hot events up to the position `through`, one transaction per segment.

        Afterwards small segments are merged and the database's file is shrunk; so are those that an
        interrupted compaction left, and, if possible, when DiskFullError is raised.
        """
        with job_alone(self._database, JOB):
            recovery, swept, before = *self._prepared(), self._size()
            with self._database.read() as connection:
                last = _LAST.one(connection, through) or 0
            if last:
                self._expect_none_lost(recovery)
                self._projection.prepare_sealing(self._database)
            try:
                events = self._seal_and_merge(last, progress)
            except DiskFullError:  # shrinking is most needed now, if there is room for it
                with suppress(LedgerUnavailableError):
                    self._shrink()
                raise
            self._shrink()
            cleared = clear_unknown(self._database)
            kept = self.segments()
            return Compaction(
                events=events,
                segments=len(kept),
                archived_bytes=sum(each.size_bytes for each in kept),
                freed_bytes=max(0, before - self._size()),
                swept_bytes=swept + cleared.freed_bytes,
                recovered=len(recovery.mended),
                lost=len(recovery.lost),
                set_aside=cleared.set_aside,
            )

    def merge(self, progress: Progress = lambda _: None) -> list[Segment]:
        """Merge small adjacent segments into larger ones, and return these."""
        with job_alone(self._database, JOB):
            self._prepared()
            runs = mergeable(self.segments(), MERGED_EVENTS)
            merged = [self._merged(run, progress) for run in runs]
            clear_unknown(self._database)
            return merged

    def recover(self) -> Recovery:
        """Restore missing and damaged files of segments, as far as possible."""
        with job_alone(self._database, JOB):
            return recover(self._database, self._now())

    def _prepared(self) -> tuple[Recovery, int]:
        """Restore segments and remove obsolete files; return the recovery and the bytes freed."""
        recovery = recover(self._database, self._now())
        return recovery, remove_retired(self._database, self._now())

    def _expect_none_lost(self, recovery: Recovery) -> None:
        """Raise ArchiveUnavailableError if segments are lost, since nothing may be deleted then."""
        for segment in self.segments():
            if segment.name in recovery.lost:
                self.check(segment)

    def _seal_and_merge(self, through: int, progress: Progress) -> int:
        """Seal the hot events up to the position `through`, and return their number."""
        events = 0
        while new := self._sealed(through, progress):  # but no events recorded meanwhile
            self._merge_due(progress, events_in(new))
            events += events_in(new)
        if not events:
            self._merge_due()  # left by an interrupted compaction
        return events

    def _sealed(self, through: int, progress: Progress) -> list[Segment]:
        """Seal the next segments of hot events up to `through`, and return them."""
        new = list(self._published(through, progress))
        if new:
            for segment, compared in zip(new, self._compared(new, progress), strict=True):
                self._seal(segment, compared)
                progress(segment.events)
        return new

    def _published(self, through: int, progress: Progress) -> Iterator[Segment]:
        with self._database.read() as connection:
            last, hot = sealed_position(connection), HotEvents(connection)
            for _ in range(SEALED_TOGETHER):
                end = _end_of_next(connection, last, through)
                if end is None:
                    return
                first, last = last + 1, end
                table = hot.table(first, last)
                yield self._archive.publish(table, first, last)
                progress(len(table))

    def _compared(self, new: Sequence[Segment], progress: Progress) -> list[Comparison]:
        with self._database.read() as connection:
            return self._projection.certify(connection, self._archive, new, progress)

    def _seal(self, segment: Segment, compared: Comparison) -> None:
        groups = self._archive.row_groups(segment, FOLDED_COLUMNS)
        table = one_table([_NOTHING_FOLDED, *groups])
        with self._database.write() as connection:
            self._projection.fold(connection, self._archive)  # only folded events may be sealed
            self._projection.seal(connection, table, compared)
            certificate = _summary_of(segment) | {"compared": compared}
            seal(connection, segment, certificate, self._now())
        release_memory()
        _log.info("sealed", extra={"events": segment.events, "upto": segment.last_position})

    def _merge_due(self, progress: Progress = lambda _: None, told: int = 0) -> None:
        """Merge the segments that are due; `progress` is called with this total of events."""
        runs = due_merges(self.segments(), MERGED_EVENTS)
        progress = _in_proportion(progress, told, sum(map(events_in, runs)))
        for run in runs:
            self._merged(run, progress)

    def _merged(self, parts: Sequence[Segment], progress: Progress) -> Segment:
        sealings = [each for part in parts for each in self.certificates(part)]
        merged = merge(self._archive, parts, digests_of(sealings), progress)
        with self._database.write() as connection:
            replace(connection, merged, parts, self._now())
        _log.info("merged", extra={"segments": len(parts), "events": merged.events})
        return merged

    def _now(self) -> Instant:
        return instant_of(self._clock())

    def _size(self) -> int:
        path = self._database.path
        return path.stat().st_size if path else 0

    def _shrink(self) -> None:
        """Shrink the database's file if much of it is unused; small free space is reused."""
        if self._database.free_share() > SHRUNK_FROM:
            try:
                self._database.vacuum()
            finally:  # also after a full disk
                with suppress(LedgerUnavailableError):  # if a reader keeps the log, it is cut later
                    self._database.truncate_log()


def _end_of_next(connection: Connection, sealed: int, through: int) -> int | None:
    """The last position of the next segment, or None if nothing is left to be sealed."""
    last, total = None, 0
    for each in islice(_NEXT.all(connection, sealed, through), SEALED_AT_ONCE):
        last, total = each.position, total + each.state_bytes
        if total >= STATES_AT_ONCE_BYTES:
            break
    return last


def _in_proportion(progress: Progress, told: int, of: int) -> Progress:
    """A progress callback that scales its counts, so that they add up to `told` events."""
    if not of:
        progress(told)
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        progress((done + count) * told // of - done * told // of)
        done += count

    return advance


def digests_of(parts: Iterable[Certificate]) -> dict[Range, bytes]:
    """The digests of certified ranges."""
    return {
        (each["first_position"], each["last_position"]): bytes.fromhex(each["sha256"])
        for each in parts
    }


def _summary_of(segment: Segment) -> dict[str, Any]:
    return {
        "first_position": segment.first_position,
        "last_position": segment.last_position,
        "events": segment.events,
        "sha256": segment.digest.hex(),
    }
