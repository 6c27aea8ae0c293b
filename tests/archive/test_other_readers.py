"""Other programs read segments as docs/reference/segments.md says, and come to the same numbers."""

import datetime as dt
import hashlib
import random
import re
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ledger.archive import digests
from ledger.archive.columns import FILE_SCHEMA
from ledger.archive.digests import WINDOW
from ledger.archive.parquet import ROWS_OF_A_GROUP
from ledger.instants import DAY, Instant, instant_of, moment_of
from ledger.interaction import interaction_of, override_of
from ledger.segment import BLOCK_BYTES, DIGEST_BYTES, FORMAT_VERSION
from projections.application import Engagements
from tests.archive.ledgers import segments_of, small_segments
from tests.cli.running import NOON, CommandLine
from tests.docs.documents import ROOT
from tests.strategies import HOUR, Clock

PAGE = (ROOT / "docs/reference/segments.md").read_text()
VERSIONS, FIND_ACCOUNT, TOP_TEN = re.findall(r"^```sql\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COLUMNS = re.findall(
    r"^\| `(\w+)` \| `(\w+)`(.*?) \| (.*?) \| (.*?) \| (.*?) \|", PAGE, re.MULTILINE
)
ENCODINGS = {"dictionary": "RLE_DICTIONARY", "delta": "DELTA_BINARY_PACKED", "plain": "PLAIN"}
USERS = ("ana", "ben", "eve")


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """A command line whose ledger is in the current folder."""
    monkeypatch.chdir(tmp_path)
    return CommandLine(tmp_path)


@pytest.fixture
def engagements(cli: CommandLine) -> Iterator[Engagements]:
    """A history of three users that is sealed to its last event, in several segments."""
    clock, dice = Clock(), random.Random(6)
    clock.at = Instant(instant_of(NOON) - 200 * DAY)
    with Engagements(f"sqlite:///{cli.ledger}", clock=clock) as opened:
        for _ in range(20):
            record(opened, clock, dice)
            clock.move(10 * DAY)
        with small_segments(150):
            opened.ledger.compactor.compact(opened.ledger.size()[0])
        yield opened


def record(opened: Engagements, clock: Clock, dice: random.Random) -> None:
    """Touch some issues, many of them alike, and override a few scores."""
    for user in USERS:
        ago = dice.choice([0, 0, HOUR, 3 * DAY])
        issues = [f"AI-{dice.randrange(60)}" for _ in range(10)]
        at = moment_of(Instant(clock.at - ago))
        opened.ledger.record_many(
            [
                interaction_of(
                    user,
                    issue,
                    dice.choice(["query", "view", "mention"]),
                    occurred_at=at,
                    context="said" if dice.random() < 0.5 else None,
                    linear_id=dice.choice([None, "lin-a", "lin-\U0001f468"]),
                    chat_id=dice.choice([None, "-100"]),
                )
                for issue in issues
            ]
        )
        for score in dice.sample([0.0, 0.3, 0.68, 1.0], 2):
            late = moment_of(Instant(clock.at - dice.choice([0, ago])))
            opened.ledger.override(override_of(user, issues[0], score, occurred_at=late))


def account_of(cli: CommandLine, user: str) -> str:
    with closing(sqlite3.connect(cli.ledger)) as connection:
        found = connection.execute(FIND_ACCOUNT.replace("'ana'", "?"), (user,)).fetchone()
    return str(found[0])


def top_by_duckdb(account: str, at: int) -> list[tuple[str, float]]:
    rows = duckdb.execute(TOP_TEN, {"account": account, "at": at}).fetchall()
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
        assert frame.columns == FILE_SCHEMA.names == [name for name, *_ in COLUMNS]
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


# --- the file is as the page says ----------------------------------------------------------------


def test_the_columns_are_those_of_the_page(engagements):
    segment = segments_of(engagements)[0]
    metadata = pq.read_metadata(engagements.ledger.archive.folder / segment.name)
    assert metadata.format_version == "2.6"
    assert f"{ROWS_OF_A_GROUP:,}" in PAGE
    assert f"{WINDOW:,}" in PAGE
    for number, (name, kind, logical, null, encoding, compression) in enumerate(COLUMNS):
        column, field = metadata.row_group(0).column(number), metadata.schema.column(number)
        assert (column.path_in_schema, column.physical_type) == (name, kind)
        assert (field.max_definition_level == 1) == (null == "yes")
        assert ENCODINGS[encoding] in column.encodings
        assert ("RLE_DICTIONARY" in column.encodings) == (encoding == "dictionary")
        assert column.compression == {"zstd": "ZSTD", "none": "UNCOMPRESSED"}[compression]
        assert field.logical_type.type == {", String": "STRING", ", Int(8)": "INT"}.get(
            logical, "NONE"
        )
    assert metadata.num_columns == len(COLUMNS)


def test_a_file_says_of_itself_what_the_page_says(engagements):
    for segment in segments_of(engagements):
        path = engagements.ledger.archive.folder / segment.name
        found = msgspec.json.decode(pq.read_metadata(path).metadata[b"engagement_ledger"])
        assert found == {
            "format": FORMAT_VERSION,
            "sha256": segment.digest.hex(),
            **{
                name: getattr(segment, name)
                for name in (
                    "first_position",
                    "last_position",
                    "events",
                    "first_recorded_at",
                    "last_recorded_at",
                )
            },
        }
        assert all(f"`{name}`" in PAGE for name in found)


def test_the_digests_are_computed_as_the_page_says(engagements):
    for segment in segments_of(engagements):
        path = engagements.ledger.archive.folder / segment.name
        assert digest_by_the_page(path, WINDOW) == segment.digest
        data = path.read_bytes()
        blocks = [data[at : at + BLOCK_BYTES] for at in range(0, len(data), BLOCK_BYTES)]
        assert segment.blocks == b"".join(
            hashlib.sha256(block).digest()[:DIGEST_BYTES] for block in blocks
        )
        assert segment.size_bytes == len(data)


def test_the_events_of_many_positions_are_digested_part_by_part(engagements, monkeypatch):
    monkeypatch.setattr(digests, "WINDOW", 10)
    archive = engagements.ledger.archive
    for segment in segments_of(engagements):
        assert segment.events > 20
        again = archive.publish(archive.read(segment), *segment.range)
        assert again.digest == digest_by_the_page(archive.folder / segment.name, 10)
        assert again.digest != segment.digest


def digest_by_the_page(path: Path, window: int) -> bytes:
    """The digest of what a file's events say, as the page tells it."""
    total = hashlib.sha256()
    events = pl.read_parquet(path).sort("position")
    number = pl.int_range(pl.len()).over("account").cast(pl.Int32)
    events = events.with_columns(pl.col("versions_before") + number)
    for _, frame in events.group_by(pl.col("position") // window, maintain_order=True):
        for name, kind, logical, *_ in COLUMNS:
            values = frame[name].to_list()
            total.update(hashlib.sha256(said(values, kind, is_text=", String" in logical)).digest())
    return total.digest()


def said(values: list[Any], kind: str, *, is_text: bool) -> bytes:
    """What a column says, as the page tells it."""
    if is_text:
        texts = sorted({each for each in values if each is not None})
        numbers = [-1 if each is None else texts.index(each) for each in values]
        listed = "".join(f"{text}\0" for text in texts).encode()
        return listed + struct.pack(f"<{len(values)}q", *numbers)
    there = bytes(each is not None for each in values)
    if kind == "DOUBLE":
        return there + struct.pack(f"<{len(values)}d", *(each or 0.0 for each in values))
    if kind == "FIXED_LEN_BYTE_ARRAY":
        return there + b"".join(each or bytes(32) for each in values)
    return struct.pack(f"<{len(values)}q", *(each or 0 for each in values))
