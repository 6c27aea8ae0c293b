"""What a compaction asks of a projection."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import Connection

from ledger.segment import Segment
from ledger.store.background_fold import Foldable
from ledger.store.segments import Comparison

if TYPE_CHECKING:
    import pyarrow as pa

    from ledger.archive.folder import Archive

Progress = Callable[[int], object]
"""Called now and then with how many more events are written, compared, deleted or merged."""


class Sealable(Foldable, Protocol):
    """A projection that keeps the fold of what is sealed."""

    def certify(
        self, connection: Connection, archive: "Archive", new: Sequence[Segment], progress: Progress
    ) -> Comparison:
        """Compare what will be kept with what there is, and say what was compared.

        `new` are segments whose events are still hot: for every engagement of theirs, what is
        sealed, these, and the events that stay hot must add up to the fold of all its events.
        Raises CertificateError where they do not.
        """

    def seal(self, connection: Connection, table: "pa.Table") -> None:
        """Take the events of a segment in, in the transaction that deletes them."""

    def sealed_difference(self, connection: Connection, archive: "Archive") -> str | None:
        """Return where what is kept of the segments differs first from what they say, if at all."""
