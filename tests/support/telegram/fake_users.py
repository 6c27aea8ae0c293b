"""People's actions in Telegram, as verbs. Each returns the update that the bot gets of it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tests.support.telegram.entities import Entity, detected, utf16
from tests.support.telegram.fake_chats import FakeChat, message_of
from tests.support.telegram.server_state import Message, Sent, in_thread
from tests.support.telegram.update_queue import Update

if TYPE_CHECKING:
    from tests.support.telegram.scenario import Scenario

ANONYMOUS = {
    "id": 1087968824,
    "is_bot": True,
    "first_name": "Group",
    "username": "GroupAnonymousBot",
}
CHANNEL_BOT = {"id": 136817688, "is_bot": True, "first_name": "Channel", "username": "Channel_Bot"}
PHOTO = {"file_id": "photo", "file_unique_id": "p", "width": 90, "height": 60, "file_size": 1024}

Anything = Update | Message | Sent
"""A message, the update that brought it, or what the bot sent."""


class FakeUser:
    """A person (or another bot) with an account. Other people's names never matter to it."""

    def __init__(self, api: "Scenario", user: dict[str, Any]) -> None:
        """Act as a user of the fake server."""
        self.api = api
        self.payload = user

    @property
    def id(self) -> int:
        """The user's id, which is also the id of the private chat with the bot."""
        return int(self.payload["id"])

    def private(self) -> FakeChat:
        """The private chat with the bot. The bot may write there once the person has."""
        names = {
            k: v for k, v in self.payload.items() if k in {"first_name", "last_name", "username"}
        }
        with self.api.changed:
            chat = self.api.chats.get(self.id)
            if chat is None:
                chat = FakeChat(self.id, "private", names, api=self.api)
                chat.members[self.id] = "member"
                self.api.chats[self.id] = chat
        assert isinstance(chat, FakeChat)
        return chat

    # --- talking -------------------------------------------------------------------------------

    def says(
        self, text: str, *, in_: FakeChat | None = None, queued: bool = True, **how: Any
    ) -> Update:
        """Write a text: by default in private, else `in_` a chat.

        `reply_to` a message, in a `topic` (its number), with `links` (words to address),
        `naming` (words to person, for people without username), or `entities` as given.
        `extra` fields are put into the message as they are.
        """
        chat = in_ or self.private()
        entities = marked(
            text, **{k: how.pop(k) for k in ("links", "naming", "entities") if k in how}
        )
        content = {"text": text} | ({"entities": entities} if entities else {})
        return self._posts(chat, content, queued=queued, **how)

    def starts(self, *, payload: str = "") -> Update:
        """Open the private chat: /start, with what a deep link carries."""
        return self.says(f"/start {payload}".strip())

    def sends_photo(
        self, caption: str = "", *, in_: FakeChat | None = None, queued: bool = True, **how: Any
    ) -> Update:
        """Send a photo; its caption is read as a text is."""
        entities = detected(caption)
        content: dict[str, Any] = {"photo": [PHOTO]}
        content |= {"caption": caption} if caption else {}
        content |= {"caption_entities": entities} if entities else {}
        return self._posts(in_ or self.private(), content, queued=queued, **how)

    def sends(self, *, in_: FakeChat | None = None, queued: bool = True, **content: Any) -> Update:
        """Send something whose fields are put into the message as they are."""
        return self._posts(in_ or self.private(), content, queued=queued)

    def edits(self, message: Anything, text: str, *, queued: bool = True) -> Update:
        """Change the text, or the caption, of a message."""
        with self.api.changed:
            before = message_of(message)
            chat = self.api.chats[before["chat"]["id"]]
            name, marks = (
                ("caption", "caption_entities") if "photo" in before else ("text", "entities")
            )
            kept = {k: v for k, v in before.items() if k not in {name, marks}}
            found = detected(text)
            after = kept | {name: text} | ({marks: found} if found else {})
            after["edit_date"] = self.api.seconds()
            chat.messages[after["message_id"]] = after
            return self.api.deliver("edited_message", after, chat, queued=queued)

    def forwards(
        self, message: Anything, *, in_: FakeChat | None = None, queued: bool = True
    ) -> Update:
        """Forward a message of any sender."""
        original = message_of(message)
        origin: dict[str, Any] = {"date": original["date"]}
        if "from" in original:
            origin |= {"type": "user", "sender_user": original["from"]}
        else:
            origin |= {"type": "channel", "chat": original["chat"]}
            origin |= {"message_id": original["message_id"]}
        copied = ("text", "entities", "photo", "caption", "caption_entities", "document")
        content = {name: original[name] for name in copied if name in original}
        content["forward_origin"] = origin
        return self._posts(in_ or self.private(), content, queued=queued)

    def says_anonymously(
        self, text: str, *, in_: FakeChat, queued: bool = True, **how: Any
    ) -> Update:
        """Write as an administrator who stays anonymous: the sender is the group."""
        sender = {"from": ANONYMOUS, "sender_chat": in_.shown()}
        return self.says(text, in_=in_, queued=queued, extra=sender, **how)

    def says_as_channel(
        self, text: str, channel: FakeChat, *, in_: FakeChat, queued: bool = True, **how: Any
    ) -> Update:
        """Write in a group in a channel's name."""
        sender = {"from": CHANNEL_BOT, "sender_chat": channel.shown()}
        return self.says(text, in_=in_, queued=queued, extra=sender, **how)

    def _posts(
        self,
        chat: FakeChat,
        content: dict[str, Any],
        *,
        queued: bool,
        reply_to: Anything | None = None,
        topic: int | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Update:
        with self.api.changed:
            if chat.type == "private":
                chat.members[self.api.bot_id] = "member"
            replied = None if reply_to is None else message_of(reply_to)
            place = in_thread(chat, topic, replied)
            fields = {"from": self.payload, **place, **content, **(extra or {})}
            return self.api.deliver("message", self.api.post(chat, **fields), chat, queued=queued)

    # --- pressing and reacting -----------------------------------------------------------------

    def presses(
        self,
        message: Anything,
        button: str | int = 0,
        *,
        data: str | None = None,
        queued: bool = True,
        gone: bool = False,
    ) -> Update:
        """Press an inline button by its words or its number; `data` forges what it carries.

        `gone` presses it on a message that is too old for the bot to be shown.
        """
        pressed = message_of(message)
        rows = pressed.get("reply_markup", {}).get("inline_keyboard", [])
        if data is None:
            data = _button([b for row in rows for b in row], button)["callback_data"]
        with self.api.changed:
            query_id = str(4_000_000_000_000_000_000 + self.api.queue.next_id)
            self.api.unanswered.add(query_id)
            chat = self.api.chats[pressed["chat"]["id"]]
            gone_message = {"chat": chat.shown(), "message_id": pressed["message_id"], "date": 0}
            query = {
                "id": query_id,
                "from": self.payload,
                "message": gone_message if gone else pressed,
                "chat_instance": str(chat.id * 7),
                "data": data,
            }
            return self.api.deliver("callback_query", query, chat, queued=queued)

    def reacts(self, message: Anything, emoji: str = "👍", *, queued: bool = True) -> Update:
        """React to a message; the bot hears of it in private and where it is an administrator."""
        reacted = message_of(message)
        chat = self.api.chats[reacted["chat"]["id"]]
        reaction = {
            "chat": chat.shown(),
            "message_id": reacted["message_id"],
            "user": self.payload,
            "date": self.api.seconds(),
            "old_reaction": [],
            "new_reaction": [{"type": "emoji", "emoji": emoji}],
        }
        hears = chat.type == "private" or chat.is_admin(self.api.bot_id)
        return self.api.deliver("message_reaction", reaction, chat, queued=queued and hears)

    # --- from chats that the bot is not in -----------------------------------------------------

    def types_inline(self, query: str) -> Update:
        """Type something after the bot's name in any chat."""
        with self.api.changed:
            asked = {"id": self._inline_query_id(), "from": self.payload, "query": query}
            return self.api.deliver(
                "inline_query", asked | {"offset": ""}, self.private(), queued=True
            )

    def chooses(self, typed: Update, place: int = 0, *, in_: FakeChat | None = None) -> Update:
        """Choose a result of what was typed, which posts it; a message `in_` a chat of the bot."""
        query = typed["inline_query"]
        with self.api.changed:
            result = self.api.inline_answers[query["id"]].results[place]
            if in_ is not None:
                posted = {"text": result.text, "entities": result.entities}
                self._posts(in_, posted, queued=True, extra={"via_bot": self.api.bot})
            chosen = {"result_id": result.id, "from": self.payload, "query": query["query"]}
            if result.buttons:
                chosen["inline_message_id"] = f"posted-{self.api.queue.next_id}"
            return self.api.deliver("chosen_inline_result", chosen, self.private(), queued=True)

    def calls_guest(self, text: str, chat: FakeChat, **extra: Any) -> Update:
        """Name the bot in a chat that it is not in."""
        with self.api.changed:
            query_id, found = self._inline_query_id(), detected(text)
            content = {"text": text} | ({"entities": found} if found else {})
            fields = {"from": self.payload, "guest_query_id": query_id, **content, **extra}
            message = self.api.post(chat, **fields)
            return self.api.deliver("guest_message", message, chat, queued=True)

    def _inline_query_id(self) -> str:
        query_id = str(5_000_000_000_000_000_000 + self.api.queue.next_id)
        self.api.inline_queries.add(query_id)
        return query_id

    # --- coming, going, letting the bot in -----------------------------------------------------

    def joins(self, chat: FakeChat, *, queued: bool = True) -> Update:
        """Enter a group: a service message."""
        chat.members[self.id] = "member"
        return self._posts(chat, {"new_chat_members": [self.payload]}, queued=queued)

    def leaves(self, chat: FakeChat, *, queued: bool = True) -> Update:
        """Leave a group: a service message."""
        chat.members[self.id] = "left"
        return self._posts(chat, {"left_chat_member": self.payload}, queued=queued)

    def pins(self, message: Anything, *, queued: bool = True) -> Update:
        """Pin a message: a service message that holds it."""
        pinned = message_of(message)
        chat = self.api.chats[pinned["chat"]["id"]]
        assert isinstance(chat, FakeChat)
        return self._posts(chat, {"pinned_message": pinned}, queued=queued)

    def adds_bot(self, chat: FakeChat, *, status: str = "member", queued: bool = True) -> Update:
        """Let the bot in, or change its status; a group gets a service message as well."""
        came = not chat.has(self.api.bot_id)
        update = chat.bot_becomes(status, self, queued=queued)
        if came and chat.type in {"group", "supergroup"}:
            self._posts(chat, {"new_chat_members": [self.api.bot]}, queued=queued)
        return update

    def removes_bot(self, chat: FakeChat, *, queued: bool = True) -> Update:
        """Throw the bot out: `my_chat_member`."""
        return chat.bot_becomes("kicked", self, queued=queued)

    def blocks_bot(self, *, queued: bool = True) -> Update:
        """Block the bot in private."""
        return self.private().bot_becomes("kicked", self, queued=queued)

    def unblocks_bot(self, *, queued: bool = True) -> Update:
        """Unblock it again."""
        return self.private().bot_becomes("member", self, queued=queued)


def marked(
    text: str,
    *,
    links: Mapping[str, str] | None = None,
    naming: Mapping[str, FakeUser] | None = None,
    entities: list[Entity] | None = None,
) -> list[Entity]:
    """The entities of a text: as given, else what Telegram finds, words linked and people named."""
    if entities is not None:
        return entities
    linked = [
        _span(text, words) | {"type": "text_link", "url": u} for words, u in (links or {}).items()
    ]
    named = [
        _span(text, words) | {"type": "text_mention", "user": user.payload}
        for words, user in (naming or {}).items()
    ]
    return sorted([*detected(text), *linked, *named], key=lambda entity: entity["offset"])


def _span(text: str, words: str) -> Entity:
    return {"offset": utf16(text[: text.index(words)]), "length": utf16(words)}


def _button(buttons: list[dict[str, Any]], wanted: str | int) -> dict[str, Any]:
    if isinstance(wanted, int):
        return buttons[wanted]
    return next(button for button in buttons if button["text"] == wanted)
