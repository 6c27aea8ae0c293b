"""Every command: what people read, what programs read, and the code it ends with."""

import contextlib
import datetime as dt
import gzip
import json
import os
import pty
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len

from bot.cli import text_tables
from tests.support.command_line import DAY, ENGAGEMENT, NOON, PATIENCE_SECONDS, CommandLine, at
from tests.support.csv_files import FIRST, HEADER, history, row, rows, text, written

ANA_TOP = [
    {"issue_id": "AI-1799", "score": 0.84, "count": 3, "last_at": at(0)},
    {"issue_id": "DMD-480", "score": 0.377951182275, "count": 1, "last_at": at(14)},
    {"issue_id": "OLD-1", "score": 1.332e-09, "count": 1, "last_at": at(200)},
]
for each in ANA_TOP:
    each |= {"dormant": each["issue_id"] == "OLD-1", "override": None}
SCORE_KEYS = [
    *("user_id", "issue_id", "at", "score", "count", "first_at", "last_at"),
    *("frequency", "recency", "decay", "dormant", "override"),
]

# --- init, record, set-score ---------------------------------------------------------------------


def test_init_makes_the_ledger_once_and_is_fine_ever_after(cli):
    assert str(cli.ledger) in cli("init").out
    made = cli.ledger.read_bytes()
    assert cli("init", "--json").json == {"ledger": str(cli.ledger)}
    assert cli.ledger.read_bytes() == made


def test_record_says_what_it_recorded(cli):
    done = cli("record", "ana", "ai-1799", "query")
    assert (done.code, done.err) == (0, "")
    assert done.out == "recorded: query of AI-1799, position 1\n"


def test_record_needs_no_init_and_makes_the_folders(tmp_path):
    deep = CommandLine(tmp_path / "a" / "b")
    assert deep("record", "ana", "AI-1799", "query", "--json").json == {
        "position": 1,
        "counted": True,
    }


def test_a_key_counts_once_for_all_users(cli):
    cli("record", "ana", "AI-1799", "query", "--key", "chat:1")
    cli("record", "ana", "AI-1799", "query", "--key", "chat:2")
    again = cli("record", "bob", "DMD-480", "view", "--key", "chat:1", "--json")
    assert (again.code, again.json) == (0, {"position": 1, "counted": False})
    assert "position 2" in cli("record", "ana", "AI-1799", "query", "--key", "chat:2").out
    assert cli("score", "ana", "AI-1799", "--json").json["count"] == 2
    assert "unknown user" in cli("stats", "bob", "--json").err


def test_without_a_key_every_call_counts(cli):
    for _ in range(3):
        cli("record", "ana", "AI-1799", "query", "--at", at(1))
    assert cli("score", "ana", "AI-1799", "--json").json["count"] == 3


def test_a_set_score_holds_until_a_later_interaction(ana):
    assert ana("set-score", "ana", "DMD-480", "0.9", "--json").json == {
        "position": 6,
        "counted": True,
    }
    assert ana("score", "ana", "DMD-480", "--json").json["score"] == 0.9
    assert "set to 0.9" in ana("score", "ana", "DMD-480").out
    ana.now += 31 * DAY
    assert ana("score", "ana", "DMD-480", "--json").json["score"] == pytest.approx(0.81)
    ana("record", "ana", "DMD-480", "view")
    assert ana("score", "ana", "DMD-480", "--json").json["score"] == 0.76


def test_set_score_says_what_it_set(ana):
    assert ana("set-score", "ana", "ai-1799", "0.25").out.startswith(
        "set: AI-1799 starts from 0.25"
    )


# --- hide, unhide --------------------------------------------------------------------------------


def test_a_hidden_issue_is_in_no_list_and_counts_as_before(ana):
    listed, totals = ["DMD-480", "OLD-1"], ana("stats", "ana", "--json").json
    everything = ana("engagements", "ana", "--json").json
    score = ana("score", "ana", "AI-1799", "--json").json
    assert ana("hide", "ana", "ai-1799").out == (
        "hidden: AI-1799 is left out of lists, position 6\n"
    )
    assert [each["issue_id"] for each in ana("top", "ana", "--json").json] == listed
    assert "AI-1799" not in ana("timeline", "ana").out
    assert ana("stats", "ana", "--json").json == totals | {"most_engaged_issues": listed}
    assert ana("engagements", "ana", "--json").json == everything
    assert ana("score", "ana", "AI-1799", "--json").json == score
    assert ana("history", "ana", "--json").json[-1]["kind"] == "hidden"
    assert "AI-1799" in ana("top", "ana", "--at", at(1)).out
    assert ana("unhide", "ana", "--json").json == ["AI-1799"]
    assert "AI-1799" in ana("unhide", "ana").out
    ana.now += DAY
    assert ana("unhide", "ana", "AI-1799", "--json").json == {"position": 7, "counted": True}
    assert ana("unhide", "ana").out == "nothing is hidden\n"
    assert "AI-1799" in ana("top", "ana").out


def test_a_list_that_hiding_has_emptied_says_so(ana):
    for issue in ("AI-1799", "DMD-480", "OLD-1"):
        ana("hide", "ana", issue)
    assert "`engagement unhide USER` lists them" in ana("top", "ana").out
    assert "are hidden" in ana("stats", "ana").out
    assert ana("top", "ana", "--json").json == []


@pytest.mark.parametrize("verb", ["hide", "unhide"])
def test_what_was_never_touched_cannot_be_hidden(ana, verb):
    done = ana(verb, "ana", "AI-9")
    assert (done.code, done.err) == (1, "error: this user has no interaction with AI-9\n")


def test_hiding_or_showing_again_what_is_so_already_adds_no_event(ana):
    for before, verb, said in (
        ((), "unhide", "nothing added: AI-1799 is not hidden\n"),
        (("hide",), "hide", "nothing added: AI-1799 is already hidden\n"),
        (("hide", "unhide"), "unhide", "nothing added: AI-1799 is not hidden\n"),
    ):
        for each in before:
            ana.now += DAY
            ana(each, "ana", "AI-1799")
        events = ana("history", "ana", "--json").json
        assert (ana(verb, "ana", "ai-1799").code, ana(verb, "ana", "ai-1799").out) == (0, said)
        assert ana(verb, "ana", "AI-1799", "--json").json == {"position": None, "counted": False}
        assert ana("history", "ana", "--json").json == events


# --- issues without their hyphen -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("score", "ana", "AI1799"), 0),
        (("history", "ana", "ai1799"), 0),
        (("explain", "ana", "AI_1799"), 0),
        (("timeline", "ana", "AI 1799"), 0),
        (("set-score", "ana", "AI1799", "0.5"), 1),
        (("hide", "ana", "AI1799"), 1),
        (("unhide", "ana", "AI#1799"), 1),
    ],
    ids=lambda each: each[0] if isinstance(each, tuple) else "",
)
def test_an_issue_without_its_hyphen_is_named_with_it(ana, words, code):
    done = ana(*words)
    assert (done.code, done.errors[0]) == (code, "note: did you mean AI-1799?")


def test_what_is_no_key_without_a_hyphen_or_was_touched_needs_no_hint(ana):
    ana("record", "ana", "INC1799", "query")
    for issue in ("INC1799", "AI-1799", "AI-9", "1799", "UTF", "A-B1799"):
        assert ana("score", "ana", issue).err == ""


# --- score ---------------------------------------------------------------------------------------


def test_score_tells_every_part(ana):
    done = ana("score", "ana", "AI-1799", "--json")
    assert list(done.json) == SCORE_KEYS
    assert done.json == {
        "user_id": "ana",
        "issue_id": "AI-1799",
        "at": at(0),
        "score": 0.84,
        "count": 3,
        "first_at": at(2),
        "last_at": at(0),
        "frequency": pytest.approx(0.6),
        "recency": 1.0,
        "decay": 1.0,
        "dormant": False,
        "override": None,
    }


def test_score_of_what_was_never_touched_is_the_default(ana):
    document = ana("score", "ana", "ai-7", "--json").json
    given = {"user_id": "ana", "issue_id": "AI-7", "at": at(0), "score": 0.5, "count": 0}
    assert document == dict.fromkeys(SCORE_KEYS) | given | {"dormant": False}
    assert "0.500" in ana("score", "ana", "AI-7").out
    assert "unknown user" in ana("score", "bob", "AI-1799").err


def test_score_at_a_past_moment_knows_what_had_occurred(ana):
    document = ana("score", "ana", "AI-1799", "--at", at(1), "--json").json
    assert (document["count"], document["at"], document["last_at"]) == (2, at(1), at(1))
    assert ana("score", "ana", "AI-1799", "--at", at(3), "--json").json["count"] == 0


def test_score_in_words(ana):
    words = ana("score", "ana", "OLD-1").out
    assert words.startswith("OLD-1 scores 0.000, long inactive: touched once, active 200 days ago")
    assert len(words.splitlines()) == 1


# --- top, engagements, stats, history ------------------------------------------------------------


def test_top_is_the_first_of_all_engagements(ana):
    done = ana("top", "ana", "--json")
    assert done.json == ANA_TOP
    keys = ["issue_id", "score", "count", "last_at", "dormant", "override"]
    assert [list(each) for each in done.json] == [keys] * 3


def test_top_at_a_past_moment_ranks_as_it_was(ana):
    before = ana("top", "ana", "--at", at(3), "--json").json
    assert [each["issue_id"] for each in before] == ["DMD-480", "OLD-1"]
    long_ago = ana("top", "ana", "--at", at(199), "--json").json
    assert [each["issue_id"] for each in long_ago] == ["OLD-1"]


@pytest.mark.parametrize("limit", [1, 2, 3, 10**9, 10**20])
def test_top_shows_as_many_as_asked_for(ana, limit):
    assert ana("top", "ana", "--limit", str(limit), "--json").json == ANA_TOP[:limit]


def test_top_for_people_is_a_table(ana):
    header, first, second, third = ana("top", "ana").out.splitlines()
    assert header.split() == ["issue", "score", "count", "last", "note"]
    assert first.split() == ["1", "AI-1799", "0.840", "3", at(0)]
    assert second.split() == ["2", "DMD-480", "0.378", "1", at(14)]
    assert third.split() == ["3", "OLD-1", "0.000", "1", at(200), "long", "inactive"]
    header, *_ = ana("top", "ana", "--limit", "2").out.splitlines()
    assert header.split() == ["issue", "score", "count", "last"]


@pytest.mark.parametrize("command", ["top", "engagements", "timeline"])
def test_a_list_of_quiet_issues_alone_says_so_in_its_first_line(cli, command):
    cli("record", "ana", "OLD-1", "query", "--at", at(200))
    first = cli(command, "ana").out.splitlines()[0]
    assert first == "all of these are long inactive"
    cli("record", "ana", "AI-1", "query")
    first, *rest = cli(command, "ana").out.splitlines()
    assert "issue" in first or "OLD-1" in first
    assert "long inactive" in "".join([first, *rest])


EVERY_RANK = ("top ana", "engagements ana", "stats ana", "timeline ana", "explain ana --top",
              "score ana {issue}")  # fmt: skip


@pytest.mark.parametrize("command", EVERY_RANK)
def test_wherever_an_issue_ranks_it_is_marked_and_in_the_same_words(cli, command):
    """Dormant for programs is long inactive for people; a score set by hand is marked as well."""
    for issue, days_ago in (("OLD-1", 200), ("OLD-1", 200), ("SET-1", 199)):
        cli("record", "ana", issue, "query", "--at", at(days_ago))
    old = cli(*command.format(issue="OLD-1").split()).out
    assert "long inactive" in old
    assert "dormant" not in old
    cli("set-score", "ana", "SET-1", "0.6")
    assert "set by hand" in cli(*command.format(issue="SET-1").split()).out


@pytest.mark.parametrize("command", EVERY_RANK)
def test_what_does_not_count_is_marked_as_such_and_not_as_quiet(cli, command):
    for issue, kind in (("AI-1", "view"), ("AI-2", "query")):
        cli("record", "ana", issue, kind)
    cli("policy", "adopt", "kinds=query")
    shown = cli(*command.format(issue="AI-1").split()).out
    assert "nothing that counts" in shown
    assert "quiet" not in shown


def test_engagements_are_all_in_their_order(ana):
    assert ana("engagements", "ana", "--json").json == ANA_TOP
    assert ana("engagements", "ana", "--min-score", "0.5", "--json").json == ANA_TOP[:1]
    assert ana("engagements", "ana", "--min-score", "0.84", "--json").json == ANA_TOP[:1]
    assert ana("engagements", "ana", "--at", at(20), "--json").json[0]["issue_id"] == "OLD-1"


def test_stats_are_the_five_of_the_api(ana):
    done = ana("stats", "ana", "--json")
    assert done.json == {
        "total_interactions": 5,
        "unique_issues": 3,
        "avg_interactions_per_issue": 1.67,
        "most_engaged_issues": [each["issue_id"] for each in ANA_TOP],
        "last_interaction": at(0),
    }
    assert ana("stats", "ana", "--at", at(14), "--json").json["total_interactions"] == 2


def test_stats_of_a_time_before_the_first_event_are_nothing(ana):
    assert ana("stats", "ana", "--at", "2000-01-01", "--json").json == {
        "total_interactions": 0,
        "unique_issues": 0,
        "avg_interactions_per_issue": 0.0,
        "most_engaged_issues": [],
        "last_interaction": None,
    }


def test_stats_for_people_name_each_total(ana):
    words = ana("stats", "ana").out
    for name in ("total interactions", "unique issues", "most engaged issues", "last interaction"):
        assert name in words
    assert "AI-1799 0.840, DMD-480 0.378, OLD-1 0.000 (long inactive)" in words


def test_history_is_the_events_the_oldest_first(cli):
    cli("record", "ana", "AI-1", "view", "--at", at(1), "--key", "k:1")
    cli("record", "ana", "AI-2", "query", "--at", at(5), "--context", "late\narrival")
    cli("set-score", "ana", "AI-1", "0.3")
    documents = cli("history", "ana", "--json").json
    assert [each["position"] for each in documents] == [2, 1, 3]
    assert [each["kind"] for each in documents] == ["query", "view", "override"]
    assert [each["score"] for each in documents] == [None, None, 0.3]
    assert [each["source"] for each in documents] == [None, "k:1", None]
    assert [each["context"] for each in documents] == ["late\narrival", None, None]
    assert [each["occurred_at"] for each in documents] == [at(5), at(1), at(0)]
    assert {each["recorded_at"] for each in documents} == {at(0)}
    assert [each["position"] for each in cli("history", "ana", "ai-1", "--json").json] == [1, 3]


def test_history_can_be_limited_and_begin_with_the_latest(ana):
    positions = [each["position"] for each in ana("history", "ana", "--json").json]
    for words, expected in (
        (("--limit", "2"), positions[:2]),
        (("--latest",), positions[::-1]),
        (("--latest", "--limit", "2"), positions[::-1][:2]),
        (("--limit", "9"), positions),
    ):
        done = ana("history", "ana", *words, "--json")
        assert [each["position"] for each in done.json] == expected
    assert ana("history", "ana", "--limit", "2").out.endswith("\n… and 3 later\n")
    assert ana("history", "ana", "--latest", "--limit", "4").out.endswith("\n… and 1 earlier\n")


@pytest.mark.parametrize("width", [80, 40, 20])
def test_history_fits_the_terminal(ana, monkeypatch, width):
    ana("record", "ana", "AI-1799", "query", "--context", "What blocks AI-1799, and why? " * 9)
    ana("set-score", "ana", "AI-1799", "0.3")
    monkeypatch.setattr(text_tables, "on_terminal", lambda _: True)
    monkeypatch.setenv("COLUMNS", str(width))
    out = ana("history", "ana").out
    assert max(map(cell_len, out.splitlines())) <= width
    assert "What blocks" in out
    assert "set to 0.3" in out


def test_a_score_that_was_set_by_hand_is_marked_where_it_ranks(ana):
    ana("set-score", "ana", "DMD-480", "0.9")
    for words in (("top", "ana"), ("engagements", "ana")):
        lines = ana(*words).out.splitlines()
        assert [line for line in lines if line.endswith("set by hand")] == [lines[1]]
        marks = {each["issue_id"]: each["override"] for each in ana(*words, "--json").json}
        assert marks["DMD-480"] == 0.9
        assert set(marks.values()) == {0.9, None}
    said = ana("score", "ana", "DMD-480").out
    assert "touched once, set to 0.9 by hand today; 0.9 × decay 1.000" in said
    assert "active" not in said + ana("explain", "ana", "DMD-480").out


@pytest.mark.parametrize(
    ("words", "named", "nearest"),
    [
        (("top", "ana", "--limt", "5"), "--limt", "--limit"),
        (("top", "--limt", "5", "ana"), "--limt", "--limit"),
        (("top", "ana", "--limt=5"), "--limt", "--limit"),
        (("history", "ana", "AI-1", "--jsn"), "--jsn", "--json"),
        (("history", "ana", "--knownat", "now"), "--knownat", "--known-at"),
        (("record", "ana", "AI-1", "query", "--contxt", "x"), "--contxt", "--context"),
        (("set-score", "ana", "AI-1", "--jso"), "--jso", "--json"),
        (("report", "--outptu", "x"), "--outptu", "--output"),
        (("import", "csv", "--dryrun", "x"), "--dryrun", "--dry-run"),
    ],
)
def test_an_unknown_option_is_named_with_the_nearest_one(ana, words, named, nearest):
    done = ana(*words)
    (line,) = done.errors
    assert done.code == 2
    assert f"No such option '{named}'" in line
    assert nearest in line


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("top", "--help"), ("-h",)])
def test_help_needs_no_valid_settings(cli, words):
    cli.settings["ENGAGEMENT_TIMEZONE"] = "Nowhere/Land"
    assert cli(*words).code == 0
    assert cli("top", "ana").code == 1


def test_a_shell_completes_commands_and_options(cli):
    settings = {"COMP_CWORD": "1", "_ENGAGEMENT_COMPLETE": "bash_complete"}
    cli.settings |= settings | {"COMP_WORDS": "engagement hist", "ENGAGEMENT_TIMEZONE": "Nowhere"}
    assert cli.forked().out == "plain,history\n"
    cli.settings |= {"COMP_WORDS": "engagement history --lat", "COMP_CWORD": "2"}
    assert cli.forked().out == "plain,--latest\n"


def test_what_a_user_wrote_cannot_steer_a_terminal_or_break_a_line(cli):
    hostile = "\x1b]0;owned\x07\x1b[2J\r\nnext\u2028line\x85"
    cli("record", "ana", "AI-1", "view", "--context", hostile)
    out = cli("history", "ana").out
    assert len(out.splitlines()) == 2
    assert all(line.isprintable() for line in out.split("\n"))


EMPTY = {
    "top": "no engagements\n",
    "engagements": "no engagements\n",
    "history": "no events\n",
}


@pytest.mark.parametrize("command", EMPTY)
def test_nothing_is_said_in_a_sentence(ana, command):
    assert ana(command, "ana", "--at", "2020-01-01").out == EMPTY[command]
    assert ana(command, "ana", "--at", "2020-01-01", "--json").json == []


# --- users and moments ---------------------------------------------------------------------------


def test_a_user_id_may_be_a_negative_number(cli):
    user = "-1001234567890"
    assert cli("record", user, "AI-1", "query", "--key", "k").code == 0
    assert cli("record", "--key", "j", user, "AI-1", "query").code == 0
    assert cli("set-score", user, "AI-1", "0.4").code == 0
    assert cli("score", user, "AI-1", "--json").json["user_id"] == user
    assert cli("score", "--json", user, "AI-1").json["count"] == 2
    for command in ("top", "engagements", "history"):
        assert len(cli(command, user, "--json").json) > 0
        assert len(cli(command, "--json", "--", user).json) > 0
    assert cli("stats", user, "--json").json["total_interactions"] == 2


@pytest.mark.parametrize(
    "user", ["4711", "Zoë", "ユーザー", "a b", "u" * 100, "👍🏽", "' OR 1=1 --"]
)
def test_any_clean_text_is_a_user_id(cli, user):
    cli("record", user, "AI-1", "query")
    assert cli("stats", user, "--json").json["total_interactions"] == 1
    assert cli("score", user, "AI-1", "--json").json["user_id"] == user


@pytest.mark.parametrize("user", ["-abc", "--json", "--"])
def test_after_two_dashes_any_word_is_a_user(cli, user):
    imported(cli, history(row(1, user=user)))
    for command in ("engagements", "history"):
        assert len(cli(command, "--json", "--", user).json) == 1


ZONES = {
    "in winter": ("America/New_York", "2025-01-01", "2025-01-02T05:00:00Z"),
    "in summer": ("America/New_York", "2025-06-01", "2025-06-02T04:00:00Z"),
    "east of Greenwich": ("Asia/Kolkata", "2025-06-01", "2025-06-01T18:30:00Z"),
    "without a midnight": ("America/Santiago", "2025-09-06", "2025-09-07T04:00:00Z"),
    "with two midnights": ("America/Havana", "2025-11-01", "2025-11-02T04:00:00Z"),
    "of 25 hours": ("Europe/Berlin", "2025-10-26", "2025-10-26T23:00:00Z"),
}


@pytest.mark.parametrize(("zone", "day", "next_day"), ZONES.values(), ids=ZONES)
def test_a_bare_date_is_its_last_instant_in_the_configured_zone(cli, zone, day, next_day):
    cli.settings["ENGAGEMENT_TIMEZONE"] = zone
    begins = dt.datetime.fromisoformat(next_day)
    last = begins - dt.timedelta(microseconds=1)
    cli("record", "ana", "AI-1", "view", "--at", next_day)
    cli("record", "ana", "AI-2", "view", "--at", last.isoformat())
    document = cli("score", "ana", "AI-2", "--at", day, "--json").json
    assert dt.datetime.fromisoformat(document["at"]) == last
    assert [each["issue_id"] for each in cli("top", "ana", "--at", day, "--json").json] == ["AI-2"]
    cli("record", "ana", "AI-3", "view", "--at", day)
    assert cli("score", "ana", "AI-3", "--json").json["last_at"] == document["at"]


def test_today_is_now(cli):
    cli("record", "ana", "AI-1", "view", "--at", "2026-01-31")
    assert cli("history", "ana", "--json").json[0]["occurred_at"] == at(0)
    cli.settings["ENGAGEMENT_TIMEZONE"] = "Pacific/Kiritimati"  # where it is tomorrow already
    assert cli("score", "ana", "AI-1", "--at", "2026-02-01", "--json").json["at"] == at(0)


def test_a_moment_can_be_given_in_words(cli):
    cli.settings["ENGAGEMENT_TIMEZONE"] = "Asia/Kolkata"
    cli("record", "ana", "AI-1", "view", "--at", "31 Dec 2025 at 9:15")
    assert cli("history", "ana", "--json").json[0]["occurred_at"] == "2025-12-31T03:45:00Z"
    for moment, count in (("December 2025", 1), ("31 dec", 1), ("30 Dec", 0), ("a year ago", 0)):
        assert cli("score", "ana", "AI-1", "--at", moment, "--json").json["count"] == count


@pytest.mark.parametrize(
    "moment", ["2025-06-01T12:00:00Z", "2025-06-01T14:00:00+02:00", "20250601T120000Z"]
)
def test_a_moment_is_the_same_however_it_is_written(cli, moment):
    cli("record", "ana", "AI-1", "view", "--at", moment)
    assert cli("history", "ana", "--json").json[0]["occurred_at"] == "2025-06-01T12:00:00Z"
    assert cli("score", "ana", "AI-1", "--at", moment, "--json").json["count"] == 1


# --- import --------------------------------------------------------------------------------------

ROWS = rows(50)


def counts(read: int, recorded: int, duplicates: int = 0, refused: int = 0) -> dict[str, int]:
    told = {"read": read, "recorded": recorded, "duplicates": duplicates, "refused": refused}
    return told | {"outside": 0, "opted_out": 0, "left_out": 0}


def imported(cli: CommandLine, content: bytes, name: str = "history.csv") -> dict[str, int]:
    """The report of an import of this file, without refusals."""
    done = cli("import", "csv", written(cli.home, content, name), "--json")
    assert (done.code, done.err) == (0, "")
    report: dict[str, int] = done.json
    names = ("read", "recorded", "duplicates", "outside", "opted_out", "left_out", "refused")
    assert tuple(report) == names
    return report


def test_an_import_records_every_row_and_again_adds_nothing(cli):
    assert imported(cli, history(*ROWS)) == counts(50, 50)
    assert imported(cli, history(*ROWS)) == counts(50, 0, 50)
    assert imported(cli, history(*ROWS), "of another name.csv") == counts(50, 0, 50)
    assert imported(cli, gzip.compress(history(*ROWS)), "packed.csv.gz") == counts(50, 0, 50)
    assert imported(cli, gzip.compress(history(*ROWS)), "packed.csv") == counts(50, 0, 50)
    cli.fold()
    assert cli("replay", "--json").json["events"] == 50


def test_an_import_for_people_is_a_sentence(cli):
    path = written(cli.home, history(*rows(1_234)))
    done = cli("import", "csv", path)
    assert (done.code, done.err) == (0, "")
    first, *_ = done.out.splitlines()
    assert first == "read 1,234 rows: recorded 1,234, duplicates 0, refused 0"


def test_two_truly_equal_rows_count_twice_once(cli):
    twins = [ROWS[0], ROWS[0], ROWS[1]]
    assert imported(cli, history(*twins)) == counts(3, 3)
    assert imported(cli, history(*twins)) == counts(3, 0, 3)
    assert imported(cli, history(ROWS[0])) == counts(1, 0, 1)
    assert imported(cli, history(*twins, ROWS[0])) == counts(4, 1, 3)


def test_equal_rows_are_equal_however_they_are_written(cli):
    lines = [
        "2025-01-01T12:00:00Z,ana,AI-1,query,hi",
        "2025-01-01T13:00:00+01:00,ana,ai-1,query,hi",
        '2025-01-01T12:00:00.000000+00:00,"ana","AI-1","query","hi"',
    ]
    assert imported(cli, history(*lines)) == counts(3, 3)
    assert imported(cli, history(*reversed(lines))) == counts(3, 0, 3)


def test_rows_that_differ_anywhere_are_different(cli):
    assert imported(cli, history(row(1))) == counts(1, 1)
    others = [
        row(1, occurred_at="2025-01-01T00:01:00.000001Z"),
        row(1, user="other"),
        row(1, issue_id="AI-99"),
        row(1, kind="query"),
        row(1, context="other"),
        row(1, context=""),
    ]
    assert imported(cli, history(row(1), *others)) == counts(7, 6, 1)


def test_a_file_that_grew_adds_what_is_new_in_any_order(cli):
    imported(cli, history(*ROWS[10:30]))
    assert imported(cli, history(*ROWS)) == counts(50, 30, 20)
    assert imported(cli, history(*reversed(ROWS))) == counts(50, 0, 50)


SHAPES = {
    "a byte order mark": b"\xef\xbb\xbf" + history(*ROWS),
    "Windows lines": history(*ROWS).replace(b"\n", b"\r\n"),
    "old Mac lines": history(*ROWS).replace(b"\n", b"\r"),
    "no last newline": history(*ROWS).rstrip(),
    "blank lines": history(*ROWS).replace(b"\n", b"\n\n"),
    "the other names": history(*ROWS)
    .replace(b"user,", b"user_id,", 1)
    .replace(b",kind", b",interaction_type", 1),
    "blanks in the header": history(*ROWS).replace(b",", b", ", 4),
    "quotes": "\n".join(
        ",".join(f'"{cell}"' for cell in line.split(",")) for line in text(*ROWS).splitlines()
    ).encode(),
    "more columns": "\n".join(f"{line},more" for line in text(*ROWS).splitlines()).encode(),
    "another order": "\n".join(
        ",".join(reversed(line.split(","))) for line in text(*ROWS).splitlines()
    ).encode(),
    "several gzips in one": gzip.compress(history(*ROWS[:20]))
    + gzip.compress("\n".join(ROWS[20:]).encode()),
}


@pytest.mark.parametrize("content", SHAPES.values(), ids=SHAPES)
def test_the_shape_of_a_file_changes_nothing(cli, content):
    assert imported(cli, history(*ROWS), "plain.csv") == counts(50, 50)
    assert imported(cli, content, "shaped.csv") == counts(50, 0, 50)


def test_the_rows_become_the_interactions_that_they_say(cli):
    columns = "linear_id,context,interaction_type,issue_id,user_id,occurred_at"
    line = 'uuid-7,"said ""so"", he",view,ai-7,-100,2025-01-01T01:00:00+01:00'
    imported(cli, f"{columns}\n{line}\n".encode(), "file.csv")
    (event,) = cli("history", "-100", "--json").json
    assert (event["issue_id"], event["kind"], event["linear_id"]) == ("AI-7", "view", "uuid-7")
    assert (event["occurred_at"], event["context"]) == ("2025-01-01T00:00:00Z", 'said "so", he')
    assert event["source"].startswith("file.csv")


def test_a_key_column_says_what_is_the_same(cli):
    keyed = [
        f"{HEADER},key",
        f"{row(1)},k1",
        f"{row(1)},k2",
        f"{row(2)},k1",
        f"{row(3)},",
        row(3) + ",",
    ]
    cli("record", "ana", "AI-9", "view", "--key", "k2")
    assert imported(cli, "\n".join(keyed).encode()) == counts(5, 3, 2)
    assert imported(cli, "\n".join(keyed).encode()) == counts(5, 0, 5)
    assert not json.loads(cli("record", "ana", "AI-9", "view", "--key", "k1", "--json").out)[
        "counted"
    ]


def test_a_dash_is_standard_input(cli):
    done = cli.forked("import", "csv", "-", "--json", stdin=gzip.compress(history(*ROWS)))
    assert (done.code, done.err, done.json) == (0, "", counts(50, 50))
    cli.now = dt.datetime.now(dt.UTC)
    assert imported(cli, history(*ROWS)) == counts(50, 0, 50)


def test_standard_input_may_be_a_file(cli):
    path = written(cli.home, history(*ROWS))
    shell = ("/bin/sh", "-c", '"$0" -m bot import csv - --json < "$1"', sys.executable, path)
    done = cli.process(program=shell)
    assert (done.code, done.err, done.json) == (0, "", counts(50, 50))


# --- replay, doctor ------------------------------------------------------------------------------


def test_replay_says_identical(ana):
    ana.fold()
    done = ana("replay", "--json")
    seconds = done.json["seconds"]
    found = {"events": 5, "engagements": 3, "tail": 0, "resumed_after": 0, "seconds": seconds}
    assert list(done.json.items()) == [*found.items(), ("identical", True)]
    assert (done.code, done.err) == (0, "")
    assert ana("replay").out.startswith("identical: 5 events folded to 3 engagements")


def test_replay_says_how_much_is_not_folded_yet_and_compares_the_rest(ana):
    found = ana("replay", "--json").json
    assert (found["events"], found["tail"], found["identical"]) == (0, 5, True)
    assert ana("replay").out.endswith("; not compared: 5 newer events, not folded yet\n")


def test_a_replay_into_another_read_model_is_switched_to_and_back(ana):
    built = ana("replay", "--into", "fresh", "--json")
    assert (built.code, built.err) == (0, "")
    assert (built.json["engagements"], built.json["identical"]) == (3, True)
    head = built.json["position"]
    again = ana("replay", "--into", "fresh").out.splitlines()
    assert again[0] == f"goes on after position {head}"
    assert again[1].startswith("identical: fresh holds all events")
    row = {"name": "fresh", "position": head, "policy_version": 1, "identical": True}
    assert ana("replay", "list", "--json").json == {"head": head, "replays": [row]}
    switched = ana("replay", "switch", "fresh", "--json").json
    assert switched == {"switched_to": "fresh", "position": head}
    assert ana("top", "ana", "--json").json == ANA_TOP
    assert "previous" in ana("replay", "list").out
    assert ana("replay", "back").out.startswith("switched to previous")
    assert ana("replay", "drop", "previous").out == "dropped previous\n"
    assert ana("replay", "list").out == "there is only the live read model\n"


def test_a_different_read_model_is_named_and_not_switched_to_by_mistake(ana):
    ana.fold()
    with contextlib.closing(sqlite3.connect(ana.ledger)) as connection:
        connection.execute(DAMAGE["a count"])
        connection.commit()
    built = ana("replay", "--into", "fresh")
    assert (built.code, built.out.split(":")[0]) == (1, "different")
    assert re.fullmatch(r"error: engagement \d+ \(AI-1799\): .+, says fresh\n", built.err)
    assert "--different" in ana("replay", "switch", "fresh").err
    assert ana("replay", "switch", "fresh", "--different").code == 0
    assert ana("replay").code == 0


@pytest.mark.parametrize("words", ["--into a --repair", "--repair list", "switch", "--into A"])
def test_replay_options_that_do_not_go_together_are_refused(ana, words):
    done = ana("replay", *words.split())
    assert done.code == (1 if words == "--into A" else 2)
    assert done.err.startswith("error: ")


def test_replay_of_an_empty_ledger_is_identical(cli):
    cli("init")
    assert cli("replay", "--json").json["identical"]


DAMAGE = {
    "a count": "UPDATE engagements SET views = views + 1 WHERE issue_id = 'AI-1799'",
    "a score": "UPDATE engagements SET score = score / 2 WHERE issue_id = 'AI-1799'",
    "an instant": "UPDATE engagements SET last_at = last_at + 1 WHERE issue_id = 'AI-1799'",
    "the issue": "UPDATE engagements SET issue_id = 'AI-1' WHERE issue_id = 'AI-1799'",
    "one row missing": "DELETE FROM engagements WHERE issue_id = 'AI-1799'",
    "the last row missing": "DELETE FROM engagements WHERE issue_id = 'OLD-1'",
    "all rows missing": "DELETE FROM engagements",
}


@pytest.mark.parametrize("statement", DAMAGE.values(), ids=DAMAGE)
def test_replay_names_the_first_difference_and_repairs_it(ana, statement):
    ana.fold()
    with contextlib.closing(sqlite3.connect(ana.ledger)) as connection:
        connection.execute(statement)
        connection.commit()
    found = ana("replay", "--json")
    assert (found.code, found.json["identical"]) == (1, False)
    assert re.fullmatch(r"error: engagement \d+ \([A-Z]+-\d+\): .+\n", found.err)
    assert ana("replay").out.startswith("different: 5 events")
    repaired = ana("replay", "--repair", "--json")
    assert (repaired.code, repaired.err, repaired.json["identical"]) == (0, "", True)
    assert ana("replay").code == 0
    assert ana("top", "ana", "--json").json == ANA_TOP


def test_a_row_that_no_event_made_is_a_difference(ana):
    ana.fold()
    with contextlib.closing(sqlite3.connect(ana.ledger)) as connection:
        columns = [name for _, name, *_ in connection.execute("PRAGMA table_info(engagements)")]
        chosen = ", ".join({"id": "99", "issue_id": "'ZZ-1'"}.get(name, name) for name in columns)
        connection.execute(
            f"INSERT INTO engagements SELECT {chosen} FROM engagements WHERE issue_id = 'OLD-1'"  # noqa: S608 - the names are the table's own
        )
        connection.commit()
    found = ana("replay")
    assert found.code == 1
    assert "ZZ-1" in found.err
    assert ana("replay", "--repair").code == 0
    assert ana("replay").code == 0


def test_doctor_looks_at_everything(ana):
    done = ana("doctor", "--json")
    assert (done.code, done.err) == (0, "")
    assert {"database", "schema", "sqlite", "settings", "free disk", "clock"} <= {
        each["check"] for each in done.json
    }
    details = " ".join(each["detail"] for each in done.json)
    assert str(ana.ledger) in details
    assert sqlite3.sqlite_version in details
    assert at(0) in details


def test_doctor_finds_nothing_bad_before_there_is_a_ledger(cli):
    done = cli("doctor")
    assert (done.code, done.err) == (0, "")
    assert "engagement init" in done.out
    assert not cli.ledger.exists()


# --- every command -------------------------------------------------------------------------------

COMMANDS = (
    "init",
    "record ana AI-1 view",
    "set-score ana AI-1799 0.5",
    "score ana AI-1799",
    "top ana",
    "stats ana",
    "engagements ana",
    "history ana",
    "replay",
    "doctor",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_json_is_one_document_on_one_line_wherever_the_flag_stands(ana, command):
    for words in ([*command.split(), "--json"], ["--json", *command.split()]):
        done = ana(*words)
        assert (done.code, done.err) == (0, "")
        assert len(done.out.splitlines()) == 1
        assert isinstance(done.json, dict | list)


@pytest.mark.parametrize("command", COMMANDS)
def test_words_are_for_people(ana, command):
    done = ana(*command.split())
    assert (done.code, done.err) == (0, "")
    assert "{" not in done.out
    assert "\x1b" not in done.out


@pytest.mark.parametrize("command", ["", *(each.split()[0] for each in COMMANDS), "import", "tour"])
def test_every_command_explains_itself(cli, command):
    done = cli(*command.split(), "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Usage: engagement {command}".rstrip())


def test_python_m_bot_is_the_same_program(ana):
    console = (str(Path(sys.executable).with_name("engagement")),)
    asked = ("top", "ana", "--at", at(0), "--json")
    assert ana.process(*asked).json == ana.process(*asked, program=console).json == ANA_TOP
    assert re.fullmatch(r"engagement \d+\.\d+\.\d+\n", ana("--version").out)


def test_exit_codes_reach_the_shell(cli):
    assert cli.process("record", "u", "AI-1", "shout").code == 1
    assert cli.process("praise").code == 2


# --- the tour ------------------------------------------------------------------------------------


def test_the_tour_runs_its_example_and_leaves_nothing(cli):
    done = cli.forked("tour")
    assert (done.code, done.err) == (0, "")
    commands = re.findall(r"^\$ engagement (\S+)", done.out, re.MULTILINE)
    assert {"init", "record", "top", "score", "history", "replay"} <= set(commands)
    assert "nothing added" in done.out
    assert "identical: check holds all events up to position 3, 2 engagements compared" in done.out
    assert list(cli.home.iterdir()) == []


def test_the_tour_then_takes_commands_until_it_is_told_to_quit(cli):
    lines = ["top ana --json", "", "engagement stats ana --json", "quit", "history ana --json"]
    done = cli.forked("tour", stdin="\n".join(lines).encode())
    documents = [line for line in done.out.splitlines() if line.startswith(("[", "{"))]
    assert [type(json.loads(each)) for each in documents] == [list, dict]
    assert (done.code, done.err) == (0, "")


def test_the_tour_survives_what_it_does_not_understand(cli):
    lines = ["praise ana", 'record ana "AI-1', "record ana AI-1 shout", "tour x", "top ana --json"]
    done = cli.forked("tour", stdin="\n".join(lines).encode())
    assert done.code == 0
    assert [line.startswith("error: ") for line in done.errors] == [True] * 4
    assert json.loads(done.out.splitlines()[-1])[0]["issue_id"] == "AI-1799"


# --- pipes and terminals -------------------------------------------------------------------------


def on_terminal(cli: CommandLine, *arguments: str) -> str:
    """The output of a command to a stderr that is a terminal."""
    plain = {k: v for k, v in cli.environment().items() if not k.startswith(("TTY_", "FORCE_"))}
    ours, theirs = pty.openpty()
    with (
        os.fdopen(ours, "rb", buffering=0) as shown,
        subprocess.Popen(
            [*ENGAGEMENT, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            env=plain | {"TERM": "xterm", "COLUMNS": "100"},
            cwd=cli.home,
        ) as process,
    ):
        os.close(theirs)
        written_to_it = b""
        with contextlib.suppress(OSError):  # EIO: the other end is closed
            while some := shown.read(65_536):
                written_to_it += some
        assert process.wait(PATIENCE_SECONDS) == 0
    return written_to_it.decode()


def test_long_work_shows_its_progress_rate_and_time_left_on_a_terminal(cli):
    path = written(cli.home, history(*rows(7_001)))
    shown = on_terminal(cli, "import", "csv", path)
    assert "history.csv" in shown
    assert re.search(r"\d%.*[\d,]+ rows, [\d,]+/s.*\d:\d\d:\d\d", shown)
    assert re.search(r"\d%.*[\d,]+ events", on_terminal(cli, "replay"))


def test_in_a_pipe_there_is_no_progress(cli):
    path = written(cli.home, history(*rows(5_000)))
    assert cli.forked("import", "csv", path).err == ""


def unread(cli: CommandLine, *arguments: str, after: int) -> tuple[int, bytes]:
    """The exit code and stderr of a command whose output is read no further than that."""
    with subprocess.Popen(
        [*ENGAGEMENT, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=cli.environment(),
        cwd=cli.home,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(after)
        process.stdout.close()
        return process.wait(PATIENCE_SECONDS), process.stderr.read()


@pytest.mark.parametrize(("command", "after"), [("--help", 0), ("history u", 10)])
def test_a_reader_who_has_seen_enough_is_no_failure(cli, command, after):
    cli("import", "csv", written(cli.home, history(*(row(n, user="u") for n in range(3_000)))))
    assert unread(cli, *command.split(), after=after) == (0, b"")


def test_a_full_disk_behind_the_output_is_told(cli):
    shell = ("/bin/sh", "-c", '"$0" -m bot doctor > /dev/full', sys.executable)
    done = cli.process(program=shell)
    assert (done.code, done.err) == (1, "error: No space left on device\n")


@pytest.mark.parametrize("command", ["doctor", "replay"])
def test_a_closed_output_breaks_nothing(ana, command):
    shell = ("/bin/sh", "-c", f'"$0" -m bot {command} >&-', sys.executable)
    done = ana.process(program=shell)
    assert "Traceback" not in done.err
    assert len(done.errors) <= 1


def test_a_closed_stderr_breaks_nothing(ana):
    shell = ("/bin/sh", "-c", '"$0" -m bot top ana --json 2>&-', sys.executable)
    done = ana.process(program=shell)
    assert (done.code, isinstance(done.json, list)) == (0, True)


@pytest.mark.parametrize(
    "content", [history(row(1)), gzip.compress(history(row(1)))], ids=["plain", "gzipped"]
)
def test_a_history_may_come_slowly(cli, content):
    first, rest = (written(cli.home, part, str(len(part))) for part in (content[:1], content[1:]))
    slow = f'{{ cat {first}; sleep 1.5; cat {rest}; }} | "$0" -m bot import csv - --json'
    done = cli.process(program=("/bin/sh", "-c", slow, sys.executable))
    assert (done.code, done.json) == (0, counts(1, 1))


def test_times_out_are_iso_8601_in_utc(cli):
    cli.settings["ENGAGEMENT_TIMEZONE"] = "Asia/Kolkata"
    cli("record", "ana", "AI-1", "view", "--at", "2025-06-01T12:00:00.5+05:30")
    (event,) = cli("history", "ana", "--json").json
    assert event["occurred_at"] == "2025-06-01T06:30:00.500000Z"
    assert cli("stats", "ana", "--json").json["last_interaction"] == event["occurred_at"]
    assert dt.datetime.fromisoformat(event["recorded_at"]) == NOON
    assert FIRST < NOON
