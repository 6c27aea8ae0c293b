"""Segments are as docs/reference/segments.md says."""

import hashlib
import struct
from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq

from ledger.archive import digests
from ledger.archive.digests import WINDOW
from ledger.archive.parquet import OBSERVATIONS_OF_A_GROUP, ROWS_OF_A_GROUP
from ledger.segment import (
    BLOCK_BYTES,
    DIGEST_BYTES,
    FORMAT_VERSION,
    FORMAT_WITHOUT_STATES,
)
from tests.support.sealed_ledgers import segments_of
from tests.support.segments_page import COLUMNS, PAGE

HASH = "FIXED_LEN_BYTE_ARRAY"
ENCODINGS = {"dictionary": "RLE_DICTIONARY", "delta": "DELTA_BINARY_PACKED", "plain": "PLAIN"}


def test_the_columns_are_those_of_the_page(engagements):
    first, *_, last = segments_of(engagements)
    folder = engagements.ledger.archive.folder
    without, metadata = (pq.read_metadata(folder / each.name) for each in (first, last))
    *names, state = [name for name, *_ in COLUMNS]
    assert without.schema.names == names
    assert state == "state"
    assert f"{OBSERVATIONS_OF_A_GROUP:,}" in PAGE
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


def has_states(path: Path) -> bool:
    return "state" in pq.read_metadata(path).schema.names


def test_there_are_segments_with_observations_and_without(engagements):
    folder = engagements.ledger.archive.folder
    assert {has_states(folder / each.name) for each in segments_of(engagements)} == {True, False}


def test_a_file_says_of_itself_what_the_page_says(engagements):
    formats = {False: FORMAT_WITHOUT_STATES, True: FORMAT_VERSION}
    for segment in segments_of(engagements):
        path = engagements.ledger.archive.folder / segment.name
        found = msgspec.json.decode(pq.read_metadata(path).metadata[b"engagement_ledger"])
        assert found == {
            "format": formats[has_states(path)],
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
    columns = pq.read_table(path).sort_by("position").to_pydict()
    seen: Counter[bytes] = Counter()
    for row, account in enumerate(columns["account"]):
        columns["versions_before"][row] += seen[account]
        seen[account] += 1
    total = hashlib.sha256()
    for _, part in groupby(
        range(len(columns["position"])), lambda row: columns["position"][row] // window
    ):
        rows = list(part)
        for name, kind, logical, *_ in COLUMNS:
            values = [columns[name][row] for row in rows] if name in columns else []
            if name != "state":
                contents = said(values, kind, is_text=", String" in logical)
            elif any(values):
                hashes = [each and hashlib.sha256(each).digest() for each in values]
                contents = said(hashes, HASH, is_text=False)
            else:
                continue
            total.update(hashlib.sha256(contents).digest())
    return total.digest()


def said(values: list[Any], kind: str, *, is_text: bool) -> bytes:
    """The contents of a column, as described on the page."""
    if is_text:
        texts = sorted({each for each in values if each is not None})
        numbers = [-1 if each is None else texts.index(each) for each in values]
        listed = "".join(f"{text}\0" for text in texts).encode()
        return listed + struct.pack(f"<{len(values)}q", *numbers)
    there = bytes(each is not None for each in values)
    if kind == "DOUBLE":
        return there + struct.pack(f"<{len(values)}d", *(each or 0.0 for each in values))
    if kind == HASH:
        return there + b"".join(each or bytes(32) for each in values)
    return struct.pack(f"<{len(values)}q", *(each or 0 for each in values))
