"""A kit for tests of programs that embed the ledger: given interactions, when something is done,
then the answer is as expected.
"""

import asyncio
import datetime as dt
import inspect
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, NoReturn, TypeVar, overload

import msgspec

from ledger.commands import Interaction
from ledger.instants import instant_of, iso
from projections.application.client_api import EngagementTracker
from projections.application.engagements import Engagements

NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
"""The time at which a scenario begins unless it says otherwise."""

Client = TypeVar("Client")
Error = TypeVar("Error", bound=Exception)
Action = Callable[[Client], object]


class _Clock:
    """A clock that stands still at `now` until it is set."""

    def __init__(self, now: dt.datetime) -> None:
        """Begin at an aware moment."""
        self.now = now

    def __call__(self) -> dt.datetime:
        """The time."""
        return self.now


class _Outcome(NamedTuple):
    """The result of the last action of a scenario, or the error that it raised."""

    value: object
    error: Exception | None


@overload
def given(
    *interactions: Interaction, now: dt.datetime = ...
) -> "Given[EngagementTracker]": ...  # the client's default


@overload
def given(
    *interactions: Interaction, now: dt.datetime = ..., client: Callable[[Engagements], Client]
) -> "Given[Client]": ...


def given(
    *interactions: Interaction,
    now: dt.datetime = NOW,
    client: Callable[[Engagements], Any] = EngagementTracker,
) -> "Given[Any]":
    """Begin a scenario: at the aware moment `now` these interactions have been recorded.

    They are made by `ledger.commands.interaction_of`; one without `occurred_at` occurred at `now`.
    Actions are called with what `client` returns for the ledger: an EngagementTracker, an
    IssueEngagementRepository, or an object of your own.
    """
    return Given(interactions, now, client)


class Given(msgspec.Struct, Generic[Client], frozen=True):
    """A scenario whose last action is still to come; nothing happens before its expectation."""

    interactions: tuple[Interaction, ...]
    now: dt.datetime
    client: Callable[[Engagements], Client]
    steps: tuple[Action[Client] | dt.timedelta, ...] = ()

    def __post_init__(self) -> None:
        """Raise TypeError for other values than `given` takes, and ValueError for a naive `now`."""
        for each in self.interactions:
            _expect("given takes interactions, which interaction_of makes", each, Interaction)
        _expect("now must be a datetime", self.now, dt.datetime)
        instant_of(self.now)
        _expect_callable("client must be a callable that takes the ledger", self.client)

    if not TYPE_CHECKING:  # a type checker knows that there is no such attribute

        def __getattr__(self, name: str) -> NoReturn:
            """Say what comes before an expectation."""
            hint = f"; {name} follows an action: given(…).when(…).{name}(…)"
            known = hint if name in {"then", "then_raises"} else ""
            message = f"{type(self).__name__!r} object has no attribute {name!r}{known}"
            raise AttributeError(message)

    def after(self, time: dt.timedelta) -> "Given[Client]":
        """Let `time` pass before the next action; the clock stands still otherwise."""
        _expect("after takes a timedelta", time, dt.timedelta)
        return Given(self.interactions, self.now, self.client, (*self.steps, time))

    def when(self, action: Action[Client]) -> "When[Client]":
        """Call `action` with the client, and await what it returns if that is awaitable."""
        _expect_callable("when takes a callable that takes the client", action)
        return When(self.interactions, self.now, self.client, (*self.steps, action))


class When(Given[Client], Generic[Client], frozen=True):
    """A scenario that can be run: each expectation runs it from the start, in a ledger of its own.

    The ledger is a temporary file. Only the last action's result or error is compared; errors of
    earlier ones, and of recording what is given, are raised as they are.
    """

    def then(self, expected: object) -> None:
        """Raise AssertionError unless the last action returns what equals `expected`."""
        outcome = self._outcome()
        if outcome.error is not None:
            raise outcome.error
        if outcome.value != expected:
            raise AssertionError(self._explained(repr(expected), repr(outcome.value)))

    def then_raises(self, error: type[Error]) -> Error:
        """Return the last action's error; raises AssertionError unless it is an `error`."""
        if not (isinstance(error, type) and issubclass(error, Exception)):
            raise TypeError(_unlike("then_raises takes a type of exceptions", error))
        outcome = self._outcome()
        if isinstance(outcome.error, error):
            return outcome.error
        got = repr(outcome.value if outcome.error is None else outcome.error)
        raise AssertionError(self._explained(error.__name__, got)) from outcome.error

    def _outcome(self) -> _Outcome:
        clock = _Clock(self.now)
        with (
            TemporaryDirectory(prefix="engagement-ledger-") as folder,
            Engagements(f"sqlite:///{Path(folder) / 'ledger.db'}", clock=clock) as engagements,
        ):
            for interaction in self.interactions:
                engagements.ledger.record(interaction)
            client = self.client(engagements)
            for step in self.steps[:-1]:
                _take(step, client, clock)
            try:
                return _Outcome(_take(self.steps[-1], client, clock), None)
            except Exception as error:  # noqa: BLE001 - which one is compared is up to the caller
                return _Outcome(None, error)

    def _explained(self, expected: str, got: str) -> str:
        times = (step for step in self.steps if isinstance(step, dt.timedelta))
        now = instant_of(self.now + sum(times, dt.timedelta()))
        asked = [f"expected: {expected}", f"got:      {got}", f"at {iso(now)}, given"]
        return "\n".join([*asked, *self._history()])

    def _history(self) -> Iterator[str]:
        if not self.interactions:
            yield "  no interactions"
        for each in self.interactions:
            at = instant_of(self.now) if each.occurred_at is None else each.occurred_at
            yield f"  {each.user_id} {each.kind.label} {each.issue_id} at {iso(at)}"


def _expect(rule: str, value: object, type_: type) -> None:
    if not isinstance(value, type_):
        raise TypeError(_unlike(rule, value))


def _expect_callable(rule: str, value: object) -> None:
    if not callable(value):
        raise TypeError(_unlike(rule, value))


def _unlike(rule: str, value: object) -> str:
    return f"{rule}, not {type(value).__name__}"


def _take(step: Action[Client] | dt.timedelta, client: Client, clock: _Clock) -> object:
    if isinstance(step, dt.timedelta):
        clock.now += step
        return None
    result = step(client)
    return _awaited(result) if inspect.isawaitable(result) else result


def _awaited(awaitable: Any) -> object:  # noqa: ANN401 - any awaitable
    """The result of an awaitable, also where the caller runs in an event loop."""

    async def wait() -> object:
        return await awaitable

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, wait()).result()
