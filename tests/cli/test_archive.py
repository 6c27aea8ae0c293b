"""Moving events into the archive, looking at it and checking it, as a person would."""

import contextlib
import datetime as dt
import re
import sqlite3
from pathlib import Path

import pytest

from projections.application import Engagements
from tests.support.command_line import DAY, CommandLine, at
from tests.support.sealed_ledgers import small_segments

ASKED = (
    ("top", "ana"),
    ("score", "ana", "AI-1799"),
    ("stats", "ana"),
    ("engagements", "ana"),
    ("history", "ana"),
    ("explain", "ana", "AI-1799"),
    ("top", "ana", "--at", at(2)),
    ("top", "ana", "--at", at(1), "--known-at", at(0)),
    ("history", "ana", "--at", at(5)),
    ("timeline", "ana", "--from", at(10)),
)


def answers(cli: CommandLine) -> list[tuple[int, str]]:
    done = [cli(*command, "--json") for command in ASKED]
    return [(each.code, each.out) for each in done]


def files(cli: CommandLine) -> list[Path]:
    return sorted(cli.home.glob("ledger.db.archive/*"))


@pytest.fixture
def sealed(ana: CommandLine) -> CommandLine:
    """Ana's five events in segments of two, the last one alone."""
    with small_segments(2):
        assert ana("compact", "--all").code == 0
    return ana


def test_no_answer_changes_when_everything_is_sealed_and_merged(ana):
    before = answers(ana)
    with small_segments(2):
        done = ana("compact", "--all")
    assert done.out.startswith("sealed 5 events; the archive has 3 segments of ")
    assert answers(ana) == before
    assert ana("archive", "merge").out == "merged 3 segments into 1\n"
    assert answers(ana) == before
    assert ana("replay").out.startswith("identical: 5 events folded to 3 engagements")


def test_only_what_was_recorded_long_enough_ago_is_sealed(ana):
    assert ana("compact").out == "there was nothing to seal\n"
    ana.now += 100 * DAY
    ana("record", "ana", "AI-1", "query")
    assert ana("compact", "--dry-run", "--json").json == {"would_seal": 5}
    assert ana("compact", "--dry-run").out == "would seal 5 events\n"
    assert files(ana) == []
    done = ana("compact", "--clock-is-right", "--json").json
    assert (done["events"], done["segments"], len(files(ana))) == (5, 1, 1)
    assert ana("compact", "--dry-run").out == "there is nothing to seal\n"


@pytest.mark.parametrize(
    ("option", "sealed"),
    [
        (("--through", "3"), 3),
        (("--all",), 5),
        (("--older-than", "0h"), 0),
        (("--older-than", "900000w"), 0),
    ],
)
def test_how_far_to_seal_can_be_said_in_three_ways(ana, option, sealed):
    assert ana("compact", *option, "--json").json["events"] == sealed


@pytest.mark.parametrize(
    "wrong",
    [
        ("--older-than", "soon"),
        ("--older-than", "-1d"),
        ("--older-than", "90"),
        ("--through", "0"),
        ("--through", "x"),
        ("--all", "--through", "3"),
        ("--all", "--older-than", "3d"),
    ],
)
def test_what_says_no_extent_is_refused_as_a_usage_error(ana, wrong):
    done = ana("compact", *wrong)
    assert (done.code, len(done.errors), done.out) == (2, 1, "")
    assert files(ana) == []


def test_what_was_sealed_is_still_counted_once(ana):
    ana("record", "ben", "AI-1", "query", "--key", "chat-1:7")
    ana("compact", "--all")
    again = ana("record", "ben", "AI-1", "query", "--key", "chat-1:7")
    assert again.out == "nothing added: this key was counted before, at position 6\n"


def test_the_list_shows_what_each_segment_holds(sealed):
    listed = sealed("archive", "list", "--json").json
    ranges = [(each["first_position"], each["last_position"]) for each in listed]
    assert ranges == [(1, 2), (3, 4), (5, 5)]
    assert [each["name"] for each in listed] == [file.name for file in files(sealed)]
    assert "3 to 4" in sealed("archive", "list").out


def test_an_empty_archive_says_what_fills_it(cli):
    cli("init")
    assert (
        cli("archive", "list").out
        == "nothing is sealed yet; `engagement compact` seals old events\n"
    )
    assert cli("archive", "check").out == "fine: 0 segments with 0 events\n"
    assert cli("archive", "merge").out == "there is nothing to merge\n"


def test_a_segment_shows_what_was_certified(sealed):
    shown = sealed("archive", "show", "4")
    assert re.search(r"certified +events +with all sealed up to.*\n3 to 4 +2 +4 +1\n", shown.out)
    sealed("archive", "merge")
    certificates = sealed("archive", "show", "1", "--json").json["certificates"]
    assert [each["first_position"] for each in certificates] == [1, 3, 5]
    assert [each["compared"]["engagements"] for each in certificates] == [2, 1, 1]


@pytest.mark.parametrize("position", ["0", "x", "9"])
def test_a_position_in_no_segment_is_refused(sealed, position):
    done = sealed("archive", "show", position)
    assert (done.code in {1, 2}, len(done.errors), done.out) == (True, 1, "")


# --- files that are not what they were -----------------------------------------------------------


def damaged(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def replaced_by_a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("harm", [damaged, cut, Path.unlink, replaced_by_a_folder])
def test_a_file_that_is_not_what_was_sealed_is_named_with_what_it_held(sealed, harm):
    present = [sealed(*command).out for command in ASKED[:4]]
    file = files(sealed)[1]
    harm(file)
    for command in (("archive", "check"), ("history", "ana"), ("replay",)):
        done = sealed(*command)
        assert (done.code, len(done.errors)) == (1, 1)
        assert file.name in done.err
        assert "held 2 events at the positions 3 to 4" in done.err
    assert [sealed(*command).out for command in ASKED[:4]] == present
    assert sealed("record", "ana", "AI-1799", "query").code == 0
    assert sealed("archive", "list").code == 0


def test_the_doctor_says_that_a_segment_is_missing(sealed):
    assert "archive    ok    3 segments with 5 events" in sealed("doctor").out
    files(sealed)[0].unlink()
    doctor = sealed("doctor")
    assert doctor.code == 1
    assert files(sealed)[0].name not in doctor.out
    assert "is missing; it held 2 events at the positions 1 to 2" in doctor.out


def test_who_was_forgotten_stays_forgotten_when_the_rest_is_sealed(ana):
    ana("record", "ben", "AI-2", "query", "--key", "chat-9:1", "--context", "a secret of ben's")
    ana("compact", "--through", "6")
    with Engagements(f"sqlite:///{ana.ledger}", clock=lambda: ana.now + dt.timedelta(1)) as held:
        held.ledger.erase("ben")
    ana.now += 2 * DAY
    assert ana("history", "ben").code == ana("top", "ben").code
    assert ana("compact", "--all").code == 0
    assert ana("replay").out.startswith("identical: 5 events folded to 3 engagements")
    assert b"a secret of ben's" not in ana.ledger.read_bytes()
    assert ana("archive", "check").code == 0


def test_what_is_kept_of_the_segments_is_checked_and_mended(sealed):
    with contextlib.closing(sqlite3.connect(sealed.ledger)) as connection, connection:
        connection.execute("UPDATE sealed_engagements SET queries = queries + 1")
    done = sealed("archive", "check")
    assert (done.code, len(done.errors)) == (1, 1)
    assert "the column queries that is sealed is not what the events say" in done.err
    assert sealed("replay", "--repair").code == 0
    assert sealed("archive", "check").code == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("DELETE FROM sealed_engagements", "a user's AI-1799 is only among the events"),
        (
            "UPDATE sealed_engagements SET issue_id = 'AI-0'",
            "a user's AI-0 is only in what is kept",
        ),
    ],
)
def test_what_is_missing_or_too_much_of_what_is_kept_is_named(sealed, change, said):
    with contextlib.closing(sqlite3.connect(sealed.ledger)) as connection, connection:
        assert connection.execute(f"{change} WHERE issue_id = 'AI-1799'").rowcount
    done = sealed("archive", "check")
    assert (done.code, len(done.errors)) == (1, 1)
    assert said in done.err
