"""Answers about the clock: its time, and whether outside clocks agree."""

from bot.answers.reply import Reply, fill, say
from bot.clock_check import ClockState
from bot.language import words
from ledger.instants import Instant, iso

_MINUTE = 60_000_000


def state(clock: ClockState) -> Reply:
    """Return the answer to /clock: the times of all clocks, and what follows from them."""
    lines = [
        fill(
            words.CLOCK, now=_second(clock.now), last_run=_last_run(clock), outside=_outside(clock)
        ),
        words.CLOCK_GOES_ON if clock.may_act else words.CLOCK_WAITS,
    ]
    if clock.is_wrong:
        lines.insert(1, words.CLOCK_WRONG)
    return Reply("\n".join(lines))


def doubt(clock: ClockState) -> Reply:
    """The message to the admins when scheduled work waits because the clock is unconfirmed."""
    return say(
        words.CLOCK_DOUBT,
        now=_second(clock.now),
        days=clock.days,
        last_run=_last_run(clock),
        outside=_outside(clock),
    )


def doubt_in_the_terminal(clock: ClockState) -> str:
    """The same as a plain line, for the terminal chat."""
    return words.CHAT_CLOCK.format(
        now=_second(clock.now), days=clock.days, last_run=_last_run(clock)
    )


def _last_run(clock: ClockState) -> str:
    return words.NONE if clock.last_run is None else _second(clock.last_run)


def _outside(clock: ClockState) -> str:
    """The latest reading of an outside clock."""
    if not clock.heard:
        return words.NONE
    last = min(clock.heard, key=lambda each: each.ago)
    minutes = last.ago // _MINUTE
    return words.CLOCK_OUTSIDE.format(now=_second(last.now), minutes=minutes)


def _second(instant: Instant) -> str:
    return iso(Instant(instant // 1_000_000 * 1_000_000))
