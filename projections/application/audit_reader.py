"""Reading of the data of an audit, in one snapshot of the ledger."""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ledger.events import EventRow
from ledger.instants import Instant, instant_of
from ledger.store.accounts import User, users
from ledger.store.event_queries import Uncounted, rows_of_everybody, rows_of_user, uncounted
from ledger.validation import user_id_of
from projections.application.engagements import Engagements
from projections.audit import Audit, audit, is_long_ago


class Audited(NamedTuple):
    """An audit, and figures of the whole ledger from the same snapshot, for all users."""

    audit: Audit
    uncounted: Uncounted


def read_audit(  # noqa: PLR0913 - a span, two moments, and whose
    engagements: Engagements,
    zone: ZoneInfo,
    end: dt.datetime | None,
    *,
    start: dt.datetime | None = None,
    user_id: str | None = None,
    known_at: dt.datetime | None = None,
) -> Audited:
    """Return the audit of the span from `start`, or the first event, to `end`.

    Without an end it goes up to `known_at`, or now, or the last event if that is long ago. It
    covers one user, or all; with the events and the policy known at a moment, or now. Raises
    InvalidInteractionError, a ValueError, for an invalid user id.
    """
    user = None if user_id is None else user_id_of(user_id)
    known = None if known_at is None else instant_of(known_at)
    policies = engagements.read_model.policies
    archive = engagements.ledger.archive
    with engagements.ledger.database.read() as connection:
        if user is None:
            rows = rows_of_everybody(connection, archive)
        else:
            rows = rows_of_user(connection, archive, user)
        names = {each.stream: _name(each) for each in users(connection)}
        moved = engagements.read_model.moved
        rows = moved.names(connection, engagements.ledger.database, known).renamed(rows)
        adopted = policies.known_at(connection, known)
        beside = uncounted(connection, archive)
    until = _end(rows, known, instant_of(engagements.clock())) if end is None else instant_of(end)
    span = (None if start is None else instant_of(start), until)
    return Audited(audit(rows, names, adopted, span, known, zone), beside)


def _end(rows: Sequence[EventRow], known: Instant | None, now: Instant) -> Instant:
    """The default end of an audit: now, or the last event if that is long ago."""
    if known is not None:
        return known
    last_at = Instant(max((row.occurred_at for row in rows), default=now))
    return last_at if is_long_ago(last_at, now) else now


def _name(user: User) -> str:
    return f"{user.display_name} ({user.user_id})" if user.display_name else user.user_id
