"""Findings of a verification, each with a sentence for people, and those about barriers."""

from collections.abc import Iterator

import msgspec
from sqlalchemy import Connection

from ledger.store.database import Database
from ledger.store.opt_outs import own_id

BACKUP = "restore a backup"
REPAIR = "`engagement replay --repair` rebuilds it"


class Finding(msgspec.Struct, frozen=True):
    """A damage: `where` is the table or file, `says` a sentence for the operator.

    The sentence says what is damaged, what that means and what to do, without a person's text or
    ids. Damage to `derived` data can be repaired from the events.
    """

    where: str
    says: str
    derived: bool = False


def truth(where: str, what: str, meaning: str) -> Finding:
    """A finding of damage that only a backup can repair."""
    return Finding(where, f"{where}: {what}, so {meaning}; {BACKUP}")


def of_replay(name: str, what: str) -> Finding:
    """A finding of damage to a read model beside the live one."""
    where = f"the replay {name}"
    todo = f"`engagement replay drop {name}` drops it; then it can be built again"
    return Finding(where, f"{where}: {what}; {todo}", derived=True)


def derived(where: str, what: str) -> Finding:
    """A finding of damage that a replay can repair."""
    meaning = "answers may be wrong until then"
    return Finding(where, f"{where}: {what}; {REPAIR}, and {meaning}", derived=True)


# Findings about the file of barriers next to the database.


def barrier_findings(database: Database, connection: Connection) -> Iterator[Finding]:
    """Read the file as a start does, without repairing anything."""
    if database.barriers is None:
        return
    unreadable = len(database.barriers.read(own_id(connection)).unreadable)
    if unreadable:
        where = database.barriers.path.name
        says = (
            f"{where}: {unreadable:,} of its lines damaged or of another ledger, so opt-outs and "
            "deletions in them would not survive restoring a backup; those in the database are in "
            "force, so make a new backup and restore no older one"
        )
        yield Finding(where, says)
