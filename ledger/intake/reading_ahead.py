"""Reading a history in CSV in a second process, while this one records what was read before.

That one is asked for a part at a time, and reads one part ahead. If it ends early, for any
reason, this one reads the file from its beginning and skips what it has.
"""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from pathlib import Path

import msgspec

from ledger.entries import Entry, Refusal
from ledger.errors import UnreadableHistoryError
from ledger.intake.csv_history import read_csv
from ledger.processes.second_process import SecondProcess

SHARED_FROM = 5_000_000
"""Bytes that are worth a second process: it takes about as long to start as to read them."""

ENTRIES_AT_ONCE = 2_000

_Identity = tuple[int, int]


class Part(msgspec.Struct, frozen=True):
    """The next entries of a history, and how many bytes of its file were read.

    `failure` tells why it cannot be read on, where it cannot.
    """

    entries: list[Entry | Refusal]
    read: int
    failure: str | None = None


@contextmanager
def reading_ahead(stream: io.BufferedReader, name: str) -> Iterator[Iterator[Entry | Refusal]]:
    """Yield what `read_csv` yields, for a block, at the end of which no other process is left.

    What is no long file, a pipe say, is read in this process, as is any where there is one
    processor. The position of `stream` shows how far it was read.
    """
    if not _is_shared(stream):
        yield read_csv(stream, name)
        return
    with SecondProcess(f"{__name__}:{next_part.__name__}") as second:
        call = (stream.name, _identity(stream), name, ENTRIES_AT_ONCE)
        second.begin(*call)
        yield _entries(second, call, stream, name)


def next_part(path: str, identity: _Identity, name: str, at_once: int) -> Part:
    """Return the next part of the file at `path` for another process, which opened it before."""
    return _opened(path, tuple(identity), name).next(at_once)


def _is_shared(stream: io.BufferedReader) -> bool:
    is_long = stream.seekable() and os.fstat(stream.fileno()).st_size >= SHARED_FROM
    return is_long and isinstance(stream.name, str) and SecondProcess.is_useful()


def _entries(
    second: SecondProcess, call: tuple[object, ...], stream: io.BufferedReader, name: str
) -> Iterator[Entry | Refusal]:
    taken = 0
    while part := second.result(Part):
        second.begin(*call)
        stream.seek(part.read)
        yield from part.entries
        taken += len(part.entries)
        if part.failure is not None:
            raise UnreadableHistoryError(part.failure)
        if len(part.entries) < ENTRIES_AT_ONCE:
            return
    stream.seek(0)
    yield from islice(read_csv(stream, name), taken, None)


class _Reading:
    """A file that is read part by part; raises OSError if it is not the one that is meant."""

    def __init__(self, path: str, identity: _Identity, name: str) -> None:
        self._stream = Path(path).open("rb")  # noqa: SIM115 - open for as long as the process is
        if _identity(self._stream) != identity:
            raise FileNotFoundError(path)
        self._entries = read_csv(self._stream, name)

    def next(self, at_once: int) -> Part:
        entries: list[Entry | Refusal] = []
        failure = None
        try:
            for entry in islice(self._entries, at_once):
                entries.append(entry)  # noqa: PERF402 - those before a failure count
        except UnreadableHistoryError as error:
            failure = str(error)
        return Part(entries, self._stream.tell(), failure)


@lru_cache(maxsize=1)
def _opened(path: str, identity: _Identity, name: str) -> _Reading:
    return _Reading(path, identity, name)


def _identity(stream: io.BufferedReader) -> _Identity:
    status = os.fstat(stream.fileno())
    return status.st_dev, status.st_ino
