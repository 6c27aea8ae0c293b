"""The teams of Linear, read at the start and each hour, so that their keys count and no others."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import NoReturn

from bot.linear.client.linear import Linear
from bot.linear.decoding import Failed
from bot.linear.issue import Issue, may_be_shown
from bot.listening.issue_keys import IssueKeys

_log = logging.getLogger(__name__)

READ_EVERY_SECONDS = 3_600.0
AGAIN_SECONDS = 60.0
"""After a failure; until the first answer everything counts as without Linear."""


_TEAM_KEY = re.compile(r"[A-Z0-9]{1,20}")


class TeamKeys:
    """Keeps the team keys of `keys` as Linear names them; recording never waits for that."""

    def __init__(self, keys: IssueKeys, allowed: Collection[str] = ()) -> None:
        """Let teams count whose issues may be seen, by `allowed`."""
        self._keys = keys
        self._allowed = allowed
        self._named: frozenset[str] | None = None
        self._former: frozenset[str] = frozenset()

    async def follow(
        self, linear: Linear, pause: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> NoReturn:
        """Read the teams now and after each `pause`; never ends.

        A failure is logged once, as long as its reason stays the same.
        """
        last = None
        while True:
            failure = await self._read(linear)
            if failure not in {None, last}:
                _log.warning("teams of Linear not read", extra={"why": failure})
            last = failure
            await pause(READ_EVERY_SECONDS if failure is None else AGAIN_SECONDS)

    async def _read(self, linear: Linear) -> str | None:
        """Read the teams; return the reason if they could not be read."""
        setup, _ = await linear.setup()
        if isinstance(setup, Failed):
            return setup.reason.value
        if not setup.has_more_teams:
            seen = (each for each in setup.teams if may_be_shown(each, self._allowed))
            self._named = _usable(each.key for each in seen)
            self._change()
        return None

    def learn(self, issues: Iterable[Issue]) -> None:
        """Let former keys count, too, that were seen on issues that were moved."""
        former = (key for issue in issues for key in issue.former_identifiers)
        self._former |= _usable(key.rpartition("-")[0] for key in former)
        self._change()

    def _change(self) -> None:
        if self._named is not None:
            self._keys.teams_in_linear = self._named | self._former


def _usable(keys: Iterable[str]) -> frozenset[str]:
    """Return the keys, in capitals, with which an issue id can begin."""
    return frozenset(key for key in map(str.upper, keys) if _TEAM_KEY.fullmatch(key))
