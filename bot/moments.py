"""Moments as people write them: ISO 8601, or a bare date."""

import datetime as dt
from zoneinfo import ZoneInfo

from ledger.errors import LedgerError
from ledger.instants import instant_of

_LAST_TIME = dt.time.max.replace(fold=1)


class InvalidMomentError(LedgerError, ValueError):
    """A text that names no moment."""


def moment_of_text(text: str, now: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """Return the aware moment that `text` means.

    A bare date means the last instant of that day in `zone`, and today means `now`. Raises
    InvalidMomentError for what is no ISO 8601, and for a time of day without a zone.
    """
    try:
        day = _date(text)
        moment = dt.datetime.fromisoformat(text) if day is None else _end_of(day, now, zone)
    except ValueError:
        message = f"{text[:40]!r} is no ISO 8601 moment, such as 2026-01-31 or 2026-01-31T10:00:00Z"
        raise InvalidMomentError(message) from None
    try:
        instant_of(moment)
    except ValueError as error:
        message = f"{text[:40]!r} {error}"
        raise InvalidMomentError(message) from None
    return moment


def _date(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


def _end_of(day: dt.date, now: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    if day == now.astimezone(zone).date():
        return now
    # fold: where clocks go back over the day's end, it ends the second time.
    return dt.datetime.combine(day, _LAST_TIME, zone)
