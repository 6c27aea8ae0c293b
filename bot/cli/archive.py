"""Commands that move old events into the archive, and maintain it."""

import datetime as dt
import re
from typing import TYPE_CHECKING

import click
from rich.filesize import decimal

from bot.cli.context import Session, clock_option, json_option
from bot.cli.output import counted, show_json
from bot.cli.progress import counting
from bot.cli.text_tables import show_table
from bot.extras import extra
from ledger.errors import ArchiveUnavailableError
from ledger.instants import Instant, instant_of, iso
from ledger.segment import RETAINED_DAYS, STAGES, Segment, events_in

if TYPE_CHECKING:
    from ledger.application import Compaction, Compactor
    from projections.application import Engagements

_LATEST = 2**63 - 1  # of all positions


class Age(click.ParamType[dt.timedelta]):
    """An option's value in days, weeks or hours, such as 90d, 12w or 36h."""

    name = "age"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> dt.timedelta:
        """Convert to a duration in microseconds."""
        found = re.fullmatch(r"(\d{1,6})([dwh])", str(value))
        if found is None:
            self.fail(f"{value!r} is not an age such as 90d, 12w or 36h", param, ctx)
        number, unit = int(found[1]), found[2]
        return (
            number * {"d": dt.timedelta(1), "w": dt.timedelta(7), "h": dt.timedelta(hours=1)}[unit]
        )


@click.command()
@click.option(
    "--older-than",
    type=Age(),
    metavar="AGE",
    help=f"Seal events recorded longer ago than this: 90d, 12w, 36h. Default: {RETAINED_DAYS}d.",
)
@click.option(
    "--through",
    type=click.IntRange(1, _LATEST),
    metavar="POSITION",
    help="Seal up to this position.",
)
@click.option("--all", "everything", is_flag=True, help="Seal everything.")
@click.option("--dry-run", is_flag=True, help="Show what would be sealed, and seal nothing.")
@clock_option
@json_option
@click.pass_obj
def compact(
    session: Session,
    older_than: dt.timedelta | None,
    through: int | None,
    everything: bool,  # noqa: FBT001 - click passes a flag so
    dry_run: bool,  # noqa: FBT001 - click passes a flag so
    clock_is_right: bool,  # noqa: FBT001 - click passes a flag so
) -> int:
    """Move the oldest events into the archive; exits with 1 if a segment is missing or damaged.

    No answer changes: questions read the archive where they need it. Before a row is deleted, its
    segment was written to disk, read back, and found to give the same engagements. You may kill
    this command at any time; the next one finishes the work.
    """
    given = [older_than is not None, through is not None, everything]
    if sum(given) > 1:
        message = "give only one of --older-than, --through and --all"
        raise click.UsageError(message)
    with session.engagements() as engagements:
        compactor = engagements.ledger.compactor
        if everything or through is not None:
            upto = through or _LATEST
        else:
            now = session.clock()
            if not dry_run:
                _check_clock(engagements, now, clock_is_right=clock_is_right)
            age = dt.timedelta(RETAINED_DAYS) if older_than is None else older_than
            upto = compactor.last_recorded_before(_before(now, age))
        events = compactor.sealable(upto)
        if dry_run:
            _show_plan(session, events)
            return 0
        with counting("compact", "events", STAGES * events) as advance:
            done = compactor.compact(upto, advance)
    _show_compaction(session, done)
    return int(bool(done.lost))


def _check_clock(engagements: "Engagements", now: dt.datetime, *, clock_is_right: bool) -> None:
    from bot.clocks import ClockGuard  # noqa: PLC0415 - loads SQLAlchemy

    guard = ClockGuard(engagements)
    if clock_is_right:
        guard.confirm()
    guard.check(now)


def _before(now: dt.datetime, age: dt.timedelta) -> Instant:
    try:
        return instant_of(now - age)
    except OverflowError:
        return Instant(0)


def _show_plan(session: Session, events: int) -> None:
    if session.as_json:
        show_json({"would_seal": events})
    else:
        click.echo(
            f"would seal {counted(events, 'event')}" if events else "there is nothing to seal"
        )


def _show_compaction(session: Session, done: "Compaction") -> None:
    if session.as_json:
        show_json(done)
    else:
        click.echo(compaction_sentence(done))


def compaction_sentence(done: "Compaction") -> str:
    """One line about what a compaction sealed and freed."""
    size = decimal(done.archived_bytes)
    archived = f"the archive has {counted(done.segments, 'segment')} of {size}"
    sealed = f"sealed {counted(done.events, 'event')}; {archived}"
    freed = f"; the database's file is {decimal(done.freed_bytes)} smaller"
    swept = f"; {decimal(done.swept_bytes)} of obsolete files removed from the archive"
    recovered = f"; {counted(done.recovered, 'segment')} restored"
    lost = f"; {counted(done.lost, 'segment')} missing or damaged, see `engagement archive recover`"
    aside = (
        f"; {counted(done.set_aside, 'file')} that the ledger does not know moved aside, "
        "see `engagement doctor`"
    )
    return "".join(
        (
            sealed if done.events else "there was nothing to seal",
            freed if done.freed_bytes else "",
            swept if done.swept_bytes else "",
            recovered if done.recovered else "",
            lost if done.lost else "",
            aside if done.set_aside else "",
        )
    )


@click.group()
def archive() -> None:
    """List, check, restore and merge the segments that hold sealed events."""


@archive.command("list")
@json_option
@click.pass_obj
def listed(session: Session) -> None:
    """Show all segments, the oldest first."""
    with session.engagements() as engagements:
        found = engagements.ledger.compactor.segments()
    if session.as_json:
        show_json([_document(each) for each in found])
        return
    rows = [
        (
            f"{each.first_position} to {each.last_position}",
            f"{each.events:,}",
            iso(each.first_recorded_at),
            iso(each.last_recorded_at),
            decimal(each.size_bytes),
        )
        for each in found
    ]
    columns = ("positions", "events", "recorded from", "to", "size")
    show_table(columns, rows, "nothing is sealed yet; `engagement compact` seals old events")


@archive.command()
@click.argument("position", type=click.IntRange(1, _LATEST))
@json_option
@click.pass_obj
def show(session: Session, position: int) -> None:
    """Show the segment that holds POSITION, and its certificate from before the deletion."""
    with session.engagements() as engagements:
        compactor = engagements.ledger.compactor
        segment = _holding(compactor, position)
        certificates = compactor.certificates(segment)
        folder = engagements.ledger.archive.folder
    if session.as_json:
        show_json(_document(segment) | {"certificates": certificates})
        return
    rows = [
        ("file", str(folder / segment.name)),
        *((name, str(value)) for name, value in _document(segment).items()),
    ]
    show_table(("", ""), rows, "")
    click.echo()
    certified = [
        (
            f"{each['first_position']} to {each['last_position']}",
            f"{each['events']:,}",
            str(each["compared"]["through"]),
            f"{each['compared']['engagements']:,}",
        )
        for each in certificates
    ]
    columns = ("certified", "events", "with all sealed up to", "engagements that stayed the same")
    show_table(columns, certified, "")


@archive.command()
@click.option(
    "--independent",
    is_flag=True,
    help="Also fold all segments with DuckDB, which shares no code with the ledger.",
)
@json_option
@click.pass_obj
def check(session: Session, independent: bool) -> int:  # noqa: FBT001 - click passes a flag so
    """Read every segment, and compare it with what was sealed; exits with 1 if one differs.

    If all can be read, the stored engagements are also compared with a fold of the segments.
    """
    if independent:
        _require_duckdb()
    with session.engagements() as engagements:
        compactor = engagements.ledger.compactor
        segments = compactor.segments()
        bad = _check_all(compactor, segments)
        difference = None if bad else compactor.sealed_difference()
        if independent and not bad and difference is None:
            difference = engagements.maintenance.sealed_difference_by_duckdb()
    if difference is not None:
        bad.append(f"{difference}; `engagement replay --repair` fixes it")
    if session.as_json:
        show_json({"segments": len(segments), "events": events_in(segments), "bad": bad})
    elif not bad:
        events = counted(events_in(segments), "event")
        click.echo(f"fine: {counted(len(segments), 'segment')} with {events}")
    for each in bad:
        click.echo(f"error: {each}", err=True)
    return int(bool(bad))


def _require_duckdb() -> None:
    """Raise MissingExtraError if DuckDB is not installed."""
    with extra("independent"):
        import duckdb  # noqa: F401, PLC0415 - of an extra


def _check_all(compactor: "Compactor", segments: list[Segment]) -> list[str]:
    """Check each segment and return a description of each one that differs from what was sealed."""
    bad = []
    with counting("check", "events", events_in(segments)) as advance:
        for segment in segments:
            try:
                compactor.check(segment)
            except ArchiveUnavailableError as error:
                bad.append(str(error))
            advance(segment.events)
    return bad


@archive.command()
@json_option
@click.pass_obj
def recover(session: Session) -> int:
    """Restore segments whose files are missing or damaged; exits with 1 if one cannot be restored.

    A file is moved back, even if it was renamed, or written again from other files that hold its
    events. Each is compared with what was sealed.
    """
    with session.engagements() as engagements:
        done = engagements.ledger.compactor.recover()
    if session.as_json:
        show_json(done)
    elif not done.lost:
        what = counted(len(done.mended), "segment")
        click.echo(f"restored {what}" if done.mended else "every segment is in its place")
    for name in done.lost:
        click.echo(
            f"error: no file of the archive holds the events of {name}; copy it from a backup",
            err=True,
        )
    return int(bool(done.lost))


@archive.command()
@json_option
@click.pass_obj
def merge(session: Session) -> None:
    """Merge small adjacent segments into larger ones, which questions read faster."""
    with session.engagements() as engagements:
        compactor = engagements.ledger.compactor
        before = len(compactor.segments())
        with counting("merge", "events", events_in(compactor.segments())) as advance:
            merged = compactor.merge(advance)
        after = len(compactor.segments())
    if session.as_json:
        show_json({"merged": before - after + len(merged), "into": len(merged), "segments": after})
    elif merged:
        click.echo(
            f"merged {counted(before - after + len(merged), 'segment')} into {len(merged):,}"
        )
    else:
        click.echo("there is nothing to merge")


def _holding(compactor: "Compactor", position: int) -> Segment:
    for segment in compactor.segments():
        if segment.overlaps(position, position):
            return segment
    message = f"position {position} is in no segment; `engagement archive list` shows all"
    raise ArchiveUnavailableError(message)


def _document(segment: Segment) -> dict[str, object]:
    return {
        "name": segment.name,
        "first_position": segment.first_position,
        "last_position": segment.last_position,
        "events": segment.events,
        "first_recorded_at": iso(segment.first_recorded_at),
        "last_recorded_at": iso(segment.last_recorded_at),
        "size_bytes": segment.size_bytes,
        "sha256": segment.digest.hex(),
    }
