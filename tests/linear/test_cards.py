"""Cards: all that Linear says reads as it was written, is no markup, and fits into a message."""

import datetime as dt
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.answers import replies
from bot.answers.replies import UNLINKED, plain_text
from bot.linear import cards
from bot.linear.cards import age, facts_of, is_soon, url_of
from bot.linear.issue import Absent, Answer, Found, Issue, State, Team, Unknown
from ledger.instants import moment_of
from projections.engagement import Engagement
from tests.bot.test_replies import NOW, ranked
from tests.support.reply_html import sent, shown
from tests.support.strategies import NOON, hostile_texts

MONDAY = dt.date(2026, 1, 5)
ISSUE = Issue(
    "5f8e", "AI-1", moment_of(NOON), State("started", "In Progress"), Team("AI"), "A title"
)
NASTY = (
    "",
    " ",
    "\n\t",
    "\u200b\u2060\ufeff",
    "\u202e\u2066evil\u2069",
    "<b>",
    "</b>",
    "<script>alert(1)</script>",
    "&amp;&lt;",
    "\"'",
    "{title} %s {0}",
    "x" * 10_000,
    "&" * 10_000,
    "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 500,
    "z" + "\u0335" * 5_000,
    "\ud83d",
    "كيف الحال",
    "\0",
    "a\u0000b",
    "line\nbreak\r\n\u2028more",
    "https://evil.example/?a=b",
    "@ana /forget #now $CASH mail@evil.example t.me/evil",
    "=cmd()",
    "\x1b[31mred",
)
titles = st.sampled_from(NASTY) | hostile_texts | st.lists(st.sampled_from(NASTY)).map("".join)


def issue(**changed: object) -> Issue:
    fields = {name: getattr(ISSUE, name) for name in Issue.__struct_fields__}
    return Issue(**(fields | changed))


def card(answer: Answer, key: str = "AI-1", today: dt.date = MONDAY) -> list[str]:
    """The lines of a card about an issue."""
    html = facts_of({key: answer}, today)[key].html
    shown(html)
    return plain_text(html).split("\n")


def facts(**changed: object) -> str:
    return card(Found(issue(**changed)))[1]


@given(st.lists(titles, min_size=20, max_size=20), titles, titles, titles)
@example(["\U0001f600" * 10_000] * 20, *["&" * 10_000] * 3)
def test_hostile_words_are_shown_within_the_limits_and_are_no_markup(many, state, name, type_):
    hostile = [issue(title=each, state=State(type_, state), assignee=name) for each in many]
    answers = {f"AI-{number}": Found(each, 9e9) for number, each in enumerate(hostile)}
    facts = facts_of(answers, MONDAY)
    reply = replies.cards([ranked(key) for key in answers], NOW, (), facts)
    assert sent(reply)
    for each in facts.values():
        assert each.html.count("\n") == 1
        assert not set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069") & set(each.html)


@given(titles)
def test_a_title_is_never_empty_and_one_bold_line(title):
    html = facts_of({"AI-1": Found(issue(title=title))}, MONDAY)["AI-1"].html
    line = html.split("\n", maxsplit=1)[0]
    assert line.startswith("<b>")
    assert line.endswith("</b>")
    assert plain_text(line).strip()
    assert len(plain_text(line)) <= 101


@pytest.mark.parametrize("text", ["", "\n", "\u200b", "\u202e"])
def test_a_title_of_nothing_says_so(text):
    assert card(Found(issue(title=text)))[0] == "(without a title)"


LINKED = ["https://evil.example", "t.me/evil", "/forget", "@ana", "#tag", "$CASH", "a@b.example"]


@pytest.mark.parametrize("text", LINKED)
def test_no_word_of_a_title_can_be_tapped(text):
    html = facts_of({"AI-1": Found(issue(title=text))}, MONDAY)["AI-1"].html
    assert text not in html
    assert UNLINKED in html
    assert card(Found(issue(title=text)))[0] == text


def test_a_card_says_what_an_issue_is():
    whole = issue(priority=2, due_date=MONDAY, assignee="amara")
    assert card(Found(whole)) == [
        "A title",
        "◐ In Progress · high priority · ⚠ due today · amara",
    ]
    assert facts() == "◐ In Progress · unassigned"
    assert "in the trash" in facts(trashed=True, archived=True)
    assert "archived" in facts(archived=True)


def test_a_mark_goes_by_the_type_of_the_state_and_not_by_its_name():
    marks = {
        type_: facts(state=State(type_, "Done"))[0]
        for type_ in ("triage", "backlog", "unstarted", "started", "completed", "canceled")
    }
    assert len(set(marks.values())) == 6
    assert facts(state=State("duplicate", "x"))[0] == marks["canceled"]
    assert facts(state=State("new type", "x")).startswith("● x")
    assert facts(state=State("started", "")).startswith("◐ started")


def test_what_is_not_there_and_what_is_not_known_is_said():
    assert card(Absent(), "AI-9999") == ["AI-9999: not found in Linear, or I may not see it"]
    assert card(Unknown()) == ["AI-1: Linear does not answer now; ask again in a minute"]
    assert card(Unknown(is_pending=True)) == ["AI-1: asking Linear …"]


def test_a_moved_issue_says_its_name_of_now():
    assert "now AI-1" in card(Found(issue()), key="DMD-480")[1]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(60, "1 min"), (3_599, "59 min"), (3_600, "1 h"), (172_799, "47 h"), (172_800, "2 d")],
)
def test_an_old_answer_says_its_age(seconds, said):
    assert f"as of {said} ago" in card(Found(issue(), seconds))[1]
    assert age(0) == "1 min"


def test_a_fresh_answer_says_no_age():
    assert "as of" not in card(Found(issue(), 59.9))[1]


# --- due dates -----------------------------------------------------------------------------------


def due(days: int, **changed: object) -> str:
    return facts(due_date=MONDAY + dt.timedelta(days=days), **changed)


def test_a_date_is_marked_when_it_is_near_or_past():
    assert "⚠ was due yesterday" in due(-1)
    assert "⚠ due tomorrow" in due(1)
    assert "⚠ due 7 Jan" in due(2)
    assert "· due 8 Jan" in due(3)
    assert "· due 5 Jan 2027" in due(365)


@pytest.mark.parametrize("type_", ["completed", "canceled", "duplicate"])
def test_a_finished_issue_is_never_late(type_):
    assert "⚠" not in due(-1, state=State(type_, "x")) + due(1, archived=True)


@given(st.dates(dt.date(2000, 1, 1), dt.date(2100, 1, 1)), st.integers(-10, 40))
def test_two_working_days_are_those_of_a_calendar(today, days):
    working, day = 0, today
    for _ in range(days):
        day += dt.timedelta(days=1)
        working += day.isoweekday() <= 5
    assert is_soon(today + dt.timedelta(days=days), today) is (days >= 0 and working <= 2)


@pytest.mark.parametrize("day", [dt.date.min, dt.date.max])
def test_the_ends_of_the_calendar_are_survived(day):
    for today in (dt.date.min, dt.date.max):
        assert card(Found(issue(due_date=day)), today=today)


# --- buttons -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://linear.example",
        "javascript:alert(1)",
        "tg://user?id=1",
        "https://",
        "https://[::1",
        "https://x:0/",
        "https://x/ y",
        "https://x/\ny",
        "https://ünicode.example",
        "https://x/" + "a" * 2_048,
    ],
)
def test_only_an_address_that_telegram_takes_is_on_a_button(url):
    assert url_of(issue(url=url)) is None


@given(titles)
def test_any_address_is_a_button_or_none(url):
    assert url_of(issue(url=url)) in {url, None}


def test_a_card_can_be_opened_and_hidden():
    touched = ranked("AI-1", Engagement(queries=1, first_at=NOON, queried_at=NOON))
    found = facts_of({"AI-1": Found(issue(url="https://linear.example/AI-1"))}, MONDAY)
    reply = replies.cards([touched], NOW, (), found)
    assert [(each.text, each.url) for each in reply.buttons] == [
        ("Open AI-1", "https://linear.example/AI-1"),
        ("Hide AI-1 from my lists", None),
    ]
    assert reply.html.endswith(replies.cards([touched], NOW).html)


def test_without_facts_a_card_is_as_it_was():
    for each, hidden in product([ranked("AI-1")], [(), ("AI-1",)]):
        assert replies.cards([each], NOW, hidden, {}) == replies.cards([each], NOW, hidden)


def test_the_words_of_a_name_fit():
    assert len(cards._name("x" * 10_000)) == cards.NAME_SHOWN
