"""Policies on the command line: what was said before stays said; trying one changes nothing."""

import datetime as dt
import json
from pathlib import Path

import pytest

from tests.support.command_line import NOON, CommandLine

HOUR = dt.timedelta(hours=1)
ADOPTED = {"version": 2, "position": 5, "changes": {"pin_hours": [0.0, 8.0]}}


@pytest.fixture(scope="module")
def folder_of_ana(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An issue that was touched often, and one that was touched just now."""
    cli = CommandLine(tmp_path_factory.mktemp("ana"))
    for issue, hours_ago in (("OLD-1", 60), ("OLD-1", 50), ("OLD-1", 49), ("NEW-1", 1)):
        moment = NOON - dt.timedelta(hours=hours_ago)
        cli("record", "ana", issue, "query", "--at", moment.isoformat())
    return cli.home


def issues(cli: CommandLine, *options: str) -> list[str]:
    return [each["issue_id"] for each in cli("top", "ana", "--json", *options).json]


def test_show_says_which_policy_it_is_and_since_when(ana):
    assert ana("policy", "show").out.startswith("policy 1, the default")
    ana("policy", "adopt", "pin_hours=8")
    shown = ana("policy", "show", "--json").json
    assert (shown["version"], shown["position"]) == (2, 5)
    assert shown["adopted_at"] == "2026-01-31T12:00:00Z"
    assert shown["fields"]["pin_hours"] == 8
    assert shown["changes"] == {"pin_hours": [0.0, 8.0]}
    before = ana("policy", "show", "--known-at", "2026-01-31T11:59:59Z", "--json").json
    assert (before["version"], before["changes"]) == (1, {})


def test_adopt_says_what_it_changes(ana):
    assert ana("policy", "adopt", "pin_hours=8", "--json").json == ADOPTED
    done = ana("policy", "adopt", "recency_weight=0.8", "kinds=query,mention")
    assert done.out.splitlines() == [
        "frequency_weight: 0.4 → 0.2",
        "recency_weight: 0.6 → 0.8",
        "kinds: mention,view,query → mention,query",
        "adopted: policy 3, position 6",
    ]


@pytest.mark.parametrize(
    ("assignment", "reason"),
    [
        ("pin_hours=0", "already has these values"),
        ("pin=8", "is not one of"),
        ("pin_hours", "as in pin_hours=8"),
        ("pin_hours=x", "is not a number"),
        ("pin_hours=-1", "must not be negative"),
        ("recency_weight=2", "must"),
        ("kinds=shout", "must be some of"),
        ("decay_after_days=1.5", "must be a whole number of days"),
    ],
)
def test_what_makes_no_other_policy_is_refused_in_one_line(ana, assignment, reason):
    done = ana("policy", "adopt", assignment)
    assert (done.code, done.out, len(done.errors)) == (1, "", 1)
    assert reason in done.err
    assert ana("policy", "show", "--json").json["version"] == 1


def test_what_is_shown_can_be_written_again_to_the_last_digit(ana):
    ana("policy", "adopt", "frequency_weight=0.4000000001", "pin_hours=8")
    assert "frequency_weight: 0.4 → 0.4000000001" in ana("policy", "history").out
    assert "pin_hours: 8 → 0\n" in ana("policy", "adopt", "pin_hours=-0").out
    rows = [line.split()[:2] for line in ana("policy", "show").out.splitlines()[2:]]
    again = ana("policy", "adopt", *map("=".join, rows))
    assert again.errors == ["error: policy 3 already has these values"]


def test_history_tells_every_policy(ana):
    ana("policy", "adopt", "pin_hours=8")
    ana("policy", "adopt", "pin_hours=0")
    found = ana("policy", "history", "--json").json
    assert [each["version"] for each in found] == [1, 2, 3]
    assert "pin_hours: 8 → 0" in ana("policy", "history").out.splitlines()[-1]


def test_an_adopted_policy_is_in_every_answer_and_the_old_answers_stay(ana):
    asked = [
        (name, "ana", *more, "--json")
        for name, *more in (("top",), ("stats",), ("engagements",), ("score", "OLD-1"))
    ]
    before = [ana(*words).out for words in asked]
    then = ana.now.isoformat()
    ana.now += dt.timedelta(seconds=1)
    ana("policy", "adopt", "pin_hours=8", "recency_rate_per_day=0.5")
    after = [ana(*words).out for words in asked]
    assert all(one != other for one, other in zip(before, after, strict=True))
    assert issues(ana) == ["NEW-1", "OLD-1"]
    assert [ana(*words, "--known-at", then).out for words in asked] == before
    assert ana("replay", "--json").json["identical"]


def test_another_process_knows_every_policy_of_the_past(ana):
    ana("policy", "adopt", "pin_hours=8")
    ana("policy", "adopt", "decay_after_days=10")
    asked = ("policy", "show", "--known-at", NOON.isoformat(), "--json")
    assert CommandLine(ana.home, NOON + HOUR)(*asked).json["version"] == 3


def test_kinds_that_do_not_count_score_nothing_and_rank_last_and_stay_in_the_totals(ana):
    ana("record", "ana", "SEEN-1", "view")
    ana("policy", "adopt", "kinds=query", "recency_weight=0.8")
    assert issues(ana) == ["OLD-1", "NEW-1", "SEEN-1"]
    assert ana("score", "ana", "SEEN-1", "--json").json["score"] == 0.0
    assert ana("stats", "ana", "--json").json["total_interactions"] == 5
    found = ana("score", "ana", "NEW-1", "--json").json["score"]
    assert found == round(0.2 * 0.2 + 0.8 * 1.0, 12)
    ana("record", "ana", "NEW-1", "mention")
    assert "touched once" in ana("score", "ana", "NEW-1").out


def test_a_pin_ends_by_itself(ana):
    ana("policy", "adopt", "pin_hours=8")
    assert issues(ana) == ["NEW-1", "OLD-1"]
    ana.now += 8 * HOUR
    assert issues(ana) == ["OLD-1", "NEW-1"]


def test_adopting_nothing_is_a_mistake_of_usage(ana):
    assert ana("policy", "adopt").code == 2


# --- try -----------------------------------------------------------------------------------------


def test_try_tells_what_would_move_and_writes_nothing(ana):
    before = ana.ledger.read_bytes()
    found = ana("policy", "try", "pin_hours=8", "--json").json
    assert found["changes"] == {"pin_hours": [0.0, 8.0]}
    assert (found["events"], found["users"]) == (4, 1)
    (affected,) = found["affected"]
    change = affected["change"]
    assert (affected["user_id"], change["entered"], change["left"]) == ("ana", [], [])
    assert change["reordered"]
    assert {move["issue_id"] for move in change["moves"]} == {"OLD-1", "NEW-1"}
    keys = ["rank", "score", "dormant", "override"]
    assert all(list(move[side]) == keys for move in change["moves"] for side in ("before", "after"))
    assert [found["quality"][name]["returns"] for name in found["quality"]] == [2, 2, 2]
    assert ana.ledger.read_bytes() == before
    assert issues(ana) == ["OLD-1", "NEW-1"]


def test_try_is_readable_and_shows_a_name_where_there_is_one(ana):
    out = ana("policy", "try", "pin_hours=8").out
    assert "pin_hours: 0 → 8" in out
    assert "Against the policy in force, the tried one is" in out
    assert "The first ten would change for 1 of 1 users." in out
    assert "most recent first" in out


def test_try_marks_what_moves_as_lists_do(ana):
    ana("record", "ana", "QUIET-1", "query", "--at", "2025-05-01")
    ana("record", "ana", "SET-1", "mention", "--at", "2025-06-01")
    assert "long inactive → nothing that counts" in ana("policy", "try", "kinds=query").out
    ana("set-score", "ana", "SET-1", "0.6")
    out = ana("policy", "try", "frequency_weight=1").out
    (line,) = [each for each in out.splitlines() if "SET-1" in each]
    assert line.endswith("set by hand")


def test_try_looks_at_what_had_occurred_by_then(ana):
    found = ana("policy", "try", "pin_hours=8", "--at", "2026-01-29T10:30:00Z", "--json").json
    assert (found["events"], found["affected"]) == (2, [])


def test_try_without_assignments_measures_the_policy_in_force(ana):
    found = ana("policy", "try", "--json").json
    assert found["changes"] == {}
    assert found["quality"]["in_force"] == found["quality"]["tried"]
    assert "Against the most recent first, the policy in force is" in ana("policy", "try").out


def test_try_on_an_empty_ledger_says_that_nothing_tells(cli):
    cli("init")
    assert cli("policy", "try", "pin_hours=8").code == 0
    assert "there is nothing to compare them by" in cli("policy", "try").out


@pytest.mark.parametrize("command", ["show", "history", "adopt pin_hours=8", "try pin_hours=8"])
def test_json_is_one_document(ana, command):
    done = ana("policy", *command.split(), "--json")
    assert (done.code, done.err, len(done.out.splitlines())) == (0, "", 1)
    json.loads(done.out)
