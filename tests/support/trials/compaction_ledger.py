"""A ledger to compact: what was recorded in it, and what it must answer after any disturbance.

Three users and one forgotten user, over two months: late events, overrides, another policy, and
descriptions of the issues by Linear.
"""

import datetime as dt
import random
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from ledger.commands import Decision, Interaction, interaction_of, override_of
from ledger.errors import LedgerError
from ledger.events import SEALING, EngagementHidden, InteractionRecorded
from ledger.instants import instant_of
from ledger.observations import Observation
from ledger.segment import file_name
from ledger.store import compaction
from ledger.store.append import Outcome, Receipt
from ledger.store.event_queries import HistoryEntry
from ledger.store.segment_rows import retired
from projections.application import Engagements
from projections.policy import ScoringPolicy
from tests.support.observations import observation
from tests.support.trials.numbered_interactions import FIRST, KINDS

LEDGER = "ledger.db"
USERS = ("ana", "bo", "cy")
FORGOTTEN = "gone"
ISSUES = tuple(f"AI-{number}" for number in range(6))
DAY = dt.timedelta(days=1)
HOURS = dt.timedelta(hours=2)
BATCHES, BATCH, OBSERVED = 6, 50, 8
NOW = FIRST + (BATCHES + 1) * 10 * DAY
MOMENTS = (
    (None, None),
    (FIRST + 33 * DAY, None),
    (None, FIRST + 25 * DAY),
    (FIRST + 12 * DAY, FIRST + 45 * DAY),
)
SEALED_AT_ONCE = 110
"""Positions per segment, so that there are several segments."""

HEAD_AT_MOST = 10_000

LEFT_OVER = file_name(1, 5)
"""A file that the ledger does not know, which is never deleted."""

Entry = Interaction | Decision


class Recorded(NamedTuple):
    """One entry of a user's history: a kind of touch, or an overriding score, of an issue."""

    position: int
    issue: str
    said: float
    occurred_at: int


Model = dict[str, list[Recorded]]
"""The entries of each user, in the order of histories; none of forgotten users."""


def recorded(folder: Path) -> Model:
    """Record the events in a new ledger, and return them by user."""
    model: Model = {user: [] for user in USERS}
    dice, now = random.Random(1), [FIRST]
    with Engagements(url_of(folder), clock=lambda: now[0]) as engagements:
        for batch in range(BATCHES):
            now[0] = FIRST + (batch + 1) * 10 * DAY
            entries = [_entry(dice, now[0], f"{batch} {each}") for each in range(BATCH)]
            if batch:
                entries += _overrides(dice, now[0], model)
            outcomes = engagements.ledger.record_many(entries)
            engagements.ledger.record_many([_described(dice, now[0]) for _ in range(OBSERVED)])
            for entry, outcome in zip(entries, outcomes, strict=True):
                if entry.user_id != FORGOTTEN:
                    model[entry.user_id].append(_recorded(outcome, entry))
            if batch == 2:
                policy = ScoringPolicy(decay_after_days=5, recency_rate_per_day=0.125)
                engagements.policies.adopt(policy, replaces=1)
            if batch == 3:
                engagements.ledger.erase(FORGOTTEN)
    for told in model.values():
        told.sort(key=lambda each: (each.occurred_at, each.position))
    return model


def _entry(dice: random.Random, now: dt.datetime, name: str) -> Entry:
    late = 30 * DAY if dice.random() < 0.1 else 10 * DAY
    return interaction_of(
        dice.choice((*USERS, FORGOTTEN)),
        dice.choice(ISSUES),
        dice.choice(KINDS),
        occurred_at=now - dice.random() * late,
        linear_id=dice.choice((None, name)),
        context=f"said {name}",
        chat_id=dice.choice((None, "-100", "-200")),
        source_key=name,
    )


def _described(dice: random.Random, now: dt.datetime) -> Observation:
    """A description of one of the issues."""
    at = instant_of(now - dice.random() * 10 * DAY)
    return observation(dice.randrange(len(ISSUES)), updated_at=at, priority=dice.randrange(5))


def _overrides(dice: random.Random, now: dt.datetime, model: Model) -> list[Entry]:
    return [
        override_of(
            user, model[user][0].issue, dice.random(), occurred_at=now - dice.random() * DAY
        )
        for user in USERS
    ]


def _recorded(outcome: Outcome, entry: Entry) -> Recorded:
    assert isinstance(outcome, Receipt)
    said = entry.value if isinstance(entry, Decision) else float(entry.kind)
    assert entry.occurred_at is not None
    return Recorded(outcome.position, entry.issue_id, said, entry.occurred_at)


def url_of(folder: Path) -> str:
    """The URL of the ledger in a folder."""
    return f"sqlite:///{folder / LEDGER}"


def opened(folder: Path, now: dt.datetime = NOW) -> Engagements:
    """Open the ledger at the moment of all questions, unless another one is given."""
    return Engagements(url_of(folder), clock=lambda: now, patience_seconds=5)


def compact(folder: Path, how: str = "", now: dt.datetime = NOW) -> None:
    """Seal all events: in several segments unless `whole`, and on a log that is `worn`.

    Each round seals two segments and merges them with those before, unless they stay `small`.
    """
    sizes: dict[str, Any] = {
        "SEALED_AT_ONCE": HEAD_AT_MOST if "whole" in how else SEALED_AT_ONCE,
        "SEALED_TOGETHER": 2,
        "MERGED_EVENTS": 1 if "small" in how else compaction.MERGED_EVENTS,
    }
    with mock.patch.multiple(compaction, **sizes), opened(folder, now) as engagements:
        if "worn" in how:
            _wear(engagements)
        engagements.ledger.compactor.compact(HEAD_AT_MOST)


def leave_over(folder: Path) -> None:
    """Put files into the archive that interrupted compactions leave behind."""
    for name in (LEFT_OVER, f"{LEFT_OVER}.unfinished"):
        (folder / f"{LEDGER}.archive" / name).write_bytes(b"PAR1")


def merge(folder: Path, how: str = "") -> None:
    """Merge all segments into one."""
    with opened(folder) as engagements:
        if "worn" in how:
            _wear(engagements)
        engagements.ledger.compactor.merge()


def _wear(engagements: Engagements) -> None:
    """Make the log longer than it has to be, so that writing to it changes no file's size.

    A sync of it then need not write the file system's journal, which holds the names.
    """
    for _ in range(2):
        engagements.ledger.database.vacuum()
    with engagements.ledger.database._writing() as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").close()


# --- what must hold ------------------------------------------------------------------------------


class Expected(NamedTuple):
    """The answers of the untouched ledger, and the entries that were recorded."""

    model: Model
    answers: dict[str, Any]
    head: int
    notifications: list[Any]


def expected_of(folder: Path, model: Model) -> Expected:
    """The answers of an untouched ledger."""
    with opened(folder) as engagements:
        head = engagements.ledger.size()[0]
        return Expected(model, answers(engagements, USERS), head, _notifications(engagements))


def answers(engagements: Engagements, asked: Iterable[str]) -> dict[str, Any]:
    """All histories, and the answers to some users about the present and a past moment."""
    found: dict[str, Any] = {"policies": engagements.policies.all()}
    found |= {f"history of {user}": list(engagements.questions.history(user)) for user in USERS}
    for when, issue in product(MOMENTS[:2], ISSUES):
        found[f"{issue} at {when}"] = engagements.issues.issue(issue, *when)
    for user in asked:
        for moment in (0, 1 + USERS.index(user)):
            when, issue = MOMENTS[moment], ISSUES[moment]
            found[f"top of {user} at {moment}"] = engagements.questions.top(user, 3, *when)
            found[f"ranking of {user} at {moment}"] = engagements.questions.ranking(user, *when)
            found[f"{user} and {issue} at {moment}"] = engagements.questions.explain(
                user, issue, *when
            )
    return found


def _notifications(engagements: Engagements) -> list[Any]:
    return list(engagements.ledger.recorder.select_notifications(1, HEAD_AT_MOST))


def wrong_after(folder: Path, expected: Expected, asked: str) -> list[str]:
    """The faults of a ledger after a crash, and after one more compaction.

    All events and all histories are checked, but only the rankings of the user `asked`.
    """
    try:
        return [*_wrong(folder, expected, asked), *_wrong_once_finished(folder, expected, asked)]
    except LedgerError as error:
        return [f"{type(error).__name__}: {error}"]


def _wrong_once_finished(folder: Path, expected: Expected, asked: str) -> Iterator[str]:
    compact(folder)
    with opened(folder) as engagements:
        if engagements.ledger.compactor.sealable(expected.head):
            yield "the next compaction did not finish the job"
    compact(folder, now=NOW + HOURS)  # what it removes must no longer be needed
    with opened(folder) as engagements:
        kept, archive = engagements.ledger.compactor.segments(), engagements.ledger.archive
        for each in kept:
            archive.check(each)
        names = {path.name for path in archive.folder.iterdir() if path.is_file()}
        if names != {each.name for each in kept}:
            yield f"the archive holds {names}"
        aside = {path.name for path in archive.files.moved_aside()}
        if not aside <= {LEFT_OVER}:
            yield f"moved aside: {aside}"
        with engagements.ledger.database.read() as connection:
            if retired(connection):
                yield "what was replaced is still there"
        yield from _unlike_a_replay(engagements)
    with closing(sqlite3.connect(folder / LEDGER)) as connection:
        (left,) = connection.execute("PRAGMA freelist_count").fetchone()
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        if left > compaction.SHRUNK_FROM * pages:
            yield f"the file was not made smaller by {left} pages of {pages}"
        connection.execute("DROP TABLE engagements")  # it is rebuilt from what is sealed
    yield from _wrong(folder, expected, asked)


def _wrong(folder: Path, expected: Expected, asked: str) -> Iterator[str]:
    with opened(folder) as engagements:
        found = answers(engagements, [asked])
        yield from (f"{name} differs" for name in found if found[name] != expected.answers[name])
        yield from _unlike_the_model(found, expected.model)
        notified = _notifications(engagements)
        if notified[: expected.head] != expected.notifications:
            yield "events are lost, there twice, or changed"
        if any(each.topic != SEALING for each in notified[expected.head :]):
            yield "there are events that were never recorded"
        yield from _unlike_a_replay(engagements)
    with closing(sqlite3.connect(folder / LEDGER)) as connection:
        (said,) = connection.execute("PRAGMA integrity_check").fetchone()
        if said != "ok":
            yield f"damage: {said}"


def _unlike_a_replay(engagements: Engagements) -> Iterator[str]:
    difference = engagements.maintenance.replay(repair=False, progress=lambda _: None).difference
    if difference:
        yield f"replay: {difference}"


def _unlike_the_model(found: dict[str, Any], model: Model) -> Iterator[str]:
    for user, told in model.items():
        history: list[HistoryEntry] = found[f"history of {user}"]
        if [_told(entry) for entry in history] != told:
            yield f"the history of {user} is not what was recorded"


def _told(entry: HistoryEntry) -> Recorded:
    event = entry.event
    assert not isinstance(event, EngagementHidden)  # which this trial does not write
    said = float(event.kind) if isinstance(event, InteractionRecorded) else event.decided["score"]
    return Recorded(entry.position, event.issue_id, said, event.occurred_at)
