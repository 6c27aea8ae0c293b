"""A full disk: one clear line, no half event, questions are answered, and space ends the trouble.

Three ways to run out of space, from the reproducible to the real: SQLite is allowed no further
page (which it reports as a full disk), no file may grow beyond a size (a write fails in the
middle), and a small disk is really full.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from ledger.errors import DiskFullError
from projections.application import Engagements
from tests.support.command_line import CommandLine, CompletedCommand
from tests.support.csv_files import written
from tests.support.disks import remount, small_disk
from tests.support.trials import invariants, programs
from tests.support.trials.counts import chance, count, tell
from tests.support.trials.numbered_interactions import CSV_HEADER, Touch, totals, touches
from tests.support.trials.planted_faults import planted

pytestmark = pytest.mark.trial

NO_LIMIT = 2**30


class Pages:
    """A limit on the pages of every database of this process."""

    def __init__(self) -> None:
        self._connections: list[Any] = []
        self._limit = NO_LIMIT

    def watch(self, connection: Any, _: object = None) -> None:
        """Apply the limit to a new connection as well."""
        self._connections.append(connection)
        self._hold(connection)

    def limit(self, pages: int) -> None:
        """Set the limit; a database that has more pages already may not grow."""
        self._limit = pages
        for connection in self._connections:
            # It is closed already, or being closed by the thread that folds.
            with contextlib.suppress(sqlite3.ProgrammingError, sqlite3.InterfaceError):
                self._hold(connection)

    def _hold(self, connection: Any) -> None:
        connection.execute(f"PRAGMA max_page_count={self._limit}").close()


@pytest.fixture
def pages() -> Iterator[Pages]:
    limited = Pages()
    sqlalchemy.event.listen(sqlalchemy.Engine, "connect", limited.watch)
    yield limited
    sqlalchemy.event.remove(sqlalchemy.Engine, "connect", limited.watch)


def page_count(ledger: Path) -> int:
    """The number of pages of the ledger."""
    with invariants.opened(ledger) as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        return int(pages)


def expect_full(done: CompletedCommand) -> None:
    """Assert one line of error that names the cause, and exit code 1."""
    (line,) = done.errors
    assert line.startswith("error: ")
    assert "full" in line
    assert done.code == 1


def expect_answers(cli: CommandLine, todo: Sequence[Touch]) -> None:
    """Assert that reading works, and finds exactly these touches."""
    count_by_pair = totals(todo)
    user = todo[0].user
    stats = cli("stats", user, "--json").json
    assert stats["total_interactions"] == sum(
        times for (who, _), times in count_by_pair.items() if who == user
    )
    score = cli("score", user, todo[0].issue, "--json").json
    assert score["count"] == count_by_pair[user, todo[0].issue]
    assert cli("top", user, "--json").code == 0
    assert len(cli("history", user, "--json").json) == stats["total_interactions"]
    assert cli("doctor").code in {0, 1}


def expect_just(cli: CommandLine, todo: Sequence[Touch]) -> None:
    """Assert that these touches are there, complete and once, and nothing else."""
    keys = [touch.key for touch in todo]
    assert invariants.complaints(cli) == []
    assert invariants.miscounts(cli.ledger, keys, keys) == []
    assert invariants.totals(cli.ledger) == totals(todo)


def file_of(cli: CommandLine, todo: Sequence[Touch]) -> str:
    """Write a history beside the ledger's folder; return its path."""
    content = "\n".join([CSV_HEADER, *(touch.row for touch in todo)]) + "\n"
    return written(cli.home.parent, content.encode())


def recorded_until_full(engagements: Engagements, todo: Sequence[Touch], start: int) -> int:
    """Record one by one from `start` on; return the index of the first that is refused."""
    for number in range(start, len(todo)):
        try:
            engagements.ledger.record(todo[number].interaction)
        except DiskFullError:
            return number
    pytest.fail("the disk was never full")


def fill(ballast: Path) -> None:
    """Write a file that leaves no space on its disk."""
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1_000))


# --- no further page -----------------------------------------------------------------------------

BATCH = 250


def test_wherever_in_the_transaction_space_ends_nothing_is_half_recorded(cli, pages):
    """With one page more each time, another statement of the transaction is the first to fail."""
    todo, done, failures = touches("page", BATCH * 60), 0, 0
    with Engagements(f"sqlite:///{cli.ledger}") as engagements:
        for spare in range(40):
            batch = [each.interaction for each in todo[done : done + BATCH]]
            pages.limit(page_count(cli.ledger) + spare)
            try:
                engagements.ledger.record_many(batch)
            except DiskFullError:
                failures += 1
                expect_just(cli, todo[:done])
                pages.limit(NO_LIMIT)
                engagements.ledger.record_many(batch)
            done += BATCH
            if failures and not spare % 10:
                expect_just(cli, todo[:done])
        pages.limit(NO_LIMIT)
    tell(f"full at {failures} places")
    assert failures >= 5
    expect_just(cli, todo[:done])


def test_a_source_key_in_a_transaction_of_its_own_is_caught(cli, pages):
    todo = touches("half", BATCH * 20)
    with Engagements(f"sqlite:///{cli.ledger}") as engagements, planted("key-first"):
        for spare in range(20):
            batch = [each.interaction for each in todo[spare * BATCH : (spare + 1) * BATCH]]
            pages.limit(page_count(cli.ledger) + spare)
            try:
                engagements.ledger.record_many(batch)
            except DiskFullError:
                if "source keys without their event" in " ".join(invariants.complaints(cli)):
                    return
    pytest.fail("the planted fault was not caught")


def test_a_single_record_on_a_full_disk_is_refused_and_can_be_tried_again(cli, pages):
    todo = touches("single", 2_000)
    with Engagements(f"sqlite:///{cli.ledger}") as engagements:
        engagements.ledger.record_many([each.interaction for each in todo[:100]])
        pages.limit(1)
        done = recorded_until_full(engagements, todo, 100)
        with pytest.raises(DiskFullError, match="full"):
            engagements.ledger.record(todo[done].interaction)
        expect_just(cli, todo[:done])
        expect_answers(cli, todo[:done])
        pages.limit(NO_LIMIT)
        assert engagements.ledger.record(todo[done].interaction).counted
    expect_just(cli, todo[: done + 1])


def test_the_record_command_says_that_the_disk_is_full(cli, pages):
    cli("init")
    pages.limit(1)
    words = ("record", "u", "AI-1", "view", "--context", "x" * 200, "--key")
    recorded = times_recorded(cli, words)
    refused = cli(*words, str(recorded))
    assert refused.out == ""
    expect_full(refused)
    assert cli("score", "u", "AI-1", "--json").json["count"] == recorded
    pages.limit(NO_LIMIT)
    assert cli(*words, str(recorded), "--json").json["counted"]
    assert invariants.complaints(cli) == []


def times_recorded(cli: CommandLine, words: Sequence[str]) -> int:
    """Record with a new key each time until it is refused; return the number of records."""
    return next(number for number in range(2_000) if cli(*words, str(number)).code)


def test_an_import_on_a_full_disk_tells_what_was_recorded_and_goes_on_later(cli, pages):
    todo = touches("import", 15_000)
    path = file_of(cli, todo)
    cli("init")
    pages.limit(500)
    full = cli("import", "csv", path, "--json")
    expect_full(full)
    recorded = full.json["recorded"]
    assert 0 < recorded < len(todo)
    assert (full.json["duplicates"], full.json["refused"]) == (0, 0)
    expect_just(cli, todo[:recorded])
    expect_answers(cli, todo[:recorded])
    still_full = cli("import", "csv", path, "--json")
    expect_full(still_full)
    pages.limit(NO_LIMIT)
    goes_on = cli("import", "csv", path, "--json")
    assert (goes_on.code, goes_on.json["duplicates"]) == (0, recorded)
    expect_just(cli, todo)


def test_an_import_never_says_that_nothing_was_recorded_when_something_was(cli, pages):
    path = file_of(cli, touches("import", 15_000))
    cli("init")
    pages.limit(500)
    full = cli("import", "csv", path, "--json")
    assert full.json["recorded"] > 0
    assert "nothing was recorded" not in full.err


# --- a write that fails in the middle ------------------------------------------------------------


def test_whichever_write_fails_nothing_is_half_recorded(cli):
    dice, todo = chance(), touches("write", 3_000)
    path = file_of(cli, todo)
    empty, whole = (CommandLine(cli.home / name, cli.now) for name in ("empty", "whole"))
    empty("init")
    whole("import", "csv", path)
    sizes, failures = (empty.ledger.stat().st_size, whole.ledger.stat().st_size), 0
    for attempt in range(count(full=40, small=2)):
        limited = CommandLine(cli.home / str(attempt), cli.now)
        limited("init")
        longest = str(dice.randrange(*sizes))
        failed = limited.forked(
            *("small_files", longest, "import", "csv", path, "--json"), program=programs.main
        )
        if failed.code:
            (line,) = failed.errors
            assert line.startswith("error: ")
            failures += 1
        else:  # all was recorded in the log, which no checkpoint could bring into the file
            assert failed.json["recorded"] == len(todo)
        assert failed.code in {0, 1}
        expect_just(limited, todo[: failed.json["recorded"]])
        assert limited("import", "csv", path).code == 0
        expect_just(limited, todo)
    assert failures


# --- a disk that is full -------------------------------------------------------------------------


@pytest.fixture
def disk(cli) -> Iterator[Path]:
    """A disk of one megabyte for the ledger."""
    with small_disk(cli.home, "1m"):
        yield cli.home


def test_a_small_disk_fills_up_and_is_made_larger(cli, disk):
    todo = touches("disk", 12_000)
    path = file_of(cli, todo)
    full = cli.forked("import", "csv", path, "--json")
    expect_full(full)
    recorded = full.json["recorded"]
    expect_just(cli, todo[:recorded])
    expect_answers(cli, todo[:recorded])
    remount(disk, "size=64m")
    assert cli.forked("import", "csv", path, "--json").json["duplicates"] == recorded
    expect_just(cli, todo)


def test_a_disk_that_another_program_fills_and_frees(cli, disk):
    todo, ballast = touches("ballast", 4_000), disk / "ballast"
    with Engagements(f"sqlite:///{cli.ledger}") as engagements:
        engagements.ledger.record_many([each.interaction for each in todo[:50]])
        fill(ballast)
        done = recorded_until_full(engagements, todo, 50)
        expect_answers(cli, todo[:done])
        expect_full(cli("record", "u", "AI-1", "view"))
        expect_just(cli, todo[:done])
        ballast.unlink()
        assert engagements.ledger.record(todo[done].interaction).counted
    expect_just(cli, todo[: done + 1])


def test_no_ledger_is_begun_on_a_full_disk(cli, disk):
    ballast = disk / "ballast"
    fill(ballast)
    for words in (["init"], ["record", "u", "AI-1", "view"]):
        expect_full(cli(*words))
    ballast.unlink()
    assert cli("record", "u", "AI-1", "view", "--json").json == {"position": 1, "counted": True}
    assert cli("replay").code == 0
