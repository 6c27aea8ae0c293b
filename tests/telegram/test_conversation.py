"""The conversation: each command in private and in groups, and what a group may know."""

import datetime as dt
import sys

import pytest

from bot.charts import score_chart
from bot.listening.bot_commands import COMMANDS
from bot.telegram import handlers
from bot.telegram.handlers import CHARTED_DAYS, RANKED_AT_MOST
from ledger.instants import DAY
from tests.support.chart_pictures import size_of
from tests.support.shared_cases import CASES, needs_cases
from tests.support.telegram.conversation_driver import ConversationDriver
from tests.support.telegram.data_exports import exported


@pytest.fixture
def ana(driver: ConversationDriver):
    user = driver.api.user("Ana Canary", id=1001)
    user.starts()
    return user


@pytest.fixture
def team(driver: ConversationDriver, ana):
    return driver.api.supergroup("Team Canary", members=[ana, driver.api.user("Bob", id=1002)])


# --- in private ----------------------------------------------------------------------------------


def test_issues_that_are_named_are_answered_with_their_cards(driver, ana):
    card = driver.answer(ana, "What's the status of AI-1799 and DMD-480?")
    assert card.text == (
        "AI-1799 · score 0.680\n1 query, today at 12:00\n\n"
        "DMD-480 · score 0.680\n1 query, today at 12:00"
    )


def test_a_score_comes_with_its_parts(driver, ana):
    ana.says("AI-1799?")
    assert driver.answer(ana, "/score AI-1799").text == (
        "AI-1799 scores 0.680 now\n"
        "touched once, active today; "
        "(0.4 × frequency 0.200 + 0.6 × recency 1.000) × decay 1.000"
    )


def test_why_takes_a_score_apart_down_to_the_touches(driver, ana):
    ana.says("AI-1799?")
    driver.settle()
    driver.clock.move(14 * DAY)
    assert driver.answer(ana, "/why AI-1799").text == (
        "AI-1799 scores 0.378 now\n"
        "Touched once: 1 query; the last was 1 Jan at 12:00.\n"
        "Frequency 0.200: 1 × 0.2, at most 1.\n"
        "Recency 0.497: exp(−0.05 × 14), active 14 days ago.\n"
        "Base 0.378: 0.4 × frequency 0.200 + 0.6 × recency 0.497.\n"
        "Decay 1.000: there is none within 30 idle days.\n"
        "Score 0.378 = 0.378 × 1.000.\n"
        "By policy 1, the default.\n"
        "1 Jan at 12:00 · query"
    )
    assert "scores 0.680 as of 1 Jan" in driver.answer(ana, "/why AI-1799 2026-01-01").text
    assert "Never touched" in driver.answer(ana, "/why AI-1").text
    assert "Try /why AI-1799" in driver.answer(ana, "/why").text


def test_why_lists_what_was_set_by_hand_among_the_touches(driver, ana):
    ana.says("AI-1799?")
    driver.settle()
    driver.engagements.adjustments.override(str(ana.id), "AI-1799", 0.9)
    lines = driver.answer(ana, "/why AI-1799").text.splitlines()
    assert "The score was set to 0.9 by hand, today at 12:00, and nothing has ended that." in lines
    assert lines[-2:] == ["today at 12:00 · score set to 0.9", "today at 12:00 · query"]


def test_a_score_can_be_asked_for_as_of_a_date(driver, ana):
    ana.says("AI-1799?")
    driver.settle()
    driver.clock.move(10 * DAY)
    assert "scores 0.444 now" in driver.answer(ana, "/score ai-1799").text
    assert "scores 0.680 as of 1 Jan" in driver.answer(ana, "/score AI-1799 2026-01-01").text
    assert "scores 0.500 as of" in driver.answer(ana, "/score AI-1799 2025-12-01").text


def test_the_ranking_can_be_shorter_and_of_another_day(driver, ana):
    for issue in ("AI-1", "AI-2", "AI-2", "AI-3"):
        ana.says(issue)
        driver.settle()
        driver.clock.move(DAY)
    lines = driver.answer(ana, "/top 2").text.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["1.", "AI-2"], ["2.", "AI-3"]]
    assert driver.answer(ana, "/top 5 2026-01-01").text.splitlines()[1:] == [
        "1. AI-1 0.680 · once · 1 Jan at 12:00"
    ]
    assert "You have no issues to rank" in driver.answer(ana, "/top 2020-01-01").text


WRITTEN = {
    "Thu": "1 Jan at 23:59",
    "last friday at 13:00": "2 Jan at 13:00",
    "3 Jan": "3 Jan at 23:59",
    "January 3 2026 at 13": "3 Jan at 13:00",
    "6 days ago": "2 Jan at 12:00",
    "last week": "1 Jan at 12:00",
    "Yesterday 9:15": "yesterday at 09:15",
    "December 2025": "31 Dec at 23:59",
    "an hour ago": "today at 11:00",
}
"""Moments that may be asked about on Thursday, 8 January at noon, and their meanings."""


def test_dates_can_be_asked_for_in_words(driver, ana):
    ana.says("AI-1")
    driver.settle()
    driver.clock.move(7 * DAY)
    for command in ("/top", "/score AI-1", "/stats", "/history", "/history AI-1"):
        for date, moment in WRITTEN.items():
            assert f" as of {moment}" in driver.answer(ana, f"{command} {date}").text


def test_totals_and_history_can_be_asked_for_as_of_a_date(driver, ana):
    for issue in ("AI-1", "AI-2", "AI-1"):
        ana.says(issue)
        driver.settle()
        driver.clock.move(DAY)
    totals = driver.answer(ana, "/stats 2 days ago").text.splitlines()
    assert totals[:2] == ["Your totals as of 2 Jan at 12:00", "Interactions: 2"]
    assert driver.answer(ana, "/stats 31 Dec").text == (
        "Nothing is recorded about you as of 31 Dec at 23:59."
    )
    assert driver.answer(ana, "/history yesterday at 11:59").text == (
        "What is recorded about you as of yesterday at 11:59, the latest first\n"
        "2 Jan at 12:00 · query · AI-2\n“AI-2”\n1 Jan at 12:00 · query · AI-1\n“AI-1”"
    )
    assert len(driver.answer(ana, "/history AI-1 yesterday").text.splitlines()) == 1 + 2 * 2
    assert driver.answer(ana, "/history AI-2 thu").text == (
        "Nothing is recorded about you for AI-2 as of 1 Jan at 23:59."
    )


def test_a_number_that_begins_a_date_is_no_count(driver, ana):
    for issue in ("AI-1", "AI-2", "AI-3"):
        ana.says(issue)
        driver.settle()
        driver.clock.move(DAY)
    assert len(driver.answer(ana, "/top 1 days ago").text.splitlines()) == 1 + 3
    assert len(driver.answer(ana, "/top 1 1 days ago").text.splitlines()) == 1 + 1
    assert len(driver.answer(ana, "/top 1 Jan 4").text.splitlines()) == 1 + 1
    assert len(driver.answer(ana, "/top 2 yesterday at 14:00").text.splitlines()) == 1 + 2
    assert "as of 1 Jan at 23:59" in driver.answer(ana, "/top 1 Jan").text
    assert "as of 1 Jan at 23:59" in driver.answer(ana, "/top 1 Jan 2026").text


def test_a_briefing_has_a_button_for_each_issue(driver, ana):
    ana.says("AI-1 and AI-2")
    briefing = driver.answer(ana, "/briefing")
    assert briefing.buttons == ["AI-1 · 0.680", "AI-2 · 0.680"]
    ana.presses(briefing, "AI-2 · 0.680")
    assert driver.answers(ana)[-1].text.startswith("AI-2 · score 0.760")


def test_totals_and_history(driver, ana):
    ana.says("AI-1 <b>canary</b> & AI-2")
    assert driver.answer(ana, "/stats").text.startswith(
        "Your totals now\nInteractions: 2\nIssues: 2\nInteractions per issue: 1\n"
    )
    history = driver.answer(ana, "/history AI-1").text
    assert history == (
        "What is recorded about you for AI-1 now, the latest first\n"
        "today at 12:00 · query · AI-1\n“AI-1 <b>canary</b> & AI-2”"
    )


def test_a_long_history_ends_with_what_is_left_out(driver, ana):
    for number in range(1, 24):
        ana.says(f"AI-{number}")
    assert driver.answer(ana, "/history").text.splitlines()[-1] == (
        "… and 3 earlier; /export has them all"
    )


@pytest.mark.parametrize("command", ["/chart", "/chart AI-1"])
def test_a_chart_is_a_picture(driver, ana, command):
    ana.says("AI-1")
    chart = driver.answer(ana, command)
    assert chart.message["photo"]
    width, height = size_of(chart.file.content)
    assert width >= 1_000
    assert height >= 300


def test_a_ranking_has_its_limit(driver, ana):
    for begun in range(0, 60, 20):
        ana.says(" ".join(f"AI-{number}" for number in range(begun + 1, begun + 21)))
    lines = driver.asks(ana, "/top 999")[-1].text.splitlines()
    assert len(lines) == 1 + RANKED_AT_MOST


@pytest.mark.parametrize("command", ["/chart", "/chart AI-1"])
def test_a_chart_that_cannot_be_drawn_here_is_answered(driver, ana, monkeypatch, command):
    monkeypatch.delitem(sys.modules, "bot.charts.canvas", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # as where it is not installed
    driver.answer(ana, "AI-1")
    assert driver.answer(ana, command).text == (
        "Sorry, that is not installed here: charts need matplotlib: "
        "pip install 'engagement-ledger[charts]'"
    )


def test_a_date_after_chart_counts(driver, ana, monkeypatch):
    drawn = []

    def draw(series, *rest):
        drawn.append(series)
        return score_chart(series, *rest)

    monkeypatch.setattr(handlers, "score_chart", draw)
    ana.says("AI-1?")
    driver.settle()
    then = driver.clock()
    driver.clock.move(14 * DAY)
    ana.says("AI-1?")
    driver.settle()
    day = f"{then:%Y-%m-%d}"
    assert "as of 1 Jan" in driver.answer(ana, f"/chart AI-1 {day}").message["caption"]
    assert "as of 1 Jan" in driver.answer(ana, f"/chart {day}").message["caption"]
    assert len(drawn[0].interactions) == 1
    assert "Try /chart" in driver.answer(ana, "/chart AI-1 nonsense").text


@pytest.mark.parametrize("command", ["/briefing", "/privacy", "/help", "/optout"])
def test_words_after_a_command_that_takes_none_are_told_of(driver, ana, command):
    line = f"{command} takes no more words, so “next week” was ignored."
    assert driver.answer(ana, f"{command} next week").text.endswith(line)
    assert "takes no more words" not in driver.answer(ana, f"{command} please").text


def test_a_chart_goes_back_so_many_days(driver, ana, monkeypatch):
    spans = []

    def drawn(series, *rest):
        spans.append(series.end - series.start)
        return score_chart(series, *rest)

    monkeypatch.setattr(handlers, "score_chart", drawn)
    ana.says("AI-1")
    driver.settle()
    driver.clock.move(10 * DAY)
    driver.answer(ana, "/chart AI-1")
    driver.clock.move(400 * DAY)
    driver.answer(ana, "/chart AI-1")
    assert spans == [10 * DAY, CHARTED_DAYS * DAY]


def test_a_fault_of_an_answer_is_an_answer_too(driver, ana, log, monkeypatch):
    driver.settle()
    monkeypatch.setitem(handlers.ANSWERS, "stats", lambda _: 1 / 0)
    assert driver.answer(ana, "/stats").text.startswith("Something went wrong on my side")
    assert "ZeroDivisionError" in log.getvalue()


def test_an_export_is_a_file_of_all_ones_own_interactions(driver, ana):
    ana.says("AI-1 canary")
    export = driver.answer(ana, "/export")
    assert export.file.name == "engagement-2026-01-01.zip"
    (entry,) = exported(export.file.content)
    assert (entry["issue_id"], entry["kind"], entry["context"]) == ("AI-1", "query", "AI-1 canary")


def test_no_other_users_history_is_in_an_answer(driver, ana):
    bob = driver.api.user("Bob", id=1002)
    bob.says("AI-666 canary")
    for command in ("/top", "/stats", "/history", "/briefing", "/export", "/chart"):
        answer = driver.answer(ana, command)
        content = answer.file.content if answer.file else b""
        shown = str(exported(content)) if command == "/export" else content.decode(errors="replace")
        assert "AI-666" not in answer.text + shown


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("hello", "Name an issue in capitals, such as AI-1799, or ask for /help."),
        ("/nonsense", "I do not know /nonsense. /help lists what I know."),
        ("/score", "I did not understand that. Try /score AI-1799"),
        ("/score hello", "hello is not an issue that I can read. Try /score AI-1799"),
        ("/score AI-1 tomorrow", "tomorrow is not a date that I can read. Try /score AI-1799 or"),
        ("/score AI-1 30 Feb", "30 Feb is not a date that I can read"),
        ("/score AI-1 2026-01-01T10:00", "2026-01-01T10:00 is not a date that I can read"),
        ("/top 2026", "2026 is not a date"),
        ("/top 20260131", "You have no issues to rank"),
        ("/score https://linear.app/x/issue/AI-1/t", "AI-1 scores 0.500"),
        ("/top 0", "I did not understand that. Try /top"),
        ("/top many", "many is not a date that I can read"),
        (
            "/top 5 days",
            "days is not a date that I can read. Try /top, /top 5 or /top 5 last monday",
        ),
        ("/top 3 5", "5 is not a date that I can read"),
        (
            "/stats sometime last week",
            "sometime last week is not a date that I can read. Try /stats or",
        ),
        ("/history <b>", "<b> is neither an issue nor a date that I can read. Try /history"),
        ("/history AI-1 AI-2", "AI-2 is not a date that I can read"),
        ("/status", "/status is for the admins of this bot."),
    ],
)
def test_what_cannot_be_meant_gets_one_helpful_line(driver, ana, text, answer):
    sent = driver.answer(ana, text)
    assert sent.text.startswith(answer)
    assert text.startswith("/score http") or "\n" not in sent.text


@pytest.mark.parametrize(
    "said",
    ["AI-1799.", "#AI-1799", "AI-1799, please", "«AI-1799»", "ai-1799?", "(AI-1799) thanks!"],
)
def test_a_command_reads_an_issue_as_a_sentence_does(driver, ana, said):
    assert driver.answer(ana, f"/score {said}").text.startswith("AI-1799 scores 0.500")
    assert driver.answer(ana, f"/why {said}").text.startswith("AI-1799 scores 0.500")
    assert "AI-1799" in driver.answer(ana, f"/history {said}").text
    assert "AI-1799" in driver.answer(ana, f"/chart {said}").text


def test_a_date_after_an_issue_is_read_with_a_courtesy_behind_it(driver, ana):
    answer = driver.answer(ana, "/score AI-1799, yesterday please").text
    assert answer == driver.answer(ana, "/score AI-1799 yesterday").text
    assert driver.answer(ana, "/top 5 please").text == driver.answer(ana, "/top 5").text


@needs_cases
def test_each_command_of_the_case_is_answered(driver, ana):
    for line in (CASES / "29-command-with-punctuation.txt").read_text("utf-8").splitlines():
        assert driver.answer(ana, line).text.startswith("AI-1799")


def test_help_lists_every_command_and_says_what_is_recorded(driver, ana):
    text = driver.answer(ana, "/help").text
    for name, command in COMMANDS.items():
        assert (f"/{name} " in text) is not command.for_admins
    assert "What I record" in text


@pytest.mark.parametrize(
    ("reads_all", "said"), [(True, "I see every message"), (False, "privacy mode is on")]
)
def test_help_says_whether_privacy_mode_hides_messages(start_driver, reads_all, said):
    driver = start_driver(reads_all=reads_all)
    assert said in driver.answer(driver.api.user("Ana Canary"), "/help").text


def test_an_edited_question_is_not_answered_again(driver, ana):
    question = ana.says("AI-1?")
    driver.settle()
    ana.edits(question, "AI-1 and AI-2?")
    assert len(driver.answers(ana)) == 2  # hello, and the card


# --- in groups -----------------------------------------------------------------------------------

PERSONAL = ("top", "score AI-1", "stats", "history", "briefing", "chart")


@pytest.mark.parametrize("command", PERSONAL)
def test_a_personal_command_in_a_group_is_answered_in_private(driver, ana, team, command):
    ana.says("AI-1 canary", in_=team)
    before = len(driver.answers(ana))
    in_group = driver.answer(ana, f"/{command}", team)
    assert in_group.text == "I have answered you in private."
    assert len(driver.answers(ana)) == before + 1


def test_an_issue_asked_for_in_a_group_is_answered_in_private(driver, ana, team):
    in_group = driver.answer(ana, "@ledger_bot AI-1 and AI-2?", team)
    assert in_group.text == "AI-1, AI-2: I have sent you what I know in private."
    assert "AI-1 · score 0.680" in driver.answers(ana)[-1].text


def test_a_user_whom_the_bot_may_not_write_to_gets_a_link_to_the_answer(driver, team):
    bob = driver.api.user("Bob", id=1002)
    in_group = driver.answer(bob, "/score AI-1", team)
    ((button,),) = in_group.rows
    assert "0.5" not in in_group.text
    url, _, payload = button["url"].partition("?start=")
    assert url.endswith("/ledger_bot")
    bob.starts(payload=payload)
    assert "AI-1 scores 0.500 now" in driver.answers(bob)[-1].text


def test_a_date_in_words_goes_through_the_link(driver, team):
    bob = driver.api.user("Bob", id=1002)
    in_group = driver.answer(bob, "/score AI-1 yesterday at 14:00", team)
    ((button,),) = in_group.rows
    bob.starts(payload=button["url"].partition("?start=")[2])
    assert "AI-1 scores 0.500 as of yesterday at 14:00" in driver.answers(bob)[-1].text


def test_an_export_is_for_the_private_chat_only(driver, ana, team):
    assert driver.answer(ana, "/export", team).text == "/export works in our private chat only."


@pytest.mark.parametrize("command", ["help", "privacy", "start"])
def test_what_is_for_all_members_is_answered_in_the_group(driver, ana, team, command):
    before = len(driver.answers(ana))
    assert driver.answer(ana, f"/{command}", team).text
    assert len(driver.answers(ana)) == before


def test_an_unknown_command_in_a_group_may_be_for_another_bot(driver, ana, team):
    assert driver.asks(ana, "/nonsense", team) == []
    assert driver.answer(ana, "/nonsense@ledger_bot", team).text.startswith("I do not know")
    assert driver.asks(ana, "/top@other_bot", team) == []


def test_an_answer_stands_in_the_topic_where_it_was_asked(driver, ana):
    forum = driver.api.forum("Team Canary", members=[ana])
    topic = forum.creates_topic("Releases", by=ana)
    in_topic = driver.answer(ana, "/help@ledger_bot", forum, topic=topic)
    assert in_topic.topic == topic
    assert driver.answer(ana, "/help@ledger_bot", forum).topic is None


def test_the_menus_differ_by_scope(driver):
    scopes = {
        request.parameters["scope"]["type"]: {c["command"] for c in request.parameters["commands"]}
        for request in driver.api.asked("setMyCommands")
    }
    everything = {name for name, command in COMMANDS.items() if not command.for_admins}
    assert scopes["all_private_chats"] == everything
    assert scopes["all_group_chats"] == everything - {"export", "link", "unlink"}


# --- presses -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data", ["card:", "card:nothing", "card:AI-1 AI-2", "forget:", "forget:1002", "keep:1002", "x"]
)
def test_a_forged_press_does_nothing(driver, ana, data):
    card = driver.answer(ana, "AI-1")
    briefing = driver.answer(ana, "/briefing")
    before = len(driver.answers(ana))
    ana.presses(briefing, data=data)
    assert len(driver.answers(ana)) == before
    assert card.edits == briefing.edits == []
    assert driver.recorded(ana) == {("AI-1", "query"): 1}


def test_every_press_is_acknowledged(driver, ana):
    ana.says("AI-1")
    briefing = driver.answer(ana, "/briefing")
    ana.presses(briefing)
    driver.settle()
    assert len(driver.api.asked("answerCallbackQuery")) == 1


def test_a_press_in_another_year_opens_the_card_as_it_is_then(driver, ana):
    ana.says("AI-1")
    briefing = driver.answer(ana, "/briefing")
    driver.clock.move(400 * DAY)
    ana.presses(briefing)
    assert "1 query, 1 view · first 1 Jan 2026, last today" in driver.answers(ana)[-1].text


def test_times_are_told_in_the_configured_zone(start_driver):
    driver = start_driver(ENGAGEMENT_TIMEZONE="Asia/Kathmandu")
    assert driver.clock() == dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
    assert "today at 17:45" in driver.answer(driver.api.user("Ana Canary"), "AI-1").text
