"""Look-ups for cards, which are sent without waiting for long and completed later."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import NamedTuple, Self

from bot.answers.scores import NO_TITLES, Titles
from bot.linear.cards import titles_of
from bot.linear.client import Linear, TeamKeys
from bot.linear.issue import Answer, Found
from bot.listening.bot_commands import CARDS, Asked
from bot.telegram.sending import Outbox

CARD_SECONDS = 1.5
"""The seconds that a card waits for Linear; reading the ledger and sending come on top."""

Answers = Mapping[str, Answer]
NOTHING: Answers = MappingProxyType({})


class Known(NamedTuple):
    """Answers for the issues on a card, and whether no look-up for them is under way."""

    answers: Answers = NOTHING
    is_complete: bool = True

    def of(self, asked: Asked) -> Self:
        """The part of this that is on the cards that are asked for."""
        if asked.name != CARDS:
            return type(self)()
        return self._replace(answers={key: self.answers[key] for key in asked.arguments})


class LookUps:
    """Looks up the issues of cards; without a client there is nothing to look up."""

    def __init__(
        self, linear: Linear | None, outbox: Outbox, team_keys: TeamKeys | None = None
    ) -> None:
        """Complete cards in the turns that `outbox` gives to their chats.

        `team_keys` learns from what is found.
        """
        self._linear = linear
        self._outbox = outbox
        self._team_keys = team_keys

    async def known(self, asked: Asked) -> Known:
        """The answers for the issues of cards after at most CARD_SECONDS."""
        if self._linear is None or asked.name != CARDS:
            return Known()
        answers = await self._linear.look_up(asked.arguments, CARD_SECONDS)
        self._learn(answers)
        return Known(answers, not self._linear.is_looking_for(asked.arguments))

    def has_found(self, key: str) -> bool:
        """Whether Linear is known to have an issue `key` that may be seen."""
        return self._linear is not None and self._linear.has_found(key)

    async def titles(self, issues: Sequence[str]) -> Titles:
        """The titles of the issues of a list that are known after at most CARD_SECONDS."""
        if self._linear is None or not issues:
            return NO_TITLES
        return titles_of(await self._linear.look_up_listed(issues, CARD_SECONDS))

    def complete(
        self, asked: Asked, chat_id: int, change: Callable[[Answers], Awaitable[None]]
    ) -> None:
        """Let `change` have its turn in the chat once Linear has answered, or will not."""
        if self._linear is not None:
            self._outbox.post_beside(partial(self._await, self._linear, asked, chat_id, change))

    async def _await(
        self,
        linear: Linear,
        asked: Asked,
        chat_id: int,
        change: Callable[[Answers], Awaitable[None]],
    ) -> None:
        answers = await linear.look_up(asked.arguments)
        self._learn(answers)
        self._outbox.post(chat_id, partial(change, answers))

    def _learn(self, answers: Answers) -> None:
        if self._team_keys is not None:
            self._team_keys.learn(
                each.issue for each in answers.values() if isinstance(each, Found)
            )
