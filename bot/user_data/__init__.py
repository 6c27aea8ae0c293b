"""Exports of all data recorded about one user, as zipped JSON.

The files are unlinked when they are created: the system removes them when they are closed or the
process ends.
"""

import tempfile
import threading
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from ledger.application import HistoryEntry
from ledger.events import (
    AccountEvent,
    EngagementDecided,
    EngagementHidden,
    InteractionRecorded,
    kind_label,
)
from ledger.instants import iso
from projections.application import Naming

_BEGINNING, _BETWEEN, _END = b"[\n", b",\n", b"\n]\n"
_EMPTY = b"[]\n"

Entry = HistoryEntry | Naming
"""An event of the user, or an observation that names them."""


class StoppedError(Exception):
    """An export that was stopped while it was made."""


class Export(NamedTuple):
    """The number of events, and the files that hold them; the caller closes the files."""

    events: int
    parts: list[IO[bytes]]


def made(
    entries: Iterable[Entry],
    folder: Path,
    part_bytes: int | None = None,
    stopped: threading.Event | None = None,
) -> Export:
    """Write `entries` as zipped JSON into unlinked files, which use space in `folder`.

    Each has about `part_bytes` at most; without a limit one file holds everything. Raises
    StoppedError once `stopped` is set, OSError if the disk is full or read-only, and LedgerError.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    count, parts = 0, [_Part(folder)]
    try:
        for count, entry in enumerate(_until(stopped, entries), 1):  # noqa: B007 - counted to the end
            if part_bytes is not None and parts[-1].is_full(part_bytes):
                parts[-1].end()
                parts.append(_Part(folder))
            parts[-1].add(entry)
        parts[-1].end()
    except BaseException:
        for part in parts:
            part.abandon()
        raise
    return Export(count, [part.file for part in parts])


def _until(stopped: threading.Event | None, entries: Iterable[Entry]) -> Iterator[Entry]:
    for entry in chain(entries, (None,)):
        if stopped is not None and stopped.is_set():
            raise StoppedError
        if entry is not None:
            yield entry


class _Part:
    """One file: a ZIP archive of one JSON array, with one event per line."""

    def __init__(self, folder: Path) -> None:
        self.file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - it is sent open
        self._archive = zipfile.ZipFile(self.file, "w", zipfile.ZIP_DEFLATED)
        self._member = self._archive.open("events.json", "w", force_zip64=True)
        self._before = _BEGINNING

    def is_full(self, part_bytes: int) -> bool:
        return self._before == _BETWEEN and self.file.tell() >= part_bytes

    def add(self, entry: Entry) -> None:
        self._member.write(self._before + msgspec.json.encode(_exported(entry)))
        self._before = _BETWEEN

    def end(self) -> None:
        self._member.write(_END if self._before == _BETWEEN else _EMPTY)
        self._member.close()
        self._archive.close()
        self.file.flush()

    def abandon(self) -> None:
        for each in (self._member, self._archive, self.file):
            with suppress(OSError):
                each.close()


def _exported(entry: Entry) -> dict[str, object]:
    return _observation(entry) if isinstance(entry, Naming) else _own(entry)


def _observation(naming: Naming) -> dict[str, object]:
    event = naming.event
    return {
        "issue_id": event.identifier,
        "kind": "comment" if event.commented else "observation",
        "linear_id": event.issue,
        "roles": naming.roles,
        "occurred_at": iso(event.updated_at),
        "recorded_at": iso(event.recorded_at),
        "context": None,
        "source": f"linear:{event.origin}",
    }


def _own(entry: HistoryEntry) -> dict[str, object]:
    event, origin = entry.event, entry.origin
    return {
        "issue_id": event.issue_id,
        "kind": kind_label(event),
        **_more_of(event),
        "occurred_at": iso(event.occurred_at),
        "recorded_at": iso(event.recorded_at),
        "context": origin.context,
        "source": origin.source,
    }


def _more_of(event: AccountEvent) -> Mapping[str, object]:
    match event:
        case InteractionRecorded():
            return {"linear_id": event.linear_id}
        case EngagementDecided():
            return event.decided
        case EngagementHidden():
            return {}
