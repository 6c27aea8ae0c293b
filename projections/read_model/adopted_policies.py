"""The policies of a ledger: the default, and those adopted since (R14)."""

from bisect import bisect_right
from uuid import UUID

from sqlalchemy import Connection, bindparam, select

from ledger import codec
from ledger.events import POLICY, Corrections, PolicyAdopted
from ledger.instants import Instant
from ledger.store.clock_corrections import corrections
from ledger.store.statements import Query, Statement, decoding, value
from ledger.store.tables import events, head, ledger, streams
from projections.policy import DEFAULT_POLICY, DEFAULT_POLICY_VERSION, Adopted, policy_of

FIRST = Adopted(DEFAULT_POLICY_VERSION, DEFAULT_POLICY)

_own_stream = select(streams.c.id).join(ledger, ledger.c.originator_id == streams.c.originator_id)
_ADOPTIONS = Statement(
    select(events.c.position, events.c.version, events.c.state, ledger.c.originator_id)
    .where(events.c.stream == _own_stream.scalar_subquery(), events.c.topic == bindparam("topic"))
    .order_by(events.c.version),
    "topic",
)
IN_FORCE: Query[int] = Query(value, select(head.c.policy_version))
"""Finds the version of the policy in force."""


class Policies:
    """All policies of one ledger, cached until another one is adopted."""

    def __init__(self) -> None:
        """Start with the default policy."""
        self._known = [FIRST]

    def of_version(self, connection: Connection, version: int) -> Adopted:
        """The policy of that version."""
        with decoding(f"the policy {version}"):
            if version > len(self._known):
                self._known = [FIRST, *_adopted(connection)]
            return self._known[version - 1]

    def in_force(self, connection: Connection) -> Adopted:
        """The policy in force in the snapshot of `connection`."""
        return self.of_version(connection, IN_FORCE.one(connection))

    def history(self, connection: Connection) -> list[Adopted]:
        """All policies up to the one in force, the oldest first.

        Instants of adoption are effective ones, after corrections of the clock.
        """
        last = self.in_force(connection).version
        adopted = self._known[1:last]
        known = corrections(connection) if adopted else Corrections()
        return [FIRST, *(_effective(each, known) for each in adopted)]

    def known_at(self, connection: Connection, instant: Instant | None) -> Adopted:
        """The policy that was in force at an instant; None is the present."""
        history = self.history(connection)
        if instant is None:
            return history[-1]
        return history[bisect_right(history[1:], instant, key=_adopted_at)]


def _adopted_at(adopted: Adopted) -> Instant:
    return adopted.adopted_at or Instant(0)


def _effective(adopted: Adopted, known: Corrections) -> Adopted:
    at = known.recorded_at(adopted.position or 0, _adopted_at(adopted))
    return adopted._replace(adopted_at=Instant(at))


def _adopted(connection: Connection) -> list[Adopted]:
    return [_read(*row) for row in _ADOPTIONS.run(connection, POLICY).fetchall()]


def _read(position: int, stream_version: int, state: bytes, originator: bytes) -> Adopted:
    event = codec.decode(POLICY, UUID(bytes=originator), stream_version, state)
    if not isinstance(event, PolicyAdopted):
        raise TypeError(POLICY)
    return Adopted(event.version, policy_of(event.fields), position, event.recorded_at)
