"""Typed text is read out of every form in which Telegram writes it, and nothing else is."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.listening.typed_text import (
    NESTING_LIMIT,
    NestedTooDeepError,
    TypedText,
    is_unknown_message,
    may_hold_text,
    typed_text_of,
)
from tests.support.strategies import hostile_texts
from tests.support.telegram.aiogram_oracle import aiogram, built

LIVE = {
    "blocks": [
        {"type": "heading", "size": 1, "text": "Plan for W1-1"},
        {
            "type": "paragraph",
            "text": [
                "see ",
                {"type": "bold", "text": "W2-2"},
                {"type": "url", "url": "https://x.example/W3-3", "text": "this"},
                {"type": "mention", "username": "ledger_bot", "text": "@ledger_bot"},
                {
                    "type": "text_mention",
                    "text": {"type": "italic", "text": "Bob"},
                    "user": {"id": 1002, "is_bot": False, "first_name": "Bob"},
                },
            ],
        },
        {
            "type": "list",
            "items": [
                {"label": "1.", "blocks": [{"type": "paragraph", "text": "W4-4"}]},
                {"label": "2.", "blocks": [{"type": "pre", "text": "W5-5", "language": "W0-1"}]},
            ],
        },
        {
            "type": "table",
            "cells": [
                [
                    {"text": "W6-6", "align": "left", "valign": "top"},
                    {"text": "x", "align": "left", "valign": "top"},
                ],
                [{"text": {"type": "code", "text": "W7-7"}, "align": "left", "valign": "top"}],
            ],
            "caption": "W8-8",
        },
        {
            "type": "details",
            "summary": "W9-9",
            "blocks": [
                {
                    "type": "blockquote",
                    "blocks": [{"type": "footer", "text": "W10-10"}],
                    "credit": "W11-11",
                },
                {"type": "mathematical_expression", "expression": "W12-12"},
            ],
        },
        {
            "type": "map",
            "location": {"latitude": 1, "longitude": 1},
            "zoom": 1,
            "width": 1,
            "height": 1,
            "caption": {"text": "W13-13", "credit": "W14-14"},
        },
    ]
}


def plain(text):
    return {"type": "plain", "text": text}


EXPORTED = {
    "rtl": False,
    "part": False,
    "blocks": [
        {"type": "heading", "level": 1, "text": plain("Plan for W1-1")},
        {
            "type": "paragraph",
            "text": {
                "type": "concat",
                "text": [
                    plain("see "),
                    {"type": "bold", "text": plain("W2-2")},
                    {"type": "text_link", "href": "https://x.example/W3-3", "text": plain("this")},
                    {"type": "mention", "text": plain("@ledger_bot")},
                    {"type": "mention_name", "user_id": "1002", "text": plain("Bob")},
                ],
            },
        },
        {
            "type": "list",
            "kind": "ordered",
            "items": [
                {"task_state": "none", "content": "text", "text": plain("W4-4")},
                {
                    "content": "blocks",
                    "blocks": [{"type": "code", "text": plain("W5-5"), "language": "W0-1"}],
                },
            ],
        },
        {
            "type": "table",
            "rows": [
                {"cells": [{"text": plain("W6-6"), "header": False}, {"text": plain("x")}]},
                {"cells": [{"text": {"type": "code", "text": plain("W7-7")}}]},
            ],
            "title": plain("W8-8"),
        },
        {
            "type": "details",
            "title": plain("W9-9"),
            "blocks": [
                {
                    "type": "quote",
                    "content": "blocks",
                    "blocks": [{"type": "footer", "text": plain("W10-10")}],
                    "caption": plain("W11-11"),
                },
                {"type": "math", "formula": "W12-12"},
            ],
        },
        {
            "type": "audio",
            "media_type": "audio_file",
            "title": "W0-2",
            "performer": "W0-3",
            "file_name": "W0-4",
            "caption": {"text": plain("W13-13"), "credit": plain("W14-14")},
        },
    ],
}


def test_the_live_form_is_one_that_the_bot_api_has():
    sent = {"message_id": 1, "date": 1, "chat": {"id": 1, "type": "private"}, "rich_message": LIVE}
    message: Any = built(aiogram().types.Message).model_validate(sent)
    assert message.rich_message is not None
    assert len(message.rich_message.blocks) == len(LIVE["blocks"])


@pytest.mark.parametrize("rich_message", [LIVE, EXPORTED], ids=["live", "exported"])
def test_every_text_of_a_rich_message_is_read(rich_message):
    found = typed_text_of(rich_message)
    words = found.text.split()
    assert sorted(word for word in words if word.startswith("W")) == sorted(
        f"W{number}-{number}" for number in range(1, 15) if number != 3
    )
    assert found.text.splitlines()[:2] == ["Plan for W1-1", "see W2-2 this @ledger_bot Bob"]
    assert found.links == ("https://x.example/W3-3",)
    assert (found.names, found.named_ids) == (("@ledger_bot", "Bob"), (1002,))
    assert not is_unknown_message(rich_message)


def test_a_key_that_is_marked_in_part_stays_one():
    marked = {"type": "bold", "text": plain("17")}
    text = {"type": "concat", "text": [plain("W-"), marked, plain("99")]}
    assert typed_text_of({"blocks": [{"type": "paragraph", "text": text}]}).text == "W-1799"


def test_marked_parts_of_a_plain_message_stand_without_blanks_as_people_typed_them():
    parts = [{"type": "bold", "text": "W-1"}, {"type": "italic", "text": "x"}, " y"]
    assert typed_text_of(parts).text == "W-1x y"


def test_checklists_and_polls_are_read_with_their_links():
    checklist = {"title": ["W1-1 ", {"type": "bold", "text": "!"}], "answers": [{"text": "W2-2"}]}
    link = {"type": "text_link", "text": "that", "href": "https://x.example/W5-5"}
    poll = {"question": "W3-3?", "answers": [{"text": [link]}, {"text": "W4-4", "voters": 1}]}
    found = typed_text_of(checklist, poll)
    assert found.text.split("\n") == ["W1-1 !", "W2-2", "W3-3?", "that", "W4-4"]
    assert found.links == ("https://x.example/W5-5",)


@pytest.mark.parametrize("content", [None, 7, True, [], {}, [None, 7], {"body": "W1-1"}])
def test_what_holds_no_text_is_none(content):
    assert typed_text_of(content) == TypedText()


@pytest.mark.parametrize(
    "message",
    [None, "x", {}, {"blocks": {}}, {"blocks": ["x"]}, {"blocks": [{"type": "unsupported"}]},
     {"blocks": [{"type": "hologram", "beam": {"text": "W1-1"}}]}],
)  # fmt: skip
def test_a_rich_message_of_unknown_blocks_is_known_as_one(message):
    assert is_unknown_message(message)


@pytest.mark.parametrize(
    ("fields", "alone", "beside_content"),
    [
        ({}, False, False),
        ({"silent": True, "stars": 3, "effect": None, "tags": []}, False, False),
        ({"boosts": "many"}, True, False),
        ({"hologram": {"beam": 1}}, True, False),
        ({"hologram": {"text": "W1-1"}}, True, True),
        ({"hologram": [{"title": [{"type": "bold", "text": "W1-1"}]}]}, True, True),
    ],
)
def test_what_is_unknown_may_hold_text(fields, alone, beside_content):
    assert may_hold_text(fields, has_content=False) is alone
    assert may_hold_text(fields, has_content=True) is beside_content


@pytest.mark.parametrize("key", ["text", "blocks", "items"])
@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: inner], ids=["lists", ""])
def test_what_is_nested_too_deep_is_refused_and_less_is_read(key, wrap):
    def nested(times):
        content: Any = "W1-1"
        for _ in range(times):
            content = {"type": "mention", key: wrap(content)}
        return content

    assert typed_text_of(nested(NESTING_LIMIT // 4)).text == "W1-1"
    for content in (nested(3 * NESTING_LIMIT), {key: _lists(900)}):
        with pytest.raises(NestedTooDeepError):
            typed_text_of(content)


def _lists(times):
    content: Any = ["W1-1"]
    for _ in range(times):
        content = [content]
    return content


_KEYS = st.sampled_from(["type", "text", "blocks", "items", "cells", "caption", "href", "user_id"])
_SCALARS = st.none() | st.integers() | hostile_texts | st.sampled_from(["mention", "text_mention"])
_ANYTHING = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=5),
    max_leaves=30,
)


@given(_ANYTHING, st.booleans())
def test_any_content_is_read(content, has_content):
    found = typed_text_of(content)
    assert all(isinstance(each, str) for each in (found.text, *found.links, *found.names))
    assert all(isinstance(each, int) for each in found.named_ids)
    assert isinstance(may_hold_text({"odd": content}, has_content=has_content), bool)
