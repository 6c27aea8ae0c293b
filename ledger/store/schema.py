"""The schema: tables, triggers that keep them immutable (R9), and upgrades from older versions."""

from functools import cache
from pathlib import Path
from secrets import token_bytes
from uuid import uuid4

from sqlalchemy import Connection, Table, insert, inspect, select, true
from sqlalchemy.schema import CreateColumn

from ledger.archive.segment_files import Files
from ledger.errors import LedgerLostError, LedgerUnavailableError
from ledger.idempotency import DIGEST_KEY_BYTES
from ledger.store import tables
from ledger.store.database import Database
from ledger.store.rows import change, with_checksum
from ledger.store.statements import Query, Statement, value

VERSION = 8


def _unless_first_checksum(table: Table) -> str:
    same = (f"NEW.{name} IS OLD.{name}" for name in table.c.keys() if name != tables.CHECKSUM)  # noqa: SIM118 - columns, not names
    return f"WHEN NOT (OLD.{tables.CHECKSUM} IS NULL AND {' AND '.join(same)})"


# An event's contents never change, and positions and versions are never reused. The
# triggers before an INSERT also stop REPLACE, which deletes without asking a DELETE trigger.
_GUARDS_OF_VERSION_1 = {
    "events_are_never_updated BEFORE UPDATE ON events": "",
    "events_are_never_deleted BEFORE DELETE ON events": "",
    "events_are_appended_once BEFORE INSERT ON events": """
        WHEN NEW.position NOT BETWEEN 1 AND (SELECT position FROM head)
        OR EXISTS (SELECT 1 FROM events WHERE position = NEW.position)
        OR EXISTS (SELECT 1 FROM events WHERE stream = NEW.stream AND version = NEW.version)""",
    "head_never_goes_back BEFORE UPDATE ON head": """
        WHEN NEW.position < OLD.position OR NEW.recorded_at < OLD.recorded_at
        OR NEW.policy_version < OLD.policy_version""",
    "head_is_never_deleted BEFORE DELETE ON head": "",
    "head_is_never_replaced BEFORE INSERT ON head": "WHEN EXISTS (SELECT 1 FROM head)",
    "versions_never_go_back BEFORE UPDATE ON streams": "WHEN NEW.version < OLD.version",
    "streams_never_change_hands BEFORE UPDATE OF id, originator_id ON streams": "",
    "streams_are_never_deleted BEFORE DELETE ON streams": "",
    "streams_are_never_replaced BEFORE INSERT ON streams": """
        WHEN EXISTS (SELECT 1 FROM streams
                     WHERE id = NEW.id OR originator_id = NEW.originator_id)""",
    "the_identity_never_changes BEFORE UPDATE OF id, originator_id, digest_key ON ledger": "",
    "the_identity_is_never_deleted BEFORE DELETE ON ledger": "",
    "the_identity_is_never_replaced BEFORE INSERT ON ledger": "WHEN EXISTS (SELECT 1 FROM ledger)",
}

# A deleted past stays barred: no opt-in moves the barrier to before the last deletion.
_GUARDS_OF_VERSION_2 = {
    "barriers_never_go_back BEFORE UPDATE ON opt_outs": """
        WHEN NEW.user_digest IS NOT OLD.user_digest
        OR (OLD.erased_at IS NOT NULL
            AND (NEW.erased_at IS NULL OR NEW.erased_at < OLD.erased_at))
        OR NEW.before_at < NEW.erased_at""",
    "barriers_are_never_deleted BEFORE DELETE ON opt_outs": "",
    "barriers_are_never_replaced BEFORE INSERT ON opt_outs": """
        WHEN EXISTS (SELECT 1 FROM opt_outs WHERE user_digest = NEW.user_digest)""",
}
# Positions are sealed from the first one on without a gap, so the last one tells which are. A
# stream's version is written after its events, so it is that of the events before.
_SEALED = (
    """COALESCE((SELECT last_position FROM segments ORDER BY first_position DESC LIMIT 1), 0)"""
)
_GUARDS_OF_VERSION_4 = {
    "events_are_never_deleted BEFORE DELETE ON events": f"""
        WHEN OLD.issue_id IS NULL OR OLD.position > {_SEALED}""",
    "events_are_appended_once BEFORE INSERT ON events": f"""
        WHEN NEW.position NOT BETWEEN 1 AND (SELECT position FROM head)
        OR NEW.position <= {_SEALED}
        OR NEW.version <= (SELECT version FROM streams WHERE id = NEW.stream)
        OR EXISTS (SELECT 1 FROM events WHERE position = NEW.position)
        OR EXISTS (SELECT 1 FROM events WHERE stream = NEW.stream AND version = NEW.version)""",  # noqa: S608 - our own words
    "segments_are_never_updated BEFORE UPDATE ON segments": "",
    "segments_are_only_merged BEFORE DELETE ON segments": """
        WHEN NOT EXISTS (SELECT 1 FROM segments
            WHERE first_position <= OLD.first_position AND last_position >= OLD.last_position
            AND (first_position < OLD.first_position OR last_position > OLD.last_position))""",
    "segments_leave_no_gap BEFORE INSERT ON segments": f"""
        WHEN NEW.last_position NOT BETWEEN NEW.first_position AND (SELECT position FROM head)
        OR EXISTS (SELECT 1 FROM segments
            WHERE first_position = NEW.first_position AND last_position = NEW.last_position)
        OR NOT (NEW.first_position = {_SEALED} + 1
            OR (EXISTS (SELECT 1 FROM segments WHERE first_position = NEW.first_position)
                AND EXISTS (SELECT 1 FROM segments WHERE last_position = NEW.last_position)))""",  # noqa: S608 - our own words
}

# A checksum may be given once to a row that has none. Conditions name what must not change: `UPDATE
# OF` would not catch `SET rowid`.
_GUARDS_OF_VERSION_5 = {
    "events_are_never_updated BEFORE UPDATE ON events": _unless_first_checksum(tables.events),
    "segments_are_never_updated BEFORE UPDATE ON segments": _unless_first_checksum(tables.segments),
    "head_never_goes_back BEFORE UPDATE ON head": """
        WHEN NEW.position < OLD.position OR NEW.policy_version < OLD.policy_version
        OR (NEW.recorded_at < OLD.recorded_at AND NOT EXISTS (SELECT 1 FROM events WHERE
            position = NEW.position AND topic = 'clock' AND recorded_at = NEW.recorded_at))""",
    "barriers_never_go_back BEFORE UPDATE ON opt_outs": """
        WHEN NEW.user_digest IS NOT OLD.user_digest
        OR (OLD.erased_at IS NOT NULL
            AND (NEW.erased_at IS NULL OR (NEW.erased_at < OLD.erased_at AND NOT EXISTS (
                SELECT 1 FROM events WHERE position = (SELECT position FROM head)
                AND topic = 'clock' AND recorded_at = NEW.erased_at))))
        OR NEW.before_at < NEW.erased_at""",
    "streams_never_change_hands BEFORE UPDATE ON streams": """
        WHEN NEW.id IS NOT OLD.id OR NEW.originator_id IS NOT OLD.originator_id""",
    "the_identity_never_changes BEFORE UPDATE ON ledger": """
        WHEN NEW.id IS NOT OLD.id OR NEW.originator_id IS NOT OLD.originator_id
        OR NEW.digest_key IS NOT OLD.digest_key""",
}
# Observations leave the hot store, too. Those in ranges that an earlier version sealed stay there:
# rows can only be deleted right after a sealing, which happens in its transaction.
_GUARDS_OF_VERSION_8 = {
    "events_are_never_deleted BEFORE DELETE ON events": f"""
        WHEN (OLD.issue_id IS NULL AND OLD.topic <> 'observation') OR OLD.position > {_SEALED}
        OR NOT EXISTS (SELECT 1 FROM events WHERE topic = 'sealing'
            AND position = (SELECT position FROM head))""",  # noqa: S608 - our own words
}
_OPT_OUTS_SINCE, _POLICIES_SINCE, _SEGMENTS_SINCE, _CHECKSUMS_SINCE = 2, 3, 4, 5
_HIDINGS_SINCE, _OBSERVATIONS_SINCE, _SEALED_OBSERVATIONS_SINCE = 6, 7, 8
_TABLES_OF_VERSION_2 = (tables.aliases, tables.opt_outs, tables.job_runs)


def prepare(database: Database) -> None:
    """Create the schema in an empty database, or upgrade one of an older version.

    Raises LedgerUnavailableError for a database of a newer version or of something else, and for
    one of an older version that cannot be written; LedgerLostError as `refuse_if_lost` does.
    """
    version = None
    if database.exists():
        with database.read() as connection:
            version = version_of(connection)
    if version is None:
        refuse_if_lost(database)
    try:
        if version != VERSION:
            with database.write() as connection:
                _bring_up(connection)
        database.hold()
    except LedgerUnavailableError as error:
        if version is None:
            raise
        message = f"the ledger's schema is version {version} and must become {VERSION}: {error}"
        raise LedgerUnavailableError(message) from error


def refuse_if_lost(database: Database) -> None:
    """Raise LedgerLostError if the file is missing or empty, but other files of a ledger are there.

    A new ledger in its place would seal other events under the same names, and SQLite would delete
    the log of the lost one.
    """
    found = beside_lost(database)
    if found is not None:
        raise LedgerLostError(database.described, found)


def beside_lost(database: Database) -> str | None:
    """A description of the files that are left of a lost ledger: segments, barriers or a log."""
    path, files = database.path, Files(database.archive_folder)
    if path is None or database.barriers is None:
        return None
    segments = len(files.in_place()) + len(files.moved_aside())
    if segments:
        return f"an archive with {segments} segment{'s' if segments > 1 else ''}"
    if not database.barriers.is_empty():
        return "a file of barriers"
    log = path.with_name(f"{path.name}-wal")
    return "a write-ahead log" if not database.exists() and _size(log) else None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


_VERSION: Query[object] = Query(value, select(tables.ledger.c.schema_version))


def version_of(connection: Connection) -> int | None:
    """The schema's version, or None in an empty database."""
    inspector = inspect(connection)
    names = inspector.get_table_names() or inspector.get_view_names()
    if not names:
        return None
    version = None
    if tables.ledger.name in names:
        known = {column["name"] for column in inspector.get_columns(tables.ledger.name)}
        has_version = tables.ledger.c.schema_version.name in known
        version = _VERSION.first(connection) if has_version else None
    if not isinstance(version, int):
        message = "the database is not that of a ledger"
        raise LedgerUnavailableError(message)
    if version > VERSION:
        message = f"the ledger's schema is version {version}; this program knows {VERSION}"
        raise LedgerUnavailableError(message)
    return version


def _bring_up(connection: Connection) -> None:
    tables.complete_for(connection.dialect.name)
    version = version_of(connection)  # another process may have upgraded it meanwhile
    if version is None:
        create(connection)
    elif version < VERSION:
        if version < _POLICIES_SINCE:
            _widen_head(connection)
        if version < _OPT_OUTS_SINCE:
            tables.metadata.create_all(connection, _TABLES_OF_VERSION_2)
            _guard(connection, _GUARDS_OF_VERSION_2)
        if version < _SEGMENTS_SINCE:
            tables.segments.create(connection)
            _guard(connection, _GUARDS_OF_VERSION_4)
        if version < _OBSERVATIONS_SINCE:
            tables.linear_texts.create(connection)
            tables.linear_links.create(connection)
            tables.observations.create(connection)
        if version < _CHECKSUMS_SINCE:
            tables.retired.create(connection)
            _add_missing_columns(connection)
            _guard(connection, _GUARDS_OF_VERSION_5)
        if version < _HIDINGS_SINCE:
            tables.hidings_of_user.create(connection)
        if version < _SEALED_OBSERVATIONS_SINCE:
            _guard(connection, _GUARDS_OF_VERSION_8)
        change(connection, tables.ledger, true(), schema_version=VERSION)


def _add_missing_columns(connection: Connection) -> None:
    """Add the columns that tables of older versions lack; they are all nullable."""
    inspector = inspect(connection)
    for table in tables.metadata.sorted_tables:
        known = {column["name"] for column in inspector.get_columns(table.name)}
        for column in table.columns:
            if column.name not in known:
                ddl = CreateColumn(column).compile(dialect=connection.dialect)
                connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {ddl}")


def _widen_head(connection: Connection) -> None:
    """Rebuild the head's table, so that an upgraded ledger has the layout of a new one."""
    last = select(tables.head.c.position, tables.head.c.recorded_at)
    position, recorded_at = connection.execute(last).one()
    tables.head.drop(connection)
    tables.head.create(connection)
    _begin_head(connection, (position, recorded_at, 1, None))
    of_head = {name: each for name, each in _GUARDS_OF_VERSION_1.items() if _is_of_head(name)}
    _guard(connection, of_head)


def _is_of_head(guard: str) -> bool:
    return guard.endswith(" ON head")


def create(connection: Connection) -> None:
    """Create the schema of this version in an empty database."""
    tables.metadata.create_all(connection, checkfirst=False)
    guards = (_GUARDS_OF_VERSION_1, _GUARDS_OF_VERSION_2, _GUARDS_OF_VERSION_4)
    for each in (*guards, _GUARDS_OF_VERSION_5, _GUARDS_OF_VERSION_8):
        _guard(connection, each)
    _begin_head(connection, (0, 0, 1, 0))
    _insert_one(connection, tables.ledger, (VERSION, uuid4().bytes, token_bytes(DIGEST_KEY_BYTES)))


def _begin_head(connection: Connection, values: tuple[int, int, int, int | None]) -> None:
    """Insert the head with its position, instant, policy and sum of sources."""
    _insert_one(connection, tables.head, values)


def _insert_one(connection: Connection, table: Table, values: tuple[object, ...]) -> None:
    row = with_checksum(table.name, (1, *values))
    _insertion(table).run(connection, *row)


@cache
def _insertion(table: Table) -> Statement:
    return Statement(insert(table), *table.c.keys())


def _guard(connection: Connection, guards: dict[str, str]) -> None:
    if connection.dialect.name == "sqlite":
        for guard, condition in guards.items():
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {_name(guard)}")
            connection.exec_driver_sql(f"CREATE TRIGGER {guard} {condition} {_refusal(guard)}")


def _refusal(guard: str) -> str:
    fact = _name(guard).replace("_", " ")
    return f"BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: {fact}'); END"


def _name(guard: str) -> str:
    return guard.partition(" ")[0]
