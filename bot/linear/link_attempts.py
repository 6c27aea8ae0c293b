"""Attempts to link: codes in comments, and how often an author may try one."""

from typing import NamedTuple

import msgspec

from bot.linear.decoding import json_object
from bot.linear.webhook_issue import converted, uuid_of
from ledger.instants import Instant
from ledger.links import code_in
from ledger.observations import Observation, Person

AT_MOST = 10
"""Attempts of one author in an hour. A code cannot be guessed: this bounds the work."""
HOUR = 3_600_000_000
AUTHORS = 1_000
"""The most authors whose attempts are counted."""


class Attempt(NamedTuple):
    """A code in a comment, and who wrote it; `said_at` is the signed timestamp of the webhook.

    The comment's own date is no proof: Linear lets its author choose it.
    """

    code: str
    author: Person
    said_at: Instant


class _Written(msgspec.Struct, rename="camel"):
    body: str
    user_id: str


def attempt_in(body: bytes, said: Observation) -> Attempt | None:
    """Return the attempt in a webhook that says that a person commented on an issue.

    Only its author's own creation of a comment counts; nothing but the code is read of its words.
    """
    if not said.commented or not isinstance(said.actor, Person) or said.actor.is_app:
        return None
    written = converted(json_object(body).get("data"), _Written)
    if written is None or uuid_of(written.user_id) != said.actor.id or said.said_at is None:
        return None
    code = code_in(written.body)
    return None if code is None else Attempt(code, said.actor, said.said_at)


class Attempts:
    """The number of attempts of each author in the last hour, about."""

    def __init__(self) -> None:
        """Begin without any."""
        self._counted: dict[str, tuple[Instant, int]] = {}

    def may_try(self, author: str, now: Instant) -> bool:
        """Count an attempt, and return whether it is one of the first in its hour."""
        begun, count = self._counted.pop(author, (now, 0))
        if now - begun >= HOUR:
            begun, count = now, 0
        self._counted[author] = begun, count + 1
        if len(self._counted) > AUTHORS:
            del self._counted[next(iter(self._counted))]
        return count < AT_MOST
