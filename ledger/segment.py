"""Segments: closed ranges of positions whose events were moved into files of the archive (R9)."""

from collections.abc import Iterable, Sequence

import msgspec

from ledger.instants import Instant

FORMAT_VERSION = 1
"""Of the columns that a segment's file has; a reader refuses a higher one."""

BLOCK_BYTES = 65_536
"""Each block of a segment's file has a digest of its own, checked whenever the block is read."""

DIGEST_BYTES = 16
"""Of each block: the first ones of its SHA-256, which processors compute by themselves."""

RETAINED_DAYS = 90
"""Events stay hot for so long after they were recorded, unless somebody says otherwise."""

STAGES = 4
"""Of a compaction, each told of all that is sealed: it is written, compared, deleted, merged."""

SMALL_EVENTS = 10_000
"""A segment of no more is merged with any newer one, in a few hundredths of a second."""

_DIGITS = 19  # of the largest position, so that files sort by name as their ranges do


class Segment(msgspec.Struct, frozen=True):
    """What the ledger keeps of a segment: its range, and what its file must hold.

    The file holds the `events` that happened between users and issues at the positions
    `first_position` to `last_position`, recorded from `first_recorded_at` to `last_recorded_at`.
    `digest` is the SHA-256 of what these say, whichever file says it; `blocks` are the digests of
    the file's blocks, one after the other, and `size_bytes` is its length.
    """

    first_position: int
    last_position: int
    events: int
    first_recorded_at: Instant
    last_recorded_at: Instant
    digest: bytes
    size_bytes: int
    blocks: bytes

    @property
    def name(self) -> str:
        """The name of its file, which is that of its range."""
        return file_name(*self.range)

    @property
    def range(self) -> tuple[int, int]:
        """Its first and its last position."""
        return self.first_position, self.last_position

    def covers(self, first: int, last: int) -> bool:
        """Return whether its range contains all positions from `first` to `last`."""
        return self.first_position <= first and last <= self.last_position

    def overlaps(self, first: int, last: int) -> bool:
        """Return whether any position from `first` to `last` is in its range."""
        return self.first_position <= last and first <= self.last_position


def file_name(first: int, last: int) -> str:
    """Return the name of the file of a range of positions."""
    return f"{first:0{_DIGITS}}-{last:0{_DIGITS}}.parquet"


def mergeable(segments: Iterable[Segment], events_at_most: int) -> list[list[Segment]]:
    """Return the runs of neighbours, two or more, that together hold no more events than that.

    Every run is as long as can be, counted from the oldest segment on.
    """
    runs: list[list[Segment]] = [[]]
    for segment in segments:
        run = runs[-1]
        if events_in(run) + segment.events > events_at_most:
            runs.append([])
        runs[-1].append(segment)
    return [run for run in runs if len(run) > 1]


def due_merges(segments: Sequence[Segment], events_at_most: int) -> list[list[Segment]]:
    """Return the runs of neighbours whose merging is worth its while after a compaction.

    A run grows from its newest segment on towards the oldest, while it holds no more events than
    that, and no segment but a small one more than half as many again as the newer ones together: so
    each event is written anew only when about as many others have come, a few times in all.
    """
    runs: list[list[Segment]] = []
    held = 0
    for segment in reversed(segments):
        is_large = segment.events > max(SMALL_EVENTS, 3 * held // 2)
        if not runs or is_large or held + segment.events > events_at_most:
            runs.append([])
            held = 0
        runs[-1].append(segment)
        held += segment.events
    return [run[::-1] for run in reversed(runs) if len(run) > 1]


def events_in(segments: Iterable[Segment]) -> int:
    """Return how many events some segments hold together."""
    return sum(each.events for each in segments)
