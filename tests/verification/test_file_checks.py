"""A verification beside open connections: SQLite's locks outlive it."""

import os
import subprocess
import sys
from pathlib import Path

from projections.application import Engagements

OPENS_AND_CLOSES = """
import sqlite3, sys
sqlite3.connect(sys.argv[1], isolation_level=None).execute("SELECT * FROM head").fetchall()
"""


def open_and_close(path: Path) -> None:
    """Have another process read the file; the last one to close it deletes the log."""
    subprocess.run([sys.executable, "-c", OPENS_AND_CLOSES, str(path)], check=True)


def test_another_process_deletes_no_log_that_is_in_use_after_a_verification(tmp_path):
    path = tmp_path / "ledger.db"
    with Engagements(f"sqlite:///{path}") as engagements:
        for _ in range(2):
            assert engagements.maintenance.verify().findings == []
            open_and_close(path)
            assert Path(f"{path}-wal").exists()


def opened(path: Path) -> int:
    """How many descriptors of the file this process has."""
    found = 0
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 - names alone
        try:
            found += os.path.samestat(os.fstat(int(name)), path.stat())
        except OSError:  # that of the listing itself, closed by now
            continue
    return found


def test_a_verified_ledger_that_is_closed_is_open_nowhere(tmp_path):
    path = tmp_path / "ledger.db"
    with Engagements(f"sqlite:///{path}") as engagements:
        assert engagements.maintenance.verify().findings == []
        assert opened(path) > 0
    assert opened(path) == 0
