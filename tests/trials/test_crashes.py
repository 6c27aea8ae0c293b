"""SIGKILL at random moments: nothing acknowledged is missing, and nothing counts twice.

The planted faults, which commit the source key or the watermark in a transaction of its own, must
be caught.
"""

import contextlib
import csv
import gzip
import json
import random
import shutil
import signal
import sqlite3
import time
from collections import Counter
from pathlib import Path

import pytest

from ledger.intake.history import BATCH
from projections.application import Engagements
from tests.support.command_line import CommandLine
from tests.support.trials import invariants
from tests.support.trials.counts import FULL, chance, count, real_history, tell
from tests.support.trials.numbered_interactions import Touch, totals, touches
from tests.support.trials.planted_faults import SPLIT_TRANSACTIONS
from tests.support.trials.processes import Process, kill_after, lines_of, wait_for, wait_for_a_line

pytestmark = pytest.mark.trial

IMPORT_KILLS = count(full=40, small=2, more="IMPORT_KILLS")
RECORD_KILLS = count(full=100, small=2)
INTERRUPTS = count(full=5, small=1, more="INTERRUPTS")
HISTORY = "kafka" if FULL else "tika"
UNTIL_CAUGHT = 20
"""Kills within which a planted fault must be caught; most of them hit its window."""

# --- during an import ----------------------------------------------------------------------------


def import_and_kill(cli: CommandLine, process: Process, seconds: float) -> bool:
    """Kill an import some seconds after the ledger's file appeared, unless it is done by then."""
    wait_for(cli.ledger, process)
    killed = kill_after(process, seconds)
    said = lines_of(process)
    assert killed or process.poll() == 0, said
    return killed


def wrong_after_import(
    cli: CommandLine, path: Path, expected: Counter[tuple[str, str]]
) -> list[str]:
    """The faults after a crash, and after another import of the same file."""
    assert cli("init").code == 0, "the ledger does not open without help"
    wrong = invariants.complaints(cli)
    before = invariants.totals(cli.ledger).total()
    report = cli("import", "csv", str(path), "--json").json
    if (report["duplicates"], report["recorded"]) != (before, expected.total() - before):
        wrong.append(f"{before} were recorded before the crash, but again: {report}")
    if invariants.totals(cli.ledger) != expected:
        wrong.append("some user's count of some issue differs from the file's")
    return wrong + invariants.complaints(cli)


def totals_of(path: Path) -> Counter[tuple[str, str]]:
    """The touches of each issue by each user in a file."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        return Counter((row["user"], row["issue_id"].upper()) for row in csv.DictReader(lines))


def seconds_of_import(cli: CommandLine, path: Path) -> float:
    """The time from the appearance of the ledger's file to the end of an undisturbed import."""
    process = Process(cli, "run", "import", "csv", str(path))
    wait_for(cli.ledger, process)
    started = time.perf_counter()
    lines_of(process)
    assert process.poll() == 0
    return time.perf_counter() - started


def fresh(cli: CommandLine) -> CommandLine:
    """Delete the ledger; return the command line for the same place."""
    shutil.rmtree(cli.home)
    cli.home.mkdir()
    return cli


@pytest.mark.long
def test_an_import_that_is_killed_goes_on_where_it_was(cli):
    dice, path = chance(), real_history(HISTORY)
    expected, seconds = totals_of(path), seconds_of_import(cli, path)
    kills = ledgers = 0
    while kills < IMPORT_KILLS:
        fresh(cli)
        ledgers += 1
        for _ in range(dice.randint(1, 3)):  # the next import may be killed as well
            process = Process(cli, "run", "import", "csv", str(path))
            kills += import_and_kill(cli, process, dice.uniform(0, seconds))
        assert wrong_after_import(cli, path, expected) == []
    tell(f"{kills} kills of imports into {ledgers} ledgers")


def wait_for_a_row(ledger: Path, table: str, process: Process) -> None:
    """Wait until a table has a row, or the process has ended."""
    while process.poll() is None:
        with contextlib.suppress(sqlite3.OperationalError), invariants.opened(ledger) as connection:
            if connection.execute(f"SELECT 1 FROM {table}").fetchone():  # noqa: S608 - of ours
                return
        time.sleep(0.002)


DIFFERS = "differs from the file's"
OF_IMPORT = {
    "key-first": ("sources", DIFFERS),
    "key-last": ("sources", DIFFERS),
    "watermark-last": ("engagements", "replay: error"),
}
"""The table that the faulty program writes first, and the complaint after a kill just then."""


@pytest.mark.parametrize("fault", SPLIT_TRANSACTIONS)
def test_an_import_in_several_transactions_is_caught(cli, fault):
    dice, path = chance(), real_history("tika")
    expected, (table, complaint) = totals_of(path), OF_IMPORT[fault]
    for kill in range(UNTIL_CAUGHT):
        fresh(cli)
        process = Process(cli, "faulty", fault, "0.3", "run", "import", "csv", str(path))
        wait_for_a_row(cli.ledger, table, process)
        killed = import_and_kill(cli, process, dice.uniform(0, 0.3))
        if complaint in " ".join(wrong_after_import(cli, path, expected)):
            assert killed
            tell(f"caught by kill {kill + 1}")
            return
    pytest.fail(f"the planted fault was not caught in {UNTIL_CAUGHT} kills")


def test_an_import_that_is_interrupted_tells_what_was_recorded(cli):
    dice, path = chance(), real_history("kafka")
    for _ in range(INTERRUPTS):
        process = Process(fresh(cli), "run", "import", "csv", str(path), "--json")
        wait_for(cli.ledger, process)
        time.sleep(dice.uniform(0.1, 0.4))
        process.send_signal(signal.SIGINT)
        *complaints, report = lines_of(process)
        recorded = invariants.totals(cli.ledger).total()
        told = json.loads(report)["recorded"]  # the last batch may be durable, but not counted yet
        assert recorded - BATCH <= told <= recorded
        if process.poll():
            assert process.poll() == 130
            assert complaints == ["error: kafka.csv.gz: interrupted; import it again to go on"]
        assert wrong_after_import(cli, path, totals_of(path)) == []


# --- during single records -----------------------------------------------------------------------

MANY = 20_000
"""More interactions than are recorded before the kill."""


def record_and_kill(
    cli: CommandLine, name: str, dice: random.Random, fault: str | None = None
) -> list[str]:
    """Start recording one by one, kill it, and return the keys that were acknowledged."""
    threads = "1" if fault else str(dice.choice([1, 1, 4]))
    program = ["record", f"sqlite:///{cli.ledger}", name, str(MANY), threads]
    process = Process(cli, *(["faulty", fault, "0.05"] if fault else []), *program)
    wait_for_a_line(process)
    killed = kill_after(process, dice.uniform(0, 0.3))
    said = lines_of(process)
    assert killed, said
    assert all(line.startswith(f"{name}-") for line in said), said
    return said


def wrong_after_recording(cli: CommandLine, name: str, acknowledged: list[str]) -> list[str]:
    """The faults after a crash, and after recording again all that may be lost."""
    possible = touches(name, MANY)
    wrong = invariants.complaints(cli)
    wrong += invariants.miscounts(cli.ledger, acknowledged, (touch.key for touch in possible))
    again = possible[: invariants.keys(cli.ledger).total() + len(acknowledged) + 10]
    wrong += _recorded_again(cli, again, set(acknowledged))
    keys = [touch.key for touch in again]
    wrong += invariants.miscounts(cli.ledger, keys, keys)
    if invariants.totals(cli.ledger) != totals(again):
        wrong.append("some user's count of some issue is not what was recorded")
    return wrong + invariants.complaints(cli)


def _recorded_again(cli: CommandLine, again: list[Touch], acknowledged: set[str]) -> list[str]:
    with Engagements(f"sqlite:///{cli.ledger}") as engagements:
        receipts = engagements.ledger.record_many([touch.interaction for touch in again])
    return [
        f"acknowledged, and counted again: {touch.key}"
        for touch, receipt in zip(again, receipts, strict=True)
        if touch.key in acknowledged and getattr(receipt, "counted", True)
    ]


@pytest.mark.long
def test_what_was_acknowledged_survives_the_kill(cli):
    dice, survivors = chance(), 0
    for kill in range(RECORD_KILLS):
        acknowledged = record_and_kill(cli, f"kill {kill}", dice)
        survivors += len(acknowledged)
        wrong = wrong_after_recording(cli, f"kill {kill}", acknowledged)
        assert wrong == [], f"kill {kill}"
        fresh(cli)
    tell(f"{RECORD_KILLS} kills, {survivors} acknowledged interactions")


OF_RECORD = {"key-first": "missing: ", "key-last": "twice: ", "watermark-last": "replay: error"}


@pytest.mark.parametrize("fault", SPLIT_TRANSACTIONS)
def test_a_record_in_several_transactions_is_caught(cli, fault):
    dice = chance()
    for kill in range(UNTIL_CAUGHT):
        acknowledged = record_and_kill(cli, f"kill {kill}", dice, fault)
        if OF_RECORD[fault] in " ".join(wrong_after_recording(cli, f"kill {kill}", acknowledged)):
            tell(f"caught by kill {kill + 1}")
            return
        fresh(cli)
    pytest.fail(f"the planted fault was not caught in {UNTIL_CAUGHT} kills")


@pytest.mark.parametrize("fault", SPLIT_TRANSACTIONS)
def test_without_a_kill_the_faulty_program_does_what_the_right_one_does(cli, fault):
    process = Process(
        cli, "faulty", fault, "0.05", "record", f"sqlite:///{cli.ledger}", "calm", "5"
    )
    keys = [touch.key for touch in touches("calm", 5)]
    assert lines_of(process) == keys
    assert invariants.complaints(cli) + invariants.miscounts(cli.ledger, keys, keys) == []
