"""The read model's table, and the view that shows it under the names of the API."""

from sqlalchemy import (
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    bindparam,
    select,
    text,
)

from ledger.interaction import Kind
from ledger.store.tables import Big, accounts
from ledger.store.tables import streams as _streams

metadata = MetaData()

DERIVED = {"kind": "derived"}

engagements = Table(
    "engagements",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=False, comment="position of the first event"),
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

_e = engagements.c

Index("engagements_by_issue_of_user", _e.stream, _e.issue_id, unique=True)
Index("engagements_by_score", _e.stream, _e.score)
Index("engagements_by_issue", _e.issue_id)
Index("engagements_by_last_interaction", _e.last_at)
Index("engagements_by_rank", _e.stream, _e.band, _e.active_at.desc(), _e.issue_id)

STREAM_OF_USER = (
    select(accounts.c.stream).where(accounts.c.user_id == bindparam("user_id")).scalar_subquery()
)
"""The number that stands for a user."""

_KIND_LABEL = " ".join(f"WHEN {int(kind)} THEN '{kind.label}'" for kind in Kind)

# Text and user ids have one home each, origins and accounts: forgetting them there is enough.
issue_engagements = text(
    # The kinds are the only thing that is put in, and they are our own.
    f"""CREATE VIEW issue_engagements AS
    SELECT e.id, a.user_id, e.issue_id, COALESCE(e.linear_id, e.issue_id) AS linear_id,
           CASE e.last_kind {_KIND_LABEL} END AS interaction_type,
           e.mentions + e.views + e.queries AS interaction_count,
           e.score AS engagement_score,
           e.last_at AS last_interaction, e.first_at AS first_interaction,
           o.context, CAST(o.metadata AS TEXT) AS extra_metadata,
           e.scored_at, e.policy_version
    FROM engagements e
    JOIN accounts a ON a.stream = e.stream
    LEFT JOIN origins o ON o.position = e.last_position"""  # noqa: S608 - see above
)
"""The read model for SQL from outside."""
