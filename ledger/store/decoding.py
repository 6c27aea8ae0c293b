"""Reading what is stored: what cannot be read is named, instead of failing somehow (R12)."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from ledger.errors import LedgerDamagedError, LedgerError

_UNREADABLE = (ArithmeticError, LookupError, TypeError, ValueError, msgspec.MsgspecError)


@contextmanager
def decoding(what: str) -> Iterator[None]:
    """Raise LedgerDamagedError where a block cannot make of stored values what they stand for."""
    try:
        yield
    except LedgerError:
        raise
    except _UNREADABLE as error:
        message = f"{what} cannot be read"
        raise LedgerDamagedError(message) from error
