"""A scenario: its users and chats, the messages of the bot, faults, and waiting for them."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import count
from typing import Any

from tests.support.telegram.errors import Refusal
from tests.support.telegram.fake_chats import FakeChat
from tests.support.telegram.fake_users import FakeUser
from tests.support.telegram.faults import Faults
from tests.support.telegram.oracles import complaints_about_update
from tests.support.telegram.server_state import Chat, Message, Sent, ServerState
from tests.support.telegram.update_queue import Update

ASKED_AGAIN_SECONDS = 0.05

SUPERGROUP_BASE = -1_001_000_000_000
_CHAT_BOUND = ("message", "edited_message")


class Scenario(ServerState):
    """A scenario that tests set up. `complaints` collects the findings of oracles."""

    strict: bool
    faults: Faults

    def __init__(self, token: str, username: str, clock: Callable[[], datetime]) -> None:
        """Begin without users and chats."""
        super().__init__(token, username, clock)
        self._numbers = count(1)

    # --- who and where -------------------------------------------------------------------------

    def user(self, name: str, id: int | None = None, **names: Any) -> FakeUser:  # noqa: A002
        """A person with a Telegram account; `username`, `last_name`, `language_code` if given."""
        user_id = 1_000_000 + next(self._numbers) if id is None else id
        user = {"id": user_id, "is_bot": False, "first_name": name, **names}
        self.users[user_id] = user
        return FakeUser(self, user)

    def other_bot(self, name: str, id: int | None = None) -> FakeUser:  # noqa: A002
        """Another bot, which speaks as a person does."""
        bot = self.user(name, id, username=f"{name.lower()}_bot")
        bot.payload["is_bot"] = True
        return bot

    def group(
        self,
        title: str,
        members: Sequence[FakeUser] = (),
        *,
        id: int | None = None,  # noqa: A002
        bot: str = "member",
    ) -> FakeChat:
        """A basic group that the bot is in (`bot` is its status; "left" for not at all)."""
        return self._chat(id or -4000 - next(self._numbers), "group", title, members, bot)

    def supergroup(
        self,
        title: str,
        members: Sequence[FakeUser] = (),
        *,
        id: int | None = None,  # noqa: A002
        bot: str = "member",
        username: str | None = None,
    ) -> FakeChat:
        """A supergroup, public if it has a username."""
        chat = self._chat(id or self.supergroup_id(), "supergroup", title, members, bot)
        if username:
            chat.names["username"] = username
        return chat

    def forum(self, title: str, members: Sequence[FakeUser] = (), **how: Any) -> FakeChat:
        """A supergroup with topics, which `creates_topic` adds to."""
        chat = self.supergroup(title, members, **how)
        chat.is_forum = True
        return chat

    def channel(self, title: str, *, bot: str = "administrator", username: str = "") -> FakeChat:
        """A channel of a person's, to which only they post."""
        chat = self._chat(self.supergroup_id(), "channel", title, (), bot)
        if username:
            chat.names["username"] = username
        return chat

    def supergroup_id(self) -> int:
        """An id that no supergroup or channel has yet."""
        return SUPERGROUP_BASE - next(self._numbers)

    def _chat(
        self, chat_id: int, kind: str, title: str, members: Sequence[FakeUser], bot: str
    ) -> FakeChat:
        chat = FakeChat(chat_id, kind, {"title": title}, api=self)
        chat.members = {user.id: "member" for user in members}
        if members and kind != "channel":
            chat.members[members[0].id] = "creator"
        chat.members[self.bot_id] = bot
        with self.changed:
            self.chats[chat_id] = chat
        return chat

    # --- what reaches the bot ------------------------------------------------------------------

    def deliver(self, kind: str, payload: dict[str, Any], chat: Chat, *, queued: bool) -> Update:
        """Make an update, and let it wait for the bot if it is one that Telegram would send."""
        with self.changed:
            update = {"update_id": self.queue.take_id(), kind: payload}
            if self.strict:
                self.complaints.extend(complaints_about_update(update))
            sees = kind not in _CHAT_BOUND or self._bot_sees(chat, payload)
            if queued and sees and self.queue.add(update, chat.id):
                self.woken()
            self.changed.notify_all()
        return update

    def queue_raw(self, fields: dict[str, Any]) -> int:
        """Let something wait that no oracle has looked at; returns its update id."""
        with self.changed:
            update = {"update_id": self.queue.take_id()} | fields
            self.queue.add(update, 0)
            self.woken()
            self.changed.notify_all()
        return int(update["update_id"])

    def woken(self) -> None:
        """Called when an update waits."""

    def _bot_sees(self, chat: Chat, message: Message) -> bool:
        """Whether a message reaches the bot: it is there, and privacy mode does not hide it."""
        if not chat.has(self.bot_id):
            return False
        if chat.type == "private" or self.can_read_all_group_messages:
            return True
        return chat.is_admin(self.bot_id) or self._is_meant(message)

    def _is_meant(self, message: Message) -> bool:
        """Whether privacy mode lets it by: commands, the bot's name, replies to it, service
        messages.
        """
        text = str(message.get("text", message.get("caption", "")))
        if not text and "photo" not in message:
            return True
        replied = message.get("reply_to_message", {}).get("from", {}).get("id")
        named = f"@{self.bot['username']}".casefold() in text.casefold()
        return text.startswith("/") or named or replied == self.bot_id

    # --- what the bot did ----------------------------------------------------------------------

    def sent_to(self, where: FakeChat | FakeUser | int) -> list[Sent]:
        """The bot's messages to a chat (a person's private one), oldest first; no deleted ones."""
        chat_id = where if isinstance(where, int) else where.id
        with self.changed:
            return [sent for sent in self.sent if sent.chat_id == chat_id and not sent.deleted]

    def pending(self) -> int:
        """How many updates the bot has not acknowledged."""
        with self.changed:
            return len(self.queue.waiting)

    def wait_until(self, predicate: Callable[[], Any], seconds: float = 5.0) -> Any:
        """Wait until it holds, and return it; AssertionError after `seconds`.

        It is asked after each change here, and now and then for what changes elsewhere. Blocks the
        thread: in a coroutine, await `until`.
        """
        end = time.monotonic() + seconds
        with self.changed:
            while not (result := predicate()) and time.monotonic() < end:
                self.changed.wait(ASKED_AGAIN_SECONDS)
        if not result:
            raise AssertionError(f"it did not come true within {seconds} s")
        return result

    async def until(self, predicate: Callable[[], Any], seconds: float = 5.0) -> Any:
        """`wait_until` for coroutines."""
        return await asyncio.to_thread(self.wait_until, predicate, seconds)

    # --- what goes wrong -----------------------------------------------------------------------

    def flood(self, chat: FakeChat | FakeUser | int | None, seconds: int, times: int = 1) -> None:
        """Answer 429 to the next requests that send to a chat, or to any."""
        chat_id = chat if chat is None or isinstance(chat, int) else chat.id
        with self.changed:
            self.faults.floods.setdefault(chat_id, []).extend([seconds] * times)

    def fail_next(
        self,
        method: str,
        code: int = 500,
        description: str = "Internal Server Error",
        *,
        times: int = 1,
        **parameters: Any,
    ) -> None:
        """Answer the next requests of a method with an error; nothing is done."""
        with self.changed:
            refusals = [Refusal(code, description, **parameters) for _ in range(times)]
            self.faults.failing.setdefault(method, []).extend(refusals)

    def lose_answer(self, method: str, times: int = 1) -> None:
        """Do what is asked next, but answer 502: the bot cannot know that it was done."""
        with self.changed:
            self.faults.losing[method] = self.faults.losing.get(method, 0) + times
