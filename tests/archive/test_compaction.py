"""Progress: compacting and merging report their progress, up to the total."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, count
from typing import Any
from unittest import mock

import pytest

from ledger.errors import ArchiveUnavailableError, DiskFullError, LedgerUnavailableError
from ledger.segment import STAGES
from ledger.store import compaction
from ledger.store.database import Database
from tests.support.sealed_ledgers import EVENTS, fill, opened, record, small_segments
from tests.support.strategies import Clock


def test_each_stage_of_a_compaction_tells_of_all_that_is_sealed(tmp_path):
    told: list[int] = []
    clock = Clock()
    with opened(tmp_path, clock) as engagements:
        fill(engagements, clock)  # the last part stays hot
        record(engagements, 4)
        compactor, last = engagements.ledger.compactor, engagements.ledger.size()[0] - EVENTS
        events = compactor.sealable(last)
        assert compactor.compact(last, told.append).events == events == EVENTS
        assert (sum(told), min(told) >= 0) == (STAGES * events, True)


def test_a_compaction_in_several_rounds_tells_of_all_that_is_sealed_too(tmp_path):
    told: list[int] = []
    clock = Clock()
    sizes: dict[str, Any] = {"SEALED_AT_ONCE": 2, "SEALED_TOGETHER": 2, "MERGED_EVENTS": 9}
    with opened(tmp_path, clock) as engagements, mock.patch.multiple(compaction, **sizes):
        for part in range(3):
            record(engagements, part)
        compactor = engagements.ledger.compactor
        done = compactor.compact(engagements.ledger.size()[0], told.append)
        assert (done.events, done.segments) == (3 * EVENTS, 3)
        assert (sum(told), min(told) >= 0) == (STAGES * done.events, True)
        kept = [compactor.certificates(each) for each in compactor.segments()]
        compared = [each["compared"]["through"] for each in chain(*kept)]
        assert compared == [*range(2, 20, 2)]


def test_what_is_recorded_meanwhile_is_not_sealed(tmp_path):
    clock = Clock()
    with opened(tmp_path, clock) as engagements, small_segments(2):
        record(engagements, 0)
        parts = count(1)

        def meanwhile(_: int) -> None:
            part = next(parts)
            assert part < 50, "it never ends"
            record(engagements, part)

        assert engagements.ledger.compactor.compact(1_000, meanwhile).events == EVENTS


def test_who_asks_about_a_segment_that_is_merged_meanwhile_is_told_so(tmp_path):
    clock = Clock()
    with opened(tmp_path, clock) as engagements:
        fill(engagements, clock)
        compactor = engagements.ledger.compactor
        before = compactor.segments()
        compactor.merge()
        with pytest.raises(ArchiveUnavailableError, match="merged into a larger segment"):
            compactor.check(before[0])


def test_through_a_link_the_archive_is_the_same(tmp_path):
    clock = Clock()
    (tmp_path / "real").mkdir()
    (tmp_path / "ledger.db").symlink_to(tmp_path / "real" / "ledger.db")
    with opened(tmp_path / "real", clock) as engagements:
        fill(engagements, clock)
        history = list(engagements.questions.history("ana"))
    with opened(tmp_path, clock) as engagements:
        assert list(engagements.questions.history("ana")) == history
        assert engagements.ledger.compactor.compact(1_000).events == EVENTS


def test_a_merge_tells_of_all_that_is_merged(tmp_path):
    told: list[int] = []
    clock = Clock()
    with opened(tmp_path, clock) as engagements:
        fill(engagements, clock)
        engagements.ledger.compactor.merge(told.append)
        assert sum(told) == 2 * EVENTS


@contextmanager
def full_for_merges() -> Iterator[None]:
    """Let segments be written and not be merged, as on a disk that is full by then."""
    full = DiskFullError("the disk that holds the archive is full")
    with (
        mock.patch.object(compaction, "SEALED_AT_ONCE", 600),
        mock.patch.object(compaction, "merge", side_effect=full),
    ):
        yield


def test_on_a_full_disk_what_was_sealed_makes_room_although_it_cannot_be_merged(tmp_path):
    clock = Clock()
    with opened(tmp_path, clock) as engagements:
        for part in range(200):
            record(engagements, part)
        compactor, database = engagements.ledger.compactor, tmp_path / "ledger.db"
        before = database.stat().st_size
        with full_for_merges(), pytest.raises(DiskFullError):
            compactor.compact(engagements.ledger.size()[0])
        assert (len(compactor.segments()), compactor.sealable(2_000)) == (2, 0)
        assert database.stat().st_size < 0.95 * before


def test_what_broke_off_before_its_merge_is_merged_by_the_next_compaction_with_nothing_new(
    tmp_path,
):
    clock = Clock()
    with opened(tmp_path, clock) as engagements:
        fill(engagements, clock)
        compactor = engagements.ledger.compactor
        with full_for_merges(), pytest.raises(DiskFullError):
            compactor.compact(engagements.ledger.size()[0])
        assert len(compactor.segments()) == 3
        done = compactor.compact(engagements.ledger.size()[0])
        assert (done.events, done.segments) == (0, 1)


def test_on_a_full_disk_that_has_no_room_to_make_room_it_is_said_that_it_is_full(tmp_path):
    clock = Clock()
    with opened(tmp_path, clock) as engagements:
        for part in range(200):
            record(engagements, part)
        unavailable = LedgerUnavailableError("another process has held the ledger")
        with (
            full_for_merges(),
            mock.patch.object(Database, "vacuum", side_effect=unavailable) as vacuum,
            pytest.raises(DiskFullError),
        ):
            engagements.ledger.compactor.compact(engagements.ledger.size()[0])
        vacuum.assert_called_once()


def test_a_reader_in_the_way_of_the_log_ends_no_compaction(tmp_path):
    clock = Clock()
    with opened(tmp_path, clock) as engagements:
        for part in range(200):
            record(engagements, part)
        busy = LedgerUnavailableError("a reader has held the log")
        with mock.patch.object(Database, "truncate_log", side_effect=busy) as truncate_log:
            done = engagements.ledger.compactor.compact(engagements.ledger.size()[0])
        truncate_log.assert_called_once()
        assert done.events == 200 * EVENTS
