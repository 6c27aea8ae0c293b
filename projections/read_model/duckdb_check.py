"""A check of the sealed engagements by DuckDB, which shares only the files with the ledger's code.

Importing it needs the extra `independent`.
"""

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from pathlib import Path
from uuid import UUID

import duckdb
from sqlalchemy import Connection

from ledger.archive.segment_store import Archive
from ledger.commands import Kind
from ledger.events import DECISIONS, OBSERVATION_CODE, Corrections
from ledger.instants import DAY
from ledger.segment import Segment
from ledger.store.accounts import known_accounts
from ledger.store.clock_corrections import corrections
from ledger.store.database import Database
from ledger.store.segment_rows import segments
from projections.engagement import COUNTS, DECISION_FIELDS, EXTREME_NAMES, EXTREMES, LASTS
from projections.read_model.columnar_fold import Row
from projections.read_model.snapshots import difference_of, kept_by_account

# A 128-bit key holds an instant, a kind and a position, so its maximum is exact if several events
# are of one instant. Fields that few events have are folded separately and joined.
_RANKS = 2 ** (len(Kind).bit_length())
_COUNTS = ", ".join(f"count(*) FILTER (code = {int(kind)}) AS {kind.count_name}" for kind in Kind)
_EXTREMES = ", ".join(
    f"{rule}({column}) FILTER (code > 0) AS {name}" for name, rule, column in EXTREMES
)
_LASTS = ", ".join(
    f"max(occurred_at) FILTER (code = {int(kind)}) AS {kind.last_name}" for kind in Kind
)
_LATEST = ", ".join(
    f"max((occurred_at, score)) FILTER (code = {DECISIONS[topic]}) AS latest_{value}"
    for topic, _, value in DECISION_FIELDS
)
_DECIDED = ", ".join(
    f"latest_{value}[1] AS {at}, latest_{value}[2] AS {value}" for _, at, value in DECISION_FIELDS
)
_FOLD = f"""
WITH told AS (
    SELECT account, issue_id, position, coalesce(kind, 0) AS code, linear_id, score,
        occurred_second * 1000000 + occurred_microsecond AS told_at,
        least(told_at + recorded_after, {{bound}}) AS recorded_at
    FROM read_parquet($files, union_by_name = true)
    WHERE kind IS DISTINCT FROM {OBSERVATION_CODE}
),
events AS (
    SELECT account, issue_id, position, code, linear_id, score, recorded_at,
        {{happened_at}} AS occurred_at
    FROM told
),
folds AS (
    SELECT account, issue_id, min(position) AS id, {_COUNTS}, {_EXTREMES}, {_LASTS},
        max(((occurred_at * {_RANKS} + code)::HUGEINT << 63) + position) FILTER (code > 0) AS last,
        max(recorded_at) AS scored_at
    FROM events GROUP BY account, issue_id
),
linear AS (
    SELECT account, issue_id, max((occurred_at, linear_id)) AS named
    FROM events WHERE linear_id IS NOT NULL GROUP BY account, issue_id
),
decisions AS (
    SELECT account, issue_id, {_LATEST}
    FROM events WHERE code <= 0 GROUP BY account, issue_id
)
SELECT account, issue_id, id, {", ".join((*COUNTS, *EXTREME_NAMES, *LASTS))},
    named[1] AS linear_at, named[2] AS linear_id, {_DECIDED},
    (last & ((1::HUGEINT << 63) - 1))::BIGINT AS last_position, scored_at
FROM folds LEFT JOIN linear USING (account, issue_id) LEFT JOIN decisions USING (account, issue_id)
ORDER BY account, issue_id
"""  # noqa: S608 - our own words

_ROWS_AT_ONCE = 65_536


def difference(database: Database) -> str | None:
    """The first difference of the sealed engagements from DuckDB's fold of the files, if any."""
    with database.read() as connection:
        kept = (_told_kept(*each) for each in kept_by_account(connection))
        told = _told(connection, database.archive, segments(connection))
        for ours, theirs in zip_longest(kept, told):
            if ours != theirs:
                return f"DuckDB: {difference_of(ours, theirs)}"
    return None


def _told_kept(originator: bytes, row: Row) -> Row:
    """The row with its account's UUID instead of the stream, as DuckDB's have it."""
    _, *values = row
    return str(UUID(bytes=originator)), *values


def _told(connection: Connection, archive: Archive, of: list[Segment]) -> Iterator[Row]:
    """Yield DuckDB's fold of segments without the events of forgotten users."""
    if not of:
        return
    known = known_accounts(connection)
    files = [archive.files.path_of(segment) for segment in of]
    for account, *values in folded(files, corrections(connection)):
        if account in known:
            yield account, *values


def folded(files: Iterable[Path], known: Corrections) -> Iterator[Row]:
    """Yield DuckDB's fold of files with events: engagements by account and issue."""
    with duckdb.connect() as engine:
        found = engine.execute(_fold(known), {"files": list(map(str, files))})
        while rows := found.fetchmany(_ROWS_AT_ONCE):
            yield from rows


def _fold(known: Corrections) -> str:
    """The query, with effective instants (R8)."""
    following = zip(known.positions, known.bounds, strict=True)
    cases = [f"WHEN position < {each} THEN {bound}" for each, bound in following]
    if not cases:
        return _FOLD.format(bound="told_at + recorded_after", happened_at="told_at")
    happened_at = f"CASE WHEN told_at > recorded_at + {DAY} THEN recorded_at ELSE told_at END"
    return _FOLD.format(
        bound=f"CASE {' '.join(cases)} ELSE told_at + recorded_after END", happened_at=happened_at
    )
