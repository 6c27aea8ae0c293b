"""A real history in random order, in batches with restarts, answers like the ordered one."""

import csv
import datetime as dt
import gzip
import random
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ledger.commands import FOREVER, Interaction, interaction_of
from ledger.instants import DAY, Instant, moment_of
from projections.application import Engagements
from projections.timeline import steps
from tests.support.strategies import Clock
from tests.support.trials.counts import FULL, chance, count, real_history, tell

pytestmark = pytest.mark.trial

BATCHES, USERS, MOMENTS = (
    count(full=full, small=small) for full, small in ((50, 5), (8, 3), (6, 3))
)
AT_ONCE = 2_000


class Histories(NamedTuple):
    """The same rows in order, and in random order with the answers after each batch."""

    ordered: Engagements
    shuffled: Engagements
    users: list[str]
    moments: list[dt.datetime]
    answered: list[tuple[dt.datetime, Any]]


def rows_of(path: Path) -> list[Interaction]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        return [
            interaction_of(
                row["user"],
                row["issue_id"],
                row["kind"],
                occurred_at=dt.datetime.fromisoformat(row["occurred_at"]),
                source_key=f"row {number}",
            )
            for number, row in enumerate(csv.DictReader(lines))
        ]


def record(url: str, rows: list[Interaction], clock: Clock) -> Engagements:
    """Open the ledger as after a restart, and record `rows`."""
    engagements = Engagements(url, clock=clock)
    for start in range(0, len(rows), AT_ONCE):
        engagements.ledger.record_many(rows[start : start + AT_ONCE])
    return engagements


def answers(engagements: Engagements, users: list[str]) -> Any:
    return [
        (engagements.questions.ranking(user), engagements.questions.statistics(user))
        for user in users
    ]


def made(folder: Path, dice: random.Random) -> Histories:
    rows = rows_of(real_history("kafka" if FULL else "novu"))
    times = Counter(row.user_id for row in rows)
    users = [str(user) for user, _ in times.most_common(USERS - 1)] + [str(rows[-1].user_id)]
    last = max(row.occurred_at or 0 for row in rows)
    clock, answered = Clock(), []
    clock.at = Instant(last + DAY)
    ordered = record(f"sqlite:///{folder}/ordered.db", rows, clock)
    dice.shuffle(rows)
    size, url = -(-len(rows) // BATCHES), f"sqlite:///{folder}/shuffled.db"
    for start in range(0, len(rows), size):
        with record(url, rows[start : start + size], clock) as engagements:
            answered.append((moment_of(clock.at), answers(engagements, users)))
        clock.move(DAY)
    first = last - 400 * DAY
    moments = [moment_of(Instant(dice.randrange(first, last + 50 * DAY))) for _ in range(MOMENTS)]
    return Histories(ordered, Engagements(url, clock=clock), users, moments, answered)


@pytest.fixture(scope="module")
def histories(tmp_path_factory):
    made_now = made(tmp_path_factory.mktemp("histories"), chance())
    yield made_now
    made_now.ordered.close()
    made_now.shuffled.close()


def differences(histories: Histories) -> list[str]:
    """The questions about the past that the two ledgers answer differently."""
    found, asked = [], 0
    for user in histories.users:
        for at in histories.moments:
            tops = [
                each.questions.top(user, 10, at) for each in (histories.ordered, histories.shuffled)
            ]
            asked += 1
            if tops[0] != tops[1]:
                found.append(f"top {user} {at}")
            for ranked in tops[0][:3]:
                asked += 2
                one, other = (
                    _taken_apart(each, user, ranked.issue_id, at)
                    for each in (histories.ordered, histories.shuffled)
                )
                if one != other:
                    found.append(f"explain or timeline {user} {ranked.issue_id} {at}")
    tell(f"{asked} questions, {len(found)} different")
    return found


def _taken_apart(engagements: Engagements, user: str, issue: str, at: dt.datetime) -> Any:
    explanation = engagements.questions.explain(user, issue, at)
    seen = [(each.occurred_at, each.kind) for each in explanation.interactions]
    rows, policy = engagements.questions.known(user)
    own = [row for row in rows if row.issue_id == issue]
    end = explanation.at
    ends = [Instant(end - days * DAY) for days in range(120, -1, -1)]
    timeline = [
        (step.score, step.count, step.counts)
        for step in steps(own, Instant(end - 121 * DAY), ends, policy)
    ]
    parts = (explanation.ranked, explanation.base, explanation.days_over)
    return sorted(seen), parts, timeline


def test_random_order_in_batches_answers_as_the_order_of_time(histories):
    assert differences(histories) == []


def said_otherwise(histories: Histories) -> int:
    """The number of batches whose answers of today, as known then, differ from those given then."""
    wrong = 0
    for moment, said in histories.answered:
        asked = [(user, None, moment) for user in histories.users]
        each = histories.shuffled
        wrong += said != [
            (each.questions.ranking(*one), each.questions.statistics(*one)) for one in asked
        ]
    tell(f"{len(histories.answered)} batches, {wrong} answered otherwise")
    return wrong


def test_what_was_answered_after_each_batch_is_what_was_known_then(histories):
    assert len(histories.answered) == BATCHES
    assert len({str(said) for _, said in histories.answered}) == BATCHES
    assert said_otherwise(histories) == 0


def test_answers_by_what_became_known_later_are_caught(histories, monkeypatch):
    monkeypatch.setattr("ledger.as_of.AsOf.sees", lambda as_of, at, _: at <= (as_of.at or FOREVER))
    assert said_otherwise(histories) == BATCHES - 1
