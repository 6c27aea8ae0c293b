"""Segments: closed ranges of positions whose events were moved into files of the archive (R9)."""

from collections.abc import Iterable, Sequence

import msgspec

from ledger.instants import Instant

FORMAT_VERSION = 2
"""The version of the file format; a reader refuses a higher one."""

FORMAT_WITHOUT_STATES = 1
"""The version of files without observations, which are as those of earlier versions."""

BLOCK_BYTES = 65_536
"""Bytes of a block, the unit of a file that has a digest and is checked when read."""

DIGEST_BYTES = 16
"""Bytes of a block's digest: the first ones of its SHA-256."""

RETAINED_DAYS = 90
"""Days after their recording for which events stay hot by default."""

STAGES = 4
"""Steps of a compaction, each of which reports every event: write, compare, delete, merge."""

SMALL_EVENTS = 10_000
"""A segment with no more events is merged with any newer one, which takes under a tenth of a
second.
"""

_DIGITS = 19  # of the largest position, so that file names sort by their ranges


class Segment(msgspec.Struct, frozen=True):
    """The ledger's record of a segment: its range, and the expected contents of its file.

    The file holds the `events` at the positions `first_position` to `last_position`: what happened
    between users and issues, and observations. They were recorded from `first_recorded_at` to
    `last_recorded_at`.
    `digest` is the SHA-256 of their contents, independent of the file; `blocks` are the
    concatenated digests of the file's blocks, and `size_bytes` is its length.
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
        """The file's name, made of the range."""
        return file_name(*self.range)

    @property
    def range(self) -> tuple[int, int]:
        """The first and the last position."""
        return self.first_position, self.last_position

    def covers(self, first: int, last: int) -> bool:
        """Whether the range contains all positions from `first` to `last`."""
        return self.first_position <= first and last <= self.last_position

    def overlaps(self, first: int, last: int) -> bool:
        """Whether any position from `first` to `last` is in the range."""
        return self.first_position <= last and first <= self.last_position


def file_name(first: int, last: int) -> str:
    """Return the name of the file of a range of positions."""
    return f"{first:0{_DIGITS}}-{last:0{_DIGITS}}.parquet"


def mergeable(segments: Iterable[Segment], events_at_most: int) -> list[list[Segment]]:
    """Return the runs of at least two adjacent segments with at most `most` events together.

    Each run is as long as possible, starting with the oldest segment.
    """
    runs: list[list[Segment]] = [[]]
    for segment in segments:
        run = runs[-1]
        if events_in(run) + segment.events > events_at_most:
            runs.append([])
        runs[-1].append(segment)
    return [run for run in runs if len(run) > 1]


def due_merges(segments: Sequence[Segment], events_at_most: int) -> list[list[Segment]]:
    """Return the runs of adjacent segments that are worth merging after a compaction.

    A run grows from its newest segment towards the oldest, while it has at most `most` events, and
    no segment, unless it is small, has more than one and a half times the events of the newer ones
    together: so each event is rewritten only after about as many others came, a few times in all.
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
    """The total number of events in some segments."""
    return sum(each.events for each in segments)
