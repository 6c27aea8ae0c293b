"""Our fold of all segments, in two processes where there are two processors, as a replay compares.

As a program: how much memory both take together, without the peers in it.
"""

import resource
import sys
from functools import cache
from pathlib import Path

from ledger.processes.second_process import SecondProcess
from ledger.store.database import Database
from projections.read_model.full_fold import (
    AFTER_ALL,
    BEFORE_ALL,
    count,
    folded_tables,
    last_account,
)
from tests.benchmarks.peak import peak_mib


def engagements(path: Path) -> int:
    """Fold all events of a ledger, and return how many engagements there are."""
    url = f"sqlite:///{path}"
    second = second_process(url)
    if second is None:
        return folded(url, BEFORE_ALL, AFTER_ALL)
    with Database(url).read() as connection:
        middle = last_account(connection, BEFORE_ALL, count(connection) // 2)
    second.begin(url, middle, AFTER_ALL)
    first: int = folded(url, BEFORE_ALL, middle)
    theirs: int = second.result()
    return first + theirs


def folded(url: str, after: str, upto: str) -> int:
    """Fold the events of some accounts, and return how many engagements they have."""
    database = Database(url)
    with database.read() as connection:
        tables = folded_tables(connection, database.archive, after, upto)
        return sum(len(table) for table in tables)


@cache
def second_process(url: str) -> SecondProcess | None:
    """Return the second process, started once, as the peers' libraries are loaded once."""
    if not SecondProcess.is_useful():
        return None
    second = SecondProcess(f"{__package__}.archived_ours:{folded.__name__}")
    second.begin(url, AFTER_ALL, AFTER_ALL)  # nothing to fold: it has started when this is done
    second.result()
    return second


if __name__ == "__main__":
    engagements(Path(sys.argv[1]))
    if (helper := second_process(f"sqlite:///{sys.argv[1]}")) is not None:
        helper.close()
    theirs_kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(peak_mib() + theirs_kib / 1024)
