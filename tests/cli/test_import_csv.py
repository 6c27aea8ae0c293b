"""`engagement import csv`: files as spreadsheets, trackers and other systems write them."""

import gzip
import hashlib
import json
import re

import msgspec
import pytest

from ledger.commands import Interaction, interaction_of
from ledger.idempotency import SourceKey
from ledger.instants import moment_of_iso
from projections.application import Engagements
from tests.support.command_line import NOON, CommandLine
from tests.support.csv_files import HEADER, history, row, rows, written

ROW = "2026-01-02T09:00:00Z,ana,AI-1,query"


def import_csv(cli: CommandLine, content: str | bytes, *options: str) -> dict[str, int]:
    """The report of an import of this file, without refusals."""
    path = written(cli.home, content.encode() if isinstance(content, str) else content)
    done = cli("import", "csv", path, "--json", *options)
    assert (done.code, done.err) == (0, "")
    return dict(done.json)


def refusals(cli: CommandLine, content: str) -> list[str]:
    """The lines on stderr; nothing may be recorded."""
    done = cli("import", "csv", written(cli.home, content.encode()), "--json")
    assert (done.code, done.json["recorded"]) == (1, 0)
    return done.errors


# --- line ends -----------------------------------------------------------------------------------

SAID = "one\ntwo\n\nthree"


def told(context: str, ends: str) -> bytes:
    """A file of one row, every line of which ends so."""
    return f'{HEADER}\n{ROW},"{context}"\n'.replace("\n", ends).encode()


@pytest.mark.parametrize("first", ["\n", "\r\n", "\r"], ids=repr)
@pytest.mark.parametrize("second", ["\n", "\r\n", "\r"], ids=repr)
def test_files_that_differ_in_line_ends_alone_are_one_history(cli, first, second):
    assert import_csv(cli, told(SAID, first))["recorded"] == 1
    assert import_csv(cli, told(SAID, second))["duplicates"] == 1
    assert import_csv(cli, told(SAID, second), "--dry-run")["duplicates"] == 1
    assert cli("history", "ana", "--json").json[0]["context"] == SAID


def test_line_ends_do_not_move_where_a_context_is_cut(cli):
    long = "\n".join(["word"] * 80)
    assert import_csv(cli, told(long, "\r\n"))["recorded"] == 1
    assert import_csv(cli, told(long, "\n"))["duplicates"] == 1
    assert cli("history", "ana", "--json").json[0]["context"] == long[:200]


def as_before(context: str, ordinal: int = 0) -> Interaction:
    """The row as the version before knew it: by its content to the letter."""
    at = moment_of_iso("2026-01-02T09:00:00Z")
    entry = interaction_of("ana", "AI-1", "query", occurred_at=at, context=context)
    facts = (entry.occurred_at, "ana", "AI-1", entry.kind, entry.context)
    content = hashlib.blake2b(msgspec.json.encode(facts), digest_size=16).hexdigest()
    key = SourceKey(f"csv:{content}:{ordinal}", entry.occurred_at, "old.csv:2")
    return msgspec.structs.replace(entry, source_key=key)


@pytest.mark.parametrize("before", ["\n", "\r\n", "\r"], ids=repr)
@pytest.mark.parametrize("long", [1, 60])
def test_a_row_that_an_earlier_version_imported_stays_counted_once(cli, before, long):
    said = SAID * long
    with Engagements(f"sqlite:///{cli.ledger}", clock=lambda: NOON) as engagements:
        engagements.ledger.record(as_before(said.replace("\n", before)))
    ends = [before] if before == "\r" else ["\n", "\r\n"]
    for end in ends:
        assert import_csv(cli, told(said, end), "--dry-run")["duplicates"] == 1
        assert import_csv(cli, told(said, end))["duplicates"] == 1
    # From now on it is identified by its content, with any line ends.
    assert import_csv(cli, told(said, "\n"))["duplicates"] == 1
    assert len(cli("history", "ana", "--json").json) == 1
    assert cli("verify").code == 0


def test_equal_rows_of_several_lines_are_as_many_as_they_are(cli):
    twice = f'{HEADER}\n{ROW},"a\nb"\n{ROW},"a\nb"\n'
    assert import_csv(cli, twice)["recorded"] == 2
    assert import_csv(cli, twice.replace("\n", "\r\n"))["duplicates"] == 2


# --- long columns --------------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["context", "Description"])
@pytest.mark.parametrize("breaks", [0, 900])
def test_a_long_column_is_no_reason_to_refuse(cli, column, breaks):
    long = ("x" * 1_000 + "\n") * breaks or "x" * 1_000_000
    context, more = (long, "") if column == "context" else ("hi", long)
    content = f'{HEADER},Description\n{ROW},"{context}","{more}"\n'
    assert import_csv(cli, content)["recorded"] == 1
    assert cli("history", "ana", "--json").json[0]["context"] == context[:200]


def test_a_row_of_many_lines_that_is_too_long_is_refused_and_others_are_read(cli):
    endless = ('x ""quoted"" ' * 30_000 + ",\n") * 8
    path = written(cli.home, history(row(1), row(2, context=f'"{endless}"'), row(3)))
    done = cli("import", "csv", path, "--json")
    assert "line 3: is not CSV: the row is longer than 2,097,152 characters" in done.errors[0]
    assert done.json["recorded"] == 2


def test_after_a_row_that_is_too_long_lines_are_counted_on(cli):
    endless = ("x" * 300_000 + "\n") * 9
    bad = [row(1, context=f'"{endless}"'), row(2, kind="x"), row(3, kind="x")]
    errors = refusals(cli, history(*bad).decode())
    assert [line.split(":")[1] for line in errors] == [" line 2", " line 12", " line 13"]


# --- separators and headers ----------------------------------------------------------------------


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"], ids=repr)
@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=repr)
@pytest.mark.parametrize("says_so", [False, True])
def test_what_separates_the_columns_is_found(cli, separator, ends, says_so):
    content = history(*rows(5)).decode()
    other = content.replace(",", separator)
    told = f"sep={separator}\n" if says_so else ""
    assert import_csv(cli, (told + other).replace("\n", ends))["recorded"] == 5
    assert import_csv(cli, content)["duplicates"] == 5


def test_a_line_that_names_the_separator_counts_as_a_line(cli):
    bad = f"sep=;\n{HEADER}\n{row(1, kind='x')}\n".replace(",", ";")
    assert refusals(cli, bad)[0].startswith("error: line 3: ")


@pytest.mark.parametrize("before", ["", "sep=;\n", "\n\n", "\n\nsep=;\n\n"], ids=repr)
def test_a_header_that_is_wrong_is_named_by_its_line(cli, before):
    place = f"line {1 + before.count(chr(10))}: "
    assert f": {place}the header has no column" in refusals(cli, f"{before}user;kind\n")[0]
    unclosed = f'{before}user;"kind" x\n'
    assert f"{place}is not CSV" in refusals(cli, unclosed)[0]
    if ";" not in before:
        assert f": {place}sep= must name" in refusals(cli, f"{before}sep=#\nuser\n")[0]


@pytest.mark.parametrize(
    "header",
    [
        "OCCURRED_AT,USER,ISSUE_ID,KIND,CONTEXT",
        "Occurred At,User ID,Issue ID,Interaction Type,Context",
        "occurred-at, user ,issue-id,kind,context",
        '"occurred_at","user","issue_id","kind","context"',
    ],
)
def test_capitals_blanks_and_hyphens_in_a_header_do_not_matter(cli, header):
    assert import_csv(cli, history(*rows(5)).decode().replace(HEADER, header))["recorded"] == 5
    assert import_csv(cli, history(*rows(5)))["duplicates"] == 5


def test_a_header_that_is_written_as_documented_is_read_to_the_letter(cli):
    lines = [f"{HEADER},Key,User", *(f"{each},AI-1,x" for each in rows(5))]
    assert import_csv(cli, "\n".join(lines))["recorded"] == 5


def test_a_column_that_is_there_twice_in_other_capitals_is_told(cli):
    (line,) = refusals(cli, f"Occurred_at,user,User,issue_id,kind\n{ROW}")
    assert line.endswith("line 1: the header has user_id twice")


def test_a_history_needs_no_context(cli):
    assert import_csv(cli, f"occurred_at,user,issue_id,kind\n{ROW}\n")["recorded"] == 1
    assert import_csv(cli, f"{HEADER}\n{ROW},\n")["duplicates"] == 1


LINEAR = "ID,Team,Title,Description,Status,Priority,Creator,Assignee,Created,Updated"
JIRA = (
    "Summary,Issue key,Issue id,Issue Type,Status,Assignee,Reporter,Creator,Created,Comment,Comment"
)


@pytest.mark.parametrize(("header", "tracker"), [(LINEAR, "Linear"), (JIRA, "Jira")])
@pytest.mark.parametrize("separator", [",", ";"])
def test_an_export_of_issues_is_named_and_the_page_that_helps_too(cli, header, tracker, separator):
    (line,) = refusals(cli, header.replace(",", separator) + "\n")
    assert f"a list of issues from {tracker}" in line
    assert "docs/how-to/import-csv.md" in line


# --- what spreadsheets make of ids ---------------------------------------------------------------


EXPORT = {"name": "Team", "type": "private_supergroup", "id": 1, "messages": []}


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (json.dumps(EXPORT, indent=1), "JSON.*`engagement import telegram`"),
        (json.dumps(EXPORT), "JSON.*`engagement import telegram`"),
        (json.dumps(EXPORT | {"about": "x" * 3_000_000}), "JSON.*`engagement import telegram`"),
        (gzip.compress(json.dumps(EXPORT).encode()), "JSON.*`engagement import telegram`"),
        ("\ufeff" + json.dumps([EXPORT]), "JSON.*`engagement import telegram`"),
        ("<!DOCTYPE html>\n<html>", "HTML"),
        (b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0", "zip archive"),
    ],
    ids=["indented", "one line", "too long a line", "gzipped", "list", "html", "zip"],
)
def test_a_file_of_another_format_is_named_with_what_reads_it(cli, content, named):
    path = cli.home / "result.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = cli("import", "csv", str(path))
    assert (done.code, len(done.errors)) == (1, 1)
    assert re.fullmatch(rf"error: result\.json: line 1: .*{named}.*", done.errors[0])


def test_ids_that_a_spreadsheet_has_rewritten_are_refused_and_not_repeated(cli):
    bad = [row(1, user="7.01235E+09"), row(2, user="70123.0"), row(3, issue_id="15-Mar")]
    errors = refusals(cli, history(*bad).decode())
    assert [line[: len("error: line 2")] for line in errors] == [
        f"error: line {number}" for number in (2, 3, 4)
    ]
    assert all("export the column as text" in line for line in errors)
    assert not any("7.01235E" in line or "70123.0" in line for line in errors)


# --- moments -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "occurred_at"),
    [
        ("2026-01-02t09:00:00z", "2026-01-02T09:00:00Z"),
        ("2026-01-02T24:00:00Z", "2026-01-03T00:00:00Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("2016-12-31T15:59:60-08:00", "2017-01-01T00:00:00Z"),
    ],
)
def test_moments_are_read_as_the_standards_write_them(cli, text, occurred_at):
    assert import_csv(cli, history(row(1, occurred_at=text, user="ana")))["recorded"] == 1
    assert cli("history", "ana", "--json").json[0]["occurred_at"] == occurred_at
