"""A ledger two of whose three parts are sealed, and what it is asked."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from unittest import mock

from ledger.commands import interaction_of
from ledger.instants import DAY, moment_of
from ledger.segment import Segment
from ledger.store import compaction
from ledger.store.segment_rows import segments
from projections.application import Engagements
from tests.support.strategies import NOON, Clock

USERS = ("ana", "ben")
EVENTS = 6
"""Of each part."""


def opened(folder: Path, clock: Clock) -> Engagements:
    return Engagements(f"sqlite:///{folder}/ledger.db", clock=clock)


def record(engagements: Engagements, part: int) -> None:
    """Record one part of the history."""
    engagements.ledger.record_many(
        [
            interaction_of(
                USERS[number % 2],
                f"AI-{number % 3}",
                ("query", "view", "mention")[number % 3],
                occurred_at=moment_of(NOON),
                context=f"word {part} {number}",
                source_key=f"key {part} {number}",
                chat_id="-100",
            )
            for number in range(EVENTS)
        ]
    )


@contextmanager
def small_segments(events: int) -> Iterator[None]:
    """Let compactions make segments of so many events, and leave them as they are."""
    with mock.patch.multiple(compaction, SEALED_AT_ONCE=events, MERGED_EVENTS=1):
        yield


def fill(engagements: Engagements, clock: Clock) -> None:
    """Record three parts a day apart, and seal the first two, each in a segment."""
    for part in range(3):
        record(engagements, part)
        if part < 2:
            with small_segments(2 * EVENTS):
                engagements.ledger.compactor.compact(engagements.ledger.size()[0])
        clock.move(DAY)


def segments_of(engagements: Engagements) -> list[Segment]:
    with engagements.ledger.database.read() as connection:
        return segments(connection)


AT = moment_of(NOON)

NEED_SEGMENTS: dict[str, Callable[[Engagements], object]] = {
    "history": lambda each: list(each.questions.history("ana")),
    "explain": lambda each: each.questions.explain("ana", "AI-1"),
    "ask at": lambda each: each.questions.ask("ana", "AI-1", AT),
    "top at": lambda each: each.questions.top("ana", 10, AT),
    "series": lambda each: each.questions.series("ana", "AI-1", AT, AT),
    "try a policy": lambda each: each.policies.try_out(
        each.policies.in_force, None, UTC, lambda _: None
    ),
    "spans": lambda each: each.ledger.spans_at("-100"),
    "select_events": lambda each: each.ledger.recorder.select_events(
        next(iter(each.questions.history("ana"))).event.originator_id
    ),
    "notifications": lambda each: each.ledger.recorder.select_notifications(1, 5),
    "replay": lambda each: each.maintenance.replay(repair=False, progress=lambda _: None),
    "merge": lambda each: each.ledger.compactor.merge(),
    "compact": lambda each: each.ledger.compactor.compact(1_000),
}
"""Questions that read the first segment."""

NEED_NONE: dict[str, Callable[[Engagements], object]] = {
    "ask": lambda each: each.questions.ask("ana", "AI-1"),
    "top": lambda each: each.questions.top("ana"),
    "ranking": lambda each: each.questions.ranking("ana"),
    "statistics": lambda each: each.questions.statistics("ana"),
    "explain_order": lambda each: each.questions.explain_order("ana"),
    "size": lambda each: each.ledger.size(),
    "policies": lambda each: each.policies.all(),
    "hot notifications": lambda each: each.ledger.recorder.select_notifications(
        2 * EVENTS + 1, 100, 1_000
    ),
}
"""Questions that are answered from the database alone."""
