"""Privacy: who is recorded, who is forgotten, and where the bot listens at all."""

import errno

import pytest

from bot import english
from ledger.errors import LedgerUnavailableError, TracesLeftError
from ledger.instants import DAY
from tests.support.telegram.conversation_driver import Stage

MINUTE = 60_000_000
ANA = 73_311_337


@pytest.fixture
def ana(stage: Stage):
    person = stage.api.person("Ana Canary", id=ANA)
    person.starts()
    return person


@pytest.fixture
def bob(stage: Stage):
    return stage.api.person("Bob Canary", id=1002)


@pytest.fixture
def team(stage: Stage, ana, bob):
    return stage.api.supergroup("Team Canary", members=[ana, bob])


def files(stage: Stage) -> bytes:
    """All bytes that the ledger keeps on disk."""
    return b"".join(path.read_bytes() for path in stage.folder.glob("ledger.db*"))


# --- opting out ----------------------------------------------------------------------------------


def test_whoever_opts_out_is_not_recorded(stage, ana, bob, team):
    assert stage.answer(ana, "/optout").text.startswith("Done: from now on nothing")
    ana.says("AI-1 in private")
    ana.says("AI-2 in the group", in_=team)
    bob.says("AI-3 in the group", in_=team)
    assert stage.recorded(ana) == {}
    assert stage.recorded(bob) == {("AI-3", "mention"): 1}


def test_what_follows_an_opt_out_at_once_is_not_recorded_either(stage, ana):
    with stage.api.changed:
        ana.says("/optout")
        ana.says("AI-1 a moment later")
    assert stage.recorded(ana) == {}


def test_whoever_opts_out_is_answered_all_the_same(stage, ana):
    ana.says("/optout")
    assert "not touched yet" in stage.answer(ana, "AI-1?").text


def test_opting_in_again_records_from_then_on(stage, ana):
    ana.says("/optout")
    stage.settle()
    stage.clock.move(MINUTE)
    unheard = ana.says("AI-1 in between")
    stage.settle()
    stage.clock.move(MINUTE)
    assert stage.answer(ana, "/optin").text.startswith("Done: what you ask")
    ana.says("AI-2 afterwards")
    stage.settle()
    stage.api.queue_raw({"message": unheard["message"]})
    assert stage.recorded(ana) == {("AI-2", "query"): 1}


def test_an_edit_says_nothing_of_what_somebody_wants(stage, ana):
    old = ana.says("/optin")
    ana.says("/optout")
    ana.edits(old, "/optin please")
    ana.says("AI-1")
    assert stage.recorded(ana) == {}


def test_an_opt_out_in_a_group_is_confirmed_in_private(stage, ana, team):
    assert stage.answer(ana, "/optout", team).text == "I have answered you in private."
    ana.says("AI-1", in_=team)
    assert stage.recorded(ana) == {}


# --- being forgotten -----------------------------------------------------------------------------


def test_forgetting_asks_back_and_then_leaves_nothing(stage, ana, bob, team):
    ana.says("AI-1 canary of Ana", in_=team)
    message = ana.says("AI-1 another canary of Ana")
    bob.says("AI-1 canary of Bob", in_=team)
    question = stage.answer(ana, "/forget")
    assert question.buttons == ["Yes, forget me", "No"]
    assert b"canary of Ana" in files(stage)
    stage.clock.move(MINUTE)
    ana.presses(question, "Yes, forget me")
    stage.settle()
    assert stage.api.sent_to(ana)[-1].text.startswith("Done. What was recorded about you")
    left = files(stage)
    assert b"canary of Ana" not in left
    assert str(ANA).encode() not in left
    assert b"canary of Bob" in left
    assert stage.recorded(ana) == {}
    assert stage.recorded(bob) == {("AI-1", "mention"): 1}
    assert stage.engagements.replay(repair=False, progress=lambda _: None).difference is None
    stage.api.queue_raw({"message": message["message"]})
    assert stage.recorded(ana) == {}


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
    stage, ana, monkeypatch, error, said
):
    def fail(_: object) -> None:
        raise error

    ana.says("AI-1")
    question = stage.answer(ana, "/forget")
    with monkeypatch.context() as patch:
        patch.setattr(stage.engagements, "erase", fail)
        ana.presses(question, "Yes, forget me")
        again = stage.answers(ana)[-1]
    assert (again.text, again.buttons) == (said, ["Yes, forget me", "No"])
    ana.presses(again, "Yes, forget me")
    assert stage.answers(ana)[-1].text.startswith("Done. What was recorded about you")
    assert stage.recorded(ana) == {}


def test_whoever_comes_back_begins_anew(stage, ana):
    ana.says("AI-1")
    ana.presses(stage.answer(ana, "/forget"), "Yes, forget me")
    stage.settle()
    stage.clock.move(MINUTE)
    ana.says("AI-2")
    assert stage.recorded(ana) == {("AI-2", "query"): 1}


def test_nothing_is_deleted_when_the_answer_is_no(stage, ana):
    ana.says("AI-1")
    ana.presses(stage.answer(ana, "/forget"), "No")
    assert stage.recorded(ana) == {("AI-1", "query"): 1}
    assert stage.api.sent_to(ana)[-1].text == "Nothing was deleted."


def test_only_who_asked_can_answer(stage, ana, bob):
    ana.says("AI-1")
    question = stage.answer(ana, "/forget")
    bob.presses(question, "Yes, forget me")
    stage.settle()
    assert question.edits == []
    assert stage.recorded(ana) == {("AI-1", "query"): 1}
    (answer,) = stage.api.asked("answerCallbackQuery")
    assert answer.parameters["text"] == "Only the person who asked can answer this."


def test_a_forged_button_forgets_at_most_oneself(stage, ana, bob):
    ana.says("AI-1")
    bob.says("AI-1")
    question = stage.answer(bob, "/forget")
    bob.presses(question, data=f"forget:{ANA}")
    assert stage.recorded(ana) == {("AI-1", "query"): 1}


def test_what_is_kept_and_for_how_long_is_told(set_stage):
    stage = set_stage(ENGAGEMENT_CONTEXT_DAYS="7")
    assert "for 7 days" in stage.answer(stage.api.person("Ana Canary"), "/privacy").text


# --- where the bot listens -----------------------------------------------------------------------


@pytest.fixture
def bounded(set_stage):
    """A bot for one group, with one admin."""
    return set_stage(ENGAGEMENT_CHATS="-1001000000777", ENGAGEMENT_ADMINS="1009")


def test_elsewhere_the_bot_says_so_once_and_leaves(bounded):
    ana = bounded.api.person("Ana Canary", id=1001)
    elsewhere = bounded.api.supergroup("Elsewhere", members=[ana])
    ana.says("AI-1", in_=elsewhere)
    ana.says("AI-1 again", in_=elsewhere)
    (told,) = bounded.answers(elsewhere)
    assert told.text.startswith("I am not meant for this chat")
    assert str(elsewhere.id) in told.text
    assert not elsewhere.has(bounded.api.bot_id)
    assert bounded.recorded(ana) == {}


def test_whoever_wrote_in_the_group_may_write_in_private(bounded):
    ana = bounded.api.person("Ana Canary", id=1001)
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
    boss, eve = bounded.api.person("Boss", id=1009), bounded.api.person("Eve Canary", id=1666)
    boss.says("AI-1")
    briefing = bounded.answer(boss, "/briefing")
    eve.says("hello")
    before = len(bounded.answers(eve))
    eve.presses(briefing, data="card:AI-1")
    assert len(bounded.answers(eve)) == before
    assert bounded.recorded(eve) == {}


def test_a_group_on_the_list_stays_there_as_a_supergroup(set_stage):
    stage = set_stage(ENGAGEMENT_CHATS="-4777")
    ana = stage.api.person("Ana Canary", id=1001)
    group = stage.api.group("Team Canary", members=[ana], id=-4777)
    ana.says("AI-1", in_=group)
    supergroup = group.becomes_supergroup()
    ana.says("AI-1", in_=supergroup)
    assert stage.recorded(ana) == {("AI-1", "mention"): 2}
    assert supergroup.has(stage.api.bot_id)


def test_only_an_admin_brings_the_bot_into_groups_where_there_are_admins(set_stage):
    stage = set_stage(ENGAGEMENT_ADMINS="1009")
    boss, ana = stage.api.person("Boss", id=1009), stage.api.person("Ana Canary", id=1001)
    meant = stage.api.supergroup("Meant", members=[boss], bot="left")
    stray = stage.api.supergroup("Stray", members=[ana], bot="left")
    boss.adds_bot(meant)
    ana.adds_bot(stray)
    assert stage.answers(meant)[0].text.startswith("Hello!")
    assert stage.answers(stray)[0].text.startswith("I am not meant for this chat")
    assert meant.has(stage.api.bot_id)
    assert not stray.has(stage.api.bot_id)


def test_an_admin_sees_the_state_of_the_ledger(bounded):
    boss = bounded.api.person("Boss", id=1009)
    boss.says("AI-1")
    bounded.settle()
    bounded.clock.move(DAY)
    assert bounded.answer(boss, "/status").text.startswith("The ledger\nEvents: 1\nPeople: 1")
