"""The port of what is folded from the ledger, and kept beside it."""

from typing import Protocol

from sqlalchemy import Connection

from ledger.store.clock_corrections import Retimed
from ledger.store.database import Database
from ledger.store.sealable import Sealable


class Projection(Sealable, Retimed, Protocol):
    """A projection of the whole ledger."""

    def prepare(self, database: Database) -> None:
        """Make the projection's tables where they are missing."""

    def knows(self, connection: Connection, stream: int, issue_id: str) -> bool:
        """Return whether the account that is interned as `stream` ever touched the issue."""

    def forget(self, connection: Connection, stream: int) -> None:
        """Delete what is kept of the account that is interned as `stream`."""
