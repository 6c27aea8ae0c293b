"""Verification of all truth, in one snapshot of the database, without writing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import msgspec
import pyarrow as pa
import sqlalchemy.exc
from sqlalchemy import Connection

from ledger.archive.segment_store import Archive
from ledger.errors import (
    ArchiveUnavailableError,
    LedgerDamagedError,
    LedgerError,
    LedgerUnavailableError,
)
from ledger.segment import events_in
from ledger.store.compaction import digests_of
from ledger.store.database import Database
from ledger.store.segment_rows import certificates, segments
from ledger.store.sqlite import StoreFullError, StoreUnavailableError
from ledger.verification.file_checks import (
    header_findings,
    integrity_findings,
    log_findings,
    schema_findings,
)
from ledger.verification.findings import BACKUP, Finding, truth
from ledger.verification.row_checks import (
    Progress,
    count_rows,
    key_findings,
    origin_findings,
    position_findings,
    row_findings,
    source_findings,
    version_findings,
)

FINDINGS_AT_MOST = 20
"""The most findings per check, in case the whole file is damaged."""

Check = Callable[[], Iterator[Finding]]

UNREADABLE = (
    LedgerError,
    sqlalchemy.exc.SQLAlchemyError,
    msgspec.MsgspecError,
    pa.ArrowException,
    ArithmeticError,
    LookupError,
    MemoryError,  # from a damaged length
    OSError,
    TypeError,
    ValueError,
)
"""Exceptions that reading damaged data may raise."""


def file_findings(database: Database) -> list[Finding]:
    """Check the database's file and its log as bytes."""
    path = _file_of(database)
    log = database.log()
    return [
        *found("the database's file", lambda: header_findings(path, has_log=bool(log))),
        *found("the log", lambda: log_findings(log)),
    ]


def truth_findings(
    connection: Connection, archive: Archive, progress: Progress = lambda _: None
) -> list[Finding]:
    """Check all tables of truth and the archive; `progress` counts rows and sealed events."""
    checks: dict[str, Check] = {
        "the schema": lambda: schema_findings(connection),
        "the database's file": lambda: integrity_findings(connection),
        "the rows": lambda: row_findings(connection, progress),
        "sources": lambda: source_findings(connection),
        "events": lambda: position_findings(connection),
        "the archive": lambda: archive_findings(connection, archive, progress),
        "streams": lambda: version_findings(connection, archive),
        "the source keys": lambda: key_findings(connection),
        "origins": lambda: origin_findings(connection, archive),
    }
    return [each for name, check in checks.items() for each in found(name, check)]


def archive_findings(
    connection: Connection, archive: Archive, progress: Progress
) -> Iterator[Finding]:
    """Read every segment and compare it with what was sealed."""
    for segment in segments(connection):
        try:
            archive.check(segment, digests_of(certificates(connection, segment)))
        except ArchiveUnavailableError as error:
            yield Finding("the archive", f"{error}; {BACKUP}")
        progress(segment.events)


def count(connection: Connection) -> int:
    """The amount to check: rows of truth and sealed events."""
    return count_rows(connection) + events_in(segments(connection))


def verify_truth(database: Database) -> list[Finding]:
    """Check the file, all tables of truth and the archive, and return the findings."""

    def check() -> Iterator[Finding]:
        with snapshot(database) as connection:
            for each in truth_findings(connection, database.archive):
                if not each.derived:
                    yield each

    return [*file_findings(database), *found("the database's file", check)]


def expect_sound(database: Database) -> None:
    """Raise LedgerDamagedError if any truth is damaged, which folding would hide."""
    if database.path is None:
        return  # a server verifies its own storage
    findings = verify_truth(database)
    if findings:
        raise LedgerDamagedError(findings[0].says)


@contextmanager
def snapshot(database: Database) -> Iterator[Connection]:
    """Yield a connection that reads invalid UTF-8 as lone surrogates."""
    _file_of(database)
    with database.read() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None  # noqa: S101 - it is connected
        before, driver.text_factory = driver.text_factory, _text
        try:
            yield connection
        finally:
            driver.text_factory = before


def found(name: str, check: Check) -> list[Finding]:
    """The first findings of a check; that it cannot be finished is a finding, too."""
    findings: list[Finding] = []
    try:
        findings.extend(islice(check(), FINDINGS_AT_MOST))
    except UNREADABLE as error:
        findings.append(_unfinished(name, error))
    return findings


def _unfinished(name: str, error: Exception) -> Finding:
    why = error if isinstance(error, LedgerError) else type(error).__name__
    what = f"the check could not be completed ({why})"
    if type(error) in {
        StoreUnavailableError,
        StoreFullError,
    }:  # not damage
        todo = "look for the cause with `engagement doctor`, then verify again"
        return Finding(name, f"{name}: {what}; {todo}")
    return truth(name, what, "what is stored there cannot be read")


def _file_of(database: Database) -> Path:
    if database.path is None:
        message = "only a ledger in an SQLite file can be verified"
        raise LedgerUnavailableError(message)
    return database.path


def _text(stored: bytes) -> str:
    return stored.decode(errors="surrogateescape")
