"""Telegram's side as the bot can know it: users, chats, their members and messages."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tests.support.telegram.errors import bad_request, forbidden
from tests.support.telegram.http_messages import Upload
from tests.support.telegram.update_queue import UpdateQueue

Message = dict[str, Any]
User = dict[str, Any]

PRESENT = frozenset({"creator", "administrator", "member", "restricted"})
SPOKEN = {"group": "group chat", "supergroup": "supergroup chat", "channel": "channel chat"}


def wall_clock() -> datetime:
    """The time of day."""
    return datetime.now(UTC)


@dataclass(eq=False)
class Chat:
    """A chat: who is in it (user id to status), its topics (thread id to title), its messages."""

    id: int
    type: str
    names: dict[str, str]
    is_forum: bool = False
    members: dict[int, str] = field(default_factory=dict)
    topics: dict[int, str] = field(default_factory=dict)
    closed_topics: set[int] = field(default_factory=set)
    messages: dict[int, Message] = field(default_factory=dict)
    last_message_id: int = 0
    migrated_to: int | None = None
    bot_may_post: bool = True

    def shown(self) -> dict[str, Any]:
        """The chat as messages name it."""
        forum = {"is_forum": True} if self.is_forum else {}
        return {"id": self.id, "type": self.type, **self.names, **forum}

    def has(self, user_id: int) -> bool:
        """Whether a user (or the bot) is in it."""
        return self.members.get(user_id) in PRESENT

    def is_admin(self, user_id: int) -> bool:
        """Whether a user (or the bot) administers it."""
        return self.members.get(user_id) in {"creator", "administrator"}


@dataclass(eq=False)
class Sent:
    """A message of the bot in its present form: edits change it, and a deleted one says so."""

    message: Message
    html: str
    file: Upload | None = None
    deleted: bool = False
    edits: list[str] = field(default_factory=list)

    @property
    def chat_id(self) -> int:
        """Where."""
        return int(self.message["chat"]["id"])

    @property
    def message_id(self) -> int:
        """Its number there."""
        return int(self.message["message_id"])

    @property
    def topic(self) -> int | None:
        """The topic it stands in; none outside forums and in the general topic."""
        return self.message.get("message_thread_id") if self.is_in_topic else None

    @property
    def is_in_topic(self) -> bool:
        """Whether it stands in a topic of a forum."""
        return bool(self.message.get("is_topic_message"))

    @property
    def text(self) -> str:
        """The text or caption, without tags."""
        return str(self.message.get("text", self.message.get("caption", "")))

    @property
    def entities(self) -> list[dict[str, Any]]:
        """The texts of the tags."""
        name = "entities" if "text" in self.message else "caption_entities"
        return list(self.message.get(name, []))

    @property
    def rows(self) -> list[list[dict[str, Any]]]:
        """Its inline buttons, row by row."""
        return list(self.message.get("reply_markup", {}).get("inline_keyboard", []))

    @property
    def buttons(self) -> list[str]:
        """The words on its inline buttons."""
        return [button["text"] for row in self.rows for button in row]

    @property
    def reply_to(self) -> int | None:
        """The message it answers."""
        replied = self.message.get("reply_to_message")
        return None if replied is None else int(replied["message_id"])


class Result(NamedTuple):
    """An inline result as the person who types sees it, and the text that it posts."""

    id: str
    title: str
    description: str
    text: str
    entities: list[dict[str, Any]]
    buttons: list[dict[str, Any]]


class InlineAnswer(NamedTuple):
    """The answer to an inline query: its results, the button above them, all that was sent."""

    results: list[Result]
    line: str
    parameters: dict[str, Any]


class ServerState:
    """Everything Telegram knows. `changed` guards it, and is notified of every change."""

    def __init__(self, token: str, username: str, clock: Callable[[], datetime]) -> None:
        """Start with a bot and no people."""
        self.token = token
        self.clock = clock
        self.changed = threading.Condition()
        self.bot: User = {
            "id": int(token.split(":", maxsplit=1)[0]),
            "is_bot": True,
            "first_name": "Ledger",
            "username": username,
        }
        self.can_read_all_group_messages = True
        self.users: dict[int, User] = {self.bot["id"]: self.bot}
        self.chats: dict[int, Chat] = {}
        self.sent: list[Sent] = []
        self.queue = UpdateQueue()
        self.own_message_id = 0
        self.complaints: list[str] = []
        self.unanswered: set[str] = set()
        self.answers: dict[str, dict[str, Any]] = {}
        self.inline_queries: set[str] = set()
        self.inline_answers: dict[str, InlineAnswer] = {}
        self.guest_answers: dict[str, Result] = {}
        self.commands: dict[str, list[dict[str, str]]] = {}
        self.words: dict[tuple[str, str], str] = {}

    @property
    def bot_id(self) -> int:
        """The bot's user id."""
        return int(self.bot["id"])

    def seconds(self) -> int:
        """The time as Telegram tells it, in whole seconds."""
        return int(self.clock().timestamp())

    def next_message_id(self, chat: Chat) -> int:
        """Supergroups and channels count for themselves, all other chats of the bot together."""
        if chat.type in {"supergroup", "channel"}:
            chat.last_message_id += 1
            return chat.last_message_id
        self.own_message_id += 1
        return self.own_message_id

    def post(self, chat: Chat, **content: Any) -> Message:
        """Put a message into a chat; it is dated now."""
        message = {
            "message_id": self.next_message_id(chat),
            "date": self.seconds(),
            "chat": chat.shown(),
            **content,
        }
        chat.messages[message["message_id"]] = message
        return message

    def find_chat(self, chat_id: Any) -> Chat:
        """The chat of that id or @name; 400 where there is none."""
        if isinstance(chat_id, str) and chat_id.startswith("@"):
            name = chat_id[1:].casefold()
            named = (
                c for c in self.chats.values() if c.names.get("username", "").casefold() == name
            )
            found = next((chat for chat in named if chat.type != "private"), None)
        else:
            found = self.chats.get(chat_id)
        if found is None and chat_id in self.users:
            raise forbidden("bot can't initiate conversation with a user")
        if found is None:
            raise bad_request("chat not found")
        return found

    def reach(self, chat_id: Any) -> Chat:
        """The chat, if the bot may write there; else the error that Telegram answers."""
        chat = self.find_chat(chat_id)
        if chat.migrated_to:
            raise bad_request(
                "group chat was upgraded to a supergroup chat", migrate_to_chat_id=chat.migrated_to
            )
        status = chat.members.get(self.bot_id)
        if chat.type == "private" and status is None:
            raise forbidden("bot can't initiate conversation with a user")
        if chat.type == "private" and status == "kicked":
            raise forbidden("bot was blocked by the user")
        if status == "kicked":
            raise forbidden(f"bot was kicked from the {SPOKEN[chat.type]}")
        if not chat.has(self.bot_id):
            raise forbidden(f"bot is not a member of the {SPOKEN[chat.type]}")
        return chat


def without_reply(message: Message) -> Message:
    """A message as another one quotes it: replies do not nest."""
    return {name: value for name, value in message.items() if name != "reply_to_message"}


def in_thread(chat: Chat, topic: int | None, replied: Message | None) -> dict[str, Any]:
    """The fields that say where in a chat a message stands, and what it answers.

    In a forum's topic a message that answers none "answers" the topic's creation; in any other
    supergroup a reply carries the number of its thread though there are no topics.
    """
    if topic is None and replied is not None and replied.get("is_topic_message"):
        topic = int(replied["message_thread_id"])
    if topic is not None and chat.is_forum:
        replied = replied or chat.messages[topic]
        thread: dict[str, Any] = {"message_thread_id": topic, "is_topic_message": True}
    elif replied is not None and chat.type == "supergroup" and not chat.is_forum:
        thread = {"message_thread_id": replied.get("message_thread_id", replied["message_id"])}
    else:
        thread = {}
    return thread if replied is None else thread | {"reply_to_message": without_reply(replied)}
