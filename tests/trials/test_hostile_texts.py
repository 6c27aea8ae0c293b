"""Hostile texts through recording and replying: no exception, nothing unescaped, nothing too long.

They go through the whole bot in this process, many at a time: its queue records them, its handlers
answer them, and its requests are read at least as strictly as Telegram reads them.
"""

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.answers import reply
from bot.answers.reply import Reply
from bot.listening.classification import ISSUES_OF_A_MESSAGE
from bot.telegram import handlers, sending
from tests.support.strategies import hostile_texts
from tests.support.trials.counts import chance, count, tell
from tests.support.trials.hostile_updates import TODAY, HostileUpdates, Update
from tests.support.trials.whole_bot import WholeBot

pytestmark = pytest.mark.trial

SHARES = 4
TEXTS_OF_A_SHARE = count(full=60_000, small=200, more="TEXTS") // SHARES
TEXTS_OF_A_LEDGER = 10_000
BATCH = 100

KEYS_OF_A_MESSAGE = 2_000
TIMED_MESSAGES = 20


def refused(updates: list[Update]) -> int:
    """The number of updates dated before 2000, which R1 refuses; only they may be refused."""
    messages = [each.get("message") or each.get("edited_message") or {} for each in updates]
    return sum(message.get("date") in ODD_DATES for message in messages)


ODD_DATES = (0, 2**31 - 1)
"""A date before 2000, and one in more than a year."""


def complaints(talk: WholeBot, may_be_refused: int) -> list[str]:
    """All complaints: about requests, and in the logs."""
    worries = [(each.getMessage(), getattr(each, "error", "")) for each in talk.worries.records]
    unlikely = Counter(worries)
    not_recorded = sum(
        unlikely.pop(("not recorded", error), 0)
        for error in ("InvalidInteractionError", "FutureInteractionError")
    )
    if not_recorded > may_be_refused:
        unlikely["not recorded", "too many"] = not_recorded
    return [*talk.reader.complaints, *(f"{n} × {text}: {e}" for (text, e), n in unlikely.items())]


async def talked(folder: Path, hostile: HostileUpdates, texts: int) -> tuple[list[str], int]:
    """Deliver some hostile texts; return the complaints and the number of sent messages."""
    may_be_refused = 0
    async with WholeBot(folder) as talk:
        for begun in range(0, texts, BATCH):
            updates = [hostile.update() for _ in range(min(BATCH, texts - begun))]
            may_be_refused += refused(updates)
            await talk.hears(updates)
    return complaints(talk, may_be_refused), len(talk.reader.read)


@pytest.mark.parametrize("share", range(SHARES))
def test_no_text_is_too_hostile_to_be_recorded_and_answered(tmp_path, share):
    hostile, sent, began = HostileUpdates(chance()), 0, time.perf_counter()
    for done in range(0, TEXTS_OF_A_SHARE, TEXTS_OF_A_LEDGER):
        folder, texts = tmp_path / str(done), min(TEXTS_OF_A_LEDGER, TEXTS_OF_A_SHARE - done)
        found, messages = asyncio.run(talked(folder, hostile, texts))
        assert found == []
        sent += messages
        for file in folder.iterdir():
            file.unlink()
    rate = TEXTS_OF_A_SHARE / (time.perf_counter() - began)
    tell(f"share {share}: {TEXTS_OF_A_SHARE:,} texts, {sent:,} answers, {rate:,.0f} texts/s")
    assert sent > TEXTS_OF_A_SHARE / 10


# --- found by Hypothesis, which makes a failing text small ----------------------------------------


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[tuple[asyncio.Runner, WholeBot]]:
    """A runner and a bot for all examples."""
    with asyncio.Runner() as runner:
        talk = WholeBot(tmp_path_factory.mktemp("talk"))
        runner.run(talk.__aenter__())
        yield runner, talk
        runner.run(talk.__aexit__(None, None, None))


commands = st.builds(
    "/{} {}".format,
    st.sampled_from(["top", "score", "history", "start", "forget", "x"]),
    hostile_texts,
)


@settings(max_examples=count(full=1_000, small=40))  # each adds to one person's history
@given(st.lists(hostile_texts | hostile_texts.map("AI-1 {}".format) | commands, max_size=5))
def test_no_text_that_hypothesis_finds_is_too_hostile(running, texts):
    runner, talk = running
    updates = [update for text in texts for update in (asked(1001, text), asked(1001, "/history"))]
    runner.run(talk.hears(updates))
    found = complaints(talk, 0)
    talk.reader.complaints.clear()
    talk.worries.records.clear()
    assert found == []


NUMBERS = iter(range(1, 2**31))


def asked(person: int, text: str) -> Update:
    """An update with a plain private message."""
    number = next(NUMBERS)
    chat = {"id": person, "type": "private", "first_name": "x"}
    user = {"id": person, "is_bot": False, "first_name": "x"}
    message = {"message_id": number, "date": TODAY, "chat": chat, "from": user, "text": text}
    return {"update_id": number, "message": message}


# --- a message that is nothing but issues --------------------------------------------------------


async def handled(folder: Path, texts: list[str]) -> list[float]:
    """The milliseconds that recording and answering each text took."""
    times = []
    async with WholeBot(folder) as talk:
        await talk.hears([asked(1001, "hello")])
        for text in texts:
            began = time.perf_counter()
            await talk.hears([asked(1001, text)])
            times.append(1000 * (time.perf_counter() - began))
        assert complaints(talk, 0) == []
        assert talk.engagements.ledger.size()[0] == ISSUES_OF_A_MESSAGE * len(texts)
    return times


def test_a_message_of_two_thousand_issues_is_handled(tmp_path, record_property):
    texts = [
        " ".join(f"K{number}-{each}" for each in range(1, KEYS_OF_A_MESSAGE + 1))
        for number in range(TIMED_MESSAGES)
    ]
    times = asyncio.run(handled(tmp_path, texts))
    middle, worst = statistics.median(times), max(times)
    record_property("two_thousand_issues_ms", round(middle, 1))
    tell(f"{KEYS_OF_A_MESSAGE:,} issues in a message: {middle:.1f} ms, at worst {worst:.1f} ms")


# --- planted faults ------------------------------------------------------------------------------


def wrong(folder: Path, *texts: str) -> list[str]:
    """The complaints when one person sends these texts in turn."""

    async def play() -> list[str]:
        async with WholeBot(folder) as talk:
            for text in texts:
                await talk.hears([asked(1001, text)])
        return complaints(talk, 0)

    return asyncio.run(play())


LONG = [f"AI-{number} {'<&>' * 60}" for number in range(30)]


def test_without_a_fault_nothing_is_wrong(tmp_path):
    assert wrong(tmp_path, *LONG, "AI-1 <u>x</u>", "AI-2 a & b", "/history", "/score <b>") == []


@pytest.mark.parametrize("context", ["<u>x</u>", "</i>", "a & b", "<", "<b>"])
def test_a_context_that_is_not_escaped_is_caught(tmp_path, monkeypatch, context):
    monkeypatch.setattr(reply, "escape", lambda text: text)
    assert wrong(tmp_path, f"AI-1 {context}", "/history")


def test_a_context_that_is_not_escaped_is_caught_by_the_dice(tmp_path, monkeypatch):
    monkeypatch.setattr(reply, "escape", lambda text: text)
    found, _ = asyncio.run(talked(tmp_path, HostileUpdates(chance()), 1000))
    assert any("sendMessage" in each for each in found)


def test_a_reply_that_is_too_long_is_caught(tmp_path, monkeypatch):
    monkeypatch.setattr(sending, "parts", lambda html: [html])
    assert any("longer than" in each for each in wrong(tmp_path, *LONG, "/history"))


def test_half_a_surrogate_pair_in_a_reply_is_caught(tmp_path, monkeypatch):
    monkeypatch.setattr(handlers, "one_line", lambda text: text)
    monkeypatch.setattr(handlers, "say", lambda _, **words: Reply("".join(words.values())))
    assert any("surrogates" in each for each in wrong(tmp_path, "/score x\ud800"))


def test_a_fault_of_the_programs_is_caught(tmp_path, monkeypatch):
    monkeypatch.delitem(handlers.ANSWERS, "top")
    monkeypatch.setattr(handlers, "_unknown", lambda _: 1 / 0)
    assert any("answer failed" in each for each in wrong(tmp_path, "/top"))


def test_a_message_that_is_not_recorded_is_caught(tmp_path, monkeypatch):
    monkeypatch.setattr("bot.telegram.recording.heard_in", lambda *_: 1 / 0)
    assert any("not understood" in each for each in wrong(tmp_path, "AI-1"))
