"""Commands that fold all events again, to compare or to build another read model."""

import time
from typing import TYPE_CHECKING

import click

from bot.cli.context import Session, json_option
from bot.cli.output import counted, show_json
from bot.cli.progress import counting, progress
from bot.cli.text_tables import show_table

if TYPE_CHECKING:
    from projections.application import Compared, Engagements, Replay


@click.group(invoke_without_command=True)
@click.option("--repair", is_flag=True, help="Rebuild the read model from the events.")
@click.option(
    "--afresh", is_flag=True, help="Start over instead of resuming a comparison that was killed."
)
@click.option(
    "--into",
    metavar="NAME",
    help="Build a second read model of that name beside the live one, and compare the two; run "
    "again, it continues where it was.",
)
@json_option
@click.pass_context
def replay(
    context: click.Context,
    repair: bool,  # noqa: FBT001 - click passes a flag so
    afresh: bool,  # noqa: FBT001 - click passes a flag so
    into: str | None,
) -> int:
    """Fold every event again and compare with the read model.

    Reports "identical", or the first difference and exits with 1. A comparison that was killed is
    resumed by the next one. Recording and questions go on meanwhile.
    """
    given = [option for option, is_given in _options(repair, afresh, into) if is_given]
    if context.invoked_subcommand is None:
        if len(given) > 1:
            message = f"{given[0]} and {given[1]} do not go together"
            raise click.UsageError(message, context)
        session: Session = context.obj
        if into is not None:
            return _replay_into(session, into)
        return _replay_live(session, repair=repair, afresh=afresh)
    if given:
        message = f"{given[0]} does not go with {context.invoked_subcommand}"
        raise click.UsageError(message, context)
    return 0


def _options(repair: bool, afresh: bool, into: str | None) -> list[tuple[str, bool]]:  # noqa: FBT001 - as they were given
    return [("--repair", repair), ("--afresh", afresh), ("--into", into is not None)]


# --- comparing and repairing the live one --------------------------------------------------------


def _replay_live(session: Session, *, repair: bool, afresh: bool) -> int:
    with session.engagements() as engagements:
        started = time.perf_counter()
        found = _replay(engagements, repair=repair, afresh=afresh)
        seconds = time.perf_counter() - started
    if found.difference is not None:
        click.echo(f"error: {found.difference}; `engagement replay --repair` fixes it", err=True)
    if session.as_json:
        show_json(
            {
                "events": found.events,
                "engagements": found.engagements,
                "tail": found.tail,
                "resumed_after": found.resumed_after,
                "seconds": round(seconds, 3),
                "identical": found.difference is None,
            }
        )
    else:
        click.echo(_sentence(found, seconds, repaired=repair))
    return int(found.difference is not None)


def _replay(engagements: "Engagements", *, repair: bool, afresh: bool) -> "Replay":
    total = engagements.maintenance.count_to_replay(repair=repair)
    with counting("replay", "events", total) as advance:
        return engagements.maintenance.replay(repair=repair, progress=advance, afresh=afresh)


def _sentence(found: "Replay", seconds: float, *, repaired: bool) -> str:
    result = "different" if found.difference else "rewritten" if repaired else "identical"
    resumed = f", went on after {found.resumed_after:,} events" if found.resumed_after else ""
    tail = f"; not compared: {counted(found.tail, 'newer event')}, not folded yet"
    return (
        f"{result}: {counted(found.events, 'event')} folded to "
        f"{counted(found.engagements, 'engagement')} "
        f"({seconds:.1f} s{resumed}){tail if found.tail else ''}"
    )


# --- building another one beside it --------------------------------------------------------------


def _replay_into(session: Session, name: str) -> int:
    with session.engagements() as engagements:
        begun = engagements.maintenance.replays.begin(name).position
        if begun and not session.as_json:
            click.echo(f"goes on after position {begun:,}")
        started = time.perf_counter()
        found = _folded_and_compared(engagements, name, begun)
        seconds = time.perf_counter() - started
    if found.difference is not None:
        click.echo(f"error: {found.difference}, says {name}", err=True)
    if session.as_json:
        show_json(
            {
                "name": name,
                "resumed_after": begun,
                "position": found.position,
                "engagements": found.engagements,
                "seconds": round(seconds, 3),
                "identical": found.difference is None,
            }
        )
    else:
        result = "different" if found.difference else "identical"
        click.echo(
            f"{result}: {name} holds all events up to position {found.position:,}, "
            f"{counted(found.engagements, 'engagement')} compared ({seconds:.1f} s)"
        )
    return int(found.difference is not None)


def _folded_and_compared(engagements: "Engagements", name: str, begun: int) -> "Compared":
    replays = engagements.maintenance.replays
    events, _ = engagements.ledger.size()
    with progress(f"replay into {name}", "events", events) as update:
        replays.fold(name, lambda position: update(position, position - begun))
    with progress("compare", "engagements", engagements.maintenance.count()) as update:
        return replays.compare(name, lambda done: update(done, done))


@replay.command()
@click.argument("name")
@click.option("--different", is_flag=True, help="Switch even if the two are not identical.")
@json_option
@click.pass_obj
def switch(session: Session, name: str, different: bool) -> None:  # noqa: FBT001 - click passes a flag so
    """Make the read model NAME the live one.

    It is brought up to date, and replaces the live one in one transaction; the former live one
    stays as `previous`, and `engagement replay back` returns to it. A previous one from an earlier
    switch is dropped.
    """
    with session.engagements() as engagements:
        position = engagements.maintenance.replays.switch(name, different=different)
    _show_switched(session, name, position)


@replay.command()
@json_option
@click.pass_obj
def back(session: Session) -> None:
    """Return to the read model that was live before the last switch.

    It is brought up to date first. The other one becomes `previous`, so going back once more undoes
    this.
    """
    with session.engagements() as engagements:
        position = engagements.maintenance.replays.back()
    _show_switched(session, "previous", position)


def _show_switched(session: Session, name: str, position: int) -> None:
    if session.as_json:
        show_json({"switched_to": name, "position": position})
    else:
        click.echo(f"switched to {name} at position {position:,}; `engagement replay back` returns")


@replay.command("list")
@json_option
@click.pass_obj
def listed(session: Session) -> None:
    """Show the read models beside the live one, and the progress of each."""
    with session.engagements() as engagements:
        found = engagements.maintenance.replays.listed()
        head, _ = engagements.ledger.size()
    if session.as_json:
        show_json({"head": head, "replays": [each._asdict() for each in found]})
        return
    rows = [(each.name, each.position, head, _compared(each.identical)) for each in found]
    show_table(("name", "position", "of", "compared"), rows, "there is only the live read model")


def _compared(identical: bool | None) -> str | None:  # noqa: FBT001 - as it is noted
    if identical is None:
        return None
    return "identical" if identical else "different"


@replay.command()
@click.argument("name")
@json_option
@click.pass_obj
def drop(session: Session, name: str) -> None:
    """Drop the read model NAME, which may be `previous`."""
    with session.engagements() as engagements:
        engagements.maintenance.replays.drop(name)
    if session.as_json:
        show_json({"dropped": name})
    else:
        click.echo(f"dropped {name}")
