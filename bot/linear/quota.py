"""The quota that the headers of an answer describe, and how long to wait for its reset."""

import email.utils
import re
from collections.abc import Mapping

import msgspec

from ledger.instants import Instant, instant_of

LONGEST_WAIT_SECONDS = 3_600.0
"""The longest wait, also if a header names a later reset."""
USUAL_WAIT_SECONDS = 60.0
"""Where Linear refuses without saying until when."""

_NUMBER = re.compile(r"[0-9]{1,18}")


class Limit(msgspec.Struct, frozen=True):
    """One of Linear's limits; each number is None if the headers did not say it."""

    allowed: int | None = None
    left: int | None = None
    resets_at_ms: int | None = None
    """Milliseconds since 1970."""

    @property
    def is_used_up(self) -> bool:
        """Whether nothing is left."""
        return self.left is not None and self.left <= 0

    @property
    def is_scarce(self) -> bool:
        """Whether less than a quarter is left, which is for cards."""
        return None not in {self.left, self.allowed} and 4 * (self.left or 0) < (self.allowed or 0)


class Quota(msgspec.Struct, frozen=True):
    """All limits that an answer names, and Linear's time when it was sent."""

    requests: Limit = Limit()
    complexity: Limit = Limit()
    endpoint: Limit = Limit()
    sent_at: Instant | None = None

    @property
    def is_scarce(self) -> bool:
        """Whether little is left of any limit."""
        return any(each.is_scarce for each in self.limits)

    @property
    def limits(self) -> tuple[Limit, Limit, Limit]:
        """The limits, of which each can refuse a request."""
        return self.requests, self.complexity, self.endpoint


def quota_of(headers: Mapping[str, str]) -> Quota:
    """Return the quota that `headers`, with their names in lower case, say."""
    return Quota(
        requests=_limit("requests", headers),
        complexity=_limit("complexity", headers),
        endpoint=_limit("endpoint-requests", headers),
        sent_at=_date(headers.get("date", "")),
    )


def wait_seconds(quota: Quota, now: Instant) -> float:
    """Return how long to ask nothing: until every limit that is used up is full again; 0 for none.

    Linear's own time goes before `now`.
    """
    sent_at = now if quota.sent_at is None else quota.sent_at
    waits = [_wait(limit, sent_at) for limit in quota.limits if limit.is_used_up]
    return max(waits, default=0.0)


def wait_after_refusal(quota: Quota, now: Instant) -> float:
    """Return how long to ask nothing after Linear refused a request for its limits."""
    return wait_seconds(quota, now) or USUAL_WAIT_SECONDS


def _wait(limit: Limit, now: Instant) -> float:
    if limit.resets_at_ms is None:
        return USUAL_WAIT_SECONDS
    seconds = limit.resets_at_ms / 1_000 - now / 1_000_000
    # A reset in the past says nothing about the future.
    return min(seconds, LONGEST_WAIT_SECONDS) if seconds > 0 else USUAL_WAIT_SECONDS


def _limit(name: str, headers: Mapping[str, str]) -> Limit:
    allowed, left, reset = (
        _number(headers.get(f"x-ratelimit-{name}-{what}", ""))
        for what in ("limit", "remaining", "reset")
    )
    return Limit(allowed, left, reset)


def _number(text: str) -> int | None:
    return int(text) if _NUMBER.fullmatch(text.strip()) else None


def _date(text: str) -> Instant | None:
    try:
        return instant_of(email.utils.parsedate_to_datetime(text))
    except (ValueError, OverflowError, TypeError):
        return None
