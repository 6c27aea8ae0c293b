"""The conversation: which updates are answered, and in which chat.

Handlers decide and post to the outbox; the ledger is read, and replies sent, when the chat's turn
in the outbox comes.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import telegram
from telegram.constants import ChatMemberStatus
from telegram.ext import (
    Application,
    CallbackContext,
    CallbackQueryHandler,
    ChatMemberHandler,
    MessageHandler,
    filters,
)

from bot.answers.about_the_bot import left_over
from bot.answers.plain_text import plain_text
from bot.answers.reply import Reply, say
from bot.clocks import ClockGuard
from bot.language import words
from bot.listening.access import Gate
from bot.listening.bot_commands import (
    CARDS,
    COMMANDS,
    UNHIDE,
    Asked,
    Audience,
    link_payload,
)
from bot.listening.classification import WHY, ChatKind, Message, Pressed, pressed_in
from bot.listening.issue_keys import IssueKeys
from bot.settings import Settings
from bot.telegram.data_export import EXPORT, Exports
from bot.telegram.handlers import NO, YES, Listing, Question, answer, finish, forget_buttons
from bot.telegram.look_ups import NOTHING, Answers, Known, LookUps
from bot.telegram.presses import acknowledge, edit_message, refuse, replace
from bot.telegram.recording import Recorder
from bot.telegram.sending import (
    Address,
    Delivery,
    InGroup,
    Outbox,
    Sent,
    change,
    fault,
    persistently,
    send,
    send_in_private,
)
from ledger.errors import LedgerError, TracesLeftError
from projections.application import Engagements

_log = logging.getLogger(__name__)

Context = CallbackContext[Any, Any, Any, Any]

Deliver = Callable[[Reply], Awaitable[Sent | None]]
"""Sends or edits a reply, and returns the messages that it is in, if there are any."""

_PRESENT = {ChatMemberStatus.MEMBER, ChatMemberStatus.ADMINISTRATOR}


class Conversation:
    """The handlers of one bot's updates."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of one bot
        self,
        engagements: Engagements,
        settings: Settings,
        gate: Gate,
        recorder: Recorder,
        outbox: Outbox,
        clock: ClockGuard,
        look_ups: LookUps,
    ) -> None:
        """Answer from `engagements`, and send through `outbox`."""
        self._engagements = engagements
        self._settings = settings
        self._keys: IssueKeys = recorder.keys
        self._gate = gate
        self._recorder = recorder
        self._outbox = outbox
        self._exports = Exports(engagements, Path(settings.home), outbox)
        self._clock = clock
        self._look_ups = look_ups
        # Held while a user is forgotten: one deletion at a time, each of which may block a thread.
        self._forgetting = asyncio.Lock()

    def join(self, application: Application[Any, Any, Any, Any, Any, Any]) -> None:
        """Add the handlers to `application`."""
        # Edits are recorded, but a question is answered once.
        application.add_handler(MessageHandler(filters.UpdateType.MESSAGE, self.on_message))
        application.add_handler(CallbackQueryHandler(self.on_press))
        application.add_handler(
            ChatMemberHandler(self.on_membership, ChatMemberHandler.MY_CHAT_MEMBER)
        )
        application.add_error_handler(on_error)

    async def on_message(self, update: telegram.Update, context: Context) -> None:
        """Answer a message if it is addressed to the bot."""
        bot: telegram.Bot = context.bot
        received = await self._recorder.reception.take(update)
        parsed, is_admitted = received.parsed, received.is_admitted
        message = parsed.message
        if message is None or message.sender_id is None or update.message is None:
            return
        # While the gate cannot decide, answering a stranger is better than refusing a user (R13).
        if is_admitted is False:
            self._turn_away(bot, message)
        elif parsed.asked is not None:
            topic = update.message.message_thread_id if update.message.is_topic_message else None
            deliver = partial(self._answer, bot, message, parsed.asked, topic, received.known)
            self._outbox.post(message.chat_id, deliver)

    async def on_press(self, update: telegram.Update, context: Context) -> None:
        """Answer a press on a button that opens a card, hides or shows an issue, or decides about
        /forget.
        """
        query = update.callback_query
        if query is None:
            return
        bot: telegram.Bot = context.bot
        received = await self._recorder.reception.take(update)
        parsed, is_admitted = received.parsed, received.is_admitted
        if parsed.press is None or is_admitted is False:
            self._outbox.post(query.from_user.id, partial(acknowledge, query))
            return
        # These buttons are decisions, which are carried out however late their turn comes.
        is_lasting = parsed.press.data.startswith((YES, NO))
        deliver = self._delivery_of(bot, query, parsed.press.data, parsed.pressed, received.known)
        self._outbox.post(parsed.press.presser_id, deliver, lasting=is_lasting)

    async def on_membership(self, update: telegram.Update, context: Context) -> None:
        """Greet a chat to which the bot was added, or leave it if the gate refuses it."""
        change = update.my_chat_member
        if change is None or change.chat.type == telegram.Chat.PRIVATE:
            return
        if (
            change.old_chat_member.status in _PRESENT
            or change.new_chat_member.status not in _PRESENT
        ):
            return
        bot: telegram.Bot = context.bot
        if self._gate.may_be_added_by(change.from_user.id, change.chat.id):
            hello = say(words.START_IN_GROUP, bot=bot.username)
            self._post(bot, Address(change.chat.id), hello)
        else:
            self._leave(bot, change.chat.id)

    # --- messages --------------------------------------------------------------------------------

    async def _answer(
        self,
        bot: telegram.Bot,
        message: Message,
        asked: Asked,
        topic: int | None,
        known: Known | None,
    ) -> None:
        user_id = message.sender_id or 0
        if message.chat_kind is ChatKind.PRIVATE:
            if asked.name == EXPORT:
                if line := left_over(asked):
                    await send(bot, Address(user_id), Reply(line))
                self._exports.post(bot, user_id)
                return
            to = Address(message.chat_id)
            await self._deliver(bot, user_id, asked, partial(send, bot, to), known)
            return
        group = Address(message.chat_id, topic, message.message_id)
        audience = _audience(asked)
        if audience is Audience.PRIVATE_CHAT:
            await send(bot, group, say(words.ONLY_IN_PRIVATE, command=asked.name))
        elif audience is Audience.EVERYONE:
            await send(bot, group, await self._in_group(bot, user_id, asked))
        else:
            in_group = InGroup(group, _note(asked), partial(self._payload, asked))
            deliver = partial(send_in_private, bot, user_id, in_group)
            await self._deliver(bot, user_id, asked, deliver)

    async def _in_group(self, bot: telegram.Bot, user_id: int, asked: Asked) -> Reply:
        if asked.name == "start":
            return say(words.START_IN_GROUP, bot=bot.username)
        return await self._reply(bot, user_id, asked)

    async def _deliver(
        self,
        bot: telegram.Bot,
        user_id: int,
        asked: Asked,
        deliver: Deliver,
        known: Known | None = None,
    ) -> None:
        """Deliver the answer, and change it once Linear has said what it had not said by then.

        `known` are the answers of Linear that recording has waited for, if it has.
        """
        known = await self._look_ups.known(asked) if known is None else known.of(asked)
        sent = await deliver(await self._reply(bot, user_id, asked, known.answers))
        if sent is None or known.is_complete:
            return

        async def complete(answers: Answers) -> None:
            await change(bot, sent, await self._reply(bot, user_id, asked, answers))

        self._look_ups.complete(asked, sent.chat_id, complete)

    async def _reply(
        self, bot: telegram.Bot, user_id: int, asked: Asked, answers: Answers = NOTHING
    ) -> Reply:
        question = Question(
            engagements=self._engagements,
            settings=self._settings,
            keys=self._keys,
            user_id=user_id,
            asked=asked,
            clock=self._clock,
            reads_all=bool(bot.bot.can_read_all_group_messages),
            is_behind=self._recorder.keeper.is_behind,
            will=self._recorder.keeper.will_of(str(user_id)),
            answers=answers,
        )
        reply = await asyncio.to_thread(answer, question)
        if isinstance(reply, Listing):
            titles = await self._look_ups.titles(reply.issues)
            reply = await asyncio.to_thread(finish, reply, titles, asked)
        # An unknown command may be any text, so its name is not logged.
        _log.info("served", extra={"answer": asked.name if asked.name in COMMANDS else "text"})
        return reply

    def _payload(self, asked: Asked) -> str:
        if asked.name == CARDS:
            return link_payload(Asked("score", asked.arguments[:1]))
        # A link's payload cannot carry the punctuation that may surround an issue.
        arguments = tuple(self._keys.named_by(word) or word for word in asked.arguments)
        return link_payload(Asked(asked.name, arguments))

    def _turn_away(self, bot: telegram.Bot, message: Message) -> None:
        if message.is_in_a_group:
            self._leave(bot, message.chat_id)
        elif self._gate.tells(message.chat_id):
            reply = say(words.NOT_WITH_YOU, user_id=message.sender_id)
            self._post(bot, Address(message.chat_id), reply)

    def _leave(self, bot: telegram.Bot, chat_id: int) -> None:
        if self._gate.tells(chat_id):
            self._post(bot, Address(chat_id), say(words.NOT_HERE, chat_id=chat_id))
        self._outbox.post(chat_id, partial(_leave, bot, chat_id))

    def _post(self, bot: telegram.Bot, to: Address, reply: Reply) -> None:
        self._outbox.post(to.chat_id, partial(send, bot, to, reply))

    # --- presses ---------------------------------------------------------------------------------

    def _delivery_of(
        self,
        bot: telegram.Bot,
        query: telegram.CallbackQuery,
        data: str,
        pressed: Pressed | None,
        known: Known | None,
    ) -> Delivery:
        if pressed is not None and pressed.command == CARDS:
            return partial(self._open_card, bot, query, pressed, known)
        if pressed is not None:
            return partial(self._hide, bot, query, pressed)
        if data.startswith(WHY):
            return partial(self._explain, bot, query, data.removeprefix(WHY))
        for prefix, decide in ((YES, self._forget), (NO, self._keep)):
            if data.startswith(prefix):
                is_own = data.removeprefix(prefix) == str(query.from_user.id)
                return partial(decide, query) if is_own else partial(refuse, query)
        return partial(acknowledge, query)

    async def _open_card(
        self,
        bot: telegram.Bot,
        query: telegram.CallbackQuery,
        pressed: Pressed,
        known: Known | None,
    ) -> None:
        await acknowledge(query)
        user_id = query.from_user.id
        deliver = partial(send, bot, Address(user_id))
        await self._deliver(bot, user_id, Asked(CARDS, (pressed.issue,)), deliver, known)

    async def _explain(self, bot: telegram.Bot, query: telegram.CallbackQuery, issue: str) -> None:
        await acknowledge(query)
        user_id = query.from_user.id
        reply = await self._reply(bot, user_id, Asked("why", (issue,)))
        await send(bot, Address(user_id), reply)

    async def _hide(
        self, bot: telegram.Bot, query: telegram.CallbackQuery, pressed: Pressed
    ) -> None:
        """Reply to a hiding, which is recorded by now, and update the message with the button."""
        presser, message = query.from_user.id, query.message
        asked = Asked(pressed.command, (pressed.issue,), issue=pressed.issue)
        done = await self._reply(bot, presser, asked)
        await acknowledge(query, plain_text(done.html))
        if not isinstance(message, telegram.Message) or message.chat.id != presser:
            return  # the press is forged
        if (
            message.text and not self._recorder.keeper.is_behind
        ):  # Telegram omits the text of old messages
            issues = self._issues_below(message) or (pressed.issue,)
            shown = Asked(UNHIDE) if pressed.is_listed else Asked(CARDS, issues)
            await self._deliver(bot, presser, shown, partial(edit_message, query, message))

    def _issues_below(self, message: telegram.Message) -> tuple[str, ...]:
        """The issues that buttons of a message hide or show again."""
        rows = message.reply_markup.inline_keyboard if message.reply_markup else ()
        texts = (str(button.callback_data) for row in rows for button in row)
        pressed = (pressed_in(text, self._keys) for text in texts)
        return tuple(each.issue for each in pressed if each and each.command != CARDS)

    async def _forget(self, query: telegram.CallbackQuery) -> None:
        await acknowledge(query)
        user_id = query.from_user.id
        async with self._forgetting:
            self._exports.cancel(user_id)
            reply = await asyncio.to_thread(self._forgotten, str(user_id))
            self._exports.cancel(user_id)  # one started meanwhile may contain deleted data
        await replace(query, reply)

    def _forgotten(self, user_id: str) -> Reply:
        try:
            latest = self._recorder.latest_update_id
            self._recorder.keeper.forget(user_id)
            self._recorder.forget(user_id, self._engagements.ledger.erase(user_id), latest)
        except TracesLeftError:
            return Reply(words.FORGET_LATER, forget_buttons(user_id))
        except (LedgerError, OSError) as error:
            _log.warning("not forgotten", extra={"error": type(error).__name__})
            return Reply(words.NOT_NOTED, forget_buttons(user_id))
        return say(words.FORGOTTEN)

    async def _keep(self, query: telegram.CallbackQuery) -> None:
        await acknowledge(query)
        await replace(query, say(words.FORGET_KEPT))


def _audience(asked: Asked) -> Audience:
    if asked.name == CARDS:
        return Audience.ASKER
    command = COMMANDS.get(asked.name)
    return Audience.EVERYONE if command is None else command.audience


def _note(asked: Asked) -> Reply:
    if asked.name == CARDS:
        return say(words.ANSWERED_ISSUES, issues=", ".join(asked.arguments))
    return say(words.ANSWERED_IN_PRIVATE)


async def _leave(bot: telegram.Bot, chat_id: int) -> None:
    await persistently(partial(bot.leave_chat, chat_id))


async def on_error(_: object, context: Context) -> None:
    """Log a handler's error without the content of the update."""
    error = context.error
    _log.error("handler failed", extra={"error": "" if error is None else fault(error)})
