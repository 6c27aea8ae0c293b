"""The parser of parse_mode HTML against what Telegram says of it, and against html.escape."""

from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.strategies import hostile_texts
from tests.support.telegram.entities import detected, parse_html, read, refuse_length, utf16
from tests.support.telegram.errors import Refusal


def paired(text):
    """The text with two halves of a surrogate pair made one character, as in UTF-16 they are."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


texts = (hostile_texts | st.text("<>&;\"'/ab l=t#x39\n")).map(paired)


def cut(text, entity):
    units = text.encode("utf-16-le", "surrogatepass")
    start, length = entity["offset"], entity["length"]
    return units[2 * start : 2 * (start + length)].decode("utf-16-le", "surrogatepass")


@given(texts)
def test_what_is_escaped_is_read_as_it_was_written(text):
    parsed = parse_html(escape(text))
    assert parsed == (text, [], True)


@given(texts, st.sampled_from(["b", "i", "u", "s", "code", "pre", "blockquote", "tg-spoiler"]))
def test_an_entity_covers_exactly_what_stood_between_its_tags(text, tag):
    parsed = parse_html(f"😀<{tag}>{escape(text)}</{tag}>.")
    assert [cut(parsed.text, entity) for entity in parsed.entities] == [text] * bool(text)


@given(texts)
def test_any_text_is_parsed_or_refused_and_nothing_else(text):
    try:
        said = parse_html(text).text
    except Refusal as refusal:
        said = refusal.description.removeprefix("Bad Request: can't parse entities: ")
        assert said != refusal.description  # noqa: PT017  (either is right)
    assert utf16(said) <= utf16(text) + 100


@pytest.mark.parametrize(
    ("html", "why"),
    [
        ("1 < 2", 'Unsupported start tag "" at byte offset 2'),
        ("ä<x>", 'Unsupported start tag "x" at byte offset 2'),
        ("<b", "Unclosed start tag at byte offset 0"),
        ("<b>bold", 'Can\'t find end tag corresponding to start tag "b"'),
        ("bold</b>", "Unexpected end tag at byte offset 4"),
        (
            "<b><i>x</b></i>",
            'Unmatched end tag at byte offset 7, expected "</i>", found "</b>"',
        ),
        ('<span class="big">x</span>', 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
        ("<br>", 'Unsupported start tag "br" at byte offset 0'),
        ("<p>x</p>", 'Unsupported start tag "p" at byte offset 0'),
    ],
)
def test_malformed_html_is_refused_in_telegrams_words(html, why):
    with pytest.raises(Refusal) as refused:
        parse_html(html)
    assert refused.value.description == f"Bad Request: can't parse entities: {why}"


def test_a_bare_ampersand_is_read_as_itself_and_noted():
    assert parse_html("AT&T &nbsp;") == ("AT&T &nbsp;", [], False)


def test_links_keep_their_address_and_nested_tags_their_order():
    parsed = parse_html('<b>see <a href="https://x.org/?a=1&amp;b=2">it</a></b>')
    assert parsed.text == "see it"
    assert [(e["type"], e["offset"], e["length"], e.get("url")) for e in parsed.entities] == [
        ("bold", 0, 6, None),
        ("text_link", 4, 2, "https://x.org/?a=1&b=2"),
    ]


def test_a_text_is_trimmed_and_its_entities_with_it():
    assert read("  <b> x </b> ", "HTML").text == "x"
    assert read("  <b> x </b> ", "HTML").entities == [{"type": "bold", "offset": 0, "length": 1}]


def test_lengths_count_utf16_units_after_parsing():
    refuse_length("😀" * 2048, 4096)
    refuse_length(parse_html("<b>" + "x" * 4096 + "</b>").text, 4096)
    for text, why in [("😀" * 2048 + "x", "message is too long"), ("", "message text is empty")]:
        with pytest.raises(Refusal, match=why):
            refuse_length(text, 4096)
    with pytest.raises(Refusal, match="message caption is too long"):
        refuse_length("x" * 1025, 1024)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("/top 5", [("bot_command", "/top")]),
        ("😀 /top@ledger_bot", [("bot_command", "/top@ledger_bot")]),
        ("and/or 1/2", []),
        ("hey @ledger_bot, AI-1?", [("mention", "@ledger_bot")]),
        ("me@example.org", []),
        ("see https://linear.app/a/issue/AI-1799/x.", [("url", "https://linear.app/a/issue/AI-1799/x")]),
        ("linear.app/a/issue/AI-1", [("url", "linear.app/a/issue/AI-1")]),
    ],
)  # fmt: skip
def test_commands_mentions_and_addresses_are_found(text, found):
    assert [(entity["type"], cut(text, entity)) for entity in detected(text)] == found
