"""Files of histories: plain or gzipped, from a disk or a pipe."""

import gzip
import io
import zlib

_GZIP_BEGINS = b"\x1f"

READING_FAILS = (EOFError, OSError, zlib.error)
"""What reading a file that was opened can raise."""


def unpacked(stream: io.BufferedReader) -> io.BufferedReader | gzip.GzipFile:
    """Return what `stream` holds, unpacked where it is gzipped, whatever its name."""
    # One byte is all that a slow pipe promises, and enough: no text begins with this one.
    return gzip.GzipFile(fileobj=stream) if stream.peek(1)[:1] == _GZIP_BEGINS else stream


def reason_of(error: Exception) -> str:
    """Return why a file cannot be read on, one of READING_FAILS being the cause."""
    return "the file is truncated" if isinstance(error, EOFError) else str(error)
