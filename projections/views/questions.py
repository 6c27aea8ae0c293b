"""What the read model is asked: engagements as they stand, and the top few of them."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, func, literal_column, or_, select

from ledger.instants import DAY, Instant
from ledger.store.statements import Statement
from ledger.store.tables import origins
from projections.engagement import NONE, Engagement
from projections.policy import MOST_FREQUENCY_BANDS, ScoringPolicy
from projections.ranking import OVERRIDDEN_BAND, UNCOUNTED_BAND, Ranked, merge_bands, ranking
from projections.scoring import score
from projections.views.stored import stored_engagement
from projections.views.tables import STREAM_OF_USER, engagements

_e = engagements.c
_FOLD = tuple(_e[name] for name in Engagement.__struct_fields__)
_OF_USER = Statement(select(_e.issue_id, *_FOLD).where(_e.stream == STREAM_OF_USER), "user_id")
_ONE = Statement(
    select(*_FOLD).where(_e.stream == STREAM_OF_USER, _e.issue_id == bindparam("issue")),
    "user_id",
    "issue",
)
# The bands are read side by side: one SQL text would have to be prepared anew for each.
_OF_BAND = {
    number: Statement(
        select(_e.issue_id, *_FOLD)
        .where(_e.stream == STREAM_OF_USER, _e.band == literal_column(str(number)))
        .order_by(_e.active_at.desc(), _e.issue_id),
        "user_id",
    )
    for number in range(UNCOUNTED_BAND, MOST_FREQUENCY_BANDS + 1)
}
_SIZE = Statement(select(func.count()).select_from(engagements))
_IDLE = Statement(
    select(*_FOLD).where(
        or_(_e.active_at.is_(None), _e.active_at <= bindparam("active_at_")),
        or_(_e.override_at.is_(None), _e.override_at <= bindparam("override_at_")),
    ),
    "active_at_",
    "override_at_",
)
_DETAILS = Statement(
    select(_e.id, _e.policy_version, origins.c.context, origins.c.metadata)
    .outerjoin(origins, origins.c.position == _e.last_position)
    .where(_e.stream == STREAM_OF_USER, _e.issue_id == bindparam("issue")),
    "user_id",
    "issue",
)


class Details(NamedTuple):
    """What a row of the read model has beside its engagement."""

    id: int
    policy_version: int
    context: str | None
    metadata: bytes | None


def engagement_of(connection: Connection, user_id: str, issue_id: str) -> Engagement:
    """Return the engagement of one user with one issue, or NONE."""
    row = _ONE.run(connection, user_id, issue_id).fetchone()
    return stored_engagement(row) if row else NONE


def details_of(connection: Connection, user_id: str, issue_id: str) -> Details | None:
    """Return the details of an engagement, or None where it is not in the read model."""
    row = _DETAILS.run(connection, user_id, issue_id).fetchone()
    return Details(*row) if row else None


def engagements_of(connection: Connection, user_id: str) -> list[tuple[str, Engagement]]:
    """Return all engagements of one user with their issues, in no particular order."""
    return [_pair(row) for row in _OF_USER.run(connection, user_id)]


def top_of(
    connection: Connection, user_id: str, limit: int, at: Instant, policy: ScoringPolicy
) -> list[Ranked]:
    """Return the user's first `limit` engagements at `at`, reading few more than those (R5).

    `policy` is the one in force.
    """
    bands = policy.frequency_bands
    if bands > MOST_FREQUENCY_BANDS:
        return ranking(engagements_of(connection, user_id), at, policy)[:limit]
    named = (*range(1, bands + 1), UNCOUNTED_BAND)
    lists = [_band_of(connection, user_id, band) for band in named]
    overridden = _band_of(connection, user_id, OVERRIDDEN_BAND)
    return list(islice(merge_bands(lists, overridden, at, policy), limit))


def size(connection: Connection) -> int:
    """Return how many engagements there are of everybody."""
    number: int = _SIZE.run(connection).fetchone()[0]
    return number


def dormant_count(connection: Connection, at: Instant, policy: ScoringPolicy) -> int:
    """Return how many of everybody's engagements are dormant at `at`, one in memory at a time."""
    idle_since = at - (policy.dormant_after_days + 1) * DAY
    rows = _IDLE.run(connection, idle_since, idle_since)
    return sum(score(stored_engagement(row), at, policy).dormant for row in rows)


def _band_of(connection: Connection, user_id: str, band: int) -> Iterator[tuple[str, Engagement]]:
    return map(_pair, _OF_BAND[band].run(connection, user_id))


def _pair(row: Sequence[Any]) -> tuple[str, Engagement]:
    issue_id, *fields = row
    return issue_id, stored_engagement(fields)
