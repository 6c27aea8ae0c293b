"""Queries of events, hot and sealed: by user, of all users, by position, and by place."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from heapq import merge
from itertools import chain, groupby, repeat, starmap
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from eventsourcing.persistence import Notification, StoredEvent
from sqlalchemy import Connection, Select, bindparam, func, select

from ledger import codec
from ledger.archive.columns import (
    LAST,
    MOMENT_COLUMNS,
    SCHEMA,
    SOUGHT,
    STATE,
    integers,
    occurred_at,
)
from ledger.archive.digests import WINDOW
from ledger.archive.observed import observed_between, observed_of
from ledger.archive.reading import (
    FOLDED_COLUMNS,
    corrected,
    corrected_groups,
    event_rows,
    events_by_account,
    events_in_time,
    placed_events,
    tables_by_account,
)
from ledger.archive.segment_store import Archive
from ledger.events import OBSERVATION, SEALED_TOPICS, AccountEvent, EventRow
from ledger.instants import Instant
from ledger.segment import Segment
from ledger.store import tables
from ledger.store.accounts import BY_ORIGINATOR, known_accounts
from ledger.store.clock_corrections import corrections
from ledger.store.places import place_of
from ledger.store.rows import FOLDED, folded_event
from ledger.store.segment_rows import segments
from ledger.store.statements import Query, Statement, stored_uuid, value

# Reading of one user's events, or of all users' one after the other: hot and sealed ones.

_e, _a, _o, _s = tables.events, tables.accounts, tables.origins, tables.streams


def of_user(query: Select[Any]) -> Select[Any]:
    """Restrict a query of events to those of the user `user_id`."""
    return query.join(_a, _a.c.stream == _e.c.stream).where(
        _a.c.user_id == bindparam("user_id"), _e.c.issue_id.is_not(None)
    )


class Account(NamedTuple):
    """The account of a user: its number in this ledger, and its UUID."""

    stream: int
    uuid: str


def _account(stream: int, originator: bytes) -> Account:
    return Account(stream, str(stored_uuid(originator)))


def _folded(*columns: object) -> EventRow:
    return folded_event(columns)


class _OfAccount(NamedTuple):
    """A row for folds, and the bytes of the UUID of its account."""

    originator: bytes
    row: EventRow


def _of_account(originator: bytes, *columns: object) -> _OfAccount:
    return _OfAccount(originator, folded_event(columns))


_ACCOUNT = Query(
    _account,
    select(_s.c.id, _s.c.originator_id)
    .join(_a, _a.c.stream == _s.c.id)
    .where(_a.c.user_id == bindparam("user_id")),
    "user_id",
)
_ROWS_OF_USER = Query(_folded, of_user(select(*FOLDED)), "user_id")
_ROWS_OF_ISSUE = Query(
    _folded,
    of_user(select(*FOLDED)).where(_e.c.issue_id == bindparam("issue")),
    "user_id",
    "issue",
)
_ORIGIN = Query(
    codec.origin_of,
    select(_o.c.context, _o.c.metadata, _o.c.source).where(_o.c.position == bindparam("position")),
    "position",
)
_ROWS_BY_ACCOUNT = Query(
    _of_account,
    select(_s.c.originator_id, *FOLDED)
    .join(_s, _s.c.id == _e.c.stream)
    .join(_a, _a.c.stream == _e.c.stream)
    .where(_e.c.issue_id.is_not(None))
    .order_by(_s.c.originator_id),
)


class HistoryEntry(NamedTuple):
    """An event at its position, with its effective instants and its origin, if not deleted.

    `name` is the present name of the issue, if the event has a former one. `linear_id` is Linear's
    UUID of it, as given or by a look-up.
    """

    position: int
    event: AccountEvent
    origin: codec.Origin
    name: str | None = None
    linear_id: str | None = None


class UserRows(NamedTuple):
    """The rows for folds of one user's events, in no particular order."""

    user_id: str
    display_name: str | None
    rows: list[EventRow]


def account_of(connection: Connection, user_id: str) -> Account | None:
    """The user's account, or None."""
    return _ACCOUNT.first(connection, user_id)


def rows_of_user(
    connection: Connection, archive: Archive, user_id: str, issue_id: str | None = None
) -> list[EventRow]:
    """The rows for folds of the user's events, of one issue or all, in no particular order."""
    rows, known = hot_rows_of_user(connection, user_id, issue_id), corrections(connection)
    for stream, table in _sealed(connection, archive, user_id, issue_id, FOLDED_COLUMNS):
        rows += event_rows(corrected(table, known), repeat(stream))
    return rows


def hot_rows_of_user(
    connection: Connection, user_id: str, issue_id: str | None = None
) -> list[EventRow]:
    """The hot ones of `rows_of_user`."""
    if issue_id is None:
        hot = _ROWS_OF_USER.all(connection, user_id)
    else:
        hot = _ROWS_OF_ISSUE.all(connection, user_id, issue_id)
    return corrections(connection).of([*hot])


def rows_by_user(connection: Connection, archive: Archive) -> Iterator[UserRows]:
    """Yield every user who has events, one in memory at a time, by account."""
    sealed = (_sealed_by_account(archive, segment) for segment in segments(connection))
    find, known = BY_ORIGINATOR.finder(connection), corrections(connection)
    parts = merge(_hot_by_account(connection), *sealed, key=attrgetter("account"))
    for account, parts_of_account in groupby(parts, key=attrgetter("account")):
        user = find(UUID(account).bytes)
        if user is not None:
            rows = chain.from_iterable(part.rows(user.stream) for part in parts_of_account)
            yield UserRows(user.user_id, user.display_name, known.of(list(rows)))


def sealed_positions_of(connection: Connection, archive: Archive, user_id: str) -> list[int]:
    """The positions of the user's events that are in segments."""
    parts = _sealed(connection, archive, user_id, columns=("position",))
    return [position for _, table in parts for position in table["position"].to_pylist()]


def _sealed(
    connection: Connection,
    archive: Archive,
    user_id: str,
    issue_id: str | None = None,
    columns: Sequence[str] = SCHEMA.names,
) -> Iterator[tuple[int, pa.Table]]:
    """Yield the user's events of each segment, and the number of the account."""
    account = account_of(connection, user_id)
    if account is not None:
        for segment in segments(connection):
            yield account.stream, archive.read_account(segment, account.uuid, issue_id, columns)


class _Part(NamedTuple):
    """Some events of an account: hot ones, or columns of a segment."""

    account: str
    events: list[EventRow] | pa.Table

    def rows(self, stream: int) -> Iterable[EventRow]:
        """The rows for folds, with the number of the account."""
        is_sealed = isinstance(self.events, pa.Table)
        return event_rows(self.events, repeat(stream)) if is_sealed else self.events


def _hot_by_account(connection: Connection) -> Iterator[_Part]:
    of_all = _ROWS_BY_ACCOUNT.all(connection)
    for originator, of_account in groupby(of_all, key=attrgetter("originator")):
        yield _Part(str(stored_uuid(originator)), [each.row for each in of_account])


def _sealed_by_account(archive: Archive, segment: Segment) -> Iterator[_Part]:
    return starmap(_Part, tables_by_account(archive, segment))


def origins_of(connection: Connection) -> Callable[[int], codec.Origin]:
    """A function that finds the origin of a position, or None if it has none or was deleted."""
    find = _ORIGIN.finder(connection)

    def origin_of(position: int) -> codec.Origin:
        return find(position) or codec.Origin()

    return origin_of


# Reading of the events of all users who were not forgotten.

_FORGOTTEN: Query[int] = Query(
    value,
    select(func.count())
    .select_from(_e)
    .where(_e.c.issue_id.is_not(None), _e.c.stream.not_in(select(_a.c.stream))),
)
_KEYS: Query[int] = Query(value, select(func.count()).select_from(tables.sources))


class Uncounted(NamedTuple):
    """The numbers of events of forgotten users, and of source keys that can never count again."""

    forgotten: int
    source_keys: int


def rows_of_everybody(connection: Connection, archive: Archive) -> list[EventRow]:
    """Yield the rows for folds of all events that belong to a user, in no particular order."""
    return [row for user in rows_by_user(connection, archive) for row in user.rows]


def uncounted(connection: Connection, archive: Archive) -> Uncounted:
    """Count both."""
    forgotten, keys = _FORGOTTEN.one(connection), _KEYS.one(connection)
    known = known_accounts(connection)
    for segment in segments(connection):
        counts = events_by_account(archive, segment)
        forgotten += sum(count for account, count in counts.items() if account not in known)
    return Uncounted(forgotten, keys)


# Sealed events as the eventsourcing package stores events.

_PAGE = 1_000


def sealed_events_of(
    connection: Connection, archive: Archive, originator_id: UUID | str
) -> list[StoredEvent]:
    """The sealed events of one account or issue, in no particular order, under the id as given."""
    uuid, found = str(UUID(str(originator_id))), list[StoredEvent]()
    for segment in segments(connection):
        for _, event in events_in_time(archive.read_account(segment, uuid)):
            topic, state = codec.topic_of(event), codec.encode(event)
            found.append(StoredEvent(originator_id, event.originator_version, topic, state))
        for table in observed_of(archive, segment, uuid):
            found += [
                StoredEvent(originator_id, row["version"], OBSERVATION, row[STATE.name])
                for row in table.to_pylist()
            ]
    return found


def sealed_notifications(
    connection: Connection, archive: Archive, first: int, last: int, topics: Sequence[str]
) -> Iterator[Notification]:
    """Yield the sealed events at the positions `first` to `last`, limited to `topics` if given."""
    if topics and SEALED_TOPICS.isdisjoint(topics):
        return
    typed = map(_notifications, _windows(connection, archive, first, last))
    observed = map(_observed, _observed_tables(connection, archive, first, last))
    for notification in merge(*map(chain.from_iterable, (typed, observed)), key=attrgetter("id")):
        if not topics or notification.topic in topics:
            yield notification


def _observed_tables(
    connection: Connection, archive: Archive, first: int, last: int
) -> Iterator[pa.Table]:
    for segment in segments(connection):
        if segment.overlaps(first, last):
            for table in observed_between(archive, segment, first, last):
                yield _between(table, first, last)


def _observed(table: pa.Table) -> Iterator[Notification]:
    for row in table.to_pylist():
        uuid = UUID(row["account"].removeprefix(LAST))
        yield Notification(uuid, row["version"], OBSERVATION, row[STATE.name], id=row["position"])


def _notifications(table: pa.Table) -> Iterator[Notification]:
    for page in range(0, len(table), _PAGE):
        for position, event in placed_events(table.slice(page, _PAGE)):
            yield Notification(
                event.originator_id,
                event.originator_version,
                codec.topic_of(event),
                codec.encode(event),
                id=position,
            )


def sealed_rows(
    connection: Connection, archive: Archive, first: int, last: int
) -> Iterator[EventRow]:
    """Yield the rows for folds of a range's sealed events that belong to a user, by position."""
    find, known = BY_ORIGINATOR.finder(connection), corrections(connection)
    for table in _windows(connection, archive, first, last):
        accounts = table["account"].to_pylist()
        users = {account: find(UUID(account).bytes) for account in set(accounts)}
        read = known.of(list(event_rows(table, repeat(0))))
        rows = zip(read, map(users.get, accounts), strict=True)
        yield from (row._replace(stream=user.stream) for row, user in rows if user)


def _windows(connection: Connection, archive: Archive, first: int, last: int) -> Iterator[pa.Table]:
    """Yield the events of accounts that are sealed at the positions `first` to `last`.

    They come in tables, by position.
    """
    for segment in segments(connection):
        if segment.overlaps(first, last):
            begin, end = max(first, segment.first_position), min(last, segment.last_position)
            for number in range(begin // WINDOW, end // WINDOW + 1):
                yield _between(_recorded(archive, segment, number), begin, end)


@lru_cache(maxsize=1)  # reading page by page reads the same window repeatedly
def _recorded(archive: Archive, segment: Segment, window: int) -> pa.Table:
    begin = window * WINDOW
    return archive.read_positions(segment, begin, begin + WINDOW - 1, upto=LAST)


def _between(table: pa.Table, first: int, last: int) -> pa.Table:
    positions = integers(table["position"])
    begin, end = np.searchsorted(positions, (first, last + 1))
    return table.slice(begin, end - begin)


# The spans of users' interactions in a chat.

Span = tuple[Instant, Instant]
"""The first and the last instant of some interactions."""

_p = tables.places

_INSTANTS = Statement(
    select(_a.c.user_id, _e.c.position, _e.c.occurred_at, _e.c.recorded_at)
    .select_from(_e.join(_a, _a.c.stream == _e.c.stream))
    .where(_e.c.place == bindparam("place")),
    "place",
)
_PLACE = Query(stored_uuid, select(_p.c.place).where(_p.c.id == bindparam("id")), "id")
_COLUMNS = (*SOUGHT, *MOMENT_COLUMNS, "place")


def spans_at(connection: Connection, archive: Archive, chat_id: str) -> dict[str, Span]:
    """Return the first and last instant of each user's interactions in the chat, by user id.

    The chat may be named by a former id. It reads all events once, unless the chat is unknown.
    """
    place = place_of(connection, chat_id)
    if place is None:
        return {}
    found: dict[str, list[Instant]] = {}
    known = corrections(connection)
    for user_id, position, occurred, recorded in _INSTANTS.run(connection, place):
        effective, _ = known.instants(position, occurred, recorded)
        _widen(found, user_id, [Instant(effective)])
    find = BY_ORIGINATOR.finder(connection)
    for account, instants in _sealed_spans(connection, archive, str(_PLACE.one(connection, place))):
        user = find(UUID(account).bytes)
        if user is not None:
            _widen(found, user.user_id, instants)
    return {user: (first, last) for user, (first, last) in found.items()}


def _widen(found: dict[str, list[Instant]], user: str, instants: list[Instant]) -> None:
    known = [*found.get(user, ()), *instants]
    found[user] = [min(known), max(known)]


def _sealed_spans(
    connection: Connection, archive: Archive, place: str
) -> Iterator[tuple[str, list[Instant]]]:
    """Yield accounts, and the first and last instant of each in one part of a segment."""
    known = corrections(connection)
    for segment in segments(connection):
        for group in corrected_groups(archive, known, segment, _COLUMNS):
            there = group.filter(pc.equal(group["place"], place))
            columns = {"account": there["account"].cast(pa.string()), "at": occurred_at(there)}
            spans = pa.table(columns).group_by("account").aggregate([("at", "min"), ("at", "max")])
            for each in spans.to_pylist():
                yield each["account"], [each["at_min"], each["at_max"]]
