"""Privacy: who is recorded, who is forgotten, and where the bot listens at all."""

import errno

import pytest

from bot import english
from ledger.errors import LedgerUnavailableError, TracesLeftError
from ledger.instants import DAY
from tests.support.telegram.conversation_driver import ConversationDriver

MINUTE = 60_000_000
ANA = 73_311_337


@pytest.fixture
def ana(driver: ConversationDriver):
    user = driver.api.user("Ana Canary", id=ANA)
    user.starts()
    return user


@pytest.fixture
def bob(driver: ConversationDriver):
    return driver.api.user("Bob Canary", id=1002)


@pytest.fixture
def team(driver: ConversationDriver, ana, bob):
    return driver.api.supergroup("Team Canary", members=[ana, bob])


def files(driver: ConversationDriver) -> bytes:
    """All bytes that the ledger keeps on disk."""
    return b"".join(path.read_bytes() for path in driver.folder.glob("ledger.db*"))


# --- opting out ----------------------------------------------------------------------------------


def test_a_user_who_opts_out_is_not_recorded(driver, ana, bob, team):
    assert driver.answer(ana, "/optout").text.startswith("Done: from now on nothing")
    ana.says("AI-1 in private")
    ana.says("AI-2 in the group", in_=team)
    bob.says("AI-3 in the group", in_=team)
    assert driver.recorded(ana) == {}
    assert driver.recorded(bob) == {("AI-3", "mention"): 1}


def test_what_follows_an_opt_out_at_once_is_not_recorded_either(driver, ana):
    with driver.api.changed:
        ana.says("/optout")
        ana.says("AI-1 a moment later")
    assert driver.recorded(ana) == {}


def test_a_user_who_opts_out_is_answered_all_the_same(driver, ana):
    ana.says("/optout")
    assert "not touched yet" in driver.answer(ana, "AI-1?").text


def test_opting_in_again_records_from_then_on(driver, ana):
    ana.says("/optout")
    driver.settle()
    driver.clock.move(MINUTE)
    unheard = ana.says("AI-1 in between")
    driver.settle()
    driver.clock.move(MINUTE)
    assert driver.answer(ana, "/optin").text.startswith("Done: what you ask")
    ana.says("AI-2 afterwards")
    driver.settle()
    driver.api.queue_raw({"message": unheard["message"]})
    assert driver.recorded(ana) == {("AI-2", "query"): 1}


def test_an_edit_is_no_decision(driver, ana):
    old = ana.says("/optin")
    ana.says("/optout")
    ana.edits(old, "/optin please")
    ana.says("AI-1")
    assert driver.recorded(ana) == {}


def test_an_opt_out_in_a_group_is_confirmed_in_private(driver, ana, team):
    assert driver.answer(ana, "/optout", team).text == "I have answered you in private."
    ana.says("AI-1", in_=team)
    assert driver.recorded(ana) == {}


# --- being forgotten -----------------------------------------------------------------------------


def test_forgetting_asks_back_and_then_leaves_nothing(driver, ana, bob, team):
    ana.says("AI-1 canary of Ana", in_=team)
    message = ana.says("AI-1 another canary of Ana")
    bob.says("AI-1 canary of Bob", in_=team)
    question = driver.answer(ana, "/forget")
    assert question.buttons == ["Yes, forget me", "No"]
    assert b"canary of Ana" in files(driver)
    driver.clock.move(MINUTE)
    ana.presses(question, "Yes, forget me")
    driver.settle()
    assert driver.api.sent_to(ana)[-1].text.startswith("Done. What was recorded about you")
    left = files(driver)
    assert b"canary of Ana" not in left
    assert str(ANA).encode() not in left
    assert b"canary of Bob" in left
    assert driver.recorded(ana) == {}
    assert driver.recorded(bob) == {("AI-1", "mention"): 1}
    assert (
        driver.engagements.maintenance.replay(repair=False, progress=lambda _: None).difference
        is None
    )
    driver.api.queue_raw({"message": message["message"]})
    assert driver.recorded(ana) == {}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (TracesLeftError("a reader"), english.FORGET_LATER),
        (LedgerUnavailableError("a lock"), english.NOT_NOTED),
        (OSError(errno.EIO, "a disk"), english.NOT_NOTED),
    ],
    ids=["traces", "ledger", "spool"],
)
def test_what_cannot_be_forgotten_now_is_told_and_can_be_pressed_again(
    driver, ana, monkeypatch, error, said
):
    def fail(_: object) -> None:
        raise error

    ana.says("AI-1")
    question = driver.answer(ana, "/forget")
    with monkeypatch.context() as patch:
        patch.setattr(driver.engagements.ledger, "erase", fail)
        ana.presses(question, "Yes, forget me")
        again = driver.answers(ana)[-1]
    assert (again.text, again.buttons) == (said, ["Yes, forget me", "No"])
    ana.presses(again, "Yes, forget me")
    assert driver.answers(ana)[-1].text.startswith("Done. What was recorded about you")
    assert driver.recorded(ana) == {}


def test_a_user_who_comes_back_starts_from_zero(driver, ana):
    ana.says("AI-1")
    ana.presses(driver.answer(ana, "/forget"), "Yes, forget me")
    driver.settle()
    driver.clock.move(MINUTE)
    ana.says("AI-2")
    assert driver.recorded(ana) == {("AI-2", "query"): 1}


def test_nothing_is_deleted_when_the_answer_is_no(driver, ana):
    ana.says("AI-1")
    ana.presses(driver.answer(ana, "/forget"), "No")
    assert driver.recorded(ana) == {("AI-1", "query"): 1}
    assert driver.api.sent_to(ana)[-1].text == "Nothing was deleted."


def test_only_who_asked_can_answer(driver, ana, bob):
    ana.says("AI-1")
    question = driver.answer(ana, "/forget")
    bob.presses(question, "Yes, forget me")
    driver.settle()
    assert question.edits == []
    assert driver.recorded(ana) == {("AI-1", "query"): 1}
    (answer,) = driver.api.asked("answerCallbackQuery")
    assert answer.parameters["text"] == "Only the person who asked can answer this."


def test_a_forged_button_forgets_at_most_oneself(driver, ana, bob):
    ana.says("AI-1")
    bob.says("AI-1")
    question = driver.answer(bob, "/forget")
    bob.presses(question, data=f"forget:{ANA}")
    assert driver.recorded(ana) == {("AI-1", "query"): 1}


def test_what_is_kept_and_for_how_long_is_told(start_driver):
    driver = start_driver(ENGAGEMENT_CONTEXT_DAYS="7")
    assert "for 7 days" in driver.answer(driver.api.user("Ana Canary"), "/privacy").text


# --- where the bot listens -----------------------------------------------------------------------


@pytest.fixture
def bounded(start_driver):
    """A bot for one group, with one admin."""
    return start_driver(ENGAGEMENT_CHATS="-1001000000777", ENGAGEMENT_ADMINS="1009")


def test_elsewhere_the_bot_says_so_once_and_leaves(bounded):
    ana = bounded.api.user("Ana Canary", id=1001)
    elsewhere = bounded.api.supergroup("Elsewhere", members=[ana])
    ana.says("AI-1", in_=elsewhere)
    ana.says("AI-1 again", in_=elsewhere)
    (told,) = bounded.answers(elsewhere)
    assert told.text.startswith("I am not meant for this chat")
    assert str(elsewhere.id) in told.text
    assert not elsewhere.has(bounded.api.bot_id)
    assert bounded.recorded(ana) == {}


def test_a_user_who_wrote_in_the_group_may_write_in_private(bounded):
    ana = bounded.api.user("Ana Canary", id=1001)
    team = bounded.api.supergroup("Team Canary", members=[ana], id=-1001000000777)
    (refused, *more) = bounded.asks(ana, "AI-1?")
    assert refused.text.startswith("I only talk to people from my groups")
    assert more == bounded.asks(ana, "AI-1??") == []
    assert bounded.recorded(ana) == {}
    ana.says("AI-2 blocks us", in_=team)
    bounded.settle()
    assert "AI-1 · score" in bounded.answer(ana, "AI-1?").text
    assert bounded.recorded(ana) == {("AI-2", "mention"): 1, ("AI-1", "query"): 1}


def test_a_stranger_presses_in_vain(bounded):
    boss, eve = bounded.api.user("Boss", id=1009), bounded.api.user("Eve Canary", id=1666)
    boss.says("AI-1")
    briefing = bounded.answer(boss, "/briefing")
    eve.says("hello")
    before = len(bounded.answers(eve))
    eve.presses(briefing, data="card:AI-1")
    assert len(bounded.answers(eve)) == before
    assert bounded.recorded(eve) == {}


def test_a_group_on_the_list_stays_there_as_a_supergroup(start_driver):
    driver = start_driver(ENGAGEMENT_CHATS="-4777")
    ana = driver.api.user("Ana Canary", id=1001)
    group = driver.api.group("Team Canary", members=[ana], id=-4777)
    ana.says("AI-1", in_=group)
    supergroup = group.becomes_supergroup()
    ana.says("AI-1", in_=supergroup)
    assert driver.recorded(ana) == {("AI-1", "mention"): 2}
    assert supergroup.has(driver.api.bot_id)


def test_only_an_admin_brings_the_bot_into_groups_where_there_are_admins(start_driver):
    driver = start_driver(ENGAGEMENT_ADMINS="1009")
    boss, ana = driver.api.user("Boss", id=1009), driver.api.user("Ana Canary", id=1001)
    meant = driver.api.supergroup("Meant", members=[boss], bot="left")
    stray = driver.api.supergroup("Stray", members=[ana], bot="left")
    boss.adds_bot(meant)
    ana.adds_bot(stray)
    assert driver.answers(meant)[0].text.startswith("Hello!")
    assert driver.answers(stray)[0].text.startswith("I am not meant for this chat")
    assert meant.has(driver.api.bot_id)
    assert not stray.has(driver.api.bot_id)


def test_an_admin_sees_the_state_of_the_ledger(bounded):
    boss = bounded.api.user("Boss", id=1009)
    boss.says("AI-1")
    bounded.settle()
    bounded.clock.move(DAY)
    assert bounded.answer(boss, "/status").text.startswith("The ledger\nEvents: 1\nPeople: 1")
