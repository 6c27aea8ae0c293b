"""Linking: codes in comments are redeemed, and the users whose links change get a message."""

import asyncio
from functools import partial

import telegram

from bot.answers.about_the_bot import linked
from bot.answers.reply import Reply, say
from bot.language import words
from bot.linear.link_attempts import Attempt
from bot.telegram.sending import Address, Outbox, send
from ledger.application import EngagementLedger


class Linking:
    """Redeems codes, and writes to the users whose links begin or end."""

    def __init__(self, ledger: EngagementLedger, bot: telegram.Bot, outbox: Outbox) -> None:
        """Link in `ledger`, and send through `outbox`."""
        self._ledger = ledger
        self._bot = bot
        self._outbox = outbox
        self._redeeming: set[asyncio.Task[None]] = set()

    async def redeem(self, attempt: Attempt) -> None:
        """Link durably if the code is right; raises LedgerError if that cannot be decided now.

        A caller that stops waiting does not stop it: the link may exist by then, and its user must
        learn of it.
        """
        task = asyncio.create_task(self._redeem(attempt), name="link")
        self._redeeming.add(task)
        task.add_done_callback(self._redeeming.discard)
        await asyncio.shield(task)

    async def _redeem(self, attempt: Attempt) -> None:
        done = await asyncio.to_thread(self._ledger.linear_links.redeem, *attempt)
        if done is None:
            return
        self._tell(done.user_id, linked(attempt.author.name))
        if done.former_user is not None:
            self._tell(done.former_user, say(words.LINK_LOST))

    def _tell(self, user_id: str, reply: Reply) -> None:
        """Send a reply to a user; those of the terminal and the command line have no chat."""
        if user_id.isascii() and user_id.isdigit():
            to = Address(int(user_id))
            self._outbox.post(to.chat_id, partial(send, self._bot, to, reply), lasting=True)
