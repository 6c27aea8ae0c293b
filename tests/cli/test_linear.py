"""Commands about Linear: issues, the doctor, a newer schema, the local Linear."""

import asyncio
import datetime as dt
import json
import os
import re
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from bot.linear.client import linear_of
from bot.linear.demo import KEY, SECRET, LocalLinear, Scripted, invented
from bot.linear.issue import Issue
from bot.linear.issue_decoding import issue_of as issue_of_node
from bot.linear.observed import observation_of
from bot.linear.schema import OURS
from ledger.clock import utc_now
from ledger.instants import instant_of
from ledger.observations import Person, Text
from projections.application import Engagements
from tests.support.command_line import ENGAGEMENT, NOON, CommandLine
from tests.support.linear_door import free_port, opened
from tests.support.linear_server import serving
from tests.support.observations import observation, uuid

URL = "https://linear.example/wattle/issue"


@pytest.fixture
def local() -> LocalLinear:
    return LocalLinear(invented(NOON), lambda: NOON)


@pytest.fixture
def linear(cli: CommandLine, local: LocalLinear) -> Iterator[CommandLine]:
    """A command line whose settings lead to the local Linear."""
    with serving(local) as served:
        cli.settings |= served.settings
        yield cli


def test_an_issue_is_shown(linear):
    done = linear("issue", "AI-1799")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "AI-1799 Answers cite pages that have moved",
        "◐ In Progress for 3 days · amara",
        "high priority · 🔴 due tomorrow · cycle 14",
        "⛔ blocked by WEB-7",
        f"open: {URL}/AI-1799",
        "branch: amara/ai-1799-answers-cite-pages-that-have-moved",
    ]


def test_several_issues_are_shown_once_each_in_the_order_that_they_were_asked_for(linear, local):
    done = linear("issue", "web-7", "DMD-480", "WEB-7", "AI-9999", "LAW-1", "OPS-3")
    assert done.code == 1
    shown = [block.splitlines()[0] for block in done.out.split("\n\n")]
    assert shown == [
        "WEB-7 Pictures jump while the page loads",
        "DMD-480 One search box for all sources",
        *(
            f"{key}: not found in Linear, or I may not see it"
            for key in ("AI-9999", "LAW-1", "OPS-3")
        ),
    ]
    assert len(local.asked) == 5


def test_json_says_the_same_of_a_hidden_issue_as_of_none(linear):
    done = linear("issue", "AI-1799", "OPS-3", "AI-9999", "--json")
    found, hidden, none = done.json
    assert (found["status"], found["title"], found["state_type"]) == (
        "found",
        "Answers cite pages that have moved",
        "started",
    )
    assert found["due_date"] == "2026-02-01"
    assert found["blocked_by"] == ["WEB-7"]
    assert (found["cycle"], found["in_state_since"]) == (14, "2026-01-28T12:00:00Z")
    assert found["branch"] == "amara/ai-1799-answers-cite-pages-that-have-moved"
    assert hidden == {"issue_id": "OPS-3", "status": "absent"}
    assert none == {"issue_id": "AI-9999", "status": "absent"}


def test_where_linear_does_not_answer_that_is_said(linear, local):
    local.script.extend([Scripted(500, b"")] * 2)
    done = linear("issue", "AI-1799")
    assert (done.code, done.out) == (
        1,
        "AI-1799: Linear does not answer now; ask again in a minute\n",
    )
    assert linear("issue", "AI-1799", "--json").json == [
        {"issue_id": "AI-1799", "status": "unknown"}
    ]


def test_without_a_key_the_setting_is_named(cli):
    done = cli("issue", "AI-1799")
    assert (done.code, done.out) == (1, "")
    assert "ENGAGEMENT_LINEAR_API_KEY is not set" in done.err


# --- titles in lists -----------------------------------------------------------------------------

SHOWN = "Answers cite pages that have moved"


@pytest.fixture
def touched(linear):
    """A command line whose ledger has touches of issues that are found, hidden and not there."""
    for issue in ("AI-1799", "OPS-3", "AI-9999"):
        assert linear("record", "ana", issue, "query", "--at", "2026-01-30T12:00Z").code == 0
    return linear


def without_linear(cli: CommandLine, *words: str) -> str:
    """The output of a command where there is no key."""
    kept = dict(cli.settings)
    for name in list(cli.settings):
        if "LINEAR" in name:
            del cli.settings[name]
    done = cli(*words)
    cli.settings |= kept
    assert done.code == 0
    return done.out


def test_top_and_history_show_titles_after_one_request_each(touched, local):
    top = touched("top", "ana").out.splitlines()
    assert top[0].split() == ["issue", "title", "score", "count", "last"]
    assert [line.partition("0.6")[0].split(maxsplit=2)[1:] for line in top[1:]] == (
        [["AI-1799", f"{SHOWN}   "[: len(SHOWN) + 2]], ["AI-9999"], ["OPS-3"]]
    )
    history = touched("history", "ana").out
    assert history.splitlines()[0].split()[2:] == ["at", "issue", "id", "title", "kind", "context"]
    assert f"AI-1799   {SHOWN}  query" in history
    assert len(local.asked) == 2


def test_json_keeps_its_shape_and_adds_title_and_state_where_they_are_known(touched):
    for command in ("top", "history"):
        plain = json.loads(without_linear(touched, command, "ana", "--json"))
        added = {"title": SHOWN, "state": "In Progress"}
        expected = [each | (added if each["issue_id"] == "AI-1799" else {}) for each in plain]
        assert touched(command, "ana", "--json").json == expected


def test_a_report_shows_titles_and_escapes_them(touched, local, tmp_path):
    local.workspace.find("AI-1799")["title"] = "<b>Pages & co"
    path = tmp_path / "report.html"
    assert touched("report", "-o", str(path)).code == 0
    page = path.read_text()
    assert "<th>AI-1799 <span" in page
    assert "&lt;b&gt;Pages &amp; co" in page
    assert "<b>Pages" not in page
    assert len(local.asked) == 1


@pytest.mark.parametrize("command", ["top", "history"])
def test_where_linear_does_not_answer_nothing_changes(touched, local, command):
    expected = without_linear(touched, command, "ana")
    local.script.append(Scripted(503, b""))
    done = touched(command, "ana")
    assert (done.code, done.out) == (0, expected)


# --- what the ledger knows -----------------------------------------------------------------------

TITLE = Text(uuid(1), "Answers cite pages", "https://linear.example/AI-1799")
STARTED, BACKLOG = Text(uuid(101), "In Progress"), Text(uuid(102), "Backlog")


def noon(day: int) -> dt.datetime:
    return dt.datetime(2026, 1, day, 12, tzinfo=dt.UTC)


@pytest.fixture
def recorded(cli: CommandLine) -> CommandLine:
    """A command line whose ledger knows an issue that was moved and started."""
    with Engagements(f"sqlite:///{cli.home}/ledger.db", clock=lambda: noon(30)) as engagements:
        for day, fields in (
            (10, {"identifier": "DMD-480", "state_id": BACKLOG.id, "state_type": "backlog"}),
            (28, {"identifier": "AI-1799", "state_id": STARTED.id, "priority": 2}),
        ):
            said = observation(
                1,
                **fields,
                assignee=Person(uuid(200), "amara"),
                due_date=dt.date(2026, 2, 1),
                blockers=(uuid(2),),
                public_team="AI",
                updated_at=instant_of(noon(day)),
                said_at=instant_of(noon(day)),
                texts=(TITLE, STARTED if day == 28 else BACKLOG),
            )
            engagements.ledger.record(said)
    return cli


def test_one_state_that_linear_dates_itself_is_not_dated_twice(cli, local):
    with Engagements(f"sqlite:///{cli.home}/ledger.db", clock=lambda: noon(30)) as engagements:
        said = {"state_id": STARTED.id, "public_team": "AI", "updated_at": instant_of(noon(29))}
        engagements.ledger.record(observation(1, identifier="AI-1799", **said))
    with serving(local) as served:
        cli.settings |= served.settings
        assert "time in states" not in cli("issue", "AI-1799").out


def test_without_a_key_the_ledger_answers(recorded):
    done = recorded("issue", "ai-1799", "DMD-480")
    assert (done.code, done.err) == (0, "")
    lines = [
        "AI-1799 Answers cite pages",
        "◐ In Progress for 3 days · amara",
        "high priority · 🔴 due tomorrow",
        "⛔ blocked by another issue",
        "as Linear described it 28 Jan at 12:00",
        "time in states: Backlog 18 days, In Progress 3 days",
    ]
    assert done.out.splitlines() == [*lines, "", *lines]


@pytest.mark.parametrize(
    "later",
    [
        {"public_team": None},
        {"team": "LAW", "identifier": "LAW-1"},
        {"team": "LAW", "identifier": "LAW-1", "public_team": None},
    ],
    ids=["made private", "moved, by a webhook", "moved to a private team"],
)
def test_an_issue_that_may_not_be_shown_now_is_not_shown_as_it_was(recorded, later):
    unknown = recorded("issue", "AI-2", "--at", "2026-01-12").out.replace("AI-2", "AI-1799")
    with Engagements(f"sqlite:///{recorded.home}/ledger.db", clock=lambda: noon(30)) as opened:
        fields = {"identifier": "AI-1799"} | later
        opened.ledger.record(observation(1, **fields, updated_at=instant_of(noon(29))))
    assert recorded("issue", "AI-1799", "--at", "2026-01-12").out == unknown
    recorded.settings["ENGAGEMENT_LINEAR_TEAMS"] = "AI,LAW"
    assert "Answers cite pages" in recorded("issue", "AI-1799", "--at", "2026-01-12").out


def test_a_key_that_another_issue_has_now_shows_no_hidden_issue_of_then(cli):
    """An import of a workspace keeps keys, and gives the issues other UUIDs."""
    for number, day, fields in (
        (1, 5, {"identifier": "AI-5", "public_team": "AI"}),
        (1, 20, {"identifier": "LAW-1", "team": "LAW", "public_team": None}),
        (2, 25, {"identifier": "AI-5", "public_team": "AI"}),
    ):
        texts = (Text(uuid(number), f"Canary {number}"),)
        with Engagements(f"sqlite:///{cli.home}/ledger.db", clock=lambda: noon(day)) as opened:  # noqa: B023 - closed in the loop
            said = observation(number, updated_at=instant_of(noon(day)), texts=texts, **fields)
            opened.ledger.record(said)
    assert "Canary 2" in cli("issue", "AI-5").out
    for moments in (["--known-at"], ["--at", "2026-01-10", "--known-at"]):
        then = cli("issue", "AI-5", *moments, "2026-01-10")
        assert then.out == "AI-5: nothing is recorded of it\n"


def test_an_issue_is_shown_as_it_was(recorded):
    done = recorded("issue", "AI-1799", "WEB-1", "--at", "2026-01-12")
    assert done.code == 1
    assert done.out.splitlines() == [
        "DMD-480 Answers cite pages",
        "◌ Backlog for 2 days · amara",
        "due 1 Feb",
        "⛔ blocked by another issue",
        "as Linear described it 10 Jan at 12:00",
        "",
        "WEB-1: nothing is recorded of it",
    ]
    assert recorded("issue", "AI-1799", "--known-at", "2026-01-29").code == 1


def test_json_says_what_the_ledger_knows(recorded):
    known, none = recorded("issue", "AI-1799", "WEB-1", "--at", "2026-01-31T12:00Z", "--json").json
    assert none == {"issue_id": "WEB-1", "status": "unrecorded"}
    assert known == {
        "issue_id": "AI-1799",
        "status": "recorded",
        "identifier": "AI-1799",
        "linear_id": uuid(1),
        "title": "Answers cite pages",
        "state": "In Progress",
        "state_type": "started",
        "in_state_since": "2026-01-28T12:00:00Z",
        "team": "AI",
        "assignee": "amara",
        "priority": 2,
        "due_date": "2026-02-01",
        "cycle_name": None,
        "project": None,
        "labels": None,
        "estimate": None,
        "blockers": [uuid(2)],
        "blocked_by": [],
        "archived": None,
        "removed": False,
        "url": "https://linear.example/AI-1799",
        "said_at": "2026-01-28T12:00:00Z",
        "stagnant_working_days": None,
        "states": [
            {
                "state": "Backlog",
                "state_type": "backlog",
                "begun_at": "2026-01-10T12:00:00Z",
                "ended_at": "2026-01-28T12:00:00Z",
                "seconds": 18 * 86_400.0,
            },
            {
                "state": "In Progress",
                "state_type": "started",
                "begun_at": "2026-01-28T12:00:00Z",
                "ended_at": None,
                "seconds": 3 * 86_400.0,
            },
        ],
    }


def look_up_and_record(cli: CommandLine, *keys: str) -> None:
    """Record what Linear answers, as the bot does."""
    looked_up: list[Issue] = []

    async def ask() -> None:
        linear = linear_of(cli.session().settings, lambda: NOON, looked_up.append)
        assert linear is not None
        await linear.look_up(keys)
        await linear.close()

    asyncio.run(ask())
    with cli.session().engagements(create=True) as engagements:
        for each in looked_up:
            said = observation_of(each, instant_of(NOON))
            assert said is not None
            engagements.ledger.record(said)


def without_blockers(card: str) -> list[str]:
    """The lines of a card but for blockers, of which the ledger knows ids, and not their order."""
    return [each for each in card.splitlines() if "blocked by" not in each]


def test_the_ledger_says_what_a_card_said(linear, local):
    """A state of three days is one of three days, though Linear was asked for it only now."""
    local.workspace.teams["OPS"]["visibility"] = "public"
    keys = ("AI-1799", "AI-1802", "AI-1801", "WEB-7", "OPS-3")
    look_up_and_record(linear, *keys)
    on_cards = linear("issue", *keys).out.split("\n\n")
    documents = linear("issue", *keys, "--json").json
    recorded = linear("issue", *keys, "--at", "today").out.split("\n\n")
    linear.settings = {name: each for name, each in linear.settings.items() if "LINEAR" not in name}
    assert linear("issue", *keys).out.split("\n\n") == recorded
    for card, said in zip(on_cards, recorded, strict=True):
        facts = [each for each in card.splitlines() if not each.startswith(("open: ", "branch: "))]
        assert without_blockers(said) == [
            *without_blockers("\n".join(facts)),
            "as Linear described it today at 12:00",
        ]
    assert "⛔ blocked by OPS-3, WEB-7\n" in recorded[0]
    assert "⛔ blocked by AI-1799, another issue\n" in recorded[1]
    common = {"state", "in_state_since", "cycle_name", "project", "labels", "estimate"}
    for found, known in zip(documents, linear("issue", *keys, "--json").json, strict=True):
        assert {name: found[name] for name in common} == {name: known[name] for name in common}
        assert set(known["blocked_by"]) == {*found["blocked_by"]} & {*keys}
    assert documents[0]["labels"] == ["bug", "search"]


def test_a_blocker_that_may_not_be_shown_now_is_not_shown_as_it_was(linear, local):
    local.workspace.teams["OPS"]["visibility"] = "public"
    look_up_and_record(linear, "AI-1799", "WEB-7", "OPS-3")
    local.workspace.teams["OPS"]["visibility"] = "private"
    local.workspace.find("OPS-3")["updatedAt"] = "2026-01-31T11:59:00.000Z"
    with linear.session().engagements() as engagements:
        node = issue_of_node(local.workspace.find("OPS-3"))
        assert node is not None
        said = observation_of(node, instant_of(NOON))
        assert said is not None
        engagements.ledger.record(said)
    shown = linear("issue", "AI-1799", "--at", "today").out
    assert "⛔ blocked by WEB-7\n" in shown
    (document,) = linear("issue", "AI-1799", "--at", "today", "--json").json
    assert document["blocked_by"] == ["WEB-7"]
    assert len(document["blockers"]) == 1


def test_a_stagnant_issue_says_for_how_long_it_was_not_moved(recorded):
    """It was started on Wednesday, 28 January."""
    line = "⏳ no movement for 6 working days"
    assert "no movement" not in recorded("issue", "AI-1799", "--at", "2026-01-12").out
    recorded.now = noon(31) + dt.timedelta(days=4)
    assert "no movement" not in recorded("issue", "AI-1799").out
    recorded.now = noon(31) + dt.timedelta(days=5)
    assert line in recorded("issue", "AI-1799").out.splitlines()
    assert recorded("issue", "AI-1799", "--json").json[0]["stagnant_working_days"] == 6
    recorded.now = noon(31) + dt.timedelta(days=20)
    assert line in recorded("issue", "AI-1799", "--at", "2026-02-05T12:00Z").out.splitlines()


def test_a_live_card_of_a_stagnant_issue_says_so_too(recorded, local):
    local.workspace.find("AI-1799")["id"] = uuid(1)
    recorded.now = noon(31) + dt.timedelta(days=5)
    with serving(local) as served:
        recorded.settings |= served.settings
        assert "⏳ no movement for 6 working days" in recorded("issue", "AI-1799").out
        (document,) = recorded("issue", "AI-1799", "--json").json
        assert (document["status"], document["stagnant_working_days"]) == ("found", 6)


def test_what_was_forgotten_and_deleted_is_missing(recorded):
    recorded("forget", f"linear:{uuid(200)}", "--yes")
    with closing(sqlite3.connect(recorded.home / "ledger.db")) as connection:
        connection.execute("DELETE FROM linear_texts")
        connection.commit()
    lines = recorded("issue", "AI-1799").out.splitlines()
    assert lines[:2] == ["AI-1799 (without a title)", "◐ started for 3 days · assigned"]


def test_where_linear_does_not_answer_the_ledger_does(recorded, local):
    local.script.extend([Scripted(500, b"")] * 2)
    with serving(local) as served:
        recorded.settings |= served.settings
        done = recorded("issue", "AI-1799", "WEB-1")
        assert done.code == 1
        assert done.out.splitlines()[4:6] == [
            "as Linear described it 28 Jan at 12:00",
            "time in states: Backlog 18 days, In Progress 3 days",
        ]
        assert done.out.splitlines()[-1].startswith("WEB-1: Linear does not answer now")


def test_an_issue_whose_team_was_made_private_is_not_shown_as_it_was(recorded, local):
    with serving(local) as served:
        recorded.settings |= served.settings
        assert "Answers cite pages" in recorded("issue", "AI-1799", "--at", "2026-01-12").out
        local.workspace.teams["AI"]["visibility"] = "private"
        for moment in ("--at", "--known-at"):
            done = recorded("issue", "AI-1799", moment, "2026-01-29")
            assert (done.code, done.out) == (
                1,
                recorded("issue", "AI-9999").out.replace("9999", "1799"),
            )


def test_the_time_in_states_is_added_to_what_linear_answers(recorded, local):
    found = local.workspace.find("AI-1799")
    assert found is not None
    found["id"] = uuid(1)
    with serving(local) as served:
        recorded.settings |= served.settings
        done = recorded("issue", "AI-1799", "WEB-7")
        assert done.out.splitlines()[0] == "AI-1799 Answers cite pages that have moved"
        times = "time in states: Backlog 18 days, In Progress 3 days"
        assert done.out.splitlines().count(times) == 1
        found, other = recorded("issue", "AI-1799", "WEB-7", "--json").json
        assert [each["state"] for each in found["states"]] == ["Backlog", "In Progress"]
        assert "states" not in other


def test_the_time_in_states_is_that_of_the_issue_that_linear_answers(recorded, local):
    """That is another one than the ledger knows by its key, as after an import of a workspace."""
    with serving(local) as served:
        recorded.settings |= served.settings
        assert "time in states" not in recorded("issue", "AI-1799").out
        assert "states" not in recorded("issue", "AI-1799", "--json").json[0]


# --- resolution of recorded keys -----------------------------------------------------------------


@pytest.fixture
def old(linear: CommandLine) -> CommandLine:
    """A command line whose ledger has keys that Linear was not asked for yet."""
    for key in ("AI-1799", "DMD-480", "OPS-3", "AI-9999"):
        assert linear("record", "ana", key, "query", "--at", "2026-01-30T12:00Z").code == 0
    return linear


def test_recorded_keys_are_resolved_once(old, local):
    done = old("linear", "resolve")
    assert (done.code, done.out, done.err) == (0, "2 keys found, 2 not found\n", "")
    assert len(local.asked) == 4
    again = old("linear", "resolve", "--json")
    assert again.json == {"found": 0, "not_found": 0, "pending": 0, "why": None}
    assert len(local.asked) == 4


def test_titles_show_for_former_keys_afterwards(old):
    assert "One search box" not in old("top", "ana").out
    old("linear", "resolve")
    assert "AI-1803  One search box for all sources" in old("top", "ana").out
    (entry,) = old("history", "ana", "DMD-480", "--json").json
    assert (entry["issue_id"], entry["present_issue_id"]) == ("DMD-480", "AI-1803")
    assert entry["linear_id"] == old("issue", "AI-1803", "--json").json[0]["linear_id"]


def test_a_run_that_stops_says_how_many_keys_are_left_and_why(old, local):
    local.script.append(Scripted(503, b""))
    done = old("linear", "resolve")
    assert (done.code, done.out) == (1, "0 keys found, 0 not found\n")
    assert done.err == "error: Linear is still to be asked for 4 keys: Linear has an error\n"
    local.script.append(Scripted(503, b""))
    done = old("linear", "resolve", "--json")
    assert (done.code, done.err) == (1, "")
    assert done.json["pending"] == 4
    assert old("linear", "resolve").code == 0


def test_resolving_needs_a_key_and_a_ledger(cli):
    done = cli("linear", "resolve")
    assert (done.code, len(done.errors)) == (1, 1)
    cli("record", "ana", "AI-1", "query")
    assert "ENGAGEMENT_LINEAR_API_KEY is not set" in cli("linear", "resolve").err


def keys_finding(cli: CommandLine) -> tuple[str, str] | None:
    found = [each for each in cli("doctor", "--json").json if each["check"] == "linear keys"]
    return (found[0]["state"], found[0]["detail"]) if found else None


def test_the_doctor_counts_keys_by_whether_they_were_found(old, local):
    pending = (
        "0 recorded keys found; Linear is still to be asked for 4: the bot does that once a day, "
        "`engagement linear resolve` now"
    )
    assert keys_finding(old) == ("note", pending)
    old("linear", "resolve")
    found = "2 recorded keys found; 2 not found, asked for again from 2026-03-02 on"
    assert keys_finding(old) == ("ok", found)
    del old.settings["ENGAGEMENT_LINEAR_API_KEY"]
    assert keys_finding(old) is None


# --- doctor --------------------------------------------------------------------------------------


def finding(cli: CommandLine) -> list[tuple[str, str]]:
    done = cli("doctor", "--json")
    assert KEY not in done.out
    return [(each["state"], each["detail"]) for each in done.json if each["check"] == "linear"]


def test_without_a_key_the_doctor_does_not_mention_linear(cli):
    assert finding(cli) == []


def test_the_doctor_says_whose_key_it_is_what_it_may_read_and_what_is_left(linear):
    ((state, detail),) = finding(linear)
    assert state == "ok"
    assert detail == (
        "key of amara in Wattle Research; cards show teams AI, WEB, and not 1 other; left of the "
        "quota: 2,499 of 2,500 requests, 2,999,657 of 3,000,000 points"
    )


def test_the_doctor_notes_that_strangers_would_see_cards(linear):
    linear.settings["TELEGRAM_BOT_TOKEN"] = "12345:canary"  # noqa: S105 - none of a bot
    _, (state, detail) = finding(linear)
    assert state == "note"
    assert detail.startswith("ENGAGEMENT_CHATS is not set, so all who find the bot on Telegram see")
    linear.settings["ENGAGEMENT_CHATS"] = "-100"
    assert len(finding(linear)) == 1


def test_the_doctor_says_which_teams_the_settings_let_cards_show(linear):
    linear.settings["ENGAGEMENT_LINEAR_TEAMS"] = "OPS,LAW"
    ((_, detail),) = finding(linear)
    assert "cards show teams OPS, and not 2 others;" in detail
    done = linear("issue", "OPS-3", "AI-1799", "--json")
    assert [each["status"] for each in done.json] == ["found", "absent"]


@pytest.mark.parametrize(
    ("scripted", "state", "said"),
    [
        (Scripted(503, b""), "note", "Linear has an error: cards say nothing of issues until"),
        (Scripted(200, b"{}"), "note", "Linear sends what cannot be read"),
        (Scripted(401, b""), "bad", "Linear does not accept the key: make another"),
        (Scripted(200, b"", cut=True), "note", "Linear cannot be reached"),
        (Scripted(429, b""), "note", "Linear has a limit, which is used up"),
        (
            Scripted(400, b'{"errors": [{"message": "x"}]}'),
            "bad",
            "Linear does not accept the question: `engagement linear check-schema`",
        ),
        (Scripted(200, b'{"data": {"viewer": {}}}'), "ok", "unknown requests, unknown points"),
    ],
)
def test_the_doctor_says_plainly_what_is_wrong(linear, local, scripted, state, said):
    local.script.extend([scripted] * 2)
    ((found, detail),) = finding(linear)
    assert found == state
    assert said in detail
    assert linear("doctor").code == (state == "bad")


def webhooks_finding(cli: CommandLine) -> list[tuple[str, str]]:
    found = cli("doctor", "--json").json
    return [(each["state"], each["detail"]) for each in found if each["check"] == "linear webhooks"]


def test_the_doctor_says_when_the_last_webhook_came(cli):
    assert webhooks_finding(cli) == []
    cli.settings["ENGAGEMENT_LINEAR_WEBHOOK_SECRET"] = SECRET
    noon = instant_of(NOON)
    none = ("note", "no webhook has come yet; `engagement webhook test` tries the door")
    assert webhooks_finding(cli) == [none]
    with cli.session().engagements(create=True) as engagements:
        engagements.ledger.record(observation(origin="look-up", updated_at=noon))
    assert webhooks_finding(cli) == [none]
    with cli.session().engagements() as engagements:
        engagements.ledger.record(observation(2, updated_at=noon))
    assert webhooks_finding(cli) == [("ok", "the last one came at 2026-01-31T12:00:00Z")]


# --- schema --------------------------------------------------------------------------------------


def test_a_schema_that_fits_is_fine(cli):
    done = cli("linear", "check-schema", str(OURS))
    assert (done.code, done.out, done.err) == (0, "all 4 documents fit\n", "")


def test_a_schema_that_no_longer_fits_says_where(cli, tmp_path):
    newer = tmp_path / "newer.graphql"
    newer.write_text(OURS.read_text().replace("  dueDate: TimelessDate\n", ""))
    done = cli("linear", "check-schema", str(newer))
    assert (done.code, done.out) == (1, "")
    assert done.errors == [
        "error: Issue: Cannot query field 'dueDate' on type 'Issue'.",
        "error: Issues: Cannot query field 'dueDate' on type 'Issue'.",
        "error: ChangedSince: Cannot query field 'dueDate' on type 'Issue'.",
        "error: Issue.dueDate: there is no such field",
    ]


def test_a_file_that_is_no_schema_is_one_line(cli, tmp_path):
    path = tmp_path / "page.html"
    path.write_text("<html>")
    done = cli("linear", "check-schema", str(path))
    assert (done.code, done.errors) == (1, [f"error: {path} is no schema in GraphQL's SDL"])
    assert cli("linear", "check-schema", "nowhere").code == 2


# --- the local Linear ----------------------------------------------------------------------------


def demo_of(cli: CommandLine, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*ENGAGEMENT, "linear-demo", "--port", "0", *options],
        cwd=cli.home,
        env=cli.environment() | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_demo_prints_what_to_set_and_answers_until_it_is_stopped(cli):
    with demo_of(cli) as demo:
        assert demo.stdout is not None
        lines = [demo.stdout.readline() for _ in range(3)]
        settings = dict(re.findall(r"^export (\w+)=(\S+)$", "".join(lines), re.MULTILINE))
        assert list(settings) == [
            "ENGAGEMENT_LINEAR_API_KEY",
            "ENGAGEMENT_LINEAR_URL",
            "ENGAGEMENT_TEAM_KEYS",
        ]
        cli.settings |= settings
        assert "One search box for all sources" in cli("issue", "DMD-480").out
        os.kill(demo.pid, signal.SIGINT)
        _, errors = demo.communicate(timeout=60)
    assert demo.returncode == 0
    assert errors.startswith("Listening. ")
    assert "Traceback" not in errors


def test_the_demo_sends_a_webhook_of_each_change(cli):
    async def run() -> list[object]:
        async with opened(port=port) as door:
            door.clock.at = instant_of(utc_now())
            await asyncio.to_thread(change)
            await door.came.wait()
            return [door.taken[0].identifier, door.taken[0].state_type]

    def change() -> None:
        assert demo.stdout is not None
        lines = [demo.stdout.readline() for _ in range(4)]
        assert lines[3] == f"export ENGAGEMENT_LINEAR_WEBHOOK_SECRET={SECRET}\n"
        address = lines[1].partition("=")[2].strip().replace("/graphql", "/change")
        form = {"issue": "AI-1799", "state": "Done"}
        assert httpx.post(address, data=form, trust_env=False).text == "changed 1 of AI-1799\n"

    port = free_port()
    with demo_of(cli, "--webhook", f"http://127.0.0.1:{port}/linear") as demo:
        assert asyncio.run(run()) == ["AI-1799", "completed"]
        os.kill(demo.pid, signal.SIGINT)
        demo.communicate(timeout=60)


def test_a_port_that_is_taken_is_one_line(cli, local):
    with serving(local) as served:
        port = served.settings["ENGAGEMENT_LINEAR_URL"].rpartition(":")[2].partition("/")[0]
        done = cli("linear-demo", "--port", port)
    assert done.code == 1
    assert len(done.errors) == 1
    assert "address already in use" in done.err
