"""The schema: tables, what the database itself refuses (R9), and upgrades from older versions."""

import secrets
from uuid import uuid4

from sqlalchemy import Connection, insert, inspect, select, text

from ledger.errors import LedgerUnavailableError
from ledger.source_keys import DIGEST_KEY_BYTES
from ledger.store import tables
from ledger.store.database import Database

VERSION = 1

# What an event says can never change, and positions and versions are never given again. The
# triggers before an INSERT also stop REPLACE, which deletes without asking a DELETE trigger.
_SQLITE_GUARDS = {
    "events_are_never_updated BEFORE UPDATE ON events": "",
    "events_are_never_deleted BEFORE DELETE ON events": "",
    "events_are_appended_once BEFORE INSERT ON events": """
        WHEN NEW.position NOT BETWEEN 1 AND (SELECT position FROM head)
        OR EXISTS (SELECT 1 FROM events WHERE position = NEW.position)
        OR EXISTS (SELECT 1 FROM events WHERE stream = NEW.stream AND version = NEW.version)""",
    "head_never_goes_back BEFORE UPDATE ON head": """
        WHEN NEW.position < OLD.position OR NEW.recorded_at < OLD.recorded_at""",
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


def prepare(database: Database) -> None:
    """Make the schema in an empty database, or check that it is of this version.

    Raises LedgerUnavailableError for a database of a newer version or of something else.
    """
    if database.exists():
        with database.read() as connection:
            if version_of(connection) == VERSION:
                return
    with database.write() as connection:
        if version_of(connection) is None:
            _create(connection)


def version_of(connection: Connection) -> int | None:
    """Return the schema's version, or None in an empty database."""
    inspector = inspect(connection)
    names = {*inspector.get_table_names(), *inspector.get_view_names()}
    if not names:
        return None
    version = None
    if tables.ledger.name in names:
        known = {column["name"] for column in inspector.get_columns(tables.ledger.name)}
        column = tables.ledger.c.schema_version
        version = connection.scalar(select(column)) if column.name in known else None
    if not isinstance(version, int):
        message = "the database holds something else than a ledger"
        raise LedgerUnavailableError(message)
    if version > VERSION:
        message = f"the ledger's schema is version {version}; this program knows {VERSION}"
        raise LedgerUnavailableError(message)
    return version


def _create(connection: Connection) -> None:
    tables.metadata.create_all(connection)
    if connection.dialect.name == "sqlite":
        for guard, condition in _SQLITE_GUARDS.items():
            connection.execute(text(f"CREATE TRIGGER {guard} {condition} {_refusal(guard)}"))
    connection.execute(insert(tables.head).values(id=1, position=0, recorded_at=0))
    connection.execute(
        insert(tables.ledger).values(
            id=1,
            schema_version=VERSION,
            originator_id=uuid4().bytes,
            digest_key=secrets.token_bytes(DIGEST_KEY_BYTES),
        )
    )


def _refusal(guard: str) -> str:
    fact = guard.partition(" ")[0].replace("_", " ")
    return f"BEGIN SELECT RAISE(ABORT, 'the ledger is immutable: {fact}'); END"
