"""Files of histories: plain or gzipped, from a disk or a pipe."""

import gzip
import io
import zlib

_GZIP_BEGINS = b"\x1f"

READING_FAILS = (EOFError, OSError, zlib.error)
"""Exceptions that reading an open file can raise."""


def unpacked(stream: io.BufferedReader) -> io.BufferedReader | gzip.GzipFile:
    """Return `stream`, decompressed if its contents are gzipped, regardless of its name."""
    # A slow pipe may deliver a single byte, which is enough: no text begins with this one.
    return gzip.GzipFile(fileobj=stream) if stream.peek(1)[:1] == _GZIP_BEGINS else stream


def reason_of(error: Exception) -> str:
    """The reason why a file became unreadable, given one of READING_FAILS."""
    return "the file is truncated" if isinstance(error, EOFError) else str(error)
