"""The ledger's tables, all of which are truth: events, their links to people, and counters.

Instants are integer microseconds UTC. Kinds are the ranks of `ledger.commands.Kind`.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ColumnElement,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
)

from ledger.commands import Kind

metadata = MetaData()

TRUTH = {"kind": "truth"}

# Positions and instants need 64 bits; on SQLite only INTEGER can be a rowid, and it holds 64.
Big = BigInteger().with_variant(Integer, "sqlite")

CHECKSUM = "checksum"
"""The column of `ledger.store.rows`: in each table of truth but `sources` and `origins`."""


def _checksum() -> Column[int]:
    comment = "CRC-32 of the row; null if an older version wrote it and it was not verified since"
    return Column(CHECKSUM, Integer, comment=comment)


ledger = Table(
    "ledger",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True, autoincrement=False),
    Column("schema_version", Integer, nullable=False),
    Column("originator_id", LargeBinary(16), nullable=False, comment="the ledger's own stream"),
    Column("digest_key", LargeBinary(32), nullable=False, comment="secret of the digests"),
    _checksum(),
    info=TRUTH,
    comment="one row: which ledger this is",
)

head = Table(
    "head",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True, autoincrement=False),
    Column("position", Big, nullable=False, comment="the last position given"),
    Column("recorded_at", Big, nullable=False, comment="the last instant given"),
    Column(
        "policy_version",
        Integer,
        nullable=False,
        server_default="1",
        comment="of the scoring policy in force",
    ),
    Column(
        "sources_sum",
        Big,
        comment="of the rows of `sources`; null under the same condition as a checksum",
    ),
    _checksum(),
    info=TRUTH,
    comment="one row: where the order of events ends, also when events are archived",
)

streams = Table(
    "streams",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("originator_id", LargeBinary(16), nullable=False, unique=True, comment="the account"),
    Column(
        "version",
        Integer,
        nullable=False,
        comment="the last version given, or an earlier one while later events are hot",
    ),
    _checksum(),
    info=TRUTH,
    comment="the accounts, interned, and where each one's sealed events end",
)

accounts = Table(
    "accounts",
    metadata,
    Column("stream", ForeignKey(streams.c.id), primary_key=True, autoincrement=False),
    Column("user_id", Text, nullable=False, unique=True),
    Column("display_name", Text),
    _checksum(),
    info=TRUTH,
    comment="the only tie between a user and an account; deleting a row forgets the user",
)

places = Table(
    "places",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("place", LargeBinary(16), nullable=False, unique=True),
    Column("chat_id", Text, unique=True, comment="null once forgotten"),
    _checksum(),
    info=TRUTH,
    comment="the random ids that stand for chats",
)

aliases = Table(
    "aliases",
    metadata,
    Column("chat_id", Text, primary_key=True),
    Column("place", ForeignKey(places.c.id), nullable=False),
    _checksum(),
    info=TRUTH,
    sqlite_with_rowid=False,
    comment="the former ids of chats, of groups that became supergroups",
)

opt_outs = Table(
    "opt_outs",
    metadata,
    Column("user_digest", LargeBinary(16), primary_key=True, comment="keyed, of the user's id"),
    Column("before_at", Big, nullable=False, comment="nothing that occurred earlier is recorded"),
    Column("erased_at", Big, comment="where the last deletion stands; no opt-in goes behind it"),
    Column("traces", SmallInteger, nullable=False, comment="1 while files may hold deleted bytes"),
    _checksum(),
    info=TRUTH,
    sqlite_with_rowid=False,
    comment="who does not want to be recorded, without saying who that is",
)

job_runs = Table(
    "job_runs",
    metadata,
    Column("job", Text, primary_key=True),
    Column("day", Text, primary_key=True, comment="the logical day, as an ISO date"),
    Column("ran_at", Big, nullable=False),
    Column("counted", Big, nullable=False, comment="what the job counted"),
    _checksum(),
    info=TRUTH,
    sqlite_with_rowid=False,
    comment="which logical days of scheduled jobs are done",
)

events = Table(
    "events",
    metadata,
    Column("position", Big, CheckConstraint("position > 0"), primary_key=True, autoincrement=True),
    Column("stream", ForeignKey(streams.c.id), nullable=False),
    Column("version", Integer, nullable=False),
    Column("topic", Text, nullable=False),
    Column("recorded_at", Big, nullable=False),
    Column("issue_id", Text),
    Column("kind", SmallInteger, CheckConstraint(f"kind BETWEEN 1 AND {len(Kind)}")),
    Column("occurred_at", Big),
    Column("linear_id", Text),
    Column("score", Double, comment="what an override sets the base to"),
    Column("place", ForeignKey(places.c.id)),
    Column("commitment", LargeBinary(32), comment="SHA-256 of a salt and the origin"),
    Column("state", LargeBinary, comment="what all other events say"),
    _checksum(),
    UniqueConstraint("stream", "version"),
    info=TRUTH,
    sqlite_autoincrement=True,
    comment="the ledger: immutable, in one total order",
)

IS_HIDING: ColumnElement[bool] = literal_column("topic = 'hiding'")
"""Written out in statements, too: SQLite uses a partial index only if it sees its condition."""

hidings_of_user = Index("hidings_of_user", events.c.stream, sqlite_where=IS_HIDING)
"""Every list asks for its user's hidings, which are few among the events."""


IS_OBSERVATION: ColumnElement[bool] = literal_column("topic = 'observation'")

observations = Index("observations", events.c.stream, sqlite_where=IS_OBSERVATION)
"""Finds all observations without reading the other events."""


def complete_for(dialect: str) -> None:
    """Add options of one dialect, since naming PostgreSQL's above would load it at each start."""
    if dialect == "postgresql":
        hidings_of_user.dialect_kwargs["postgresql_where"] = IS_HIDING
        observations.dialect_kwargs["postgresql_where"] = IS_OBSERVATION


segments = Table(
    "segments",
    metadata,
    Column("first_position", Big, primary_key=True, autoincrement=False),
    Column("last_position", Big, primary_key=True, autoincrement=False),
    Column("events", Big, nullable=False, comment="how many its file holds"),
    Column("first_recorded_at", Big, nullable=False),
    Column("last_recorded_at", Big, nullable=False),
    Column("digest", LargeBinary(32), nullable=False, comment="SHA-256 of what its events say"),
    Column("size_bytes", Big, nullable=False),
    Column("blocks", LargeBinary, nullable=False, comment="the digests of the blocks of its file"),
    Column("certificates", Text, nullable=False, comment="a JSON array: why rows could be deleted"),
    _checksum(),
    info=TRUTH,
    comment="the ranges of positions that were sealed; their events are in files of the archive",
)

retired = Table(
    "retired",
    metadata,
    Column("first_position", Big, primary_key=True, autoincrement=False),
    Column("last_position", Big, primary_key=True, autoincrement=False),
    Column("retired_at", Big, nullable=False, comment="when a merged segment replaced it"),
    Column("size_bytes", Big, nullable=False),
    Column("blocks", LargeBinary, nullable=False, comment="the digests of the blocks of its file"),
    _checksum(),
    info=TRUTH,
    comment="segments that were merged into a larger one, and whose files are still to be removed",
)

sources = Table(
    "sources",
    metadata,
    Column("digest", LargeBinary(16), primary_key=True),
    Column("position", Big, nullable=False, comment="the event that the source key counted as"),
    info=TRUTH,
    sqlite_with_rowid=False,
    comment="the source keys that were counted, as keyed digests",
)

origins = Table(
    "origins",
    metadata,
    Column("position", Big, primary_key=True, autoincrement=False, comment="of its event"),
    Column("salt", LargeBinary(16), nullable=False),
    Column("context", Text),
    Column("metadata", LargeBinary, comment="a JSON object"),
    Column("source", Text, comment="the source as a person reads it"),
    info=TRUTH,
    comment="what was said and where, kept apart from the event so that it can be deleted",
)

linear_texts = Table(
    "linear_texts",
    metadata,
    Column("id", LargeBinary(16), primary_key=True, comment="Linear's UUID of what is named"),
    Column("text", Text, nullable=False, comment="an issue's title, or a name"),
    Column("url", Text),
    Column("said_at", Big, nullable=False, comment="when Linear said it"),
    _checksum(),
    info=TRUTH,
    sqlite_with_rowid=False,
    comment="titles of issues, and names of states, labels, cycles and projects; can be deleted",
)

linear_links = Table(
    "linear_links",
    metadata,
    Column("stream", ForeignKey(streams.c.id), primary_key=True, autoincrement=False),
    Column("linear_stream", ForeignKey(streams.c.id), unique=True, comment="of the Linear user"),
    Column("code_digest", LargeBinary(16), unique=True, comment="keyed, of a code not used yet"),
    Column("expires_at", Big, comment="when the code ends"),
    _checksum(),
    info=TRUTH,
    comment="which user is which Linear user, by their accounts; can be deleted",
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("stream", ForeignKey(streams.c.id), primary_key=True, autoincrement=False),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("topic", Text, nullable=False),
    Column("state", LargeBinary, nullable=False),
    _checksum(),
    info=TRUTH,
    comment="aggregate snapshots of other eventsourcing applications in this store",
)

tracking = Table(
    "tracking",
    metadata,
    Column("application_name", Text, primary_key=True),
    Column("position", Big, nullable=False),
    _checksum(),
    info=TRUTH,
    comment="how far followers of other ledgers have read",
)
