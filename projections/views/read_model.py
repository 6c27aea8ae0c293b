"""The read model: every engagement as it stands, brought along by each append (R10, R12)."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, delete, insert, inspect, or_, select, text, update

from ledger.events import EventRow
from ledger.instants import Instant
from ledger.store.database import Database
from ledger.store.statements import Statement
from projections.engagement import Engagement, merge, of_kinds
from projections.policy import Adopted, ScoringPolicy
from projections.ranking import band
from projections.scoring import idle_days, score
from projections.views.folding import Stored, fold_stored, folds
from projections.views.policies import Policies
from projections.views.tables import STREAM_OF_USER, engagements, issue_engagements, metadata

REFRESHED_AT_ONCE = 500
"""Rows a transaction: whoever records meanwhile waits for no more."""

INSERTED_AT_ONCE = 2_000

COLUMNS: tuple[str, ...] = tuple(engagements.c.keys())

_e = engagements.c
FOLD = tuple(engagements.c[name] for name in Engagement.__struct_fields__)

_STORED = Statement(
    select(_e.id, _e.last_position, *FOLD).where(
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
_BATCH = Statement(
    select(_e.id, _e.scored_at, *FOLD)
    .where(
        _e.id > bindparam("last_id"),
        or_(bindparam("everybody").is_(None), _e.stream == STREAM_OF_USER),
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
_RULED = ("band", "active_at", "score", "scored_at", "policy_version")
"""The columns that a policy makes."""
_ADOPT = Statement(
    update(engagements)
    .values({name: bindparam(f"{name}_") for name in _RULED})
    .where(_e.id == bindparam("id_")),
    *(f"{name}_" for name in _RULED),
    "id_",
)


class ReadModel:
    """Keeps the engagements table of one ledger, scored and banded by the policy in force."""

    def __init__(self) -> None:
        """Know the ledger's policies as they come up."""
        self.policies = Policies()

    def prepare(self, database: Database) -> None:
        """Make the table and the view from all events, where they are missing or another's form."""
        with database.read() as connection:
            if _is_there(connection):
                return
        with database.write() as connection:
            if not _is_there(connection):
                connection.execute(text("DROP VIEW IF EXISTS issue_engagements"))
                metadata.drop_all(connection)
                metadata.create_all(connection)
                connection.execute(issue_engagements)
                self.fill(connection, (stored for _, stored in folds(connection)))

    def project(
        self, connection: Connection, rows: Sequence[EventRow], policy_version: int
    ) -> None:
        """Merge `rows` into the engagements that they belong to."""
        adopted = self.policies.of_version(connection, policy_version)
        new, changed = [], []
        stored = _STORED.finder(connection)
        for (stream, issue_id), group in _grouped(rows).items():
            before = stored(stream, issue_id)
            after = fold_stored(group)
            if before is None:
                new.append(values(after, adopted))
            else:
                row = values(_merged(before, after), adopted)
                changed.append((*row[len(_IDENTITY) :], row[0]))
        INSERT.run_many(connection, new)
        _UPDATE.run_many(connection, changed)

    def adopt(self, connection: Connection, at: Instant) -> None:
        """Score and band every engagement by the policy that is in force from now on."""
        adopted = self.policies.in_force(connection)
        last_id = 0
        while rows := _batch_after(connection, last_id):
            _ADOPT.run_many(connection, [_ruled_anew(row, at, adopted) for row in rows])
            last_id = rows[-1][0]

    def fill(self, connection: Connection, rows: Iterable[Stored]) -> None:
        """Insert `rows`, of engagements that are not there yet."""
        adopted = self.policies.in_force(connection)
        source = iter(rows)
        while batch := [values(row, adopted) for row in islice(source, INSERTED_AT_ONCE)]:
            INSERT.run_many(connection, batch)

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
                policy = self.policies.in_force(connection).policy
                rows = _batch_after(connection, last_id, user_id)
                _REFRESH.run_many(connection, [_refreshed(row, at, policy) for row in rows])
            counted = (of_kinds(Engagement(*row[2:]), policy.kinds) for row in rows)
            idle += sum(idle_days(each, at) > idle_longer_than_days for each in counted)
            if len(rows) < REFRESHED_AT_ONCE:
                return idle
            last_id = rows[-1][0]


def values(row: Stored, adopted: Adopted, scored_at: int = 0) -> tuple[Any, ...]:
    """Return `row` in the order of the table's columns, as the policy has it.

    The score is that at the row's own instant or at `scored_at`, whichever is later.
    """
    position, stream, issue_id, engagement, last_position, own_instant = row
    return (
        position,
        stream,
        issue_id,
        *msgspec.structs.astuple(engagement),
        engagement.last_at,
        engagement.last_kind,
        last_position,
        *_ruled(engagement, Instant(max(scored_at, own_instant)), adopted),
    )


def _ruled(engagement: Engagement, at: Instant, adopted: Adopted) -> tuple[Any, ...]:
    """The columns that the policy makes, in the order of `_RULED`."""
    policy = adopted.policy
    active_at = of_kinds(engagement, policy.kinds).last_at
    value = score(engagement, at, policy).value
    return band(engagement, policy), active_at, value, at, adopted.version


def _ruled_anew(row: Sequence[Any], at: Instant, adopted: Adopted) -> tuple[Any, ...]:
    where, scored_at, *fields = row
    return *_ruled(Engagement(*fields), max(at, scored_at), adopted), where


def _refreshed(row: Sequence[Any], at: Instant, policy: ScoringPolicy) -> tuple[float, int, int]:
    where, scored_at, *fields = row
    at = max(at, scored_at)
    return score(Engagement(*fields), at, policy).value, at, where


def _batch_after(
    connection: Connection, last_id: int, user_id: str | None = None
) -> list[Sequence[Any]]:
    rows: list[Sequence[Any]] = _BATCH.run(connection, last_id, user_id, user_id).fetchmany(
        REFRESHED_AT_ONCE
    )
    return rows


def _is_there(connection: Connection) -> bool:
    inspector = inspect(connection)
    if not inspector.has_table(engagements.name):
        return False
    return tuple(each["name"] for each in inspector.get_columns(engagements.name)) == COLUMNS


def _merged(before: Sequence[Any], after: Stored) -> Stored:
    position, last_position, *fields = before
    known = Engagement(*fields)
    if after.last_position is None or _last(known) > _last(after.engagement):
        after = after._replace(last_position=last_position)
    return after._replace(id=position, engagement=merge(known, after.engagement))


def _last(engagement: Engagement) -> tuple[int | None, int | None]:
    return engagement.last_at, engagement.last_kind


def _grouped(rows: Sequence[EventRow]) -> dict[tuple[int, str], list[EventRow]]:
    groups = defaultdict(list)
    for row in rows:
        groups[row.stream, row.issue_id].append(row)
    return groups
