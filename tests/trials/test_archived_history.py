"""A real history sealed in parts: nothing counts twice, and the hot file stays small."""

import datetime as dt
import gzip
import sqlite3
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from ledger.instants import DAY, Instant, instant_of
from projections.application import Engagements
from tests.support.command_line import CommandLine
from tests.support.trials.counts import count, real_history, tell

pytestmark = pytest.mark.trial

ROWS = count(full=36_724, small=4_000)
PARTS = 5
MOST_BYTES = count(full=9_000_000, small=1_300_000)  # an empty ledger has pages, too


@pytest.fixture(scope="module")
def sealed(tmp_path_factory) -> tuple[CommandLine, Path]:
    """A ledger whose whole history is sealed, and the imported file."""
    folder = tmp_path_factory.mktemp("sealed")
    path = folder / "wildfly.csv"
    with gzip.open(real_history("wildfly"), "rt", encoding="utf-8", newline="") as lines:
        path.write_text("".join(islice(lines, 1 + ROWS)), encoding="utf-8", newline="")
    cli = CommandLine(folder, dt.datetime.now(dt.UTC))
    assert cli("import", "csv", str(path), "--json").json["recorded"] == ROWS
    answers = [cli(*each).out for each in questions(cli)]
    for part in range(1, PARTS + 1):
        through = ROWS * part // PARTS
        done = cli("compact", "--through", str(through), "--json").json
        assert done["events"] == through - ROWS * (part - 1) // PARTS
    assert [cli(*each).out for each in questions(cli)] == answers
    return cli, path


def questions(cli: CommandLine) -> list[tuple[str, ...]]:
    """Questions about the first users of the history."""
    with closing(sqlite3.connect(cli.ledger)) as connection:
        found = connection.execute("SELECT user_id FROM accounts ORDER BY stream LIMIT 5")
        users = [user for (user,) in found]
    return [(name, user, "--json") for user in users for name in ("top", "stats", "history")]


def imported_again(cli: CommandLine, path: Path) -> tuple[int, int]:
    """Import the file again; return the numbers of new rows and of duplicates."""
    done = cli("import", "csv", str(path), "--json").json
    return done["recorded"], done["duplicates"]


def test_an_import_of_what_was_sealed_records_nothing(sealed):
    cli, path = sealed
    assert imported_again(cli, path) == (0, ROWS)
    replayed = cli("replay", "--json").json
    assert (replayed["events"], replayed["identical"]) == (ROWS, True)
    assert cli("archive", "check").code == 0


def test_what_stays_hot_is_small_once_origins_have_expired(sealed):
    cli, _ = sealed
    with Engagements(f"sqlite:///{cli.ledger}") as engagements:
        now = Instant(instant_of(dt.datetime.now(dt.UTC)) + DAY)
        assert engagements.ledger.expire_origins(now) == ROWS
        engagements.ledger.compactor.compact(0)  # which also frees empty pages
    size = cli.ledger.stat().st_size
    tell(f"{ROWS} rows, {size} bytes stay hot")
    assert size <= MOST_BYTES


def test_keys_that_go_with_their_rows_are_caught(sealed, tmp_path):
    cli, path = sealed
    copy = CommandLine(tmp_path, cli.now)
    with (
        closing(sqlite3.connect(cli.ledger)) as ours,
        closing(sqlite3.connect(copy.ledger)) as theirs,
    ):
        ours.backup(theirs)
        names = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'sources'"
        for (name,) in theirs.execute(names).fetchall():
            theirs.execute(f"DROP TRIGGER {name}")
        theirs.execute("DELETE FROM sources")
        theirs.commit()
    assert imported_again(copy, path) == (ROWS, 0)
