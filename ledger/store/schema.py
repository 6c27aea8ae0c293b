"""The schema: tables, what the database itself refuses (R9), and upgrades from older versions."""

import secrets
from uuid import uuid4

from sqlalchemy import Connection, insert, inspect, select, text

from ledger.errors import LedgerUnavailableError
from ledger.source_keys import DIGEST_KEY_BYTES
from ledger.store import tables
from ledger.store.database import Database

VERSION = 1

# What an event says can never change, and its position and version are never given again. The
# last trigger also stops REPLACE, which deletes without asking a DELETE trigger.
_SQLITE_GUARDS = (
    """CREATE TRIGGER events_are_never_updated BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'events are immutable: never updated'); END""",
    """CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'events are immutable: never deleted'); END""",
    """CREATE TRIGGER events_are_appended_once BEFORE INSERT ON events
    WHEN NEW.position > (SELECT position FROM head)
      OR EXISTS (SELECT 1 FROM events WHERE position = NEW.position)
      OR EXISTS (SELECT 1 FROM events WHERE stream = NEW.stream AND version = NEW.version)
    BEGIN SELECT RAISE(ABORT, 'events are immutable: position or version already used'); END""",
    """CREATE TRIGGER head_never_goes_back BEFORE UPDATE ON head
    WHEN NEW.position < OLD.position OR NEW.recorded_at < OLD.recorded_at
    BEGIN SELECT RAISE(ABORT, 'the head of the ledger never goes back'); END""",
    """CREATE TRIGGER head_is_never_deleted BEFORE DELETE ON head
    BEGIN SELECT RAISE(ABORT, 'the head of the ledger is never deleted'); END""",
    """CREATE TRIGGER versions_never_go_back BEFORE UPDATE ON streams
    WHEN NEW.version < OLD.version
    BEGIN SELECT RAISE(ABORT, 'the versions of a stream never go back'); END""",
)


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
    names = inspect(connection).get_table_names()
    if not names:
        return None
    if tables.ledger.name not in names:
        message = "the database holds something else than a ledger"
        raise LedgerUnavailableError(message)
    version = connection.scalar(select(tables.ledger.c.schema_version))
    if version is None or version > VERSION:
        message = f"the ledger's schema is version {version}; this program knows {VERSION}"
        raise LedgerUnavailableError(message)
    return int(version)


def _create(connection: Connection) -> None:
    tables.metadata.create_all(connection)
    if connection.dialect.name == "sqlite":
        for guard in _SQLITE_GUARDS:
            connection.execute(text(guard))
    connection.execute(insert(tables.head).values(id=1, position=0, recorded_at=0))
    connection.execute(
        insert(tables.ledger).values(
            id=1,
            schema_version=VERSION,
            originator_id=uuid4().bytes,
            digest_key=secrets.token_bytes(DIGEST_KEY_BYTES),
        )
    )
