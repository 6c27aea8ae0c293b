"""The parts shared by all imports: options, progress, reports and exit codes."""

import gc
import io
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
import msgspec

from bot.cli.context import Command, Session, json_option
from bot.cli.exits import DONE, FAILED, INTERRUPTED
from bot.cli.output import printable, show_json
from bot.cli.progress import progress
from bot.cli.text_tables import show_table
from bot.dates.parse import Edge, InvalidMomentError
from ledger.application import Recorder, record_history
from ledger.commands import Kind
from ledger.entries import Entry, ImportReport, Refusal, Window, within
from ledger.errors import LedgerError
from ledger.instants import DAY, Instant, instant_of, iso
from projections.audit import is_long_ago

if TYPE_CHECKING:
    from ledger.application import EngagementLedger, Preview

Reader = Callable[["EngagementLedger | None"], Iterator[Entry | Refusal]]
"""Reads the entries of a history; it takes the target ledger, or None if there is none yet."""

USERS_SHOWN = 30
"""The most users in the table of a dry run, those with the most interactions."""


class Choice(NamedTuple):
    """The span of a history to import, and whether this is a dry run."""

    window: Window
    dry_run: bool


class History(NamedTuple):
    """A history to be read: its name, its entries and their unit.

    `done` returns how much of `size` has been read, if that is known.
    """

    name: str
    unit: str
    entries: Reader
    size: int | None = None
    done: Callable[[], int] | None = None


def import_options(command: Command) -> Command:
    """Add the options of every import: --since, --until, --dry-run and --json."""
    for option in (
        json_option,
        click.option(
            "--dry-run", is_flag=True, help="Show what would be recorded, and record nothing."
        ),
        click.option(
            "--until",
            metavar="MOMENT",
            help="Only what occurred up to this moment: ISO 8601; a bare date means its end.",
        ),
        click.option(
            "--since",
            metavar="MOMENT",
            help="Only what occurred from this moment on: ISO 8601; a bare date means its start.",
        ),
    ):
        command = option(command)
    return command


def choice_of(session: Session, since: str | None, until: str | None, *, dry_run: bool) -> Choice:
    """Parse the options; raises InvalidMomentError if they do not name a span of time."""
    moments = session.moment(since, Edge.START), session.moment(until)
    first, last = (None if moment is None else instant_of(moment) for moment in moments)
    if first is not None and last is not None and first > last:
        message = "--since must not be after --until"
        raise InvalidMomentError(message)
    return Choice(Window(first, last), dry_run)


def bring_in(session: Session, choice: Choice, history: History) -> int:
    """Record a history, or dry-run it; report the outcome, and return the exit code."""
    report, tally, seen = ImportReport(), Counter[tuple[str, Kind]](), _Seen()
    try:
        with (
            _settled(),
            _target(session, choice, tally) as (ledger, recorder),
            _progress(history) as update,
        ):
            record_history(
                recorder,
                seen.of(within(choice.window, history.entries(ledger), report)),
                report,
                _tell,
                lambda: update(report.read),
            )
    except (LedgerError, KeyboardInterrupt) as error:
        reason = str(error) or "interrupted; import it again to go on"
        click.echo(f"error: {history.name}: {reason}", err=True)
        code = INTERRUPTED if isinstance(error, KeyboardInterrupt) else FAILED
    else:
        code = FAILED if report.refused else DONE
    _show(session, choice, report, tally, history.unit)
    if not session.as_json:
        _tell_age(seen.last_at, instant_of(session.clock()))
    return code


@contextmanager
def _settled() -> Iterator[None]:
    """Exempt existing objects from garbage collection, which would traverse them repeatedly."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


class _Seen:
    """The latest event that was read."""

    def __init__(self) -> None:
        self.last_at = Instant(0)

    def of(self, entries: Iterable[Entry | Refusal]) -> Iterator[Entry | Refusal]:
        for entry in entries:
            if isinstance(entry, Entry):
                for each in entry.interactions:
                    if each.occurred_at is not None and each.occurred_at > self.last_at:
                        self.last_at = each.occurred_at
            yield entry


def _tell_age(last_at: Instant, now: Instant) -> None:
    if last_at and is_long_ago(last_at, now):
        days = (now - last_at) // DAY
        click.echo(
            f"The last event is {days:,} days old, so present scores are low; ask as of then with "
            f"--at {iso(last_at)}"
        )


@contextmanager
def opened(file: str) -> Iterator[io.BufferedReader]:
    """A context manager that opens a file, or standard input for a dash."""
    if file == "-":
        yield io.BufferedReader(io.FileIO(0, closefd=False))
    else:
        with Path(file).open("rb") as stream:
            yield stream


def name_of(file: str) -> str:
    """The name of a file in errors and sources."""
    return "standard input" if file == "-" else printable(Path(file).name)


def of_file(stream: io.BufferedReader, file: str, unit: str, entries: Reader) -> History:
    """A history that `entries` reads from a file."""
    if not stream.seekable():
        return History(name_of(file), unit, entries)
    size = os.fstat(stream.fileno()).st_size
    return History(name_of(file), unit, entries, size, stream.tell)


@contextmanager
def _target(
    session: Session, choice: Choice, tally: Counter[tuple[str, Kind]]
) -> Iterator[tuple["EngagementLedger | None", Recorder]]:
    """Open the target of the history; a dry run counts its interactions in `tally`."""
    if not choice.dry_run:
        with session.engagements(create=True) as engagements:
            yield engagements.ledger, engagements.ledger
            # Everything is recorded by now; an interrupted fold is left to the next process.
            with suppress(LedgerError, KeyboardInterrupt):
                engagements.ledger.fold()
    elif session.has_ledger():
        with (
            session.engagements() as engagements,
            _looking(engagements.ledger.preview(), tally) as preview,
        ):
            yield engagements.ledger, preview
    else:
        from ledger.application import Preview  # noqa: PLC0415 - loads SQLAlchemy

        with _looking(Preview(session.clock), tally) as preview:
            yield None, preview


@contextmanager
def _looking(preview: "Preview", tally: Counter[tuple[str, Kind]]) -> Iterator["Preview"]:
    try:
        yield preview
    finally:
        preview.close()
        tally.update(preview.tally)


@contextmanager
def _progress(history: History) -> Iterator[Callable[[int], object]]:
    """Show a progress bar; yields a function that takes the number of entries read."""
    done = history.done
    with progress(history.name, history.unit, history.size) as update:
        yield lambda read: update(read if done is None else done(), read)


def _tell(refusal: Refusal) -> None:
    click.echo(f"error: {refusal.place}: {printable(refusal.reason)}", err=True)


def _show(
    session: Session,
    choice: Choice,
    report: ImportReport,
    tally: Counter[tuple[str, Kind]],
    unit: str,
) -> None:
    users = _by_user(tally)
    if session.as_json:
        document = msgspec.structs.asdict(report)
        if choice.dry_run:
            document |= {"would_record": document.pop("recorded"), "users": users}
        show_json(document)
        return
    click.echo(_sentence(report, unit, dry_run=choice.dry_run))
    if choice.dry_run and users:
        rows = [(user, *kinds.values(), sum(kinds.values())) for user, kinds in users.items()]
        columns = ("user", *(kind.label for kind in _KINDS), "all")
        show_table(columns, rows[:USERS_SHOWN], "")
        if len(rows) > USERS_SHOWN:
            click.echo(f"and {len(rows) - USERS_SHOWN:,} more users")


_KINDS = sorted(Kind, reverse=True)


def _by_user(tally: Counter[tuple[str, Kind]]) -> dict[str, dict[str, int]]:
    """Counts of each kind by user, those with the most interactions first."""
    totals = Counter[str]()
    for (user, _), times in tally.items():
        totals[user] += times
    order = sorted(totals, key=lambda user: (-totals[user], user))
    return {user: {kind.label: tally[user, kind] for kind in _KINDS} for user in order}


def _sentence(report: ImportReport, unit: str, *, dry_run: bool) -> str:
    """The report on one line; some counts are omitted if they are zero."""
    recorded = "would record" if dry_run else "recorded"
    parts = [f"{recorded} {report.recorded:,}", f"duplicates {report.duplicates:,}"]
    parts += [f"outside {report.outside:,}"] if report.outside else []
    parts += [f"opted out {report.opted_out:,}"] if report.opted_out else []
    parts += [f"left out {report.left_out:,}"] if report.left_out else []
    return f"read {report.read:,} {unit}: {', '.join(parts)}, refused {report.refused:,}"
