"""DuckDB and Polars folding the same segments to the same columns, each by its best plan.

Both read what the fold reads, group by account and issue, and hand the result over as columns. At
equal instants either may choose any of the interactions of one kind, which spares them a sort.
"""

from collections.abc import Sequence
from pathlib import Path

import duckdb
import polars as pl

_QUERY = """
    SELECT account, issue_id, count(*), min(position),
        arg_max(position, t * 4 + kind) FILTER (kind IS NOT NULL), max(t + recorded_after),
        count(*) FILTER (kind = 1), count(*) FILTER (kind = 2), count(*) FILTER (kind = 3),
        min(t) FILTER (kind IS NOT NULL),
        max(t) FILTER (kind = 1), max(t) FILTER (kind = 2), max(t) FILTER (kind = 3),
        max(t) FILTER (linear_id IS NOT NULL),
        arg_max(linear_id, t) FILTER (linear_id IS NOT NULL),
        max(t) FILTER (score IS NOT NULL), arg_max(score, t) FILTER (score IS NOT NULL)
    FROM (
        SELECT *, occurred_second * 1000000 + occurred_microsecond AS t FROM read_parquet(?)
    )
    GROUP BY account, issue_id
"""

_ROWS_AT_ONCE = 65_536


def duckdb_engagements(files: Sequence[Path]) -> int:
    """Fold by DuckDB, and return how many engagements there are."""
    with duckdb.connect() as connection:
        connection.execute("SET preserve_insertion_order = false")
        found = connection.sql(_QUERY, params=[[str(file) for file in files]])
        return sum(len(batch) for batch in found.to_arrow_reader(_ROWS_AT_ONCE))


def polars_engagements(files: Sequence[Path]) -> int:
    """Fold by Polars' streaming engine, and return how many engagements there are."""
    kind, at = pl.col("kind"), pl.col("at")
    moments = {
        "mentioned": kind == 1,
        "viewed": kind == 2,
        "queried": kind == 3,
        "touched": kind.is_not_null(),
        "linear": pl.col("linear_id").is_not_null(),
        "overridden": pl.col("score").is_not_null(),
    }
    occurred_at = pl.col("occurred_second") * 1_000_000 + pl.col("occurred_microsecond")
    events = (
        pl.scan_parquet(list(files))
        .with_columns(at=occurred_at)
        .with_columns(
            recorded_at=at + pl.col("recorded_after"),
            rank=at * 4 + kind,
            **{name: pl.when(is_meant).then(at) for name, is_meant in moments.items()},
        )
    )
    folded = events.group_by("account", "issue_id").agg(
        events=pl.len(),
        id=pl.col("position").min(),
        last_position=pl.col("position").max_by("rank"),
        scored_at=pl.col("recorded_at").max(),
        mentions=pl.col("mentioned").count(),
        views=pl.col("viewed").count(),
        queries=pl.col("queried").count(),
        first_at=pl.col("touched").min(),
        mentioned_at=pl.col("mentioned").max(),
        viewed_at=pl.col("viewed").max(),
        queried_at=pl.col("queried").max(),
        linear_at=pl.col("linear").max(),
        linear_id=pl.col("linear_id").max_by("linear"),
        override_at=pl.col("overridden").max(),
        override=pl.col("score").max_by("overridden"),
    )
    return len(folded.collect(engine="streaming"))
