"""Nothing in the archive is deleted unproven, whichever database of the ledger is in its place."""

import errno
import logging
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ledger.archive import parquet, segment_files
from ledger.archive.segment_store import Archive
from ledger.errors import ArchiveUnavailableError, LedgerLostError
from ledger.instants import DAY
from ledger.segment import Segment
from ledger.store import retention
from ledger.store.segment_rows import retired
from projections.application import Engagements
from tests.support.sealed_ledgers import EVENTS, USERS, fill, opened, segments_of, small_segments
from tests.support.strategies import HOUR, Clock

OLD, NEW = "old.db", "new.db"


@pytest.fixture(scope="module")
def folder_of_merged(tmp_path_factory: pytest.TempPathFactory, folder_of_filled: Path) -> Path:
    """A ledger whose parts were merged, and a backup of the database from before that."""
    folder, clock = tmp_path_factory.mktemp("merged"), Clock()
    shutil.copytree(folder_of_filled, folder, dirs_exist_ok=True)
    clock.move(3 * DAY)
    back_up(folder, OLD)
    with opened(folder, clock) as engagements:
        engagements.ledger.compactor.merge()
    back_up(folder, NEW)
    return folder


@pytest.fixture
def folder(tmp_path: Path, clock: Clock, folder_of_merged: Path) -> Path:
    """A copy of that folder."""
    shutil.copytree(folder_of_merged, tmp_path, dirs_exist_ok=True)
    clock.move(3 * DAY)
    return tmp_path


@pytest.fixture
def engagements(folder: Path, clock: Clock) -> Iterator[Engagements]:
    with opened(folder, clock) as made:
        yield made


def back_up(folder: Path, name: str) -> None:
    (folder / name).unlink(missing_ok=True)
    with closing(sqlite3.connect(f"file:{folder}/ledger.db?mode=ro", uri=True)) as database:
        database.execute("VACUUM INTO ?", (f"{folder}/{name}",))


def put_back(folder: Path, name: str) -> None:
    lose(folder)
    shutil.copy(folder / name, folder / "ledger.db")


def lose(folder: Path) -> None:
    for path in folder.glob("ledger.db*"):
        if path.suffix in {".db", ".db-wal", ".db-shm"}:
            path.unlink()


def names(folder: Path, within: str = "") -> list[str]:
    return sorted(
        each.name for each in (folder / "ledger.db.archive" / within).iterdir() if each.is_file()
    )


def histories(engagements: Engagements) -> list[list[object]]:
    return [list(engagements.questions.history(user)) for user in USERS]


def compact(engagements: Engagements) -> None:
    with small_segments(100):
        engagements.ledger.compactor.compact(0)


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


# --- what a merge replaced -----------------------------------------------------------------------


def test_what_was_replaced_goes_after_an_hour(engagements, folder, clock):
    (merged,) = segments_of(engagements)
    before = names(folder)
    clock.move(HOUR)
    compact(engagements)
    assert names(folder) == before
    clock.move(1)
    done = engagements.ledger.compactor.compact(0)
    assert names(folder) == [merged.name]
    assert done.swept_bytes > 0
    with engagements.ledger.database.read() as connection:
        assert retired(connection) == []


def test_what_a_clock_ahead_has_replaced_goes_an_hour_after_the_next_compaction(tmp_path, clock):
    with opened(tmp_path, clock) as engagements:
        fill(engagements, clock)
        clock.move(3_650 * DAY)
        engagements.ledger.compactor.merge()
        clock.move(-3_650 * DAY)
        compact(engagements)
        clock.move(HOUR + 1)
        compact(engagements)
        with engagements.ledger.database.read() as connection:
            assert retired(connection) == []


def test_what_was_replaced_stays_while_its_replacement_is_damaged(engagements, folder, clock):
    (merged,) = segments_of(engagements)
    before = names(folder)
    damage(folder / "ledger.db.archive" / merged.name)
    clock.move(2 * HOUR)
    retention.remove_retired(engagements.ledger.database, clock.at)
    assert names(folder) == before
    (folder / "ledger.db.archive" / merged.name).unlink()
    retention.remove_retired(engagements.ledger.database, clock.at)
    assert len(names(folder)) == 2


def test_a_file_that_has_the_name_of_one_that_was_replaced_is_moved_aside(
    engagements, folder, clock
):
    (merged,) = segments_of(engagements)
    other = next(name for name in names(folder) if name != merged.name)
    (folder / "ledger.db.archive" / other).write_bytes(b"another database's")
    clock.move(2 * HOUR)
    compact(engagements)
    assert names(folder) == [merged.name]
    assert names(folder, segment_files.ASIDE) == [other]


def test_a_kill_after_a_file_was_removed_is_no_matter(engagements, folder, clock):
    (merged,) = segments_of(engagements)
    for name in names(folder):
        if name != merged.name:
            (folder / "ledger.db.archive" / name).unlink()
    clock.move(2 * HOUR)
    compact(engagements)
    with engagements.ledger.database.read() as connection:
        assert retired(connection) == []


# --- what the database does not know -------------------------------------------------------------


def test_what_the_database_does_not_know_is_moved_aside_and_told(
    engagements, folder, clock, caplog
):
    archive = folder / "ledger.db.archive"
    unknown = f"{1:019}-{5:019}.parquet"
    for content in (b"first", b"second", b"second"):
        (archive / unknown).write_bytes(content)
        (archive / f"{unknown}.unfinished").write_bytes(b"")
        with caplog.at_level(logging.WARNING), small_segments(100):
            assert engagements.ledger.compactor.compact(0).set_aside == 1
        assert "unknown files of the archive were moved aside" in caplog.text
        assert unknown not in names(folder)
        assert f"{unknown}.unfinished" not in names(folder)
    assert names(folder, segment_files.ASIDE) == [unknown, f"{unknown}.1"]
    assert (archive / segment_files.ASIDE / unknown).read_bytes() == b"first"
    (archive / "notes.txt").write_text("not ours")
    compact(engagements)
    assert "notes.txt" in names(folder)


def test_what_a_segment_is_proven_to_hold_need_not_be_kept_aside(engagements, folder, clock):
    """As a compaction leaves it that broke off: it was written, and not sealed."""
    archive = engagements.ledger.archive
    (merged,) = segments_of(engagements)
    table = archive.read_positions(merged, 3, 6)
    left = archive.publish(table, 3, 6)
    assert left.name in names(folder)
    with small_segments(100):
        assert engagements.ledger.compactor.compact(0).set_aside == 0
    assert left.name not in names(folder)


def test_publishing_never_overwrites_what_is_not_the_same(engagements, folder):
    archive = engagements.ledger.archive
    (merged,) = segments_of(engagements)
    table = archive.read(merged)
    place = archive.folder / f"{1:019}-{99:019}.parquet"
    for content in (b"another database's", b"and one more"):
        place.write_bytes(content)
        segment = archive.publish(table, 1, 99)
        assert place.name == segment.name
        assert archive.files.is_sound(segment)
    assert archive.publish(table, 1, 99) == segment
    kept = archive.folder / segment_files.ASIDE
    assert (kept / place.name).read_bytes() == b"another database's"
    assert names(folder, segment_files.ASIDE) == [place.name, f"{place.name}.1"]


def test_what_is_moved_aside_and_brought_back_is_there_after_a_power_cut(
    engagements, folder, synced
):
    archive = engagements.ledger.archive
    (merged,) = segments_of(engagements)
    archive.files.set_aside(archive.files.place(merged.range))
    assert synced[-2:] == [archive.files.aside, archive.folder]
    synced.clear()
    assert archive.files.bring_back(merged)
    assert synced == [archive.folder]


def test_a_folder_that_cannot_be_listed_is_told(engagements, monkeypatch):
    def fail(_: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", fail)
    with pytest.raises(ArchiveUnavailableError, match="cannot read the archive: Permission denied"):
        engagements.ledger.archive.files.in_place()


# --- backups that are put back -------------------------------------------------------------------


@pytest.mark.parametrize("how", ["missing", "emptied", "without tables"])
def test_no_ledger_is_begun_beside_an_archive(folder, clock, how):
    lose(folder)
    if how != "missing":
        (folder / "ledger.db").touch()
    if how == "without tables":
        with closing(sqlite3.connect(folder / "ledger.db")) as connection:
            connection.execute("VACUUM")
    before = names(folder)
    with pytest.raises(LedgerLostError, match="an archive with 3 segments lies beside it"):
        opened(folder, clock)
    for each in list((folder / "ledger.db.archive").iterdir()):
        (folder / "ledger.db.archive" / segment_files.ASIDE).mkdir(exist_ok=True)
        each.rename(each.parent / segment_files.ASIDE / each.name)
    with pytest.raises(LedgerLostError, match="an archive with 3 segments lies beside it"):
        opened(folder, clock)
    assert names(folder, segment_files.ASIDE) == before
    assert (folder / "ledger.db").exists() == (how != "missing")


@pytest.mark.parametrize("beside", ["-wal", ".barriers"])
def test_no_ledger_is_begun_beside_what_else_is_left_of_one(tmp_path, clock, beside):
    (tmp_path / f"ledger.db{beside}").write_bytes(b"something")
    with pytest.raises(LedgerLostError, match="lies beside it: restore a backup"):
        opened(tmp_path, clock)
    assert [each.name for each in tmp_path.iterdir()] == [f"ledger.db{beside}"]


def test_an_older_database_and_then_a_newer_one_answer_as_they_did(folder, clock):
    with opened(folder, clock) as engagements:
        before = histories(engagements)
        clock.move(2 * HOUR)
        compact(engagements)  # its parts are removed then
        assert len(names(folder)) == 1
    for name, segments in ((OLD, 2), (NEW, 1), (OLD, 2), (NEW, 1)):
        put_back(folder, name)
        with opened(folder, clock) as engagements:
            assert len(segments_of(engagements)) == segments
            compact(engagements)
            clock.move(2 * HOUR)
            compact(engagements)
            assert histories(engagements) == before
            assert (
                engagements.maintenance.replay(repair=False, progress=lambda _: None).difference
                is None
            )


def test_what_an_older_database_moved_aside_is_read_where_it_lies(folder, clock):
    with opened(folder, clock) as engagements:
        before = histories(engagements)
        archive = engagements.ledger.archive
        for each in archive.files.in_place():
            archive.files.set_aside(each)
        assert names(folder) == []
        assert histories(engagements) == before
        (merged,) = segments_of(engagements)
        (archive.folder / merged.name).write_bytes(b"another database's")
        assert histories(engagements) == before
        assert engagements.ledger.compactor.recover().mended == (merged.name,)
        assert archive.files.is_sound(merged)
        assert f"{merged.name}.1" in names(folder, segment_files.ASIDE)


def test_what_was_merged_since_is_made_again(folder, clock):
    with opened(folder, clock) as engagements:
        clock.move(2 * HOUR)
        compact(engagements)
    put_back(folder, OLD)
    with opened(folder, clock) as engagements:
        parts = segments_of(engagements)
        with pytest.raises(ArchiveUnavailableError, match="`engagement archive recover` looks"):
            list(engagements.questions.history("ana"))
        recovered = engagements.ledger.compactor.recover()
        assert recovered.mended == tuple(each.name for each in parts)
        assert all(map(engagements.ledger.archive.files.is_sound, parts))
        assert sum(map(len, histories(engagements))) == 3 * EVENTS
        assert engagements.ledger.compactor.recover().mended == ()


def test_what_is_made_again_with_other_bytes_is_merged_with_a_neighbour(folder, clock, monkeypatch):
    """Another version of the library may write the same events otherwise."""
    archive = folder / "ledger.db.archive"
    put_back(folder, OLD)
    with opened(folder, clock) as engagements:
        first, second = segments_of(engagements)
        before = histories(engagements)
        (archive / first.name).unlink()
        monkeypatch.setattr(parquet, "_LEVEL", 1)
        monkeypatch.setattr(parquet, "_COMPRESSION", dict.fromkeys(parquet._COMPRESSION, "NONE"))
        assert engagements.ledger.compactor.recover().mended == (first.name,)
        (whole,) = segments_of(engagements)
        assert whole.range == (first.first_position, second.last_position)
        assert histories(engagements) == before
        engagements.ledger.archive.check(whole)
        clock.move(2 * HOUR)
        compact(engagements)
        assert names(folder) == [whole.name]


def test_a_merged_file_that_is_damaged_is_made_again_of_what_it_replaced(engagements, folder):
    (merged,) = segments_of(engagements)
    before = histories(engagements)
    damage(folder / "ledger.db.archive" / merged.name)
    assert engagements.ledger.compactor.recover().mended == (merged.name,)
    assert engagements.ledger.archive.files.is_sound(merged)
    assert histories(engagements) == before
    assert names(folder, segment_files.ASIDE) == [merged.name]


FIRST, SECOND = (f"{first:019}-{last:019}.parquet" for first, last in ((1, 6), (7, 13)))


@pytest.mark.parametrize(
    "moves",
    [
        [(FIRST, "copy of the first")],
        [(FIRST, f"{1:019}-{99:019}.parquet")],
        [(FIRST, "kept"), (SECOND, FIRST), ("kept", SECOND)],
    ],
    ids=["by no segment's name", "by the name of another range", "by each other's name"],
)
def test_files_that_were_renamed_are_found_by_what_they_hold(tmp_path, clock, moves):
    with opened(tmp_path, clock) as engagements:
        fill(engagements, clock)
        before, held = histories(engagements), segments_of(engagements)
        archive = tmp_path / "ledger.db.archive"
        for old, new in moves:
            (archive / old).rename(archive / new)
        assert engagements.ledger.compactor.recover().lost == ()
        assert all(map(engagements.ledger.archive.files.is_sound, held))
        assert histories(engagements) == before


def test_it_is_not_made_of_what_another_database_told(engagements, folder):
    archive = engagements.ledger.archive
    (merged,) = segments_of(engagements)
    first = next(each for each in archive.files.found(1, 1) if each != merged)
    table = archive.read(first)
    issues = table.set_column(
        table.schema.get_field_index("linear_id"), "linear_id", table["issue_id"]
    )
    archive.publish(issues.cast(table.schema), *first.range)
    assert len(archive.files.moved_aside()) == 1
    damage(folder / "ledger.db.archive" / merged.name)
    assert engagements.ledger.compactor.recover().mended == (merged.name,)


def test_what_no_file_holds_any_more_is_told(engagements, folder, clock):
    (merged,) = segments_of(engagements)
    for name in names(folder):
        (folder / "ledger.db.archive" / name).unlink()
    assert engagements.ledger.compactor.recover().lost == (merged.name,)


@pytest.mark.parametrize("lie", ["another digest", "newer format", "no segment", "cut"])
def test_a_file_that_is_not_what_it_says_is_never_believed(folder, clock, monkeypatch, lie):
    """Not to make a segment again, and not to remove another one for it."""
    archive_folder = folder / "ledger.db.archive"
    with opened(folder, clock) as engagements:
        (merged,) = segments_of(engagements)
        archive = engagements.ledger.archive
        place = archive_folder / merged.name
        if lie == "no segment":
            place.write_bytes(b"PAR1")
        elif lie == "cut":
            place.write_bytes(place.read_bytes()[:-9])
        else:
            rewrite(archive, merged, monkeypatch, lie)
        assert segment_files.segment_in(place) is None
        for part in names(folder):
            if part != merged.name:
                (archive_folder / part).unlink()
        assert engagements.ledger.compactor.recover().lost == (merged.name,)


def rewrite(archive: Archive, merged: Segment, monkeypatch: pytest.MonkeyPatch, lie: str) -> None:
    """Rewrite the file of a segment with metadata that differ from its contents."""
    said = parquet._metadata_of

    def lying(segment: Segment, **how: bool) -> dict[str, object]:
        other = {"sha256": bytes(32).hex()} if lie == "another digest" else {"format": 99}
        return said(segment, **how) | other

    monkeypatch.setattr(parquet, "_metadata_of", lying)
    table = archive.read_positions(merged, *merged.range)
    (archive.folder / merged.name).unlink()
    archive.publish(table, *merged.range)
