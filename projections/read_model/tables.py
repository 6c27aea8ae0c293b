"""The derived tables: read models, their watermarks, and sealed engagements."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    bindparam,
    literal_column,
    select,
)

from ledger.store.tables import Big, accounts
from ledger.store.tables import streams as _streams

metadata = MetaData()

DERIVED = {"kind": "derived"}


def engagement_table(into: MetaData, name: str, indexes: str) -> Table:
    """A table of engagements; the names of its indexes begin with `indexes`.

    Index names are unique within a database, and stay when a table is renamed.
    """
    table = Table(
        name,
        into,
        Column(
            "id", Big, primary_key=True, autoincrement=False, comment="position of the first event"
        ),
        Column("stream", ForeignKey(_streams.c.id), nullable=False),
        Column("issue_id", Text, nullable=False),
        Column("mentions", Integer, nullable=False),
        Column("views", Integer, nullable=False),
        Column("queries", Integer, nullable=False),
        Column("first_at", Big),
        Column("mentioned_at", Big, comment="when the last mention was"),
        Column("viewed_at", Big),
        Column("queried_at", Big),
        Column("linear_at", Big),
        Column("linear_id", Text),
        Column("override_at", Big),
        Column("override", Double),
        Column("last_at", Big, comment="the latest of the three"),
        Column("last_kind", SmallInteger),
        Column("last_position", Big, comment="of the last interaction; its origin has the context"),
        Column("band", Integer, nullable=False, comment="projections.ranking.band"),
        Column("active_at", Big, comment="the last interaction that counts, by policy_version"),
        Column("score", Double, nullable=False, comment="at scored_at, by policy_version"),
        Column("scored_at", Big, nullable=False),
        Column("policy_version", Integer, nullable=False),
        info=DERIVED,
        comment="the fold of each user's events with each issue",
    )
    _index(table, indexes)
    return table


def written(instant: str) -> str:
    """A SQL expression of an instant as text: `YYYY-MM-DD HH:MM:SS.ffffff` in UTC.

    The view and its index must have the same expression. No instant is before 2000, so no remainder
    is negative.
    """
    seconds = f"strftime('%Y-%m-%d %H:%M:%S', {instant} / 1000000, 'unixepoch')"
    return f"{seconds} || printf('.%06d', {instant} % 1000000)"


def _index(table: Table, names: str) -> None:
    of = table.c
    Index(f"{names}_by_issue_of_user", of.stream, of.issue_id, unique=True)
    Index(f"{names}_by_score", of.stream, of.score)
    Index(f"{names}_by_issue", of.issue_id)
    last: ColumnElement[str] = literal_column(written(of.last_at.name))
    Index(f"{names}_by_last_interaction", last, _table=table).ddl_if(dialect="sqlite")
    Index(f"{names}_by_rank", of.stream, of.band, of.active_at.desc(), of.issue_id)


engagements = engagement_table(metadata, "engagements", "engagements")
"""The live table, which answers questions."""

LIVE_NAME = "live"
"""The name of the live read model in the list of read models."""

read_models = Table(
    "read_models",
    metadata,
    Column(
        "name",
        Text,
        primary_key=True,
        comment="the engagements of live are in the table engagements, of others in replay_ name",
    ),
    Column("position", Big, nullable=False, comment="its watermark: the last event folded"),
    Column("policy_version", Integer, nullable=False, comment="by which it is scored"),
    Column("identical", SmallInteger, comment="with the live one when they were compared; 0, 1"),
    info=DERIVED,
    sqlite_with_rowid=False,
    comment="the tables of engagements, and up to which event each is folded",
)

comparison = Table(
    "comparison",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True, autoincrement=False),
    Column("account", Text, nullable=False, comment="the last one that was compared"),
    Column("events", Big, nullable=False, comment="that were folded up to there"),
    Column("engagements", Big, nullable=False),
    info=DERIVED,
    comment="one row while a replay compares: how far it came without a difference",
)

sealed_engagements = Table(
    "sealed_engagements",
    metadata,
    Column("stream", ForeignKey(_streams.c.id), primary_key=True, autoincrement=False),
    Column("issue_id", Text, primary_key=True),
    Column("id", Big, nullable=False, comment="position of the first sealed event"),
    Column("mentions", Integer, nullable=False),
    Column("views", Integer, nullable=False),
    Column("queries", Integer, nullable=False),
    Column("first_at", Big),
    Column("mentioned_at", Big),
    Column("viewed_at", Big),
    Column("queried_at", Big),
    Column("linear_at", Big),
    Column("linear_id", Text),
    Column("override_at", Big),
    Column("override", Double),
    Column("last_position", Big, comment="of the last sealed interaction"),
    Column("scored_at", Big, nullable=False, comment="when the last sealed event was recorded"),
    info=DERIVED,
    sqlite_with_rowid=False,
    comment="the fold of each user's sealed events with each issue",
)

sealed_accounts = Table(
    "sealed_accounts",
    metadata,
    Column("stream", ForeignKey(_streams.c.id), primary_key=True, autoincrement=False),
    Column("engagements", Integer, nullable=False, comment="how many of them are sealed"),
    Column("checksum", Big, nullable=False, comment="projections.read_model.sealed_sums"),
    info=DERIVED,
    comment="what the sealed engagements of each account were when they were last certified",
)

STREAM_OF_USER = (
    select(accounts.c.stream).where(accounts.c.user_id == bindparam("user_id")).scalar_subquery()
)
"""The number that stands for a user."""
