"""The peers of the archived replay compute what our fold does, also of events at equal instants."""

from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.archive.columns import SCHEMA
from ledger.archive.reading import FOLDED_COLUMNS
from ledger.archive.segment_store import Archive
from projections.columnar import NO
from projections.read_model.columnar_fold import NUMBERS, merged

pytestmark = pytest.mark.skipif(
    find_spec("duckdb") is None or find_spec("polars") is None,
    reason="make bench installs DuckDB and Polars",
)

SECOND = 1_000_000
ACCOUNTS = [str(UUID(int=number)) for number in range(3)]
PLACES = (
    st.sampled_from(ACCOUNTS),
    st.sampled_from(["AI-1", "AI-2"]),
    st.integers(0, 2),  # seconds: most are equal
)
INTERACTIONS = st.tuples(
    *PLACES, st.sampled_from([1, 2, 3]), st.sampled_from([None, "a", "b", "c"]), st.none()
)
OVERRIDES = st.tuples(*PLACES, st.none(), st.none(), st.sampled_from([0.0, 0.25, 1.0]))


def table_of(events: list[tuple[Any, ...]]) -> pa.Table:
    versions = dict.fromkeys(ACCOUNTS, -1)
    rows = []
    for position, (account, issue, at, kind, linear_id, score) in enumerate(events, 1):
        versions[account] += 1
        commitment = None if kind is None else bytes(32)
        instants = (at, 0, position, versions[account], SECOND)
        rows.append((account, issue, *instants, kind, linear_id, score, None, commitment))
    return pa.table(
        [
            pa.array(each, field.type)
            for each, field in zip(zip(*rows, strict=True), SCHEMA, strict=True)
        ],
        schema=SCHEMA,
    )


def normal(table: pa.Table) -> list[dict[str, object]]:
    """The engagements by account and issue; what there is none of is None."""
    names = ["account", "issue_id", "linear_id", *NUMBERS]
    rows = [
        {name: None if value == NO else value for name, value in row.items()}
        for row in table.select(names).to_pylist()
    ]
    for row in rows:
        row["override"] = None if row["override_at"] is None else row["override"]
    return sorted(rows, key=lambda row: (row["account"], row["issue_id"]))


@given(st.lists(INTERACTIONS | OVERRIDES, min_size=1, max_size=30))
@example([(ACCOUNTS[0], "AI-1", 1, kind, each, None) for kind in (3, 1, 3) for each in "ba"])
def test_the_peers_compute_the_same_columns_exactly(events):
    from tests.benchmarks.archived_peers import (  # noqa: PLC0415 - `make bench` installs them
        duckdb_engagements,
        polars_engagements,
    )

    with TemporaryDirectory() as folder:
        archive = Archive(Path(folder) / "archive")
        segment = archive.publish(table_of(events), 1, len(events))
        ours = pa.concat_tables(merged([archive.row_groups(segment, FOLDED_COLUMNS)]))
        files = [archive.folder / segment.name]
        peers = duckdb_engagements(files), polars_engagements(files).to_arrow()
    assert [normal(each) for each in peers] == [normal(ours)] * 2
