"""Plain text: what a reader of a reply sees, wherever there is no markup."""

from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.answers.plain_text import plain_text
from tests.support.strategies import hostile_texts

texts = hostile_texts | st.text(st.sampled_from("<>&;\"'ab/!-#x0 \n\r"), max_size=40)


@given(texts)
def test_what_was_escaped_comes_back_to_the_letter(text):
    assert plain_text(escape(text)) == text


@given(texts, texts)
def test_tags_go_and_nothing_else(before, within):
    assert plain_text(f"{escape(before)}<b>{escape(within)}</b>") == before + within


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<b>AI-1</b> · score <b>0.680</b>\n<i>x</i>", "AI-1 · score 0.680\nx"),
        ("&lt;script&gt;alert(1)&lt;/script&gt;", "<script>alert(1)</script>"),
        ("&amp;lt;b&amp;gt;", "&lt;b&gt;"),
        ("&amp;", "&"),
        ("1 &lt; 2 &amp;&amp; 3", "1 < 2 && 3"),
        ("", ""),
    ],
)
def test_examples(html, text):
    assert plain_text(html) == text
