"""The head of the ledger within one transaction: the last position and instant, and the policy."""

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select, update

from ledger.errors import ClockBehindError
from ledger.instants import DAY, Instant, iso
from ledger.store import tables
from ledger.store.checksums import checked, with_checksum
from ledger.store.statements import Statement

# The lock serializes appends if the database allows several writers at once.
_h = tables.head
_READ = Statement(select(_h).with_for_update())
_FIELDS = _h.c.keys()[1:]
_WRITE = Statement(
    update(_h).values({name: bindparam(f"{name}_") for name in _FIELDS}),
    *(f"{name}_" for name in _FIELDS),
)
_ID = 1


@dataclass(slots=True)
class Head:
    """The end of the total order; `advance` moves it, and nothing moves it back."""

    position: int
    recorded_at: Instant
    policy_version: int
    sources_sum: int | None

    @classmethod
    def read(cls, connection: Connection) -> "Head":
        """Return the head, locked until the transaction ends.

        Raises LedgerDamagedError if its checksum does not match.
        """
        return cls(*checked(_h.name, _READ.run(connection).fetchone())[1:])

    def copy(self) -> "Head":
        """An independent head at the same position."""
        return Head(self.position, self.recorded_at, self.policy_version, self.sources_sum)

    def advance(self, now: Instant) -> None:
        """Use `now` as the instant of the next events, unless it is earlier than the last (R8).

        Raises ClockBehindError if the clock is more than a day behind.
        """
        if now < self.recorded_at - DAY:
            message = (
                f"the clock says {iso(now)}, but the ledger's last event was recorded at "
                f"{iso(self.recorded_at)}; set the clock right (`engagement doctor` explains)"
            )
            raise ClockBehindError(message)
        self.recorded_at = max(now, self.recorded_at)

    def next_position(self) -> int:
        """Allocate the next position."""
        self.position += 1
        return self.position

    def write(self, connection: Connection) -> None:
        """Store the head, which triggers require before events up to it are inserted."""
        row = (_ID, self.position, self.recorded_at, self.policy_version, self.sources_sum)
        _WRITE.run(connection, *with_checksum(_h.name, row)[1:])
