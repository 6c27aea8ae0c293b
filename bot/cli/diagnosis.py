"""Diagnosis of a ledger: settings, files, disk, schema, clock, archive, and damage."""

import datetime as dt
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from bot.cli.context import Session
from bot.cli.linear_findings import linear_findings
from bot.cli.output import BAD, NOTE, OK, DoctorFinding, counted
from bot.cli.progress import counting
from bot.clock_check import ClockState
from bot.clocks import last_run_of
from bot.spool.spool_file import spools, unreadable_lines
from ledger.application import Finding
from ledger.errors import LedgerError
from ledger.instants import DAY, Instant, instant_of, iso
from ledger.segment import Segment, events_in
from projections.application import Inspection, Verification

# Mounts: whether a folder is on a network file system.

MOUNTS = Path("/proc/self/mountinfo")
"""Linux's list of mounts; on other systems nothing is checked."""

NETWORK = frozenset({
    *("9p", "afs", "ceph", "cifs", "coda", "davfs", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4"),
    *("smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs"),
})  # fmt: skip
"""File systems whose locks and shared memory do not work between machines."""

LOCAL_FUSE = frozenset({"fuseblk", "fuse.ntfs-3g", "fuse.mergerfs", "fuse.bindfs"})

_POINT = 4
"""The field of mountinfo with the mount point."""

_ESCAPED = re.compile(r"\\([0-7]{3})")


def network_file_system(folder: Path, mounts: str) -> str | None:
    """Return the type of the network file system that holds `folder`, or None.

    `mounts` is in the form of mountinfo; `folder` is absolute, without symbolic links.
    """
    holding = [each for each in _mounts(mounts) if folder.is_relative_to(each[0])]
    # The deepest mount point counts; of two mounts at one point, the later hides the earlier.
    _, found = max(reversed(holding), key=lambda each: len(each[0].parts), default=(None, ""))
    is_fuse = found.startswith("fuse.") and found not in LOCAL_FUSE
    return found if is_fuse or found in NETWORK else None


def _mounts(mounts: str) -> Iterator[tuple[Path, str]]:
    """Yield mount points and their types."""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) > _POINT:
            yield Path(_plain(fields[_POINT])), after.partition(" ")[0]


def _plain(escaped: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), escaped)


# The doctor's checks of files beside the database: unknown segments, damaged barriers.


def beside_findings(inspection: Inspection) -> Iterator[DoctorFinding]:
    """Yield the problems with files beside a ledger of the present schema version."""
    yield from _unknown_files(inspection)
    for each in inspection.barrier_findings():
        yield DoctorFinding("barriers", BAD, each.says)


def _unknown_files(inspection: Inspection) -> Iterator[DoctorFinding]:
    unknown = inspection.unknown_files()
    if unknown:
        detail = (
            f"{counted(len(unknown), 'file')} that this database does not know, "
            f"{unknown[0].name} first: it may be older than its archive "
            "(docs/how-to/back-up-and-restore.md), or a compaction is running or was interrupted; "
            "the next one removes what it has sealed itself and moves the others aside"
        )
        yield DoctorFinding("archive", BAD, detail)
    files = inspection.database.archive.files
    aside = files.moved_aside()
    if aside:
        detail = f"{counted(len(aside), 'file')} moved aside in {files.aside}: keep until "
        yield DoctorFinding("archive", NOTE, f"{detail}no other backup of this ledger is needed")


# Verification of a ledger with progress, and the writing of missing checksums.


def _spooled(path: Path) -> Iterator[Finding]:
    unreadable, aside = unreadable_lines(path)
    if unreadable:
        says = (
            f"{path.name}: {counted(unreadable, 'line')} cannot be read, and so cannot "
            "be recorded; the bot sets them aside when it drains this file"
        )
        yield Finding(path.name, says)
    if aside:
        says = (
            f"{path.name}: {counted(aside, 'line')} set aside in {path.name}.unreadable, because "
            "they could not be recorded; look at them, then delete that file"
        )
        yield Finding(path.name, says)


def verify_all(session: Session) -> Verification:
    """Verify the ledger with a progress bar; an older schema is upgraded first."""
    with closing(Inspection(session.settings.database_url)) as inspection:
        session.expect_ledger()
        if inspection.is_older:
            with session.engagements():
                pass
        waiting = spools(inspection.database.path, session.settings)
        with counting("verify", "rows", inspection.count_to_verify()) as advance:
            return inspection.verify(
                advance, {path.name: partial(_spooled, path) for path in waiting}
            )


def filled(session: Session, done: Verification) -> str | None:
    """Write missing checksums, and return a sentence about the outcome."""
    if done.findings or not done.unverified:
        return None
    rows = counted(done.unverified, "row")
    try:
        with (
            closing(Inspection(session.settings.database_url)) as inspection,
            counting("checksums", "rows", done.unverified) as advance,
        ):
            return f"{counted(inspection.write_checksums(advance), 'row')} got their checksums"
    except LedgerError as error:
        return f"{rows} have no checksums yet, because writing them failed: {error}"


# The doctor's checks of settings, files, disk, schema, clock and archive.

OLDEST_SQLITE = (3, 35, 0)
"""The first version with RETURNING."""

LITTLE_SPACE_BYTES = 256 * 1024 * 1024


def diagnosis(session: Session) -> list[DoctorFinding]:
    """Run all checks except the search for damage."""
    return [_settings(session), _sqlite(), *_database(session), *linear_findings(session)]


def damage(session: Session) -> Iterator[DoctorFinding]:
    """Verify all stored data, and report damage."""
    try:
        done = verify_all(session)
    except LedgerError as error:
        yield DoctorFinding("damage", BAD, str(error))
        return
    for each in done.findings:
        yield DoctorFinding("damage", BAD, each.says)
    if not done.findings:
        yield DoctorFinding("damage", OK, f"none in {counted(done.rows, 'row')}")


def _settings(session: Session) -> DoctorFinding:
    settings = session.settings
    return DoctorFinding(
        "settings",
        OK,
        f"home {settings.home}, timezone {settings.timezone}, log level {settings.log_level}",
    )


def _sqlite() -> DoctorFinding:
    version = sqlite3.sqlite_version_info
    if version < OLDEST_SQLITE:
        return DoctorFinding("sqlite", BAD, f"{sqlite3.sqlite_version} is too old, 3.35 is needed")
    if _can_lose_commits(version):
        detail = (
            f"{sqlite3.sqlite_version} can lose commits when several connections write and "
            "checkpoint at once (fixed in 3.51.3, 3.50.7 and 3.44.6); the ledger's file lock keeps "
            "its own processes from that, so let no other program write to the file"
        )
        return DoctorFinding("sqlite", NOTE, detail)
    return DoctorFinding("sqlite", OK, sqlite3.sqlite_version)


def _can_lose_commits(version: tuple[int, ...]) -> bool:
    major, minor, patch = version[:3]
    fixed_in = {(3, 50): 7, (3, 44): 6}.get((major, minor))
    return version < (3, 51, 3) and (fixed_in is None or patch < fixed_in)


def _space(folder: Path) -> DoctorFinding:
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    state = OK if free >= LITTLE_SPACE_BYTES else BAD
    return DoctorFinding("free disk", state, f"{free / 2**30:,.1f} GiB")


def _access(ledger: Path) -> Iterator[DoctorFinding]:
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
            yield DoctorFinding("access", BAD, detail)


def _read_only(state: str, folder: Path, can_only: str) -> DoctorFinding:
    detail = (
        f"{folder} {can_only} be read: every question is answered, but nothing can be recorded, "
        "archived, forgotten or repaired here. If a bot is to record here, its user must be able "
        "to write"
    )
    return DoctorFinding("access", state, detail)


def _file_system(folder: Path) -> Iterator[DoctorFinding]:
    try:
        found = network_file_system(folder.resolve(), MOUNTS.read_text(errors="replace"))
    except (OSError, RuntimeError):
        return
    if found is not None:
        detail = (
            f"{folder} is on a network file system ({found}), where SQLite's locks and log do not "
            "hold: what was recorded can be lost or damaged. Stop the bot and move the whole "
            "folder to a local disk"
        )
        yield DoctorFinding("file system", BAD, detail)


def _database(session: Session) -> Iterator[DoctorFinding]:
    try:
        inspection = Inspection(session.settings.database_url)
        yield DoctorFinding("database", *_presence(inspection))
        path = inspection.database.path
        if path is not None:
            yield _space(path.absolute().parent)
            yield from _file_system(path.absolute().parent)
            yield from _access(path.absolute())
        if inspection.has_ledger():
            yield from _contents(inspection, session.clock())
    except LedgerError as error:
        yield DoctorFinding("database", BAD, str(error))


def _presence(inspection: Inspection) -> tuple[str, str]:
    described = inspection.database.described
    if inspection.has_ledger():
        return OK, described
    return NOTE, f"{described}: not there yet; `engagement init` creates it"


def _contents(inspection: Inspection, now: dt.datetime) -> Iterator[DoctorFinding]:
    version = inspection.schema_version()
    if version is None:
        yield DoctorFinding("schema", NOTE, "not there yet; `engagement init` creates it")
        return
    ledger_at, last_run = inspection.latest_instant(), None
    if inspection.is_current:
        last_run = last_run_of(inspection.job_runs, inspection.clock_history)
    sealed = inspection.segments()
    yield DoctorFinding("schema", OK, f"version {version}")
    yield _clock(ClockState(instant_of(now), last_run), ledger_at)
    if sealed:
        yield _archive(inspection, sealed)
    if inspection.is_current:
        yield from beside_findings(inspection)


def _archive(inspection: Inspection, sealed: list[Segment]) -> DoctorFinding:
    """Open every segment, which finds missing ones; only `archive check` reads them."""
    try:
        inspection.open_segments()
    except LedgerError as error:
        return DoctorFinding("archive", BAD, str(error))
    return DoctorFinding(
        "archive",
        OK,
        f"{counted(len(sealed), 'segment')} with {counted(events_in(sealed), 'event')}",
    )


def _clock(clock: ClockState, ledger_at: Instant) -> DoctorFinding:
    now, ahead = iso(clock.now), ledger_at - clock.now
    if not ledger_at:
        return DoctorFinding("clock", OK, f"{now}; no event yet")
    if ahead > 0:
        stops = "; nothing is recorded until this clock has passed that" if ahead > DAY else ""
        detail = (
            f"{now} is before the last event or job run, at {iso(ledger_at)}: the clock is behind "
            f"now or was ahead then{stops}. Set it right; if it is right, `engagement clock "
            "repair` repairs the ledger"
        )
        return DoctorFinding("clock", BAD if ahead > DAY else NOTE, detail)
    if not clock.may_act:
        detail = (
            f"{now} is {clock.days} days after the last run: nothing is deleted or sealed until "
            "Telegram's dates agree, or `--clock-is-right` confirms the clock"
        )
        return DoctorFinding("clock", NOTE, detail)
    return DoctorFinding("clock", OK, f"{now}, last event or job run at {iso(ledger_at)}")
