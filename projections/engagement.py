"""Engagements: the fold of all interactions of one user with one issue (R3).

`merge` is associative and commutative with `NONE` as its identity, so any split of a history, in
any order of arrival, folds to the same engagement.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from ledger.events import EventRow


class Engagement(msgspec.Struct, frozen=True, gc=False):
    """What is known of one user and one issue; instants are microseconds UTC.

    `last_at` and `last_kind` are the greatest (occurred_at, kind rank). `linear_at` and `linear_id`
    are the latest given, `override_at` and `override` the latest override; at equal instants the
    greater value. All of a pair are None together. `count` is the sum of the three kinds' counts.
    """

    mentions: int = 0
    views: int = 0
    queries: int = 0
    first_at: int | None = None
    last_at: int | None = None
    last_kind: int | None = None
    linear_at: int | None = None
    linear_id: str | None = None
    override_at: int | None = None
    override: float | None = None

    @property
    def count(self) -> int:
        """All interactions, of every kind."""
        return self.mentions + self.views + self.queries

    @property
    def idle_since(self) -> int:
        """The last interaction's or the override's instant, whichever is later; -1 without any."""
        last_at = -1 if self.last_at is None else self.last_at
        return last_at if self.override_at is None else max(last_at, self.override_at)

    @property
    def is_overridden(self) -> bool:
        """Tell whether the override is in force: no later interaction has ended it (R6)."""
        return self.override_at is not None and self.override_at == self.idle_since


NONE = Engagement()
"""No engagement: the identity of `merge`."""


def fold(rows: Iterable[EventRow]) -> Engagement:
    """Return the engagement that the events of one user with one issue add up to."""
    counts = [0, 0, 0, 0]
    first_at: int | None = None
    last, linear, override = _BEFORE_ALL, None, None
    for _, _, _, kind, at, linear_id, score, _ in rows:
        if kind is None:
            override = _latest(override, (at, score))
            continue
        counts[kind] += 1
        if first_at is None or at < first_at:
            first_at = at
        if at >= last[0]:
            last = max(last, (at, kind))
        if linear_id is not None:
            linear = _latest(linear, (at, linear_id))
    _, mentions, views, queries = counts
    last_pair = _NO_PAIR if last is _BEFORE_ALL else last
    pairs = (*last_pair, *(linear or _NO_PAIR), *(override or _NO_PAIR))
    return Engagement(mentions, views, queries, first_at, *pairs)


def merge(a: Engagement, b: Engagement) -> Engagement:
    """Return the engagement of both histories together; no event may be in both."""
    firsts = [at for at in (a.first_at, b.first_at) if at is not None]
    last = _latest(_pair(a.last_at, a.last_kind), _pair(b.last_at, b.last_kind))
    linear = _latest(_pair(a.linear_at, a.linear_id), _pair(b.linear_at, b.linear_id))
    override = _latest(_pair(a.override_at, a.override), _pair(b.override_at, b.override))
    return Engagement(
        a.mentions + b.mentions,
        a.views + b.views,
        a.queries + b.queries,
        min(firsts, default=None),
        *(last or _NO_PAIR),
        *(linear or _NO_PAIR),
        *(override or _NO_PAIR),
    )


_Pair = tuple[int, Any]
_NO_PAIR = (None, None)
_BEFORE_ALL = (-(2**63), 0)


def _pair(at: int | None, value: object) -> _Pair | None:
    return None if at is None else (at, value)


def _latest(a: _Pair | None, b: _Pair | None) -> _Pair | None:
    if a is None or b is None:
        return a or b
    return max(a, b)
