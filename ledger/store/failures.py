"""Failures of the store, each in the words of the ledger and of the eventsourcing package."""

from collections.abc import Iterator
from contextlib import contextmanager

from eventsourcing import persistence

from ledger.errors import DiskFullError, LedgerDamagedError, LedgerError, LedgerUnavailableError


class StoreUnavailableError(LedgerUnavailableError, persistence.OperationalError):
    """The database, or a file beside it, cannot be opened, read or written."""


class StoreDamagedError(LedgerDamagedError, persistence.OperationalError):
    """Something in the file cannot be read."""


class StoreFullError(DiskFullError, persistence.OperationalError):
    """No space is left on the disk that holds the database."""


class StoreConflictError(LedgerError, persistence.IntegrityError):
    """The database refused what breaks its rules."""


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Translate an OSError into a StoreUnavailableError that says `what` could not be done."""
    try:
        yield
    except OSError as error:
        message = f"{what}: {error.strerror}"
        raise StoreUnavailableError(message) from error
