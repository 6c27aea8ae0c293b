"""Source keys within one transaction: which were counted before, and which are counted now (R2)."""

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from ledger.idempotency import SourceKey, digest, former_digest
from ledger.store import tables
from ledger.store.rows import sum_of_sources, without_sources
from ledger.store.statements import Query, Statement, value
from ledger.store.streams import Head

_t = tables.sources

SEEN: Query[int] = Query(
    value, select(_t.c.position).where(_t.c.digest == bindparam("digest")), "digest"
)
"""Finds the position that a source key's digest counted as."""

_FIRST: Query[bytes | None] = Query(
    value,
    select(func.min(_t.c.digest)).where(
        _t.c.digest >= bindparam("first"), _t.c.digest <= bindparam("last")
    ),
    "first",
    "last",
)
_INSERT = Statement(insert(_t), *_t.c.keys())
_DELETE = Statement(delete(_t).where(_t.c.digest == bindparam("digest")), "digest")


class Sources:
    """The digests of source keys, of which new ones are written together."""

    def __init__(self, connection: Connection, secret: bytes) -> None:
        """Work inside transactions of `connection`; `secret` is the ledger's digest key."""
        self._secret = secret
        self._find, self._first = SEEN.finder(connection), _FIRST.finder(connection)
        self._insert, self._delete = _INSERT.writer(connection), _DELETE.writer(connection)
        self._new: dict[bytes, int] = {}
        self._former: dict[bytes, int] = {}

    @property
    def has_new(self) -> bool:
        """Whether there is anything to write."""
        return bool(self._new)

    def counted_as(self, key: SourceKey | None, position: int) -> int | None:
        """Return where `key` was counted; if nowhere, it counts at `position`, and None is."""
        if key is None:
            return None
        mark = digest(key, self._secret)
        counted = self.position_of(mark)
        if counted is None and key.former is not None:
            counted = self._taken_over(key, mark)
        if counted is None:
            self._new[mark] = position
        return counted

    def seen(self, key: SourceKey) -> int | None:
        """Return where the key was counted."""
        return self.position_of(digest(key, self._secret))

    def position_of(self, mark: bytes) -> int | None:
        """Return where the key of this digest was counted."""
        position = self._new.get(mark)
        if position is None:
            position = self._find(mark)
        return position

    def seen_among(self, marks: Collection[bytes]) -> set[bytes]:
        """Return those of `marks` that the ledger has, by one query where it has none nearby."""
        is_any_near = bool(marks) and self._first(min(marks), max(marks)) is not None
        return {mark for mark in marks if self._find(mark) is not None} if is_any_near else set()

    def add(self, counted: Iterable[tuple[bytes, int]]) -> None:
        """Count digests that are certainly new at their positions."""
        self._new.update(counted)

    def write(self, head: Head) -> None:
        """Write the new ones, and their sum into `head`, which is to be written after."""
        if self._former:
            self._replace_former(head)
        if self._new:
            if head.sources_sum is not None:
                head.sources_sum = sum_of_sources(self._new.items(), head.sources_sum)
            self._insert(sorted(self._new.items()))
            self._new.clear()

    def _replace_former(self, head: Head) -> None:
        if head.sources_sum is not None:
            head.sources_sum = without_sources(head.sources_sum, self._former.items())
        self._delete([(mark,) for mark in self._former])
        self._former.clear()

    def _taken_over(self, key: SourceKey, mark: bytes) -> int | None:
        """Return where the key's former text counted, and replace that text by the key."""
        former = former_digest(key, self._secret)
        counted = None if former is None or former in self._former else self._find(former)
        if former is not None and counted is not None:
            self._former[former] = self._new[mark] = counted
        return counted
