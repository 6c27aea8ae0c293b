"""The parts shared by all commands: settings, the clock, the ledger, and common options."""

import contextlib
import datetime as dt
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bot.dates.parse import Edge, InvalidMomentError, moment_of_text
from bot.settings import Settings, settings_of
from ledger.application import Clock, utc_now
from ledger.errors import LedgerMissingError

if TYPE_CHECKING:
    from projections.application import Engagements

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTION = re.compile(r"-(?!\d*\.?\d+$)")
"""The beginning of an option, unlike that of a negative number."""
_END_OF_OPTIONS = "--"


class UserCommand(click.Command):
    """A command with a user argument, which may be a negative number and is then not an option."""

    ignore_unknown_options = True
    allow_extra_args = True

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse as click does, but report unknown options before superfluous arguments."""
        ctx.meta[_END_OF_OPTIONS] = _END_OF_OPTIONS in args
        left = super().parse_args(ctx, args)
        if left and not ctx.resilient_parsing:
            for word in left:
                _refuse_option(word, ctx)
            ctx.fail(f"Got unexpected extra argument ({left[0]})")
        return left


class Word(click.ParamType[str]):
    """A positional argument; a word that looks like an option is refused, unless it is a number."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return `value`; raises NoSuchOption if it looks like an option."""
        del param
        _refuse_option(value, ctx)
        return value


class Number(click.types.FloatParamType):
    """A positional number; a word that looks like an option is refused."""

    def convert(
        self,
        value: Any,  # noqa: ANN401 - click's signature
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """Parse the number; raises NoSuchOption if `value` looks like an option."""
        try:
            number: float = super().convert(value, param, ctx)
        except click.BadParameter:
            _refuse_option(str(value), ctx)
            raise
        return number


def _refuse_option(word: str, ctx: click.Context | None) -> None:
    """Raise NoSuchOption, with similar options, for a word that looks like an option."""
    if ctx is None or ctx.meta[_END_OF_OPTIONS] or not _OPTION.match(word):
        return
    name = word.partition("=")[0]
    known = [each for param in ctx.command.get_params(ctx) for each in param.opts]
    raise click.NoSuchOption(
        name, possibilities=[each for each in known if each.startswith("-")], ctx=ctx
    )


@dataclass
class Session:
    """One run of a command; settings are read when they are first needed."""

    read_settings: Callable[[], Settings]
    clock: Clock = utc_now
    as_json: bool = False

    @cached_property
    def settings(self) -> Settings:
        """The settings; raises SettingsError if one is invalid."""
        return self.read_settings()

    @contextlib.contextmanager
    def engagements(self, *, create: bool = False) -> Iterator["Engagements"]:
        """A context manager that opens the ledger; a missing one is created only with `create`."""
        from projections.application import Engagements  # noqa: PLC0415 - loads SQLAlchemy

        url = self.settings.database_url
        if not create:
            self.expect_ledger()
        with Engagements(url, clock=self.clock) as engagements:
            yield engagements

    def expect_ledger(self) -> None:
        """Raise LedgerMissingError if there is no ledger yet."""
        if not self.has_ledger():
            message = "there is no ledger yet; `engagement init` creates one"
            raise LedgerMissingError(message)

    def has_ledger(self) -> bool:
        """Whether there is a ledger; raises LedgerLostError if its file was lost."""
        from projections.application import Inspection  # noqa: PLC0415 - loads SQLAlchemy

        return Inspection(self.settings.database_url).has_ledger()

    def moment(self, text: str | None, edge: Edge = Edge.END) -> dt.datetime | None:
        """Return the moment that an option names, or None if it is not given.

        `edge` is the instant of the day that a bare date means.
        """
        if text is None:
            return None
        return moment_of_text(text, self.clock(), self.settings.zone, edge=edge)

    @contextlib.contextmanager
    def calendar(self) -> Iterator[None]:
        """A context manager for computing dates in the zone, whose years 1 to 9999 differ from
        UTC's.

        Raises InvalidMomentError if the block leaves these years.
        """
        try:
            yield
        except OverflowError:
            message = f"the span comes too near to the year 1 or 10000 in {self.settings.zone.key}"
            raise InvalidMomentError(message) from None

    def moments(
        self, at: str | None, known_at: str | None
    ) -> tuple[dt.datetime | None, dt.datetime | None]:
        """The arguments `at` and `known_at` of a question."""
        return self.moment(at), self.moment(known_at)


class Share(click.FloatRange):
    """A number from 0 to 1."""

    def __init__(self) -> None:
        super().__init__(0.0, 1.0)

    def convert(
        self,
        value: Any,  # noqa: ANN401 - click's signature
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """Parse the number; NaN is refused."""
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail("nan is not a number from 0 to 1", param, ctx)
        return number


def settings_from_environment() -> Settings:
    """Settings from the environment, with those of `.env` as defaults."""
    from ledger.application import environment  # noqa: PLC0415 - help needs none

    return settings_of(environment())


def _set_json(ctx: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's signature
    if value:
        ctx.obj.as_json = True


def json_option(command: Command) -> Command:
    """Add `--json`, which sets the session's flag."""
    return click.option(
        "--json",
        is_flag=True,
        expose_value=False,
        callback=_set_json,
        help="Print one JSON document on stdout.",
    )(command)


def clock_option(command: Command) -> Command:
    """Add `--clock-is-right`."""
    return click.option(
        "--clock-is-right",
        is_flag=True,
        help="Confirm the clock if the last run is more than 7 days ago and no outside clock "
        "agrees: only then are texts deleted and events sealed.",
    )(command)


def as_of_options(command: Command) -> Command:
    """Add `--at` and `--known-at`."""
    known_at = click.option(
        "--known-at",
        metavar="MOMENT",
        help="Answer with what the ledger knew at this moment: the events recorded and the policy "
        "in force then. Without --at, also as of then: the answer that was given at that moment.",
    )
    at = click.option(
        "--at",
        metavar="MOMENT",
        help="Answer as of this moment, from what had occurred up to then: ISO 8601, or words such "
        "as yesterday, 3 weeks ago or 31 Jan at 14:00; a bare day means its end.",
    )
    return at(known_at(command))
