"""The read model: every engagement as it stands, brought along by each append (R10, R12)."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    Connection,
    bindparam,
    delete,
    insert,
    inspect,
    literal_column,
    or_,
    select,
    update,
)

from ledger.events import EventRow
from ledger.instants import DAY, Instant
from ledger.store.database import Database
from ledger.store.statements import Statement
from ledger.store.tables import accounts, origins
from projections.engagement import NONE, Engagement, fold, merge
from projections.ranking import OVERRIDDEN_BAND, Ranked, band, merge_bands, ranking, top
from projections.scoring import (
    DEFAULT_POLICY,
    DEFAULT_POLICY_VERSION,
    MOST_FREQUENCY_BANDS,
    ScoringPolicy,
    idle_days,
    score,
)
from projections.views.tables import engagements, issue_engagements, metadata

REFRESHED_AT_ONCE = 500
"""Rows a transaction: whoever records meanwhile waits for no more."""

# Rows from a cursor are plain tuples.
_KIND, _AT = map(EventRow._fields.index, ("kind", "occurred_at"))

COLUMNS: tuple[str, ...] = tuple(engagements.c.keys())

_e = engagements.c
_FOLD = tuple(engagements.c[name] for name in Engagement.__struct_fields__)
_STREAM_OF_USER = (
    select(accounts.c.stream).where(accounts.c.user_id == bindparam("user_id")).scalar_subquery()
)

_STORED = Statement(
    select(_e.id, _e.last_position, *_FOLD).where(
        _e.stream == bindparam("stream_"), _e.issue_id == bindparam("issue")
    ),
    "stream_",
    "issue",
)
INSERT = Statement(insert(engagements), *COLUMNS)
# What identifies a row stays out of the update: SQLite rewrites each index that it names.
_IDENTITY, _CHANGING = COLUMNS[:3], COLUMNS[3:]
_UPDATE = Statement(
    update(engagements)
    .values({name: bindparam(f"{name}_") for name in _CHANGING})
    .where(_e.id == bindparam("id_")),
    *(f"{name}_" for name in _CHANGING),
    "id_",
)
_ONE = Statement(
    select(*_FOLD).where(_e.stream == _STREAM_OF_USER, _e.issue_id == bindparam("issue")),
    "user_id",
    "issue",
)
_OF_USER = Statement(select(_e.issue_id, *_FOLD).where(_e.stream == _STREAM_OF_USER), "user_id")
# The bands are read side by side: one SQL text would have to be prepared anew for each.
_OF_BAND = [
    Statement(
        select(_e.issue_id, *_FOLD)
        .where(_e.stream == _STREAM_OF_USER, _e.band == literal_column(str(number)))
        .order_by(_e.last_at.desc(), _e.issue_id),
        "user_id",
    )
    for number in range(MOST_FREQUENCY_BANDS + 1)
]


_BATCH = Statement(
    select(_e.id, _e.scored_at, *_FOLD)
    .where(
        _e.id > bindparam("last_id"),
        or_(bindparam("everybody").is_(None), _e.stream == _STREAM_OF_USER),
    )
    .order_by(_e.id),
    "last_id",
    "everybody",
    "user_id",
)
_REFRESH = Statement(
    update(engagements)
    .values(score=bindparam("score_"), scored_at=bindparam("scored_at_"))
    .where(_e.id == bindparam("id_")),
    "score_",
    "scored_at_",
    "id_",
)
_IDLE = Statement(
    select(*_FOLD).where(
        _e.last_at <= bindparam("last_at_"),
        or_(_e.override_at.is_(None), _e.override_at <= bindparam("override_at_")),
    ),
    "last_at_",
    "override_at_",
)
_DETAILS = Statement(
    select(_e.id, origins.c.context, origins.c.metadata)
    .outerjoin(origins, origins.c.position == _e.last_position)
    .where(_e.stream == _STREAM_OF_USER, _e.issue_id == bindparam("issue")),
    "user_id",
    "issue",
)


class Details(NamedTuple):
    """What a row of the read model has beside its engagement."""

    id: int
    context: str | None
    metadata: bytes | None


class Stored(NamedTuple):
    """A row of the read model, but for what a policy makes of it."""

    id: int
    stream: int
    issue_id: str
    engagement: Engagement
    last_position: int | None
    scored_at: int


class ReadModel:
    """Keeps and reads the engagements table of one ledger, scored and banded by one policy."""

    def __init__(self, policy: ScoringPolicy = DEFAULT_POLICY) -> None:
        """Score and band by `policy`."""
        self.policy = policy
        self._bands = policy.frequency_bands

    def prepare(self, database: Database) -> None:
        """Make the table and the view where they are missing."""
        with database.read() as connection:
            if _is_there(connection):
                return
        with database.write() as connection:
            if not _is_there(connection):
                metadata.create_all(connection)
                connection.execute(issue_engagements)

    def project(self, connection: Connection, rows: Sequence[EventRow]) -> None:
        """Merge `rows` into the engagements that they belong to."""
        new, changed = [], []
        stored = _STORED.finder(connection)
        for (stream, issue_id), group in _grouped(rows).items():
            before = stored(stream, issue_id)
            after = fold_stored(group)
            if before is None:
                new.append(self.values(after))
            else:
                values = self.values(_merged(before, after))
                changed.append((*values[len(_IDENTITY) :], values[0]))
        INSERT.run_many(connection, new)
        _UPDATE.run_many(connection, changed)

    def forget(self, connection: Connection, stream: int) -> None:
        """Delete the engagements of one account."""
        connection.execute(delete(engagements).where(_e.stream == stream))

    def refresh(
        self, database: Database, at: Instant, idle_longer_than_days: int, user_id: str | None
    ) -> int:
        """Bring the score column to the instant `at`, a batch a transaction.

        Returns how many of the engagements have been idle for more than the given days by then.
        """
        idle, last_id = 0, 0
        while True:
            with database.write() as connection:
                rows = _BATCH.run(connection, last_id, user_id, user_id).fetchmany(
                    REFRESHED_AT_ONCE
                )
                _REFRESH.run_many(connection, [self._refreshed(row, at) for row in rows])
            idle += sum(idle_days(Engagement(*row[2:]), at) > idle_longer_than_days for row in rows)
            if len(rows) < REFRESHED_AT_ONCE:
                return idle
            last_id = rows[-1][0]

    def _refreshed(self, row: Sequence[Any], at: Instant) -> tuple[float, int, int]:
        where, scored_at, *fields = row
        at = max(at, scored_at)
        return score(Engagement(*fields), at, self.policy).value, at, where

    def values(self, row: Stored, scored_at: int = 0) -> tuple[Any, ...]:
        """Return `row` in the order of the table's columns, with its band and score.

        The score is that at the row's own instant or at `scored_at`, whichever is later.
        """
        position, stream, issue_id, engagement, last_position, own_instant = row
        scored_at = max(scored_at, own_instant)
        return (
            position,
            stream,
            issue_id,
            *msgspec.structs.astuple(engagement),
            last_position,
            band(engagement, self._bands),
            score(engagement, Instant(scored_at), self.policy).value,
            scored_at,
            DEFAULT_POLICY_VERSION,
        )


def _is_there(connection: Connection) -> bool:
    return engagements.name in inspect(connection).get_table_names()


def fold_stored(rows: Sequence[EventRow]) -> Stored:
    """Return the read model's row for the events of one user with one issue, by position."""
    position, stream, issue_id = rows[0][:3]
    scored_at = rows[-1][-1]
    return Stored(position, stream, issue_id, fold(rows), _last_position(rows), scored_at)


def _last_position(rows: Sequence[EventRow]) -> int | None:
    last: EventRow | None = None
    for row in rows:
        if row[_KIND] is not None and (
            last is None or (row[_AT], row[_KIND]) >= (last[_AT], last[_KIND])
        ):
            last = row
    return None if last is None else last[0]


def _merged(before: Sequence[Any], after: Stored) -> Stored:
    position, last_position, *fields = before
    known = Engagement(*fields)
    if after.last_position is None or (known.last_at, known.last_kind) > (
        after.engagement.last_at,
        after.engagement.last_kind,
    ):
        after = after._replace(last_position=last_position)
    return after._replace(id=position, engagement=merge(known, after.engagement))


def _grouped(rows: Sequence[EventRow]) -> dict[tuple[int, str], list[EventRow]]:
    groups = defaultdict(list)
    for row in rows:
        groups[row.stream, row.issue_id].append(row)
    return groups


def engagement_of(connection: Connection, user_id: str, issue_id: str) -> Engagement:
    """Return the engagement of one user with one issue, or NONE."""
    row = _ONE.run(connection, user_id, issue_id).fetchone()
    return Engagement(*row) if row else NONE


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
    """Return the user's first `limit` engagements at `at`, reading few more than those (R5)."""
    bands = policy.frequency_bands
    if bands > MOST_FREQUENCY_BANDS:
        return top(ranking(engagements_of(connection, user_id), at, policy), limit)
    lists = [_band_of(connection, user_id, band) for band in range(1, bands + 1)]
    overridden = _band_of(connection, user_id, OVERRIDDEN_BAND)
    return list(islice(merge_bands(lists, overridden, at, policy), limit))


def dormant_count(connection: Connection, at: Instant, policy: ScoringPolicy) -> int:
    """Return how many of everybody's engagements are dormant at `at`, one in memory at a time."""
    idle_since = at - (policy.dormant_after_days + 1) * DAY
    rows = _IDLE.run(connection, idle_since, idle_since)
    return sum(score(Engagement(*row), at, policy).dormant for row in rows)


def _band_of(connection: Connection, user_id: str, band: int) -> Iterator[tuple[str, Engagement]]:
    return map(_pair, _OF_BAND[band].run(connection, user_id))


def _pair(row: Sequence[Any]) -> tuple[str, Engagement]:
    issue_id, *fields = row
    return issue_id, Engagement(*fields)
