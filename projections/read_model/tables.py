"""The tables of the read model, and the view that shows it to SQL from outside."""

from collections.abc import Iterator
from typing import Any

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
    text,
)

from ledger.commands import OVERRIDE, Kind
from ledger.events import INTERACTION, POLICY
from ledger.store.tables import Big, accounts
from ledger.store.tables import streams as _streams
from projections.engagement import COUNTS, DECISION_FIELDS, EXTREME_NAMES, LASTS
from projections.policy import ALL_KINDS, DECIMALS, DEFAULT_POLICY

# The derived tables: read models, their watermarks, and sealed engagements.

metadata = MetaData()

DERIVED = {"kind": "derived"}


def _fold_columns() -> Iterator[Column[Any]]:
    """The columns of an engagement's values, in the order of VALUE_NAMES."""
    for kind in Kind:
        yield Column(kind.count_name, Integer, nullable=False)
    for name in EXTREME_NAMES:
        yield Column(name, Big)
    for kind in Kind:
        yield Column(kind.last_name, Big, comment=f"when the last {kind.label} was")
    yield Column("linear_at", Big)
    yield Column("linear_id", Text)
    for fields in DECISION_FIELDS:
        yield Column(fields.at, Big)
        yield Column(fields.value, Double, comment=f"of the latest {fields.topic}")


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
        *_fold_columns(),
        Column("last_at", Big, comment="the latest of those by kind"),
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
    *_fold_columns(),
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
    Column("checksum", Big, nullable=False, comment="projections.read_model.snapshots"),
    info=DERIVED,
    comment="what the sealed engagements of each account were when they were last certified",
)

issue_keys = Table(
    "issue_keys",
    metadata,
    Column("key", Text, primary_key=True),
    Column("stream", ForeignKey(_streams.c.id), primary_key=True, comment="of the issue"),
    Column("position", Big, nullable=False, comment="of the first event that names the key"),
    info=DERIVED,
    sqlite_with_rowid=False,
    comment="which issues of Linear a key names, or named before",
)
Index("issue_keys_by_stream", issue_keys.c.stream)

moved_issues = Table(
    "moved_issues",
    metadata,
    Column("stream", ForeignKey(_streams.c.id), primary_key=True, comment="of the issue"),
    Column("position", Big, nullable=False, index=True, comment="of its last observation"),
    info=DERIVED,
    sqlite_with_rowid=False,
    comment="the issues of Linear that had several keys, or share one with another issue",
)

latest_observations = Table(
    "latest_observations",
    metadata,
    Column("stream", ForeignKey(_streams.c.id), primary_key=True, comment="of the issue"),
    Column("updated_at", Big, nullable=False, comment="the latest"),
    Column("said_at", Big, nullable=False, comment="the latest"),
    Column("position", Big, comment="of the only observation that has both, if there is one"),
    info=DERIVED,
    sqlite_with_rowid=False,
    comment="what Linear said last of each issue: saying it again is no news",
)

OF_ISSUES = (issue_keys, moved_issues, latest_observations)
"""The tables that follow from observations, and are written with them."""

STREAM_OF_USER = (
    select(accounts.c.stream).where(accounts.c.user_id == bindparam("user_id")).scalar_subquery()
)
"""The number that stands for a user."""


# The view of the read model for external SQL, under the names of the API.
#
# It is plain SQL for any program that reads the file. Engagements that the tail does not touch are
# shown as stored. The others are merged here; the greatest combination of several columns is found
# as a text that sorts as they do. Their score is that at idle since, when nothing has decayed (R4),
# so no exponential is needed.

_WATERMARK = f"(SELECT position FROM read_models WHERE name = '{LIVE_NAME}')"  # noqa: S608 - our own words
_INSTANT = 20
"""Digits of an instant or a position in a text that sorts as the number does."""


_UNIT, _FIRST = 10**DECIMALS, 2**23
"""Decimals and bits of a score, whose product is less than 2**63."""


def _linear(at: str, linear_id: str) -> str:
    return f"printf('%0{_INSTANT}d%s', {at}, {linear_id})"


def _touch(at: str, kind: str, position: str) -> str:
    return f"printf('%0{_INSTANT}d%d%0{_INSTANT}d', {at}, {kind}, {position})"


def _override(at: str, score: str) -> str:
    # Without "!" SQLite writes only 16 digits, which changes the number.
    return f"printf('%0{_INSTANT}d%!.20f', {at}, {score})"


def _rounded(score: str) -> str:
    """An expression that rounds a number from 0 to 1 as Python does.

    SQLite's `round` adds a little first, so that 0.4625758047925 ends in 3 instead of 2. Here the
    leading bits are multiplied as integers, and the rest is so small that no digit of it is lost.
    """
    first = f"CAST({score} * {_FIRST} AS INTEGER)"
    scaled = f"{first} * {_UNIT}"
    rest = f"({scaled}) % {_FIRST} / {_FIRST}.0 + ({score} - {first} / {_FIRST}.0) * {_UNIT}"
    return f"(({scaled}) / {_FIRST} + CAST({rest} + 0.5 AS INTEGER)) / {_UNIT}.0"


def _later(stored: str, given: str, of_tail: str) -> str:
    """The greater of two texts; empty if neither has an instant."""
    known = f"CASE WHEN e.{given} IS NOT NULL THEN {stored} END"
    return f"max(COALESCE({known}, ''), COALESCE(t.{of_tail}, '')) AS {of_tail}"


def _policy(name: str) -> str:
    return (
        f"COALESCE(json_extract(fields, '$.{name}'), {getattr(DEFAULT_POLICY, name)!r}) AS {name}"
    )


def _counts(kind: Kind) -> str:
    """1 if the policy counts interactions of the kind, else 0."""
    listed = f"json_extract(fields, '$.kinds') LIKE '%\"{kind.label}\"%'"
    return f"COALESCE({listed}, {int(kind in DEFAULT_POLICY.kinds)}) AS {kind.count_name}"


_POLICY = f"""
        SELECT {", ".join(map(_policy, ("frequency_weight", "recency_weight")))},
               {_policy("frequency_per_interaction")},
               {", ".join(map(_counts, ALL_KINDS))}
        FROM (SELECT 1) LEFT JOIN (
            SELECT json_extract(CAST(state AS TEXT), '$.fields') AS fields
            FROM events JOIN streams ON streams.id = events.stream
            JOIN ledger ON ledger.originator_id = streams.originator_id
            WHERE topic = '{POLICY}' ORDER BY events.version DESC LIMIT 1)"""  # noqa: S608 - our own words

_TAIL_KINDS = ",\n               ".join(
    f"count(*) FILTER (WHERE t.kind = {int(kind)}) AS {kind.count_name},"
    f" max(t.occurred_at) FILTER (WHERE t.kind = {int(kind)}) AS {kind.last_name}"
    for kind in Kind
)
_TAIL = f"""
        SELECT t.stream, a.user_id, t.issue_id, min(t.position) AS id,
               min(t.occurred_at) FILTER (WHERE t.topic = '{INTERACTION}') AS first_at,
               {_TAIL_KINDS},
               max({_linear("t.occurred_at", "t.linear_id")})
                   FILTER (WHERE t.linear_id NOT NULL) AS linear,
               max({_touch("t.occurred_at", "t.kind", "t.position")})
                   FILTER (WHERE t.topic = '{INTERACTION}') AS touch,
               max({_override("t.occurred_at", "t.score")})
                   FILTER (WHERE t.topic = '{OVERRIDE}') AS override
        FROM events t JOIN accounts a ON a.stream = t.stream
        WHERE t.position > {_WATERMARK} AND t.issue_id NOT NULL
        GROUP BY a.user_id, t.issue_id"""  # noqa: S608 - our own words

_SUMS = ", ".join(
    f"t.{count} + COALESCE(e.{count}, 0) AS {count},"
    f" max(COALESCE(t.{at}, 0), COALESCE(e.{at}, 0)) AS {at}"
    for count, at in zip(COUNTS, LASTS, strict=True)
)
_WHOLE = f"""
        SELECT COALESCE(e.id, t.id) AS id, t.user_id, t.issue_id, {_SUMS},
               min(COALESCE(t.first_at, e.first_at), COALESCE(e.first_at, t.first_at)) AS first_at,
               {_later(_linear("e.linear_at", "e.linear_id"), "linear_at", "linear")},
               {_later(_touch("e.last_at", "e.last_kind", "e.last_position"), "last_at", "touch")},
               {_later(_override("e.override_at", "e.override"), "override_at", "override")}
        FROM tail t LEFT JOIN engagements e ON e.stream = t.stream AND e.issue_id = t.issue_id"""  # noqa: S608 - our own words

_COUNTED = " + ".join(f"w.{count} * p.{count}" for count in COUNTS)
_ACTIVE_AT = ", ".join(f"w.{at} * p.{count}" for count, at in zip(COUNTS, LASTS, strict=True))
_SCORED = f"""
        SELECT w.*, {_COUNTED} AS counted, max({_ACTIVE_AT}) AS active_at,
               CAST(substr(w.override, 1, {_INSTANT}) AS INTEGER) AS override_at,
               CAST(substr(w.override, {_INSTANT} + 1) AS REAL) AS base,
               CAST(substr(w.touch, 1, {_INSTANT}) AS INTEGER) AS last_at,
               CAST(substr(w.touch, {_INSTANT} + 1, 1) AS INTEGER) AS last_kind,
               CAST(substr(w.touch, {_INSTANT} + 2) AS INTEGER) AS last_position,
               p.frequency_weight * min(1.0, p.frequency_per_interaction * ({_COUNTED}))
                   + p.recency_weight AS weighted
        FROM whole w JOIN policy p"""  # noqa: S608 - our own words


def _count_of(row: str) -> str:
    return " + ".join(f"{row}.{count}" for count in COUNTS)


_KIND_LABEL = " ".join(f"WHEN {int(kind)} THEN '{kind.label}'" for kind in Kind)

# Texts are only in origins and user ids only in accounts, so forgetting them there is enough.
issue_engagements = text(
    f"""CREATE VIEW issue_engagements AS
    WITH policy AS ({_POLICY}),
    tail AS ({_TAIL}),
    whole AS ({_WHOLE}),
    scored AS ({_SCORED})
    SELECT e.id, a.user_id, e.issue_id, COALESCE(e.linear_id, e.issue_id) AS linear_id,
           CASE e.last_kind {_KIND_LABEL} END AS interaction_type,
           {_count_of("e")} AS interaction_count,
           e.score AS engagement_score,
           {written("e.last_at")} AS last_interaction,
           {written("e.first_at")} AS first_interaction,
           o.context, CAST(o.metadata AS TEXT) AS extra_metadata,
           {written("e.scored_at")} AS scored_at, e.policy_version
    FROM engagements e
    JOIN accounts a ON a.stream = e.stream
    LEFT JOIN origins o ON o.position = e.last_position
    WHERE (SELECT position FROM events l WHERE l.stream = e.stream
           ORDER BY l.version DESC LIMIT 1) <= {_WATERMARK}
    OR e.stream || ' ' || e.issue_id NOT IN (
        SELECT stream || ' ' || issue_id FROM events
        WHERE position > {_WATERMARK} AND issue_id NOT NULL)
    UNION ALL
    SELECT CAST(s.id AS INTEGER), s.user_id, s.issue_id,
           COALESCE(NULLIF(substr(s.linear, {_INSTANT} + 1), ''), s.issue_id),
           CASE s.last_kind {_KIND_LABEL} END,
           {_count_of("s")},
           CAST(CASE WHEN s.override_at > 0 AND s.override_at >= s.active_at
                THEN {_rounded("s.base")}
                WHEN s.counted = 0 THEN 0.0 ELSE {_rounded("s.weighted")} END AS REAL),
           {written("s.last_at")},
           {written("s.first_at")},
           o.context, CAST(o.metadata AS TEXT),
           {written("COALESCE(NULLIF(max(s.active_at, s.override_at), 0), s.last_at)")},
           CAST((SELECT policy_version FROM head) AS INTEGER)
    FROM scored s LEFT JOIN origins o ON o.position = s.last_position"""  # noqa: S608 - our own words
)
"""The read model for SQL from outside."""
