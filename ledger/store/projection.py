"""The port of projections: what the store asks of one, and the thread that folds its tail."""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import Connection

from ledger.observations import Latest
from ledger.segment import Segment
from ledger.store.clock_corrections import Retimed
from ledger.store.database import Database
from ledger.store.segment_rows import Comparison

if TYPE_CHECKING:
    import pyarrow as pa

    from ledger.archive.segment_store import Archive


# Folding the tail in the background, after what made it long was acknowledged.

_log = logging.getLogger(__name__)

TAIL_AT_MOST = 500
"""A longer tail is folded. Answers are right at any length; a short one makes them fast."""

BURST_AT_MOST = 2_000
"""While records keep coming, the tail may become so long: one step folds all of it, at half the
cost of four."""

PAUSE_SECONDS = 0.1
"""A burst of records is over when the tail has not grown for this time."""

TURN_SECONDS = 0.01
"""Between two steps; the waiting look for their turn every 5 milliseconds."""


class Foldable(Protocol):
    """A fold of the events up to a watermark, which reads those after it as its tail."""

    def tail_length(self, connection: Connection) -> int:
        """Return how many positions there are after the watermark."""

    def advance(self, connection: Connection, archive: "Archive") -> bool:
        """Fold the next events and move the watermark; tell whether it has reached the head.

        A step is so short that others can wait for it.
        """

    def fold(self, connection: Connection, archive: "Archive") -> None:
        """Fold everything up to the head."""

    def catch_up(self, database: Database, is_ended: Callable[[], bool]) -> bool:
        """Come near the head in a faster way if the tail is very long, unless `is_ended` says so.

        Tells whether to fold the rest in steps; not where another process is at it.
        """


class BackgroundFold:
    """Folds the tail of one ledger in a thread of its own, which begins when it is needed."""

    def __init__(
        self, advance: Callable[[], bool], catch_up: Callable[[Callable[[], bool]], bool]
    ) -> None:
        """Fold by `advance`: a step in a transaction, which tells whether it reached the head.

        Before that, `catch_up` does what `Foldable.catch_up` does.
        """
        self._advance = advance
        self._catch_up = catch_up
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="fold")
        self._guard = Lock()  # of the flag beneath
        self._is_folding = False
        self._closed = Event()
        self._tail = 0

    def notice(self, tail: int) -> None:
        """Begin to fold if the tail is so long now; the caller does not wait for it.

        Where no thread can be started, the next call tries again: the records are committed.
        """
        self._tail = tail
        if tail <= TAIL_AT_MOST or self._closed.is_set():
            return
        with self._guard:
            if not self._is_folding:
                self._is_folding = self._starts()

    def fold(self) -> None:
        """Fold up to the head; others record between the steps. Closing ends it after a step."""
        if not self._catch_up(self._closed.is_set):
            return
        while not self._advance() and not self._closed.wait(TURN_SECONDS):
            pass

    def close(self) -> None:
        """Let the step that is under way end, or the first one, and fold no further."""
        self._closed.set()
        self._thread.shutdown(wait=True)

    def _starts(self) -> bool:
        try:
            self._thread.submit(self._fold_or_log)
        except RuntimeError as error:
            _log.warning("the tail was not folded", extra={"error": type(error).__name__})
            return False
        return True

    def _await_pause(self) -> None:
        """Wait until records come no more, or the tail is as long as it may become."""
        seen = 0
        while seen < self._tail < BURST_AT_MOST:
            seen = self._tail
            self._closed.wait(PAUSE_SECONDS)

    def _fold_or_log(self) -> None:
        try:
            self._await_pause()
            self.fold()
        except Exception as error:  # noqa: BLE001 - the next record tries again
            _log.warning("the tail was not folded", extra={"error": type(error).__name__})
        finally:
            with self._guard:
                self._is_folding = False


# The interface of a projection that compactions use.

Progress = Callable[[int], object]
"""Called with numbers of events that were written, compared, deleted or merged."""


class Sealable(Foldable, Protocol):
    """A projection that stores the fold of sealed events."""

    def prepare_sealing(self, database: "Database") -> None:
        """Fold until events can be sealed, in separate transactions."""

    def certify(
        self, connection: Connection, archive: "Archive", new: Sequence[Segment], progress: Progress
    ) -> list[Comparison]:
        """Compare the future folds with the present engagements; return a certificate per segment.

        `new` are segments whose events are still hot. Raises CertificateError if the engagements
        would not add up.
        """

    def seal(self, connection: Connection, table: "pa.Table", compared: Comparison) -> None:
        """Store the fold of a segment, in the transaction that deletes its rows.

        Raises CertificateError if it is not what was `compared`.
        """

    def sealed_difference(self, connection: Connection, archive: "Archive") -> str | None:
        """The first difference of the stored folds from those of the segments, if any."""


# The port of what is folded from the ledger, and kept beside it.


class IssueKeys(Protocol):
    """The keys of issues that had several."""

    moved: frozenset[str]

    def others(self, key: str, at: int) -> list[str]:
        """Return the other keys that the issue named by `key` at an instant is found under then."""


class Projection(Sealable, Retimed, Protocol):
    """A projection of the whole ledger."""

    def prepare(self, database: Database) -> None:
        """Make the projection's tables where they are missing."""

    def knows(
        self, connection: Connection, database: Database, user_id: str, issue_id: str
    ) -> bool:
        """Return whether the user ever touched the issue, under any of its keys."""

    def note_keys(
        self, connection: Connection, database: Database, keys: Sequence[tuple[str, int, int]]
    ) -> None:
        """Keep the keys of issues that new observations name, each with a stream and a position."""

    def note_latest(self, connection: Connection, latest: Mapping[int, Latest]) -> None:
        """Replace what is kept of the latest observations of issues, by stream."""

    def latest(self, connection: Connection, stream: int) -> Latest | None:
        """Return what is kept of the latest observations of the issue with this stream."""

    def names(self, connection: Connection, database: Database) -> IssueKeys:
        """Return the keys of the issues that moved."""

    def forget(self, connection: Connection, stream: int) -> None:
        """Delete what is kept of the account that is interned as `stream`."""
