"""Generated histories as a file to import, and as a ledger whose events are all sealed."""

import csv
from pathlib import Path
from uuid import UUID

import numpy as np
import pyarrow as pa
from sqlalchemy import bindparam, insert, update

from ledger.archive.columns import SCHEMA
from ledger.commands import Kind
from ledger.instants import Instant, iso
from ledger.segment import Segment
from ledger.store import schema, tables
from ledger.store import segment_rows as bookkeeping
from ledger.store.database import Database
from ledger.store.streams import Head
from tests.benchmarks.generated import LINEAR_EVERY, SEED, USERS, Integers, Slab, slabs
from tests.benchmarks.histories import user_name

PLACES = 200
PLACES_OF_A_USER = 4

_SECOND = 1_000_000
_COMMITMENT_BYTES = 32
_TEXT = "merge pull request fix broken test of the renderer when cache is cold add missing locale"


def issue_name(number: int) -> str:
    """Return the id of an issue."""
    return f"WORK-{number}"


def write_csv(path: Path, events: int, slab_events: int) -> int:
    """Write interactions as a CSV file with the columns of the real sets; return how many."""
    rows = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("occurred_at", "user", "issue_id", "kind", "context"))
        for slab in slabs(events, slab_events):
            for user, issue, at, kind in zip(*(column.tolist() for column in slab), strict=True):
                if kind:
                    touched = iso(at), user_name(user), issue_name(issue), Kind(kind).label
                    writer.writerow((*touched, f"{rows} {_TEXT}"))
                    rows += 1
    return rows


def write_sealed(path: Path, events: int, segment_events: int) -> list[Segment]:
    """Make a ledger of about so many events, all of them in segments of about that size.

    It has what it would have had it recorded and then sealed them time and again, but for the
    keys and origins, which no replay reads, and for all that is derived.
    """
    sealing = _Sealing(Database(f"sqlite:///{path}"))
    return [sealing.seal(slab) for slab in slabs(events, segment_events)]


class _Sealing:
    """Writes segments of a new ledger, as the compaction does."""

    def __init__(self, database: Database) -> None:
        schema.prepare(database)
        self._database = database
        self._random = np.random.default_rng(SEED)
        self._accounts, self._places = self._uuids(USERS), self._uuids(PLACES)
        self._versions, self._recorded_at = np.full(USERS, -1), 0
        streams = [{"originator_id": UUID(each).bytes, "version": -1} for each in self._accounts]
        users = [{"stream": number + 1, "user_id": user_name(number)} for number in range(USERS)]
        places = [{"place": UUID(each).bytes} for each in self._places]
        with database.write() as connection:
            connection.execute(insert(tables.streams), streams)
            connection.execute(insert(tables.accounts), users)
            connection.execute(insert(tables.places), places)

    def seal(self, slab: Slab) -> Segment:
        """Write the segment of a slab, and record that it is sealed."""
        with self._database.write() as connection:
            head = Head.read(connection)
            first = bookkeeping.sealed_position(connection) + 1
            table = self._table(slab, head.position + 1)
            head.position += len(table)
            head.advance(Instant(self._recorded_at))
            head.write(connection)
            segment = self._database.archive.publish(table, first, head.position)
            bookkeeping._record(connection, segment, head.recorded_at)
            bookkeeping._insert(connection, segment, [])
            connection.execute(
                update(tables.streams).where(tables.streams.c.id == bindparam("stream")),
                [
                    {"stream": number + 1, "version": version}
                    for number, version in enumerate(self._versions.tolist())
                ],
            )
        return segment

    def _table(self, slab: Slab, first: int) -> pa.Table:
        count, is_override = len(slab.user), slab.kind == 0
        recorded_at = slab.occurred_at + self._random.integers(_SECOND // 5, 5 * _SECOND, count)
        recorded_at[0] = max(recorded_at[0], self._recorded_at)
        recorded_at = np.maximum.accumulate(recorded_at)
        self._recorded_at = int(recorded_at[-1])
        issues, issue = np.unique(slab.issue, return_inverse=True)
        place = (slab.user * 7 + self._random.integers(0, PLACES_OF_A_USER, count)) % PLACES
        linear = [_linear_id(number) for number in issues.tolist()]
        has_linear = (slab.issue % LINEAR_EVERY == 0) & ~is_override
        commitments = pa.py_buffer(self._random.bytes(_COMMITMENT_BYTES * count))
        binary = pa.binary(_COMMITMENT_BYTES)
        return pa.table(
            [
                _coded(slab.user, self._accounts),
                _coded(issue, list(map(issue_name, issues.tolist()))),
                slab.occurred_at // _SECOND,
                np.zeros(count, np.int32),
                np.arange(first, first + count),
                self._next_versions(slab.user),
                recorded_at - slab.occurred_at,
                pa.array(slab.kind.astype(np.int8), mask=is_override),
                _coded(issue, linear, ~has_linear),
                pa.array(self._random.random(count).round(2), mask=~is_override),
                _coded(place, self._places, is_override),
                pa.FixedSizeBinaryArray.from_buffers(binary, count, [None, commitments]),
            ],
            schema=SCHEMA,
        )

    def _next_versions(self, user: Integers) -> pa.Array:
        """Give each user's events the next versions."""
        order = np.argsort(user, kind="stable")
        counts = np.bincount(user, minlength=USERS)
        begins = np.cumsum(counts) - counts
        versions = np.empty(len(user), np.int32)
        versions[order] = np.arange(len(user)) - np.repeat(begins - self._versions - 1, counts)
        self._versions += counts
        return pa.array(versions)

    def _uuids(self, count: int) -> list[str]:
        return [str(UUID(bytes=self._random.bytes(16), version=4)) for _ in range(count)]


def _linear_id(issue: int) -> str:
    """The Linear id of an issue, of those that have one."""
    if issue % LINEAR_EVERY:
        return ""
    return str(UUID(int=(issue + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128, version=4))


def _coded(codes: Integers, texts: list[str], none: np.ndarray | None = None) -> pa.DictionaryArray:
    indices = pa.array(codes.astype(np.int32), mask=none)
    return pa.DictionaryArray.from_arrays(indices, pa.array(texts))
