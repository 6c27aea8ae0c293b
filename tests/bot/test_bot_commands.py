"""Commands: read from what people write, and carried by links into the private chat."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import english
from bot.listening.bot_commands import COMMANDS, Asked, asked_by_link, asked_in, link_payload
from tests.support.strategies import hostile_texts

BOT = "Ledger_bot"

own = st.sampled_from([name for name in COMMANDS if name != "start"])
words_of_links = st.from_regex(r"[A-Za-z0-9-]{1,12}|[0-2]?[0-9]:[0-5][0-9]", fullmatch=True)
arguments = st.lists(words_of_links, max_size=4)


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("/top", Asked("top")),
        ("/TOP 5", Asked("top", ("5",))),
        ("  /score\tAI-1\n2026-01-31  ", Asked("score", ("AI-1", "2026-01-31"))),
        ("/top@ledger_bot", Asked("top", (), by_name=True)),
        ("/top@LEDGER_BOT 3", Asked("top", ("3",), by_name=True)),
        ("/nonsense <b>", Asked("nonsense", ("<b>",))),
        ("/top@other_bot", None),
        ("/top@", None),
        ("/top@ledger_bot@ledger_bot", None),
        ("/", None),
        ("//", None),
        ("/usr/bin AI-1", None),
        ("/top-secret AI-1", None),
        ("/@ledger_bot AI-1", None),  # no name: this is not how cards are asked for
        ("top", None),
        ("say /top", None),
        ("", None),
        ("\u200b/top", None),
    ],
)
def test_a_command_is_what_a_text_begins_with_unless_it_is_another_bots(text, asked):
    assert asked_in(text, BOT) == asked


@given(hostile_texts | hostile_texts.map("/{}".format))
def test_whatever_is_asked_has_a_name_in_lower_case_and_words_for_arguments(text):
    asked = asked_in(text, BOT)
    if asked is not None:
        assert asked.name
        assert asked.name == asked.name.lower()
        assert not re.search(r"\s", asked.name)
        assert all(word and word.split() == [word] for word in asked.arguments)


@given(own, arguments)
def test_a_link_brings_a_command_into_the_private_chat(name, words):
    asked = Asked(name, tuple(words))
    payload = link_payload(asked)
    assert re.fullmatch("[A-Za-z0-9_-]+", payload)
    assert asked_by_link(payload) == asked


@given(hostile_texts | st.sampled_from(["", "start", "start_AI-1", "top2", "TOP", "_", "nonsense"]))
def test_a_forged_link_carries_nothing(payload):
    assert asked_by_link(payload) is None


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_can_stand_in_a_menu_with_its_summary(name):
    assert COMMANDS[name].name == name
    assert re.fullmatch("[a-z0-9_]{1,32}", name)
    assert 1 <= len(english.SUMMARIES[name]) <= 256


def test_every_command_with_arguments_has_an_example_and_no_other():
    with_arguments = {name for name, command in COMMANDS.items() if command.arguments}
    assert set(english.EXAMPLES) == with_arguments
    assert set(english.SUMMARIES) == set(COMMANDS)
    for name in with_arguments:
        assert english.EXAMPLES[name].startswith(f"/{name}")
