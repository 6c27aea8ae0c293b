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
    from ledger.store.database import Database

Progress = Callable[[int], object]
"""Called now and then with how many more events are written, compared, deleted or merged."""


class Sealable(Foldable, Protocol):
    """A projection that keeps the fold of what is sealed."""

    def prepare_sealing(self, database: "Database") -> None:
        """Bring it to where events can be sealed; in transactions of its own."""

    def certify(
        self, connection: Connection, archive: "Archive", new: Sequence[Segment], progress: Progress
    ) -> list[Comparison]:
        """Compare what will be kept with what there is; return for each segment what was compared.

        `new` are segments whose events are still hot. Raises CertificateError where the engagements
        would not add up.
        """

    def seal(self, connection: Connection, table: "pa.Table", compared: Comparison) -> None:
        """Take the events of a segment in, in the transaction that deletes them.

        Raises CertificateError where they are not what was `compared`.
        """

    def sealed_difference(self, connection: Connection, archive: "Archive") -> str | None:
        """Return where what is kept of the segments differs first from what they say, if at all."""
