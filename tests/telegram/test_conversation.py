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
from tests.support.telegram.conversation_driver import Stage
from tests.support.telegram.data_exports import exported


@pytest.fixture
def ana(stage: Stage):
    person = stage.api.person("Ana Canary", id=1001)
    person.starts()
    return person


@pytest.fixture
def team(stage: Stage, ana):
    return stage.api.supergroup("Team Canary", members=[ana, stage.api.person("Bob", id=1002)])


# --- in private ----------------------------------------------------------------------------------


def test_issues_that_are_named_are_answered_with_their_cards(stage, ana):
    card = stage.answer(ana, "What's the status of AI-1799 and DMD-480?")
    assert card.text == (
        "AI-1799 · score 0.680\n1 query, today at 12:00\n\n"
        "DMD-480 · score 0.680\n1 query, today at 12:00"
    )


def test_a_score_comes_with_its_parts(stage, ana):
    ana.says("AI-1799?")
    assert stage.answer(ana, "/score AI-1799").text == (
        "AI-1799 scores 0.680 now\n"
        "touched once, active today; "
        "(0.4 × frequency 0.200 + 0.6 × recency 1.000) × decay 1.000"
    )


def test_why_takes_a_score_apart_down_to_the_touches(stage, ana):
    ana.says("AI-1799?")
    stage.settle()
    stage.clock.move(14 * DAY)
    assert stage.answer(ana, "/why AI-1799").text == (
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
    assert "scores 0.680 as of 1 Jan" in stage.answer(ana, "/why AI-1799 2026-01-01").text
    assert "Never touched" in stage.answer(ana, "/why AI-1").text
    assert "Try /why AI-1799" in stage.answer(ana, "/why").text


def test_why_lists_what_was_set_by_hand_among_the_touches(stage, ana):
    ana.says("AI-1799?")
    stage.settle()
    stage.engagements.override(str(ana.id), "AI-1799", 0.9)
    lines = stage.answer(ana, "/why AI-1799").text.splitlines()
    assert "The score was set to 0.9 by hand, today at 12:00, and nothing has ended that." in lines
    assert lines[-2:] == ["today at 12:00 · score set to 0.9", "today at 12:00 · query"]


def test_a_score_can_be_asked_for_as_of_a_date(stage, ana):
    ana.says("AI-1799?")
    stage.settle()
    stage.clock.move(10 * DAY)
    assert "scores 0.444 now" in stage.answer(ana, "/score ai-1799").text
    assert "scores 0.680 as of 1 Jan" in stage.answer(ana, "/score AI-1799 2026-01-01").text
    assert "scores 0.500 as of" in stage.answer(ana, "/score AI-1799 2025-12-01").text


def test_the_ranking_can_be_shorter_and_of_another_day(stage, ana):
    for issue in ("AI-1", "AI-2", "AI-2", "AI-3"):
        ana.says(issue)
        stage.settle()
        stage.clock.move(DAY)
    lines = stage.answer(ana, "/top 2").text.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["1.", "AI-2"], ["2.", "AI-3"]]
    assert stage.answer(ana, "/top 5 2026-01-01").text.splitlines()[1:] == [
        "1. AI-1 0.680 · once · 1 Jan at 12:00"
    ]
    assert "You have no issues to rank" in stage.answer(ana, "/top 2020-01-01").text


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


def test_dates_can_be_asked_for_in_words(stage, ana):
    ana.says("AI-1")
    stage.settle()
    stage.clock.move(7 * DAY)
    for command in ("/top", "/score AI-1", "/stats", "/history", "/history AI-1"):
        for date, moment in WRITTEN.items():
            assert f" as of {moment}" in stage.answer(ana, f"{command} {date}").text


def test_totals_and_history_can_be_asked_for_as_of_a_date(stage, ana):
    for issue in ("AI-1", "AI-2", "AI-1"):
        ana.says(issue)
        stage.settle()
        stage.clock.move(DAY)
    totals = stage.answer(ana, "/stats 2 days ago").text.splitlines()
    assert totals[:2] == ["Your totals as of 2 Jan at 12:00", "Interactions: 2"]
    assert stage.answer(ana, "/stats 31 Dec").text == (
        "Nothing is recorded about you as of 31 Dec at 23:59."
    )
    assert stage.answer(ana, "/history yesterday at 11:59").text == (
        "What is recorded about you as of yesterday at 11:59, the latest first\n"
        "2 Jan at 12:00 · query · AI-2\n“AI-2”\n1 Jan at 12:00 · query · AI-1\n“AI-1”"
    )
    assert len(stage.answer(ana, "/history AI-1 yesterday").text.splitlines()) == 1 + 2 * 2
    assert stage.answer(ana, "/history AI-2 thu").text == (
        "Nothing is recorded about you for AI-2 as of 1 Jan at 23:59."
    )


def test_a_number_that_begins_a_date_is_no_count(stage, ana):
    for issue in ("AI-1", "AI-2", "AI-3"):
        ana.says(issue)
        stage.settle()
        stage.clock.move(DAY)
    assert len(stage.answer(ana, "/top 1 days ago").text.splitlines()) == 1 + 3
    assert len(stage.answer(ana, "/top 1 1 days ago").text.splitlines()) == 1 + 1
    assert len(stage.answer(ana, "/top 1 Jan 4").text.splitlines()) == 1 + 1
    assert len(stage.answer(ana, "/top 2 yesterday at 14:00").text.splitlines()) == 1 + 2
    assert "as of 1 Jan at 23:59" in stage.answer(ana, "/top 1 Jan").text
    assert "as of 1 Jan at 23:59" in stage.answer(ana, "/top 1 Jan 2026").text


def test_a_briefing_has_a_button_for_each_issue(stage, ana):
    ana.says("AI-1 and AI-2")
    briefing = stage.answer(ana, "/briefing")
    assert briefing.buttons == ["AI-1 · 0.680", "AI-2 · 0.680"]
    ana.presses(briefing, "AI-2 · 0.680")
    assert stage.answers(ana)[-1].text.startswith("AI-2 · score 0.760")


def test_totals_and_history(stage, ana):
    ana.says("AI-1 <b>canary</b> & AI-2")
    assert stage.answer(ana, "/stats").text.startswith(
        "Your totals now\nInteractions: 2\nIssues: 2\nInteractions per issue: 1\n"
    )
    history = stage.answer(ana, "/history AI-1").text
    assert history == (
        "What is recorded about you for AI-1 now, the latest first\n"
        "today at 12:00 · query · AI-1\n“AI-1 <b>canary</b> & AI-2”"
    )


def test_a_long_history_ends_with_what_is_left_out(stage, ana):
    for number in range(1, 24):
        ana.says(f"AI-{number}")
    assert stage.answer(ana, "/history").text.splitlines()[-1] == (
        "… and 3 earlier; /export has them all"
    )


@pytest.mark.parametrize("command", ["/chart", "/chart AI-1"])
def test_a_chart_is_a_picture(stage, ana, command):
    ana.says("AI-1")
    chart = stage.answer(ana, command)
    assert chart.message["photo"]
    width, height = size_of(chart.file.content)
    assert width >= 1_000
    assert height >= 300


def test_a_ranking_has_its_limit(stage, ana):
    for begun in range(0, 60, 20):
        ana.says(" ".join(f"AI-{number}" for number in range(begun + 1, begun + 21)))
    lines = stage.asks(ana, "/top 999")[-1].text.splitlines()
    assert len(lines) == 1 + RANKED_AT_MOST


@pytest.mark.parametrize("command", ["/chart", "/chart AI-1"])
def test_a_chart_that_cannot_be_drawn_here_is_answered(stage, ana, monkeypatch, command):
    monkeypatch.delitem(sys.modules, "bot.charts.canvas", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # as where it is not installed
    stage.answer(ana, "AI-1")
    assert stage.answer(ana, command).text == (
        "Sorry, that is not installed here: charts need matplotlib: "
        "pip install 'engagement-ledger[charts]'"
    )


def test_a_date_after_chart_counts(stage, ana, monkeypatch):
    drawn = []

    def draw(series, *rest):
        drawn.append(series)
        return score_chart(series, *rest)

    monkeypatch.setattr(handlers, "score_chart", draw)
    ana.says("AI-1?")
    stage.settle()
    then = stage.clock()
    stage.clock.move(14 * DAY)
    ana.says("AI-1?")
    stage.settle()
    day = f"{then:%Y-%m-%d}"
    assert "as of 1 Jan" in stage.answer(ana, f"/chart AI-1 {day}").message["caption"]
    assert "as of 1 Jan" in stage.answer(ana, f"/chart {day}").message["caption"]
    assert len(drawn[0].interactions) == 1
    assert "Try /chart" in stage.answer(ana, "/chart AI-1 nonsense").text


@pytest.mark.parametrize("command", ["/briefing", "/privacy", "/help", "/optout"])
def test_words_after_a_command_that_takes_none_are_told_of(stage, ana, command):
    line = f"{command} takes no more words, so “next week” was ignored."
    assert stage.answer(ana, f"{command} next week").text.endswith(line)
    assert "takes no more words" not in stage.answer(ana, f"{command} please").text


def test_a_chart_goes_back_so_many_days(stage, ana, monkeypatch):
    spans = []

    def drawn(series, *rest):
        spans.append(series.end - series.start)
        return score_chart(series, *rest)

    monkeypatch.setattr(handlers, "score_chart", drawn)
    ana.says("AI-1")
    stage.settle()
    stage.clock.move(10 * DAY)
    stage.answer(ana, "/chart AI-1")
    stage.clock.move(400 * DAY)
    stage.answer(ana, "/chart AI-1")
    assert spans == [10 * DAY, CHARTED_DAYS * DAY]


def test_a_fault_of_an_answer_is_an_answer_too(stage, ana, log, monkeypatch):
    stage.settle()
    monkeypatch.setitem(handlers.ANSWERS, "stats", lambda _: 1 / 0)
    assert stage.answer(ana, "/stats").text.startswith("Something went wrong on my side")
    assert "ZeroDivisionError" in log.getvalue()


def test_an_export_is_a_file_of_all_ones_own_interactions(stage, ana):
    ana.says("AI-1 canary")
    export = stage.answer(ana, "/export")
    assert export.file.name == "engagement-2026-01-01.zip"
    (entry,) = exported(export.file.content)
    assert (entry["issue_id"], entry["kind"], entry["context"]) == ("AI-1", "query", "AI-1 canary")


def test_nobody_elses_history_is_in_an_answer(stage, ana):
    bob = stage.api.person("Bob", id=1002)
    bob.says("AI-666 canary")
    for command in ("/top", "/stats", "/history", "/briefing", "/export", "/chart"):
        answer = stage.answer(ana, command)
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
def test_what_cannot_be_meant_gets_one_helpful_line(stage, ana, text, answer):
    sent = stage.answer(ana, text)
    assert sent.text.startswith(answer)
    assert text.startswith("/score http") or "\n" not in sent.text


@pytest.mark.parametrize(
    "said",
    ["AI-1799.", "#AI-1799", "AI-1799, please", "«AI-1799»", "ai-1799?", "(AI-1799) thanks!"],
)
def test_a_command_reads_an_issue_as_a_sentence_does(stage, ana, said):
    assert stage.answer(ana, f"/score {said}").text.startswith("AI-1799 scores 0.500")
    assert stage.answer(ana, f"/why {said}").text.startswith("AI-1799 scores 0.500")
    assert "AI-1799" in stage.answer(ana, f"/history {said}").text
    assert "AI-1799" in stage.answer(ana, f"/chart {said}").text


def test_a_date_after_an_issue_is_read_with_a_courtesy_behind_it(stage, ana):
    answer = stage.answer(ana, "/score AI-1799, yesterday please").text
    assert answer == stage.answer(ana, "/score AI-1799 yesterday").text
    assert stage.answer(ana, "/top 5 please").text == stage.answer(ana, "/top 5").text


@needs_cases
def test_each_command_of_the_case_is_answered(stage, ana):
    for line in (CASES / "29-command-with-punctuation.txt").read_text("utf-8").splitlines():
        assert stage.answer(ana, line).text.startswith("AI-1799")


def test_help_lists_every_command_and_says_what_is_recorded(stage, ana):
    text = stage.answer(ana, "/help").text
    for name, command in COMMANDS.items():
        assert (f"/{name} " in text) is not command.for_admins
    assert "What I record" in text


@pytest.mark.parametrize(
    ("reads_all", "said"), [(True, "I see every message"), (False, "privacy mode is on")]
)
def test_help_says_whether_privacy_mode_hides_messages(set_stage, reads_all, said):
    stage = set_stage(reads_all=reads_all)
    assert said in stage.answer(stage.api.person("Ana Canary"), "/help").text


def test_an_edited_question_is_not_answered_again(stage, ana):
    question = ana.says("AI-1?")
    stage.settle()
    ana.edits(question, "AI-1 and AI-2?")
    assert len(stage.answers(ana)) == 2  # hello, and the card


# --- in groups -----------------------------------------------------------------------------------

PERSONAL = ("top", "score AI-1", "stats", "history", "briefing", "chart")


@pytest.mark.parametrize("command", PERSONAL)
def test_a_personal_command_in_a_group_is_answered_in_private(stage, ana, team, command):
    ana.says("AI-1 canary", in_=team)
    before = len(stage.answers(ana))
    in_group = stage.answer(ana, f"/{command}", team)
    assert in_group.text == "I have answered you in private."
    assert len(stage.answers(ana)) == before + 1


def test_an_issue_asked_for_in_a_group_is_answered_in_private(stage, ana, team):
    in_group = stage.answer(ana, "@ledger_bot AI-1 and AI-2?", team)
    assert in_group.text == "AI-1, AI-2: I have sent you what I know in private."
    assert "AI-1 · score 0.680" in stage.answers(ana)[-1].text


def test_whoever_the_bot_may_not_write_to_gets_a_link_to_the_answer(stage, team):
    bob = stage.api.person("Bob", id=1002)
    in_group = stage.answer(bob, "/score AI-1", team)
    ((button,),) = in_group.rows
    assert "0.5" not in in_group.text
    url, _, payload = button["url"].partition("?start=")
    assert url.endswith("/ledger_bot")
    bob.starts(payload=payload)
    assert "AI-1 scores 0.500 now" in stage.answers(bob)[-1].text


def test_a_date_in_words_goes_through_the_link(stage, team):
    bob = stage.api.person("Bob", id=1002)
    in_group = stage.answer(bob, "/score AI-1 yesterday at 14:00", team)
    ((button,),) = in_group.rows
    bob.starts(payload=button["url"].partition("?start=")[2])
    assert "AI-1 scores 0.500 as of yesterday at 14:00" in stage.answers(bob)[-1].text


def test_an_export_is_for_the_private_chat_only(stage, ana, team):
    assert stage.answer(ana, "/export", team).text == "/export works in our private chat only."


@pytest.mark.parametrize("command", ["help", "privacy", "start"])
def test_what_is_for_everybody_is_answered_in_the_group(stage, ana, team, command):
    before = len(stage.answers(ana))
    assert stage.answer(ana, f"/{command}", team).text
    assert len(stage.answers(ana)) == before


def test_an_unknown_command_in_a_group_may_be_somebody_elses(stage, ana, team):
    assert stage.asks(ana, "/nonsense", team) == []
    assert stage.answer(ana, "/nonsense@ledger_bot", team).text.startswith("I do not know")
    assert stage.asks(ana, "/top@other_bot", team) == []


def test_an_answer_stands_in_the_topic_where_it_was_asked(stage, ana):
    forum = stage.api.forum("Team Canary", members=[ana])
    topic = forum.creates_topic("Releases", by=ana)
    in_topic = stage.answer(ana, "/help@ledger_bot", forum, topic=topic)
    assert in_topic.topic == topic
    assert stage.answer(ana, "/help@ledger_bot", forum).topic is None


def test_the_menus_differ_by_scope(stage):
    scopes = {
        request.parameters["scope"]["type"]: {c["command"] for c in request.parameters["commands"]}
        for request in stage.api.asked("setMyCommands")
    }
    everything = {name for name, command in COMMANDS.items() if not command.for_admins}
    assert scopes["all_private_chats"] == everything
    assert scopes["all_group_chats"] == everything - {"export"}


# --- presses -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data", ["card:", "card:nothing", "card:AI-1 AI-2", "forget:", "forget:1002", "keep:1002", "x"]
)
def test_a_forged_press_does_nothing(stage, ana, data):
    card = stage.answer(ana, "AI-1")
    briefing = stage.answer(ana, "/briefing")
    before = len(stage.answers(ana))
    ana.presses(briefing, data=data)
    assert len(stage.answers(ana)) == before
    assert card.edits == briefing.edits == []
    assert stage.recorded(ana) == {("AI-1", "query"): 1}


def test_every_press_is_acknowledged(stage, ana):
    ana.says("AI-1")
    briefing = stage.answer(ana, "/briefing")
    ana.presses(briefing)
    stage.settle()
    assert len(stage.api.asked("answerCallbackQuery")) == 1


def test_a_press_in_another_year_opens_the_card_as_it_is_then(stage, ana):
    ana.says("AI-1")
    briefing = stage.answer(ana, "/briefing")
    stage.clock.move(400 * DAY)
    ana.presses(briefing)
    assert "1 query, 1 view · first 1 Jan 2026, last today" in stage.answers(ana)[-1].text


def test_times_are_told_in_the_configured_zone(set_stage):
    stage = set_stage(ENGAGEMENT_TIMEZONE="Asia/Kathmandu")
    assert stage.clock() == dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
    assert "today at 17:45" in stage.answer(stage.api.person("Ana Canary"), "AI-1").text
