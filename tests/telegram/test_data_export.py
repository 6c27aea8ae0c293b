"""Exports: whole, in parts that Telegram takes, and where they cannot be had, that is said."""

import asyncio
import random
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import user_data
from bot.telegram import data_export, sending
from bot.telegram.sending import Outbox
from ledger.codec import Origin
from ledger.commands import Kind
from ledger.errors import LedgerUnavailableError
from ledger.events import InteractionRecorded
from ledger.instants import Instant
from ledger.store.event_queries import HistoryEntry
from ledger.validation import IssueId
from tests.support.strategies import NOON
from tests.support.telegram.conversation_driver import ConversationDriver
from tests.support.telegram.data_exports import exported


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr(sending, "RETRY_PAUSES_SECONDS", (0.0, 0.0))


@pytest.fixture
def ana(driver: ConversationDriver):
    user = driver.api.user("Ana Canary", id=1001)
    user.starts()
    user.says("AI-1")
    driver.settle()
    return user


def entries(count: int) -> Iterator[HistoryEntry]:
    """Events whose texts hardly get smaller."""
    dice = random.Random(1)
    for position in range(1, count + 1):
        at = Instant(NOON + position)
        event = InteractionRecorded(None, position, at, IssueId(f"AI-{position}"), Kind.QUERY, at)  # type: ignore[arg-type]
        yield HistoryEntry(position, event, Origin(dice.randbytes(100).hex()))


# --- their files ---------------------------------------------------------------------------------


@given(st.sampled_from([0, 1, 2, 700, 3_000]), st.sampled_from([1, 20_000, 60_000, 10**9]))
def test_the_parts_together_hold_every_event_once_and_none_is_much_too_large(count, part_bytes):
    made = user_data.made(entries(count), Path("/tmp"), part_bytes)  # noqa: S108 - nothing gets a name
    contents = []
    for part in made.parts:
        with part:
            part.seek(0)
            contents.append(part.read())
    found = [event for content in contents for event in exported(content)]
    assert [each["issue_id"] for each in found] == [f"AI-{n}" for n in range(1, count + 1)]
    assert made.events == count
    assert all(len(content) < part_bytes + 100_000 for content in contents)
    assert len(contents) == 1 or all(len(content) >= part_bytes for content in contents[:-1])


def test_a_file_has_no_name_not_even_while_it_is_written(tmp_path):
    def watched() -> Iterator[HistoryEntry]:
        for entry in entries(3):
            assert list(tmp_path.iterdir()) == []
            yield entry

    for part in user_data.made(watched(), tmp_path).parts:
        part.close()


def test_what_is_stopped_reads_no_further(tmp_path):
    stopped, read = threading.Event(), []

    def watched() -> Iterator[HistoryEntry]:
        for entry in entries(1_000):
            read.append(entry)
            if len(read) == 10:
                stopped.set()
            yield entry

    with pytest.raises(user_data.StoppedError):
        user_data.made(watched(), tmp_path, stopped=stopped)
    assert len(read) == 10


def test_a_bot_that_stops_ends_what_is_being_made(tmp_path):
    begun, ended, read = threading.Event(), threading.Event(), []

    class Stopping:
        def history(self, _: str) -> Iterator[HistoryEntry]:
            for entry in entries(1_000):
                read.append(entry)
                if len(read) == 10:
                    begun.set()
                    ended.wait(30)
                yield entry

    async def steps() -> None:
        outbox, engagements = Outbox(), SimpleNamespace(questions=Stopping())
        data_export.Exports(engagements, tmp_path, outbox).post(None, 1)  # type: ignore[arg-type]
        await asyncio.to_thread(begun.wait, 30)
        await outbox.close(0)
        ended.set()

    asyncio.run(steps())
    assert len(read) == 10


# --- in a conversation ---------------------------------------------------------------------------


def test_an_export_of_several_parts_says_which_is_which(driver, ana, monkeypatch):
    monkeypatch.setattr(data_export, "PART_BYTES", 1)
    ana.says("AI-2")
    parts = driver.asks(ana, "/export")
    assert [part.file.name for part in parts] == [
        "engagement-2026-01-01-1-of-2.zip",
        "engagement-2026-01-01-2-of-2.zip",
    ]
    assert ["part 1 of 2" in parts[0].text, "part 2 of 2" in parts[1].text] == [True, True]
    assert [exported(part.file.content)[0]["issue_id"] for part in parts] == ["AI-1", "AI-2"]


def test_who_waits_is_told_is_answered_meanwhile_and_gets_one_export(driver, ana, monkeypatch):
    monkeypatch.setattr(data_export, "MOMENT_SECONDS", 0.0)
    goes_on, make = threading.Event(), user_data.made

    def held(*arguments):
        goes_on.wait(30)
        return make(*arguments)

    monkeypatch.setattr(data_export, "made", held)
    for text in ("/export", "/export", "/score AI-1"):
        ana.says(text)
    driver.api.wait_until(lambda: len(driver.api.sent_to(ana)) >= 5, 30)
    meanwhile = [each.text for each in driver.api.sent_to(ana)[2:]]
    goes_on.set()
    *_, last = driver.answers(ana)
    assert sorted(text.partition(",")[0] for text in meanwhile if "score" not in text) == [
        "I am making your export",
        "Your export is already being made. It comes as soon as it is ready.",
    ]
    assert any("scores 0.680" in text for text in meanwhile)
    assert len(exported(last.file.content)) == 1
    assert len(driver.api.asked("sendDocument")) == 1
    assert driver.asks(ana, "/export")[-1].file


@pytest.mark.parametrize(
    ("code", "description", "attempts"),
    [
        (413, "Request Entity Too Large", 1),
        (400, "Bad Request: file is too big", 1),
        (500, "Internal Server Error", 3),
    ],
)
def test_where_telegram_does_not_take_it_that_is_told(driver, ana, code, description, attempts):
    driver.api.fail_next("sendDocument", code, description, times=attempts)
    answer = driver.answer(ana, "/export")
    assert answer.text.startswith("Telegram did not accept your export.")
    assert "engagement history 1001 --json" in answer.text
    assert len(driver.api.asked("sendDocument")) == attempts
    assert driver.answer(ana, "/export").file


def test_a_file_that_was_lost_on_the_way_is_sent_again_whole(driver, ana):
    driver.api.lose_answer("sendDocument")
    first, again = driver.asks(ana, "/export")
    assert exported(first.file.content) == exported(again.file.content)


def test_a_full_disk_is_told_and_leaves_nothing_behind(driver, ana, monkeypatch, log):
    before = sorted(driver.folder.iterdir())
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no device that is always full")
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: full.open("w+b"))
    assert driver.answer(ana, "/export").text.startswith("My disk is full or read-only")
    assert sorted(driver.folder.iterdir()) == before
    assert '"event": "export not made", "level": "warning"' in log.getvalue()


@pytest.mark.parametrize("is_made", [False, True])
def test_who_is_forgotten_gets_no_export_that_was_begun_before(driver, ana, monkeypatch, is_made):
    """Neither one that is still being made, nor one that is being sent."""
    goes_on, begun = threading.Event(), threading.Event()

    def held(*arguments):
        if is_made:
            return user_data.made(*arguments)
        begun.set()
        goes_on.wait(30)
        return user_data.made(*arguments)

    async def slow(*_):
        begun.set()
        await asyncio.to_thread(goes_on.wait, 30)
        await sending.send(*_)

    monkeypatch.setattr(data_export, "made", held)
    if is_made:
        monkeypatch.setattr(data_export, "send", slow)
    question = driver.answer(ana, "/forget")
    ana.says("/export")
    assert begun.wait(30)
    ana.presses(question, "Yes, forget me")
    driver.api.wait_until(lambda: "Done." in question.text, 30)
    goes_on.set()
    assert [each.file for each in driver.answers(ana) if each.file] == []
    assert driver.answer(ana, "/export").file


def test_a_ledger_that_cannot_be_read_is_told(driver, ana, monkeypatch):
    def unreadable(*_):
        raise LedgerUnavailableError

    monkeypatch.setattr(data_export, "made", unreadable)
    assert driver.answer(ana, "/export").text.startswith("I cannot look that up right now")


def test_who_has_blocked_the_bot_meanwhile_is_told_nothing_more(driver, ana):
    driver.api.fail_next("sendDocument", 403, "Forbidden: bot was blocked by the user")
    assert driver.asks(ana, "/export") == []
    assert driver.answer(ana, "/export").file
