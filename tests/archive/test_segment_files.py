"""Failing disks are reported as a failing archive by everything that looks at its files."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.archive.segment_files import Files
from ledger.errors import ArchiveUnavailableError

LOOKS: dict[str, Callable[[Files], object]] = {
    "in_place": Files.in_place,
    "moved_aside": Files.moved_aside,
    "found": lambda files: files.found(0, 9),
    "remove_unfinished": Files.remove_unfinished,
    "set_aside": lambda files: files.set_aside(files.aside / "unknown.parquet"),
}


@pytest.mark.parametrize(
    ("name", "failing"),
    [
        *((name, "listdir") for name in LOOKS if name != "set_aside"),
        *((name, "stat") for name in LOOKS),
    ],
)
def test_a_folder_that_cannot_be_read_is_an_error_of_the_archive(
    monkeypatch, tmp_path, name, failing
):
    (tmp_path / "unknown").mkdir()

    def fail(path: object, *_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    monkeypatch.setattr(os if failing == "listdir" else Path, failing, fail)
    with pytest.raises(ArchiveUnavailableError):
        LOOKS[name](Files(tmp_path))
