"""Engagements: the fold of all interactions of one user with one issue (R3).

`merge` is associative and commutative with `NONE` as its identity, so any split of a history, in
any order of arrival, folds to the same engagement.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

import msgspec

from ledger.as_of import AsOf
from ledger.commands import Kind
from ledger.events import INTERACTION, EventRow


class Engagement(msgspec.Struct, frozen=True, gc=False):
    """The fold of the interactions of one user with one issue; instants are microseconds UTC.

    It has the number of interactions and the last instant of each kind. `linear_at` and `linear_id`
    are the latest given, `override_at` and `override` the latest override; at equal instants the
    greater value counts. Both fields of a pair are None together.
    """

    mentions: int = 0
    views: int = 0
    queries: int = 0
    first_at: int | None = None
    mentioned_at: int | None = None
    viewed_at: int | None = None
    queried_at: int | None = None
    linear_at: int | None = None
    linear_id: str | None = None
    override_at: int | None = None
    override: float | None = None

    @property
    def count(self) -> int:
        """The number of interactions of all kinds."""
        return self.mentions + self.views + self.queries

    @property
    def last_at(self) -> int | None:
        """The instant of the last interaction of any kind, or None."""
        lasts = [
            at for at in (self.mentioned_at, self.viewed_at, self.queried_at) if at is not None
        ]
        return max(lasts, default=None)

    @property
    def last_kind(self) -> Kind | None:
        """The kind of the last interaction; of several at one instant the highest (R3)."""
        last_at = self.last_at
        if last_at is None:
            return None
        if self.queried_at == last_at:
            return Kind.QUERY
        return Kind.VIEW if self.viewed_at == last_at else Kind.MENTION

    @property
    def idle_since(self) -> int:
        """The last interaction's or the override's instant, whichever is later; -1 without any."""
        last_at = self.last_at
        idle_since = -1 if last_at is None else last_at
        return idle_since if self.override_at is None else max(idle_since, self.override_at)

    @property
    def is_overridden(self) -> bool:
        """Whether the override is in force, not ended by a later interaction (R6)."""
        return self.override_at is not None and self.override_at == self.idle_since


NONE = Engagement()
"""No engagement: the identity of `merge`."""


def fold(rows: Iterable[EventRow]) -> Engagement:
    """Fold the events of one user with one issue, in any order."""
    counts: list[int] = [0, 0, 0, 0]
    lasts: list[int | None] = [None, None, None, None]
    first_at: int | None = None
    linear, override = None, None
    for _, _, topic, _, kind, at, linear_id, score, _ in rows:
        if kind is None or topic != INTERACTION:
            override = _latest(override, (at, score))
            continue
        counts[kind] += 1
        last = lasts[kind]
        if last is None or at > last:
            lasts[kind] = at
        if first_at is None or at < first_at:
            first_at = at
        if linear_id is not None:
            linear = _latest(linear, (at, linear_id))
    instants: tuple[Any, ...] = tuple(lasts[1:])
    pairs = (*(linear or _NO_PAIR), *(override or _NO_PAIR))
    _, mentions, views, queries = counts
    return Engagement(mentions, views, queries, first_at, *instants, *pairs)


def touches(kind: Kind, count: int, at: int) -> Engagement:
    """The engagement of `count` interactions of one kind, all of them at one instant."""
    mentions, views, queries = (count if each is kind else 0 for each in Kind)
    mentioned, viewed, queried = (at if each is kind and count else None for each in Kind)
    return Engagement(mentions, views, queries, at if count else None, mentioned, viewed, queried)


def merge(a: Engagement, b: Engagement) -> Engagement:
    """Merge the engagements of two histories that have no event in common."""
    firsts = [at for at in (a.first_at, b.first_at) if at is not None]
    linear = _latest(_pair(a.linear_at, a.linear_id), _pair(b.linear_at, b.linear_id))
    override = _latest(_pair(a.override_at, a.override), _pair(b.override_at, b.override))
    return Engagement(
        a.mentions + b.mentions,
        a.views + b.views,
        a.queries + b.queries,
        min(firsts, default=None),
        _later(a.mentioned_at, b.mentioned_at),
        _later(a.viewed_at, b.viewed_at),
        _later(a.queried_at, b.queried_at),
        *(linear or _NO_PAIR),
        *(override or _NO_PAIR),
    )


def of_kinds(engagement: Engagement, kinds: Collection[Kind]) -> Engagement:
    """`engagement` without the interactions of kinds other than `kinds`.

    Counts, last interactions and the override are exact; `first_at` and the linear id stay those of
    all kinds, because they are not stored by kind.
    """
    if len(kinds) == len(Kind):
        return engagement
    mentioned, viewed, queried = (kind in kinds for kind in Kind)
    return msgspec.structs.replace(
        engagement,
        mentions=engagement.mentions if mentioned else 0,
        views=engagement.views if viewed else 0,
        queries=engagement.queries if queried else 0,
        mentioned_at=engagement.mentioned_at if mentioned else None,
        viewed_at=engagement.viewed_at if viewed else None,
        queried_at=engagement.queried_at if queried else None,
    )


_Pair = tuple[int, Any]
_NO_PAIR = (None, None)


def _pair(at: int | None, value: object) -> _Pair | None:
    return None if at is None else (at, value)


def _latest(a: _Pair | None, b: _Pair | None) -> _Pair | None:
    if a is None or b is None:
        return a or b
    return max(a, b)


def _later(a: int | None, b: int | None) -> int | None:
    if a is None or b is None:
        return b if a is None else a
    return max(a, b)


# Folds of the events that a question includes.


def engagements_as_of(rows: Iterable[EventRow], as_of: AsOf) -> list[tuple[str, Engagement]]:
    """The engagements of one user with their issues, in no particular order."""
    return [pair for pair in folds_as_of(rows, as_of).items() if pair[1].count]


def folds_as_of(rows: Iterable[EventRow], as_of: AsOf) -> dict[str, Engagement]:
    """The folds by issue of some events of one user, which need not be all or the first ones."""
    groups: dict[str, list[EventRow]] = defaultdict(list)
    for row in as_of.of(rows):
        groups[row.issue_id].append(row)
    return {issue_id: fold(group) for issue_id, group in groups.items()}
