"""Findings about the file of barriers next to the database."""

from collections.abc import Iterator

from sqlalchemy import Connection

from ledger.store.database import Database
from ledger.store.opt_outs import own_id
from ledger.verification.findings import Finding


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
