"""Bad input of every kind: one line that says where and why, the right exit code, nothing lost."""

import datetime as dt
import gzip
import os
import random
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot.cli.context import Session, settings_from_environment
from ledger.intake.csv_history import ROW_LIMIT
from tests.support.command_line import CommandLine, CompletedCommand
from tests.support.csv_files import HEADER, history, row, rows, written
from tests.support.disks import remount, small_disk

REFUSED, USAGE = 1, 2


def complaint(done: CompletedCommand, code: int = REFUSED) -> str:
    """The one line that a failed command says, and nothing else."""
    assert (done.code, done.out) == (code, "")
    (line,) = done.errors
    assert line.startswith("error: ")
    assert line.isprintable()
    return line.removeprefix("error: ")


def recorded(cli: CommandLine) -> int:
    """How many events there are; those that were folded must agree with the read model."""
    if not cli.ledger.exists():
        return 0
    found = cli("replay", "--json").json
    assert found["identical"]
    return int(found["events"] + found["tail"])


# --- one interaction -----------------------------------------------------------------------------

LONE = "\ud800"

BAD_INTERACTIONS = {
    "empty user": (["", "AI-1", "query"], "user_id"),
    "long user": (["u" * 101, "AI-1", "query"], "user_id.*100"),
    "NUL in user": (["a\0b", "AI-1", "query"], "user_id.*control"),
    "newline in user": (["a\nb", "AI-1", "query"], "user_id.*control"),
    "escape in user": (["\x1b[31m", "AI-1", "query"], "user_id.*control"),
    "invisible character in user": (["a\u200bb", "AI-1", "query"], "user_id.*format"),
    "direction control in user": (["a\u202eb", "AI-1", "query"], "user_id.*format"),
    "decomposed user": (["e\u0301", "AI-1", "query"], "user_id.*NFC"),
    "lone surrogate in user": ([LONE, "AI-1", "query"], "user_id"),
    "empty issue": (["u", "", "query"], "issue_id"),
    "long issue": (["u", "A" * 51, "query"], "issue_id.*50"),
    "NUL in issue": (["u", "AI-\0", "query"], "issue_id.*ASCII"),
    "foreign digits in issue": (["u", "AI-١٢٣", "query"], "issue_id.*ASCII"),
    "lone surrogate in issue": (["u", LONE, "query"], "issue_id"),
    "unknown kind": (["u", "AI-1", "shout"], "'shout' is not query, view or mention"),
    "empty kind": (["u", "AI-1", ""], "not query, view or mention"),
    "loud kind": (["u", "AI-1", "QUERY"], "not query, view or mention"),
    "newline in kind": (["u", "AI-1", "que\nry"], "not query, view or mention"),
    "lone surrogate in kind": (["u", "AI-1", LONE], "not query, view or mention"),
    "empty key": (["u", "AI-1", "query", "--key", ""], "source_key"),
    "long key": (["u", "AI-1", "query", "--key", "k" * 501], "source_key.*500"),
    "lone surrogate in key": (["u", "AI-1", "query", "--key", LONE], "source_key.*surrogate"),
}

BAD_MOMENTS = {
    "empty": ("", "ISO 8601"),
    "no moment": ("tomorrow", "'tomorrow' is neither ISO 8601"),
    "no day of its month": ("30 Feb", "'30 Feb' is neither ISO 8601"),
    "a number that could be many things": ("5", "ISO 8601"),
    "too long ago": ("3000 years ago", "years 1 to 9999"),
    "a number": ("1735689600.5", "ISO 8601"),
    "no such day": ("2025-02-30", "ISO 8601"),
    "no such month": ("2025-13-01T00:00:00Z", "ISO 8601"),
    "no such hour": ("2025-01-01T25:00:00Z", "ISO 8601"),
    "an absurd zone": ("2025-01-01T00:00:00+24:00", "ISO 8601"),
    "foreign digits": ("٢025-01-01", "ISO 8601"),
    "naive": ("2025-01-01T00:00:00", "needs a time zone"),
    "a year of five digits": ("12025-01-01T00:00:00Z", "ISO 8601"),
    "before the year 1": ("0001-01-01T00:00:00+14:00", "years 1 to 9999"),
    "after the year 9999": ("9999-12-31T23:59:59-14:00", "years 1 to 9999"),
    "NUL": ("2025-01-01\0", "ISO 8601"),
    "a lone surrogate": (LONE, "ISO 8601"),
    "an escape": ("\x1b[31m2025", "ISO 8601"),
}

IMPOSSIBLE_MOMENTS = {
    "the year 1": ("0001-01-01T00:00:00Z", "before 2000"),
    "the day 1": ("0001-01-01", "before 2000"),
    "before 2000": ("1999-12-31T23:59:59.999999Z", "before 2000"),
    "the year 9999": ("9999-12-31T23:59:59Z", "more than a day in the future"),
    "the last day": ("9999-12-31", "more than a day in the future"),
    "two days ahead": ("2026-02-02T12:00:01Z", "more than a day in the future"),
}


@pytest.mark.parametrize(("words", "reason"), BAD_INTERACTIONS.values(), ids=BAD_INTERACTIONS)
def test_a_bad_interaction_is_refused_by_name(cli, words, reason):
    assert re.search(reason, complaint(cli("record", *words)))
    assert recorded(cli) == 0


@pytest.mark.parametrize(("moment", "reason"), BAD_MOMENTS.values(), ids=BAD_MOMENTS)
def test_what_names_no_moment_is_refused_everywhere(cli, moment, reason):
    cli("record", "u", "AI-1", "query")
    for command in (
        ["record", "u", "AI-1", "query"],
        ["top", "u"],
        ["score", "u", "AI-1"],
        ["stats", "u"],
        ["engagements", "u"],
    ):
        assert re.search(reason, complaint(cli(*command, "--at", moment)))
    assert recorded(cli) == 1


@pytest.mark.parametrize(("moment", "reason"), IMPOSSIBLE_MOMENTS.values(), ids=IMPOSSIBLE_MOMENTS)
def test_nothing_can_have_occurred_then(cli, moment, reason):
    assert re.search(reason, complaint(cli("record", "u", "AI-1", "query", "--at", moment)))
    assert recorded(cli) == 0


@pytest.mark.parametrize("moment", ["0001-01-01", "0001-01-01T00:00:00Z"])
def test_long_before_the_first_event_there_is_nothing(cli, moment):
    cli("record", "u", "AI-1", "query")
    assert cli("top", "u", "--at", moment, "--json").json == []
    assert cli("score", "u", "AI-1", "--at", moment, "--json").json["score"] == 0.5


@pytest.mark.parametrize("moment", ["9999-12-31", "9999-12-31T23:59:59Z"])
def test_at_the_end_of_time_everything_is_dormant(cli, moment):
    cli("record", "u", "AI-1", "query")
    (last,) = cli("top", "u", "--at", moment, "--json").json
    assert (last["score"], last["dormant"]) == (0.0, True)
    assert cli("score", "u", "AI-1", "--at", moment, "--json").json["dormant"]


BAD_WORDS = {
    "user": ["record", b"\xff", "AI-1", "query"],
    "issue": ["record", "u", b"AI-\xff", "query"],
    "kind": ["record", "u", "AI-1", b"\xff"],
    "key": ["record", "u", "AI-1", "query", "--key", b"\xff"],
    "moment": ["top", "u", "--at", b"\xff"],
    "command": [b"\xff"],
}


@pytest.mark.parametrize("words", BAD_WORDS.values(), ids=BAD_WORDS)
def test_bytes_that_are_no_text_are_refused(cli, words):
    cli("init")
    done = cli(*map(os.fsdecode, words))  # as Python hands a program its arguments
    assert complaint(done, done.code)
    assert done.code in {REFUSED, USAGE}
    assert recorded(cli) == 0


def test_bytes_that_are_no_text_are_refused_by_the_program_itself(cli):
    assert "user_id" in complaint(cli.process("record", b"\xff", "AI-1", "query"))


def test_bytes_that_are_no_text_are_left_out_of_a_context(cli):
    assert cli("record", "u", "AI-1", "query", "--context", os.fsdecode(b"a\xffb")).code == 0
    assert cli("history", "u", "--json").json[0]["context"] == "ab"


# --- usage ---------------------------------------------------------------------------------------

WRONG_USAGE = {
    "no such command": ["praise", "u"],
    "no user": ["top"],
    "no issue": ["score", "u"],
    "no kind": ["record", "u", "AI-1"],
    "no file": ["import", "csv"],
    "no such format": ["import", "xml", "file"],
    "a word too many": ["top", "u", "v"],
    "limit of nothing": ["top", "u", "--limit", "0"],
    "limit of words": ["top", "u", "--limit", "ten"],
    "negative limit": ["top", "u", "--limit", "-1"],
    "limit without a number": ["top", "u", "--limit"],
    "score of words": ["set-score", "u", "AI-1", "high"],
    "least score of words": ["engagements", "u", "--min-score", "high"],
    "no such option": ["replay", "--mend"],
    "no such option before a user": ["top", "--limti", "3", "u"],
    "no such option after a user": ["top", "u", "--limti", "3"],
    "no such option instead of a user": ["top", "--jsn"],
    "no such option instead of an issue": ["history", "u", "--jsn"],
    "no such option of record": ["record", "--kye", "AI-1", "query"],
    "an unprintable command": ["\x1b[31m"],
}


@pytest.mark.parametrize("words", WRONG_USAGE.values(), ids=WRONG_USAGE)
def test_wrong_usage_is_told_in_one_line(cli, words):
    cli("record", "u", "AI-1", "query")
    complaint(cli(*words), USAGE)
    assert recorded(cli) == 1


@pytest.mark.parametrize("words", [[], ["import"]])
def test_a_command_that_is_not_named_is_wrong_usage(cli, words):
    done = cli(*words)
    assert (done.code, done.out) == (USAGE, "")
    assert done.err.startswith("Usage: engagement")


@pytest.mark.parametrize("value", ["-0.1", "1.1", "nan", "inf", "-inf", "1e400"])
def test_a_score_outside_its_range_is_refused(cli, value):
    cli("record", "u", "AI-1", "query")
    assert "must be between 0.0 and 1.0" in complaint(cli("set-score", "u", "AI-1", value))
    assert recorded(cli) == 1


def test_a_score_of_what_was_never_touched_cannot_be_set(cli):
    cli("record", "u", "AI-1", "query")
    assert "AI-2" in complaint(cli("set-score", "u", "AI-2", "0.5"))
    assert "unknown user" in complaint(cli("set-score", "v", "AI-1", "0.5"))
    assert recorded(cli) == 1


def test_a_least_score_that_is_no_number_is_refused(cli):
    cli("record", "u", "AI-1", "query")
    assert cli("engagements", "u", "--min-score", "nan").code in {REFUSED, USAGE}


ASKING = ("top u", "score u AI-1", "stats u", "engagements u", "history u", "replay")


@pytest.mark.parametrize("question", ASKING)
def test_asking_where_there_is_no_ledger_makes_none(cli, question):
    assert "no ledger yet" in complaint(cli(*question.split()))
    assert list(cli.home.iterdir()) == []


def test_a_clock_far_behind_the_last_event_is_refused_and_explained(cli):
    cli("record", "u", "AI-1", "query")
    cli.now -= dt.timedelta(days=1, seconds=1)
    assert "clock" in complaint(cli("record", "u", "AI-1", "view"))
    assert recorded(cli) == 1
    doctor = cli("doctor", "--json")
    assert doctor.code == REFUSED
    assert [each["check"] for each in doctor.json if each["state"] == "bad"] == ["clock"]


# --- rows of a history ---------------------------------------------------------------------------

BAD_ROWS = {
    "empty user": (row(2, user=""), "user_id"),
    "long user": (row(2, user="u" * 101), "user_id.*100"),
    "NUL in user": (row(2, user="a\0b"), "user_id.*control"),
    "tab in user": (row(2, user="a\tb"), "user_id.*control"),
    "decomposed user": (row(2, user="e\u0301"), "user_id.*NFC"),
    "direction control in user": (row(2, user="\u202eu"), "user_id.*format"),
    "empty issue": (row(2, issue_id=""), "issue_id"),
    "long issue": (row(2, issue_id="A" * 51), "issue_id.*50"),
    "blank issue": (row(2, issue_id=" "), "issue_id"),
    "foreign issue": (row(2, issue_id="ÄI-1"), "issue_id.*ASCII"),
    "empty kind": (row(2, kind=""), "not query, view or mention"),
    "unknown kind": (row(2, kind="shout"), "'shout' is not query, view or mention"),
    "no instant": (row(2, occurred_at=""), "occurred_at.*ISO 8601"),
    "a bare date": (row(2, occurred_at="2025-01-01"), "occurred_at"),
    "a naive instant": (row(2, occurred_at="2025-01-01T00:00:00"), "occurred_at.*time zone"),
    "a number": (row(2, occurred_at="1735689600"), "occurred_at.*ISO 8601"),
    "no such day": (row(2, occurred_at="2025-02-30T00:00:00Z"), "occurred_at.*ISO 8601"),
    "the year 1": (row(2, occurred_at="0001-01-01T00:00:00Z"), "occurred_at.*2000"),
    "before the year 1": (row(2, occurred_at="0001-01-01T00:00:00+14:00"), "occurred_at.*9999"),
    "before 2000": (row(2, occurred_at="1999-12-31T23:59:59Z"), "occurred_at.*2000"),
    "the year 9999": (row(2, occurred_at="9999-12-31T23:59:59Z"), "occurred_at.*future"),
    "after the year 9999": (row(2, occurred_at="9999-12-31T23:59:59-14:00"), "occurred_at.*9999"),
    "the future": (row(2, occurred_at="2026-02-01T12:00:01Z"), "occurred_at.*future"),
    "too few fields": ("2025-01-01T00:00:00Z,u,AI-1,query", "4 fields.*5"),
    "too many fields": (row(2) + ",more", "6 fields.*5"),
    "one word": ("hello", "1 field.*5"),
    "a row that is too long": (row(2, context="y" * ROW_LIMIT), "longer than 2,097,152"),
    "a huge user": (row(2, user="y" * 1_000_000), "user_id"),
}


def check_one_refused(cli: CommandLine, content: bytes, reason: str) -> None:
    """The second of three rows is refused on its line; the others count, once for ever."""
    path = written(cli.home, content)
    done = cli("import", "csv", path, "--json")
    (line,) = done.errors
    assert re.search(f"^error: line 3: .*{reason}", line)
    assert len(line) < 300
    assert (done.code, done.json) == (
        1,
        {
            "read": 3,
            "recorded": 2,
            "duplicates": 0,
            "outside": 0,
            "opted_out": 0,
            "left_out": 0,
            "refused": 1,
        },
    )
    again = cli("import", "csv", path, "--json").json
    assert again == {
        "read": 3,
        "recorded": 0,
        "duplicates": 2,
        "outside": 0,
        "opted_out": 0,
        "left_out": 0,
        "refused": 1,
    }
    assert recorded(cli) == 2


@pytest.mark.parametrize(("bad", "reason"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_bad_row_is_told_with_its_line_and_the_others_are_recorded(cli, bad, reason):
    check_one_refused(cli, history(row(1), bad, row(3)), reason)


BAD_BYTES = {
    "latin-1": row(2, context="café").encode("latin-1"),
    "latin-1 in the user": row(2, user="Zoë").encode("latin-1"),
    "a lone surrogate": row(2, context="x").encode() + b"\xed\xa0\x80",
    "half a character": row(2, context="x").encode() + b"\xe2\x82",
    "a byte that is never UTF-8": row(2, context="x").encode() + b"\xff",
}


@pytest.mark.parametrize("bad", BAD_BYTES.values(), ids=BAD_BYTES)
def test_a_row_that_is_not_in_utf_8_is_told_with_its_line(cli, bad):
    check_one_refused(cli, b"\n".join([history(row(1)).strip(), bad, row(3).encode()]), "UTF-8")


def test_the_same_file_gzipped_is_told_the_same(cli):
    check_one_refused(cli, gzip.compress(history(row(1), row(2, kind="x"), row(3))), "is not query")


@pytest.mark.parametrize("key", ["k" * 501, "a\ud800"], ids=["long", "lone surrogate"])
def test_a_row_with_a_bad_key_is_told_with_its_line(cli, key):
    lines = [f"{HEADER},key", row(1) + ",k1", f"{row(2)},{key}", row(3) + ",k3"]
    check_one_refused(cli, "\n".join(lines).encode(errors="surrogatepass"), "key|UTF-8")


def test_a_row_is_named_by_the_line_on_which_it_begins(cli):
    long = row(1, context='"two\nlines\nand a third"')
    path = written(cli.home, history(long, row(2, kind="x"), "", row(3, user="")))
    done = cli("import", "csv", path)
    assert [line.split(":")[1] for line in done.errors] == [" line 5", " line 7"]


def test_a_quote_that_is_never_closed_is_told(cli):
    path = written(cli.home, history(row(1), row(2, context='"never closed'), *rows(3, 3)))
    done = cli("import", "csv", path, "--json")
    assert done.code == REFUSED
    assert any("line 3" in line for line in done.errors)
    assert done.json["recorded"] == recorded(cli) == 1


def test_a_quote_that_swallows_more_than_a_field_can_hold_is_told(cli):
    many = rows(5_000, 3)
    path = written(cli.home, history(row(1), row(2, context='"never closed'), *many))
    done = cli("import", "csv", path, "--json")
    assert done.code == REFUSED
    assert done.errors[0].startswith("error: line 3: ")
    assert done.json["recorded"] == recorded(cli)


def test_a_thousand_bad_rows_are_a_thousand_lines(cli):
    bad = [row(number, kind="x") for number in range(1_000)]
    done = cli("import", "csv", written(cli.home, history(*bad)), "--json")
    assert [line.split(":")[1] for line in done.errors] == [f" line {n}" for n in range(2, 1_002)]
    assert (done.code, done.json["refused"], recorded(cli)) == (1, 1_000, 0)


# --- whole files ---------------------------------------------------------------------------------

GOOD = history(*rows(5))
NAMELESS = {
    "empty": (b"", "header"),
    "blank lines only": (b"\n\n\n", "header"),
    "no header": (GOOD.split(b"\n", 1)[1], "column"),
    "one column missing": (history().replace(b",kind", b""), "column.*kind"),
    "several columns missing": (b"user\n", "occurred_at.*issue_id.*kind"),
    "one column twice": (history().replace(b"kind", b"kind,user_id"), "twice"),
    "hashes": (GOOD.replace(b",", b"#"), "column"),
    "a separator that is none": (b"sep=#\n" + GOOD.replace(b",", b"#"), "sep= must name"),
    "UTF-16": (GOOD.decode().encode("utf-16"), "UTF-8"),
    "UTF-16 without a mark": (GOOD.decode().encode("utf-16-le"), "UTF-8"),
    "UTF-16 the other way round": (GOOD.decode().encode("utf-16-be"), "UTF-8"),
    "UTF-32": (GOOD.decode().encode("utf-32"), "UTF-8"),
    "EBCDIC": (GOOD.decode().encode("cp500"), "column|UTF-8"),
    "an image": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)), "column|UTF-8"),
    "two bytes of gzip": (b"\x1f\x8b", "truncated"),
    "a header of gzip": (gzip.compress(GOOD)[:10], "truncated"),
    "rubbish called gzip": (b"\x1f\x8b" + bytes(range(90)), "cannot be read"),
    "gzip of nothing": (gzip.compress(b""), "header"),
    "gzip of UTF-16": (gzip.compress(GOOD.decode().encode("utf-16")), "UTF-8"),
}


@pytest.mark.parametrize(("content", "reason"), NAMELESS.values(), ids=NAMELESS)
def test_a_file_that_is_no_history_is_refused_at_its_first_line(cli, content, reason):
    done = cli("import", "csv", written(cli.home, content), "--json")
    (line,) = done.errors
    assert re.search(f"history.csv: line 1: .*{reason}", line)
    assert (done.code, set(done.json.values())) == (1, {0})
    assert recorded(cli) == 0


def test_a_header_alone_is_a_history_without_rows(cli):
    done = cli("import", "csv", written(cli.home, history()), "--json")
    assert (done.code, done.err, set(done.json.values())) == (0, "", {0})


def _varied(count: int) -> list[str]:
    chance = random.Random(1)
    return [row(n, context=f"{chance.getrandbits(120):030x}") for n in range(count)]


LONG = history(*_varied(6_000))
PACKED = gzip.compress(LONG, mtime=0)
HALF = len(PACKED) // 2

BROKEN_OFF = {
    "cut in the middle": (PACKED[:HALF], "truncated"),
    "cut at the end": (PACKED[:-4], "truncated"),
    "zeros in the middle": (
        PACKED[:HALF] + bytes(2_000) + PACKED[HALF + 2_000 :],
        "cannot be read",
    ),
    "a wrong checksum": (PACKED[:-8] + b"\0\0\0\0" + PACKED[-4:], "CRC"),
    "rubbish at the end": (PACKED + b"rubbish", "gzip"),
}


@pytest.mark.parametrize(("content", "reason"), BROKEN_OFF.values(), ids=BROKEN_OFF)
def test_what_came_before_the_break_is_recorded_and_the_whole_file_goes_on(cli, content, reason):
    broken = cli("import", "csv", written(cli.home, content, "broken.csv.gz"), "--json")
    assert re.search(rf"broken.csv.gz: line \d+: .*{reason}", broken.errors[-1])
    before = broken.json["recorded"]
    assert (broken.code, recorded(cli)) == (1, before)
    assert before > 2_000
    whole = cli("import", "csv", written(cli.home, PACKED, "whole.csv.gz"), "--json")
    assert (whole.code, whole.json["read"], whole.json["refused"]) == (0, 6_000, 0)
    assert recorded(cli) == before + whole.json["recorded"] >= 6_000


@pytest.mark.parametrize("cut", [PACKED[:HALF], PACKED[:-4]], ids=["half", "all but 4 bytes"])
def test_after_a_truncated_file_the_whole_one_adds_just_the_rest(cli, cut):
    cli("import", "csv", written(cli.home, cut, "broken.csv.gz"))
    cli("import", "csv", written(cli.home, PACKED, "whole.csv.gz"))
    assert recorded(cli) == 6_000


# --- files that are none -------------------------------------------------------------------------


def test_a_file_that_is_not_there_is_named(cli):
    assert "nowhere.csv: No such file" in complaint(cli("import", "csv", "nowhere.csv"))


@pytest.mark.parametrize("name", ["no\nwhere.csv", "\x1b[31m.csv", "a\0b.csv", "\ud800.csv", ""])
def test_a_file_of_an_odd_name_is_refused_in_one_printable_line(cli, name):
    complaint(cli("import", "csv", name))


def test_a_folder_is_no_file(cli):
    assert "directory" in complaint(cli("import", "csv", str(cli.home)))


def test_a_closed_standard_input_is_refused(cli):
    shell = ("/bin/sh", "-c", '"$0" -m bot import csv - <&-', sys.executable)
    complaint(cli.process(program=shell))


# --- databases -----------------------------------------------------------------------------------


def make_folder(path: Path) -> None:
    path.mkdir()


def make_text(path: Path) -> None:
    path.write_text("This is a text, and a rather long one; it is no database at all.\n" * 99)


def make_rubbish(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(9_000))


def _made_of(*statements: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        connection = sqlite3.connect(path)
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()

    return make


DATABASES = {
    "a folder": (make_folder, "director|folder"),
    "a text": (make_text, "not a database"),
    "rubbish": (make_rubbish, "not a database"),
    "another program's": (_made_of("CREATE TABLE t (x)"), "not that of a ledger"),
    "only a view": (_made_of("CREATE VIEW v AS SELECT 1"), "not that of a ledger"),
    "another ledger": (_made_of("CREATE TABLE ledger (x)"), "that of a ledger|schema"),
    "another ledger, empty": (
        _made_of("CREATE TABLE ledger (schema_version)"),
        "that of a ledger|schema",
    ),
    "a version in words": (
        _made_of("CREATE TABLE ledger (schema_version)", "INSERT INTO ledger VALUES ('new')"),
        "that of a ledger|schema",
    ),
    "a newer version": (
        _made_of("CREATE TABLE ledger (schema_version)", "INSERT INTO ledger VALUES (999)"),
        "version 999",
    ),
}


@pytest.mark.parametrize(("make", "reason"), DATABASES.values(), ids=DATABASES)
def test_what_is_no_ledger_is_refused_and_left_alone(cli, make, reason):
    make(cli.ledger)
    before = cli.ledger.is_file() and cli.ledger.read_bytes()
    history_file = written(cli.home.parent, GOOD)
    for words in (["record", "u", "AI-1", "query"], ["top", "u"], ["replay"], ["init"]):
        assert re.search(reason, complaint(cli(*words)))
    done = cli("import", "csv", history_file, "--json")
    assert (done.code, len(done.errors), set(done.json.values())) == (1, 1, {0})
    assert (cli.ledger.is_file() and cli.ledger.read_bytes()) == before


@pytest.mark.parametrize(("make", "reason"), DATABASES.values(), ids=DATABASES)
def test_doctor_says_what_is_no_ledger(cli, make, reason):
    make(cli.ledger)
    done = cli("doctor", "--json")
    (detail,) = (each["detail"] for each in done.json if each["state"] == "bad")
    assert (done.code, done.err) == (1, "")
    assert re.search(reason, detail)


URLS = {
    "no URL": ("ledger.db", "URL"),
    "an unknown database": ("oracle9i://host/x", "oracle9i|database URL"),
    "a missing driver": ("postgresql+pg8000://host/x", "pg8000|driver"),
    "memory": ("sqlite://", "file"),
    "memory by name": ("sqlite:///:memory:", "file"),
    "options": ("sqlite:///{home}/x.db?mode=ro", "options"),
    "a file as a folder": ("sqlite:////dev/null/x.db", "folder|directory"),
    "a device": ("sqlite:////dev/null", ""),
    "the root": ("sqlite:////", "file"),
    "above the root": ("sqlite:////..", "folder"),
    "a name too long": ("sqlite:///{home}/" + "n" * 300, "too long|name"),
    "NUL": ("sqlite:///{home}/a\0b", ""),
}


@pytest.mark.parametrize(("url", "reason"), URLS.values(), ids=URLS)
def test_a_url_that_cannot_be_a_ledgers_is_refused(cli, url, reason):
    cli.settings["ENGAGEMENT_DATABASE_URL"] = url.format(home=cli.home)
    assert re.search(reason, complaint(cli("record", "u", "AI-1", "query")))
    complaint(cli("top", "u"))
    assert list(cli.home.iterdir()) == []


@pytest.mark.parametrize("url", [url for url, _ in URLS.values()], ids=URLS)
def test_doctor_survives_any_url(cli, url):
    cli.settings["ENGAGEMENT_DATABASE_URL"] = url.format(home=cli.home)
    done = cli("doctor", "--json")
    assert done.code in {0, 1}
    assert {"settings", "sqlite", "database"} <= {each["check"] for each in done.json}


def test_a_link_that_leads_to_itself_is_no_ledger(cli):
    cli.ledger.symlink_to(cli.ledger)
    assert "symbolic links" in complaint(cli("record", "u", "AI-1", "query"))
    assert cli("doctor").code in {0, 1}


def test_a_password_is_never_shown(cli):
    url = "postgresql+pg8000://someone:hunter2@127.0.0.1:1/x"
    cli.settings["ENGAGEMENT_DATABASE_URL"] = url
    for words in (["top", "u"], ["record", "u", "AI-1", "query"], ["doctor"]):
        done = cli(*words)
        assert "hunter2" not in done.out + done.err


@pytest.mark.parametrize(
    "name", ["a b", "a?b", "a#b", "a%20b", "a%b", "a&b=c", "Zoë", "'", "a:b@c"]
)
def test_a_home_of_any_name_holds_its_ledger(cli, name):
    home = cli.home / name
    moved = CommandLine(home)
    assert moved("record", "u", "AI-1", "query").code == 0
    assert (home / "ledger.db").is_file()
    assert recorded(moved) == 1
    assert [each.name for each in cli.home.iterdir()] == [name]


def test_a_ledger_that_was_only_begun_is_finished(cli):
    begun = sqlite3.connect(cli.ledger)
    begun.execute("PRAGMA journal_mode=WAL")
    begun.close()
    assert cli.ledger.stat().st_size > 0
    assert cli("doctor").code == 0
    assert cli("record", "u", "AI-1", "query").code == 0
    assert recorded(cli) == 1


def test_an_empty_file_becomes_a_ledger(cli):
    cli.ledger.touch()
    assert "no ledger yet" in complaint(cli("top", "u"))
    assert cli("record", "u", "AI-1", "query").code == 0


# --- folders that cannot be written --------------------------------------------------------------


@pytest.fixture
def read_only(cli) -> Iterator[CommandLine]:
    """A command line whose folder holds a ledger and can only be read."""
    if os.geteuid() == 0:  # no folder's mode stops root
        with small_disk(cli.home):
            cli("record", "u", "AI-1", "query")
            remount(cli.home, "ro")
            yield cli
    else:
        cli("record", "u", "AI-1", "query")
        cli.home.chmod(0o555)
        yield cli
        cli.home.chmod(0o755)


def test_a_folder_that_cannot_be_written_refuses_and_answers(read_only):
    assert complaint(read_only("record", "u", "AI-1", "view"))
    assert read_only("score", "u", "AI-1", "--json").json["count"] == 1


def test_doctor_tells_a_read_only_disk_from_missing_rights(read_only):
    (found,) = [each for each in read_only("doctor", "--json").json if each["check"] == "access"]
    is_root = os.geteuid() == 0  # and then the disk is read-only
    assert ("mounted read-only" in found["detail"]) == is_root
    assert ("chown" in found["detail"]) != is_root
    assert found["state"] == "bad"
    assert read_only("doctor").code == REFUSED


def test_no_ledger_is_made_in_a_folder_that_cannot_be_written(read_only):
    elsewhere = CommandLine(read_only.home / "new")
    assert re.search("folder|directory", complaint(elsewhere("init")))


# --- settings ------------------------------------------------------------------------------------

BAD_SETTINGS = {
    "unknown": ({"ENGAGEMENT_TIMEZON": "UTC"}, "ENGAGEMENT_TIMEZON is not a setting"),
    "lower case": ({"ENGAGEMENT_timezon": "UTC"}, "is not a setting"),
    "no such zone": ({"ENGAGEMENT_TIMEZONE": "Mars/Olympus"}, "TIMEZONE.*Mars/Olympus"),
    "part of a zone": ({"ENGAGEMENT_TIMEZONE": "Europe"}, "TIMEZONE"),
    "a zone outside": ({"ENGAGEMENT_TIMEZONE": "../../etc/passwd"}, "TIMEZONE"),
    "a zone as a path": ({"ENGAGEMENT_TIMEZONE": "/etc/localtime"}, "TIMEZONE"),
    "a zone with a NUL": ({"ENGAGEMENT_TIMEZONE": "UTC\0"}, "TIMEZONE"),
    "an unprintable zone": ({"ENGAGEMENT_TIMEZONE": "\x1b[31m\ud800"}, "TIMEZONE"),
    "a loud log": ({"ENGAGEMENT_LOG_LEVEL": "chatty"}, "LOG_LEVEL.*debug"),
}


@pytest.mark.parametrize(("settings", "reason"), BAD_SETTINGS.values(), ids=BAD_SETTINGS)
def test_a_bad_setting_is_an_error_at_the_start(cli, settings, reason):
    cli.settings.update(settings)
    for words in (["record", "u", "AI-1", "query"], ["top", "u"], ["doctor"], ["tour"]):
        assert re.search(reason, complaint(cli(*words)))
    assert list(cli.home.iterdir()) == []


ENV_FILES = {
    "an unknown setting": (b"ENGAGEMENT_TIMEZON=UTC\n", "ENGAGEMENT_TIMEZON"),
    "a bad value": (b"ENGAGEMENT_TIMEZONE=Mars\n", "TIMEZONE"),
    "another encoding": (b"ENGAGEMENT_TIMEZONE=\xff\n", r"\.env|TIMEZONE"),
}


@pytest.fixture
def at_home(cli, monkeypatch) -> CommandLine:
    """A command line that reads its settings where the program does."""
    monkeypatch.chdir(cli.home)
    for name in os.environ:
        if name.startswith("ENGAGEMENT_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(cli, "session", lambda: Session(settings_from_environment))
    return cli  # type: ignore[no-any-return] # the fixture of conftest


@pytest.mark.parametrize(("content", "reason"), ENV_FILES.values(), ids=ENV_FILES)
def test_a_bad_env_file_is_an_error_at_the_start(at_home, content, reason):
    (at_home.home / ".env").write_bytes(content)
    assert re.search(reason, complaint(at_home("top", "u")))


def test_the_environment_overrules_the_env_file(at_home, monkeypatch):
    (at_home.home / ".env").write_text("ENGAGEMENT_TIMEZONE=Mars\nENGAGEMENT_HOME=here\n")
    monkeypatch.setenv("ENGAGEMENT_TIMEZONE", "Europe/Paris")
    assert at_home("init").code == 0
    assert (at_home.home / "here" / "ledger.db").exists()


def test_the_program_itself_reads_the_env_file(cli):
    (cli.home / ".env").write_text("ENGAGEMENT_TIMEZONE=Mars\n")
    assert "Mars" in complaint(cli.process("top", "u"))


# --- interruptions -------------------------------------------------------------------------------

INTERRUPTED_IN = """
import sys

class Interrupting:
    def find_spec(self, name, *_):
        if name == interrupted:
            raise KeyboardInterrupt

interrupted = sys.argv.pop(1)
sys.meta_path.insert(0, Interrupting())
from bot.cli import main
main()
"""


@pytest.mark.parametrize("module", ["bot.cli.context", "bot.cli.ask", "sqlalchemy"])
def test_an_interruption_while_the_program_is_loading_is_one_line(cli, module):
    cli("init")
    program = (sys.executable, "-c", INTERRUPTED_IN)
    done = cli.process(module, "top", "ana", program=program)
    assert (done.code, done.out, done.errors) == (130, "", ["error: interrupted"])
