"""Trouble: floods, blocks, kicks, lost answers, and a ledger that cannot be written."""

import asyncio
import errno
import fcntl
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from unittest.mock import Mock

import msgspec
import pytest
from telegram.error import InvalidToken

from bot.spool import durable_writer
from bot.spool.spool_file import Spool, Waiting, line_of, read
from bot.telegram import recording, sending
from ledger.application import EngagementLedger
from ledger.commands import interaction_of
from ledger.errors import ClockBehindError, LedgerUnavailableError
from ledger.instants import DAY, moment_of
from projections.application import EngagementTracker
from tests.support.telegram import conversation_driver
from tests.support.telegram.conversation_driver import ConversationDriver


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    """Pauses are for people; here they are skipped."""
    monkeypatch.setattr(sending, "RETRY_PAUSES_SECONDS", (0.0, 0.0))
    monkeypatch.setattr(durable_writer, "PAUSES_SECONDS", (0.01,))
    monkeypatch.setattr(durable_writer, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(conversation_driver, "LOCK_PATIENCE_SECONDS", 0.05)
    monkeypatch.setenv("PTB_TIMEDELTA", "true")  # else the library warns of each flood, as an error


@pytest.fixture
def ana(driver: ConversationDriver):
    user = driver.api.user("Ana Canary", id=1001)
    user.starts()
    return user


@contextmanager
def unwritable(driver: ConversationDriver) -> Iterator[None]:
    """Let another process, as it were, hold the ledger."""
    with (driver.folder / "ledger.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# --- a ledger that cannot be written -------------------------------------------------------------


def test_a_ledger_that_cannot_be_written_stops_no_conversation(driver, ana, log):
    driver.settle()
    with unwritable(driver):
        assert driver.answer(ana, "AI-1 canary").text.startswith("AI-1 · score 0.500")
        assert driver.answer(ana, "/help").text
        assert driver.bot.recorder.keeper.is_behind
    driver.run(driver.bot.recorder.keeper.drain())
    assert driver.recorded(ana) == {("AI-1", "query"): 1}
    assert "ledger cannot be written" in log.getvalue()


def test_what_waits_is_recorded_in_its_order(driver, ana):
    driver.settle()
    with unwritable(driver):
        for text in ("AI-1", "/optout", "AI-2", "/optin", "AI-3"):
            ana.says(text)
            driver.settle()
            driver.clock.move(60_000_000)
    driver.run(driver.bot.recorder.keeper.drain())
    assert driver.recorded(ana) == {("AI-1", "query"): 1, ("AI-3", "query"): 1}


def test_what_waits_is_recorded_without_another_message(driver, ana):
    driver.settle()
    keeper = driver.bot.recorder.keeper
    with unwritable(driver):
        ana.says("AI-1")
        driver.settle()
        with pytest.raises(LedgerUnavailableError):
            keeper.drain_now()
    driver.run(asyncio.wait_for(keeper._draining, 20))
    assert not keeper.is_behind


def test_what_waits_and_is_refused_is_set_aside(driver, ana):
    driver.settle()
    ahead = moment_of(driver.clock.at + 500 * DAY)
    refused = interaction_of("1001", "AI-1", "query", occurred_at=ahead)
    keeper = driver.bot.recorder.keeper
    keeper._spool.append([Waiting(refused), Waiting(interaction_of("1001", "AI-2", "query"))])
    keeper.drain_now()
    assert driver.recorded(ana) == {("AI-2", "query"): 1}
    assert keeper._spool.aside.read_bytes() == line_of(Waiting(refused))


def test_an_opt_out_that_waits_is_confirmed(driver, ana):
    driver.settle()
    with unwritable(driver):
        assert driver.answer(ana, "/optout").text.startswith("Done")


def test_what_waits_survives_a_restart(start_driver):
    driver = start_driver()
    ana = driver.api.user("Ana Canary", id=1001)
    driver.settle()
    with unwritable(driver):
        ana.says("AI-1 canary")
        driver.settle()
        spool = next(driver.folder.glob("ledger.db.spool-*"))
        assert b"AI-1 canary" in spool.read_bytes()
        driver.run(driver.bot.recorder.close())
    again = start_driver()
    again.run(again.bot.recorder.keeper.drain())
    assert again.recorded(ana) == {("AI-1", "query"): 1}


def test_a_fault_of_the_recorder_stops_no_answer(driver, ana, monkeypatch):
    monkeypatch.setattr(recording, "heard_in", _fail)
    assert driver.answer(ana, "AI-1?").text.startswith("AI-1 · score")


def test_a_ledger_that_cannot_be_read_is_an_answer_too(driver, ana, monkeypatch):
    driver.settle()
    monkeypatch.setattr(driver.engagements.questions, "ask", _unavailable)
    assert driver.answer(ana, "AI-1?").text.startswith("I cannot look that up right now")


def test_what_waits_is_forgotten_as_well(driver, ana):
    driver.settle()
    with unwritable(driver):
        ana.says("AI-1 canary of Ana")
        question = driver.answer(ana, "/forget")
        ana.presses(question, "Yes, forget me")
        driver.settle()
        assert driver.api.sent_to(ana)[-1].text.startswith("That could not be saved")
    ana.presses(question, "Yes, forget me")
    driver.settle()
    assert driver.api.sent_to(ana)[-1].text.startswith("Done")
    assert all(b"canary of Ana" not in path.read_bytes() for path in driver.folder.glob("*"))


def test_a_restart_that_overlaps_loses_nothing(start_driver):
    old = start_driver()
    ana = old.api.user("Ana Canary", id=1001)
    old.settle()
    with unwritable(old):
        ana.says("AI-1")
        old.settle()
        old.run(old.bot.recorder.keeper.close())
        held = Spool(next(old.folder.glob("ledger.db.spool-*")))
        held.append([])  # the process that is about to end has the file still
    new = start_driver()
    bob = new.api.user("Bob Canary", id=1002)
    bob.says("AI-2")
    assert new.recorded(bob) == {("AI-2", "query"): 1}
    held.close()
    new.run(new.bot.recorder.keeper.drain())
    assert new.recorded(new.api.user("Ana", id=1001)) == {("AI-1", "query"): 1}


def test_a_clock_that_is_days_behind_costs_nothing(driver, ana):
    driver.settle()
    today = driver.clock.at
    driver.api.clock = lambda: moment_of(today + 3 * DAY)
    ana.says("AI-1")
    driver.settle()
    assert driver.bot.recorder.keeper.is_behind
    driver.clock.move(3 * DAY)
    driver.run(driver.bot.recorder.keeper.drain())
    assert driver.recorded(ana) == {("AI-1", "query"): 1}


def test_what_is_in_the_way_of_all_entries_sets_none_aside(driver, ana, monkeypatch):
    driver.settle()
    keeper = driver.bot.recorder.keeper
    keeper._spool.append([Waiting(interaction_of("1001", "AI-1", "query"))])
    for error in (MemoryError(), OSError(errno.EIO, ""), LedgerUnavailableError("planted")):
        with monkeypatch.context() as patch:
            patch.setattr(driver.engagements.ledger, "record_many", Mock(side_effect=error))
            with pytest.raises(type(error)):
                keeper.drain_now()
    keeper.drain_now()
    assert driver.recorded(ana) == {("AI-1", "query"): 1}


def test_a_clock_that_is_behind_while_the_spool_drains_sets_nothing_aside(driver, ana):
    ana.says("AI-1")
    driver.settle()
    keeper = driver.bot.recorder.keeper
    driver.clock.move(-3 * DAY)
    keeper._spool.append([Waiting(interaction_of("1001", "AI-2", "query"))])
    with pytest.raises(ClockBehindError):
        keeper.drain_now()
    driver.clock.move(3 * DAY)
    keeper.drain_now()
    assert driver.recorded(ana) == {("AI-1", "query"): 1, ("AI-2", "query"): 1}


def test_a_ledger_whose_file_is_moved_is_waited_for(driver, ana):
    ana.says("AI-1")
    driver.settle()
    file, aside = driver.folder / "ledger.db", driver.folder / "aside"
    aside.mkdir()
    for part in driver.folder.glob("ledger.db*"):
        if ".lock" not in part.name and "spool" not in part.name:
            part.rename(aside / part.name)
    ana.says("AI-2")
    driver.settle()
    assert not file.exists()
    assert driver.bot.recorder.keeper.is_behind
    for part in aside.iterdir():
        part.rename(driver.folder / part.name)
    driver.run(driver.bot.recorder.keeper.drain())
    assert driver.recorded(ana) == {("AI-1", "query"): 1, ("AI-2", "query"): 1}


def test_an_entry_that_cannot_be_stored_holds_up_no_other(driver, ana, log, monkeypatch):
    driver.settle()
    with unwritable(driver):
        ana.says("AI-1")
        driver.settle()
        (spool,) = driver.folder.glob("ledger.db.spool-*")
        waiting = read(spool.read_bytes().rstrip(b"\0"))
        driver.run(driver.bot.recorder.keeper.close())
        poisoned = Spool(driver.folder / "poisoned.spool")
        poison = Waiting(msgspec.structs.replace(waiting.entry, issue_id="POISON-1"))
        poisoned.append([poison, waiting])
        poisoned.close()
    record_many = driver.engagements.ledger.record_many

    def failing(entries):
        if any(each.issue_id == "POISON-1" for each in entries):
            raise ValueError("it cannot be stored")
        return record_many(entries)

    monkeypatch.setattr(driver.engagements.ledger, "record_many", failing)
    keeper = durable_writer.Keeper(EngagementTracker(driver.engagements), poisoned.path)
    asyncio.run(keeper.drain())
    assert driver.recorded(ana) == {("AI-1", "query"): 1}
    assert '"event": "not recorded"' in log.getvalue()
    assert poisoned.aside.read_bytes() == line_of(poison)


def test_who_opted_out_leaves_no_words_in_the_spool(driver, ana):
    ana.says("/optout")
    driver.settle()
    with unwritable(driver):
        ana.says("AI-1 canary of Ana")
        driver.settle()
        assert all(b"canary of Ana" not in path.read_bytes() for path in driver.folder.glob("*"))


def test_a_forwarded_command_is_no_command(driver, ana):
    said = ana.says("/optout")
    driver.settle()
    before = len(driver.api.sent_to(ana))
    ana.forwards(said)
    assert len(driver.answers(ana)) == before


def _fail(*_: object) -> None:
    raise OSError(28, "no space left")


def _unavailable(*_: object) -> None:
    raise LedgerUnavailableError("unreadable")


def test_recording_does_not_block_the_event_loop(driver, ana, monkeypatch):
    driver.settle()
    entered, going = threading.Event(), threading.Event()
    shared = driver.engagements.ledger._group_commit
    commit = shared._commit
    monkeypatch.setattr(durable_writer, "PATIENCE_SECONDS", 60.0)

    def stuck(entries):
        entered.set()
        going.wait(20)
        return commit(entries)

    monkeypatch.setattr(shared, "_commit", stuck)
    ana.says("AI-1")
    assert entered.wait(20)
    # The record is under way in a thread, and the loop turns all the same.
    turned = asyncio.run_coroutine_threadsafe(_turn(), driver._loop)
    turned.result(5)
    going.set()
    assert driver.recorded(ana) == {("AI-1", "query"): 1}


async def _turn() -> None:
    return


# --- sending -------------------------------------------------------------------------------------


def test_a_flood_is_waited_for(driver, ana):
    driver.settle()
    driver.api.flood(ana, seconds=1)
    before = len(driver.api.asked("sendMessage"))
    assert driver.answer(ana, "/help").text.startswith("What I do")
    assert len(driver.api.asked("sendMessage")) == before + 2


def test_a_chat_that_is_slowed_down_holds_up_no_other(driver, ana):
    bob = driver.api.user("Bob Canary", id=1002)
    bob.starts()
    driver.settle()
    driver.api.flood(ana, seconds=50)
    ana.says("/help")
    driver.api.wait_until(lambda: len(driver.api.asked("sendMessage")) == 3)
    bob.says("/help")
    driver.api.wait_until(lambda: driver.api.sent_to(bob)[-1].text.startswith("What I do"), 20)
    assert len(driver.api.sent_to(ana)) == 1  # hello
    driver.run(driver.bot.outbox.close(0))  # there is no reason to wait for Ana's turn here


def test_what_is_decided_by_a_button_is_done_though_the_press_cannot_be_acknowledged(driver, ana):
    ana.says("AI-1")
    question = driver.answer(ana, "/forget")
    driver.api.fail_next("answerCallbackQuery", 502, "Bad Gateway", times=3)
    ana.presses(question, "Yes, forget me")
    assert driver.recorded(ana) == {}
    assert driver.api.sent_to(ana)[-1].text.startswith("Done")


def test_what_was_decided_is_told_though_telegram_asks_to_wait(driver, ana):
    ana.says("AI-1")
    question = driver.answer(ana, "/forget")
    driver.api.flood(ana, seconds=1)
    ana.presses(question, "Yes, forget me")
    assert driver.answers(ana)[-1].text.startswith("Done")


def test_what_cannot_replace_the_question_any_more_is_said_below_it(driver, ana):
    question = driver.answer(ana, "/forget")
    driver.api.fail_next("editMessageText", 400, "Bad Request: message can't be edited")
    ana.presses(question, "No")
    assert [each.text for each in driver.answers(ana)[-2:]] == [
        question.text,
        "Nothing was deleted.",
    ]


def test_a_menu_that_telegram_does_not_take_is_only_missed(driver, log):
    driver.api.fail_next("setMyCommands", 400, "Bad Request: no")
    driver.run(driver.bot.show_commands())
    assert "menu not shown" in log.getvalue()
    driver.api.fail_next("setMyCommands", 401, "Unauthorized")
    with pytest.raises(InvalidToken):
        driver.run(driver.bot.show_commands())


def test_migrations_that_cannot_be_read_stop_no_start(start_driver, monkeypatch, log):
    def fail(_: object) -> None:
        message = "planted"
        raise LedgerUnavailableError(message)

    with monkeypatch.context() as patch:
        patch.setattr(EngagementLedger, "migrations", fail)
        driver = start_driver()
    assert "migrations unread" in log.getvalue()
    assert driver.answer(driver.api.user("Ana Canary", id=1001), "/help").text


def test_a_flood_without_end_drops_the_reply_and_nothing_else(driver, ana, log):
    driver.settle()
    driver.api.flood(ana, seconds=100)
    ana.says("AI-1")
    assert driver.recorded(ana) == {("AI-1", "query"): 1}
    assert "reply not delivered" in log.getvalue()
    assert driver.answer(ana, "/help").text


@pytest.mark.parametrize("text", ["/top", "/top früh"], ids=["carried", "no link carries that"])
def test_who_blocks_the_bot_is_recorded_in_groups_and_not_written_to(driver, ana, text):
    team = driver.api.supergroup("Team Canary", members=[ana])
    ana.says("AI-1")
    driver.settle()
    ana.blocks_bot()
    in_group = driver.answer(ana, text, team)
    assert in_group.buttons == ["Open the chat with me"]


def test_a_kick_before_the_answer_is_survived(driver, ana):
    team = driver.api.supergroup("Team Canary", members=[ana])
    ana.says("/help", in_=team)
    ana.removes_bot(team)
    driver.settle()
    assert driver.answer(ana, "/help").text


def test_an_answer_follows_a_group_that_became_a_supergroup(driver, ana):
    group = driver.api.group("Team Canary", members=[ana])
    with driver.api.changed:
        ana.says("/help", in_=group)
        supergroup = group.becomes_supergroup()
    assert driver.answers(supergroup)[0].text.startswith("What I do")


def test_an_answer_whose_topic_is_gone_stands_in_the_group(driver, ana):
    forum = driver.api.forum("Team Canary", members=[ana])
    topic = forum.creates_topic("Releases", by=ana)
    with driver.api.changed:
        ana.says("/help@ledger_bot", in_=forum, topic=topic)
        del forum.topics[topic]
    assert driver.answers(forum)[0].text.startswith("What I do")


@pytest.mark.parametrize("trouble", ["fail_next", "lose_answer"])
def test_a_lost_answer_is_sent_again(driver, ana, trouble):
    driver.settle()
    getattr(driver.api, trouble)("sendMessage")
    assert driver.asks(ana, "/help")[-1].text.startswith("What I do")


def test_a_stale_reply_is_dropped(driver, ana, log, monkeypatch):
    driver.settle()
    monkeypatch.setattr(sending, "STALE_SECONDS", -1.0)
    assert driver.asks(ana, "AI-1") == []
    assert driver.recorded(ana) == {("AI-1", "query"): 1}
    assert '"why": "stale"' in log.getvalue()


def test_one_chat_can_have_so_many_replies_waiting(driver, ana, log):
    driver.settle()
    with driver.api.faults.holding("sendMessage"):
        for number in range(1, 40):
            ana.says(f"AI-{number}")
        driver.api.wait_until(lambda: driver.api.pending() == 0)
        driver.run(driver.bot.application.update_queue.join())
    driver.settle()
    assert sum(driver.recorded(ana).values()) == 39
    assert len(driver.api.sent_to(ana)) == 1 + 1 + sending.WAITING_IN_A_CHAT
    assert "too many wait in its chat" in log.getvalue()


# --- damage --------------------------------------------------------------------------------------


def test_the_admins_are_told_of_damage(tmp_path):
    driver = ConversationDriver(tmp_path, ENGAGEMENT_ADMINS="1001")
    driver.engagements.ledger.record(interaction_of("ana", "AI-1", "query", context="canary"))
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
        connection.execute("UPDATE origins SET context = 'other'")
    driver.clock.move(DAY)
    admin = driver.api.user("Ana", id=1001)
    admin.says("hello")
    told = "The ledger is damaged"
    with driver:
        driver.api.wait_until(
            lambda: any(told in each.text for each in driver.api.sent_to(admin)), 30
        )
        (message,) = [each.text for each in driver.answers(admin) if told in each.text]
    assert "origins" in message
    assert "other" not in message
    assert "canary" not in message
