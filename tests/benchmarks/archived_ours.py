"""Our fold of all segments; as a program, how much memory it takes, without the peers in it."""

import sys
from pathlib import Path

from ledger.store.database import Database
from projections.views.folding import folded_tables
from tests.benchmarks.peak import peak_mib


def engagements(path: Path) -> int:
    """Fold all events of a ledger, and return how many engagements there are."""
    database = Database(f"sqlite:///{path}")
    with database.read() as connection:
        return sum(len(table) for table in folded_tables(connection, database.archive))


if __name__ == "__main__":
    engagements(Path(sys.argv[1]))
    print(peak_mib())
