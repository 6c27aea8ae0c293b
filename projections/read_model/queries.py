"""Queries of the present: stored engagements merged with the tail, the top few, and totals."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import reduce
from itertools import groupby, islice
from operator import add, attrgetter
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, bindparam, func, literal_column, or_, select

from ledger.instants import DAY, Instant
from ledger.store.rows import FOLDED, folded_event
from ledger.store.statements import Query, Statement, value
from ledger.store.tables import accounts, events, origins
from projections.engagement import COUNTS, VALUE_NAMES, Engagement
from projections.policy import MOST_FREQUENCY_BANDS, ScoringPolicy
from projections.ranking import (
    OVERRIDDEN_BAND,
    UNCOUNTED_BAND,
    Bands,
    Ranked,
    merge_bands,
    ranking,
)
from projections.read_model.adopted_policies import IN_FORCE
from projections.read_model.engagement_rows import (
    LIVE,
    Stored,
    fold_stored,
    stored_engagement,
    stored_row,
    with_stored,
)
from projections.read_model.tables import (
    LIVE_NAME,
    STREAM_OF_USER,
    engagements,
    issue_keys,
    moved_issues,
    read_models,
)
from projections.scoring import score
from projections.statistics import Totals

# The tail: the events after the watermark of the live read model, which it has not folded.
#
# Every answer merges the tail of its user, read in the same snapshot. Within a stream versions grow
# with positions, so the tail of one user is one range of the index of versions, regardless of the
# number of events.

_e = events.c

_WATERMARK = (
    select(read_models.c.position)
    .where(read_models.c.name == literal_column(f"'{LIVE_NAME}'"))
    .scalar_subquery()
)

FOLDABLE = and_(_e.issue_id.is_not(None), _e.stream.in_(select(accounts.c.stream)))
"""The condition for events of engagements; those of forgotten users belong to no account."""


def _tail_of(stream: ColumnElement[Any]) -> ColumnElement[bool]:
    before = events.alias()
    last = select(func.max(before.c.version)).where(
        before.c.stream == stream, before.c.position <= _WATERMARK
    )
    first = func.coalesce(last.scalar_subquery() + literal_column("1"), literal_column("0"))
    return and_(_e.stream == stream, _e.version >= first, _e.issue_id.is_not(None))


_BY_ENGAGEMENT = (_e.stream, _e.issue_id, _e.position)
_of_user = select(*FOLDED).where(_tail_of(STREAM_OF_USER)).order_by(*_BY_ENGAGEMENT)
_OF_USER = Statement(_of_user, "user_id", "user_id")
_OF_ISSUE = Statement(
    _of_user.where(_e.issue_id == bindparam("issue")), "user_id", "user_id", "issue"
)
_OF_ALL = Statement(
    select(*FOLDED).where(_e.position > _WATERMARK, FOLDABLE).order_by(*_BY_ENGAGEMENT)
)
_COUNT: Query[int] = Query(value, select(func.count()).where(_e.position > _WATERMARK, FOLDABLE))


def tail_of_user(
    connection: Connection, user_id: str, issue_id: str | None = None
) -> Iterator[Stored]:
    """Yield the folds of a user's tail, with one issue or with all."""
    if issue_id is None:
        return _folds(_OF_USER.run(connection, user_id, user_id))
    return _folds(_OF_ISSUE.run(connection, user_id, user_id, issue_id))


def tail_of_all(connection: Connection) -> Iterator[Stored]:
    """Yield the folds of all users' tails, in constant memory."""
    return _folds(_OF_ALL.run(connection))


def tail_count(connection: Connection) -> int:
    """The number of events of engagements in the tail."""
    return _COUNT.one(connection)


def _folds(rows: Iterable[Sequence[Any]]) -> Iterator[Stored]:
    by_engagement = groupby(map(folded_event, rows), attrgetter("stream", "issue_id"))
    return (fold_stored(list(group)) for _, group in by_engagement)


# Questions to the read model: present engagements, and the top few of them.
#
# Each answer includes all events: engagements stored up to the watermark are merged with the tail
# of the same snapshot. Stored engagements that the tail touches are replaced by the merged ones.


def _first(key: str, position: int) -> tuple[str, int]:
    return key, position


_engagements = engagements.c
_FOLD = tuple(_engagements[name] for name in VALUE_NAMES)
_of_stream = select(_engagements.issue_id, *_FOLD).where(_engagements.stream == STREAM_OF_USER)
_ENGAGEMENTS_OF_USER = Statement(_of_stream, "user_id")
_MOVED_KEYS = select(issue_keys.c.key).join(
    moved_issues, moved_issues.c.stream == issue_keys.c.stream
)
_MOVED_OF_USER = Statement(_of_stream.where(_engagements.issue_id.in_(_MOVED_KEYS)), "user_id")
_USERS_OF_MOVED: Query[str] = Query(
    value,
    select(accounts.c.user_id).where(
        or_(
            accounts.c.stream.in_(
                select(_engagements.stream).where(_engagements.issue_id.in_(_MOVED_KEYS))
            ),
            accounts.c.stream.in_(
                select(_e.stream).where(_e.position > _WATERMARK, _e.issue_id.in_(_MOVED_KEYS))
            ),
        )
    ),
)
_ONE = Statement(
    select(_engagements.id, _engagements.last_position, *_FOLD).where(
        _engagements.stream == STREAM_OF_USER, _engagements.issue_id == bindparam("issue")
    ),
    "user_id",
    "issue",
)
# The bands are read side by side, so each needs its own SQL text, or it would be prepared again.
_OF_BAND = {
    number: Statement(
        select(_engagements.issue_id, *_FOLD)
        .where(
            _engagements.stream == STREAM_OF_USER, _engagements.band == literal_column(str(number))
        )
        .order_by(_engagements.active_at.desc(), _engagements.issue_id),
        "user_id",
    )
    for number in range(UNCOUNTED_BAND, MOST_FREQUENCY_BANDS + 1)
}
_SIZE: Query[int] = Query(value, select(func.count()).select_from(engagements))
_STORED_KEYS = Query(
    _first, select(_engagements.issue_id, func.min(_engagements.id)).group_by(_engagements.issue_id)
)
_KEYS_OF_TAIL = Query(
    _first,
    select(_e.issue_id, func.min(_e.position))
    .where(_e.position > _WATERMARK, FOLDABLE)
    .group_by(_e.issue_id),
)
_IDLE = Statement(
    select(*_FOLD).where(
        or_(_engagements.active_at.is_(None), _engagements.active_at <= bindparam("active_at_")),
        or_(
            _engagements.override_at.is_(None),
            _engagements.override_at <= bindparam("override_at_"),
        ),
    ),
    "active_at_",
    "override_at_",
)
_ORIGIN = Statement(
    select(origins.c.context, origins.c.metadata).where(
        origins.c.position == bindparam("position")
    ),
    "position",
)

_Pair = tuple[str, Engagement]


class Details(NamedTuple):
    """The fields of a row of the read model apart from its engagement."""

    id: int
    policy_version: int
    context: str | None
    metadata: bytes | None


def details_of(connection: Connection, found: Stored) -> Details:
    """The details of an engagement."""
    version = IN_FORCE.one(connection)
    context, metadata = _ORIGIN.run(connection, found.last_position).fetchone() or (None, None)
    return Details(found.id, version, context, metadata)


def engagements_of(connection: Connection, user_id: str) -> list[_Pair]:
    """All engagements of one user with their issues, in no particular order."""
    touched = touched_by_tail(connection, user_id)
    return [*_untouched(_ENGAGEMENTS_OF_USER, connection, user_id, touched), *touched.items()]


def moved_engagements(connection: Connection, user_id: str) -> dict[str, Engagement]:
    """The user's engagements, as stored, by the keys of issues that moved."""
    return dict(_untouched(_MOVED_OF_USER, connection, user_id, ()))


def first_positions(connection: Connection) -> dict[str, int]:
    """The keys with which anything of users is recorded, and the first position of each."""
    return dict(_KEYS_OF_TAIL.all(connection)) | dict(_STORED_KEYS.all(connection))


def users_of_moved(connection: Connection) -> list[str]:
    """The users who are engaged with an issue that moved."""
    return list(_USERS_OF_MOVED.all(connection))


class Beside(NamedTuple):
    """Engagements that are ranked beside the stored ones, and the issues that they replace.

    `bands` are sorted as stored bands are; `others` are in any order.
    """

    replaced: Collection[str]
    bands: Bands
    others: Iterable[_Pair]


def top_of(  # noqa: PLR0913, PLR0917 - whose, how many, when, by which policy
    connection: Connection,
    user_id: str,
    limit: int,
    at: Instant,
    policy: ScoringPolicy,
    beside: Beside | None = None,
) -> list[Ranked]:
    """The user's first `limit` engagements at `at`, for which few more are read (R5).

    `policy` is the one in force. Engagements that the tail touches are ranked beside the stored
    ones, unless others are given.
    """
    bands = policy.frequency_bands
    if bands > MOST_FREQUENCY_BANDS:
        return ranking(engagements_of(connection, user_id), at, policy)[:limit]
    if beside is None:
        touched = touched_by_tail(connection, user_id)
        beside = Beside(touched, {}, touched.items())

    def stored(band: int) -> Iterator[_Pair]:
        return _untouched(_OF_BAND[band], connection, user_id, beside.replaced)

    lists = [stored(band) for band in (*range(1, bands + 1), UNCOUNTED_BAND)]
    in_order = [each for band, each in beside.bands.items() if band != OVERRIDDEN_BAND]
    overridden = *stored(OVERRIDDEN_BAND), *beside.bands.get(OVERRIDDEN_BAND, ())
    read_whole = [*overridden, *beside.others]
    return list(islice(merge_bands([*lists, *in_order], read_whole, at, policy), limit))


def size(connection: Connection) -> int:
    """The number of engagements of all users."""
    return _SIZE.one(connection) + sum(before is None for before, _ in _touched_of_all(connection))


def dormant_count(connection: Connection, at: Instant, policy: ScoringPolicy) -> int:
    """The number of engagements of all users that are dormant at `at`, in constant memory."""

    def is_dormant(engagement: Engagement) -> bool:
        return score(engagement, at, policy).dormant

    idle_since = at - (policy.dormant_after_days + 1) * DAY
    rows = _IDLE.run(connection, idle_since, idle_since)
    stored = sum(is_dormant(stored_engagement(row)) for row in rows)
    return stored + sum(
        is_dormant(whole) - (before is not None and is_dormant(before))
        for before, whole in _touched_of_all(connection)
    )


def stored_of(connection: Connection, user_id: str, issue_id: str) -> Stored | None:
    """The user's row of an issue, merged with the tail."""
    row = _ONE.run(connection, user_id, issue_id).fetchone()
    for tail in tail_of_user(connection, user_id, issue_id):
        return with_stored(row, tail)
    return None if row is None else stored_row(row, 0, issue_id)


def touched_by_tail(connection: Connection, user_id: str) -> dict[str, Engagement]:
    """The user's engagements that the tail touches, merged."""
    find = LIVE.stored.finder(connection)
    return {
        tail.issue_id: with_stored(find(tail.stream, tail.issue_id), tail).engagement
        for tail in tail_of_user(connection, user_id)
    }


def _touched_of_all(connection: Connection) -> Iterator[tuple[Engagement | None, Engagement]]:
    """The engagements of all users that the tail touches: as stored, and merged."""
    find = LIVE.stored.finder(connection)
    for tail in tail_of_all(connection):
        row = find(tail.stream, tail.issue_id)
        before = None if row is None else stored_row(row, tail.stream, tail.issue_id)
        yield before and before.engagement, with_stored(row, tail).engagement


def _untouched(
    stored: Statement, connection: Connection, user_id: str, touched: Collection[str]
) -> Iterator[_Pair]:
    """The user's stored engagements, except those that the tail touches."""
    for issue_id, *fields in stored.run(connection, user_id):
        if issue_id not in touched:
            yield issue_id, stored_engagement(fields)


# The totals of one user, from the read model and its tail.

_TOTALS = Statement(
    select(
        func.sum(reduce(add, (_engagements[name] for name in COUNTS))),
        func.count(),
        func.max(_engagements.last_at),
    ).where(_engagements.stream == STREAM_OF_USER),
    "user_id",
)


def totals_of(connection: Connection, user_id: str) -> Totals:
    """The totals of the user's engagements; the database sums the stored ones."""
    interactions, issues, last_at = _TOTALS.run(connection, user_id).fetchone()
    totals = Totals(int(interactions or 0), issues, last_at)
    find = LIVE.stored.finder(connection)
    for tail in tail_of_user(connection, user_id):
        lasts = filter(None, (totals.last_at, tail.engagement.last_at))
        totals = Totals(
            totals.interactions + tail.engagement.count,
            totals.issues + (find(tail.stream, tail.issue_id) is None),
            max(map(Instant, lasts), default=None),
        )
    return totals
