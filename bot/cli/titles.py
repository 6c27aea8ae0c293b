"""Titles of issues for tables and reports, where Linear is configured and answers in time."""

import asyncio
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from bot.cli.context import Session
from bot.cli.issue import linear_for
from bot.extras import MissingExtraError

if TYPE_CHECKING:
    from bot.linear.issue import Answer

TITLES_AT_MOST = 100
"""The most issues whose titles are looked up: two requests."""
TITLE_SECONDS = 1.5
"""The seconds that a command waits for Linear."""


class Described:
    """The issues of a list as Linear describes them; none without a key, or without an answer."""

    def __init__(self, answers: Mapping[str, "Answer"]) -> None:
        """Hold the answers."""
        self._answers = answers

    @property
    def titles(self) -> dict[str, str]:
        """The titles that are known, cut to fit, by their keys."""
        if not self._answers:
            return {}
        from bot.linear.cards import titles_of  # noqa: PLC0415 - loads what scores need

        return titles_of(self._answers)

    def document(self, key: str) -> dict[str, Any]:
        """The title and the state of an issue for JSON; empty unless they are known."""
        if key not in self._answers:
            return {}
        from bot.linear.issue import Found  # noqa: PLC0415 - only with a key

        answer = self._answers[key]
        if not isinstance(answer, Found):
            return {}
        return {"title": answer.issue.title, "state": answer.issue.state.name}


def described(session: Session, keys: Iterable[str]) -> Described:
    """Look up the first of `keys`, each once, by one look-up that is bounded in time."""
    asked = list(islice(dict.fromkeys(map(str, keys)), TITLES_AT_MOST))
    if session.settings.linear_api_key is None or not asked:
        return Described({})
    try:
        return Described(asyncio.run(_answers(session, asked)))
    except MissingExtraError:
        return Described({})


async def _answers(session: Session, keys: list[str]) -> dict[str, "Answer"]:
    linear = linear_for(session)
    try:
        return await linear.look_up_listed(keys, TITLE_SECONDS)
    finally:
        await linear.close()
