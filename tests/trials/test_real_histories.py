"""Real histories: the counts are right, and every answer equals one that is computed from the CSV.

The computation is independent of the project: it reads the file with the csv module and takes the
formula from the rules R3 to R7. The planted fault answers questions about the past with the
events of today.
"""

import csv
import datetime as dt
import gzip
import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bot.cli.context import Session
from tests.support.command_line import CommandLine
from tests.support.trials import invariants
from tests.support.trials.counts import FULL, chance, count, real_history, tell

pytestmark = pytest.mark.trial

HISTORIES = {"wildfly": 36_724, "kafka": 24_423} if FULL else {"tika": 6_209, "novu": 1_039}
MOMENTS = count(full=20, small=3)
USERS = count(full=10, small=4)

# --- the independent computation -----------------------------------------------------------------


class Row(NamedTuple):
    """The fields of a row on which answers depend."""

    at: dt.datetime
    user: str
    issue: str


@dataclass(frozen=True)
class Answer:
    """The figures of one user and one issue at one moment."""

    issue: str
    score: float
    count: int
    first_at: dt.datetime
    last_at: dt.datetime
    frequency: float
    recency: float
    decay: float
    dormant: bool


def rows_of(path: Path) -> list[Row]:
    """The rows of a history."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        return [
            Row(dt.datetime.fromisoformat(row["occurred_at"]), row["user"], row["issue_id"].upper())
            for row in csv.DictReader(lines)
        ]


def answer(issue: str, instants: list[dt.datetime], moment: dt.datetime) -> Answer:
    """The answer by R4 and R7 for an issue that was touched at these instants."""
    last = max(instants)
    days = max(0, (moment - last) // dt.timedelta(days=1))
    frequency = min(1.0, 0.2 * len(instants))
    recency = math.exp(-0.05 * days)
    decay = (1 - 0.1) ** max(0, days - 30)
    score = round((0.4 * frequency + 0.6 * recency) * decay, 12)
    dormant = days > 90 and score < 0.001
    return Answer(
        issue, score, len(instants), min(instants), last, frequency, recency, decay, dormant
    )


def answers(rows: list[Row], moment: dt.datetime) -> list[Answer]:
    """All issues of one user's rows in the order of R5, from the rows up to the moment."""
    instants = defaultdict(list)
    for row in rows:
        if row.at <= moment:
            instants[row.issue].append(row.at)
    found = [answer(issue, at, moment) for issue, at in instants.items()]
    return sorted(found, key=lambda each: (-each.score, -each.last_at.timestamp(), each.issue))


def zulu(moment: dt.datetime) -> str:
    """The moment as the program prints it."""
    return moment.astimezone(dt.UTC).replace(tzinfo=None).isoformat() + "Z"


def top_of(found: list[Answer], limit: int) -> list[dict[str, Any]]:
    """The expected output of `top --json`."""
    return [
        {
            "issue_id": each.issue,
            "score": each.score,
            "count": each.count,
            "last_at": zulu(each.last_at),
            "dormant": each.dormant,
            "override": None,
        }
        for each in found[:limit]
    ]


def stats_of(found: list[Answer]) -> dict[str, Any]:
    """The expected output of `stats --json`."""
    total = sum(each.count for each in found)
    return {
        "total_interactions": total,
        "unique_issues": len(found),
        "avg_interactions_per_issue": round(total / len(found), 2) if found else 0.0,
        "most_engaged_issues": [each.issue for each in found[:5]],
        "last_interaction": zulu(max(each.last_at for each in found)) if found else None,
    }


def score_of(found: list[Answer], user: str, issue: str, moment: dt.datetime) -> dict[str, Any]:
    """The expected output of `score --json`."""
    asked: dict[str, Any] = {"user_id": user, "issue_id": issue, "at": zulu(moment)}
    asked["override"] = None  # these histories set no score
    for each in found:
        if each.issue == issue:
            parts = asdict(each) | {
                "first_at": zulu(each.first_at),
                "last_at": zulu(each.last_at),
                "frequency": pytest.approx(each.frequency, rel=1e-12),
                "recency": pytest.approx(each.recency, rel=1e-12),
                "decay": pytest.approx(each.decay, rel=1e-12),
            }
            del parts["issue"]
            return asked | parts
    nothing = dict.fromkeys(("first_at", "last_at", "frequency", "recency", "decay"))
    return asked | nothing | {"score": 0.5, "count": 0, "dormant": False}


# --- imported once -------------------------------------------------------------------------------


class Imported(NamedTuple):
    """A ledger with a real history, and the rows of that history."""

    cli: CommandLine
    path: Path
    rows: list[Row]


@pytest.fixture(scope="module", params=HISTORIES)
def imported(request, tmp_path_factory) -> Imported:
    path = real_history(request.param)
    cli = CommandLine(tmp_path_factory.mktemp(request.param), dt.datetime.now(dt.UTC))
    expected = HISTORIES[request.param]
    done = cli("import", "csv", str(path), "--json")
    assert (done.code, done.err) == (0, "")
    assert done.json == {
        "read": expected,
        "recorded": expected,
        "duplicates": 0,
        "outside": 0,
        "opted_out": 0,
        "left_out": 0,
        "refused": 0,
    }
    return Imported(cli, path, rows_of(path))


def test_every_row_is_there_once(imported):
    cli, _, rows = imported
    expected: defaultdict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        expected[row.user, row.issue] += 1
    assert invariants.totals(cli.ledger) == expected
    found = cli("replay", "--json").json
    assert (found["events"], found["engagements"]) == (len(rows), len(expected))
    assert invariants.complaints(cli) == []


def test_a_second_import_adds_nothing(imported):
    cli, path, rows = imported
    done = cli("import", "csv", str(path), "--json")
    counts = {
        "read": len(rows),
        "recorded": 0,
        "duplicates": len(rows),
        "outside": 0,
        "opted_out": 0,
        "left_out": 0,
        "refused": 0,
    }
    assert (done.code, done.json) == (0, counts)
    assert cli("replay", "--json").json["events"] == len(rows)


# --- questions -----------------------------------------------------------------------------------


def some_users(rows: list[Row], dice: random.Random) -> list[str]:
    """The busiest user, one with a single row, and others."""
    times: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        times[row.user] += 1
    by_count = sorted(times, key=lambda user: (times[user], user))
    return [by_count[-1], by_count[0], *dice.sample(by_count[1:-1], USERS - 2)]


def some_moments(rows: list[Row], dice: random.Random) -> list[dt.datetime]:
    """Random moments from before the first row to long after the last, some of them of rows."""
    first, last = rows[0].at - dt.timedelta(days=40), rows[-1].at + dt.timedelta(days=200)
    anywhere = [first + dice.random() * (last - first) for _ in range(MOMENTS - 2)]
    instant = dice.choice(rows).at
    return [*anywhere, instant, instant - dt.timedelta(microseconds=1)]


def some_issues(found: list[Answer], rows: list[Row], dice: random.Random) -> list[str]:
    """Some issues that the user had touched by then, if any, and a random other one."""
    touched = [each.issue for each in dice.sample(found, min(2, len(found)))]
    return [*touched, dice.choice(rows).issue]


class Question(NamedTuple):
    """A command, and its expected output."""

    words: tuple[str, ...]
    expected: Any


def questions(
    rows: list[Row], dice: random.Random, users: list[str], moments: list[dt.datetime]
) -> Iterator[Question]:
    """Every command for every user at every moment."""
    for user in users:
        theirs = [row for row in rows if row.user == user]
        for moment in moments:
            found, when = answers(theirs, moment), ("--at", moment.isoformat(), "--json")
            limit = dice.choice([1, 3, 10, 1_000])
            yield Question(("top", user, "--limit", str(limit), *when), top_of(found, limit))
            yield Question(("stats", user, *when), stats_of(found))
            for issue in some_issues(found, rows, dice):
                expected = score_of(found, user, issue, moment)
                yield Question(("score", user, issue, *when), expected)


def wrong(ask: Callable[..., Any], asked: Iterator[Question]) -> list[str]:
    """The questions that are not answered as expected."""
    mistakes, number = [], 0
    for number, (words, expected) in enumerate(asked, 1):  # noqa: B007 - it is printed below
        given = ask(*words).json
        if given != expected:
            mistakes.append(f"{' '.join(words)}: {given}, not {expected}")
    tell(f"{number} questions, {len(mistakes)} mistakes")
    return mistakes


def test_every_answer_about_the_past_equals_the_independent_one(imported):
    cli, _, rows = imported
    dice = chance()
    asked = questions(rows, dice, some_users(rows, dice), some_moments(rows, dice))
    assert wrong(cli, asked) == []


def test_every_answer_about_the_present_equals_the_independent_one(imported):
    """Without --at the read model answers, by the clock."""
    cli, _, rows = imported
    dice = chance()
    for days in (0, 1, 31, 91, 150) if FULL else (0, 40):
        moment = rows[-1].at + dt.timedelta(days=days, seconds=dice.randrange(86_400))
        then = CommandLine(cli.home, moment)
        asked = questions(rows, dice, some_users(rows, dice), [moment])
        without_at = (
            Question(tuple(word for word in words if word not in {"--at", moment.isoformat()}), out)
            for words, out in asked
        )
        assert wrong(then, without_at) == []


def test_the_program_itself_answers_the_same(imported):
    cli, _, rows = imported
    dice = chance()
    moment = some_moments(rows, dice)[0]
    asked = list(questions(rows, dice, some_users(rows, dice)[:1], [moment]))
    chosen = asked if FULL else asked[:2]
    assert wrong(cli.process, iter(chosen)) == []


def test_an_answer_by_what_is_known_today_is_caught(imported, monkeypatch):
    cli, _, rows = imported
    dice = chance()
    monkeypatch.setattr(Session, "moment", lambda *_: None)
    asked = questions(rows, dice, some_users(rows, dice), some_moments(rows, dice))
    assert wrong(cli, asked) != []
