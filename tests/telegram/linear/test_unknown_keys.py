"""Keys that Linear does not show: told in private, and not recorded there unless known before."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from bot.linear.demo import Scripted
from bot.linear.demo.workspace import Invented
from bot.linear.issue import Absent
from bot.listening.classification import ChatKind
from bot.spool.durable_writer import Keeper
from bot.telegram import look_ups
from bot.telegram.key_check import CHECKS_AT_ONCE, KeyCheck
from bot.telegram.recording import Recorder
from ledger.commands import interaction_of
from ledger.errors import LedgerUnavailableError
from ledger.instants import moment_of
from tests.support.linear_server import LinearServer
from tests.support.observations import observation
from tests.support.strategies import NOON
from tests.support.telegram.conversation_driver import ConversationDriver
from tests.support.telegram.fake_users import FakeUser

NOW = moment_of(NOON)
ABSENT = "{}: not found in Linear, or I may not see it"


@pytest.fixture
def ana(driver: ConversationDriver) -> FakeUser:
    user = driver.api.user("Ana Canary", id=1001)
    user.starts()
    return user


@pytest.fixture(autouse=True)
def patient_with_linear(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine records nothing only because it is slow."""
    monkeypatch.setattr(look_ups, "CARD_SECONDS", 60.0)


@pytest.mark.parametrize("key", ["AI-99999", "OPS-3", "LAW-1", "NOPE-3"])
def test_a_key_that_linear_does_not_show_is_told_and_not_recorded(driver, ana, key):
    assert driver.answer(ana, f"How is {key}?").text == ABSENT.format(key)
    assert driver.recorded(ana) == {}


def test_a_key_of_an_unknown_team_is_told_as_any_other_that_is_not_found(driver, ana):
    told = driver.answer(ana, "NOPE-3, nope-4 and AI-1799").text.split("\n\n")
    assert told[0] == ABSENT.format("NOPE-3")
    assert told[1].startswith("◐ AI-1799")
    assert driver.recorded(ana) == {("AI-1799", "query"): 1}
    assert driver.answer(ana, "nope-4").text == ABSENT.format("NOPE-4")


def test_all_that_is_not_found_is_told_alike(driver, ana):
    told = driver.answer(ana, "AI-99999, OPS-3, LAW-1, NOPE-3")
    assert told.text.split("\n\n") == list(
        map(ABSENT.format, ("AI-99999", "OPS-3", "LAW-1", "NOPE-3"))
    )
    assert told.buttons == []
    assert driver.recorded(ana) == {}
    assert driver.answer(ana, "/top").text.endswith("nothing is recorded about you.")


def touched_before(driver: ConversationDriver, *keys: str) -> None:
    for key in keys:
        driver.engagements.ledger.record(interaction_of("1001", key, "query"))


def test_a_key_that_was_recorded_before_keeps_its_card_and_counts(driver, ana):
    touched_before(driver, "AI-99999", "OPS-3")
    card = driver.answer(ana, "AI-99999")
    assert card.text == f"{ABSENT.format('AI-99999')}\nYour score 0.760 · 2 queries, today at 12:00"
    assert card.buttons == ["Why?", "Hide AI-99999 from my lists"]
    several = driver.answer(ana, "OPS-3 and AI-99998")
    assert several.text.split("\n\n") == [ABSENT.format("OPS-3"), ABSENT.format("AI-99998")]
    assert several.buttons == ["OPS-3"]
    ana.presses(several, "OPS-3")
    assert driver.recorded(ana) == {
        ("AI-99999", "query"): 2,
        ("OPS-3", "query"): 2,
        ("OPS-3", "view"): 1,
    }


def test_what_another_user_has_touched_is_not_known(driver, ana):
    driver.engagements.ledger.record(interaction_of("1002", "AI-99999", "query"))
    driver.answer(ana, "AI-99999")
    assert driver.recorded(ana) == {}


def test_a_deleted_issue_that_the_ledger_has_an_observation_of_counts(driver, ana, linear):
    bob = driver.api.user("Bob Canary", id=1002)
    bob.starts()
    driver.answer(bob, "WEB-9")
    driver.settle()
    forget_answers(driver, linear)
    linear.local.workspace.issues[:] = []
    assert driver.answer(ana, "WEB-9").text.startswith(ABSENT.format("WEB-9"))
    assert driver.recorded(ana) == {("WEB-9", "query"): 1}


def test_a_hidden_issue_of_which_a_webhook_came_is_not_known(driver, ana):
    hidden = observation(3, identifier="OPS-3", team="OPS", updated_at=NOON)
    driver.engagements.ledger.record(hidden)
    assert driver.answer(ana, "OPS-3").text == ABSENT.format("OPS-3")
    assert driver.recorded(ana) == {}


def forget_answers(driver: ConversationDriver, linear: LinearServer) -> None:
    driver.api.wait_until(lambda: not driver.bot._observing)
    assert driver.bot._linear is not None
    driver.bot._linear._remembered.clear()
    linear.local.asked.clear()


def test_an_issue_that_is_created_later_counts_from_then_on(driver, ana, linear):
    assert driver.answer(ana, "AI-2000").text == ABSENT.format("AI-2000")
    linear.local.workspace.add(Invented("AI-2000", "New"), NOW)
    forget_answers(driver, linear)
    assert driver.answer(ana, "AI-2000").text.startswith("AI-2000 New")
    assert driver.recorded(ana) == {("AI-2000", "query"): 1}


def test_an_edit_counts_for_what_linear_shows(driver, ana):
    said = ana.says("AI-99999 and AI-1799")
    driver.settle()
    ana.edits(said, "AI-99998, OPS-3, WEB-7 and AI-1799")
    assert driver.recorded(ana) == {("AI-1799", "query"): 1, ("WEB-7", "query"): 1}


def test_a_forged_press_counts_only_for_what_linear_shows(driver, ana):
    several = driver.answer(ana, "AI-1799 and WEB-7")
    for key in ("AI-99999", "OPS-3", "WEB-7"):
        ana.presses(several, data=f"card:{key}")
    assert {key for key, kind in driver.recorded(ana) if kind == "view"} == {"WEB-7"}
    shown = [each.text.splitlines()[0] for each in driver.answers(ana)[-3:-1]]
    assert shown == [ABSENT.format("AI-99999"), ABSENT.format("OPS-3")]


def test_a_key_of_a_form_that_linear_does_not_have_is_recorded(start_driver, linear):
    settings = {"ENGAGEMENT_ISSUE_PATTERN": r"(?:AI|GH)[-:]\d+"} | linear.settings
    driver = start_driver(**settings)
    ana = driver.api.user("Ana Canary", id=1001)
    ana.starts()
    driver.answer(ana, "GH:7 and AI-99999")
    assert driver.recorded(ana) == {("GH:7", "query"): 1}


def test_what_waits_in_the_spool_is_not_decided_about(driver, ana, monkeypatch):
    monkeypatch.setattr(Keeper, "is_behind", True)
    driver.answer(ana, "AI-99999")
    monkeypatch.undo()
    driver.settle()
    driver.bot.recorder.keeper.drain_now()
    assert driver.recorded(ana) == {("AI-99999", "query"): 1}


def test_a_ledger_that_cannot_be_read_keeps_nothing_from_being_recorded(driver, ana, monkeypatch):
    def fail(*_: object) -> None:
        raise LedgerUnavailableError("planted")

    monkeypatch.setattr(KeyCheck, "_is_known", fail)
    driver.answer(ana, "AI-99999")
    assert driver.recorded(ana) == {("AI-99999", "query"): 1}


def test_a_group_counts_as_before_and_nobody_waits(driver, ana, linear):
    team = driver.api.supergroup("Team Canary", members=[ana])
    linear.hold()
    driver.asks(ana, "AI-99999 blocks OPS-3", in_=team)
    assert driver.recorded(ana) == {("AI-99999", "mention"): 1, ("OPS-3", "mention"): 1}
    assert linear.local.asked == []


def test_where_linear_is_down_all_is_recorded_at_once_and_the_log_says_so_once(
    driver, ana, linear, caplog
):
    linear.local.script.append(Scripted(503, b""))
    told = driver.answer(ana, "AI-99999")
    assert told.text.startswith("AI-99999: Linear does not answer now; ask again in a minute\nYour")
    assert driver.recorded(ana) == {("AI-99999", "query"): 1}
    assert caplog.messages.count("Linear not read") == 1


def test_ten_keys_cost_one_look_up_with_one_request_more_for_each_unknown(driver, ana, linear):
    shown = ["AI-1799", "AI-1800", "AI-1801", "AI-1802", "AI-1803", "WEB-7", "WEB-8"]
    touched_before(driver, *shown[:3])
    driver.answer(ana, " ".join([*shown, "AI-99999", "OPS-3", "NOPE-3"]))
    assert len(linear.local.asked) == 1 + 3


# --- waiting -------------------------------------------------------------------------------------


def begin_to_wait(driver: ConversationDriver, linear: LinearServer, user: FakeUser) -> None:
    """Let a user say what waits for Linear."""
    driver.settle()
    linear.hold()
    user.says("AI-1799 and AI-99999")
    driver.api.wait_until(lambda: bool(linear.local.asked))


def ask_and_wait(driver: ConversationDriver, user: FakeUser, seconds: float = 30.0) -> None:
    """Return once a user has an answer; AssertionError after `seconds`."""
    before = len(driver.api.sent_to(user))
    user.says("/help")
    driver.api.wait_until(lambda: len(driver.api.sent_to(user)) > before, seconds)


def test_a_message_that_waits_delays_no_other_chat_and_is_not_acknowledged(driver, ana, linear):
    bob = driver.api.user("Bob Canary", id=1002)
    bob.starts()
    begin_to_wait(driver, linear, ana)
    before = len(driver.api.sent_to(ana))
    ask_and_wait(driver, bob)
    ask_and_wait(driver, bob)
    assert driver.api.pending() >= 1
    assert len(driver.api.sent_to(ana)) == before
    linear.release()
    (card,) = driver.answers(ana)[before:]
    assert card.text.endswith(ABSENT.format("AI-99999"))
    assert len(driver.answers(bob)) == 1 + 2
    assert driver.recorded(ana) == {("AI-1799", "query"): 1}


def naming(user_id: int, key: str) -> Any:
    """The parts of a private message that a check reads."""
    sender = SimpleNamespace(user_id=user_id, chat_kind=ChatKind.PRIVATE)
    return SimpleNamespace(sender=sender, pressed=None, inline=None, counted=(key,), issues=(key,))


def test_of_many_messages_of_a_user_only_some_are_checked_at_once(driver):
    async def steps() -> None:
        answered = asyncio.Event()

        async def known(_: object) -> look_ups.Known:
            await answered.wait()
            return look_ups.Known({"AI-90001": Absent()})

        waiting: Any = SimpleNamespace(has_found=lambda _: False, known=known)
        check = KeyCheck(waiting, driver.engagements, (), lambda: False)
        begun = [check.begin(naming(1001, "AI-90001")) for _ in range(CHECKS_AT_ONCE + 2)]
        assert [each is None for each in begun] == [False] * CHECKS_AT_ONCE + [True] * 2
        begun.append(check.begin(naming(1002, "AI-90001")))
        answered.set()
        missing = await asyncio.gather(*(each.missing() for each in begun if each is not None))
        assert missing == [{"AI-90001"}] * (CHECKS_AT_ONCE + 1)
        assert not check.checking

    asyncio.run(steps())


def test_a_queue_that_waits_for_linear_is_noticed(driver, ana, linear, monkeypatch):
    begin = Recorder.begin

    async def wait(recorder: Recorder, update: object) -> asyncio.Future[bool]:
        recording = await begin(recorder, update)
        await recording
        return recording

    monkeypatch.setattr(Recorder, "begin", wait)
    bob = driver.api.user("Bob Canary", id=1002)
    bob.starts()
    begin_to_wait(driver, linear, ana)
    with pytest.raises(AssertionError, match="did not come true"):
        ask_and_wait(driver, bob, seconds=0.5)
    linear.release()


def test_what_one_user_sends_is_recorded_and_answered_in_its_order(driver, ana, linear):
    begin_to_wait(driver, linear, ana)
    before = len(driver.api.sent_to(ana))
    ana.says("/hide AI-1799")
    ana.says("/top")
    linear.release()
    card, hidden, top = (each.text for each in driver.answers(ana)[before:])
    assert card.startswith("◐ AI-1799 Answers cite pages")
    assert hidden.startswith("AI-1799 is hidden from your lists.")
    assert top.startswith("All your issues are hidden")


def test_a_message_that_waits_while_others_go_to_the_spool_is_not_decided_about(
    driver, ana, linear, monkeypatch
):
    begin_to_wait(driver, linear, ana)
    monkeypatch.setattr(Keeper, "is_behind", True)
    linear.release()
    driver.settle()
    monkeypatch.undo()
    driver.bot.recorder.keeper.drain_now()
    assert driver.recorded(ana) == {("AI-1799", "query"): 1, ("AI-99999", "query"): 1}


def test_linear_that_is_slow_holds_a_message_up_no_longer_than_its_card(
    driver, ana, linear, monkeypatch
):
    monkeypatch.setattr(look_ups, "CARD_SECONDS", 0.0)
    driver.settle()
    linear.hold()
    before = len(driver.api.sent_to(ana))
    ana.says("AI-99999")
    driver.api.wait_until(lambda: len(driver.api.sent_to(ana)) == before + 1)
    assert driver.api.sent_to(ana)[-1].text.startswith("AI-99999: asking Linear …\nYour score")
    linear.release()
    assert driver.answers(ana)[-1].text.startswith(f"{ABSENT.format('AI-99999')}\nYour score")
    assert driver.recorded(ana) == {("AI-99999", "query"): 1}


# --- words ---------------------------------------------------------------------------------------


def test_without_linear_a_key_of_an_unknown_team_is_told_as_that(start_driver):
    driver = start_driver(ENGAGEMENT_TEAM_KEYS="AI,WEB")
    ana = driver.api.user("Ana Canary", id=1001)
    ana.starts()
    for text in ("NOPE-3", "nope-3", "How is NOPE-3?"):
        assert driver.answer(ana, text).text == "NOPE-3 is of no team that I know"
    several = driver.answer(ana, "NOPE-3 and AI-1").text
    assert several.startswith("NOPE-3 is of no team that I know\n\nAI-1 · score 0.680")
    told = "NOPE-3 is of no team that I know. Try "
    for text in ("/score NOPE-3", "/why NOPE-3", "/history NOPE-3", "/chart NOPE-3"):
        assert driver.answer(ana, text).text.startswith(told), text
    assert driver.recorded(ana) == {("AI-1", "query"): 1}


@pytest.mark.parametrize(
    ("teams", "hint"),
    [
        ({}, "Name an issue in capitals, such as AI-1799, or ask for /help."),
        ({"ENGAGEMENT_TEAM_KEYS": "AI"}, "Name an issue, such as AI-1799, or ask for /help."),
    ],
)
def test_a_hint_asks_for_capitals_only_where_they_are_needed(start_driver, teams, hint):
    driver = start_driver(**teams)
    ana = driver.api.user("Ana Canary", id=1001)
    ana.starts()
    for text in ("hello", "what is utf-8?", "UTF-8", "top-10 of them"):
        assert driver.answer(ana, text).text == hint
