"""Replies: users' texts are shown unchanged, are not markup, and fit into messages."""

import datetime as dt
import re
from itertools import pairwise
from string import Formatter
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import english
from bot.answers import about_the_bot, history, rankings, scores
from bot.answers import reply as reply_module
from bot.answers.history import HISTORY_SHOWN
from bot.answers.plain_text import CONTEXT_SHOWN, one_line, plain_text, utf16_units
from bot.answers.reply import fill, parts, say
from bot.dates.format import Time
from ledger.commands import Kind
from ledger.events import AccountEvent, InteractionRecorded, ScoreOverridden
from ledger.instants import DAY, Instant, moment_of
from ledger.validation import CONTEXT_LIMIT, ISSUE_ID_LIMIT, IssueId, context_of
from projections import ranking
from projections.engagement import NONE, Engagement, merge, touches
from projections.policy import DEFAULT_POLICY, ScoringPolicy
from projections.ranking import Ranked
from projections.statistics import Statistics
from tests.support.reply_html import sent, shown
from tests.support.strategies import NOON, engagements, hostile_texts
from tests.support.telegram.entities import TEXT_LIMIT, utf16

UTC = ZoneInfo("UTC")
NOW = Time(moment_of(NOON), UTC)

NASTY = (
    "<b>",
    "</b>",
    "</i><u>",
    "&",
    "&amp;",
    "&lt;",
    '"',
    "'",
    "{x}",
    "{0}",
    "%s",
    "%",
    "\\",
    "\n",
)
markup = st.lists(st.sampled_from(NASTY) | hostile_texts, max_size=8).map("".join)

issue_ids = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=50)
"""Any issue id that R1 allows, most of which no pattern would find."""

WORST_ISSUE = IssueId('"' * ISSUE_ID_LIMIT)
"""Each of its characters takes six when it is escaped."""
WORST_CONTEXTS = ['"' * CONTEXT_LIMIT, "\U0001f600" * CONTEXT_LIMIT, "<&>" * 66, "</i>" * 50]


def ranked(issue: str, engagement: Engagement = NONE) -> Ranked:
    return ranking.ranked(issue, engagement, NOON)


QUIET = ranked("OLD-1", touches(Kind.QUERY, 1, NOON - 200 * DAY))


def recorded(issue: str, at: int = NOON, kind: Kind = Kind.QUERY) -> AccountEvent:
    return InteractionRecorded(UUID(int=1), 1, NOON, IssueId(issue), kind, Instant(at))


MANY = Engagement(
    counts=(10**9,) * len(Kind),
    first_at=NOON - 400 * DAY,
    lasts=(None, None, NOON - 200 * DAY),
)
"""An engagement that takes as many words as there are."""

# --- filling in ----------------------------------------------------------------------------------


def as_sent(text: str) -> str:
    """A text as it can be sent: half a surrogate pair is no character."""
    return text.encode(errors="replace").decode()


@given(markup)
def test_what_is_filled_in_reads_as_it_was_written(text):
    assert shown(fill("<b>{x}</b>: {x}", x=text)) == f"{as_sent(text)}: {as_sent(text)}"
    assert plain_text(say("{x}", x=text).html) == as_sent(text)


def names_in(template: str) -> list[str]:
    return [name for _, name, _, _ in Formatter().parse(template) if name is not None]


TEMPLATES = [
    name
    for name, value in vars(english).items()
    if isinstance(value, str) and name.isupper() and names_in(value)
]


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_sentence_lets_markup_through(name):
    template, hostile = getattr(english, name), "</b><u>&{x}"
    names = names_in(template)
    assert shown(fill(template, **dict.fromkeys(names, hostile))).count(hostile) == len(names)


# --- parting -------------------------------------------------------------------------------------

lines = st.builds(
    lambda text, times: (text * times)[:2000], st.sampled_from(["", "a", "é", "\U0001f600"]),
    st.sampled_from([0, 1, 10, 500, 1999, 2000]),
)  # fmt: skip


@given(st.lists(lines, max_size=30), st.sampled_from(["a", "\U0001f600" * 2000]))
def test_parted_messages_are_below_the_limit_and_joined_again_the_text(several, last):
    text = "\n".join([*several, last])
    messages = parts(text)
    assert "\n".join(messages) == text
    assert all(utf16(each) < TEXT_LIMIT for each in messages)
    assert all(messages)


@given(st.lists(lines, max_size=30))
def test_no_more_messages_than_it_takes(several):
    messages = parts("\n".join(several))
    for message, following in pairwise(messages):
        assert utf16(f"{message}\n{following.partition(chr(10))[0]}") >= TEXT_LIMIT


@pytest.mark.parametrize("length", [4094, 4095])
def test_a_line_that_just_fits_stays_whole(length):
    assert parts("a" * length) == ["a" * length]
    assert parts("a" * (length - 2) + "\nb\nc") == ["a" * (length - 2) + "\nb", "c"]


@given(hostile_texts)
def test_lengths_are_counted_as_telegram_counts(text):
    assert utf16_units(text) == utf16(text)


# --- one line ------------------------------------------------------------------------------------


@given(markup)
def test_one_line_is_one_short_line(text):
    line = one_line(text)
    assert len(line) <= CONTEXT_SHOWN
    assert line == " ".join(line.split())
    assert line.removesuffix("…") in " ".join(text.split())


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("  two\n\nlines ", "two lines"),
        ("a" * 100, "a" * 100),
        ("a" * 101, "a" * 99 + "…"),
        ("a" * 98 + " bcd", "a" * 98 + "…"),
        (" \n\t", ""),
    ],
)
def test_one_line_ends_with_an_ellipsis_where_it_goes_on(text, line):
    assert one_line(text) == line


# --- cards, scores, rankings ---------------------------------------------------------------------

few = st.lists(st.tuples(issue_ids, engagements() | st.just(NONE)), min_size=1, max_size=50)


@given(few)
def test_cards_and_rankings_name_every_issue_and_nothing_else(several):
    given_ones = [ranked(*each) for each in several]
    for reply in (scores.cards(given_ones, NOW), rankings.top(given_ones, NOW)):
        text = "\n".join(sent(reply))
        assert all(issue in text for issue, _ in several)


@given(issue_ids, engagements() | st.just(NONE))
def test_a_score_is_told_with_its_parts(issue, engagement):
    (text,) = sent(scores.score(ranked(issue, engagement), DEFAULT_POLICY, NOW))
    assert text.startswith(f"{issue} scores ")
    assert "{" not in text.removeprefix(issue)


@pytest.mark.parametrize(
    ("engagement", "sentence"),
    [
        (NONE, "never touched, so the default"),
        (
            touches(Kind.QUERY, 1, NOON),
            "touched once, active today; {} × decay 1.000".format(
                "(0.4 × frequency 0.200 + 0.6 × recency 1.000)"
            ),
        ),
        (
            touches(Kind.QUERY, 2, NOON - DAY),
            "touched 2 times, active 1 day ago; {} × decay 1.000".format(
                "(0.4 × frequency 0.400 + 0.6 × recency 0.951)"
            ),
        ),
        (
            merge(
                touches(Kind.VIEW, 7, NOON - 40 * DAY),
                Engagement(override_at=NOON - 31 * DAY, override=0.25),
            ),
            "touched 7 times, set to 0.25 by hand 31 days ago; 0.25 × decay 0.900",
        ),
    ],
)  # fmt: skip
def test_a_score_is_told_in_a_sentence(engagement, sentence):
    assert scores.score_sentence(ranked("AI-1", engagement), DEFAULT_POLICY) == sentence


@pytest.mark.parametrize(
    ("engagement", "card"),
    [
        (NONE, "AI-1 · score 0.500\nnot touched yet: every issue starts there"),
        (
            touches(Kind.QUERY, 1, NOON),
            "AI-1 · score 0.680\n1 query, today at 12:00",
        ),
        (
            Engagement((1, 1, 2), NOON - DAY, (None, None, NOON)),
            """AI-1 · score 0.920
2 queries, 1 view, 1 mention · first yesterday at 12:00, last today at 12:00""",
        ),
    ],
)
def test_a_card_says_how_an_issue_was_touched(engagement, card):
    assert sent(scores.cards([ranked("AI-1", engagement)], NOW)) == [card]


def test_twenty_cards_of_the_longest_ids_fit_into_messages():
    messages = sent(scores.cards([ranked(WORST_ISSUE, MANY)] * 20, NOW))
    assert "\n".join(messages).count(WORST_ISSUE) == 20


def test_fifty_ranked_ones_of_the_longest_ids_fit_into_messages():
    for reply in (rankings.top([ranked(WORST_ISSUE, MANY)] * 50, NOW),
                  rankings.briefing([ranked(WORST_ISSUE, MANY)] * 50, NOW)):  # fmt: skip
        assert "\n".join(sent(reply)).count(WORST_ISSUE) == 50


def test_a_briefing_has_a_button_for_each_issue_that_carries_it():
    briefing = rankings.briefing([ranked("AI-1"), ranked(WORST_ISSUE)], NOW)
    assert [button.data for button in briefing.buttons] == ["card:AI-1", f"card:{WORST_ISSUE}"]
    assert briefing.buttons[0].text == "AI-1 · 0.500"
    assert briefing.buttons[1].text == f"{WORST_ISSUE} · 0.500"  # no HTML on buttons
    assert sent(briefing)


def test_a_briefing_ends_with_stagnant_issues_that_linear_shows_now():
    of_all = [ranked("AI-1"), ranked("AI-2"), ranked("AI-3")]
    titles, stagnant = {"AI-1": "One", "AI-3": "Three"}, {"AI-3": 12, "AI-2": 9, "AI-1": 6}
    (text,) = sent(rankings.briefing(of_all, NOW, titles, stagnant=stagnant))
    last = "⏳ No movement: AI-3 for 12 working days, AI-1 for 6 working days"
    assert text.splitlines()[-1] == last
    for known in (
        rankings.briefing(of_all, NOW, stagnant=stagnant),
        rankings.briefing(of_all, NOW),
    ):
        assert "No movement" not in sent(known)[0]


def test_where_nothing_ranks_that_is_said():
    then = Time(moment_of(NOON), UTC, moment_of(Instant(NOON - 400 * DAY)))
    assert sent(rankings.top([], NOW))[0].startswith("You have no issues to rank now")
    assert "to rank as of 27 Nov 2024:" in sent(rankings.top([], then))[0]
    assert sent(rankings.briefing([], NOW))[0].startswith("There is nothing to brief you about")
    assert not rankings.briefing([], NOW).buttons


def test_every_list_marks_what_is_long_inactive():
    fresh = ranked("AI-1", touches(Kind.QUERY, 1, NOON))
    for answer in (rankings.top, rankings.briefing):
        (text,) = sent(answer([fresh, QUIET], NOW))
        marks = ["long inactive" in line for line in text.splitlines()]
        assert (sum(marks), marks[-1]) == (1, True)
        (text,) = sent(answer([QUIET], NOW))
        assert "all long inactive" in text.splitlines()[0]
    (text,) = sent(scores.score(QUIET, DEFAULT_POLICY, NOW))
    assert text.splitlines()[0] == "OLD-1 scores 0.000 now · long inactive"
    (text,) = sent(scores.cards([fresh, QUIET], NOW))
    assert [("long inactive" in card) for card in text.split("\n\n")] == [False, True]


def test_what_does_not_count_is_marked_as_such():
    policy = ScoringPolicy(kinds=(Kind.VIEW,))
    touched = touches(Kind.QUERY, 1, NOON)
    (text,) = sent(rankings.top([ranking.ranked("AI-1", touched, NOON, policy)], NOW))
    assert text.splitlines()[1].endswith("nothing that counts")
    assert "quiet" not in text


# --- totals --------------------------------------------------------------------------------------


def test_totals_of_the_longest_ids_fit_into_a_message():
    most = [ranked(WORST_ISSUE, MANY)] * 5
    (text,) = sent(history.stats(Statistics(10**12, 10**9, 1000.25, most, NOON), NOW))
    assert text.count(WORST_ISSUE) == 5
    assert "Interactions per issue: 1000.25" in text


def test_totals_mark_what_has_been_quiet_for_long():
    most = [ranked("AI-1", touches(Kind.QUERY, 1, NOON)), QUIET]
    (text,) = sent(history.stats(Statistics(3, 2, 1.5, most, Instant(NOON - DAY)), NOW))
    assert text == (
        "Your totals now\nInteractions: 3\nIssues: 2\nInteractions per issue: 1.5\n"
        "Last: yesterday at 12:00\nMost engaged: AI-1 0.680, OLD-1 0.000 (long inactive)"
    )


def test_no_totals_are_said_to_be_none():
    assert sent(history.stats(Statistics(0, 0, 0.0, [], None), NOW)) == [
        "Nothing is recorded about you now."
    ]


# --- histories -----------------------------------------------------------------------------------


def history_of(entries, issue, time):
    """The reply to /history, where these are all entries, the earliest first."""
    shown = [history.Shown(*each) for each in entries[::-1][:HISTORY_SHOWN]]
    return history.history(shown, len(entries), issue, time)


@given(st.lists(markup, min_size=1, max_size=30), issue_ids)
def test_a_history_reads_as_people_wrote_and_leaves_out_the_oldest(contexts, issue):
    kept = [context_of(each) for each in contexts]
    entries = [(recorded(issue, NOON + number), each) for number, each in enumerate(kept)]
    text = "\n".join(sent(history_of(entries, issue, NOW)))
    for each in kept[-HISTORY_SHOWN:]:
        assert one_line(each or "") in text
    assert text.count(" · query · ") == min(len(kept), HISTORY_SHOWN)
    more = len(kept) - HISTORY_SHOWN
    assert (f"… and {more} earlier" in text) is (more > 0)


@pytest.mark.parametrize("context", WORST_CONTEXTS, ids=["quotes", "astral", "brackets", "tags"])
def test_a_history_of_the_longest_contexts_and_ids_fits_into_messages(context):
    entries = [(recorded(WORST_ISSUE, NOON - 200 * DAY), context)] * 300
    messages = sent(history_of(entries, WORST_ISSUE, NOW))
    text = "\n".join(messages)
    assert text.count(one_line(context)) == HISTORY_SHOWN
    assert "… and 280 earlier" in text


def test_a_history_shows_the_latest_the_latest_first():
    entries = [(recorded("AI-1", NOON + number), f"word {number:02}") for number in range(25)]
    text = "\n".join(sent(history_of(entries, None, NOW)))
    assert re.findall(r"word \d\d", text) == [f"word {number:02}" for number in range(24, 4, -1)]


def test_a_history_tells_the_kinds_and_what_was_set():
    override = ScoreOverridden(UUID(int=1), 4, NOON, IssueId("AI-2"), NOON, 0.25)
    entries = [
        (recorded("AI-1", NOON - 2, Kind.MENTION), " one\n two "),
        (recorded("AI-1", NOON - 1, Kind.VIEW), None),
        (override, None),
    ]
    (text,) = sent(history_of(entries, None, NOW))
    assert text.splitlines() == [
        "What is recorded about you now, the latest first",
        "today at 12:00 · score set to 0.25 · AI-2",
        "today at 11:59 · view · AI-1",
        "today at 11:59 · mention · AI-1",
        "“one two”",
    ]


@pytest.mark.parametrize(
    ("issue", "text"),
    [
        (None, "Nothing is recorded about you now."),
        ("<B>", "Nothing is recorded about you for <B> now."),
    ],
)
def test_an_empty_history_is_said_to_be_empty(issue, text):
    assert sent(history_of([], issue, NOW)) == [text]


# --- about the bot -------------------------------------------------------------------------------


@pytest.mark.parametrize("in_either_case", [True, False])
@pytest.mark.parametrize("reads_all", [True, False])
def test_help_fits_into_a_message(reads_all, in_either_case):
    answer = about_the_bot.help_("UTC", reads_all=reads_all, in_either_case=in_either_case)
    (text,) = sent(answer)
    assert ("privacy mode" in text) is not reads_all
    assert ("in capitals" in text) is not in_either_case


@pytest.mark.parametrize("days", [1, 90, 36_500])
def test_what_is_kept_is_told_with_its_days_in_a_message(days):
    (text,) = sent(about_the_bot.privacy(days))
    assert f"for {days} days." in text
    assert "I pass nothing on.\n" in text
    (text,) = sent(about_the_bot.privacy(days, asks_linear=True))
    assert "and pass nothing else on." in text


def test_the_state_of_the_ledger_tells_the_last_day_of_each_job():
    reply = about_the_bot.status(
        3, 2, [("engagement_decay", dt.date(2026, 1, 1), 7)], is_waiting=True
    )
    (text,) = sent(reply)
    assert text.splitlines() == [
        "The ledger",
        "Events: 3",
        "People: 2",
        "I cannot write to it at the moment; new entries wait in a file.",
        "Scores brought up to date for 2026-01-01: 7 under decay",
    ]
    assert sent(about_the_bot.status(0, 0, [], is_waiting=False)) == [
        "The ledger\nEvents: 0\nPeople: 0"
    ]


# --- in another language -------------------------------------------------------------------------


def test_words_of_another_language_are_escaped_once_wherever_they_stand(monkeypatch):
    monkeypatch.setattr(english, "TODAY_AT", "aujourd'hui à {time} <&>")
    monkeypatch.setattr(english, "NOW", "à l'instant")
    monkeypatch.setattr(english, "HISTORY_OF", " d'<{issue}>")
    at_noon = Time(moment_of(NOON), UTC, moment_of(NOON))
    touched = ranked("AI-1", touches(Kind.QUERY, 1, NOON))
    for reply in (
        rankings.top([touched], at_noon),
        rankings.top([], at_noon),
        scores.score(touched, DEFAULT_POLICY, at_noon),
        scores.cards([touched], at_noon),
        rankings.briefing([touched], at_noon),
        history.stats(Statistics(1, 1, 1.0, [], NOON), at_noon),
        history_of([(recorded("AI-1"), None)], None, at_noon),
    ):
        assert "aujourd'hui à 12:00 <&>" in sent(reply)[0]
    assert "à l'instant" in sent(rankings.top([touched], NOW))[0]
    assert "d'<AI-1>" in sent(history_of([], "AI-1", NOW))[0]


# --- planted faults ------------------------------------------------------------------------------


def test_a_context_that_is_not_escaped_is_seen(monkeypatch):
    monkeypatch.setattr(reply_module, "escape", lambda text: text)
    for context in ("<u>x</u>", "</i>", "a & b", "a < b"):
        with pytest.raises(Exception, match=r"markup|tag|ampersand"):
            sent(history_of([(recorded("AI-1"), context)], None, NOW))


def test_a_reply_that_is_not_parted_is_seen(monkeypatch):
    from tests.support import reply_html as seen  # noqa: PLC0415 - to be spoilt

    monkeypatch.setattr(seen, "parts", lambda html: [html])
    with pytest.raises(AssertionError):
        sent(rankings.top([ranked(WORST_ISSUE, MANY)] * 50, NOW))
