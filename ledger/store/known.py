"""Caches of what a writing transaction has read, valid for the next one if nothing else wrote."""

from collections.abc import Callable

from sqlalchemy import Connection, insert

from ledger.store import tables
from ledger.store.database import stamp_of
from ledger.store.opt_outs import BarrierFile, OptOuts
from ledger.store.places import Places
from ledger.store.rows import INSERT_EVENT
from ledger.store.sources import Sources
from ledger.store.statements import Statement
from ledger.store.streams import Head, Streams

REMEMBERED_USERS = 10_000
"""From so many on, what was read of users is read again."""

_INSERT_ORIGIN = Statement(insert(tables.origins), *tables.origins.c.keys())


class Known:
    """Values read in a transaction, valid as long as nothing else writes."""

    def __init__(
        self,
        connection: Connection,
        secret: bytes,
        barriers: BarrierFile | None,
        tail_length: Callable[[Connection], int],
    ) -> None:
        """Read the head, and everything else when it is first needed."""
        self.connection = connection
        self.secret = secret
        self.stamp = stamp_of(connection)
        self.head = Head.read(connection)
        self.watermark = self.head.position - tail_length(connection)
        self.streams = Streams(connection)
        self.places = Places(connection)
        self.opt_outs = OptOuts(connection, secret, barriers)
        self.sources = Sources(connection, secret)
        self.insert_events = INSERT_EVENT.writer(connection)
        self.insert_origins = _INSERT_ORIGIN.writer(connection)

    @property
    def tail(self) -> int:
        """How many positions are not folded."""
        return self.head.position - self.watermark

    @property
    def is_worth_keeping(self) -> bool:
        """Whether the next transaction can tell if it holds, and it is not too large."""
        return self.stamp is not None and len(self.streams) < REMEMBERED_USERS

    def holds(self, connection: Connection) -> bool:
        """Return whether nothing was written since, at the beginning of a transaction."""
        return self.stamp is not None and self.stamp == stamp_of(connection)

    def note_own_changes(self) -> None:
        """Go on holding after what the transaction itself has written."""
        if self.stamp is not None:
            self.stamp = self.stamp.after_own_changes()
