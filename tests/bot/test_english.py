"""English: every sentence is HTML that Telegram takes, is used, and is given what it asks for."""

import ast
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from typing import NamedTuple

import msgspec
import pytest

import bot
from bot import english
from bot.answers.reply import parts
from bot.english.charts import ChartWords
from bot.english.dates import DateWords
from ledger.validation import ISSUE_ID_LIMIT
from tests.support.telegram.entities import parse_html

SOURCES = sorted(Path(bot.__file__).parent.rglob("*.py"))
NAMES = {name for name in vars(english) if name.isupper()}

PLAIN = {
    *("SUMMARIES", "EXAMPLES", "KINDS", "MONTHS", "CHART", "DATES"),
    *("BRIEFING_BUTTON", "FORGET_YES", "FORGET_NO", "OPEN_BUTTON"),  # on buttons
    *("HIDE_BUTTON", "UNHIDE_BUTTON", "CARD_HIDDEN", "HISTORY_HIDDEN", "HISTORY_UNHIDDEN"),
    *("NOT_YOURS", "CHAT_START", "CHAT_PROMPT", "CHAT_NO_BUTTON"),  # in alerts and the terminal
    *("SEES_ALL", "SEES_FEW", "NOW", "AS_OF", "NONE", "HISTORY_OF", "STATUS_WAITING"),
    *("SCORE_SENTENCE", "SCORE_BASE", "SCORE_SET", "SCORE_DEFAULT", "HISTORY_SET"),
    *("ONCE", "TIMES", "TODAY", "TODAY_AT", "YESTERDAY_AT", "DAY_AGO", "DAYS_AGO"),
    *("DATE_AT", "DATE_YEAR", "DATE", "SCORE_UNCOUNTED", "TOMORROW", "YESTERDAY"),
    *("ISSUE_BUTTON", "ISSUE_NO_TITLE", "ISSUE_STATE", "ISSUE_MARKS", "ISSUE_OTHER_MARK"),
    *("ISSUE_PRIORITIES", "ISSUE_DUE", "ISSUE_DUE_SOON", "ISSUE_OVERDUE", "ISSUE_UNASSIGNED"),
    *("ISSUE_YOURS", "LINK_PRESENT", "LINK_NO_NAME"),
    *("ISSUE_ARCHIVED", "ISSUE_TRASHED", "ISSUE_MOVED", "ISSUE_AGE"),
    *("PRIVACY_NOTHING", "PRIVACY_LINEAR", "AGE_MINUTES", "AGE_HOURS", "AGE_DAYS"),
    *(name for name in NAMES if name.startswith(("WHY_", "ORDER_")) and name != "WHY_LINE"),
}
"""Texts without markup, or that are escaped when they are filled into others."""


class Use(NamedTuple):
    """A sentence where it is used, and the names of what it is given there, if it is at once."""

    name: str
    given: frozenset[str] | None
    where: str


def texts(value: object) -> Iterator[str]:
    """All texts within a constant."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, ChartWords | DateWords):
        yield from texts(msgspec.structs.astuple(value))
    else:
        for each in value.values() if isinstance(value, dict) else value:  # type: ignore[attr-defined]
            yield from texts(each)


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def is_word(node: ast.Attribute) -> bool:
    """Whether this is a `words.X`."""
    return isinstance(node.value, ast.Name) and node.value.id == "words" and node.attr.isupper()


def filled_in(call: ast.Call) -> ast.AST | None:
    """The template that a call fills, be it `say(x, …)`, `fill(x, …)` or `x.format(…)`."""
    match call.func:
        case ast.Attribute(attr="format", value=template):
            return template
        case ast.Name(id="say" | "fill"):
            return call.args[0]
    return None


def uses_in(path: Path) -> Iterator[Use]:
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    given = {
        filled_in(call): frozenset(keyword.arg or "**" for keyword in call.keywords)
        for call in nodes
        if isinstance(call, ast.Call)
    }
    for node in nodes:
        if isinstance(node, ast.Attribute) and is_word(node):
            yield Use(node.attr, given.get(node), f"{path.name}:{node.lineno}")


USES = [use for path in SOURCES for use in uses_in(path)]


@pytest.mark.parametrize("name", sorted(NAMES - PLAIN))
def test_a_sentence_is_html_that_telegram_takes(name):
    for text in texts(getattr(english, name)):
        parsed = parse_html(text)
        assert parsed.text
        assert parsed.ampersands_escaped
        assert {entity["type"] for entity in parsed.entities} <= {"bold", "italic", "code"}


@pytest.mark.parametrize("name", sorted(NAMES - PLAIN))
def test_no_tag_goes_over_a_line_end_where_a_long_reply_is_parted(name):
    for text in texts(getattr(english, name)):
        for line in text.split("\n"):
            parse_html(line)
        assert parts(text) == [text]


@pytest.mark.parametrize("name", sorted(NAMES & PLAIN))
def test_plain_words_hold_no_markup(name):
    for text in texts(getattr(english, name)):
        assert not set("<>&") & set(text) or name.startswith("CHAT_")


def test_every_sentence_is_used_and_every_one_that_is_used_is_there():
    assert {use.name for use in USES} == NAMES


GIVEN = [use for use in USES if use.given is not None]


@pytest.mark.parametrize("use", GIVEN, ids=lambda use: f"{use.name} in {use.where}")
def test_a_sentence_is_given_what_it_asks_for(use):
    for text in texts(getattr(english, use.name)):
        assert placeholders(text) == use.given


def test_what_is_chosen_first_and_filled_later_is_known():
    filled = {use.name for use in USES if use.given is not None}
    asking = {
        name
        for name in NAMES
        if not isinstance(getattr(english, name), ChartWords | DateWords)
        and any(placeholders(text) for text in texts(getattr(english, name)))
    }
    cards, misunderstood = (
        {
            "CARD",
            "CARD_AGAIN",
            "CARD_NEW",
            "CARD_ENGAGED",
            "CARD_ENGAGED_AGAIN",
            "WHY_RECENCY",
            "WHY_RECENCY_SET",
        },
        {"BAD_ARGUMENTS", "BAD_DATE", "NO_ISSUE", "NO_ISSUE_NO_DATE", "NO_TEAM"},
    )
    empty, hidings = (
        {"NO_TOP", "ALL_HIDDEN"},
        {"HIDDEN", "HIDDEN_BEFORE", "UNHIDDEN", "NOT_HIDDEN"},
    )
    lists = {"TOP", "TOP_QUIET", "BRIEFING", "BRIEFING_QUIET", "CHART_OF_TOP", "CHART_OF_QUIET"}
    assert asking - filled == {
        *cards,
        *lists,
        *empty,
        *hidings,
        *misunderstood,
        "ISSUE_UNKNOWN",
        "ISSUE_PENDING",
        "ISSUE_DUE",
        "ISSUE_DUE_SOON",
        "ISSUE_OVERDUE",
        "TITLE",
        "TITLE_BEFORE_MORE",
        "ISSUE_STATE_FOR",
        "ISSUE_STATE_AGO",
        "LEFT_OVER",
        "LEFT_OVER_ISSUE",
        "STATUS_JOBS",
        "ORDER_BY",
    }  # given all that any asks for


def test_a_sentence_holds_no_braces_but_names():
    for name in NAMES:
        for text in texts(getattr(english, name)):
            assert all(each.isidentifier() for each in placeholders(text))
            for _, _, spec, conversion in Formatter().parse(text):
                assert not spec
                assert not conversion


def test_the_notes_that_pop_up_are_short_enough():
    longest = "A" * ISSUE_ID_LIMIT
    of_hiding = [
        "HIDDEN",
        "HIDDEN_BEFORE",
        "UNHIDDEN",
        "NOT_HIDDEN",
        "HIDING_WAITS",
        "HIDING_OPTED_OUT",
    ]
    for name in ("NOT_YOURS", *of_hiding, "NEVER_TOUCHED", "NOT_NOTED", "UNREADABLE", "FAILED"):
        assert len(getattr(english, name).format(issue=longest)) <= 200
