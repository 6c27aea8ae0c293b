"""Hostile texts, and the updates of Telegram that bring them."""

import random
from collections.abc import Callable
from typing import Any

from bot.listening.bot_commands import COMMANDS
from bot.listening.classification import CARD
from tests.support.strategies import BIDI_CONTROLS, GRAPHEMES, LONE_SURROGATES, NOON

Update = dict[str, Any]

BOT = {
    "id": 99,
    "is_bot": True,
    "first_name": "Ledger",
    "username": "ledger_bot",
    "can_read_all_group_messages": True,
}
TEXT_LIMIT = 4096
LAST_DATE = 2**31 - 1
TODAY = NOON // 1_000_000
PEOPLE = 15
UPDATES_OF_A_GROUP = 500
"""The number of people who talk at once, and of messages before other people take over."""

KEYS = ("AI-1", "AI-1799", "DMD-480", "PLA4-16916", "Z-99999", "ABCDEFGHIJ-1", "AI-00001", "UTF-8")
MARKUP = (
    "<b>", "</b>", "<i>", "</i>", "<u>x</u>", "<script>alert(1)</script>", "</i></b>", "<", ">",
    "&", "&amp;", "&lt;b&gt;", "&#0;", "<a href='tg://user?id=1'>x</a>", '"><code>', "<tg-spoiler>",
    "<!--", "<pre><code class='x'>", "*_[`~|", "\\", "\"'",
)  # fmt: skip
FORMATS = (
    "{}",
    "{0}",
    "{issue}",
    "{x.__class__}",
    "%s",
    "%(a)s",
    "%",
    "$x",
    "{{",
    "\\n",
    "\\ud800",
)
CONTROLS = (
    "\0",
    "\r",
    "\n\n",
    "\t",
    "\x1b[31m",
    "\x7f",
    "\x85",
    "\u2028",
    "\ufffe",
    "\ufeff",
    "\u00ad",
)
NAMES = ("@ledger_bot", "@LEDGER_BOT", "@other_bot", "https://linear.app/x/issue/AI-7/like-DMD-8")
PIECES = (
    *KEYS, *KEYS, *MARKUP, *FORMATS, *CONTROLS, *NAMES, *GRAPHEMES, *BIDI_CONTROLS,
    *LONE_SURROGATES, " ", " ", " ", "日本語", "שלום", "مرحبا", "١٢٣-٤", "Ω≈ç√", "a" * 300,
    "H" + "\u0336\u0353" * 40, "AI-1" * 100, "-" * 200, "/top", "/", "@",
)  # fmt: skip
ARGUMENTS = (
    *KEYS, "0", "1", "-1", "5", "50", "9" * 30, "٣", "2026-01-31", "0001-01-01", "9999-12-31",
    "2026-01-01T00:00:00", "2026-01-01T00:00:00+23:59", "20260131", "2026-W01", "now", "ai-1",
    "ß-1", "yesterday", "last", "mon", "31", "Jan", "at", "9:15", "weeks", "ago", "a", "999999999",
)  # fmt: skip
TELLING = ("history", "score") * 10
"""Commands whose answers repeat the messages; they come most often."""
COMMON = (*(name for name in COMMANDS if name != "chart"), *TELLING)
"""All commands but `chart`, which takes as long as hundreds of others and comes less often."""
ENTITIES = (
    "mention", "text_mention", "text_link", "url", "bot_command", "bold", "pre", "custom_emoji",
    "new",
)  # fmt: skip
OFFSETS = (0, 0, 1, 7, 4095, 4096, 10**6, LAST_DATE, -1, -4096)


class HostileUpdates:
    """Random hostile texts and updates, from those of `people`."""

    def __init__(self, dice: random.Random) -> None:
        """Let the first people talk."""
        self.dice = dice
        self.number = 0

    # --- texts -----------------------------------------------------------------------------------

    def text(self) -> str:
        """A text of one of several kinds, as long as a message may be."""
        forms = (self._pieces, self._command, self._anything, self._all_keys)
        (form,) = self.dice.choices(forms, (50, 40, 9.5, 0.5))
        return form()[:TEXT_LIMIT]

    def _pieces(self) -> str:
        several = self.dice.choices(PIECES, k=self.dice.choice((1, 2, 5, 20)))
        return self.dice.choice(("", "", " ")).join(several)

    def _command(self) -> str:
        name = "chart" if self.dice.random() < 0.002 else self.dice.choice((*COMMON, "x", "@", ""))
        at = self.dice.choice(("", "", "", "@ledger_bot", "@other_bot", "@"))
        words = [
            self.dice.choice(ARGUMENTS if self.dice.random() < 0.7 else PIECES)
            for _ in range(self.dice.choice((0, 0, 1, 1, 2, 300)))
        ]
        if name == "start":
            words = ["_".join([self.dice.choice(COMMON), *words])]
        return self.dice.choice((" ", " ", "\n")).join([f"/{name}{at}", *words])

    def _anything(self) -> str:
        length = self.dice.choice((1, 10, 100, TEXT_LIMIT))
        ceiling = self.dice.choice((0x80, 0x800, 0x10000, 0x110000))
        return "".join(chr(self.dice.randrange(ceiling)) for _ in range(length))

    def _all_keys(self) -> str:
        return " ".join(f"A{n % 10}-{n}" for n in range(TEXT_LIMIT // 5))

    # --- updates ---------------------------------------------------------------------------------

    def update(self, text: str | None = None) -> Update:
        """An update that brings a hostile text, or the one given."""
        self.number += 1
        text = self.text() if text is None else text
        kinds: tuple[Callable[[str], Update], ...]
        kinds = (self._said, self._edited, self._captioned, self._pressed, self._served)
        (kind,) = self.dice.choices(kinds, (70, 8, 7, 14, 1))
        return {"update_id": self.number, **kind(text)}

    def _said(self, text: str) -> Update:
        return {"message": self._message(text=text, entities=self._entities())}

    def _edited(self, text: str) -> Update:
        message = self._message(text=text, entities=self._entities())
        return {"edited_message": message | {"edit_date": message["date"]}}

    def _captioned(self, text: str) -> Update:
        photo = [{"file_id": "x", "file_unique_id": "x", "width": 1, "height": 1}]
        message = self._message(caption=text, caption_entities=self._entities(), photo=photo)
        return {"message": message}

    def _pressed(self, text: str) -> Update:
        user = self._user()
        own, dice = user["id"], self.dice
        data = (
            f"{CARD}{dice.choice(ARGUMENTS)}", f"{CARD}{text[:50]}", text[:60], f"forget:{own - 1}",
            f"keep:{own}", f"keep:{own}x", "forget:", CARD, f"forget:{text[:20]}",
        )  # fmt: skip
        chosen = f"forget:{own}" if dice.random() < 0.002 else dice.choice(data)
        query: Update = {
            "id": str(self.number),
            "from": user,
            "chat_instance": "x",
            "data": chosen,
        }
        chat = {"id": own, "type": "private", "first_name": "x"}
        message = {"message_id": 1, "date": TODAY, "chat": chat, "from": BOT, "text": "x"}
        pressed = dice.choice((message, message, message | {"date": 0}, None))
        return {"callback_query": query | ({} if pressed is None else {"message": pressed})}

    def _served(self, text: str) -> Update:
        service: tuple[dict[str, Any], ...] = (
            {"new_chat_title": text or "x"},
            {"new_chat_members": [BOT]},
            {"migrate_to_chat_id": -1_000_000_000_000 - self.number},
            {"pinned_message": self._message(text=text)},
            {},
        )
        return {"message": self._message(**self.dice.choice(service))}

    def _message(self, **content: Any) -> dict[str, Any]:
        user, dice = self._user(), self.dice
        group = self.number // UPDATES_OF_A_GROUP
        kind = dice.choice(("private", "private", "private", "group", "supergroup"))
        chat_ids = {"private": user["id"], "group": -5 - group * 50 - dice.randrange(20)}
        chat_id = chat_ids.get(kind, -1_000_000_000_000 - group * 50 - dice.randrange(20))
        chat = {"id": chat_id, "type": kind, "title": dice.choice(PIECES)}
        dates = (TODAY, TODAY, TODAY - 86_400 * dice.randrange(500), 0, LAST_DATE)
        (date,) = dice.choices(dates, (60, 20, 16, 2, 2))
        message = {"message_id": self.number, "date": date, "chat": chat, "from": user, **content}
        if dice.random() < 0.3:
            message |= dice.choice(self._circumstances(chat))
        return message

    def _circumstances(self, chat: dict[str, Any]) -> tuple[dict[str, Any], ...]:
        before = {"message_id": 1, "date": TODAY, "chat": chat, "from": BOT}
        topic = {"name": self.dice.choice(PIECES), "icon_color": 0}
        forwarded = {"type": "hidden_user", "date": 0, "sender_user_name": self.dice.choice(PIECES)}
        return (
            {"reply_to_message": before | {"text": self.dice.choice(PIECES)}},
            {"reply_to_message": before | {"forum_topic_created": topic}},
            {"is_topic_message": True, "message_thread_id": self.dice.choice((1, LAST_DATE))},
            {"forward_origin": forwarded},
            {"from": BOT},
            {"sender_chat": chat},
            {"via_bot": BOT},
        )

    def _entities(self) -> list[dict[str, Any]]:
        if self.dice.random() < 0.6:
            return []
        return [self._entity() for _ in range(self.dice.choice((1, 2, 30)))]

    def _entity(self) -> dict[str, Any]:
        dice = self.dice
        entity = {"type": dice.choice(ENTITIES), "offset": dice.choice(OFFSETS)}
        entity["length"] = dice.choice(OFFSETS)
        if dice.random() < 0.3:
            entity["url"] = "".join(dice.choices(PIECES, k=3))
        if dice.random() < 0.3:
            entity["user"] = dice.choice((BOT, self._user()))
        return entity

    def _user(self) -> dict[str, Any]:
        group = self.number // UPDATES_OF_A_GROUP
        own = 1_000 + group * PEOPLE + self.dice.randrange(PEOPLE)
        name = self.dice.choice(PIECES) or "x"
        return {"id": own, "is_bot": False, "first_name": name, "language_code": "en"}
