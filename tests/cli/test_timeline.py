"""`engagement timeline`: how scores went, with gaps, late events and overrides."""

import csv
import io

import pytest

from tests.support.command_line import DAY, CommandLine, at


def test_each_point_is_what_score_says_as_of_then(ana):
    ana("set-score", "ana", "AI-1799", "0.3")
    points = ana("timeline", "ana", "AI-1799", "--from", "2026-01-20", "--json").json
    assert len(points) == 12
    for point in points:
        expected = ana("score", "ana", "AI-1799", "--at", point["at"], "--json").json
        assert point["score"] == (expected["score"] if point["count"] else None)
        assert point["count"] == expected["count"]


def test_a_gap_a_late_event_and_an_override_can_be_seen(ana):
    ana("set-score", "ana", "AI-1799", "0.3")
    lines = ana("timeline", "ana", "AI-1799", "--from", "2026-01-28").out.splitlines()
    assert [line.split(maxsplit=3)[1:] for line in lines[1:]] == [
        ["–", "0"],
        ["0.680", "1", "1 mention, 1 known late"],
        ["0.760", "2", "1 query"],
        ["0.300", "3", "1 view, set to 0.3"],
    ]


def test_without_an_issue_the_highest_stand_side_by_side(ana):
    out = ana("timeline", "ana", "--from", "2026-01-30").out.splitlines()
    assert out[0].split() == [*("at", "AI-1799", "DMD-480", "OLD-1"), "(long", "inactive)"]
    assert len(out) == 3
    long = ana("timeline", "ana", "--from", "2026-01-30", "--json").json
    assert [each["issue_id"] for each in long] == [
        *("AI-1799", "AI-1799", "DMD-480", "DMD-480", "OLD-1", "OLD-1")
    ]


def test_programs_read_csv(ana):
    ana("set-score", "ana", "AI-1799", "0.3")
    text = ana("timeline", "ana", "AI-1799", "--from", "2026-01-30", "--csv").out
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["score"] for row in rows] == ["0.76", "0.3"]
    assert rows[-1]["overrides"] == "0.3"


def test_what_was_not_known_then_is_not_shown(ana):
    later = CommandLine(ana.home, ana.now + DAY)
    later("record", "ana", "DMD-480", "query", "--at", at(5))
    asked = ("timeline", "ana", "DMD-480", "--to", at(0), "--json")
    assert later(*asked, "--known-at", ana.now.isoformat()).json[-1]["count"] == 1
    assert later(*asked).json[-1]["count"] == 2


def test_a_chart_is_drawn_into_a_file(ana, tmp_path):
    path = tmp_path / "chart.png"
    done = ana("timeline", "ana", "AI-1799", "--png", str(path))
    assert (done.code, done.out) == (0, f"drawn: {path}\n")
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--png", "x.png"), 2, "--png draws one issue"),
        (("AI-1", "--every", "year"), 2, "Invalid value for '--every'"),
        (("AI-1", "--from", "2026-02-01"), 1, "must not end before it begins"),
        (("AI-1", "--csv", "--json"), 2, "exclude each other"),
        (("AI-1", "--from", "2001-01-01", "--every", "hour"), 1, "more than 10,000 hours"),
        (("AI-1", "--from", "soon"), 1, "'soon' is neither ISO 8601"),
        (("AI-1", "--png", "no/such/folder/x.png"), 1, "No such file or directory"),
    ],
)
def test_what_cannot_be_shown_is_said_in_one_line(ana, words, code, message):
    done = ana("timeline", "ana", *words)
    assert (done.code, len(done.errors)) == (code, 1)
    assert message in done.err


def test_before_the_first_event_there_is_no_timeline(ana):
    assert (
        ana("timeline", "ana", "--known-at", "2020-01-01").out
        == "no engagements at the end of that span\n"
    )


def test_by_what_was_known_then_it_ends_then(ana):
    later = CommandLine(ana.home, ana.now + 5 * DAY)
    asked = ("ana", "DMD-480", "--known-at", ana.now.isoformat(), "--json")
    last = later("timeline", *asked).json[-1]
    then = later("score", *asked).json
    assert (last["at"], last["score"]) == (then["at"], then["score"])


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/New_York"])
@pytest.mark.parametrize("end", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
def test_the_ends_of_the_calendar_are_drawn_or_refused_in_one_line(ana, tmp_path, zone, end):
    ana.settings["ENGAGEMENT_TIMEZONE"] = zone
    out, span = str(tmp_path / "out"), ("--from", end, "--to", end)
    for asked in (
        ("timeline", "ana", "AI-1799", *span),
        ("timeline", "ana", "AI-1799", *span, "--png", out),
        ("report", *span, "-o", out),
    ):
        done = ana(*asked)
        assert (done.code, len(done.errors)) in {(0, 0), (1, 1)}
