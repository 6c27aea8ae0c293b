"""Resolution: which issues the keys name that were recorded before Linear was asked for them."""

import asyncio
import datetime as dt
import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

from bot.linear.client import Linear
from bot.linear.decoding import Failed
from bot.linear.documents import BATCH, is_identifier
from bot.linear.intake.recorder import Take, record_all
from bot.linear.issue import Issue
from bot.linear.observed import observation_of
from ledger.application import Clock, JobRuns
from ledger.errors import LedgerError
from ledger.instants import instant_of
from projections.application import Engagements, Issues

_log = logging.getLogger(__name__)

ROUND = "linear_round"
"""The job whose runs are the rounds: a round's day is that of its beginning, and what it counted
the position up to which keys were asked for, in the order of their first events."""
ROUND_DAYS = 30
"""Then what was not found is asked for again."""


class Key(NamedTuple):
    """A key, and the position of the first event with it."""

    key: str
    position: int


class Keys(NamedTuple):
    """The recorded keys that can be Linear's."""

    found: int
    not_found: int
    """Linear was asked for them in this round."""
    pending: tuple[Key, ...]
    """Linear is to be asked for them in this round, in this order."""
    former: frozenset[str]
    """The keys that found issues had before; another issue may have one now."""
    begun_on: dt.date
    """The first day of the round."""


class Round:
    """The recorded keys, and how far the present round of asking for them has come."""

    def __init__(self, issues: Issues, runs: JobRuns, clock: Clock) -> None:
        """Read keys from `issues`, and keep the round among `runs`."""
        self._issues, self._runs, self._clock = issues, runs, clock

    def keys(self) -> Keys:
        """All recorded keys, as far as Linear was asked for them."""
        begun, recorded = self._begun(), self._issues.recorded_keys()
        missing = [
            Key(*each)
            for each in recorded.first.items()
            if is_identifier(each[0]) and each[0] not in recorded.present
        ]
        asked = [each for each in missing if each.position <= begun.position]
        known_by_former = sum(each.key in recorded.former for each in asked)
        return Keys(
            len(recorded.first.keys() & recorded.present) + known_by_former,
            len(asked) - known_by_former,
            tuple(missing[len(asked) :]),
            recorded.former,
            begun.day,
        )

    def advance(self, begun_on: dt.date, position: int) -> None:
        """Note how far a round has come; durable when this returns."""
        self._runs.advance(ROUND, begun_on, instant_of(self._clock()), position)

    def ends_on(self) -> dt.date:
        """The day from which on keys that were not found are asked for again."""
        return self._begun().day + dt.timedelta(days=ROUND_DAYS)

    def _begun(self) -> "_Begun":
        today = self._clock().astimezone(dt.UTC).date()
        last = self._runs.last(ROUND)
        if last is None or (today - last.day).days >= ROUND_DAYS:
            return _Begun(today, 0)
        return _Begun(last.day, last.counted)


class _Begun(NamedTuple):
    day: dt.date
    position: int


class NotResolvedError(LedgerError):
    """Linear is still to be asked for some keys; the message says how many, and why."""


class Resolved(NamedTuple):
    """The outcome of a run; `why` is the reason if it stopped before its end."""

    found: int
    not_found: int
    pending: int
    why: str | None = None

    def expect_none_pending(self) -> Self:
        """Return self; raises NotResolvedError if keys are pending."""
        if self.pending:
            keys = f"{self.pending:,} key{'' if self.pending == 1 else 's'}"
            raise NotResolvedError(f"Linear is still to be asked for {keys}: {self.why}")
        return self


class _StoppedError(Exception):
    """The run stops; the message is the reason."""


def ignore(_: int) -> None:
    """Do not show the progress."""


class Resolution:
    """Asks Linear for recorded keys that no look-up has found, and records what it says.

    Keys are asked for in batches, and singly where a batch leaves one out that no found issue had
    before. What was answered is not asked for again in the same round, also after a crash: issues
    are recorded before the round advances.
    """

    def __init__(self, linear: Linear, take: Take, round_: Round, clock: Clock) -> None:
        """Pass observations to `take`."""
        self._linear, self._take, self._round, self._clock = linear, take, round_, clock
        self._named: set[str] = set()
        """All keys of found issues."""
        self._running: asyncio.Task[None] | None = None
        self._is_ended = False

    async def resolve(self, show: Callable[[int], object] = ignore) -> Resolved:
        """Ask until all keys are asked for, Linear fails, or little of its quota is left.

        `show` is called with the number of keys that are done. A failure meanwhile is the reason
        why it stopped, and raises nothing.
        """
        keys = await asyncio.to_thread(self._round.keys)
        self._named, done = set(keys.former), 0

        def note(number: int) -> None:
            nonlocal done
            done = number
            show(number)

        self._running = asyncio.create_task(self._ask_for(keys, note))
        if self._is_ended:
            self._running.cancel()
        try:
            await asyncio.wait({self._running})
        finally:
            self._running.cancel()
        found = sum(each.key in self._named for each in keys.pending)
        not_found = sum(each.key not in self._named for each in keys.pending[:done])
        left = len(keys.pending) - found - not_found
        return Resolved(found, not_found, left, _why(self._running))

    def end(self) -> None:
        """Stop the run that is under way, and those to come."""
        self._is_ended = True
        if self._running is not None:
            self._running.cancel()

    async def _ask_for(self, keys: Keys, note: Callable[[int], None]) -> None:
        pending = keys.pending
        for start in range(0, len(pending), BATCH):
            batch = pending[start : start + BATCH]
            await self._ask_for_batch([each.key for each in batch])
            for number, each in enumerate(batch, start + 1):
                if each.key not in self._named:
                    self._expect_quota()
                    await self._ask_for_one(each.key)
                    await self._advance(keys, each)
                note(number)
            await self._advance(keys, batch[-1])
            if start + BATCH < len(pending):
                self._expect_quota()

    async def _ask_for_batch(self, keys: Sequence[str]) -> None:
        issues = await self._linear.find_present(keys)
        if isinstance(issues, Failed):
            raise _StoppedError(f"Linear {issues.reason.value}")
        await self._record(issues)

    async def _ask_for_one(self, key: str) -> None:
        """Ask for a key that a batch left out; an answer that cannot be used holds up no others."""
        issue = await self._linear.find(key)
        if not isinstance(issue, Failed):
            await self._record([] if issue is None else [issue])
        elif self._linear.may_be_asked:
            _log.warning("issue not read", extra={"why": issue.reason.value})
        else:
            raise _StoppedError(f"Linear {issue.reason.value}")

    async def _record(self, issues: Sequence[Issue]) -> None:
        now = instant_of(self._clock())
        read = (observation_of(issue, now) for issue in issues)
        observed = [each for each in read if each is not None]
        failure = await record_all(self._take, observed)
        if failure is not None:
            raise _StoppedError(failure)
        self._named.update(*(each.identifiers for each in observed))

    async def _advance(self, keys: Keys, to: Key) -> None:
        await asyncio.to_thread(self._round.advance, keys.begun_on, to.position)

    def _expect_quota(self) -> None:
        if self._linear.quota.is_scarce:
            raise _StoppedError("little of Linear's limit is left")


def _why(run: asyncio.Task[None]) -> str | None:
    """The reason why a run stopped before its end."""
    if run.cancelled():
        return "it was ended"
    error = run.exception()
    if error is None or isinstance(error, _StoppedError):
        return None if error is None else str(error)
    return type(error).__name__


def round_of(engagements: Engagements) -> Round:
    """The round of a ledger."""
    return Round(engagements.issues, engagements.ledger.job_runs, engagements.clock)


def resolution_of(linear: Linear, engagements: Engagements) -> Resolution:
    """Resolution of the keys of a ledger, by asking `linear`."""
    record, clock = engagements.ledger.record_async, engagements.clock
    return Resolution(linear, record, round_of(engagements), clock)
