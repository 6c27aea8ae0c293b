"""`engagement import telegram`, and what all imports share: windows, dry runs, names."""

import gzip
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from bot.listening.classification import private_key, supergroup_key
from ledger.commands import FOREVER, Interaction, OptOut, interaction_of
from ledger.instants import Instant, moment_of
from ledger.validation import UserId
from tests.support.command_line import CommandLine, CompletedCommand
from tests.support.csv_files import history, row, rows, written
from tests.support.shared_cases import CASES, needs_cases
from tests.support.telegram.desktop_exports import Line, chat_of, full_export
from tests.support.telegram.desktop_exports import written as packed

SUPERGROUP, GROUP, BOT = -1_001_234_567_890, -4711, 99
SECOND = 1_704_067_200
TOKEN = "99:a-token"  # noqa: S105 - made up


def line(number: int, text: str = "AI-1", user: int = 1001, **fields: Any) -> Line:
    """A message that is sent as many seconds after the beginning as its number says."""
    return {
        "id": number,
        "type": "message",
        "date_unixtime": str(SECOND + number),
        "from": f"Name of {user}",
        "from_id": f"user{user}",
        "text": text,
    } | fields


def in_supergroup(*lines: Line) -> Line:
    return chat_of(SUPERGROUP, "private_supergroup", lines)


def in_group(*lines: Line) -> Line:
    return chat_of(GROUP, "private_group", lines)


def imports(cli: CommandLine, export: Line, *options: str) -> CompletedCommand:
    path = written(cli.home, packed(export), "result.json")
    return cli("import", "telegram", path, "--bot", str(BOT), "--bot-name", "@ledger_bot", *options)


def report(done: CompletedCommand) -> tuple[int, ...]:
    """Recorded, duplicates, outside, opted out, refused."""
    names = ("recorded", "duplicates", "outside", "opted_out", "refused")
    document = done.json
    document.setdefault("recorded", document.get("would_record"))
    return tuple(document[name] for name in names)


def live(number: int, chat_id: int, user: int = 1001) -> Interaction:
    """The interactions that the bot records of the message."""
    at = Instant((SECOND + number) * 1_000_000)
    key = (
        supergroup_key(chat_id, number, "AI-1", at)
        if chat_id == SUPERGROUP
        else private_key(BOT, chat_id, 70_000 + number, "AI-1", at)
    )
    return interaction_of(
        str(user),
        "AI-1",
        "query",
        occurred_at=moment_of(at),
        chat_id=str(chat_id),
        source_key=key,
    )


def record(cli: CommandLine, *entries: Interaction | OptOut) -> None:
    with cli.session().engagements(create=True) as engagements:
        engagements.ledger.record_many(entries)


def names(cli: CommandLine) -> dict[str, str | None]:
    with closing(sqlite3.connect(cli.ledger)) as connection:
        return dict(connection.execute("SELECT user_id, display_name FROM accounts"))


# --- once ----------------------------------------------------------------------------------------


def test_what_was_heard_live_in_a_supergroup_counts_once_with_its_line(cli):
    record(cli, live(1, SUPERGROUP))
    export = in_supergroup(line(1), line(2))
    assert report(imports(cli, export, "--json")) == (1, 1, 0, 0, 0)
    assert report(imports(cli, export, "--json")) == (0, 2, 0, 0, 0)
    with cli.session().engagements() as engagements:
        outcomes = engagements.ledger.record_many([live(2, SUPERGROUP), live(3, SUPERGROUP)])
    assert [getattr(each, "counted", None) for each in outcomes] == [False, True]


def test_a_report_counts_messages_and_interactions(cli):
    done = imports(
        cli, in_supergroup(line(1, "AI-1 AI-2"), line(2, "hello"), line(3) | {"text": 7})
    )
    assert (done.code, done.errors) == (
        1,
        ["error: message 3: its text is neither text nor a list of texts"],
    )
    assert done.out.splitlines()[0] == "read 3 messages: recorded 2, duplicates 0, refused 1"


UNKNOWN = "its content is of a kind that is not known here, and was not read"
PAGE = "it is an export in HTML; export the chat again as machine-readable JSON"


def test_what_is_odd_in_an_export_is_refused_alone_and_counted(cli):
    odd = in_supergroup(line(2)) | {"type": None}
    unknown = line(4, "") | {"hologram": {"text": "AI-4"}}
    lines = (line(1), line(3, "HERE"), unknown, line(5, date_unixtime=SECOND + 5))
    content = packed(full_export(odd, in_supergroup(*lines))).replace(b'"HERE"', b"no (text).txt")
    path = written(cli.home, content, "result.json")
    done = cli("import", "telegram", path, "--bot", str(BOT), "--bot-name", "ledger_bot")
    assert done.errors == [
        "error: chat 1: its type and its id must be given before its messages",
        "error: message 3 of chat 2: is not JSON",
        f"error: message 4 of chat 2: Invalid message: {UNKNOWN}",
    ]
    assert (done.code, done.out.splitlines()[0]) == (
        1,
        "read 5 messages: recorded 2, duplicates 0, refused 3",
    )


def test_a_page_of_an_export_in_html_says_what_to_export_instead(cli):
    path = written(cli.home, b"<!DOCTYPE html><html></html>", "messages.html")
    done = cli("import", "telegram", path, "--bot", str(BOT))
    assert done.code == 1
    assert done.errors == [
        f"error: messages.html: {PAGE}",
    ]


@needs_cases
@pytest.mark.parametrize(
    ("name", "found", "refused"),
    [
        ("01-rich-message.json", ["AI-1", "AI-2", "AI-3", "AI-4", "AI-5"], 0),
        ("04-checklist.json", ["AI-6", "AI-7", "AI-8"], 0),
        ("06-chat-type-null.json", ["AI-1", "AI-3"], 1),
        ("08-custom-emoji-unquoted.json", ["AI-1", "AI-3"], 1),
        ("28-percent-encoded-link.json", ["AI-31", "AI-32", "AI-33"], 0),
        ("30-html-export-messages.html", [], 1),
    ],
)
def test_the_cases_of_strangers_are_imported_rightly(cli, name, found, refused):
    path = str(CASES / name)
    done = cli("import", "telegram", path, "--bot", str(BOT), "--bot-name", "ledger_bot")
    assert (done.code, len(done.errors)) == ((1, 1) if refused else (0, 0))
    entries = cli("history", "1001", "--json").json if found else []
    assert sorted(each["issue_id"] for each in entries) == found
    assert {each["kind"] for each in entries} <= {"mention"}


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_an_export_comes_through_a_pipe_too(cli, pack):
    content = pack(packed(full_export(in_supergroup(line(1)), in_group(line(2)))))
    cli.settings["TELEGRAM_BOT_TOKEN"] = TOKEN
    done = cli.forked("import", "telegram", "-", "--json", stdin=content)
    assert (done.code, done.err, report(done)) == (0, "", (2, 0, 0, 0, 0))


@pytest.mark.parametrize("spoilt", [rb"\ud83d", rb"\ude00", b"\xff"])
def test_a_message_with_what_is_no_character_is_refused_alone(cli, spoilt):
    export = in_supergroup(line(1), line(2, "AI-1 #"), line(3, "no issue #"), line(4))
    path = written(cli.home, packed(export).replace(b"#", spoilt), "result.json")
    done = cli("import", "telegram", path, "--bot", str(BOT))
    assert (done.code, done.out.splitlines()[0]) == (
        1,
        "read 4 messages: recorded 2, duplicates 0, refused 1",
    )
    (error,) = done.errors
    assert error.startswith(
        "error: message 2: Invalid message: its text contains invalid characters"
    )


def test_a_window_that_ends_before_it_begins_is_refused(cli):
    done = imports(cli, in_supergroup(line(1)), "--since", "2024-02-01", "--until", "2024-01-01")
    assert (done.code, done.out) == (1, "")
    assert done.errors == ["error: --since must not be after --until"]
    day = ("--since", "2024-01-01", "--until", "2024-01-01")
    assert report(imports(cli, in_supergroup(line(1)), *day, "--json")) == (1, 0, 0, 0, 0)


def test_what_came_before_a_damage_is_recorded(cli):
    content = packed(in_supergroup(*(line(number) for number in range(1, 50))))
    path = written(cli.home, content[: len(content) // 2], "result.json")
    done = cli("import", "telegram", path, "--bot", str(BOT), "--json")
    assert done.code == 1
    assert done.errors[0].startswith("error: result.json: after message ")
    assert done.json["recorded"] == done.json["read"] > 20


def test_a_file_that_is_not_there_is_told_before_anything_about_the_bot(cli):
    done = cli("import", "telegram", str(cli.home / "result.json"))
    assert (done.code, len(done.errors)) == (1, 1)
    assert "No such file" in done.err


def test_our_bot_must_be_known(cli):
    path = written(cli.home, packed(in_supergroup(line(1))), "result.json")
    done = cli("import", "telegram", path)
    assert (done.code, "--bot ID" in done.err) == (2, True)
    cli.settings["TELEGRAM_BOT_TOKEN"] = TOKEN
    assert cli("import", "telegram", path).code == 0
    assert "a-token" not in done.err + done.out


def test_a_message_that_cannot_be_recorded_is_refused_and_the_others_are_not(cli):
    lines = [line(1), line(2, date_unixtime=None), line(3, "/top@ledger_bot AI-1")]
    path = written(cli.home, packed(in_supergroup(*lines)), "result.json")
    done = cli("import", "telegram", path, "--bot", "99", "--since", "2024-01-01", "--json")
    assert (done.code, report(done)) == (1, (1, 0, 0, 0, 2))
    assert [each.split(":")[1] for each in done.errors] == [" message 2", " message 3"]
    assert imports(cli, in_supergroup(line(3, "/top@ledger_bot AI-1"))).code == 0


def test_other_bots_are_named(cli):
    export = in_supergroup(line(1, user=7), line(2, user=8), line(3))
    done = imports(cli, export, "--other-bot", "7", "--other-bot", "8", "--json")
    assert report(done) == (1, 0, 0, 0, 0)


# --- what was heard live where keys do not match -------------------------------------------------


@pytest.mark.parametrize("overlapping", [False, True])
def test_what_overlaps_with_live_interactions_of_its_user_is_refused(cli, overlapping):
    record(cli, live(10, GROUP), live(20, GROUP), live(1, GROUP, user=1002))
    lines = [line(number) for number in (9, 10, 15, 20, 21)] + [line(15, user=1002)]
    done = imports(cli, in_group(*lines), "--json", *["--overlapping"] * overlapping)
    assert report(done) == ((6, 0, 0, 0, 0) if overlapping else (3, 0, 0, 0, 3))
    overlap = "live interactions from 2024-01-01T00:00:10Z to 2024-01-01T00:00:20Z overlap"
    assert done.err.count(overlap) == (0 if overlapping else 3)
    assert "1001" not in done.err


def test_a_private_chat_with_the_bot_overlaps_where_it_is_the_users_own(cli):
    record(cli, live(10, 1001), live(20, 1001), live(10, 1002, user=1002))
    export = chat_of(BOT, "bot_chat", [line(15), line(25), line(16, user=BOT)])
    assert report(imports(cli, export, "--json")) == (1, 0, 0, 0, 1)


def test_a_group_that_moved_overlaps_with_what_was_heard_before(cli):
    record(cli, live(10, GROUP), live(20, GROUP))
    with cli.session().engagements() as engagements:
        engagements.ledger.migrate_chat(str(GROUP), str(SUPERGROUP))
    moved = line(15) | {"id": 15 - 10**9}
    assert report(imports(cli, in_supergroup(moved, line(30)), "--json")) == (1, 0, 0, 0, 1)


def test_an_import_does_not_overlap_with_itself(cli):
    export = in_group(*(line(number) for number in range(1, 30)))
    assert report(imports(cli, export, "--json")) == (29, 0, 0, 0, 0)
    assert report(imports(cli, export, "--json")) == (0, 29, 0, 0, 0)


def test_what_is_outside_the_window_overlaps_with_nothing(cli):
    record(cli, live(10, GROUP), live(20, GROUP))
    done = imports(cli, in_group(line(15)), "--since", "2024-02-01", "--json")
    assert (done.code, report(done)) == (0, (0, 0, 1, 0, 0))


# --- who does not want it ------------------------------------------------------------------------


def test_who_opted_out_is_counted_and_not_named(cli):
    record(cli, live(1, SUPERGROUP), OptOut(UserId("1001"), FOREVER))
    done = imports(cli, in_supergroup(line(1), line(2), line(3, user=1002)))
    assert (done.code, done.err) == (0, "")
    assert (
        done.out.splitlines()[0]
        == "read 3 messages: recorded 1, duplicates 0, opted out 2, refused 0"
    )
    assert names(cli) == {"1001": None, "1002": "Name of 1002"}


def test_who_was_forgotten_stays_forgotten(cli):
    imports(cli, in_supergroup(line(1) | {"from": "Canary Name"}))
    with cli.session().engagements() as engagements:
        engagements.ledger.erase("1001")
    assert b"Canary Name" not in cli.ledger.read_bytes()
    done = imports(cli, in_supergroup(line(1) | {"from": "Canary Name"}), "--json")
    assert report(done) == (0, 0, 0, 1, 0)
    assert b"Canary Name" not in cli.ledger.read_bytes()


def test_names_come_along_and_the_latest_import_wins(cli):
    imports(cli, in_supergroup(line(1), line(2, "hello", user=1002)))
    assert names(cli) == {"1001": "Name of 1001"}
    dirty = " A\u202ena \n\x07 " + "e\u0301" * 200
    imports(cli, in_supergroup(line(1) | {"from": dirty}))
    assert names(cli) == {"1001": ("Ana " + "\u00e9" * 200)[:100]}
    imports(cli, in_supergroup(line(1) | {"from": None}))
    assert names(cli)["1001"] is not None


# --- windows -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("window", "recorded"),
    [
        (["--since", "2024-01-01"], 3),
        (["--until", "2024-01-01"], 1),
        (["--since", "2024-01-02", "--until", "2024-01-02"], 1),
        (["--since", "2024-01-02T00:00:00.000001Z"], 1),
        (["--until", "2024-01-02T00:00:00Z"], 2),
        (["--since", "2024-01-04"], 0),
    ],
)
def test_a_window_holds_its_first_and_its_last_instant(cli, window, recorded):
    lines = [
        row(number, occurred_at=at)
        for number, at in enumerate(
            ["2024-01-01T23:59:59.999999Z", "2024-01-02T00:00:00Z", "2024-01-03T23:00:00Z"]
        )
    ]
    done = cli("import", "csv", written(cli.home, history(*lines)), *window, "--json")
    assert report(done) == (recorded, 0, 3 - recorded, 0, 0)


def test_a_day_of_a_window_is_one_of_the_configured_zone(cli):
    cli.settings["ENGAGEMENT_TIMEZONE"] = "America/New_York"
    path = written(cli.home, history(row(1, occurred_at="2024-01-02T04:59:59Z")))
    assert report(cli("import", "csv", path, "--since", "2024-01-02", "--json"))[2] == 1
    assert report(cli("import", "csv", path, "--since", "2024-01-01", "--json"))[0] == 1


def test_what_names_no_moment_is_refused_before_anything_is_read(cli):
    done = cli("import", "csv", "no such file", "--since", "soon")
    assert (done.code, done.out) == (1, "")
    assert "'soon'" in done.err


# --- dry runs ------------------------------------------------------------------------------------


def test_a_dry_run_makes_no_ledger(cli):
    done = imports(cli, in_group(line(1, "AI-1 AI-2"), line(2, user=1002)), "--dry-run")
    assert done.code == 0
    assert done.out.splitlines()[:4] == [
        "read 2 messages: would record 3, duplicates 0, refused 0",
        "user  query  view  mention  all",
        "1001      0     0        2    2",
        "1002      0     0        1    1",
    ]
    assert not cli.ledger.exists()


def test_a_dry_run_tells_what_the_import_then_does(cli):
    record(cli, live(1, SUPERGROUP), OptOut(UserId("1003"), FOREVER))
    lines = [line(1), line(2), line(2), line(3, user=1003)]
    future = line(4, date_unixtime="4102444800")
    export = in_supergroup(*lines, future)
    before = cli("history", "1001").out
    looked = imports(cli, export, "--dry-run", "--json")
    assert looked.json["users"] == {"1001": {"query": 0, "view": 0, "mention": 1}}
    assert cli("history", "1001").out == before
    assert names(cli) == {"1001": None}
    done = imports(cli, export, "--json")
    assert report(looked) == report(done) == (1, 2, 0, 1, 1)
    assert looked.err == done.err


def test_a_dry_run_shows_the_users_with_the_most(cli):
    many = rows(100) + [row(number, user=f"v{number}") for number in range(40)]
    done = cli("import", "csv", written(cli.home, history(*many)), "--dry-run")
    assert len(done.out.splitlines()) == 34
    assert done.out.splitlines()[-2] == "and 13 more users"
    assert done.out.splitlines()[2].split()[::4] == ["u1", "34"]
