"""Issues that moved: which ones, and the names that follow from their observations.

Which ones is written with the observations, as their keys are. Without any, a question costs one
look into an empty table.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain
from typing import Generic, NamedTuple, TypeVar

from msgspec import UNSET
from sqlalchemy import Connection, bindparam, delete, func, insert, select

from ledger import store
from ledger.events import IssueObserved
from ledger.instants import Instant
from ledger.store.clock_corrections import corrections
from ledger.store.database import Database
from ledger.store.statements import Query, Statement, value
from projections.issue_names import NO_NAMES, Claim, Names
from projections.policy import ScoringPolicy
from projections.ranking import Bands
from projections.read_model.keys_of_issues import Named
from projections.read_model.tables import issue_keys, moved_issues

# The table of issues that moved.

_Moved = tuple[int, int]
"""The stream of an issue, and the position of its last observation."""


def _moved(stream: int, position: int) -> _Moved:
    return stream, position


_m, _k, _other = moved_issues.c, issue_keys.c, issue_keys.alias()
_ALL = Query(_moved, select(moved_issues).order_by(_m.stream))
_LAST: Query[int | None] = Query(value, select(func.max(_m.position)))
_KEY_COUNT: Query[int] = Query(
    value, select(func.count()).where(_k.stream == bindparam("stream")), "stream"
)
_SHARING: Query[int] = Query(
    value,
    select(_other.c.stream)
    .distinct()
    .join(issue_keys, _k.key == _other.c.key)
    .where(_k.stream == bindparam("stream")),
    "stream",
)
_INSERT = Statement(insert(moved_issues), *_m.keys())
_DELETE = Statement(delete(moved_issues).where(_m.stream == bindparam("stream")), "stream")


def note(connection: Connection, database: Database, keys: Iterable[Named]) -> None:
    """Add the issues that moved by new observations, whose keys are added already."""
    observed = {stream for _, stream, _ in keys}
    found = {each for stream in observed for each in _moved_with(connection, stream)}
    _DELETE.run_many(connection, [(stream,) for stream in found])
    last = partial(store.issue_streams.last_position_of, connection, database)
    _INSERT.run_many(connection, [(stream, last(stream)) for stream in sorted(found)])


def _moved_with(connection: Connection, stream: int) -> Sequence[int]:
    """The issue with its namesakes, if it moved."""
    sharing = list(_SHARING.all(connection, stream))
    is_moved = len(sharing) > 1 or _KEY_COUNT.one(connection, stream) > 1
    return sharing if is_moved else ()


def fill(connection: Connection, database: Database) -> None:
    """Add all issues that moved to the empty table."""
    _INSERT.run_many(connection, _said(connection, database))


def difference(connection: Connection, database: Database) -> str | None:
    """The first difference of the table from the events, if any."""
    kept, said = set(_ALL.all(connection)), set(_said(connection, database))
    if kept == said:
        return None
    return f"the issue of stream {min(kept ^ said)[0]}: the events say otherwise"


def _said(connection: Connection, database: Database) -> list[_Moved]:
    last = defaultdict[int, int](int)
    keys, holders = defaultdict[int, set[str]](set), defaultdict[str, set[int]](set)
    for key, stream, position in store.issue_streams.named_keys(connection, database):
        last[stream] = max(last[stream], position)
        keys[stream].add(key)
        holders[key].add(stream)
    renamed = {stream for stream, own in keys.items() if len(own) > 1}
    sharing = chain.from_iterable(each for each in holders.values() if len(each) > 1)
    return [(stream, last[stream]) for stream in sorted(renamed.union(sharing))]


# The names that follow, cached until an issue that moved is observed again.

REMEMBERED_NAMES = 8
"""The most moments whose names are cached."""

REMEMBERED_USERS = 64
"""The most users whose merged engagements are cached."""


class _Recorded(NamedTuple):
    """A claim, and where and when it was recorded."""

    position: int
    recorded_at: int
    claim: Claim


class _Read(NamedTuple):
    """All claims of issues that moved, by position, up to the last observation of one of them."""

    last: int
    by_issue: dict[_Moved, list[_Recorded]]
    claims: list[_Recorded]


Key = TypeVar("Key")
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """The values of a few keys, each made when it is first asked for; the oldest are dropped."""

    def __init__(self, at_most: int) -> None:
        """Keep so many."""
        self._at_most = at_most
        self._values: dict[Key, Value] = {}

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        """The value of `key`, by `make` if it is not there."""
        if key not in self._values:
            kept = list(self._values.items())[1 - self._at_most :]
            self._values = {**dict(kept), key: (value := make())}  # threads may be reading
            return value
        return self._values[key]


class Merged(NamedTuple):
    """Everything that the merged engagements of a user with issues that moved depend on."""

    stream: int | None
    watermark: int
    names: Names
    policy: ScoringPolicy


class MovedIssues:
    """The names of one ledger's issues, as fresh as the snapshot that is asked."""

    def __init__(self) -> None:
        """Start without anything cached."""
        self._read = _Read(0, {}, [])
        self._names = Recent[tuple[int, int], Names](REMEMBERED_NAMES)
        self.bands = Recent[Merged, Bands](REMEMBERED_USERS)
        """Engagements with issues that moved, merged from what is stored."""

    def names(
        self, connection: Connection, database: Database, known_at: Instant | None = None
    ) -> Names:
        """The names by all observations, or those that were recorded by a moment."""
        last = _LAST.one(connection)
        if last is None:
            return NO_NAMES
        read = self._read
        if read.last != last:
            read = self._read = self._anew(connection, database, last, read)
        number = len(read.claims)
        if known_at is not None:
            by = corrections(connection)
            recorded = (by.recorded_at(each.position, each.recorded_at) for each in read.claims)
            number = sum(at <= known_at for at in recorded)
        claims = read.claims[:number]  # K sees a prefix
        return self._names.get((last, number), lambda: Names(each.claim for each in claims))

    @staticmethod
    def _anew(connection: Connection, database: Database, last: int, before: _Read) -> _Read:
        by_issue = {
            (stream, at): before.by_issue.get((stream, at))
            or _claims_of(connection, database, stream)
            for stream, at in _ALL.all(connection)
        }
        return _Read(last, by_issue, sorted(chain.from_iterable(by_issue.values())))


def _claims_of(connection: Connection, database: Database, stream: int) -> list[_Recorded]:
    """The claims of look-ups, which describe only issues that may be shown.

    A webhook can report a move to a team whose keys must not be shown.
    """
    found = store.issue_streams.recorded_of(connection, database, stream)
    return [
        _Recorded(position, each.recorded_at, _claim(each))
        for position, each in found
        if each.origin == "look-up"
    ]


def _claim(event: IssueObserved) -> Claim:
    former = () if event.former_identifiers is UNSET else event.former_identifiers
    return Claim(event.issue, event.updated_at, event.identifier, former)
