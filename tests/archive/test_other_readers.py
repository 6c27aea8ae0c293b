"""Other programs read segments as docs/reference/segments.md says, and come to the same numbers."""

import datetime as dt
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

from ledger.archive.columns import FILE_SCHEMA, STATE
from ledger.instants import instant_of
from tests.archive.conftest import USERS
from tests.support.command_line import NOON, CommandLine
from tests.support.sealed_ledgers import segments_of
from tests.support.segments_page import COLUMNS, PAGE

WHY = "DuckDB and Polars are tools of the trials: make trials installs them"
duckdb = pytest.importorskip("duckdb", reason=WHY)
pl = pytest.importorskip("polars", reason=WHY)

pytestmark = pytest.mark.trial

VERSIONS, FIND_ACCOUNT, TOP_TEN = re.findall(r"^```sql\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def account_of(cli: CommandLine, user: str) -> str:
    with closing(sqlite3.connect(cli.ledger)) as connection:
        found = connection.execute(FIND_ACCOUNT.replace("'ana'", "?"), (user,)).fetchone()
    return str(found[0])


def top_by_duckdb(account: str, at: int, statement: str = TOP_TEN) -> list[tuple[str, float]]:
    rows = duckdb.execute(statement, {"account": account, "at": at}).fetchall()
    return [(issue, round(score, 12)) for issue, score in rows]


def top_by_engagement(
    cli: CommandLine, user: str, at: dt.datetime | None = None
) -> list[tuple[str, float]]:
    moment = [] if at is None else ["--at", at.isoformat()]
    ranked = cli("--json", "top", user, *moment).json
    return [(each["issue_id"], each["score"]) for each in ranked]


# --- the same numbers ----------------------------------------------------------------------------


@pytest.mark.usefixtures("engagements")
def test_duckdb_comes_to_the_first_ten_by_the_statement_of_the_page(cli):
    cli.now = NOON + dt.timedelta(days=400)
    for days in (-150, -33, 0, 5, 40, 70, 120, 400):
        at = NOON + dt.timedelta(days=days)
        for user in USERS:
            found = top_by_duckdb(account_of(cli, user), instant_of(at))
            assert found == top_by_engagement(cli, user, at)
            assert not -40 < days <= 70 or len(found) == 10


@pytest.mark.usefixtures("engagements")
def test_a_statement_with_another_recency_comes_to_other_numbers(cli):
    wrong = TOP_TEN.replace("-5e-2", "-6e-2")
    assert top_by_duckdb(account_of(cli, "ana"), instant_of(NOON), wrong) != top_by_engagement(
        cli, "ana", NOON
    )


@pytest.mark.usefixtures("engagements")
def test_among_the_first_ten_there_are_ties_and_overrides(cli):
    """Else nothing was shown of them."""
    scores = [score for user in USERS for _, score in top_by_engagement(cli, user)]
    assert len(set(scores)) < len(scores)
    assert {0.3, 1.0} & set(scores)


def test_after_a_merge_what_was_replaced_is_counted_once(cli, engagements):
    before = [top_by_duckdb(account_of(cli, user), instant_of(cli.now)) for user in USERS]
    assert engagements.ledger.compactor.merge()
    assert len(list(Path("ledger.db.archive").glob("*.parquet"))) > len(segments_of(engagements))
    found = [top_by_duckdb(account_of(cli, user), instant_of(cli.now)) for user in USERS]
    assert found == before


def test_polars_and_duckdb_read_the_same_columns(engagements):
    archive = engagements.ledger.archive
    for segment in segments_of(engagements):
        path = archive.folder / segment.name
        frame = pl.read_parquet(path)
        query = "SELECT * FROM read_parquet($path)"
        others = duckdb.execute(query, {"path": str(path)}).fetchall()
        ours = archive.read(segment)
        names = FILE_SCHEMA.names + [STATE.name] * archive.has_states(segment)
        assert frame.columns == names == [name for name, *_ in COLUMNS][: len(names)]
        assert frame.rows() == others
        said = frame.drop("versions_before").rows()
        assert said == list(zip(*ours.drop(["version"]).to_pydict().values(), strict=True))
        sort = ["account", "issue_id", "occurred_second", "occurred_microsecond", "position"]
        assert frame.select(sort).rows() == sorted(frame.select(sort).rows())


@pytest.mark.parametrize("is_merged", [False, True])
def test_duckdb_tells_versions_by_the_statement_of_the_page(engagements, is_merged):
    if is_merged:
        assert engagements.ledger.compactor.merge()
    found = set(duckdb.execute(VERSIONS).fetchall())
    archive = engagements.ledger.archive
    tables = [archive.read(each, ["position", "version"]) for each in segments_of(engagements)]
    ours = pa.concat_tables(tables).to_pydict().values()
    assert found == set(zip(*ours, strict=True))
    assert len(found) > 50
