"""The integrity of files: digests of blocks, checked as they are read, and synced folders."""

import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ledger.errors import DamagedSegmentError
from ledger.segment import BLOCK_BYTES, DIGEST_BYTES, Segment

# Durable changes of folders.


def sync(folder: Path) -> None:
    """Sync a folder, so that the names in it survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# Block digests: a segment's file is checked piece by piece, as it is read.
#
# Most questions read a small part of the files, so the database has a digest of each block of a
# file: a changed byte is found by the first read of its block.


def block_digests(file: BinaryIO) -> Iterator[bytes]:
    """Yield the digests of the blocks of `file`, from its position to its end."""
    while block := file.read(BLOCK_BYTES):
        yield _digest(block)


class CheckedFile(io.RawIOBase):
    """The bytes of a segment's file, verified before they are returned.

    Raises DamagedSegmentError if they are not what was written.
    """

    def __init__(self, file: BinaryIO, segment: Segment) -> None:
        """Read `file`, which must be unbuffered and is closed with this object."""
        size = file.seek(0, io.SEEK_END)
        if size != segment.size_bytes:
            file.close()
            raise DamagedSegmentError(segment, f"is {size} bytes long, not {segment.size_bytes}")
        self._file, self._segment, self._at = file, segment, 0

    def readable(self) -> bool:
        """Return True: the file can be read."""
        return True

    def seekable(self) -> bool:
        """Return True: reading can start anywhere."""
        return True

    def tell(self) -> int:
        """The offset of the next read."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the offset of the next read, and return it."""
        begin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._segment.size_bytes}
        self._at = begin[whence] + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Return the next `size` bytes, or all remaining ones; fewer only at the end."""
        end = self._segment.size_bytes if size < 0 else self._at + size
        end = min(end, self._segment.size_bytes)
        begin, self._at = self._at, max(self._at, end)
        return self._checked(begin, end) if begin < end else b""

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()

    def _checked(self, begin: int, end: int) -> bytes:
        first, last = begin // BLOCK_BYTES, (end - 1) // BLOCK_BYTES
        try:
            self._file.seek(first * BLOCK_BYTES)
            whole = self._file.read((last + 1 - first) * BLOCK_BYTES)
        except OSError as error:
            reason = f"cannot be read: {error.strerror}"
            raise DamagedSegmentError(self._segment, reason) from error
        view = memoryview(whole)
        for number in range(first, last + 1):
            at = (number - first) * BLOCK_BYTES
            if _digest(view[at : at + BLOCK_BYTES]) != self._kept(number):
                reason = (
                    f"is damaged within {BLOCK_BYTES} bytes from byte {number * BLOCK_BYTES} on"
                )
                raise DamagedSegmentError(self._segment, reason)
        return whole[begin - first * BLOCK_BYTES : end - first * BLOCK_BYTES]

    def _kept(self, number: int) -> bytes:
        return self._segment.blocks[number * DIGEST_BYTES : (number + 1) * DIGEST_BYTES]


def _digest(block: bytes | memoryview) -> bytes:
    return hashlib.sha256(block).digest()[:DIGEST_BYTES]
