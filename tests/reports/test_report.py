"""The report: it stands alone, its numbers are the ledger's answers, and names are no markup."""

import datetime as dt
import os
import re
from zoneinfo import ZoneInfo

import pytest

from bot.reports import report_page
from ledger.commands import interaction_of
from ledger.events import InteractionRecorded
from ledger.instants import DAY, instant_of
from projections.application import Engagements
from projections.application.audit_reader import Audited, read_audit
from projections.policy import changed
from tests.support.command_line import NOON, CommandLine
from tests.support.html_pages import Page, wrong_with

UTC = ZoneInfo("UTC")
HOSTILE = '<script>alert("x")</script>&\'{{ 7 * 7 }}'


@pytest.fixture
def engagements(tmp_path):
    with Engagements(f"sqlite:///{tmp_path / 'ledger.db'}", clock=lambda: NOON) as opened:
        yield opened


def touch(engagements: Engagements, user: str, issue: str, kind: str, days_ago: float) -> None:
    at = NOON - dt.timedelta(days=days_ago)
    engagements.ledger.record(interaction_of(user, issue, kind, occurred_at=at))


@pytest.fixture
def busy(engagements):
    for user, issue, kind, days_ago in (
        ("ana", "AI-1", "query", 0.5),
        ("ana", "AI-1", "mention", 40),
        ("ana", "AI-2", "view", 3),
        ("ben", "AI-2", "query", 10),
        ("ben", "AI-3", "query", 200),
    ):
        touch(engagements, user, issue, kind, days_ago)
    engagements.adjustments.override("ana", "AI-2", 0.9)
    return engagements


def page_of(audited: Audited, of_user: str | None = None) -> Page:
    return Page(report_page(audited, instant_of(NOON), UTC, of_user))


def figures(page: Page) -> dict[str, str]:
    """The key figures, by where they lead."""
    return {target[1:]: text for target, text in reversed(page.links)}


def test_a_report_stands_alone(busy):
    assert wrong_with(page_of(read_audit(busy, UTC, NOON))) == []


def test_the_checks_of_a_page_see_what_is_wrong():
    html = '<p id="a"><b id="a"><img src="http://x/y"><a href="#b" onclick="f()">1</a></p>'
    assert len(wrong_with(Page(html))) >= 6


@pytest.mark.parametrize("known_days_ago", [None, 0])
def test_every_score_is_what_the_ledger_answers_and_links_to_its_explanation(busy, known_days_ago):
    known_at = None if known_days_ago is None else NOON
    audited = read_audit(busy, UTC, NOON, known_at=known_at)
    page = page_of(audited)
    for number, user in enumerate(("ana", "ben"), 1):
        ranked = busy.questions.top(user, 5, NOON, known_at)
        stories = audited.audit.portraits[number - 1].stories
        assert [story.explanation.ranked for story in stories] == ranked
        for place, (each, story) in enumerate(zip(ranked, stories, strict=True), 1):
            why = busy.questions.explain(user, each.issue_id, NOON, known_at)
            assert story.explanation.value == why.value == each.score.value
            assert (f"#why-{number}-{place}", f"{each.score.value:.3f}") in page.links
            assert f"{each.score.value:.12f}" in page.text


def test_the_key_figures_are_counts_of_the_events(busy):
    page = page_of(read_audit(busy, UTC, NOON))
    shown = figures(page)
    assert (shown["activity"], shown["users"], shown["issues"]) == ("5", "2", "3")
    assert (shown["late"], shown["overrides"]) == ("4", "1")


def test_every_count_and_score_in_a_table_of_many_is_a_link(busy):
    html = report_page(read_audit(busy, UTC, NOON), instant_of(NOON), UTC, None)
    tables = html.partition('<h2 id="explanations">')[0]
    numbers = re.findall(r'<td class="n">(.*?)</td>', tables)
    assert len(numbers) > 40
    assert [each for each in numbers if not each.startswith('<a href="#')] == []


def test_what_is_pinned_says_why_it_stands_first(busy):
    busy.policies.adopt(changed(busy.policies.in_force, ["pin_hours=24"]), replaces=1)
    page = page_of(read_audit(busy, UTC, NOON))
    first, second = busy.questions.top("ana", 2)
    assert first.score.value < second.score.value
    assert page.text.count("; pinned above all scores") == 1


def test_overrides_that_are_not_listed_are_counted(busy):
    for _ in range(24):
        busy.adjustments.override("ana", "AI-2", 0.9)
    page = page_of(read_audit(busy, UTC, NOON))
    assert page.text.count("Set to 0.9") == 20
    assert "And 5 earlier ones." in page.text


def test_a_report_of_one_user_has_no_other(busy):
    audited = read_audit(busy, UTC, NOON, user_id="ana")
    page = page_of(audited, "ana")
    assert wrong_with(page) == []
    assert "ben" not in page.text
    assert (
        audited.audit.activity.tally.total
        == busy.questions.statistics("ana", NOON).total_interactions
    )


def test_scores_take_in_what_occurred_before_the_span(busy):
    start = NOON - dt.timedelta(days=1)
    audited = read_audit(busy, UTC, NOON, start=start, user_id="ana")
    assert audited.audit.activity.tally.total == 1
    first = audited.audit.portraits[0].stories
    assert [story.explanation.ranked for story in first] == busy.questions.top("ana", 5, NOON)


def test_what_has_been_quiet_for_long_is_shown_and_marked(busy):
    end = NOON + dt.timedelta(days=900)
    audited = read_audit(busy, UTC, end, user_id="ana")
    (portrait,) = audited.audit.portraits
    assert portrait.ranked == busy.questions.top("ana", 5, end)
    page = page_of(audited, "ana")
    assert wrong_with(page) == []
    assert "All of them are long inactive." in page.text
    assert "AI-1 · long inactive" in page.text


def test_a_line_begins_with_what_there_is_to_see_and_stays_within_the_span(busy):
    start, end = NOON - dt.timedelta(days=300), NOON + dt.timedelta(days=300)
    for audited in (read_audit(busy, UTC, NOON, start=start), read_audit(busy, UTC, end)):
        audit = audited.audit
        for portrait in audit.portraits:
            for series, _ in portrait.stories:
                assert audit.start <= series.start <= series.end <= audit.end
                assert series.end - series.start >= 90 * DAY
                assert len(series.interactions) == len(
                    [
                        each
                        for each in busy.questions.history(
                            audit.names[portrait.stream], series.issue_id, NOON
                        )
                        if isinstance(each.event, InteractionRecorded)
                    ]
                )


def test_what_became_known_later_is_not_in_it(busy):
    before = NOON - dt.timedelta(seconds=1)
    audited = read_audit(busy, UTC, NOON, known_at=before)
    assert audited.audit.activity.tally.total == 0


def test_an_empty_ledger_and_an_empty_span_make_a_page(engagements):
    page = page_of(read_audit(engagements, UTC, NOON))
    assert wrong_with(page) == []
    assert "Nothing is recorded for this span" in page.text
    touch(engagements, "ana", "AI-1", "query", 0)
    start = NOON - dt.timedelta(days=9)
    page = page_of(read_audit(engagements, UTC, NOON - dt.timedelta(days=8), start=start))
    assert wrong_with(page) == []


def test_hostile_names_are_shown_and_are_no_markup(engagements):
    touch(engagements, HOSTILE, HOSTILE[:50], "query", 0)
    audited = read_audit(engagements, UTC, NOON)
    for of_user in (None, HOSTILE):
        page = page_of(audited, of_user)
        assert wrong_with(page) == []
        assert HOSTILE in page.text
        assert HOSTILE[:50].upper() in page.text


def test_no_words_of_people_are_on_it(engagements):
    engagements.ledger.record(
        interaction_of(
            "ana", "AI-1", "query", context="a secret word", occurred_at=NOON, source_key="chat-7:9"
        )
    )
    html = report_page(read_audit(engagements, UTC, NOON), instant_of(NOON), UTC, None)
    assert "secret" not in html
    assert "chat-7" not in html


def test_the_command_writes_the_page_and_replaces_an_older_one(cli: CommandLine, tmp_path):
    cli("record", "ana", "AI-1", "query")
    path = tmp_path / "report.html"
    path.write_text("older")
    (tmp_path / "report.html.part").write_text("another program's")
    done = cli("report", "-o", str(path), "--from", "2026-01-31")
    assert (done.code, done.out) == (0, f"written: {path}, 1 interactions\n")
    assert wrong_with(Page(path.read_text(encoding="utf-8"))) == []
    assert [each.name for each in tmp_path.glob("*.part")] == ["report.html.part"]
    done = cli("report", "-o", str(path), "--json")
    assert done.json == {"file": str(path), "interactions": 1}


def test_a_bare_date_begins_in_the_configured_zone(cli: CommandLine, tmp_path):
    cli.settings["ENGAGEMENT_TIMEZONE"] = "Asia/Tokyo"
    cli("record", "ana", "AI-1", "query", "--at", "2026-01-29T14:59:59Z")
    cli("record", "ana", "AI-1", "query", "--at", "2026-01-29T15:00:00Z")
    done = cli("report", "-o", str(tmp_path / "r.html"), "--from", "2026-01-30")
    assert done.out.endswith(", 1 interactions\n")


def test_what_cannot_be_written_or_asked_is_one_line(cli: CommandLine, tmp_path):
    cli("record", "ana", "AI-1", "query")
    for arguments in (
        ("-o", str(tmp_path / "no" / "r.html")),
        ("-o", str(tmp_path / "r.html"), "--from", "2026-02-20"),
        ("-o", str(tmp_path / "r.html"), "--user", ""),
    ):
        done = cli("report", *arguments)
        assert done.code == 1
        assert len(done.errors) == 1
        assert re.match("error: ", done.errors[0])
        assert ".part" not in done.errors[0]
    assert not list(tmp_path.glob("r.html*"))


def test_what_is_no_file_is_written_into_and_a_link_stays_one(cli: CommandLine, tmp_path):
    cli("init")
    pipe, link, path = tmp_path / "pipe", tmp_path / "link", tmp_path / "r.html"
    os.mkfifo(pipe)
    path.write_text("older")
    link.symlink_to(path)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert cli("report", "-o", str(pipe)).code == 0
    assert os.read(reader, 15) == b"<!DOCTYPE html>"
    os.close(reader)
    assert pipe.is_fifo()
    assert cli("report", "-o", str(link)).code == 0
    assert (link.is_symlink(), path.read_bytes()[:15]) == (True, b"<!DOCTYPE html>")
    for folder in ("", str(tmp_path)):
        done = cli("report", "-o", folder)
        assert (done.code, len(done.errors)) == (1, 1)
        assert done.errors[0].endswith("Is a directory")
