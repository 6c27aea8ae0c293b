"""The clock on the command line: its state, its refusals, and the repair of a ledger."""

import datetime as dt

import pytest

from tests.support.command_line import NOON

YEARS = dt.timedelta(3_650)


@pytest.fixture
def ahead(cli):
    """A ledger whose clock was ten years ahead when something was recorded."""
    assert cli("init").code == 0
    assert cli("record", "ana", "AI-1", "query").code == 0
    cli.now = NOON + YEARS
    assert cli("record", "ana", "AI-2", "query").code == 0
    cli.now = NOON
    return cli


def finding(cli):
    return next(each for each in cli("doctor", "--json").json if each["check"] == "clock")


def test_a_ledger_that_is_ahead_is_found_and_mended(ahead):
    assert ahead("record", "ana", "AI-3", "query").code == 1
    assert finding(ahead)["state"] == "bad"
    assert "engagement clock repair" in finding(ahead)["detail"]
    shown = ahead("clock")
    assert (shown.code, "the ledger is ahead of it" in shown.out) == (0, True)
    mended = ahead("clock", "repair", "--reason", "the battery was empty")
    assert mended.code == 0
    before, after, taken_back = mended.out.splitlines()
    assert before.startswith("before: the clock says 2026-01-31T12:00:00Z; the ledger is ahead")
    assert "2036-01-29T12:00:00Z" in before
    assert after == (
        "after: the clock says 2026-01-31T12:00:00Z; "
        "the last event or job run is at 2026-01-31T12:00:00Z"
    )
    assert taken_back == "0 job days due again"
    assert ahead("record", "ana", "AI-3", "query").code == 0
    assert finding(ahead)["state"] == "ok"
    history = ahead("history", "ana", "--json").json
    assert {each["recorded_at"] for each in history} == {"2026-01-31T12:00:00Z"}
    assert {each["occurred_at"] for each in history} == {"2026-01-31T12:00:00Z"}
    assert ahead("replay").code == 0


def test_a_ledger_that_is_not_ahead_is_left_alone(cli):
    cli("init"), cli("record", "ana", "AI-1", "query")
    refused = cli("clock", "repair", "--reason", "none")
    assert refused.code == 1
    (line,) = refused.errors
    assert "nothing to repair" in line


def test_a_repair_needs_a_reason(ahead):
    assert ahead("clock", "repair").code == 2
    assert ahead("clock", "repair", "--reason", " ").code == 1


def test_both_can_be_read_by_programs(ahead):
    shown = ahead("clock", "--json").json
    assert shown["ledger_at"] == "2036-01-29T12:00:00Z"
    mended = ahead("clock", "repair", "--reason", "it ran ahead", "--json").json
    assert mended["before"]["ledger_at"] == "2036-01-29T12:00:00Z"
    assert mended["after"]["ledger_at"] == "2026-01-31T12:00:00Z"
    assert mended["days_due_again"] == 0


def test_an_empty_ledger_has_no_instant(cli):
    cli("init")
    assert "the ledger is empty" in cli("clock").out
    assert cli("clock", "--json").json["ledger_at"] is None


def test_compaction_by_age_asks_long_after_the_last_event(cli):
    cli("init"), cli("record", "ana", "AI-1", "query")
    cli.now = NOON + YEARS
    assert cli("compact", "--dry-run", "--json").json == {"would_seal": 1}
    refused = cli("compact")
    assert refused.code == 1
    (line,) = refused.errors
    assert "--clock-is-right" in line
    assert cli("archive", "list", "--json").json == []
    assert "nothing is deleted or sealed" in cli("clock").out
    assert finding(cli)["state"] == "note"
    assert cli("compact", "--clock-is-right").code == 0
    assert len(cli("archive", "list", "--json").json) == 1
    assert finding(cli)["state"] == "ok"


@pytest.mark.parametrize("how", [("--all",), ("--through", "1")])
def test_what_does_not_go_by_the_clock_does_not_ask(cli, how):
    cli("init"), cli("record", "ana", "AI-1", "query")
    cli.now = NOON + YEARS
    assert cli("compact", *how).code == 0


def test_a_small_lead_is_a_note(cli):
    cli("init"), cli("record", "ana", "AI-1", "query")
    cli.now = NOON - dt.timedelta(hours=1)
    assert finding(cli)["state"] == "note"


@pytest.mark.parametrize("is_sealed", [False, True])
def test_a_repair_by_a_clock_that_is_behind_asks_first(cli, is_sealed):
    cli("init"), cli("record", "ana", "AI-1", "query")
    if is_sealed:
        cli("compact", "--all")
    cli.now = NOON - YEARS
    refused = cli("clock", "repair", "--reason", "it ran ahead")
    assert refused.code == 1
    assert "it may be behind" in refused.err
    cli.now = NOON
    assert cli("clock", "--json").json["ledger_at"] == "2026-01-31T12:00:00Z"
    cli.now = NOON - YEARS
    assert cli("clock", "repair", "--reason", "it ran ahead", "--clock-is-right").code == 0
