"""Hiding an issue: it leaves one's lists, by a command or a button, and nothing else changes."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bot.spool import durable_writer
from ledger.commands import interaction_of
from tests.support.telegram.conversation_driver import ConversationDriver

SECOND = 1_000_000
HIDE, UNHIDE = "Hide AI-1 from my lists", "Show AI-1 in my lists again"


@pytest.fixture
def ana(driver: ConversationDriver):
    user = driver.api.user("Ana Canary", id=1001)
    user.starts()
    return user


@pytest.fixture
def bob(driver: ConversationDriver):
    return driver.api.user("Bob Canary", id=1002)


@contextmanager
def unwritable(driver: ConversationDriver) -> Iterator[None]:
    """Let another process, as it were, hold the ledger."""
    with (driver.folder / "ledger.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def hidden(driver: ConversationDriver, who: int = 1001) -> set[str]:
    driver.settle()
    return set(driver.engagements.questions.hidden(str(who)))


def hidings(driver: ConversationDriver) -> list[bool]:
    driver.settle()
    return [each.hidden for each in driver.engagements.questions.hidings("1001")]


def notes(driver: ConversationDriver) -> list[str]:
    """The notes that popped up after presses."""
    driver.settle()
    asked = driver.api.asked("answerCallbackQuery")
    return [str(each.parameters.get("text", "")) for each in asked]


# --- by commands ---------------------------------------------------------------------------------


def test_a_hidden_issue_leaves_lists_and_stays_in_scores_totals_and_history(driver, ana):
    ana.says("AI-1 and AI-2")
    score = driver.answer(ana, "/score AI-1").text
    assert driver.answer(ana, "/hide AI-1").text == (
        "AI-1 is hidden from your lists. It counts as before; /unhide lists what is hidden."
    )
    assert driver.answer(ana, "/briefing").buttons == ["AI-2 · 0.680"]
    assert "AI-1" not in driver.answer(ana, "/top").text
    assert driver.answer(ana, "/score AI-1").text == score
    stats = driver.answer(ana, "/stats").text
    assert "Interactions: 2\nIssues: 2" in stats
    assert stats.endswith("Most engaged: AI-2 0.680")
    history = driver.answer(ana, "/history AI-1").text.splitlines()
    assert history[1] == "today at 12:00 · hidden from your lists · AI-1"
    driver.clock.move(SECOND)
    assert driver.answer(ana, "/unhide ai-1.").text == "AI-1 is in your lists again."
    assert "AI-1" in driver.answer(ana, "/top").text
    assert "shown in your lists again · AI-1" in driver.answer(ana, "/history").text


def test_what_is_hidden_is_listed_with_a_button_for_each(driver, ana):
    assert driver.answer(ana, "/unhide").text.startswith("Nothing is hidden from your lists.")
    ana.says("AI-1 AI-2 AI-10")
    ana.says("/hide AI-2")
    ana.says("/hide AI-1")
    shown = driver.answer(ana, "/unhide please")
    assert shown.text.startswith("Hidden from your lists\n")
    assert shown.buttons == ["AI-1", "AI-2"]
    driver.clock.move(SECOND)
    ana.presses(shown, "AI-1")
    assert hidden(driver) == {"AI-2"}
    assert shown.buttons == ["AI-2"]
    ana.presses(shown, "AI-2")
    driver.settle()
    assert shown.text.startswith("Nothing is hidden from your lists.")
    assert shown.buttons == []


def test_lists_that_hiding_has_emptied_say_so(driver, ana):
    ana.says("AI-1")
    ana.says("/hide AI-1")
    for command in ("/top", "/briefing", "/chart", "/stats"):
        assert "/unhide lists" in driver.answer(ana, command).text


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("/hide AI-9", "You never touched AI-9, so it is in none of your lists."),
        ("/unhide AI-1", "AI-1 was not hidden from your lists. /unhide lists what is hidden."),
        ("/hide", "I did not understand that. Try /hide AI-1799."),
        ("/hide ÄÖ", "ÄÖ is not an issue that I can read. Try /hide AI-1799."),
    ],
)
def test_what_hides_nothing_says_why(driver, ana, said, answer):
    ana.says("AI-1")
    assert driver.answer(ana, said).text == answer
    assert hidden(driver) == set()


def test_hiding_twice_is_told_of_and_so_is_a_second_issue(driver, ana):
    ana.says("AI-1 AI-2")
    ana.says("/hide AI-1")
    twice = driver.answer(ana, "/hide AI-1 AI-2 please").text
    assert twice == (
        "AI-1 was already hidden from your lists. /unhide lists what is hidden.\n"
        "/hide takes one issue, so “AI-2” was ignored."
    )


def test_what_is_no_key_by_now_can_be_hidden(driver, ana):
    driver.engagements.ledger.record(interaction_of("1001", "UTF-8", "query"))
    assert driver.answer(ana, "/hide UTF-8.").text.startswith("UTF-8 is hidden")
    assert hidden(driver) == {"UTF-8"}


def test_a_courtesy_before_the_issue_is_no_issue(driver, ana):
    ana.says("AI-1")
    assert driver.answer(ana, "/hide please AI-1").text.startswith("AI-1 is hidden")
    assert hidden(driver) == {"AI-1"}


def test_the_last_of_two_commands_within_a_second_counts(driver, ana):
    ana.says("AI-1")
    ana.says("/hide AI-1")
    driver.settle()
    driver.clock.move(1)
    assert driver.answer(ana, "/unhide AI-1").text == "AI-1 is in your lists again."


def test_a_command_in_a_group_is_answered_in_private_and_an_edit_does_nothing(driver, ana):
    team = driver.api.supergroup("Team Canary", members=[ana])
    ana.says("AI-1 AI-2")
    driver.settle()  # chats are answered side by side
    said = ana.says("/hide AI-1", in_=team)
    assert driver.answers(ana)[-1].text.startswith("AI-1 is hidden")
    assert [sent.text for sent in driver.answers(team)] == ["I have answered you in private."]
    ana.edits(said, "/hide AI-2")
    assert hidden(driver) == {"AI-1"}


def test_who_opted_out_hides_nothing(driver, ana):
    ana.says("AI-1")
    ana.says("/optout")
    assert driver.answer(ana, "/hide AI-1").text.startswith("You have opted out")
    assert hidden(driver) == set()


def test_a_command_that_comes_again_adds_nothing(driver, ana):
    ana.says("AI-1")
    said = ana.says("/hide AI-1")
    driver.clock.move(SECOND)
    ana.says("/unhide AI-1")
    driver.clock.move(SECOND)
    driver.api.queue_raw({"message": said["message"]})
    assert hidings(driver) == [True, False]


def test_hiding_goes_with_who_is_forgotten(driver, ana):
    ana.says("AI-1")
    ana.says("/hide AI-1")
    ana.presses(driver.answer(ana, "/forget"), "Yes, forget me")
    driver.settle()
    driver.clock.move(SECOND)
    ana.says("AI-1")
    assert hidden(driver) == set()
    assert driver.answer(ana, "/history").text.count("AI-1") == 1 + 1  # the touch and its words


# --- by buttons ----------------------------------------------------------------------------------


def test_a_cards_button_hides_and_shows_again_and_its_message_says_so(driver, ana):
    card = driver.answer(ana, "AI-1")
    assert card.buttons == [HIDE]
    ana.presses(card, HIDE)
    assert notes(driver)[-1].startswith("AI-1 is hidden from your lists.")
    assert card.buttons == [UNHIDE]
    assert " · hidden from your lists\n" in card.text
    driver.clock.move(SECOND)
    ana.presses(card, UNHIDE)
    assert notes(driver)[-1] == "AI-1 is in your lists again."
    assert card.buttons == [HIDE]
    assert "hidden" not in card.text
    assert driver.recorded(ana) == {
        ("AI-1", "query"): 1,
        ("AI-1", "hidden"): 1,
        ("AI-1", "unhidden"): 1,
    }


def test_cards_of_one_message_keep_their_places(driver, ana):
    cards = driver.answer(ana, "AI-1 and AI-2")
    ana.presses(cards, "Hide AI-2 from my lists")
    driver.settle()
    assert cards.buttons == [HIDE, "Show AI-2 in my lists again"]
    assert [each[:4] for each in cards.text.split("\n\n")] == ["AI-1", "AI-2"]


def test_a_second_press_sends_nothing_more(driver, ana):
    card = driver.answer(ana, "AI-1")
    before = len(driver.answers(ana))
    for _ in range(2):
        ana.presses(card, data="hide:AI-1")
    assert notes(driver)[-1].startswith("AI-1 was already hidden")
    assert len(driver.answers(ana)) == before


def test_a_message_that_is_too_old_is_not_changed(driver, ana):
    card = driver.answer(ana, "AI-1")
    ana.presses(card, HIDE, gone=True)
    assert hidden(driver) == {"AI-1"}
    assert card.edits == []


@pytest.mark.parametrize(
    "data",
    ["hide:", "hide:ÄÖ", "hide: AI-1", "hide:AI-1 ", "hide:ai-1", "HIDE:AI-1", "hide:AI-1\n",
     "hide:" + "A" * 51],
)  # fmt: skip
def test_forged_data_hides_nothing(driver, ana, data):
    card = driver.answer(ana, "AI-1")
    ana.presses(card, data=data)
    assert hidden(driver) == set()
    assert card.edits == []


def test_a_press_hides_from_the_users_own_lists_and_changes_no_other_users_message(
    driver, ana, bob
):
    bob.starts()
    card, of_bob = driver.answer(ana, "AI-1"), driver.answer(bob, "AI-1")
    bob.presses(card, HIDE)
    assert (hidden(driver, 1001), hidden(driver, 1002)) == (set(), {"AI-1"})
    assert card.edits == of_bob.edits == []


def test_a_press_for_what_was_never_touched_is_refused(driver, ana):
    card = driver.answer(ana, "AI-1")
    ana.presses(card, data="hide:AI-9")
    assert notes(driver)[-1].startswith("You never touched AI-9")
    assert hidden(driver) == set()


# --- a ledger that cannot be written -------------------------------------------------------------


def test_what_waits_hides_once_the_ledger_can_be_written(driver, ana, monkeypatch):
    monkeypatch.setattr(durable_writer, "PAUSES_SECONDS", (0.01,))
    monkeypatch.setattr(durable_writer, "PATIENCE_SECONDS", 0.2)
    card = driver.answer(ana, "AI-1 and AI-2")
    with unwritable(driver):
        ana.presses(card, HIDE)
        assert notes(driver)[-1].startswith("Noted: that takes effect")
        assert driver.answer(ana, "/hide AI-2").text.startswith("Noted: that takes effect")
        ana.says("/hide AI-9")
        assert hidden(driver) == set()
    driver.run(driver.bot.recorder.keeper.drain())
    assert hidden(driver) == {"AI-1", "AI-2"}
    assert card.edits == []
    assert not driver.bot.recorder.keeper._spool.aside.exists()
