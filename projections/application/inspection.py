"""Inspection of a ledger that is not opened: its schema, clock, files and damage."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import select

from ledger.application import ClockHistory
from ledger.errors import LedgerError
from ledger.instants import Instant
from ledger.segment import Segment
from ledger.store import schema, tables
from ledger.store.database import Database
from ledger.store.job_runs import JobRuns
from projections import read_model

if TYPE_CHECKING:
    from ledger.verification.findings import Finding

Progress = Callable[[int], object]
"""Called with numbers of rows that were checked or written."""


class Inspection:
    """A look at a ledger and the files beside it, which creates and upgrades nothing."""

    def __init__(self, url: str) -> None:
        """Look at the ledger at the SQLAlchemy `url`, which need not exist."""
        self.database = Database(url)

    def has_ledger(self) -> bool:
        """Whether there is a database; raises LedgerLostError if its file was lost."""
        if self.database.exists():
            return True
        schema.refuse_if_lost(self.database)
        return False

    # Its schema, and what only a ledger of this version answers.

    def schema_version(self) -> int | None:
        """The schema's version, or None if it was not created yet."""
        with self.database.read() as connection:
            version = schema.version_of(connection)
        if version is None:
            schema.refuse_if_lost(self.database)
        return version

    @property
    def is_older(self) -> bool:
        """Whether opening the ledger upgrades its schema; false if the version is unreadable."""
        try:
            version = self.schema_version()
        except LedgerError:
            return False
        return version is not None and version < schema.VERSION

    @property
    def is_current(self) -> bool:
        """Whether the schema is that of this version."""
        return self.schema_version() == schema.VERSION

    @property
    def job_runs(self) -> JobRuns:
        """The runs of scheduled jobs, in a ledger of this version."""
        return JobRuns(self.database)

    @property
    def clock_history(self) -> ClockHistory:
        """The instants in a ledger of this version."""
        return ClockHistory(self.database)

    def latest_instant(self) -> Instant:
        """The latest instant in the ledger; of another version, that of the last event."""
        if self.is_current:
            return self.clock_history.latest()
        with self.database.read() as connection:
            at: Instant = connection.execute(select(tables.head.c.recorded_at)).scalar_one()
        return at

    # Its archive.

    def segments(self) -> list[Segment]:
        """The segments, the oldest first; none in a ledger of another version."""
        from ledger.store.segment_rows import segments  # noqa: PLC0415 - few commands need it

        if not self.is_current:
            return []
        with self.database.read() as connection:
            return segments(connection)

    def open_segments(self) -> None:
        """Open every segment without reading it.

        Raises ArchiveUnavailableError if one is missing.
        """
        for segment in self.segments():
            with self.database.archive.opened(segment):
                pass

    def unknown_files(self) -> list[Path]:
        """The segment files in the archive that the database does not know."""
        from ledger.archive.segment_files import range_of  # noqa: PLC0415 - loads Arrow
        from ledger.store.segment_rows import retired, segments  # noqa: PLC0415 - as above

        with self.database.read() as connection:
            known = {each.range for each in segments(connection)}
            known |= {(each.first_position, each.last_position) for each in retired(connection)}
        files = self.database.archive.files
        return [path for path in files.in_place() if range_of(path) not in known]

    # Its damage.

    def barrier_findings(self) -> "list[Finding]":
        """The findings about the file of barriers."""
        from ledger.verification.findings import barrier_findings  # noqa: PLC0415 - as above

        with self.database.read() as connection:
            return list(barrier_findings(self.database, connection))

    def count_to_verify(self) -> int:
        """The number of rows and events that `verify` checks; 0 if it cannot be read."""
        return read_model.compare.size(self.database)

    def verify(
        self,
        progress: Progress,
        others: "Mapping[str, Callable[[], Iterator[Finding]]]",
    ) -> "read_model.compare.Verification":
        """Verify the ledger, its barriers and the `others`: checks of files beside it, by name.

        That a check cannot be finished is a finding, too. Raises LedgerUnavailableError for a
        ledger that is not a file. Nothing is written.
        """
        from ledger.verification.truth import found  # noqa: PLC0415 - loads Arrow

        done = read_model.compare.verify(self.database, progress)
        checks = {"the barriers": self._barriers, **others}
        beside = [each for name, check in checks.items() for each in found(name, check)]
        return msgspec.structs.replace(done, findings=[*done.findings, *beside])

    def _barriers(self) -> "Iterator[Finding]":
        from ledger.verification.findings import barrier_findings  # noqa: PLC0415 - as above
        from ledger.verification.truth import snapshot  # noqa: PLC0415 - loads Arrow

        with snapshot(self.database) as connection:
            yield from barrier_findings(self.database, connection)

    def write_checksums(self, progress: Progress) -> int:
        """Write the missing checksums of a ledger without damage, and return their number.

        After an interruption, the next call continues.
        """
        from ledger.verification.row_checks import fill  # noqa: PLC0415 - loads Arrow

        return fill(self.database, progress)

    def close(self) -> None:
        """Close the database's connections."""
        self.database.close()
