"""The interface of a projection that compactions use."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import Connection

from ledger.segment import Segment
from ledger.store.background_fold import Foldable
from ledger.store.segment_rows import Comparison

if TYPE_CHECKING:
    import pyarrow as pa

    from ledger.archive.segment_store import Archive
    from ledger.store.database import Database

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
