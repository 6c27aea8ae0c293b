"""Commands that show the clock, and repair a ledger whose clock had run ahead."""

from typing import TYPE_CHECKING, NamedTuple

import click

from bot.cli.context import Session, json_option
from bot.cli.output import counted, show_json
from bot.clock_check import ClockState, ClockUnconfirmedError, last_in_a_row
from ledger.instants import DAY, Instant, iso

if TYPE_CHECKING:
    from projections.application import Engagements


class Clock(NamedTuple):
    """The state of the clock, and the instant of the last event or job run."""

    state: ClockState
    ledger_at: Instant

    @property
    def is_behind(self) -> bool:
        """Whether the ledger is so far ahead that nothing can be recorded."""
        return self.ledger_at - self.state.now > DAY


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def clock(context: click.Context) -> None:
    """Show the clock's time, and when the last event or job run was.

    `clock repair` repairs a ledger whose clock had run ahead.
    """
    if context.invoked_subcommand is None:
        session: Session = context.obj
        with session.engagements() as engagements:
            _show(session, _clock(engagements))


@clock.command()
@click.option(
    "--reason",
    required=True,
    metavar="TEXT",
    help="The reason, in up to 200 characters, without names of people.",
)
@click.option(
    "--clock-is-right",
    is_flag=True,
    help="Confirm the clock although later events were recorded without a gap between them.",
)
@json_option
@click.pass_obj
def repair(
    session: Session,
    reason: str,
    clock_is_right: bool,  # noqa: FBT001 - click passes a flag so
) -> None:
    """Repair a ledger whose clock had run ahead; the clock must be right now.

    From then on, events recorded with a later instant count as recorded now, job days noted after
    today are due again, and engagements are folded again. This cannot be undone. No event is
    changed: the correction is an event itself.
    """
    with session.engagements() as engagements:
        before = _clock(engagements)
        if not clock_is_right:
            _expect_no_clock_behind(engagements, before.state.now)
        days = engagements.ledger.correct_clock(reason)
        after = _clock(engagements)
    if session.as_json:
        show_json({"before": _document(before), "after": _document(after), "days_due_again": days})
        return
    click.echo(f"before: {sentence(before)}")
    click.echo(f"after: {sentence(after)}")
    click.echo(f"{counted(days, 'job day')} due again")


def _expect_no_clock_behind(engagements: "Engagements", now: Instant) -> None:
    """Refuse a repair if this clock is probably behind, rather than an earlier one ahead.

    A jump of the clock leaves a gap before the events it dated; without a gap, they were recorded
    on time.
    """
    recorded_at = last_in_a_row(engagements.ledger.clock_history.of_events())
    if recorded_at is not None and recorded_at - now > DAY:
        message = (
            f"the clock says {iso(now)}, and events were recorded up to {iso(recorded_at)} without "
            "a gap: it may be behind, and a repair cannot be undone; set the clock right, or "
            "confirm it with --clock-is-right"
        )
        raise ClockUnconfirmedError(message)


def sentence(clock: Clock) -> str:
    """One line about the state of the clock and the ledger."""
    now, ledger_at = iso(clock.state.now), iso(clock.ledger_at)
    if not clock.ledger_at:
        return f"the clock says {now}; the ledger is empty"
    if clock.ledger_at <= clock.state.now:
        return f"the clock says {now}; the last event or job run is at {ledger_at}"
    stops = ", and nothing is recorded until then" if clock.is_behind else ""
    return f"the clock says {now}; the ledger is ahead of it, at {ledger_at}{stops}"


def _clock(engagements: "Engagements") -> Clock:
    from bot.clocks import ClockGuard  # noqa: PLC0415 - loads SQLAlchemy

    return Clock(ClockGuard(engagements).state(), engagements.ledger.clock_history.latest())


def _show(session: Session, clock: Clock) -> None:
    if session.as_json:
        show_json(_document(clock))
        return
    click.echo(sentence(clock))
    if clock.ledger_at > clock.state.now:
        click.echo(
            "if the clock is right now, repair the ledger with "
            "`engagement clock repair --reason TEXT`"
        )
    elif not clock.state.may_act:
        click.echo(
            f"it is {clock.state.days} days after the last run: nothing is deleted or sealed "
            "until Telegram's dates agree or --clock-is-right confirms the clock"
        )


def _document(clock: Clock) -> dict[str, object]:
    last_run = clock.state.last_run
    return {
        "now": iso(clock.state.now),
        "ledger_at": iso(clock.ledger_at) if clock.ledger_at else None,
        "last_run": None if last_run is None else iso(last_run),
        "must_be_confirmed": not clock.state.may_act,
    }
