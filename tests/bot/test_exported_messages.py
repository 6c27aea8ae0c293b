"""Exported messages leave what the same messages leave live, and nothing twice."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest
import telegram
from hypothesis import given
from hypothesis import strategies as st

from bot.intake.telegram_export import read_export
from bot.listening.classification import heard_in, issues_in
from bot.listening.exported_messages import (
    TELEGRAMS_OWN,
    Bots,
    ChatType,
    ExportedMessage,
    Listener,
    MessageIds,
    live_chat_of,
    overlaps,
)
from bot.listening.issue_keys import IssueKeys
from bot.telegram.updates import message_of
from ledger.commands import Interaction
from ledger.errors import InvalidInteractionError
from ledger.instants import Instant, moment_of
from tests.support.strategies import NOON, Clock
from tests.support.telegram.desktop_exports import Line, chat_of, stream_of, supergroup_of, written
from tests.support.telegram.fake_users import FakeUser
from tests.support.telegram.scenario import Scenario
from tests.support.telegram.update_queue import Update

KEYS = IssueKeys()
NAME = "ledger_bot"
AT_NOON = moment_of(NOON)


class UnfetchedScenario(Scenario):
    """A scenario whose updates are not fetched."""

    strict = False


OURS, ROBOT = 99, 4242
BOTS = Bots(OURS, "Ledger_Bot", frozenset({ROBOT}))


def listened(export: Line, bots: Bots = BOTS) -> dict[int, tuple[Interaction, ...]]:
    """The entries of each message, by the message's id."""
    listener = Listener(bots, KEYS)
    heard = {}
    for message in read_export(stream_of(written(export))):
        assert isinstance(message, ExportedMessage)
        heard[message.message_id] = listener.hear(message)
    return heard


# --- the same as live ----------------------------------------------------------------------------

_WORDS = st.sampled_from(
    [
        *("AI-1", "DMD-480", "KAFKA-17", "UTF-8", "hello", "😀", "\n", "x@y", "@ledger_bot"),
        *("@Ledger_Bot", "@other_bot", "/top", "/look", "/look@ledger_bot", "/look@other_bot"),
        *(
            "/score@ledger_bot",
            "/optout",
            "https://linear.app/x/issue/AI-7/fix",
            "this",
            "Bob",
            "Ledger",
        ),
    ]
)
_TEXTS = st.lists(_WORDS, min_size=1, max_size=6).map(" ".join)
_ACTS = ("says", "photo", "forwards", "edits", "anonymously", "via", "topic", "bot", "service")
_STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(_ACTS), _TEXTS, st.integers(0, 30)),
    min_size=8,
    max_size=25,
)


class GeneratedChat:
    """A supergroup in which things are said, and the last update of each message."""

    def __init__(self) -> None:
        self.api = UnfetchedScenario(f"{OURS}:token", NAME, Clock())
        self.bot: Any = SimpleNamespace(id=OURS, username=NAME)
        self.users = [
            self.api.user("Ana", 1001),
            self.api.user("Bob", 1002),
            self.api.other_bot("Robot", ROBOT),
        ]
        self.chat = self.api.forum("Team", self.users)
        self.last: dict[int, Update] = {}
        self.topic: int | None = None

    def apply(self, who: int, act: str, text: str, back: int) -> None:
        """Let something happen; `back` says which earlier message it is about, if any."""
        self.api.clock.move(7_000_000 * (back % 3))  # type: ignore[attr-defined]
        user = self.users[who % 3]
        said = list(self.chat.messages.values())
        about = said[-1 - back % len(said)] if said else None
        how: dict[str, Any] = {"in_": self.chat, "topic": self.topic}
        how["reply_to"] = about if back % 2 else None
        self._keep(self._done(user, act, text, about, how))

    def _done(
        self, user: FakeUser, act: str, text: str, about: Any, how: dict[str, Any]
    ) -> Update | None:
        done: Update | None = None
        match act:
            case "photo":
                done = user.sends_photo(text, **how)
            case "forwards" if about is not None and "text" in about:
                done = user.forwards(about, in_=self.chat)
            case "edits" if about is not None and "text" in about:
                done = user.edits(about, text)
            case "anonymously":
                done = user.says_anonymously(text, **how)
            case "via":
                done = user.says(text, extra={"via_bot": self.api.bot}, **how)
            case "topic":
                self.topic = self.chat.creates_topic("Releases", None if self.topic else user)
            case "bot":
                self.api.post(self.chat, **{"from": self.api.bot}, text=text)
            case "service":
                done = user.joins(self.chat)
            case _:
                links = {"this": "https://linear.app/x/issue/AI-9/a"} if "this" in text else None
                named = {"Bob": self.users[1], "Ledger": FakeUser(self.api, self.api.bot)}
                naming = {words: who for words, who in named.items() if words in text}
                done = user.says(text, links=links, naming=naming, **how)
        return done

    def _keep(self, update: Update | None) -> None:
        if update is not None:
            message = update.get("message") or update["edited_message"]
            self.last[message["message_id"]] = update

    def live(self, message_id: int) -> tuple[Interaction, ...]:
        """The entries of the last update of a message."""
        update = telegram.Update.de_json(self.last[message_id], None)
        message = message_of(update, self.bot)
        assert message is not None
        entries = heard_in(message, issues_in(message, KEYS)).entries
        return tuple(each for each in entries if isinstance(each, Interaction))


@given(_STEPS)
def test_a_message_in_a_supergroup_leaves_the_same_live_and_exported(steps):
    generated = GeneratedChat()
    for step in steps:
        generated.apply(*step)
    heard = listened(supergroup_of(generated.chat.id, generated.chat.messages.values()))
    assert {number: heard[number] for number in generated.last} == {
        number: generated.live(number) for number in generated.last
    }
    assert not any(found for number, found in heard.items() if number not in generated.last)


# --- every form of text --------------------------------------------------------------------------

HREF = "https://linear.app/x/issue/AI-4/fix"


def marked_live(words: str) -> dict[str, Any]:
    """A text of the Bot API whose words "this" hold a link, with its entities."""
    at = words.find("this")
    link = {"type": "text_link", "offset": at, "length": 4, "url": HREF}
    return {"text": words, "entities": [link] if at >= 0 else []}


def marked_exported(words: str) -> Any:
    before, this, after = words.partition("this")
    link = {"type": "text_link", "text": this, "href": HREF}
    return [part for part in (before, link, after) if part] if this else words


def checklist(title: str, *tasks: str) -> tuple[Line, Line]:
    told = marked_live(title)
    live = {"title": told["text"], "title_entities": told["entities"], "tasks": live_tasks(*tasks)}
    exported = {"title": marked_exported(title), "answers": exported_tasks(*tasks)}
    return {"checklist": live}, {"text": "", "text_entities": [], "todo_list": exported}


def live_tasks(*tasks: str) -> list[Line]:
    told = [(number, marked_live(task)) for number, task in enumerate(tasks, 1)]
    return [{"id": n, "text": each["text"], "text_entities": each["entities"]} for n, each in told]


def exported_tasks(*tasks: str) -> list[Line]:
    return [{"id": n, "text": marked_exported(task)} for n, task in enumerate(tasks, 1)]


def more_tasks(*tasks: str) -> tuple[Line, Line]:
    exported = {"type": "service", "action": "todo_append_tasks", "items": exported_tasks(*tasks)}
    actor = {"actor": "Ana", "actor_id": "user1001", "from_id": None, "text": ""}
    return {"checklist_tasks_added": {"tasks": live_tasks(*tasks)}}, exported | actor


def poll(question: str, *options: str) -> tuple[Line, Line]:
    told = [
        {"persistent_id": str(n), "text": each, "voter_count": 0} for n, each in enumerate(options)
    ]
    flags = ("is_closed", "is_anonymous", "allows_multiple_answers", "allows_revoting")
    live = {"id": "1", "question": question, "options": told, "total_voter_count": 0}
    live |= {"type": "regular", **dict.fromkeys((*flags, "members_only"), False)}
    answers = [{"text": marked_exported(each), "voters": 0, "chosen": False} for each in options]
    exported = {"question": question, "closed": False, "total_voters": 0, "answers": answers}
    return {"poll": live}, {"poll": exported, "text": "", "text_entities": []}


def rich(*lines: str) -> tuple[Line, Line]:
    live = [{"type": "paragraph", "text": live_text(line)} for line in lines]
    exported = [{"type": "paragraph", "text": exported_text(line)} for line in lines]
    return {"rich_message": {"blocks": live}}, {"rich_message": {"rtl": False, "blocks": exported}}


def live_text(line: str) -> Any:
    before, this, after = line.partition("this")
    return [before, {"type": "url", "text": this, "url": HREF}, after] if this else line


def exported_text(line: str) -> Line:
    before, this, after = line.partition("this")
    if not this:
        return {"type": "plain", "text": line}
    link = {"type": "text_link", "href": HREF, "text": {"type": "plain", "text": this}}
    parts = [{"type": "plain", "text": before}, link, {"type": "plain", "text": after}]
    return {"type": "concat", "text": parts}


def live_and_exported(live: Line, exported: Line) -> tuple[Any, Any]:
    """The entries of the same message, live and exported, in a supergroup."""
    ana = {"id": 1001, "is_bot": False, "first_name": "Ana"}
    chat: Line = {"id": -1_001_234_567_890, "type": "supergroup", "title": "Team"}
    message = {"message_id": 17, "date": 1_704_067_200, "from": ana, "chat": chat} | live
    update = telegram.Update.de_json({"update_id": 1, "message": message}, None)
    bot: Any = SimpleNamespace(id=OURS, username=NAME)
    heard = message_of(update, bot)
    assert heard is not None
    line = {key: value for key, value in LINE.items() if key != "text"} | exported
    found = listened(chat_of(chat["id"], "private_supergroup", [line]))[17]
    return tuple(heard_in(heard, issues_in(heard, KEYS)).entries), found


_LINES = st.lists(
    st.sampled_from(["AI-1 now", "see this", "this", "DMD-480?", "x 😀 this y", "nothing"]),
    min_size=1,
    max_size=4,
)


@given(st.sampled_from([checklist, more_tasks, rich]), _LINES)
def test_text_of_every_form_leaves_the_same_live_and_exported(form, lines):
    live, exported = live_and_exported(*form(*lines))
    assert live == exported
    text = " ".join(lines).replace("this", "AI-4")
    assert {each.issue_id for each in live} == set(KEYS.found_in(text))


@given(_LINES.map(lambda lines: [line.replace("this", "that") for line in lines]))
def test_polls_leave_the_same_live_and_exported(lines):
    live, exported = live_and_exported(*poll(*lines))
    assert live == exported
    assert {each.issue_id for each in live} == set(KEYS.found_in(" ".join(lines)))


def test_the_bot_is_named_in_a_rich_message_as_in_any_other():
    name = {"type": "mention", "text": "@Ledger_Bot", "username": "Ledger_Bot"}
    blocks = [{"type": "paragraph", "text": [name, " AI-1"]}]
    message: Line = {"rich_message": {"blocks": blocks}}
    for heard in live_and_exported(message, message):
        assert [(each.issue_id, each.kind.label) for each in heard] == [("AI-1", "query")]


def unread(line: Line, **extra: Any) -> str | None:
    """Why a message is refused, or None."""
    listener = Listener(BOTS, KEYS)
    export = chat_of(-4711, "private_group", [LINE | {"text": "", "id": 1} | line | extra])
    (message,) = read_export(stream_of(written(export)))
    assert isinstance(message, ExportedMessage)
    try:
        assert listener.hear(message) == ()
    except InvalidInteractionError as error:
        return str(error)
    return None


UNREAD: list[Line] = [
    {"type": "unsupported", "from_id": None, "date_unixtime": None, "text": None},
    {"hologram": {"text": "AI-1"}},
    {"hologram": "AI-1"},
    {"photo": "photos/1.jpg", "hologram": {"caption": "AI-1"}},
    {"rich_message": {"blocks": [{"type": "unsupported", "unsupported": True}]}},
    {"type": "letter", "text": "AI-1"},
]


@pytest.mark.parametrize("line", UNREAD, ids=range(len(UNREAD)))
def test_what_a_person_may_have_typed_in_an_unknown_form_is_told_of(line):
    line = {key: value for key, value in line.items() if value is not None or key != "text"}
    assert "read" in str(unread(line)) or "Telegram Desktop" in str(unread(line))


@pytest.mark.parametrize(
    "line",
    [
        {},
        {"photo": "photos/1.jpg", "hologram": "yes", "effect": 7},
        {"media_type": "sticker", "file": "x", "sticker_emoji": "😀"},
        {"reactions": [{"type": "emoji", "emoji": "😀", "count": 1}]},
        {"silent": True, "stars": 7},
        {"poll": {"question": "", "answers": []}},
        {"rich_message": {"blocks": [{"type": "photo", "photo": "x"}, {"type": "divider"}]}},
        {"type": "service", "action": "hologram_started", "actor_id": "user1001", "hologram": "x"},
        {"hologram": {"text": "AI-1"}, "forwarded_from": "Bob"},
        {"hologram": {"text": "AI-1"}, "via_bot": "@gif"},
        {"hologram": {"text": "AI-1"}, "from_id": f"user{ROBOT}"},
        {"hologram": {"text": "AI-1"}, "from_id": "channel1"},
    ],
    ids=range(12),
)
def test_what_holds_no_text_of_a_persons_is_not_told_of(line):
    assert unread(line) is None


# --- elsewhere -----------------------------------------------------------------------------------

LINE: Line = {
    "id": 17,
    "type": "message",
    "date_unixtime": "1704067200",
    "from": "Ana",
    "from_id": "user1001",
    "text": "AI-1",
}


def lines(*changes: Line) -> list[Line]:
    return [LINE | {"id": number} | change for number, change in enumerate(changes, 1)]


def heard_of(
    *changes: Line, type_: str = "private_group", chat_id: int = -4711, bots: Bots = BOTS
) -> list[Interaction]:
    """All that is heard in a chat of these messages."""
    heard = listened(chat_of(chat_id, type_, lines(*changes)), bots)
    return [each for found in heard.values() for each in found]


def keys_of(interactions: Iterable[Interaction]) -> list[str]:
    return [each.source_key.text for each in interactions if each.source_key]


PLACES = [("private_group", -4711), ("personal_chat", 1002), ("bot_chat", OURS)]


@pytest.mark.parametrize(("type_", "chat_id"), PLACES)
def test_elsewhere_an_interaction_has_no_place_and_a_key_of_exports(type_, chat_id):
    (found,) = heard_of({}, type_=type_, chat_id=chat_id)
    assert found.chat_id is None
    assert keys_of([found]) == ["export:1001:1704067200000000:AI-1:0"]
    assert found.source_key is not None
    assert found.source_key.dated_at == found.occurred_at


@pytest.mark.parametrize(
    ("type_", "chat_id", "kind"),
    [
        ("private_group", -4711, "mention"),
        ("personal_chat", 1002, "mention"),
        ("bot_chat", OURS, "query"),
    ],
)
def test_who_writes_to_the_bot_asks_and_who_writes_to_people_mentions(type_, chat_id, kind):
    assert [each.kind.label for each in heard_of({}, type_=type_, chat_id=chat_id)] == [kind]


def test_what_is_written_to_another_bot_is_not_for_us():
    assert heard_of({}, type_="bot_chat", chat_id=ROBOT) == []


def test_two_members_exports_count_once_whatever_their_message_ids():
    said = [{"text": "AI-1"}, {"text": "AI-1 and AI-2"}, {"date_unixtime": "1704067201"}]
    mine = heard_of(*said)
    theirs = heard_of({"text": "hello"}, *said, type_="personal_chat", chat_id=1001)
    assert keys_of(mine) == keys_of(theirs)
    assert [key.rpartition(":")[2] for key in keys_of(mine)] == ["0", "1", "0", "0"]


def test_a_group_keeps_its_keys_when_it_becomes_a_supergroup():
    before = heard_of({}, {"date_unixtime": "1704067300"})
    chat = chat_of(-1_001_234_567_890, "private_supergroup", lines({}, {}))
    moved = [{**line, "id": line["id"] - 10**9} for line in chat["messages"]]
    moved[1]["date_unixtime"] = "1704067300"
    after = listened(chat | {"messages": [*moved, LINE]})
    found = [each for number in sorted(after) for each in after[number]]
    assert keys_of(found)[:2] == keys_of(before)
    assert keys_of(found)[2] == "-1001234567890:17:AI-1"
    assert [each.chat_id for each in found] == [None, None, "-1001234567890"]


# --- who is a bot --------------------------------------------------------------------------------


@pytest.mark.parametrize("bot", [OURS, ROBOT, *TELEGRAMS_OWN])
def test_bots_leave_nothing(bot):
    assert heard_of({"from_id": f"user{bot}"}) == []


def test_a_reply_to_our_bot_is_a_query_in_the_same_chat_only():
    bots = {"from_id": f"user{OURS}"}
    replies = heard_of(bots, {"reply_to_message_id": 1}, {"reply_to_message_id": 2})
    assert [each.kind.label for each in replies] == ["query", "mention"]
    listener = Listener(BOTS, KEYS)
    for chat_id, kinds in ((-5, ["query"]), (-6, ["mention"])):
        first = [bots] if chat_id == -5 else [{"text": ""}]
        export = chat_of(chat_id, "private_group", lines(*first, {"reply_to_message_id": 1}))
        read = read_export(stream_of(written(export)))
        messages = [each for each in read if isinstance(each, ExportedMessage)]
        heard = [each for message in messages for each in listener.hear(message)]
        assert [each.kind.label for each in heard] == kinds


@given(st.lists(st.integers(-(10**9), 10**12) | st.integers(-600, 600)), st.integers(-600, 600))
def test_message_ids_are_a_set(numbers, other):
    ids = MessageIds()
    for number in numbers:
        ids.add(number)
    assert all(number in ids for number in numbers)
    assert (other in ids) == (other in numbers)


def test_without_the_bots_name_a_command_by_name_is_not_guessed_at():
    nameless = Bots(OURS)
    for text in ("/top@ledger_bot AI-1", " /look@other_bot AI-1"):
        with pytest.raises(InvalidInteractionError, match="--bot-name"):
            heard_of({"text": text}, bots=nameless)
    assert heard_of({"text": "/top@ledger_bot"}, bots=nameless) == []
    assert heard_of({"text": "/top AI-1"}, bots=nameless) == []
    assert len(heard_of({"text": "/look@other_bot AI-1"})) == 1


# --- what cannot be recorded ---------------------------------------------------------------------


@pytest.mark.parametrize("flaw", [{"date_unixtime": None}, {"from_id": 4711}])
def test_a_flaw_matters_only_where_something_would_be_recorded(flaw):
    assert heard_of({"text": "hello"} | flaw, {"text": "/top AI-1"} | flaw) == []
    assert heard_of({"forwarded_from": "Bob"} | flaw, {"via_bot": "@gif"} | flaw) == []
    for type_, chat_id in (*PLACES, ("private_supergroup", -1_001_234_567_890)):
        with pytest.raises(InvalidInteractionError, match="export the chat again"):
            heard_of(flaw, type_=type_, chat_id=chat_id)


def test_no_decision_is_read_out_of_an_export():
    assert heard_of({"text": "/optout AI-1"}, {"text": "/optin"}) == []


def test_a_date_before_2000_is_refused():
    with pytest.raises(InvalidInteractionError, match="before 2000"):
        heard_of({"date_unixtime": "900000000"})


# --- what was heard live -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chat_type", "chat_id", "live"),
    [
        (ChatType.WITH_BOT, OURS, "1001"),
        (ChatType.GROUP, -4711, "-4711"),
        (ChatType.GROUP, -1_001_234_567_890, "-1001234567890"),
        (ChatType.PERSONAL, 1002, None),
        (ChatType.SUPERGROUP, -1_001_234_567_890, None),
    ],
)
def test_where_the_bot_may_have_heard_it_live(chat_type, chat_id, live):
    message = ExportedMessage("here", chat_type, chat_id, 17, 1001, AT_NOON)
    assert live_chat_of(message) == live


@pytest.mark.parametrize(
    ("span", "expected"),
    [(None, False), ((-1, 1), True), ((0, 0), True), ((-2, -1), False), ((1, 2), False)],
)
def test_an_interaction_overlaps_with_a_span_that_holds_it(span, expected):
    (found,) = heard_of({})
    assert found.occurred_at is not None
    at = found.occurred_at
    moved = None if span is None else (Instant(at + span[0]), Instant(at + span[1]))
    assert overlaps(found, moved) is expected
