"""Damage: the first reader of a damaged segment says which file is damaged, and how."""

import random
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pyarrow as pa
import pytest

from ledger.archive import parquet
from ledger.archive.columns import SCHEMA
from ledger.archive.segment_store import Archive
from ledger.commands import interaction_of
from ledger.errors import (
    ArchiveUnavailableError,
    DamagedSegmentError,
    LedgerUnavailableError,
    MissingSegmentError,
)
from ledger.segment import BLOCK_BYTES, Segment
from projections.application import Engagements
from tests.support.sealed_ledgers import (
    EVENTS,
    NEED_NONE,
    NEED_SEGMENTS,
    USERS,
    fill,
    opened,
    record,
    segments_of,
)
from tests.support.segment_tables import table_of
from tests.support.strategies import NOON, Clock
from tests.support.trials.counts import chance, count

STEP = count(full=1, small=5)
"""The distance in bytes between two that are flipped in a small file."""

EVERY = count(full=1, small=23)
"""The distance in bytes between two that are flipped under questions to a ledger."""


@pytest.fixture
def engagements(filled: Path, clock: Clock) -> Iterator[Engagements]:
    with opened(filled, clock) as made:
        yield made


@pytest.fixture
def first(engagements: Engagements) -> Segment:
    return segments_of(engagements)[0]


@pytest.fixture
def path(engagements: Engagements, first: Segment) -> Path:
    """Where the first segment's file is."""
    return engagements.ledger.archive.folder / first.name


def flip(path: Path, place: int, bit: int = 0) -> None:
    """Turn one bit of a file over."""
    with path.open("r+b") as file:
        file.seek(place)
        (byte,) = file.read(1)
        file.seek(place)
        file.write(bytes([byte ^ (1 << bit)]))


def held(segment: Segment) -> str:
    return (
        f"it held {segment.events} events at the positions {segment.first_position} to "
        f"{segment.last_position}"
    )


# --- one flipped bit -----------------------------------------------------------------------------

ACCOUNTS = [UUID(int=number << 100) for number in range(12)]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Archive, Segment]]:
    """A segment of many blocks and row groups."""
    dice = random.Random(1)
    rows = [
        (
            ACCOUNTS[position % len(ACCOUNTS)].bytes,
            f"AI-{dice.randrange(50)}",
            NOON + dice.randrange(10**12),
            position,
            position,
            NOON + 10**12 + position,
            1 + dice.randrange(3),
            None,
            None,
            None,
            dice.randbytes(32),
        )
        for position in range(1, 12_001)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "ROWS_OF_A_GROUP", 1_000)
        archive = Archive(tmp_path_factory.mktemp("large") / "ledger.db.archive")
        yield archive, archive.publish(table_of(rows), 1, len(rows))


def by_account(archive: Archive, segment: Segment) -> list[pa.Table | DamagedSegmentError]:
    """The answer to each account: its events, or the reason why not."""
    answers = []
    for account in ACCOUNTS:
        try:
            answers.append(archive.read_account(segment, str(account)))
        except DamagedSegmentError as error:
            answers.append(error)
    return answers


def test_a_flipped_bit_in_any_block_is_found_by_a_check_and_by_readers_of_the_block(large):
    archive, segment = large
    path, dice = archive.folder / segment.name, random.Random(2)
    whole = by_account(archive, segment)
    blocks = -(-segment.size_bytes // BLOCK_BYTES)
    assert blocks > 4
    unread = 0
    for block in range(blocks):
        end = min(segment.size_bytes, (block + 1) * BLOCK_BYTES)
        for place in {block * BLOCK_BYTES, dice.randrange(block * BLOCK_BYTES, end), end - 1}:
            bit = dice.randrange(8)
            flip(path, place, bit)
            damaged = f"{segment.name} is damaged within {BLOCK_BYTES} bytes from byte "
            where = f"{damaged}{block * BLOCK_BYTES} on; {held(segment)}"
            for question in (archive.check, archive.read):
                with pytest.raises(DamagedSegmentError, match=where):
                    question(segment)
            found = by_account(archive, segment)
            errors = [each for each in found if isinstance(each, DamagedSegmentError)]
            assert errors
            assert all(where in str(each) for each in errors)
            for before, answer in zip(whole, found, strict=True):
                assert isinstance(answer, DamagedSegmentError) or answer == before
            unread += len(found) - len(errors)
            flip(path, place, bit)
    assert unread, "a question that does not need the block is answered"
    archive.check(segment)


@pytest.mark.trial
def test_a_flipped_bit_anywhere_in_a_small_file_is_found(engagements, path, first):
    archive, dice = engagements.ledger.archive, chance()
    assert first.size_bytes < BLOCK_BYTES
    for place in range(dice.randrange(STEP), first.size_bytes, STEP):
        bit = dice.randrange(8)
        flip(path, place, bit)
        with pytest.raises(DamagedSegmentError, match=first.name):
            archive.check(first)
        with pytest.raises(DamagedSegmentError, match=first.name):
            archive.read_account(first, str(UUID(int=1)))
        if place % EVERY < STEP:
            question = NEED_SEGMENTS[dice.choice(["history", "explain", "top at", "replay"])]
            with pytest.raises(DamagedSegmentError, match=first.name):
                question(engagements)
        flip(path, place, bit)
    archive.check(first)


def test_a_file_that_says_something_else_than_was_sealed_is_found(engagements, path, first):
    """A writer of the file and of its digests in the database cannot hide a change."""
    archive = engagements.ledger.archive
    table = archive.read(first)
    kinds = table["kind"].to_pylist()
    changed = table.set_column(
        SCHEMA.names.index("kind"),
        SCHEMA.field("kind"),
        pa.array([kinds[-1], *kinds[1:]], pa.int8()),
    )
    forged = archive.publish(changed, first.first_position, first.last_position)
    sealed = Segment(
        **{
            **{name: getattr(forged, name) for name in Segment.__struct_fields__},
            "digest": first.digest,
        }
    )
    with pytest.raises(DamagedSegmentError, match=f"{first.name} does not say what was sealed"):
        archive.check(sealed)


# --- other damage --------------------------------------------------------------------------------


def cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 1)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def lengthen(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\0")


def make_a_folder_of(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replace_by_the_next(path: Path) -> None:
    shutil.copy(max(path.parent.iterdir()), path)


def replace_by_noise(path: Path) -> None:
    path.write_bytes(random.Random(4).randbytes(path.stat().st_size))


def replace_by_another_ledgers(path: Path) -> None:
    other = path.parent.parent / "other"
    other.mkdir()
    clock = Clock()
    with opened(other, clock) as engagements:
        fill(engagements, clock)
    shutil.copy(other / "ledger.db.archive" / path.name, path)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (Path.unlink, " is missing"),
    "truncated": (cut, r" is \d+ bytes long, not \d+"),
    "empty": (empty, r" is 0 bytes long, not \d+"),
    "longer": (lengthen, r" is \d+ bytes long, not \d+"),
    "a folder": (make_a_folder_of, " cannot be read: Is a directory"),
    "another segment": (replace_by_the_next, r" is (damaged|\d+ bytes long)"),
    "noise": (replace_by_noise, " is damaged within 65536 bytes from byte 0 on"),
    "another ledger's": (replace_by_another_ledgers, r" is (damaged|\d+ bytes long)"),
}

any_damage = pytest.mark.parametrize(("damage", "words"), DAMAGES.values(), ids=DAMAGES)


def refusal(
    engagements: Engagements, question: Callable[[Engagements], object]
) -> ArchiveUnavailableError | None:
    """Why a question is not answered."""
    try:
        question(engagements)
    except ArchiveUnavailableError as error:
        return error
    return None


@any_damage
def test_what_needs_the_file_says_which_it_is_and_what_it_held(
    engagements, path, first, damage, words
):
    damage(path)
    kind = MissingSegmentError if "missing" in words else DamagedSegmentError
    assert issubclass(kind, LedgerUnavailableError)
    for name, question in NEED_SEGMENTS.items():
        error = refusal(engagements, question)
        assert isinstance(error, kind), name
        assert re.search(f"file {first.name}{words}.*; it held", str(error)), name
        assert held(first) in str(error), name
        assert "\n" not in str(error), name
        assert error.segment == first, name


@any_damage
def test_what_does_not_need_the_file_goes_on(engagements, clock, path, first, damage, words):
    before = [question(engagements) for question in NEED_NONE.values()]
    damage(path)
    assert [question(engagements) for question in NEED_NONE.values()] == before
    with opened(path.parent.parent, clock) as again:
        assert [question(again) for question in NEED_NONE.values()] == before
        size = again.ledger.size()[0]
        record(again, 0)  # repeated: what is counted once stays so
        assert again.ledger.size()[0] == size
        receipt = again.ledger.record(interaction_of("ana", "AI-1", "query"))
        assert receipt.position == size + 1
        again.adjustments.override("ana", "AI-1", 0.8)
        assert again.questions.ask("ana", "AI-1").engagement.override == 0.8


@any_damage
def test_nothing_is_deleted_where_an_older_segment_cannot_be_read(engagements, path, damage, words):
    damage(path)
    before = segments_of(engagements), engagements.ledger.recorder.select_notifications(13, 100)
    for work in ("compact", "merge"):
        with pytest.raises(ArchiveUnavailableError, match=path.name):
            NEED_SEGMENTS[work](engagements)
    assert before == (
        segments_of(engagements),
        engagements.ledger.recorder.select_notifications(13, 100),
    )


@any_damage
def test_all_is_well_again_once_the_file_is_back(tmp_path, engagements, path, first, damage, words):
    before = [list(engagements.questions.history(user)) for user in USERS]
    shutil.copy(path, tmp_path / "kept")
    damage(path)
    with pytest.raises(ArchiveUnavailableError):
        list(engagements.questions.history("ana"))
    if path.is_dir():
        path.rmdir()
    shutil.copy(tmp_path / "kept", path)
    assert [list(engagements.questions.history(user)) for user in USERS] == before
    assert engagements.maintenance.replay(repair=False, progress=lambda _: None).difference is None
    assert sum(map(len, before)) == 3 * EVENTS


@any_damage
def test_who_is_to_be_forgotten_is_not_forgotten_by_half(
    tmp_path, engagements, path, first, damage, words
):
    """Which words are the user's is said by the segments alone, so erasing needs all of them."""
    shutil.copy(path, tmp_path / "kept")
    before = engagements.questions.ranking("ana"), list(engagements.questions.history("ana"))
    damage(path)
    with pytest.raises(ArchiveUnavailableError, match=f"file {first.name}{words}"):
        engagements.ledger.erase("ana")
    assert engagements.questions.ranking("ana") == before[0]
    if path.is_dir():
        path.rmdir()
    shutil.copy(tmp_path / "kept", path)
    assert list(engagements.questions.history("ana")) == before[1]
    engagements.ledger.erase("ana")
    assert engagements.questions.ranking("ana") == list(engagements.questions.history("ana")) == []
    content = (tmp_path / "ledger.db").read_bytes()
    words_left = [number for number in range(EVENTS) if f"word 0 {number}".encode() in content]
    assert words_left == [number for number in range(EVENTS) if number % 2]  # those are ben's
