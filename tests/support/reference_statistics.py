"""Statistics by their slow definition: every engagement of a whole ranking is looked at."""

from collections.abc import Sequence

from ledger.instants import Instant
from projections.ranking import Ranked
from projections.statistics import Statistics, Totals, statistics


def statistics_of(ranking: Sequence[Ranked]) -> Statistics:
    """The statistics of a user with this ranking."""
    lasts = [Instant(at) for each in ranking if (at := each.engagement.last_at) is not None]
    count = sum(each.engagement.count for each in ranking)
    return statistics(Totals(count, len(ranking), max(lasts, default=None)), ranking)
