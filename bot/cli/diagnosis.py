"""The doctor's checks of a ledger: settings, files, disk, schema, clock and archive."""

import datetime as dt
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, select

from bot.cli import mounts
from bot.cli.beside import beside_findings
from bot.cli.findings import BAD, NOTE, OK, Finding
from bot.cli.linear_findings import linear_findings
from bot.cli.mounts import network_file_system
from bot.cli.session import Session
from bot.cli.shown import counted
from bot.cli.verifying import verify_all
from bot.clock_check import ClockState
from bot.clocks import last_run_of
from ledger.errors import LedgerError
from ledger.instants import DAY, Instant, instant_of, iso
from ledger.segment import Segment, events_in
from ledger.store import schema, tables
from ledger.store.clock_corrections import ahead_until
from ledger.store.database import Database
from ledger.store.segment_rows import segments

OLDEST_SQLITE = (3, 35, 0)
"""The first version with RETURNING."""

LITTLE_SPACE_BYTES = 256 * 1024 * 1024


def diagnosis(session: Session) -> list[Finding]:
    """Run all checks except the search for damage."""
    return [_settings(session), _sqlite(), *_database(session), *linear_findings(session)]


def damage(session: Session) -> Iterator[Finding]:
    """Verify all stored data, and report damage."""
    try:
        done = verify_all(session)
    except LedgerError as error:
        yield Finding("damage", BAD, str(error))
        return
    for each in done.findings:
        yield Finding("damage", BAD, each.says)
    if not done.findings:
        yield Finding("damage", OK, f"none in {counted(done.rows, 'row')}")


def _settings(session: Session) -> Finding:
    settings = session.settings
    return Finding(
        "settings",
        OK,
        f"home {settings.home}, timezone {settings.timezone}, log level {settings.log_level}",
    )


def _sqlite() -> Finding:
    version = sqlite3.sqlite_version_info
    if version < OLDEST_SQLITE:
        return Finding("sqlite", BAD, f"{sqlite3.sqlite_version} is too old, 3.35 is needed")
    if _can_lose_commits(version):
        detail = (
            f"{sqlite3.sqlite_version} can lose commits when several connections write and "
            "checkpoint at once (fixed in 3.51.3, 3.50.7 and 3.44.6); the ledger's file lock keeps "
            "its own processes from that, so let no other program write to the file"
        )
        return Finding("sqlite", NOTE, detail)
    return Finding("sqlite", OK, sqlite3.sqlite_version)


def _can_lose_commits(version: tuple[int, ...]) -> bool:
    major, minor, patch = version[:3]
    fixed_in = {(3, 50): 7, (3, 44): 6}.get((major, minor))
    return version < (3, 51, 3) and (fixed_in is None or patch < fixed_in)


def _space(folder: Path) -> Finding:
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    state = OK if free >= LITTLE_SPACE_BYTES else BAD
    return Finding("free disk", state, f"{free / 2**30:,.1f} GiB")


def _access(ledger: Path) -> Iterator[Finding]:
    """Find files that this user may not read or write; the bot's user needs both.

    A copy in a read-only folder is sufficient for questions: a note says what is not possible. A
    failing disk becomes read-only, too.
    """
    beside = [ledger.with_name(ledger.name + end) for end in ("-wal", "-shm", ".lock", ".archive")]
    there = [path for path in (ledger.parent, ledger, *beside) if path.exists()]
    if os.statvfs(ledger.parent if ledger.parent.exists() else "/").f_flag & os.ST_RDONLY:
        where = "is on a disk that is mounted read-only, as a failing one is, and so can only"
        yield _read_only(BAD, ledger.parent, where)
        return
    for mode, verb in ((os.R_OK, "read"), (os.W_OK, "write")):
        refused = [str(path) for path in there if not os.access(path, mode)]
        if mode == os.W_OK and len(refused) == len(there):
            yield _read_only(NOTE, ledger.parent, "can only")
        elif refused:
            detail = (
                f"this user may not {verb} {', '.join(refused)}: run as the user that the bot runs "
                "as, or let `chown -R` give the whole folder to this one"
            )
            yield Finding("access", BAD, detail)


def _read_only(state: str, folder: Path, can_only: str) -> Finding:
    detail = (
        f"{folder} {can_only} be read: every question is answered, but nothing can be recorded, "
        "archived, forgotten or repaired here. If a bot is to record here, its user must be able "
        "to write"
    )
    return Finding("access", state, detail)


def _file_system(folder: Path) -> Iterator[Finding]:
    try:
        found = network_file_system(folder.resolve(), mounts.MOUNTS.read_text(errors="replace"))
    except (OSError, RuntimeError):
        return
    if found is not None:
        detail = (
            f"{folder} is on a network file system ({found}), where SQLite's locks and log do not "
            "hold: what was recorded can be lost or damaged. Stop the bot and move the whole "
            "folder to a local disk"
        )
        yield Finding("file system", BAD, detail)


def _database(session: Session) -> Iterator[Finding]:
    try:
        database = Database(session.settings.database_url)
        yield Finding("database", *_presence(database))
        if database.path is not None:
            yield _space(database.path.absolute().parent)
            yield from _file_system(database.path.absolute().parent)
            yield from _access(database.path.absolute())
        if database.exists():
            yield from _contents(database, session.clock())
    except LedgerError as error:
        yield Finding("database", BAD, str(error))


def _contents(database: Database, now: dt.datetime) -> Iterator[Finding]:
    with database.read() as connection:
        version = schema.version_of(connection)
        if version is None:
            schema.refuse_if_lost(database)
            yield Finding("schema", NOTE, "not there yet; `engagement init` creates it")
            return
        is_known = version == schema.VERSION
        ledger_at = ahead_until(connection) if is_known else _head_at(connection)
        last_run = last_run_of(connection) if is_known else None
        sealed = segments(connection) if is_known else []
    yield Finding("schema", OK, f"version {version}")
    yield _clock(ClockState(instant_of(now), last_run), ledger_at)
    if sealed:
        yield _archive(database, sealed)
    if version == schema.VERSION:
        yield from beside_findings(database)


def _archive(database: Database, sealed: list[Segment]) -> Finding:
    """Open every segment, which finds missing ones; only `archive check` reads them."""
    try:
        for segment in sealed:
            with database.archive.opened(segment):
                pass
    except LedgerError as error:
        return Finding("archive", BAD, str(error))
    return Finding(
        "archive",
        OK,
        f"{counted(len(sealed), 'segment')} with {counted(events_in(sealed), 'event')}",
    )


def _presence(database: Database) -> tuple[str, str]:
    if not database.exists():
        schema.refuse_if_lost(database)
        return NOTE, f"{database.described}: not there yet; `engagement init` creates it"
    return OK, database.described


def _head_at(connection: Connection) -> Instant:
    head_at: Instant = connection.execute(select(tables.head.c.recorded_at)).scalar_one()
    return head_at


def _clock(clock: ClockState, ledger_at: Instant) -> Finding:
    now, ahead = iso(clock.now), ledger_at - clock.now
    if not ledger_at:
        return Finding("clock", OK, f"{now}; no event yet")
    if ahead > 0:
        stops = "; nothing is recorded until this clock has passed that" if ahead > DAY else ""
        detail = (
            f"{now} is before the last event or job run, at {iso(ledger_at)}: the clock is behind "
            f"now or was ahead then{stops}. Set it right; if it is right, `engagement clock "
            "repair` repairs the ledger"
        )
        return Finding("clock", BAD if ahead > DAY else NOTE, detail)
    if not clock.may_act:
        detail = (
            f"{now} is {clock.days} days after the last run: nothing is deleted or sealed until "
            "Telegram's dates agree, or `--clock-is-right` confirms the clock"
        )
        return Finding("clock", NOTE, detail)
    return Finding("clock", OK, f"{now}, last event or job run at {iso(ledger_at)}")
