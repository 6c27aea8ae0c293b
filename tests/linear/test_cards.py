"""Cards: all that Linear says reads as it was written, is no markup, and fits into a message."""

import datetime as dt
from collections.abc import Collection, Mapping

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.answers.plain_text import UNLINKED, columns_of, plain_text
from bot.dates.format import Time
from bot.linear.cards import cards, lines_of
from bot.linear.facts import age, branch_of, is_soon, url_of
from bot.linear.issue import (
    Absent,
    Answer,
    Blocker,
    Cycle,
    Found,
    State,
    Team,
    Unknown,
)
from projections.engagement import Engagement
from projections.ranking import Ranked
from tests.bot.test_replies import ranked
from tests.support.hostile_issues import (
    AT,
    MONDAY,
    NASTY,
    TOUCHED,
    check_hostile,
    hostile,
    issue,
)
from tests.support.reply_html import sent, shown
from tests.support.strategies import hostile_texts

titles = st.sampled_from(NASTY) | hostile_texts | st.lists(st.sampled_from(NASTY)).map("".join)


def card(answer: Answer, key: str = "AI-1", time: Time = AT) -> list[str]:
    """The lines of a card about an issue."""
    return [shown(line).replace(UNLINKED, "") for line in lines_of(key, answer, time)]


def facts(**changed: object) -> str:
    return "\n".join(card(Found(issue(**changed)))[1:])


@given(st.lists(titles, min_size=20, max_size=20), titles, titles, titles)
@example(["\U0001f600" * 10_000] * 20, *["&" * 10_000] * 3)
def test_hostile_words_are_shown_within_the_limits_and_are_no_markup(many, state, name, type_):
    check_hostile(hostile(many, state, name, type_), TOUCHED)


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_nasty_words_are_shown_wherever_they_stand(text):
    check_hostile(hostile([text] * 20, text, text, text), TOUCHED)
    check_hostile(hostile([text] * 20, text, text, text), Engagement())


@given(titles)
def test_a_title_is_never_empty_and_one_bold_line(title):
    line = lines_of("AI-1", Found(issue(title=title)), AT)[0]
    assert line.startswith("<b>AI-1 ")
    assert line.endswith("</b>")
    assert plain_text(line).removeprefix("AI-1 ").strip()
    assert len(plain_text(line)) <= 106


@pytest.mark.parametrize("text", ["", "\n", "\u200b", "\u202e"])
def test_a_title_of_nothing_says_so(text):
    assert card(Found(issue(title=text)))[0] == "AI-1 (without a title)"


LINKED = ["https://evil.example", "t.me/evil", "/forget", "@ana", "#tag", "$CASH", "a@b.example"]


@pytest.mark.parametrize("text", LINKED)
def test_no_word_of_a_title_can_be_tapped(text):
    html = lines_of("AI-1", Found(issue(title=text)), AT)[0]
    assert text not in html
    assert UNLINKED in html
    assert card(Found(issue(title=text)))[0] == f"AI-1 {text}"


WHOLE = issue(
    priority=2,
    due_date=MONDAY,
    assignee="amara",
    in_state_since=AT.now - dt.timedelta(days=6, hours=3),
    cycle=Cycle(14),
    blockers=(Blocker("1", "AI-12", Team("AI")), Blocker("2", "AI-13", Team("AI"))),
    branch_name="amara/ai-1-a-title",
    url="https://linear.example/AI-1",
)


def test_a_card_says_what_an_issue_is():
    assert card(Found(WHOLE)) == [
        "AI-1 A title",
        "◐ In Progress for 6 days · amara",
        "high priority · 🔴 due today · cycle 14",
        "⛔ blocked by AI-12, AI-13",
    ]
    assert facts() == "◐ In Progress · unassigned"
    assert "in the trash" in facts(trashed=True, archived=True)
    assert "archived" in facts(archived=True)
    assert "Planning week" in facts(cycle=Cycle(3, "Planning week"))


def test_a_stagnant_issue_says_for_how_long_it_was_not_moved():
    days = {WHOLE.id.lower(): 9}
    lines = lines_of("AI-1", Found(WHOLE), AT, days)
    assert lines[-1] == "⏳ no movement for 9 working days"
    done = msgspec.structs.replace(WHOLE, state=State("completed", "Done"))
    for other in (done, msgspec.structs.replace(WHOLE, id="another")):
        assert "no movement" not in "".join(lines_of("AI-1", Found(other), AT, days))


def test_of_many_blockers_the_first_are_named_and_a_finished_issue_has_none():
    many = tuple(Blocker(str(n), f"AI-{n}", Team("AI")) for n in range(12, 20))
    assert "blocked by AI-12, AI-13, AI-14, AI-15, AI-16 and 3 more" in facts(blockers=many)
    assert "blocked" not in facts(blockers=many, state=State("completed", "Done"))


def test_the_age_of_a_state_is_said_for_what_goes_on_and_for_what_is_over():
    since = AT.now - dt.timedelta(days=3)
    assert "◐ In Progress for 3 days" in facts(in_state_since=since)
    done = State("completed", "Done")
    assert "✓ Done 3 days ago" in facts(in_state_since=since, state=done)
    future = AT.now + dt.timedelta(days=3)
    assert "◐ In Progress for 1 min" in facts(in_state_since=future)


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
    assert card(Found(issue()), key="DMD-480")[0] == "DMD-480 A title"
    assert "now AI-1" in card(Found(issue()), key="DMD-480")[2]
    assert ("Copy AI-1", "AI-1") in rows({"DMD-480": Found(issue())}, ranked("DMD-480"))[1]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(60, "1 min"), (3_599, "59 min"), (3_600, "1 h"), (172_799, "47 h"), (172_800, "2 days")],
)
def test_an_old_answer_says_its_age(seconds, said):
    assert card(Found(issue(), seconds))[-1] == f"as of {said} ago"
    assert age(0) == "1 min"


def test_a_fresh_answer_says_no_age():
    assert "as of" not in "".join(card(Found(issue(), 59.9)))


# --- engagement, and lists -----------------------------------------------------------------------


def lines(
    answers: Mapping[str, Answer], *touched: Ranked, hidden: Collection[str] = ()
) -> list[str]:
    (text,) = sent(cards(touched, answers, AT, hidden))
    return text.split("\n")


def test_the_engagement_is_one_line():
    said = lines({"AI-1": Found(WHOLE)}, ranked("AI-1", TOUCHED), hidden=("AI-1",))
    assert len(said) == 5
    assert said[4] == ("Your score 0.680 · hidden from your lists · 1 query, 1 Jan at 12:00")
    assert lines({"AI-1": Found(issue())}, ranked("AI-1"))[-1] == "You have not touched it yet."


def test_what_is_not_there_and_was_never_touched_is_one_line():
    assert lines({"AI-9": Absent()}, ranked("AI-9")) == (
        ["AI-9: not found in Linear, or I may not see it"]
    )
    assert len(lines({"AI-9": Absent()}, ranked("AI-9", TOUCHED))) == 2


def test_several_issues_are_a_list_of_short_lines():
    answers: dict[str, Answer] = {
        "AI-1": Found(WHOLE),
        "AI-9": Absent(),
        "AI-2": Found(issue(identifier="AI-2", title="x" * 200)),
        "AI-3": Unknown(),
    }
    said = lines(answers, *(ranked(key, TOUCHED) for key in answers), hidden=("AI-2",))
    assert said == [
        "◐ AI-1 A title",
        "In Progress for 6 days",
        "🔴 due today · amara",
        "⛔ blocked by AI-12, AI-13",
        "",
        "AI-9: not found in Linear, or I may not see it",
        "",
        f"◐ AI-2 {'x' * 28}…",
        "In Progress · hidden from your lists",
        "unassigned",
        "",
        "AI-3: Linear does not answer now; ask again in a minute",
    ]


def test_an_issue_is_shown_by_the_name_that_was_asked_for_whatever_its_engagement_is_called():
    moved = {"OLD-1": Found(WHOLE), "AI-9": Found(issue(identifier="AI-9"))}
    first, *_, second, _ = lines(moved, ranked("AI-1", TOUCHED), ranked("AI-9"))
    assert (first.split()[1], second.split()[1]) == ("OLD-1", "AI-9")
    hidden = lines(moved, ranked("AI-1", TOUCHED), ranked("AI-9"), hidden=("AI-1",))
    assert "hidden" in "".join(hidden[: hidden.index("")])
    (title, *_) = lines({"OLD-1": Found(WHOLE)}, ranked("AI-1", TOUCHED))
    assert title.startswith("OLD-1")


def test_what_is_over_is_not_late_in_a_list():
    done = issue(state=State("completed", "Done"), priority=1, due_date=MONDAY - dt.timedelta(9))
    said = lines({"AI-1": Found(done), "AI-9": Absent()}, ranked("AI-1"), ranked("AI-9"))
    assert said[0].startswith("✓ AI-1")
    assert said[1] == "Done · unassigned"


@given(titles, titles, st.integers(0, 9))
def test_a_line_of_a_list_is_broken_only_between_facts(title, name, blocking):
    blockers = tuple(Blocker(str(n), f"AI-{n}", Team("AI")) for n in range(blocking))
    one = issue(title=title, assignee=name, due_date=MONDAY, priority=1, blockers=blockers)
    said = lines({"AI-1": Found(one), "AI-9": Absent()}, ranked("AI-1", TOUCHED), ranked("AI-9"))
    item = said[: said.index("")]
    assert columns_of(item[0]) <= 36
    for line in item[1:]:
        assert columns_of(line) <= 36 or " · " not in line


def test_of_many_blockers_a_list_names_one():
    for count, expected in ((1, "AI-0"), (2, "AI-0, AI-1"), (3, "AI-0 and 2 more")):
        blockers = tuple(Blocker(str(n), f"AI-{n}", Team("AI")) for n in range(count))
        one = Found(issue(blockers=blockers))
        said = lines({"AI-1": one, "AI-9": Absent()}, ranked("AI-1"), ranked("AI-9"))
        assert f"⛔ blocked by {expected}" in said


# --- due dates -----------------------------------------------------------------------------------


def due(days: int, **changed: object) -> str:
    return facts(due_date=MONDAY + dt.timedelta(days=days), **changed)


def test_a_date_is_marked_when_it_is_near_or_past():
    assert "🔴 was due yesterday" in due(-1)
    assert "🔴 due tomorrow" in due(1)
    assert "🔴 due 7 Jan" in due(2)
    assert "\ndue 8 Jan" in due(3)
    assert "\ndue 5 Jan 2027" in due(365)


@pytest.mark.parametrize("type_", ["completed", "canceled", "duplicate"])
def test_a_finished_issue_is_never_late(type_):
    assert "🔴" not in due(-1, state=State(type_, "x")) + due(1, archived=True)


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
        time = msgspec.structs.replace(AT, now=dt.datetime.combine(today, dt.time(), dt.UTC))
        assert card(Found(issue(due_date=day)), time=time)


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


def rows(answers: Mapping[str, Answer], *touched: Ranked) -> list[list[tuple[str, str]]]:
    """The buttons by their rows: what is on each, and what it opens, copies or sends back."""
    found: list[list[tuple[str, str]]] = []
    for each in cards(touched, answers, AT).buttons:
        if not each.is_beside:
            found.append([])
        found[-1].append((each.text, each.url or each.copied or each.data))
    return found


def test_a_card_can_be_opened_explained_copied_and_hidden():
    assert rows({"AI-1": Found(WHOLE)}, ranked("AI-1", TOUCHED)) == [
        [("Open in Linear", "https://linear.example/AI-1"), ("Why?", "why:AI-1")],
        [("Copy AI-1", "AI-1"), ("Copy branch", "amara/ai-1-a-title")],
        [("Hide AI-1 from my lists", "hide:AI-1")],
    ]
    assert rows({"AI-1": Found(issue())}, ranked("AI-1")) == (
        [[("Why?", "why:AI-1")], [("Copy AI-1", "AI-1")]]
    )
    assert rows({"AI-9": Absent()}, ranked("AI-9")) == []


def test_a_list_has_a_button_for_each_issue_that_there_may_be():
    answers = {f"AI-{n}": Found(issue()) if n != 2 else Absent() for n in range(1, 6)}
    assert rows(answers, *map(ranked, answers)) == [
        [("AI-1", "card:AI-1"), ("AI-3", "card:AI-3"), ("AI-4", "card:AI-4")],
        [("AI-5", "card:AI-5")],
    ]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-rf",
        "a b",
        "a;b",
        "$(a)",
        "a\nb",
        "`a`",
        "a'b",
        "a" * 257,
        "\U00020000" * 129,
        "a\u202eb",
    ],
)
def test_a_branch_that_is_no_word_in_a_shell_is_not_copied(name):
    assert branch_of(issue(branch_name=name)) is None


def test_an_identifier_that_is_none_is_not_copied():
    found = Found(issue(identifier="A" * 300 + "-1"))
    assert [("Copy AI-1", "AI-1")] in rows({"AI-1": found}, ranked("AI-1"))


@pytest.mark.parametrize("name", ["amara/ai-1-a_title.2", "Amélie/ai-1", "a" * 256])
def test_a_branch_is_copied_as_it_is(name):
    assert branch_of(issue(branch_name=name)) == name
