"""The score by columns: what `projections.scoring` and `projections.ranking` say, many at once.

The formula is theirs alone. Whole days and small counts leave few different scores, and each of
these is asked for once.
"""

from itertools import repeat
from typing import NamedTuple

import numpy as np

from ledger.commands import Kind
from ledger.instants import DAY, Instant
from projections.columnar import NO, Floats, FoldColumns, Integers
from projections.policy import ScoringPolicy
from projections.ranking import OVERRIDDEN_BAND, UNCOUNTED_BAND, pin_ends_at
from projections.scoring import NEVER_COUNTED, score_of

_DAYS_BITS = 32
_DAYS = (1 << _DAYS_BITS) - 1


class ScoreColumns(NamedTuple):
    """The columns that depend on a policy: `ranking.band`, the last that counts, and the score."""

    band: Integers
    active_at: Integers
    score: Floats


def scores(folds: FoldColumns, at: Integers, policy: ScoringPolicy) -> ScoreColumns:
    """Return what `policy` makes of engagements, each of which was touched, at each its instant."""
    count, active_at = _counted(folds, policy)
    idle_since = np.maximum(active_at, folds.override_at)
    overridden = (folds.override_at != NO) & (folds.override_at == idle_since)
    band = np.where(count > 0, np.minimum(count, policy.frequency_bands), UNCOUNTED_BAND)
    days = np.maximum(0, (at - idle_since) // DAY)
    values = _weighted(count, days, policy)
    for row in np.flatnonzero(overridden):
        given = float(folds.override[row])
        values[row] = score_of(policy, int(count[row]), int(days[row]), given).value
    return ScoreColumns(np.where(overridden, OVERRIDDEN_BAND, band), active_at, values)


def order(folds: FoldColumns, at: Instant, policy: ScoringPolicy) -> Integers:
    """Return the rows of engagements as they rank at `at` (R5).

    Each was touched; they come by issue.
    """
    scored = scores(folds, np.full(len(folds.id), at), policy)
    idle_since = np.maximum(scored.active_at, folds.override_at)
    pinned = (scored.band > OVERRIDDEN_BAND) & (at < scored.active_at + pin_ends_at(0, policy))
    first = np.where(pinned & bool(policy.pin_hours), -scored.active_at, 0)
    return np.lexsort((-idle_since, -scored.score, first))


def _counted(folds: FoldColumns, policy: ScoringPolicy) -> tuple[Integers, Integers]:
    """How many interactions count, and when the last one of these was."""
    counts = {Kind.MENTION: folds.mentions, Kind.VIEW: folds.views, Kind.QUERY: folds.queries}
    lasts = {
        Kind.MENTION: folds.mentioned_at,
        Kind.VIEW: folds.viewed_at,
        Kind.QUERY: folds.queried_at,
    }
    count = np.add.reduce([counts[kind] for kind in policy.kinds])
    return count, np.maximum.reduce([lasts[kind] for kind in policy.kinds])


def _weighted(count: Integers, days: Integers, policy: ScoringPolicy) -> Floats:
    """The scores without any override, of which the different ones are computed."""
    most = policy.frequency_bands + 1  # more make no difference
    pairs = (np.minimum(count, most) << _DAYS_BITS) | days
    different, which = np.unique(pairs, return_inverse=True)
    counts, idle = (different >> _DAYS_BITS).tolist(), (different & _DAYS).tolist()
    found = map(score_of, repeat(policy), counts, idle, repeat(None))
    values = np.array([each.value for each in found], np.float64)
    return np.where(count > 0, values[which], NEVER_COUNTED.value)
