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
from tests.support.telegram.conversation_driver import Stage


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    """Pauses are for people; here they are skipped."""
    monkeypatch.setattr(sending, "RETRY_PAUSES_SECONDS", (0.0, 0.0))
    monkeypatch.setattr(durable_writer, "PAUSES_SECONDS", (0.01,))
    monkeypatch.setattr(durable_writer, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setenv("PTB_TIMEDELTA", "true")  # else the library warns of each flood, as an error


@pytest.fixture
def ana(stage: Stage):
    person = stage.api.person("Ana Canary", id=1001)
    person.starts()
    return person


@contextmanager
def unwritable(stage: Stage) -> Iterator[None]:
    """Let another process, as it were, hold the ledger."""
    with (stage.folder / "ledger.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# --- a ledger that cannot be written -------------------------------------------------------------


def test_a_ledger_that_cannot_be_written_stops_no_conversation(stage, ana, log):
    stage.settle()
    with unwritable(stage):
        assert stage.answer(ana, "AI-1 canary").text.startswith("AI-1 · score 0.500")
        assert stage.answer(ana, "/help").text
        assert stage.bot.recorder.keeper.is_behind
    stage.run(stage.bot.recorder.keeper.drain())
    assert stage.recorded(ana) == {("AI-1", "query"): 1}
    assert "ledger cannot be written" in log.getvalue()


def test_what_waits_is_recorded_in_its_order(stage, ana):
    stage.settle()
    with unwritable(stage):
        for text in ("AI-1", "/optout", "AI-2", "/optin", "AI-3"):
            ana.says(text)
            stage.settle()
            stage.clock.move(60_000_000)
    stage.run(stage.bot.recorder.keeper.drain())
    assert stage.recorded(ana) == {("AI-1", "query"): 1, ("AI-3", "query"): 1}


def test_what_waits_is_recorded_though_nobody_says_anything_more(stage, ana):
    stage.settle()
    keeper = stage.bot.recorder.keeper
    with unwritable(stage):
        ana.says("AI-1")
        stage.settle()
        with pytest.raises(LedgerUnavailableError):
            keeper.drain_now()
    stage.run(asyncio.wait_for(keeper._draining, 20))
    assert not keeper.is_behind


def test_what_waits_and_is_refused_is_set_aside(stage, ana):
    stage.settle()
    ahead = moment_of(stage.clock.at + 500 * DAY)
    refused = interaction_of("1001", "AI-1", "query", occurred_at=ahead)
    keeper = stage.bot.recorder.keeper
    keeper._spool.append([Waiting(refused), Waiting(interaction_of("1001", "AI-2", "query"))])
    keeper.drain_now()
    assert stage.recorded(ana) == {("AI-2", "query"): 1}
    assert keeper._spool.aside.read_bytes() == line_of(Waiting(refused))


def test_an_opt_out_that_waits_is_confirmed(stage, ana):
    stage.settle()
    with unwritable(stage):
        assert stage.answer(ana, "/optout").text.startswith("Done")


def test_what_waits_survives_a_restart(set_stage):
    stage = set_stage()
    ana = stage.api.person("Ana Canary", id=1001)
    stage.settle()
    with unwritable(stage):
        ana.says("AI-1 canary")
        stage.settle()
        spool = next(stage.folder.glob("ledger.db.spool-*"))
        assert b"AI-1 canary" in spool.read_bytes()
        stage.run(stage.bot.recorder.close())
    again = set_stage()
    again.run(again.bot.recorder.keeper.drain())
    assert again.recorded(ana) == {("AI-1", "query"): 1}


def test_a_fault_of_the_recorder_is_nobody_elses(stage, ana, monkeypatch):
    monkeypatch.setattr(recording, "heard_in", _fail)
    assert stage.answer(ana, "AI-1?").text.startswith("AI-1 · score")


def test_a_ledger_that_cannot_be_read_is_an_answer_too(stage, ana, monkeypatch):
    stage.settle()
    monkeypatch.setattr(type(stage.engagements), "ask", _unavailable)
    assert stage.answer(ana, "AI-1?").text.startswith("I cannot look that up right now")


def test_what_waits_is_forgotten_as_well(stage, ana):
    stage.settle()
    with unwritable(stage):
        ana.says("AI-1 canary of Ana")
        question = stage.answer(ana, "/forget")
        ana.presses(question, "Yes, forget me")
        stage.settle()
        assert stage.api.sent_to(ana)[-1].text.startswith("That could not be saved")
    ana.presses(question, "Yes, forget me")
    stage.settle()
    assert stage.api.sent_to(ana)[-1].text.startswith("Done")
    assert all(b"canary of Ana" not in path.read_bytes() for path in stage.folder.glob("*"))


def test_a_restart_that_overlaps_loses_nothing(set_stage):
    old = set_stage()
    ana = old.api.person("Ana Canary", id=1001)
    old.settle()
    with unwritable(old):
        ana.says("AI-1")
        old.settle()
        old.run(old.bot.recorder.keeper.close())
        held = Spool(next(old.folder.glob("ledger.db.spool-*")))
        held.append([])  # the process that is about to end has the file still
    new = set_stage()
    bob = new.api.person("Bob Canary", id=1002)
    bob.says("AI-2")
    assert new.recorded(bob) == {("AI-2", "query"): 1}
    held.close()
    new.run(new.bot.recorder.keeper.drain())
    assert new.recorded(new.api.person("Ana", id=1001)) == {("AI-1", "query"): 1}


def test_a_clock_that_is_days_behind_costs_nothing(stage, ana):
    stage.settle()
    today = stage.clock.at
    stage.api.clock = lambda: moment_of(today + 3 * DAY)
    ana.says("AI-1")
    stage.settle()
    assert stage.bot.recorder.keeper.is_behind
    stage.clock.move(3 * DAY)
    stage.run(stage.bot.recorder.keeper.drain())
    assert stage.recorded(ana) == {("AI-1", "query"): 1}


def test_what_is_in_the_way_of_all_entries_sets_none_aside(stage, ana, monkeypatch):
    stage.settle()
    keeper = stage.bot.recorder.keeper
    keeper._spool.append([Waiting(interaction_of("1001", "AI-1", "query"))])
    for error in (MemoryError(), OSError(errno.EIO, ""), LedgerUnavailableError("planted")):
        with monkeypatch.context() as patch:
            patch.setattr(stage.engagements.ledger, "record_many", Mock(side_effect=error))
            with pytest.raises(type(error)):
                keeper.drain_now()
    keeper.drain_now()
    assert stage.recorded(ana) == {("AI-1", "query"): 1}


def test_a_clock_that_is_behind_while_the_spool_drains_sets_nothing_aside(stage, ana):
    ana.says("AI-1")
    stage.settle()
    keeper = stage.bot.recorder.keeper
    stage.clock.move(-3 * DAY)
    keeper._spool.append([Waiting(interaction_of("1001", "AI-2", "query"))])
    with pytest.raises(ClockBehindError):
        keeper.drain_now()
    stage.clock.move(3 * DAY)
    keeper.drain_now()
    assert stage.recorded(ana) == {("AI-1", "query"): 1, ("AI-2", "query"): 1}


def test_a_ledger_whose_file_is_moved_is_waited_for(stage, ana):
    ana.says("AI-1")
    stage.settle()
    file, aside = stage.folder / "ledger.db", stage.folder / "aside"
    aside.mkdir()
    for part in stage.folder.glob("ledger.db*"):
        if ".lock" not in part.name and "spool" not in part.name:
            part.rename(aside / part.name)
    ana.says("AI-2")
    stage.settle()
    assert not file.exists()
    assert stage.bot.recorder.keeper.is_behind
    for part in aside.iterdir():
        part.rename(stage.folder / part.name)
    stage.run(stage.bot.recorder.keeper.drain())
    assert stage.recorded(ana) == {("AI-1", "query"): 1, ("AI-2", "query"): 1}


def test_an_entry_that_cannot_be_stored_holds_up_no_other(stage, ana, log, monkeypatch):
    stage.settle()
    with unwritable(stage):
        ana.says("AI-1")
        stage.settle()
        (spool,) = stage.folder.glob("ledger.db.spool-*")
        waiting = read(spool.read_bytes().rstrip(b"\0"))
        stage.run(stage.bot.recorder.keeper.close())
        poisoned = Spool(stage.folder / "poisoned.spool")
        poison = Waiting(msgspec.structs.replace(waiting.entry, issue_id="POISON-1"))
        poisoned.append([poison, waiting])
        poisoned.close()
    record_many = stage.engagements.ledger.record_many

    def failing(entries):
        if any(each.issue_id == "POISON-1" for each in entries):
            raise ValueError("it cannot be stored")
        return record_many(entries)

    monkeypatch.setattr(stage.engagements.ledger, "record_many", failing)
    keeper = durable_writer.Keeper(stage.engagements.ledger, poisoned.path)
    asyncio.run(keeper.drain())
    assert stage.recorded(ana) == {("AI-1", "query"): 1}
    assert '"event": "not recorded"' in log.getvalue()
    assert poisoned.aside.read_bytes() == line_of(poison)


def test_who_opted_out_leaves_no_words_in_the_spool(stage, ana):
    ana.says("/optout")
    stage.settle()
    with unwritable(stage):
        ana.says("AI-1 canary of Ana")
        stage.settle()
        assert all(b"canary of Ana" not in path.read_bytes() for path in stage.folder.glob("*"))


def test_a_forwarded_command_is_no_command(stage, ana):
    said = ana.says("/optout")
    stage.settle()
    before = len(stage.api.sent_to(ana))
    ana.forwards(said)
    assert len(stage.answers(ana)) == before


def _fail(*_: object) -> None:
    raise OSError(28, "no space left")


def _unavailable(*_: object) -> None:
    raise LedgerUnavailableError("unreadable")


def test_recording_does_not_block_the_event_loop(stage, ana, monkeypatch):
    stage.settle()
    entered, going = threading.Event(), threading.Event()
    shared = stage.engagements.ledger._group_commit
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
    turned = asyncio.run_coroutine_threadsafe(_turn(), stage._loop)
    turned.result(5)
    going.set()
    assert stage.recorded(ana) == {("AI-1", "query"): 1}


async def _turn() -> None:
    return


# --- sending -------------------------------------------------------------------------------------


def test_a_flood_is_waited_for(stage, ana):
    stage.settle()
    stage.api.flood(ana, seconds=1)
    before = len(stage.api.asked("sendMessage"))
    assert stage.answer(ana, "/help").text.startswith("What I do")
    assert len(stage.api.asked("sendMessage")) == before + 2


def test_a_chat_that_is_slowed_down_holds_up_no_other(stage, ana):
    bob = stage.api.person("Bob Canary", id=1002)
    bob.starts()
    stage.settle()
    stage.api.flood(ana, seconds=50)
    ana.says("/help")
    stage.api.wait_until(lambda: len(stage.api.asked("sendMessage")) == 3)
    bob.says("/help")
    stage.api.wait_until(lambda: stage.api.sent_to(bob)[-1].text.startswith("What I do"), 20)
    assert len(stage.api.sent_to(ana)) == 1  # hello
    stage.run(stage.bot.outbox.close(0))  # there is no reason to wait for Ana's turn here


def test_what_is_decided_by_a_button_is_done_though_the_press_cannot_be_acknowledged(stage, ana):
    ana.says("AI-1")
    question = stage.answer(ana, "/forget")
    stage.api.fail_next("answerCallbackQuery", 502, "Bad Gateway", times=3)
    ana.presses(question, "Yes, forget me")
    assert stage.recorded(ana) == {}
    assert stage.api.sent_to(ana)[-1].text.startswith("Done")


def test_what_was_decided_is_told_though_telegram_asks_to_wait(stage, ana):
    ana.says("AI-1")
    question = stage.answer(ana, "/forget")
    stage.api.flood(ana, seconds=1)
    ana.presses(question, "Yes, forget me")
    assert stage.answers(ana)[-1].text.startswith("Done")


def test_what_cannot_replace_the_question_any_more_is_said_below_it(stage, ana):
    question = stage.answer(ana, "/forget")
    stage.api.fail_next("editMessageText", 400, "Bad Request: message can't be edited")
    ana.presses(question, "No")
    assert [each.text for each in stage.answers(ana)[-2:]] == [
        question.text,
        "Nothing was deleted.",
    ]


def test_a_menu_that_telegram_does_not_take_is_only_missed(stage, log):
    stage.api.fail_next("setMyCommands", 400, "Bad Request: no")
    stage.run(stage.bot.show_commands())
    assert "menu not shown" in log.getvalue()
    stage.api.fail_next("setMyCommands", 401, "Unauthorized")
    with pytest.raises(InvalidToken):
        stage.run(stage.bot.show_commands())


def test_migrations_that_cannot_be_read_stop_no_start(set_stage, monkeypatch, log):
    def fail(_: object) -> None:
        message = "planted"
        raise LedgerUnavailableError(message)

    with monkeypatch.context() as patch:
        patch.setattr(EngagementLedger, "migrations", fail)
        stage = set_stage()
    assert "migrations unread" in log.getvalue()
    assert stage.answer(stage.api.person("Ana Canary", id=1001), "/help").text


def test_a_flood_without_end_drops_the_reply_and_nothing_else(stage, ana, log):
    stage.settle()
    stage.api.flood(ana, seconds=100)
    ana.says("AI-1")
    assert stage.recorded(ana) == {("AI-1", "query"): 1}
    assert "reply not delivered" in log.getvalue()
    assert stage.answer(ana, "/help").text


@pytest.mark.parametrize("text", ["/top", "/top früh"], ids=["carried", "no link carries that"])
def test_who_blocks_the_bot_is_recorded_in_groups_and_not_written_to(stage, ana, text):
    team = stage.api.supergroup("Team Canary", members=[ana])
    ana.says("AI-1")
    stage.settle()
    ana.blocks_bot()
    in_group = stage.answer(ana, text, team)
    assert in_group.buttons == ["Open the chat with me"]


def test_a_kick_before_the_answer_is_survived(stage, ana):
    team = stage.api.supergroup("Team Canary", members=[ana])
    ana.says("/help", in_=team)
    ana.removes_bot(team)
    stage.settle()
    assert stage.answer(ana, "/help").text


def test_an_answer_follows_a_group_that_became_a_supergroup(stage, ana):
    group = stage.api.group("Team Canary", members=[ana])
    with stage.api.changed:
        ana.says("/help", in_=group)
        supergroup = group.becomes_supergroup()
    assert stage.answers(supergroup)[0].text.startswith("What I do")


def test_an_answer_whose_topic_is_gone_stands_in_the_group(stage, ana):
    forum = stage.api.forum("Team Canary", members=[ana])
    topic = forum.creates_topic("Releases", by=ana)
    with stage.api.changed:
        ana.says("/help@ledger_bot", in_=forum, topic=topic)
        del forum.topics[topic]
    assert stage.answers(forum)[0].text.startswith("What I do")


@pytest.mark.parametrize("trouble", ["fail_next", "lose_answer"])
def test_a_lost_answer_is_sent_again(stage, ana, trouble):
    stage.settle()
    getattr(stage.api, trouble)("sendMessage")
    assert stage.asks(ana, "/help")[-1].text.startswith("What I do")


def test_a_stale_reply_is_dropped(stage, ana, log, monkeypatch):
    stage.settle()
    monkeypatch.setattr(sending, "STALE_SECONDS", -1.0)
    assert stage.asks(ana, "AI-1") == []
    assert stage.recorded(ana) == {("AI-1", "query"): 1}
    assert '"why": "stale"' in log.getvalue()


def test_one_chat_can_have_so_many_replies_waiting(stage, ana, log):
    stage.settle()
    with stage.api.faults.holding("sendMessage"):
        for number in range(1, 40):
            ana.says(f"AI-{number}")
        stage.api.wait_until(lambda: stage.api.pending() == 0)
        stage.run(stage.bot.application.update_queue.join())
    stage.settle()
    assert sum(stage.recorded(ana).values()) == 39
    assert len(stage.api.sent_to(ana)) == 1 + 1 + sending.WAITING_IN_A_CHAT
    assert "too many wait in its chat" in log.getvalue()


# --- damage --------------------------------------------------------------------------------------


def test_the_admins_are_told_of_damage(tmp_path):
    stage = Stage(tmp_path, ENGAGEMENT_ADMINS="1001")
    stage.engagements.ledger.record(interaction_of("ana", "AI-1", "query", context="canary"))
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
        connection.execute("UPDATE origins SET context = 'other'")
    stage.clock.move(DAY)
    admin = stage.api.person("Ana", id=1001)
    admin.says("hello")
    told = "The ledger is damaged"
    with stage:
        stage.api.wait_until(
            lambda: any(told in each.text for each in stage.api.sent_to(admin)), 30
        )
        (message,) = [each.text for each in stage.answers(admin) if told in each.text]
    assert "origins" in message
    assert "other" not in message
    assert "canary" not in message
