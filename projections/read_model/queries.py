"""Questions to the read model: present engagements, and the top few of them.

Each answer includes all events: engagements stored up to the watermark are merged with the tail of
the same snapshot. Stored engagements that the tail touches are replaced by the merged ones.
"""

from collections.abc import Collection, Iterator
from itertools import islice
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, literal_column, or_, select

from ledger.instants import DAY, Instant
from ledger.store.statements import Statement
from ledger.store.tables import origins
from projections.engagement import NONE, Engagement
from projections.policy import MOST_FREQUENCY_BANDS, ScoringPolicy
from projections.ranking import OVERRIDDEN_BAND, UNCOUNTED_BAND, Ranked, merge_bands, ranking
from projections.read_model.adopted_policies import IN_FORCE
from projections.read_model.engagement_rows import LIVE
from projections.read_model.stored import Stored, stored_engagement, stored_row, with_stored
from projections.read_model.tables import STREAM_OF_USER, engagements
from projections.read_model.tail import tail_of_all, tail_of_user
from projections.scoring import score

_engagements = engagements.c
_FOLD = tuple(_engagements[name] for name in Engagement.__struct_fields__)
_ENGAGEMENTS_OF_USER = Statement(
    select(_engagements.issue_id, *_FOLD).where(_engagements.stream == STREAM_OF_USER), "user_id"
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
_SIZE = Statement(select(func.count()).select_from(engagements))
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


def engagement_of(connection: Connection, user_id: str, issue_id: str) -> Engagement:
    """The engagement of one user with one issue, or NONE."""
    found = _one(connection, user_id, issue_id)
    return found.engagement if found else NONE


def details_of(connection: Connection, user_id: str, issue_id: str) -> Details | None:
    """The details of an engagement, or None if there is no engagement."""
    found = _one(connection, user_id, issue_id)
    if found is None:
        return None
    (version,) = IN_FORCE.run(connection).fetchone()
    context, metadata = _ORIGIN.run(connection, found.last_position).fetchone() or (None, None)
    return Details(found.id, version, context, metadata)


def engagements_of(connection: Connection, user_id: str) -> list[_Pair]:
    """All engagements of one user with their issues, in no particular order."""
    touched = _touched(connection, user_id)
    return [*_untouched(_ENGAGEMENTS_OF_USER, connection, user_id, touched), *touched.items()]


def top_of(
    connection: Connection, user_id: str, limit: int, at: Instant, policy: ScoringPolicy
) -> list[Ranked]:
    """The user's first `limit` engagements at `at`, for which few more are read (R5).

    `policy` is the one in force. Engagements that the tail touches are ranked with the stored
    bands.
    """
    bands = policy.frequency_bands
    if bands > MOST_FREQUENCY_BANDS:
        return ranking(engagements_of(connection, user_id), at, policy)[:limit]
    touched = _touched(connection, user_id)
    named = (*range(1, bands + 1), UNCOUNTED_BAND)
    lists = [_untouched(_OF_BAND[band], connection, user_id, touched) for band in named]
    overridden = _untouched(_OF_BAND[OVERRIDDEN_BAND], connection, user_id, touched)
    read_whole = [*overridden, *touched.items()]
    return list(islice(merge_bands(lists, read_whole, at, policy), limit))


def size(connection: Connection) -> int:
    """The number of engagements of all users."""
    number: int = _SIZE.run(connection).fetchone()[0]
    return number + sum(before is None for before, _ in _touched_of_all(connection))


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


def _one(connection: Connection, user_id: str, issue_id: str) -> Stored | None:
    row = _ONE.run(connection, user_id, issue_id).fetchone()
    for tail in tail_of_user(connection, user_id, issue_id):
        return with_stored(row, tail)
    return None if row is None else stored_row(row, 0, issue_id)


def _touched(connection: Connection, user_id: str) -> dict[str, Engagement]:
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
        before = None if row is None else stored_engagement(row[2:])
        yield before, with_stored(row, tail).engagement


def _untouched(
    stored: Statement, connection: Connection, user_id: str, touched: Collection[str]
) -> Iterator[_Pair]:
    """The user's stored engagements, except those that the tail touches."""
    for issue_id, *fields in stored.run(connection, user_id):
        if issue_id not in touched:
            yield issue_id, stored_engagement(fields)
