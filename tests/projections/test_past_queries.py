"""Histories and answers about the past, read by columns, are those of the slow definitions.

The slow ones look at every event of a user. How much is read is counted, not timed.
"""

import datetime as dt
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.archive import parquet, reading
from ledger.as_of import AsOf
from ledger.commands import Kind, interaction_of, override_of
from ledger.errors import ClockNotAheadError, UnknownEngagementError
from ledger.events import Corrections, EventRow
from ledger.instants import DAY, Instant, moment_of
from ledger.store import user_history
from ledger.store.rows import StoredRow
from projections.application import Engagements
from projections.engagement import NONE, engagements_as_of
from projections.ranking import ranked, ranking
from projections.read_model import past_queries
from tests.support import strategies
from tests.support.event_rows import event_row
from tests.support.reference_statistics import statistics_of
from tests.support.sealed_ledgers import small_segments
from tests.support.strategies import NOON, Clock

USER, OTHER = "4711", "Zoë"
AHEAD = 3 * DAY
LIMIT = 3

half_as_often = settings(max_examples=settings().max_examples // 2)
"""An example makes a ledger and segments on disk."""


@contextmanager
def in_small_pieces() -> Iterator[None]:
    """As if all were large: several row groups a segment, several parts of everything."""
    with ExitStack() as patches:
        patches.enter_context(small_segments(4))
        for module, name in (
            (parquet, "ROWS_OF_A_GROUP"),
            (reading, "_EVENTS_AT_ONCE"),
            (user_history, "READ_AT_ONCE"),
            (past_queries, "FOLDED_AT_ONCE"),
        ):
            patches.enter_context(mock.patch.object(module, name, 3))
        yield


@contextmanager
def recorded(rows: Sequence[EventRow], sealed: int, ahead: int) -> Iterator[Engagements]:
    """A ledger of these events, some sealed, the last of them by a clock that ran ahead."""
    clock = Clock()
    with (
        in_small_pieces(),
        TemporaryDirectory() as folder,
        Engagements(f"sqlite:///{Path(folder)}/ledger.db", clock=clock) as engagements,
    ):
        for number, row in enumerate(rows):
            by = AHEAD * (number >= len(rows) - ahead)
            clock.at = Instant(row.recorded_at + by)
            record(engagements, row._replace(occurred_at=row.occurred_at + by))
            if number + 1 == sealed:
                engagements.ledger.compactor.compact(engagements.ledger.size()[0])
        clock.at = Instant(rows[-1].recorded_at) if rows else NOON
        with suppress(ClockNotAheadError):
            engagements.ledger.correct_clock("it ran ahead")
        yield engagements


def record(engagements: Engagements, row: EventRow) -> None:
    user, at = (USER, OTHER)[row.stream - 1], moment_of(Instant(row.occurred_at))
    if row.score is not None:
        with suppress(UnknownEngagementError):
            engagements.ledger.record(override_of(user, row.issue_id, row.score, occurred_at=at))
        return
    kind = Kind(row.kind or 0).label
    engagements.ledger.record(
        interaction_of(user, row.issue_id, kind, occurred_at=at, linear_id=row.linear_id)
    )


def moment(at: Instant | None) -> dt.datetime | None:
    return None if at is None else moment_of(at)


def seen(engagements: Engagements, as_of: AsOf) -> list[EventRow]:
    """The user's history, in its order."""
    rows = as_of.of(engagements.questions.known(USER)[0])
    return sorted(rows, key=lambda row: (row.occurred_at, row.position))


def assert_pages_agree(engagements: Engagements, as_of: AsOf, issue: str | None) -> None:
    moments = moment(as_of.at), moment(as_of.known_at)
    own = [row.position for row in seen(engagements, as_of) if issue in {None, row.issue_id}]
    whole = list(engagements.questions.history(USER, issue, *moments))
    assert [entry.position for entry in whole] == own
    for limit in (0, 1, LIMIT, 100):
        first = engagements.questions.page(USER, issue, *moments, limit=limit, latest=False)
        latest = engagements.questions.page(USER, issue, *moments, limit=limit, latest=True)
        assert first == (whole[:limit], len(own))
        assert latest == (whole[::-1][:limit], len(own))


def assert_the_past_agrees(engagements: Engagements, as_of: AsOf) -> None:
    moments = moment(as_of.at), moment(as_of.known_at)
    policy = engagements.policies.in_force
    instant = as_of.instant(NOON)
    folded = engagements_as_of(seen(engagements, as_of), as_of)
    order = ranking(folded, instant, policy)
    assert engagements.questions.ranking(USER, *moments) == order
    assert engagements.questions.top(USER, LIMIT, *moments) == order[:LIMIT]
    assert engagements.questions.statistics(USER, *moments) == statistics_of(order)
    for issue in ("AI-1", "AI-10", "NO-1"):
        expected = ranked(issue, dict(folded).get(issue, NONE), instant, policy)
        assert engagements.questions.ask(USER, issue, *moments) == expected


histories = strategies.event_rows(max_size=25)
counts = st.integers(0, 25)
moments_or_none = st.none() | strategies.instants


@half_as_often
@given(histories, counts, st.integers(0, 8), moments_or_none, moments_or_none, st.data())
def test_either_end_of_a_history_is_that_of_the_whole(rows, sealed, ahead, at, known_at, data):
    issue = data.draw(st.none() | strategies.issue_ids)
    with recorded(rows, sealed, ahead) as engagements:
        assert_pages_agree(engagements, AsOf(at, known_at), issue)
        assert_pages_agree(engagements, AsOf(), issue)


@half_as_often
@given(histories, counts, st.integers(0, 8), strategies.instants, moments_or_none)
def test_the_past_by_columns_is_the_past_one_by_one(rows, sealed, ahead, at, known_at):
    with recorded(rows, sealed, ahead) as engagements:
        assert_the_past_agrees(engagements, AsOf(at, known_at))


# --- how much is read ----------------------------------------------------------------------------


def touch(number: int, hours_ago: int, issue: str, kind: int | None = 1) -> EventRow:
    at = NOON - hours_ago * strategies.HOUR
    score = 0.3 if kind is None else None
    return event_row(number, 1, issue, kind, at, None, score, NOON + number)


LATE = [
    touch(number, hours_ago, f"AI-{number % 5}")
    for number, hours_ago in enumerate([30, 3, 40, 5, 1, 50, 3, 7, 60, 3, 9, 2, 70, 11, 4, 6])
]
"""Events that did not come in the order of time, at one instant now and then."""


@pytest.mark.parametrize("sealed", [0, 8, len(LATE)])
@pytest.mark.parametrize("latest", [True, False])
def test_a_page_reads_no_more_whole_events_than_it_has(sealed, latest):
    made: list[int] = []
    stored_event: Callable[..., Any] = StoredRow.event.fget  # type: ignore[attr-defined]

    def counted(make: Callable[..., Any]) -> Callable[..., Any]:
        def make_and_count(*given: Any) -> Any:
            made.append(1)
            return make(*given)

        return make_and_count

    with (
        recorded(LATE, sealed, 0) as engagements,
        mock.patch.object(reading, "_placed", counted(reading._placed)),
        mock.patch.object(StoredRow, "event", property(counted(stored_event))),
    ):
        page = engagements.questions.page(USER, limit=LIMIT, latest=latest)
    assert (len(page.entries), page.total) == (LIMIT, len(LATE))
    assert len(made) == LIMIT


@pytest.mark.parametrize("sealed", [0, 8, len(LATE)])
def test_the_top_of_the_past_makes_objects_of_what_it_shows_alone(sealed):
    made: list[int] = []

    def counted(*given: Any) -> Any:
        made.append(1)
        return ranked(*given)

    with (
        recorded(LATE, sealed, 0) as engagements,
        mock.patch.object(past_queries, "ranked", counted),
    ):
        shown = engagements.questions.top(USER, LIMIT, moment_of(NOON))
    assert len(shown) == len(made) == LIMIT


# --- planted faults ------------------------------------------------------------------------------


def by_position(
    _: object, by: Corrections, columns: Sequence[Any], key: object
) -> user_history.Moments:
    """As if what was recorded last had happened last."""
    return user_history.Moments(columns[0], columns[0])


def without_corrections(
    query: object, _: Corrections, columns: Sequence[Any], key: str | None
) -> user_history.Moments:
    return SEEN(query, Corrections(), columns, key)  # type: ignore[arg-type]


SEEN = user_history._seen


@pytest.mark.parametrize("fault", [by_position, without_corrections])
@pytest.mark.parametrize("sealed", [0, len(LATE)])
def test_a_history_in_another_order_is_seen(monkeypatch, fault, sealed):
    ahead = [touch(20, 2, "AI-1"), touch(21, 10, "AI-2")]
    monkeypatch.setattr(user_history, "_seen", fault)
    with recorded([*LATE, *ahead], sealed, 2) as engagements, pytest.raises(AssertionError):
        assert_pages_agree(engagements, AsOf(), None)


def test_a_past_that_forgets_a_part_is_seen(monkeypatch):
    joined = past_queries._joined
    monkeypatch.setattr(past_queries, "_joined", lambda parts: joined([*parts][1:]))
    with recorded(LATE, 8, 0) as engagements, pytest.raises(AssertionError):
        assert_the_past_agrees(engagements, AsOf(NOON))


def seeing_everything(read: Callable[..., Any], *given: Any) -> Any:
    *whose, seen = given
    return read(*whose, seen._replace(as_of=AsOf(Instant(sys.maxsize))))


def test_a_past_that_sees_everything_is_seen(monkeypatch):
    for name in ("_hot", "_sealed"):
        read = getattr(past_queries, name)
        monkeypatch.setattr(past_queries, name, partial(seeing_everything, read))
    with recorded(LATE, 8, 0) as engagements, pytest.raises(AssertionError):
        assert_the_past_agrees(engagements, AsOf(Instant(NOON - 8 * strategies.HOUR)))
