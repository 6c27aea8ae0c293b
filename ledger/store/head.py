"""The head of the ledger within one transaction: what was given last, and the policy in force."""

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select, update

from ledger.errors import ClockBehindError
from ledger.instants import DAY, Instant, iso
from ledger.store import tables
from ledger.store.checksums import checked, with_checksum
from ledger.store.statements import Statement

# The lock makes appends take turns where the database allows several writers at once.
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
    """Where the one total order ends; `advance` moves it, nothing moves it back."""

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
        """Return another head at the same place."""
        return Head(self.position, self.recorded_at, self.policy_version, self.sources_sum)

    def advance(self, now: Instant) -> None:
        """Take `now` as the instant of what is recorded next, unless that is earlier (R8).

        Raises ClockBehindError where the clock is more than a day behind.
        """
        if now < self.recorded_at - DAY:
            message = (
                f"the clock says {iso(now)}, but the ledger's last event was recorded at "
                f"{iso(self.recorded_at)}; set the clock right (`engagement doctor` explains)"
            )
            raise ClockBehindError(message)
        self.recorded_at = max(now, self.recorded_at)

    def next_position(self) -> int:
        """Give the next position away."""
        self.position += 1
        return self.position

    def write(self, connection: Connection) -> None:
        """Store the head; only then do the events up to it go in (the database insists)."""
        row = (_ID, self.position, self.recorded_at, self.policy_version, self.sources_sum)
        _WRITE.run(connection, *with_checksum(_h.name, row)[1:])
