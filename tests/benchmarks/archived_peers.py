"""DuckDB and Polars folding the same segments to the same columns, exactly, each by its best plan.

Both read what the fold reads, group by account and issue, and hand the result over as columns. What
counts at equal instants (R3) is the largest of one key of 128 bits: the instant, the rank of the
kind, and the position. Linear ids and overrides, which few events have, are grouped apart.
"""

from collections.abc import Sequence
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa

_POSITIONS = 2**63
_PLACE = ("account", "issue_id")

_QUERY = f"""
    WITH events AS (
        SELECT account, issue_id, position, kind, linear_id, score, recorded_after,
            occurred_second * 1000000 + occurred_microsecond AS t
        FROM read_parquet(?)
    ),
    folded AS (
        SELECT account, issue_id, count(*) AS events, min(position) AS id,
            max((t * 4 + kind)::HUGEINT * {_POSITIONS} + position) AS last,
            max(t + recorded_after) AS scored_at,
            count(*) FILTER (kind = 1) AS mentions, count(*) FILTER (kind = 2) AS views,
            count(*) FILTER (kind = 3) AS queries, min(t) FILTER (kind IS NOT NULL) AS first_at,
            max(t) FILTER (kind = 1) AS mentioned_at, max(t) FILTER (kind = 2) AS viewed_at,
            max(t) FILTER (kind = 3) AS queried_at
        FROM events GROUP BY account, issue_id
    ),
    linear AS (
        SELECT account, issue_id, max(row(t, linear_id)) AS pair
        FROM events WHERE linear_id IS NOT NULL GROUP BY account, issue_id
    ),
    overridden AS (
        SELECT account, issue_id, max(row(t, score)) AS pair
        FROM events WHERE score IS NOT NULL GROUP BY account, issue_id
    )
    SELECT folded.* EXCLUDE (last), (last % {_POSITIONS})::BIGINT AS last_position,
        linear.pair[1] AS linear_at, linear.pair[2] AS linear_id,
        overridden.pair[1] AS override_at, overridden.pair[2] AS override
    FROM folded LEFT JOIN linear USING (account, issue_id)
        LEFT JOIN overridden USING (account, issue_id)
"""  # noqa: S608 - no input

_ROWS_AT_ONCE = 65_536


def duckdb_engagements(files: Sequence[Path]) -> pa.Table:
    """Fold by DuckDB."""
    with duckdb.connect() as connection:
        connection.execute("SET preserve_insertion_order = false")
        found = connection.sql(_QUERY, params=[[str(file) for file in files]])
        return found.to_arrow_reader(_ROWS_AT_ONCE).read_all()


def polars_engagements(files: Sequence[Path]) -> pl.DataFrame:
    """Fold by Polars' streaming engine."""
    kind, at = pl.col("kind"), pl.col("at")
    moments = {"mentioned": kind == 1, "viewed": kind == 2, "queried": kind == 3}
    occurred_at = pl.col("occurred_second") * 1_000_000 + pl.col("occurred_microsecond")
    last = (at * 4 + kind).cast(pl.Int128) * _POSITIONS + pl.col("position")
    events = (
        pl.scan_parquet(list(files))
        .with_columns(at=occurred_at)
        .with_columns(
            recorded_at=at + pl.col("recorded_after"),
            last=last,
            touched=pl.when(kind.is_not_null()).then(at),
            **{name: pl.when(is_meant).then(at) for name, is_meant in moments.items()},
        )
    )
    folded = events.group_by(_PLACE).agg(
        events=pl.len(),
        id=pl.col("position").min(),
        last=pl.col("last").max(),
        scored_at=pl.col("recorded_at").max(),
        mentions=pl.col("mentioned").count(),
        views=pl.col("viewed").count(),
        queries=pl.col("queried").count(),
        first_at=pl.col("touched").min(),
        mentioned_at=pl.col("mentioned").max(),
        viewed_at=pl.col("viewed").max(),
        queried_at=pl.col("queried").max(),
    )
    linear = _latest(events, "linear_id").rename({"at": "linear_at"})
    overridden = _latest(events, "score").rename({"at": "override_at", "score": "override"})
    exact = (
        folded.join(linear, on=_PLACE, how="left")
        .join(overridden, on=_PLACE, how="left")
        .with_columns(last_position=(pl.col("last") % _POSITIONS).cast(pl.Int64))
        .drop("last")
    )
    return exact.collect(engine="streaming")


def _latest(events: pl.LazyFrame, column: str) -> pl.LazyFrame:
    """The latest of what few events have; of several at one instant the largest."""
    given = events.filter(pl.col(column).is_not_null()).select(*_PLACE, "at", column)
    latest = given.group_by(_PLACE).agg(pl.col("at").max())
    return given.join(latest, on=[*_PLACE, "at"]).group_by(*_PLACE, "at").agg(pl.col(column).max())
