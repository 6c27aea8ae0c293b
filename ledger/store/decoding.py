"""Decoding of stored values, with errors that name the damaged one (R12)."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import msgspec

from ledger.errors import LedgerDamagedError, LedgerError

_UNREADABLE = (ArithmeticError, LookupError, TypeError, ValueError, msgspec.MsgspecError)


@contextmanager
def decoding(what: str) -> Iterator[None]:
    """Raise LedgerDamagedError if the block cannot decode a stored value."""
    try:
        yield
    except LedgerError:
        raise
    except _UNREADABLE as error:
        message = f"{what} cannot be read"
        raise LedgerDamagedError(message) from error


def stored_uuid(stored: bytes) -> UUID:
    """Decode a UUID from 16 bytes; raises LedgerDamagedError for anything else."""
    try:
        return UUID(bytes=stored)
    except (TypeError, ValueError) as error:
        raise LedgerDamagedError("an id cannot be read") from error
