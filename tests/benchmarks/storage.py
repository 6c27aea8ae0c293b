"""How many bytes an imported history takes, by table with its indexes."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from tests.benchmarks.histories import history
from tests.benchmarks.ledgers import import_all, open_ledger
from tests.benchmarks.peers import stock_store
from tests.benchmarks.report import Row, limit
from tests.benchmarks.sizes import Sizes

TRUTH = ("events", "sources", "origins")
READ_MODEL = ("engagements",)
MOST_BYTES_PER_EVENT = 300
MOST_BYTES_PER_ENGAGEMENT = 280


def rows(folder: Path, sizes: Sizes) -> list[Row]:
    """Measure our tables, with all that R10 keeps, beside the peer's one table without it."""
    touches = list(history(sizes.stored_events, sizes.users))
    with open_ledger(folder / "bytes.db") as ours, stock_store(folder / "stock-bytes.db") as stock:
        import_all(ours, touches)
        stock.append(touches)
    engagements = len({(touch.user_id, touch.issue_id) for touch in touches})
    truth = bytes_of(folder / "bytes.db", TRUTH) / len(touches)
    read_model = bytes_of(folder / "bytes.db", READ_MODEL) / engagements
    peer = bytes_of(folder / "stock-bytes.db", ("stored_events",)) / len(touches)
    return [
        limit(
            "hot events, sources, origins",
            "B each",
            truth,
            MOST_BYTES_PER_EVENT,
            peer=peer,
            peer_name="stock, events alone",
        ),
        limit("hot read model", "B each", read_model, MOST_BYTES_PER_ENGAGEMENT),
    ]


def bytes_of(path: Path, tables: Iterable[str]) -> int:
    """Return the bytes of the pages that `tables` and their indexes fill.

    They are dropped from a copy of the database, page by page the same, and what falls free counts.
    """
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(":memory:")) as copy:
        source.backup(copy)
        before = _pages_in_use(copy)
        for table in tables:
            copy.execute(f"DROP TABLE {table}")
        (page_bytes,) = copy.execute("PRAGMA page_size").fetchone()
        return int((before - _pages_in_use(copy)) * page_bytes)


def _pages_in_use(connection: sqlite3.Connection) -> int:
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    return int(pages - free)
