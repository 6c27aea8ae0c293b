"""Errors of the store, each of which is both the ledger's and the eventsourcing package's."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from eventsourcing import persistence
from sqlalchemy.exc import DBAPIError, MultipleResultsFound, NoResultFound

from ledger.errors import DiskFullError, LedgerDamagedError, LedgerError, LedgerUnavailableError
from ledger.store.sqlite import CHANGED

_DAMAGED = ("malformed", "not a database")
_NO_TEXT = "Could not decode to UTF-8"  # and goes on with the text
"""Parts of SQLite's messages for a file with damaged bytes."""

_ADVICE = {
    "unable to open database file": "; `engagement doctor` shows who may read it",
    "disk I/O error": "; its disk is full or failing, `engagement doctor` shows how much is free",
    "attempt to write a readonly database": "; `engagement doctor` shows who may write it",
    CHANGED: "; ask again",
}


class StoreUnavailableError(LedgerUnavailableError, persistence.OperationalError):
    """The database, or a file beside it, cannot be opened, read or written."""


class StoreDamagedError(LedgerDamagedError, persistence.OperationalError):
    """Data in the file cannot be read."""


class StoreFullError(DiskFullError, persistence.OperationalError):
    """No space is left on the disk that holds the database."""


class StoreConflictError(LedgerError, persistence.IntegrityError):
    """The database refused a change that violates its constraints."""


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Translate an OSError into a StoreUnavailableError that begins with `what`."""
    try:
        yield
    except OSError as error:
        message = f"{what}: {error.strerror}"
        raise StoreUnavailableError(message) from error


class Translated:
    """A block in which errors of a database driver become those above."""

    def __init__(self, driver: Any) -> None:  # noqa: ANN401 - a DBAPI module
        """Translate what `driver` raises, and SQLAlchemy for it."""
        self._driver = driver

    def __enter__(self) -> None:
        """Enter the block; the same one may be entered by many threads."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Raise the translation of `error`, if it has one."""
        translation = None if error is None else self._translation(error)
        if translation is not None:
            raise translation from error

    def _translation(self, error: BaseException) -> Exception | None:
        if isinstance(error, MultipleResultsFound | NoResultFound):
            return StoreDamagedError("a row that must exist once is missing or duplicated")
        if isinstance(error, UnicodeDecodeError):  # the driver's, of SQLite's own words
            return StoreDamagedError("a text in it is not in UTF-8")
        if isinstance(error, DBAPIError):
            error = error.orig or error
        elif not isinstance(error, self._driver.Error):
            return None
        if isinstance(error, self._driver.IntegrityError):
            return StoreConflictError(str(error))
        return _failure(str(error))


def _failure(message: str) -> Exception:
    if _NO_TEXT in message:
        return StoreDamagedError("a text in it is not in UTF-8")
    if any(each in message for each in _DAMAGED):
        return StoreDamagedError(message.splitlines()[0])
    if "disk is full" in message:
        return StoreFullError("the disk that holds the ledger is full")
    reason = message.splitlines()[0]
    return StoreUnavailableError(f"the ledger's database failed: {reason}{_ADVICE.get(reason, '')}")
