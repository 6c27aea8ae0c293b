"""`engagement explain`: a score taken apart, and the order of the first two."""

import math
from typing import Any

import pytest

from tests.support.command_line import CommandLine, at


def recomputed(document: dict[str, Any]) -> float:
    """R4 and R6 from the parts that the document shows."""
    policy = document["policy"]
    counted = [each for each in document["events"] if each["counts"] and each["kind"] != "override"]
    frequency = min(1.0, policy["frequency_per_interaction"] * len(counted))
    recency = math.exp(-policy["recency_rate_per_day"] * document["idle_days"])
    base = policy["frequency_weight"] * frequency + policy["recency_weight"] * recency
    if document["override"] is not None:
        base = document["override"]
    over = max(0, document["idle_days"] - policy["decay_after_days"])
    return float(round(base * (1 - policy["decay_rate_per_day"]) ** over, 12))


@pytest.mark.parametrize("issue", ["AI-1799", "DMD-480", "OLD-1"])
def test_the_parts_of_an_explanation_are_the_score(ana, issue):
    document = ana("explain", "ana", issue, "--json").json
    assert document["score"] == ana("score", "ana", issue, "--json").json["score"]
    assert recomputed(document) == document["score"]
    assert document["policy_version"] == 1


def test_every_event_is_there_with_what_it_does(ana):
    ana("set-score", "ana", "AI-1799", "0.3")
    document = ana("explain", "ana", "AI-1799", "--json").json
    assert [each["kind"] for each in document["events"]] == ["mention", "query", "view", "override"]
    assert [each["late"] for each in document["events"]] == [True, False, False, False]
    assert document["override"] == document["score"] == 0.3


def test_of_two_overrides_at_one_instant_the_greater_is_told(ana):
    for value in ("0.9", "0.2"):  # the clock stands still
        ana("set-score", "ana", "AI-1799", value)
    out = ana("explain", "ana", "AI-1799").out
    assert f"The score was set to 0.9 by hand, {at(0)}, and nothing has ended that." in out
    assert "0.2 by hand" not in out


def test_what_ended_an_override_is_named(ana):
    ana("set-score", "ana", "AI-1799", "0.3")
    later = CommandLine(ana.home, ana.now.replace(hour=13))
    position = later("record", "ana", "AI-1799", "query", "--json").json["position"]
    document = later("explain", "ana", "AI-1799", "--json").json
    assert [each["ended_by"] for each in document["events"]][-2:] == [position, None]
    assert document["idle_since"] == document["events"][-1]["occurred_at"]


def test_people_read_sentences_and_then_the_numbers(ana):
    out = ana("explain", "ana", "DMD-480").out
    assert f"DMD-480 scores 0.378 for ana, {at(0)}" in out
    assert f"Touched once: 1 mention; the last was {at(14)}." in out
    assert "Recency 0.497: exp(−0.05 × 14), active 14 days ago." in out
    assert "Base 0.378: 0.4 × frequency 0.200 + 0.6 × recency 0.497." in out
    assert "By policy 1, the default." in out
    assert "0.377951182275" in out


@pytest.mark.parametrize("issue", ["AI-1799", "DMD-480", "OLD-1"])
def test_each_number_is_what_its_expression_says_in_python(ana, issue):
    table = ana("explain", "ana", issue).out.partition("\nnumber ")[2].partition("\n\n")[0]
    rows = [line.split(maxsplit=2) for line in table.splitlines()[1:]]
    assert [name for name, *_ in rows] == ["frequency", "recency", "base", "decay", "score"]
    for _, value, expression in rows:
        assert eval(expression, {"exp": math.exp}) == float(value)  # noqa: S307 - our own output


def test_what_was_never_touched_says_so(ana):
    out = ana("explain", "ana", "NO-1").out
    assert "Never touched, and every issue starts at 0.5." in out
    assert ana("explain", "ana", "NO-1", "--json").json["events"] == []


def test_what_was_not_known_yet_is_not_explained_by(ana):
    late = CommandLine(ana.home, ana.now.replace(hour=13))
    late("record", "ana", "DMD-480", "query", "--at", at(3))
    known = ("--known-at", ana.now.isoformat(), "--json")
    assert len(late("explain", "ana", "DMD-480", *known).json["events"]) == 1
    assert len(late("explain", "ana", "DMD-480", "--json").json["events"]) == 2


def test_long_histories_show_the_latest_and_say_so(cli):
    for minute in range(25):
        cli("record", "ana", "AI-1", "view", "--at", f"2026-01-30T10:{minute:02}:00Z")
    out = cli("explain", "ana", "AI-1").out
    assert "… and 5 earlier; --all lists them" in out
    assert "10:04:00Z" not in out.partition("position")[2]
    assert "10:04:00Z" in cli("explain", "ana", "AI-1", "--all").out


def test_the_order_of_the_first_two_is_told_with_what_would_swap_them(ana):
    out = ana("explain", "ana", "--top").out
    assert out.startswith("AI-1799 stands before DMD-480 by its score: 0.840 to 0.378.\n")
    assert "2 more touches of DMD-480 now would put it first." not in out
    document = ana("explain", "ana", "--top", "--json").json
    touches = document["swapped_by_interactions"]["interactions"]
    assert f"{touches} more touches of DMD-480 now would put it first." in out
    for _ in range(touches):
        ana("record", "ana", "DMD-480", "query")
    assert ana("top", "ana", "--json").json[0]["issue_id"] == "DMD-480"


def test_without_two_issues_there_is_no_order_to_tell(cli):
    cli("record", "ana", "AI-1", "query")
    assert cli("explain", "ana", "--top").out == "Fewer than two issues rank.\n"
    assert cli("explain", "ana", "--top", "--json").json is None


@pytest.mark.parametrize("words", [("ana",), ("ana", "AI-1", "--top")])
def test_an_issue_or_the_top_must_be_named(cli, words):
    done = cli("explain", *words)
    assert (done.code, len(done.errors)) == (2, 1)
    assert "name an ISSUE, or give --top" in done.err
