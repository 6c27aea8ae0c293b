"""Exports of a user's data, in files that Telegram accepts.

They are made and sent in the background, one at a time, since each reads a full history.
"""

import asyncio
import datetime as dt
import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import telegram
from telegram.error import Forbidden, TelegramError

from bot.answers.reply import Attachment, Reply, fill, say
from bot.language import words
from bot.telegram.sending import Address, Outbox, fault, send
from bot.user_data import Export, made
from ledger.errors import LedgerError
from projections.application import Engagements

_log = logging.getLogger(__name__)

EXPORT = "export"
"""The command that requests an export."""

PART_BYTES = 45_000_000
"""The most bytes of a file; Telegram accepts 50 MB from a bot."""

MOMENT_SECONDS = 2.0
"""Seconds after which a message says that the export is being made."""


class Exports:
    """Makes and sends exports; for use in one event loop."""

    def __init__(self, engagements: Engagements, home: Path, outbox: Outbox) -> None:
        """Read from `engagements`; files use space in the folder `home`."""
        self._engagements = engagements
        self._home = home
        self._outbox = outbox
        # Belongs to the event loop: at most one delivery for each user, which removes itself.
        self._delivering: dict[int, asyncio.Task[None]] = {}
        # Held while an export is made: one history is read at a time, and one thread is used for
        # it.
        self._making = asyncio.Lock()

    def post(self, bot: telegram.Bot, user_id: int) -> None:
        """Make the user's export and send it to their private chat, unless one is being made."""
        if user_id in self._delivering:
            self._outbox.post(
                user_id, partial(send, bot, Address(user_id), say(words.EXPORT_GOES_ON))
            )
            return
        self._delivering[user_id] = self._outbox.post_beside(partial(self._deliver, bot, user_id))

    def cancel(self, user_id: int) -> None:
        """Stop making or sending the user's export."""
        if delivering := self._delivering.pop(user_id, None):
            delivering.cancel()

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
            if self._delivering.get(user_id) is asyncio.current_task():
                del self._delivering[user_id]

    async def _made(self, user_id: int, stopped: threading.Event) -> Export:
        async with self._making:
            entries = self._engagements.questions.history(str(user_id))
            return await asyncio.to_thread(made, entries, self._home, PART_BYTES, stopped)

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
