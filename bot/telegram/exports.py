"""Exports: everything that is recorded of one person, in files that Telegram accepts.

They are made and sent in the background, one at a time, since each reads a whole history. Their
files have no name on the disk: the system removes them when they are closed or the process ends.
"""

import asyncio
import datetime as dt
import logging
import tempfile
import threading
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple

import msgspec
import telegram
from telegram.error import Forbidden, TelegramError

from bot.language import words
from bot.replies import Attachment, Reply, fill, say
from bot.telegram.outbox import Outbox, fault
from bot.telegram.sending import Address, send
from ledger.errors import LedgerError
from ledger.events import ScoreOverridden
from ledger.instants import iso
from ledger.store.histories import HistoryEntry
from projections.application import Engagements

_log = logging.getLogger(__name__)

EXPORT = "export"
"""The command that requests an export."""

PART_BYTES = 45_000_000
"""The size of a file at most; Telegram accepts 50 MB from a bot."""

MOMENT_SECONDS = 2.0
"""After this time, a message says that the export is being made."""


_BEGINNING, _BETWEEN, _END = b"[\n", b",\n", b"\n]\n"
_EMPTY = b"[]\n"


class Export(NamedTuple):
    """The number of events, and the files that hold them, which the receiver closes."""

    events: int
    parts: list[IO[bytes]]


class Exports:
    """Makes and sends exports; belongs to one event loop."""

    def __init__(self, engagements: Engagements, home: Path, outbox: Outbox) -> None:
        """Read from `engagements`; the files need room in the folder `home`."""
        self._engagements = engagements
        self._home = home
        self._outbox = outbox
        self._asking: set[int] = set()
        self._making = asyncio.Lock()

    def post(self, bot: telegram.Bot, user_id: int) -> None:
        """Make and send the user's export in their private chat, unless one is being made."""
        if user_id in self._asking:
            self._outbox.post(
                user_id, partial(send, bot, Address(user_id), say(words.EXPORT_GOES_ON))
            )
            return
        self._asking.add(user_id)
        self._outbox.post_beside(partial(self._deliver, bot, user_id))

    async def _deliver(self, bot: telegram.Bot, user_id: int) -> None:
        to, stopped = Address(user_id), threading.Event()
        making = asyncio.create_task(self._made(user_id, stopped))
        try:
            await asyncio.wait({making}, timeout=MOMENT_SECONDS)
            if not making.done():
                await send(bot, to, say(words.EXPORT_BEGUN))
            await self._send(bot, to, await making)
        except LedgerError:
            await send(bot, to, say(words.UNREADABLE))
        except OSError as error:
            _log.warning("export not made", extra={"error": fault(error)})
            await send(bot, to, say(words.EXPORT_NO_ROOM))
        finally:
            stopped.set()
            making.cancel()
            self._asking.discard(user_id)

    async def _made(self, user_id: int, stopped: threading.Event) -> Export:
        async with self._making:
            entries = self._engagements.history(str(user_id))
            return await asyncio.to_thread(made, entries, self._home, stopped)

    async def _send(self, bot: telegram.Bot, to: Address, export: Export) -> None:
        with ExitStack() as files:
            for part in export.parts:
                files.enter_context(part)
            try:
                for reply in _replies(export, self._engagements.clock()):
                    await send(bot, to, reply)
            except Forbidden:
                raise  # the bot is stopping, so nothing can be sent
            except TelegramError as error:
                _log.warning("export not taken", extra={"error": type(error).__name__})
                await send(bot, to, say(words.EXPORT_REFUSED, user_id=to.chat_id))
        _log.info("served", extra={"answer": "export"})


def made(
    entries: Iterable[HistoryEntry],
    folder: Path,
    stopped: threading.Event,
    part_bytes: int | None = None,
) -> Export:
    """Write `entries` as zipped JSON into files without a name, which need room in `folder`.

    Each holds about `part_bytes` at most, or what Telegram takes. Raises CancelledError once
    `stopped` is set, OSError if the disk is full or read-only, and LedgerError.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    count, parts = 0, [_Part(folder)]
    try:
        for count, entry in enumerate(_until(stopped, entries), 1):  # noqa: B007 - counted to the end
            if parts[-1].is_full(part_bytes or PART_BYTES):
                parts[-1].end()
                parts.append(_Part(folder))
            parts[-1].add(entry)
        parts[-1].end()
    except BaseException:
        for part in parts:
            part.abandon()
        raise
    return Export(count, [part.file for part in parts])


def _until(stopped: threading.Event, entries: Iterable[HistoryEntry]) -> Iterator[HistoryEntry]:
    for entry in entries:
        if stopped.is_set():
            raise asyncio.CancelledError
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

    def add(self, entry: HistoryEntry) -> None:
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


def _exported(entry: HistoryEntry) -> dict[str, object]:
    event, origin = entry.event, entry.origin
    what = (
        {"kind": "override", "score": event.score}
        if isinstance(event, ScoreOverridden)
        else {"kind": event.kind.label, "linear_id": event.linear_id}
    )
    return {
        "issue_id": event.issue_id,
        **what,
        "occurred_at": iso(event.occurred_at),
        "recorded_at": iso(event.recorded_at),
        "context": origin.context,
        "source": origin.source,
    }


def _replies(export: Export, now: dt.datetime) -> Iterator[Reply]:
    of = len(export.parts)
    for number, part in enumerate(export.parts, 1):
        name = f"engagement-{now:%Y-%m-%d}{f'-{number}-of-{of}' if of > 1 else ''}.zip"
        caption = (
            fill(words.EXPORT, count=export.events)
            if of == 1
            else fill(words.EXPORT_PART, count=export.events, part=number, parts=of)
        )
        yield Reply(caption, attachment=Attachment(name, part, is_picture=False))
