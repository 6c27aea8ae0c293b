"""Reading: a question reads the row groups and columns that it needs, and no more of a file."""

import errno
import io
import random
from collections.abc import Iterator
from uuid import UUID

import pyarrow.parquet as pq
import pytest

from ledger.archive import parquet, segment_store
from ledger.archive.columns import SCHEMA, as_in_file
from ledger.archive.file_integrity import CheckedFile
from ledger.archive.reading import FOLDED_COLUMNS
from ledger.archive.segment_store import Archive
from ledger.errors import ArchiveUnavailableError, DamagedSegmentError, DiskFullError
from ledger.segment import BLOCK_BYTES, Segment
from tests.support.segment_tables import table_of
from tests.support.strategies import NOON

ROWS, ACCOUNTS, OF_A_GROUP = 20_000, 40, 1_000
FOOTER_BYTES = 65_536
"""The bytes at the end that the library reads at once, for the file's metadata."""

HOLE_BYTES = 8_192
"""So near to each other, the library reads two pieces as one."""

Range = tuple[int, int]


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Archive, Segment]]:
    """A segment of forty accounts in twenty row groups."""
    dice = random.Random(1)
    rows = [
        (
            UUID(int=dice.randrange(ACCOUNTS) << 100).bytes,
            f"AI-{dice.randrange(50)}",
            NOON + dice.randrange(10**12),
            position,
            position,
            NOON + 10**12 + position,
            1 + dice.randrange(3),
            dice.choice([None, "lin-a", "lin-b"]),
            None,
            UUID(int=dice.randrange(3)).bytes,
            dice.randbytes(32),
        )
        for position in range(1, ROWS + 1)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "ROWS_OF_A_GROUP", OF_A_GROUP)
        archive = Archive(tmp_path_factory.mktemp("reading") / "ledger.db.archive")
        yield archive, archive.publish(table_of(rows), 1, ROWS)


@pytest.fixture
def asked(monkeypatch) -> list[Range]:
    """The ranges of bytes that were asked for."""
    ranges: list[Range] = []
    checked = CheckedFile._checked

    def note(self: CheckedFile, begin: int, end: int) -> bytes:
        ranges.append((begin, end))
        return checked(self, begin, end)

    monkeypatch.setattr(CheckedFile, "_checked", note)
    return ranges


def chunks(metadata: pq.FileMetaData, group: int, columns: list[str]) -> list[Range]:
    """Where the columns of a row group stand in the file."""
    found = []
    for number in range(metadata.num_columns):
        column = metadata.row_group(group).column(number)
        if column.path_in_schema in columns:
            pages = [column.dictionary_page_offset, column.data_page_offset]
            begin = min(each for each in pages if each is not None)
            found.append((begin, begin + column.total_compressed_size))
    return found


def together(spans: list[Range]) -> list[Range]:
    """The ranges as the library reads them."""
    found: list[Range] = []
    for begin, end in sorted(spans):
        is_near = found and begin <= found[-1][1] + HOLE_BYTES
        found.append((found.pop()[0] if is_near else begin, end))
    return found


def metadata_of(archive: Archive, segment: Segment) -> pq.FileMetaData:
    return pq.read_metadata(archive.folder / segment.name)


def beyond(asked: list[Range], allowed: list[Range], segment: Segment) -> list[Range]:
    """The ranges that lie neither in what is allowed nor in the end of the file."""
    spans = [*together(allowed), (segment.size_bytes - FOOTER_BYTES, segment.size_bytes)]
    return [
        (begin, end)
        for begin, end in asked
        if not any(first <= begin and end <= last for first, last in spans)
    ]


@pytest.mark.parametrize("number", [0, 1, 17, ACCOUNTS - 1])
@pytest.mark.parametrize("columns", [SCHEMA.names, [*FOLDED_COLUMNS], ["position"]], ids=len)
def test_an_accounts_events_are_read_from_its_row_groups_alone(sealed, asked, number, columns):
    archive, segment = sealed
    account = str(UUID(int=number << 100))
    table = archive.read_account(segment, account, columns=columns)
    metadata = metadata_of(archive, segment)
    groups = parquet.groups_of(metadata, account, None)
    assert 1 <= len(groups) <= 2
    needed = [*parquet.in_file(columns), "account", "issue_id"]
    allowed = [span for group in groups for span in chunks(metadata, group, needed)]
    assert beyond(asked, allowed, segment) == []
    total = sum(end - begin for begin, end in asked)
    assert total <= FOOTER_BYTES + sum(last - first for first, last in together(allowed))
    assert total < segment.size_bytes / 4
    assert len(table) > ROWS / ACCOUNTS / 2


def test_an_account_that_is_not_there_costs_what_the_file_says_of_itself(sealed, asked):
    archive, segment = sealed
    assert not len(archive.read_account(segment, str(UUID(int=2**127))))
    assert beyond(asked, [], segment) == []
    assert sum(end - begin for begin, end in asked) <= FOOTER_BYTES


def test_an_issue_of_an_account_with_many_row_groups_is_found_by_its_issues(tmp_path, asked):
    rows = [
        (UUID(int=1).bytes, f"AI-{number:04}", NOON, number, number, NOON, 3, *(None,) * 4)
        for number in range(1, 101)
    ]
    archive = Archive(tmp_path / "ledger.db.archive")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "ROWS_OF_A_GROUP", 10)
        segment = archive.publish(table_of(rows), 1, 100)
    metadata = metadata_of(archive, segment)
    assert parquet.groups_of(metadata, str(UUID(int=1)), "AI-0055") == [5]
    assert parquet.groups_of(metadata, str(UUID(int=1)), None) == [*range(10)]
    found = archive.read_account(segment, str(UUID(int=1)), "AI-0055", ["position"])
    assert found["position"].to_pylist() == [55]


def test_some_columns_of_all_accounts_are_read_without_the_others(sealed, asked):
    archive, segment = sealed
    groups = list(archive.row_groups(segment, ["account", "place"]))
    assert sum(map(len, groups)) == ROWS
    metadata = metadata_of(archive, segment)
    allowed = [
        span
        for group in range(metadata.num_row_groups)
        for span in chunks(metadata, group, ["account", "place"])
    ]
    assert beyond(asked, allowed, segment) == []


def test_every_byte_that_is_returned_was_checked_with_its_whole_block(sealed):
    archive, segment = sealed
    whole = (archive.folder / segment.name).read_bytes()
    dice = random.Random(5)
    with archive._open(segment) as file:
        for _ in range(300):
            begin = dice.randrange(segment.size_bytes + 10)
            size = dice.choice([0, 1, 7, BLOCK_BYTES, BLOCK_BYTES + 1, -1])
            file.seek(begin)
            expected = whole[begin:] if size < 0 else whole[begin : begin + size]
            assert file.read(size) == expected
            assert file.tell() == begin + len(expected)
        file.seek(-8, 2)
        assert file.read() == whole[-8:]
        file.seek(-4, 1)
        assert file.read(2) == whole[-4:-2]


# --- writing -------------------------------------------------------------------------------------


def some_rows() -> list[tuple[object, ...]]:
    return [(UUID(int=1).bytes, "AI-1", NOON, 1, 0, NOON, 3, *(None,) * 4)]


def test_what_does_not_read_back_from_the_disk_is_not_published(tmp_path, monkeypatch):
    archive, write = Archive(tmp_path / "ledger.db.archive"), parquet.write

    def write_otherwise(path, _tables, segment, **how):
        other = table_of([(*some_rows()[0][:1], "AI-2", *some_rows()[0][2:])])
        write(path, [as_in_file(other)], segment, **how)

    monkeypatch.setattr(segment_store, "write", write_otherwise)
    with pytest.raises(ArchiveUnavailableError, match="does not read back as it was written"):
        archive.publish(table_of(some_rows()), 1, 1)
    assert list(archive.folder.iterdir()) == []


@pytest.mark.parametrize(("number", "error"), [(28, DiskFullError), (5, ArchiveUnavailableError)])
def test_a_disk_that_fails_is_an_error_of_the_archive(tmp_path, monkeypatch, number, error):
    def fail(_: int) -> None:
        raise OSError(number, "it fails")

    archive = Archive(tmp_path / "ledger.db.archive")
    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(error):
        archive.publish(table_of(some_rows()), 1, 1)
    assert not list(archive.folder.glob("*.parquet"))


def test_an_unfinished_file_that_cannot_be_removed_hides_no_error(tmp_path, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    monkeypatch.setattr("pathlib.Path.unlink", fail)
    with pytest.raises(DiskFullError):
        Archive(tmp_path / "ledger.db.archive").publish(table_of(some_rows()), 1, 1)


def test_a_file_that_cannot_be_read_on_is_named(tmp_path):
    class Failing(io.BytesIO):
        def read(self, _size: int | None = -1) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

    segment = Archive(tmp_path / "ledger.db.archive").publish(table_of(some_rows()), 1, 1)
    with pytest.raises(DamagedSegmentError, match=f"{segment.name} cannot be read: Input/output"):
        CheckedFile(Failing(bytes(segment.size_bytes)), segment).read()


def test_a_ledger_on_a_server_has_no_archive():
    with pytest.raises(ArchiveUnavailableError, match="only a ledger in an SQLite file"):
        Archive(None).publish(table_of(some_rows()), 1, 1)
    assert Archive(None).files.in_place() == Archive(None).files.moved_aside() == []
    assert Archive(None).files.remove_unfinished() == 0
