"""Reading what an audit is made of, as one unchanging moment of the ledger."""

import datetime as dt
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ledger.instants import instant_of
from ledger.store.everybody import Uncounted, User, rows_of_everybody, uncounted, users
from ledger.store.histories import rows_of_user
from ledger.text import user_id_of
from projections.application.engagements import Engagements
from projections.audit import Audit, audit


class Audited(NamedTuple):
    """An audit, and what the ledger holds beside it at the same moment, of everybody."""

    audit: Audit
    uncounted: Uncounted


def read_audit(  # noqa: PLR0913 - a span, two moments, and whose
    engagements: Engagements,
    zone: ZoneInfo,
    end: dt.datetime,
    *,
    start: dt.datetime | None = None,
    user_id: str | None = None,
    known_at: dt.datetime | None = None,
) -> Audited:
    """Return the audit of the span from `start`, or the first event, to `end`.

    Of one user, or of everybody; by the events and the policy known at a moment, or now. Raises
    InvalidInteractionError, a ValueError, for what is no user id.
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
        adopted = policies.known_at(connection, known)
        beside = uncounted(connection, archive)
    span = (None if start is None else instant_of(start), instant_of(end))
    return Audited(audit(rows, names, adopted, span, known, zone), beside)


def _name(user: User) -> str:
    return f"{user.display_name} ({user.user_id})" if user.display_name else user.user_id
