"""Answers to inline queries and guest messages: cards for chats in which others read them.

They show what Linear says of an issue, and nothing of the asker's engagement.
"""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import telegram
from telegram.constants import ParseMode
from telegram.ext import Application, CallbackContext, InlineQueryHandler, TypeHandler

from bot.answers.about_the_bot import hint
from bot.answers.plain_text import plain_text
from bot.answers.reply import Reply, fill, parts, say
from bot.dates.format import Time
from bot.language import words
from bot.linear.cards import card_for_others, lines_of
from bot.linear.issue import Answer
from bot.listening.bot_commands import CARDS, Asked
from bot.listening.inline import GuestMessage, InlineQuery, result_id_of
from bot.telegram.look_ups import NOTHING, Answers, LookUps
from bot.telegram.reception import Received, Reception
from bot.telegram.sending import NO_PREVIEW, Outbox, fault, keyboard, persistently
from ledger.application import Clock

_log = logging.getLogger(__name__)

Context = CallbackContext[Any, Any, Any, Any]

PAUSE_SECONDS = 0.3
"""Seconds between two answers to the queries of one user; of those that wait the newest counts."""

TYPING_AT_MOST = 100
"""The most users whose inline queries are answered at the same time."""

_HELP = "help"
"""The command that the button above the results brings into the private chat."""
_GUEST_RESULT = "guest"

_GUESTS = 1
"""A handler group of its own: no other handler is for guest messages."""


class InlineAnswers:
    """The handlers of inline queries and guest messages."""

    def __init__(
        self, reception: Reception, look_ups: LookUps, outbox: Outbox, clock: Clock, zone: ZoneInfo
    ) -> None:
        """Answer with what `look_ups` finds, outside the chats' queues in `outbox`."""
        self._reception = reception
        self._look_ups = look_ups
        self._outbox = outbox
        self._clock = clock
        self._zone = zone
        # Belongs to the event loop: users whose queries are being answered, with the newest one.
        self._newest: dict[int, tuple[telegram.InlineQuery, Received] | None] = {}

    def join(self, application: Application[Any, Any, Any, Any, Any, Any]) -> None:
        """Add the handlers to `application`."""
        application.add_handler(InlineQueryHandler(self.on_query))
        application.add_handler(TypeHandler(telegram.Update, self.on_guest_message), _GUESTS)

    # --- inline queries --------------------------------------------------------------------------

    async def on_query(self, update: telegram.Update, context: Context) -> None:
        """Answer an inline query, unless a newer one of the user arrives before its turn."""
        query = update.inline_query
        if query is None:
            return
        received = await self._reception.take(update)
        user_id = query.from_user.id
        is_typing = user_id in self._newest
        if not is_typing and len(self._newest) >= TYPING_AT_MOST:
            _log.warning("inline query dropped", extra={"why": "too many users type"})
            return
        self._newest[user_id] = query, received
        if not is_typing:
            self._outbox.post_beside(partial(self._answer_newest, context.bot, user_id))

    async def _answer_newest(self, bot: telegram.Bot, user_id: int) -> None:
        try:
            while newest := self._newest[user_id]:
                self._newest[user_id] = None
                await self._outbox.post_beside(partial(self._answer, bot, *newest))
                await asyncio.sleep(PAUSE_SECONDS)
        finally:
            del self._newest[user_id]

    async def _answer(
        self, bot: telegram.Bot, query: telegram.InlineQuery, received: Received
    ) -> None:
        results, line = await self._results(received)
        button = telegram.InlineQueryResultsButton(line, start_parameter=_HELP) if line else None
        answer = partial(
            bot.answer_inline_query,
            query.id,
            results,
            # What is kept for others would show them what they may not see.
            cache_time=0,
            is_personal=True,
            button=button,
        )
        await persistently(answer)

    async def _results(
        self, received: Received
    ) -> tuple[list[telegram.InlineQueryResultArticle], str]:
        """The results, and the line above them, which cannot be posted."""
        inline = received.parsed.inline
        if received.is_admitted is False:
            return [], words.INLINE_REFUSED
        if not isinstance(inline, InlineQuery) or not inline.issues:
            return [], words.INLINE_HINT
        answers, time = await self._facts(received, inline.issues), self._time()
        return [
            _article(inline.query_id, each, answers.get(each), time) for each in inline.issues
        ], ""

    # --- guest messages --------------------------------------------------------------------------

    async def on_guest_message(self, update: telegram.Update, context: Context) -> None:
        """Answer a message to the bot in a chat that it is not in."""
        if update.guest_message is None:
            return
        received = await self._reception.take(update)
        guest = received.parsed.inline
        if isinstance(guest, GuestMessage) and guest.user_id is not None:
            answer = partial(self._answer_guest, context.bot, guest, received)
            self._outbox.post(guest.user_id, answer)

    async def _answer_guest(
        self, bot: telegram.Bot, guest: GuestMessage, received: Received
    ) -> None:
        reply = await self._guest_reply(guest, received)
        result = _posted(_GUEST_RESULT, reply)
        await persistently(partial(bot.answer_guest_query, guest.query_id, result))

    async def _guest_reply(self, guest: GuestMessage, received: Received) -> Reply:
        if received.is_admitted is False:
            return say(words.INLINE_REFUSED)
        if not guest.issues:
            return hint(in_either_case=self._reception.keys.are_in_either_case)
        answers, time = await self._facts(received, guest.issues), self._time()
        cards = (_for_guest(each, answers.get(each), time) for each in guest.issues)
        return Reply("\n\n".join(cards))

    # --- both ------------------------------------------------------------------------------------

    async def _facts(self, received: Received, issues: Sequence[str]) -> Answers:
        """The answers of Linear; none while the gate cannot decide who asks."""
        if received.is_admitted is None:
            return NOTHING
        if received.known is not None:
            return received.known.answers
        return (await self._look_ups.known(Asked(CARDS, tuple(issues)))).answers

    def _time(self) -> Time:
        return Time(self._clock(), self._zone)


def _for_guest(issue: str, answer: Answer | None, time: Time) -> str:
    if answer is None:
        return fill(words.GUEST_WITHOUT_FACTS, issue=issue)
    return "\n".join(lines_of(issue, answer, time))


def _article(
    query_id: str, issue: str, answer: Answer | None, time: Time
) -> telegram.InlineQueryResultArticle:
    """The result for an issue: to the asker its title and facts, and as a message its card."""
    try:
        reply = card_for_others(issue, answer, time)
        lines = [] if answer is None else lines_of(issue, answer, time)
    except Exception as error:  # noqa: BLE001 - every query is answered (R13)
        _log.error("inline answer failed", extra={"error": fault(error)})
        reply, lines = say("{issue}", issue=issue), []
    description = "\n".join(lines[1:] if len(lines) > 1 else lines)
    return _posted(result_id_of(query_id, issue), reply, plain_text(description))


def _posted(
    result_id: str, reply: Reply, description: str = ""
) -> telegram.InlineQueryResultArticle:
    """The result that posts `reply`; its title is the first line."""
    content = telegram.InputTextMessageContent(
        parts(reply.html)[0], parse_mode=ParseMode.HTML, link_preview_options=NO_PREVIEW
    )
    return telegram.InlineQueryResultArticle(
        result_id,
        plain_text(reply.html).partition("\n")[0],
        content,
        reply_markup=keyboard(reply.buttons),
        description=description or None,
    )
