"""Questions: which messages ask the bot something, and about which issues."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bot.listening.asked import question_in
from bot.listening.bot_commands import CARDS, HINT, Asked, asked_in
from bot.listening.classification import ISSUES_OF_A_MESSAGE, ChatKind, Message, issues_in
from bot.listening.issue_keys import IssueKeys
from ledger.instants import moment_of
from tests.support.strategies import NOON, hostile_texts

KEYS = IssueKeys()


def message(text: str, kind: ChatKind = ChatKind.PRIVATE) -> Message:
    return Message(
        bot_id=99,
        chat_id=1001,
        chat_kind=kind,
        message_id=7,
        sender_id=1001,
        text=text,
        sent_at=moment_of(NOON),
        asked=asked_in(text, "ledger_bot"),
    )


def question(asking: Message) -> Asked | None:
    return question_in(asking, issues_in(asking, KEYS), KEYS)


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("AI-1 or AI-2?", Asked(CARDS, ("AI-1", "AI-2"))),
        ("hello", Asked(HINT)),
        ("", None),  # such as a photo
        ("/top 3", Asked("top", ("3",))),
        ("/look AI-1", Asked("look", ("AI-1",))),
        ("/top@other_bot AI-1", Asked(CARDS, ("AI-1",))),
        ("/hide ai-1.", Asked("hide", ("ai-1.",), issue="AI-1")),
        ("/unhide please UTF-8", Asked("unhide", ("please", "UTF-8"), issue="UTF-8")),
        ("/hide ÄÖ", Asked("hide", ("ÄÖ",))),
        ("/hide", Asked("hide")),
        ("/score AI-1", Asked("score", ("AI-1",))),
        ("/start", Asked("start")),
        ("/start AI-1", Asked("start", ("AI-1",))),
        ("/start score_AI-1", Asked("score", ("AI-1",))),
        ("/start hide_AI-1", Asked("hide", ("AI-1",), issue="AI-1")),
    ],
)
def test_a_message_in_private_asks_for_cards_or_by_a_command(text, asked):
    assert question(message(text)) == asked


@pytest.mark.parametrize("kind", [ChatKind.GROUP, ChatKind.SUPERGROUP])
@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("AI-1?", None),
        ("hello", None),
        ("/top", Asked("top")),
        ("/look AI-1", None),  # perhaps for another bot
        ("/look@ledger_bot AI-1", Asked("look", ("AI-1",), by_name=True)),
        ("/top@other_bot", None),
    ],
)
def test_in_a_group_only_what_is_for_the_bot_is_a_question(kind, text, asked):
    assert question(message(text, kind)) == asked
    named = replace(message(text, kind), addressed=True)
    assert (question(named) is None) == text.startswith("/look ")


@pytest.mark.parametrize("how", [{"sender_id": None}, {"forwarded": True}, {"edited": True}])
@pytest.mark.parametrize("text", ["AI-1?", "/top", "/hide AI-1", "hello"])
def test_nothing_is_asked_by_a_message_without_a_person_or_by_an_edit(how, text):
    assert question(replace(message(text), **how)) is None


@given(hostile_texts | hostile_texts.map("/hide {}".format) | hostile_texts.map("/start {}".format))
def test_no_text_is_too_hostile(text):
    asked = question(message(text))
    assert asked is None or asked.issue is None or KEYS.meant_by(asked.issue) == asked.issue


@given(st.integers(0, 60))
def test_no_more_issues_are_shown_than_count(number):
    asked = question(message(" ".join(f"AI-{n}" for n in range(1, number + 1)) or "hello"))
    assert asked is not None
    assert len(asked.arguments) == min(number, ISSUES_OF_A_MESSAGE)
