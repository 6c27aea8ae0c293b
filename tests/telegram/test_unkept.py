"""Entries that cannot be stored: answered once, never acknowledged, recorded later (R13)."""

import asyncio
import errno
import fcntl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from telegram import Update

from bot.spool import durable_writer
from bot.spool.spool_file import Spool
from bot.telegram import recording
from bot.telegram.recording import ANSWERED_AT_MOST, RecordingQueue
from bot.telegram.serve import SAME_AGAIN
from bot.telegram.turns import settled
from ledger.application import EngagementLedger
from ledger.errors import LedgerUnavailableError
from ledger.store import sqlite
from ledger.store.group_commit import GroupCommit
from tests.support.telegram.bot_process import BotProcess
from tests.support.telegram.conversation_driver import ConversationDriver
from tests.support.telegram.fake_server import FakeBotApi
from tests.support.telegram.fake_users import FakeUser

BOSS = 7
TEAM = -1_001_000_000_777


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    """Pauses are for people; here they are skipped."""
    monkeypatch.setattr(durable_writer, "PAUSES_SECONDS", (0.01,))
    monkeypatch.setattr(durable_writer, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(
        durable_writer, "HURRY_SECONDS", 2.0
    )  # faults come at once; the machine may not
    monkeypatch.setattr(recording, "AGAIN_SECONDS", 0.02)


@pytest.fixture
def users(driver: ConversationDriver) -> list[FakeUser]:
    return [driver.api.user(f"Person Canary {n}", id=1001 + n) for n in range(3)]


@contextmanager
def nothing_kept(driver: ConversationDriver) -> Iterator[None]:
    """Let neither the ledger nor the spool be written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Spool, "append", _fail)
        patch.setattr(driver.engagements.ledger, "record_many_async", _fail_async)
        yield


def _fail(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


async def _fail_async(*_: object) -> None:
    raise LedgerUnavailableError("planted")


def wait_for_answers(driver: ConversationDriver, user: FakeUser, number: int) -> None:
    assert driver.api.wait_until(lambda: len(driver.api.sent_to(user)) == number, 20)


def wait_for_polls(driver: ConversationDriver, more: int) -> None:
    before = len(driver.api.asked("getUpdates"))
    driver.api.wait_until(lambda: len(driver.api.asked("getUpdates")) >= before + more, 20)


class _Recorder:
    """A recorder whose outcomes are given, and that counts how often all is kept again."""

    def __init__(self, *outcomes: bool) -> None:
        self.outcomes, self.recovered = iter(outcomes), 0

    async def begin(self, _: object) -> asyncio.Future[bool]:
        return settled(is_done=next(self.outcomes))

    def recover(self) -> None:
        self.recovered += 1

    def start_draining(self) -> None:
        pass


def test_behind_a_webhook_all_is_kept_again_once_what_failed_was_taken():
    async def take(*ids: int) -> list[int]:
        told = []
        for each in ids:
            await queue.take(Update(each))
            told.append(recorder.recovered)
        return told

    recorder = _Recorder(False, True, True)
    queue = RecordingQueue(recorder)
    assert asyncio.run(take(1, 2, 1)) == [0, 0, 1]


@pytest.mark.parametrize(
    ("first", "answered"), [(False, ANSWERED_AT_MOST), (True, ANSWERED_AT_MOST + 1)]
)
def test_only_what_is_kept_gives_way_to_what_is_answered_next(first, answered):
    async def take() -> None:
        for number in range(ANSWERED_AT_MOST + 1):
            await queue.take(Update(number))

    queue = RecordingQueue(_Recorder(first, *[False] * ANSWERED_AT_MOST))
    asyncio.run(take())
    assert queue.qsize() == answered
    assert len(queue._answered) == ANSWERED_AT_MOST


def test_not_too_many_who_were_forgotten_are_remembered(driver, monkeypatch):
    monkeypatch.setattr(recording, "FORGOTTEN_AT_MOST", 2)
    for number in range(5):
        driver.bot.recorder.forget(str(number), driver.clock.at, 0)
        assert str(number) in driver.bot.recorder._forgotten
        assert len(driver.bot.recorder._forgotten) <= 2


# --- polling -------------------------------------------------------------------------------------


def test_each_is_answered_once_and_recorded_once_it_can_be(driver, users):
    driver.settle()
    with nothing_kept(driver):
        for number in range(1, 11):
            for user in users:
                user.says(f"AI-{number}")
        for user in users:
            wait_for_answers(driver, user, 10)
        wait_for_polls(driver, 5)
        assert driver.api.pending() == 30
    for user in users:
        assert driver.recorded(user) == {(f"AI-{number}", "query"): 1 for number in range(1, 11)}
        assert len(driver.answers(user)) == 10


def test_no_more_than_telegram_hands_out_are_answered_and_none_is_lost(driver):
    everybody = [driver.api.user(f"Person {n}", id=2000 + n) for n in range(120)]
    driver.settle()
    with nothing_kept(driver):
        for user in everybody:
            user.says("AI-1")
        driver.api.wait_until(lambda: _answered(driver, everybody) == ANSWERED_AT_MOST, 20)
        wait_for_polls(driver, 3)
        assert _answered(driver, everybody) == ANSWERED_AT_MOST
        assert driver.api.pending() == 120
    driver.settle()
    assert driver.engagements.ledger.size()[0] == 120
    assert _answered(driver, everybody) == 120


def _answered(driver: ConversationDriver, everybody: list[FakeUser]) -> int:
    return sum(len(driver.api.sent_to(user)) for user in everybody)


def test_one_that_cannot_be_kept_is_recorded_before_what_was_said_after_it(driver, users):
    ana, *_ = users
    driver.settle()
    with nothing_kept(driver):
        ana.says("/optout")
        wait_for_answers(driver, ana, 1)
        assert driver.api.sent_to(ana)[0].text.startswith("That could not be saved")
    # It is fetched again together with this, and takes effect first.
    ana.says("AI-1")
    assert driver.recorded(ana) == {}


def test_an_application_without_a_watchdog_loses_nothing_either(driver, users, monkeypatch):
    monkeypatch.setattr(driver.bot.queue, "_is_last", lambda _: True)
    driver.settle()
    with nothing_kept(driver):
        for user in users:
            user.says("AI-1")
        wait_for_answers(driver, users[0], 1)
        wait_for_polls(driver, 5)
        assert driver.api.pending() == 3
    for user in users:
        assert driver.recorded(user) == {("AI-1", "query"): 1}
        assert len(driver.answers(user)) == 1


def test_the_admins_are_told_once_and_once_more_when_it_is_over(start_driver):
    driver = start_driver(ENGAGEMENT_ADMINS=str(BOSS))
    boss = driver.api.user("Boss Canary", id=BOSS)
    boss.starts()
    ana = driver.api.user("Ana Canary", id=1001)
    driver.settle()
    before = len(driver.api.sent_to(boss))
    with nothing_kept(driver):
        for number in range(5):
            ana.says(f"AI-{number}")
        wait_for_answers(driver, ana, 5)
        wait_for_answers(driver, boss, before + 1)
        wait_for_polls(driver, 5)
    driver.settle()
    told, over = (each.text for each in driver.answers(boss)[before:])
    assert told.startswith("I have not been able to record messages since 20")
    assert "No space left on device" in told
    assert over.startswith("I can record again")


def test_a_bot_that_is_stopped_acknowledges_nothing_that_is_not_kept(tmp_path):
    with FakeBotApi() as api:
        ana = api.user("Ana Canary", id=1001)
        bot = BotProcess(api, tmp_path, fault="keeps nothing")
        for number in range(5):
            ana.says(f"AI-{number} canary")
        api.wait_until(lambda: len(api.sent_to(ana)) == 5, 20)
        asked = len(api.asked("getUpdates"))
        api.wait_until(lambda: len(api.asked("getUpdates")) > asked + 2 * SAME_AGAIN, 30)
        assert bot.terminate() == 0, bot.log
        assert api.pending() == 5
        assert "canary" not in bot.log.lower()
        bot = BotProcess(api, tmp_path)
        api.wait_until(lambda: api.pending() == 0, 20)
        assert bot.terminate() == 0


# --- errors while recording -----------------------------------------------------------------------


def _no_lock(_: object) -> bool:
    raise OSError(errno.ENOLCK, "planted")


def _no_input(_: object) -> bool:
    raise OSError(errno.EIO, "planted")


FAULTS = {
    "a lock that the kernel has not": lambda patch: patch.setattr(sqlite, "_locked", _no_lock),
    "a lock that fails": lambda patch: patch.setattr(sqlite, "_locked", _no_input),
    "no memory": lambda patch: patch.setattr(
        EngagementLedger, "record_many_async", _raising(MemoryError())
    ),
    "no threads": lambda patch: patch.setattr(
        GroupCommit, "_summon", _raising(RuntimeError("can't start new thread"), is_async=False)
    ),
    "an unforeseen error": lambda patch: patch.setattr(
        EngagementLedger, "record_many_async", _raising(ZeroDivisionError())
    ),
    "no file handles": lambda patch: patch.setattr(
        EngagementLedger, "record_many_async", _raising(OSError(errno.EMFILE, "planted"))
    ),
}


def _raising(error: Exception, *, is_async: bool = True):
    async def fail(*_: object) -> None:
        raise error

    def fail_now(*_: object) -> None:
        raise error

    return fail if is_async else fail_now


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_goes_wrong_while_recording_is_spooled(driver, users, fault):
    ana, *_ = users
    driver.settle()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EngagementLedger, "record_many", _raising(OSError(), is_async=False))
        FAULTS[fault](patch)
        assert driver.answer(ana, "AI-1").text.startswith("AI-1 · score")
        assert driver.bot.recorder.keeper.is_behind
    driver.run(driver.bot.recorder.keeper.drain())
    assert driver.recorded(ana) == {("AI-1", "query"): 1}


def test_without_any_thread_to_be_had_nothing_is_lost(driver, users, monkeypatch):
    ana, *_ = users
    driver.settle()
    with monkeypatch.context() as patch:
        patch.setattr(ThreadPoolExecutor, "submit", _raising(RuntimeError(), is_async=False))
        ana.says("AI-1")
        driver.settle()
    driver.run(driver.bot.recorder.keeper.drain())
    assert driver.recorded(ana) == {("AI-1", "query"): 1}


def test_what_cannot_be_understood_stops_nothing(driver, users, monkeypatch, log):
    ana, *_ = users
    driver.settle()
    with monkeypatch.context() as patch:
        patch.setattr(recording, "heard_in", _raising(ValueError("canary"), is_async=False))
        ana.says("AI-1")
        driver.settle()
    assert '"event": "not understood"' in log.getvalue()
    assert driver.answer(ana, "AI-2").text.startswith("AI-2 · score")
    assert driver.recorded(ana) == {("AI-2", "query"): 1}


def test_what_memory_was_too_short_to_understand_comes_again(driver, users, monkeypatch):
    ana, *_ = users
    driver.settle()
    with monkeypatch.context() as patch:
        patch.setattr(recording, "heard_in", _raising(MemoryError(), is_async=False))
        ana.says("AI-1")
        wait_for_answers(driver, ana, 1)
        assert driver.api.pending() == 1
    assert driver.recorded(ana) == {("AI-1", "query"): 1}


# --- the gate ------------------------------------------------------------------------------------


@contextmanager
def unreadable(driver: ConversationDriver) -> Iterator[None]:
    """Make the ledger's users unreadable, while another process holds its lock."""
    with (
        pytest.MonkeyPatch.context() as patch,
        (driver.folder / "ledger.db.lock").open("w") as lock,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        patch.setattr(
            driver.bot._gate, "_knows", _raising(LedgerUnavailableError(), is_async=False)
        )
        yield


@pytest.mark.parametrize("comes_back", ["at once", "while it runs", "after a restart"])
def test_a_stranger_who_writes_during_an_outage_stays_one(start_driver, comes_back, monkeypatch):
    driver = start_driver(ENGAGEMENT_CHATS=str(TEAM))
    ana = driver.api.user("Ana Canary", id=1001)
    eve = driver.api.user("Eve Canary", id=666)
    team = driver.api.supergroup("Team Canary", members=[ana], id=TEAM)
    driver.settle()
    with unreadable(driver):
        assert driver.answer(eve, "AI-1").text.startswith("AI-1 · score")
        ana.says("AI-2", in_=team)  # known by this, which waits as well
        ana.says("AI-3")
        driver.settle()
        if comes_back == "after a restart":
            driver.run(driver.bot.recorder.keeper.close())
    if comes_back == "after a restart":
        driver = start_driver(ENGAGEMENT_CHATS=str(TEAM))
    if comes_back == "while it runs":
        driver.api.wait_until(lambda: not driver.bot.recorder.keeper.is_behind, 20)
    driver.run(driver.bot.recorder.keeper.drain())
    assert not driver.engagements.ledger.knows("666")
    history = list(driver.engagements.questions.history("1001"))
    assert [each.event.issue_id for each in history] == ["AI-2", "AI-3"]


def test_a_user_whom_the_ledger_knows_is_heard_after_an_outage(start_driver):
    driver = start_driver(ENGAGEMENT_CHATS=str(TEAM))
    ana = driver.api.user("Ana Canary", id=1001)
    ana.says("AI-1", in_=driver.api.supergroup("Team Canary", members=[ana], id=TEAM))
    driver.settle()
    with unreadable(driver):
        assert driver.answer(ana, "AI-2").text.startswith("AI-2 · score")
    driver.run(driver.bot.recorder.keeper.drain())
    assert driver.recorded(ana) == {("AI-1", "mention"): 1, ("AI-2", "query"): 1}


def test_a_gate_that_fails_only_while_it_is_asked_lets_no_stranger_in(start_driver):
    driver = start_driver(ENGAGEMENT_CHATS=str(TEAM))
    eve = driver.api.user("Eve Canary", id=666)
    driver.settle()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            driver.bot._gate, "_knows", _raising(LedgerUnavailableError(), is_async=False)
        )
        eve.says("AI-1")
        driver.settle()
    driver.run(driver.bot.recorder.keeper.drain())
    assert not driver.engagements.ledger.knows("666")


# --- the rest of the second ----------------------------------------------------------------------


def forgotten(driver: ConversationDriver, user: FakeUser) -> None:
    """Let a person be forgotten within a second that has begun."""
    driver.settle()
    driver.clock.move(600_000 - driver.clock.at % 1_000_000)
    question = driver.answer(user, "/forget")
    user.presses(question, "Yes, forget me")
    assert driver.answers(user)[-1].text.startswith("Done")


def test_what_is_said_in_the_second_in_which_one_was_forgotten_counts(driver, users):
    ana, *_ = users
    ana.says("AI-1")
    forgotten(driver, ana)
    driver.clock.move(100_000)
    ana.says("AI-2", in_=driver.api.supergroup("Team Canary", members=[ana]))
    ana.says("AI-3")
    assert driver.recorded(ana) == {("AI-2", "mention"): 1, ("AI-3", "query"): 1}


def test_what_was_said_before_in_that_second_stays_forgotten(driver, users):
    ana, *_ = users
    driver.settle()
    driver.clock.move(200_000 - driver.clock.at % 1_000_000)
    said = ana.says("AI-1")
    forgotten(driver, ana)
    ana.edits(said, "AI-1 and AI-2")
    driver.settle()
    driver.api.queue_raw({"message": said["message"], "update_id": said["update_id"]})
    assert driver.recorded(ana) == {}


def test_what_was_said_long_before_and_comes_late_stays_forgotten(driver, users):
    ana, *_ = users
    said = ana.says("AI-1")
    driver.settle()
    driver.clock.move(5_000_000)
    forgotten(driver, ana)
    driver.api.queue_raw({"message": said["message"]})
    assert driver.recorded(ana) == {}
