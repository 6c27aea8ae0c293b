"""The spans of users' interactions in a chat."""

from collections.abc import Iterator
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, bindparam, select

from ledger.archive.columns import occurred_at
from ledger.archive.corrected import corrected_groups
from ledger.archive.segment_store import Archive
from ledger.instants import Instant
from ledger.store import tables
from ledger.store.clock_corrections import corrections
from ledger.store.decoding import decoding, stored_uuid
from ledger.store.places import place_of
from ledger.store.segment_rows import segments
from ledger.store.statements import Statement

Span = tuple[Instant, Instant]

_e, _a, _s, _p = tables.events, tables.accounts, tables.streams, tables.places

_INSTANTS = Statement(
    select(_a.c.user_id, _e.c.position, _e.c.occurred_at, _e.c.recorded_at)
    .select_from(_e.join(_a, _a.c.stream == _e.c.stream))
    .where(_e.c.place == bindparam("place")),
    "place",
)
_USER = Statement(
    select(_a.c.user_id)
    .join(_s, _s.c.id == _a.c.stream)
    .where(_s.c.originator_id == bindparam("originator")),
    "originator",
)
_PLACE = Statement(select(_p.c.place).where(_p.c.id == bindparam("id")), "id")
_COLUMNS = (
    "account",
    "issue_id",
    "occurred_second",
    "occurred_microsecond",
    "position",
    "recorded_after",
    "place",
)


def spans_at(connection: Connection, archive: Archive, chat_id: str) -> dict[str, Span]:
    """Return the first and last instant of each user's interactions in the chat, by user id.

    The chat may be named by a former id. It reads all events once, unless the chat is unknown.
    """
    place = place_of(connection, chat_id)
    if place is None:
        return {}
    found: dict[str, list[Instant]] = {}
    known = corrections(connection)
    for user, *instants in _INSTANTS.run(connection, place):
        _widen(found, user, [Instant(known.instants(*instants)[0])])
    user_of = _USER.finder(connection)
    with decoding(f"the place {place}"):
        originator = stored_uuid(_PLACE.run(connection, place).fetchone()[0])
    for account, instants in _sealed(connection, archive, str(originator)):
        row = user_of(UUID(account).bytes)
        if row is not None:
            _widen(found, row[0], instants)
    return {user: (first, last) for user, (first, last) in found.items()}


def _widen(found: dict[str, list[Instant]], user: str, instants: list[Instant]) -> None:
    known = [*found.get(user, ()), *instants]
    found[user] = [min(known), max(known)]


def _sealed(
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
