"""`engagement policy`: which one is in force, which there were, and what another would be worth."""

import datetime as dt

import pytest

from tests.cli.running import CommandLine
from tests.cli.test_commands import ana, at

__all__ = ["ana"]

LATER = dt.timedelta(hours=1)


def test_the_first_policy_is_the_products(ana):
    shown = ana("policy", "show", "--json").json
    assert (shown["version"], shown["adopted_at"], shown["changes"]) == (1, None, {})
    assert shown["fields"]["kinds"] == ["mention", "view", "query"]
    assert ana("policy", "show").out.startswith("policy 1, the product's own, in force from")


def test_an_adopted_policy_is_what_everything_answers_by(ana):
    before = ana("score", "ana", "AI-1799", "--json").json["score"]
    then = CommandLine(ana.home, ana.now + LATER)
    done = then("policy", "adopt", "kinds=query", "recency_weight=0.8")
    assert done.code == 0
    assert "2" in done.out
    after = then("score", "ana", "AI-1799", "--json").json
    assert after["score"] == round(0.2 * 0.2 + 0.8 * 0.951229424500714, 12)
    assert then("top", "ana", "--json").json[0]["score"] == after["score"]
    # Not touched by a query: it does not rank any more, and still counts in the totals.
    assert [each["issue_id"] for each in then("top", "ana", "--json").json] == ["AI-1799"]
    assert then("stats", "ana", "--json").json["total_interactions"] == 5
    known = ("--known-at", ana.now.isoformat(), "--json")
    assert then("score", "ana", "AI-1799", *known).json["score"] == before
    assert then("policy", "show", *known).json["version"] == 1
    assert then("replay").code == 0


def test_the_history_says_what_changed_and_when(ana):
    ana("policy", "adopt", "pin_hours=8")
    ana("policy", "adopt", "decay_after_days=10")
    rows = ana("policy", "history", "--json").json
    assert [each["version"] for each in rows] == [1, 2, 3]
    known = CommandLine(ana.home, ana.now + LATER)("policy", "show", "--known-at", at(0), "--json")
    assert known.json["version"] == 3
    assert rows[2]["fields"]["pin_hours"] == 8.0
    assert "decay_after_days: 30 → 10" in ana("policy", "history").out


def test_what_was_just_touched_is_pinned_first(ana):
    later = CommandLine(ana.home, ana.now + LATER)
    later("record", "ana", "NEW-1", "view")
    assert later("top", "ana", "--json").json[0]["issue_id"] == "AI-1799"
    later("policy", "adopt", "pin_hours=8")
    assert later("top", "ana", "--json").json[0]["issue_id"] == "NEW-1"
    tomorrow = CommandLine(ana.home, ana.now + 10 * LATER)
    assert tomorrow("top", "ana", "--json").json[0]["issue_id"] == "AI-1799"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("pin_hours=0",), "policy 1 says so already"),
        (("speed=3",), "speed is none of frequency_weight"),
        (("pin_hours=soon",), "pin_hours is 'soon', which is no number"),
        (("kinds=nothing",), "kinds must be some of query, view, mention"),
        (("recency_weight=2",), "must not be negative"),
    ],
)
def test_what_cannot_be_adopted_is_said_in_one_line(ana, words, message):
    done = ana("policy", "adopt", *words)
    assert (done.code, len(done.errors)) == (1, 1)
    assert message in done.err
    assert ana("policy", "show", "--json").json["version"] == 1


def test_adopting_nothing_is_a_mistake_of_usage(ana):
    assert ana("policy", "adopt").code == 2


def test_trying_a_policy_changes_nothing_and_says_who_would_be_moved(ana):
    ana("record", "ana", "NEW-1", "view", "--at", at(0))
    before = ana.ledger.read_bytes()
    found = ana("policy", "try", "pin_hours=8", "--json").json
    assert found["changes"] == {"pin_hours": [0.0, 8.0]}
    assert (found["events"], found["users"]) == (6, 1)
    assert [each["user_id"] for each in found["affected"]] == []
    moved = ana("policy", "try", "kinds=view", "--json").json
    assert [each["user_id"] for each in moved["affected"]] == ["ana"]
    assert set(moved["quality"]) == {"in_force", "tried", "most_recent_first"}
    assert ana.ledger.read_bytes() == before
    out = ana("policy", "try", "kinds=view").out
    assert "The first ten would change for 1 of 1 users." in out
    assert "most recent first" in out


def test_the_policy_in_force_can_be_measured_alone(ana):
    out = ana("policy", "try").out
    assert "in force" in out
    assert "tried" not in out.partition("ranking")[2]
