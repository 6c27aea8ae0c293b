"""The command that folds everything again."""

import time

import click

from bot.cli.session import Session, json_option
from bot.cli.shown import progress, show_json
from projections.application import Engagements
from projections.views.replay import Replay, count_events

SHOWN_EVERY = 5_000
"""Events between two movements of the progress bar."""


@click.command()
@click.option("--repair", is_flag=True, help="Write the read model anew from the events.")
@json_option
@click.pass_obj
def replay(session: Session, repair: bool) -> int:  # noqa: FBT001 - click passes a flag so
    """Fold every event again and compare with the read model.

    Says identical, or names the first difference and exits with 1.
    """
    with session.engagements() as engagements:
        started = time.perf_counter()
        found = _replay(engagements, repair=repair)
        seconds = time.perf_counter() - started
    if found.difference is not None:
        click.echo(f"error: {found.difference}; `engagement replay --repair` mends it", err=True)
    if session.as_json:
        show_json(
            {
                "events": found.events,
                "engagements": found.engagements,
                "seconds": round(seconds, 3),
                "identical": found.difference is None,
            }
        )
    else:
        click.echo(_sentence(found, seconds, repaired=repair))
    return int(found.difference is not None)


def _replay(engagements: Engagements, *, repair: bool) -> Replay:
    total = count_events(engagements.ledger.database)
    done = 0
    with progress("replay", "events", total) as update:

        def advance(count: int) -> None:
            nonlocal done
            if done // SHOWN_EVERY != (done + count) // SHOWN_EVERY:
                update(done + count, done + count)
            done += count

        return engagements.replay(repair=repair, progress=advance)


def _sentence(found: Replay, seconds: float, *, repaired: bool) -> str:
    result = "different" if found.difference else "rewritten" if repaired else "identical"
    return (
        f"{result}: {found.events:,} events fold to {found.engagements:,} engagements "
        f"({seconds:.1f} s)"
    )
