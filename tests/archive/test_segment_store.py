"""Segments: events come back from their file unchanged, byte for byte."""

import random
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import codec
from ledger.archive import digests as digesting
from ledger.archive import parquet, sorted_merge
from ledger.archive.columns import FILE_SCHEMA, LAST, by_position, occurred_at, recorded_at
from ledger.archive.digests import digest
from ledger.archive.reading import events_in_time, placed_events
from ledger.archive.segment_store import Archive
from ledger.archive.sorted_merge import merge
from ledger.commands import Kind
from ledger.errors import DamagedSegmentError
from ledger.events import AccountEvent, InteractionRecorded, ScoreOverridden
from ledger.instants import Instant
from ledger.segment import SMALL_EVENTS, Segment, due_merges, events_in, mergeable
from ledger.validation import IssueId
from tests.support.segment_tables import segment_rows, table_of

half_as_often = settings(max_examples=settings().max_examples // 2)
"""An example writes a file, and waits until it is on the disk."""

a_quarter_as_often = settings(max_examples=settings().max_examples // 4)
"""An example writes several."""

Rows = list[tuple[Any, ...]]


@pytest.fixture(autouse=True, scope="module")
def small_groups():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "ROWS_OF_A_GROUP", 4)
        yield


@contextmanager
def an_archive() -> Iterator[Archive]:
    with TemporaryDirectory() as path:
        yield Archive(Path(path) / "ledger.db.archive")


def published(archive: Archive, rows: Rows) -> Segment:
    return archive.publish(table_of(rows), rows[0][3], rows[-1][3])


def event_of(row: tuple[Any, ...]) -> tuple[int, AccountEvent]:
    """The event that a row stands for, made without any column."""
    account, issue, occurred, position, version, recorded, kind, linear, score, place, mark = row
    head = UUID(bytes=account), version, Instant(recorded), IssueId(issue)
    if kind is None:
        return position, ScoreOverridden(*head, Instant(occurred), score)
    at_place = None if place is None else UUID(bytes=place)
    return position, InteractionRecorded(
        *head, Kind(kind), Instant(occurred), linear, at_place, mark
    )


def rows_of(table: pa.Table) -> Rows:
    """The rows that a table was made of, in its order."""
    columns = table.to_pydict()
    accounts = [UUID(text).bytes for text in columns["account"]]
    places = [None if text is None else UUID(text).bytes for text in columns["place"]]
    names = ("issue_id", "position", "version", "kind", "linear_id", "score", "commitment")
    issue, position, version, kind, linear, score, mark = (columns[name] for name in names)
    at, recorded = occurred_at(table).tolist(), recorded_at(table).tolist()
    return list(
        zip(
            accounts, issue, at, position, version, recorded,
            kind, linear, score, places, mark, strict=True,
        )
    )  # fmt: skip


# --- what comes back -----------------------------------------------------------------------------


@half_as_often
@given(segment_rows())
def test_events_come_back_as_they_were_recorded_byte_for_byte(rows):
    with an_archive() as kept:
        table = by_position(kept.read(published(kept, rows)))
        assert rows_of(table) == rows
        expected = [event_of(row) for row in rows]
        found = list(placed_events(table))
        assert found == expected
        assert [codec.encode(event) for _, event in found] == [
            codec.encode(event) for _, event in expected
        ]


@half_as_often
@given(segment_rows())
def test_a_file_has_its_events_by_account_issue_instant_and_position(rows):
    with an_archive() as kept:
        found = rows_of(kept.read(published(kept, rows)))
        assert found == sorted(rows, key=lambda row: (str(UUID(bytes=row[0])), *row[1:4]))


@half_as_often
@given(segment_rows(), st.data())
def test_an_account_and_an_issue_are_found_whatever_else_there_is(rows, data):
    with an_archive() as kept:
        segment = published(kept, rows)
        wanted = data.draw(st.sampled_from(rows))
        account, issue = str(UUID(bytes=wanted[0])), wanted[1]
        of_account = [row for row in rows if row[0] == wanted[0]]
        assert rows_of(by_position(kept.read_account(segment, account))) == of_account
        found = kept.read_account(segment, account, issue)
        assert rows_of(by_position(found)) == [row for row in of_account if row[1] == issue]
        assert len(kept.read_account(segment, account, "NO-1")) == sum(
            row[1] == "NO-1" for row in of_account
        )
        in_time = [event_of(row) for row in sorted(of_account, key=lambda row: (row[2], row[3]))]
        assert list(events_in_time(kept.read_account(segment, account))) == in_time
        assert not len(kept.read_account(segment, str(UUID(int=1))))


@half_as_often
@given(segment_rows(), st.data())
def test_groups_between_two_accounts_hold_theirs_and_no_others(rows, data):
    with an_archive() as kept:
        segment = published(kept, rows)
        accounts = sorted({str(UUID(bytes=row[0])) for row in rows})
        after = data.draw(st.sampled_from(["", *accounts]))
        upto = data.draw(st.sampled_from([*accounts, LAST]))
        groups = list(kept.row_groups(segment, ["account", "position"], after, upto))
        found = [pair for group in groups for pair in zip(*group.to_pydict().values(), strict=True)]
        assert sorted(found) == sorted(
            (account, row[3])
            for row in rows
            if after < (account := str(UUID(bytes=row[0]))) <= upto
        )


# --- what a segment is ---------------------------------------------------------------------------


@half_as_often
@given(segment_rows())
def test_a_segment_says_what_its_file_holds(rows):
    with an_archive() as kept:
        segment = published(kept, rows)
        path = kept.folder / segment.name
        assert segment.events == len(rows)
        assert segment.first_recorded_at == min(row[5] for row in rows)
        assert segment.last_recorded_at == max(row[5] for row in rows)
        assert segment.size_bytes == path.stat().st_size
        assert [each.name for each in kept.folder.iterdir()] == [segment.name]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(kept.folder.stat().st_mode) == 0o700
        kept.check(segment)


@half_as_often
@given(segment_rows(min_size=2), st.integers(0, 2**32))
def test_a_digest_is_of_the_events_in_whatever_order_and_pieces(rows, seed):
    whole = digest(table_of(rows))
    shuffled = list(rows)
    random.Random(seed).shuffle(shuffled)
    assert digest(table_of(shuffled)) == whole
    pieces = pa.concat_tables([table_of(shuffled[:1]), table_of(shuffled[1:])])
    assert digest(pieces) == whole


@half_as_often
@given(segment_rows(), segment_rows(max_size=1), st.data())
def test_other_events_have_another_digest(rows, others, data):
    place = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.integers(0, len(rows[0]) - 1))
    changed = list(rows)
    value = others[0][column]
    changed[place] = (*rows[place][:column], value, *rows[place][column + 1 :])
    assert (digest(table_of(changed)) == digest(table_of(rows))) == (changed == rows)
    assert digest(table_of(rows[:-1] or others)) != digest(table_of(rows)) or others == rows


# --- names and merging ---------------------------------------------------------------------------

positions = st.integers(1, 2**63 - 1)


def segment(first: int, last: int, events: int = 1) -> Segment:
    return Segment(first, last, events, Instant(0), Instant(0), b"", 0, b"")


@given(st.lists(positions, min_size=2, max_size=8, unique=True).map(sorted))
def test_files_sort_by_name_as_their_ranges_do(ends):
    segments = [segment(first + 1, last) for first, last in pairwise([0, *ends])]
    assert sorted(segments, key=lambda each: each.name) == segments
    assert len({len(each.name) for each in segments}) == 1


@given(positions, positions, positions, positions)
def test_ranges_overlap_where_they_have_a_position_in_common(first, last, begin, end):
    (first, last), (begin, end) = sorted((first, last)), sorted((begin, end))
    common = max(first, begin) <= min(last, end)
    assert segment(first, last).overlaps(begin, end) == common


@given(st.lists(st.integers(1, 12), max_size=12), st.integers(1, 20))
def test_runs_to_merge_are_neighbours_and_as_long_as_can_be(sizes, at_most):
    segments = [segment(place + 1, place + 1, size) for place, size in enumerate(sizes)]
    runs = mergeable(segments, at_most)
    merged = [each for run in runs for each in run]
    assert merged == [each for each in segments if each in merged]
    groups = [*runs, *([each] for each in segments if each not in merged)]
    groups.sort(key=lambda group: group[0].first_position)
    assert [each for group in groups for each in group] == segments
    for group, following in pairwise(groups):
        assert sum(each.events for each in group) + following[0].events > at_most
    for run in runs:
        assert len(run) > 1
        assert sum(each.events for each in run) <= at_most


@given(st.lists(st.integers(1, 12), max_size=30), st.integers(1, 40))
def test_after_each_compaction_files_are_few_and_no_event_is_merged_often(sizes, at_most):
    sizes, at_most = [SMALL_EVENTS * size for size in sizes], SMALL_EVENTS * at_most
    kept, written = list[Segment](), 0
    for place, size in enumerate(sizes):
        kept.append(segment(place + 1, place + 1, size))
        for run in due_merges(kept, at_most):
            assert len(run) > 1
            assert events_in(run) <= at_most
            first, last = run[0].first_position, run[-1].last_position
            begin = kept.index(run[0])
            assert kept[begin : begin + len(run)] == run
            kept[begin : begin + len(run)] = [segment(first, last, events_in(run))]
            written += events_in(run)
        assert not due_merges(kept, at_most)
    for number, each in enumerate(kept[:-1]):
        newer = events_in(kept[number + 1 :])
        following = kept[number + 1].events
        assert 2 * each.events > 3 * following or each.events + newer > at_most
    assert written <= sum(sizes) * 3 * (sum(sizes) // SMALL_EVENTS + 1).bit_length()


def test_small_segments_are_merged_whatever_their_sizes():
    kept = [segment(1, 1, SMALL_EVENTS), segment(2, 2, 1), segment(3, 3, 1)]
    assert due_merges(kept, 10 * SMALL_EVENTS) == [kept]
    assert due_merges([segment(1, 1, SMALL_EVENTS + 1), *kept[1:]], 10 * SMALL_EVENTS) == [kept[1:]]


# --- merged files --------------------------------------------------------------------------------


@st.composite
def parts_of_rows(draw: st.DrawFn) -> list[Rows]:
    """The contents of several adjacent segments."""
    rows = draw(segment_rows(min_size=2))
    ends = draw(st.sets(st.integers(1, len(rows) - 1), min_size=1, max_size=6).map(sorted))
    return [rows[begin:end] for begin, end in pairwise([0, *ends, len(rows)])]


@contextmanager
def small_steps(rows: Rows, windows: int = 1) -> Iterator[None]:
    """As if there were very many of these rows, whose positions lie in about so many windows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorted_merge, "_ROWS_AT_ONCE", 5)
        patch.setattr(digesting, "WINDOW", (rows[-1][3] - rows[0][3]) // windows + 1)
        yield


def no_progress(_: int) -> None:
    """A callback that does nothing."""


@a_quarter_as_often
@given(parts_of_rows(), st.integers(1, 5))
def test_a_merged_file_is_as_if_all_had_been_written_at_once(parts, windows):
    rows = [row for part in parts for row in part]
    with an_archive() as kept, small_steps(rows, windows):
        segments = [published(kept, part) for part in parts]
        told: list[int] = []
        sealings = {each.range: each.digest for each in segments}
        merged = merge(kept, segments, sealings, told.append)
        assert sum(told) == len(rows)
        table = kept.read(merged)
        at_once = published(kept, rows)
        assert msgspec.structs.replace(merged, size_bytes=0, blocks=b"") == msgspec.structs.replace(
            at_once, size_bytes=0, blocks=b""
        )
        assert rows_of(table) == rows_of(kept.read(at_once))
        kept.check(at_once, {each.range: each.digest for each in segments})


@a_quarter_as_often
@given(parts_of_rows(), st.data())
def test_a_part_that_does_not_say_what_was_sealed_is_not_merged(parts, data):
    with an_archive() as kept, small_steps([parts[0][0], parts[-1][-1]]):
        segments = [published(kept, part) for part in parts]
        place = data.draw(st.integers(0, len(segments) - 1))
        other = msgspec.structs.replace(segments[place], digest=b"other")
        files = {path.name for path in kept.folder.iterdir()}
        with pytest.raises(DamagedSegmentError, match=f"{other.name} does not say"):
            merge(kept, [*segments[:place], other, *segments[place + 1 :]], {}, no_progress)
        with pytest.raises(DamagedSegmentError, match="does not read back"):
            merge(kept, segments, {other.range: other.digest}, no_progress)
        assert {path.name for path in kept.folder.iterdir()} == files


@half_as_often
@given(segment_rows(), st.data())
def test_what_was_recorded_at_some_positions_is_found(rows, data):
    with an_archive() as kept:
        segment = published(kept, rows)
        bounds = st.integers(rows[0][3] - 1, rows[-1][3] + 1)
        first, last = sorted((data.draw(bounds), data.draw(bounds)))
        found = rows_of(kept.read_positions(segment, first, last))
        assert found == [row for row in rows if first <= row[3] <= last]


@half_as_often
@given(segment_rows())
def test_no_row_group_holds_a_part_of_an_engagement_that_fits_in_one(rows):
    with an_archive() as kept:
        segment = published(kept, rows)
        groups = [places_of(each) for each in kept.row_groups(segment, FILE_SCHEMA.names)]
    assert all(0 < len(group) <= parquet.ROWS_OF_A_GROUP for group in groups)
    for group, following in pairwise(groups):
        assert group[-1] != following[0] or set(group) == {group[-1]}


def places_of(table: pa.Table) -> list[tuple[str, str]]:
    """The accounts and issues of the events."""
    return list(zip(*table.select(["account", "issue_id"]).to_pydict().values(), strict=True))
