"""Four processes on one ledger: two record, one reads and replays, one is killed repeatedly."""

import random
from itertools import accumulate

import pytest

from tests.support.command_line import CommandLine
from tests.support.csv_files import written
from tests.support.trials import invariants
from tests.support.trials.counts import chance, count, tell
from tests.support.trials.numbered_interactions import CSV_HEADER, Touch, totals, touches
from tests.support.trials.processes import Process, kill_after, lines_of, wait_for_a_line

pytestmark = pytest.mark.trial

EACH = count(full=5_000, small=300)
LEAST_KILLS = count(full=10, small=2)


def recorder(cli: CommandLine, name: str, *how: str) -> Process:
    """A process that records the touches of one name."""
    return Process(cli, "record", f"sqlite:///{cli.ledger}", name, str(EACH), *how)


def importer(cli: CommandLine, path: str) -> Process:
    """A process that imports the same touches from a file, under the same keys."""
    return Process(cli, "run", "import", "csv", path)


def file_of(cli: CommandLine, todo: list[Touch]) -> str:
    """Write a history with keys; return its path."""
    content = "\n".join([CSV_HEADER, *(touch.row for touch in todo)]) + "\n"
    return written(cli.home, content.encode())


def kill_and_restart(
    cli: CommandLine, name: str, writers: list[Process], dice: random.Random
) -> list[str]:
    """Record the touches of one name by processes that are killed, while the others write.

    Return the keys that were acknowledged before a kill.
    """
    path, acknowledged, kills = file_of(cli, touches(name, EACH)), [], 0
    while kills < LEAST_KILLS or any(writer.poll() is None for writer in writers):
        if dice.random() < 0.5:
            victim = recorder(cli, name, str(dice.choice([1, 4])))
            wait_for_a_line(victim)
        else:
            victim = importer(cli, path)
        kills += kill_after(victim, dice.uniform(0, 0.5))
        acknowledged += lines_of(victim)
    tell(f"{kills} kills")
    return [line for line in acknowledged if line.startswith(f"{name}-")]


LATE = 2_000
"""Records that take long enough for several replays."""


def wrong_with(replays: list[str]) -> list[str]:
    """The replays that were not identical, or that saw fewer events than an earlier one."""
    counts = [int(line.split(" ", 1)[0]) for line in replays]
    fewer = [
        line
        for line, most in zip(replays, accumulate(counts, max), strict=True)
        if int(line.split(" ", 1)[0]) < most
    ]
    return fewer + [line for line in replays if not line.endswith(" identical")]


@pytest.mark.long
def test_four_processes_share_a_ledger(cli):
    dice, names = chance(), ("one", "two", "killed")
    cli("init")
    reader = Process(cli, "read", f"sqlite:///{cli.ledger}")
    writers = [recorder(cli, "one", "1", "100"), recorder(cli, "two", "4", "250")]
    acknowledged = kill_and_restart(cli, "killed", writers, dice)
    for name, writer in zip(names, writers, strict=False):
        assert lines_of(writer) == [touch.key for touch in touches(name, EACH)]
        assert writer.poll() == 0
    replays = lines_of(reader)
    tell(f"{len(replays)} replays meanwhile")
    assert len(replays) >= 3
    assert wrong_with(replays) == []
    assert invariants.complaints(cli) == []
    expected = [touch for name in names for touch in touches(name, EACH)]
    keys = [touch.key for touch in expected]
    assert invariants.miscounts(cli.ledger, [*acknowledged, *keys[: 2 * EACH]], keys) == []

    last = recorder(cli, "killed")
    assert lines_of(last) == keys[2 * EACH :]
    assert invariants.miscounts(cli.ledger, keys, keys) == []
    assert invariants.totals(cli.ledger) == totals(expected)
    assert invariants.complaints(cli) == []


def test_a_watermark_in_a_transaction_of_its_own_is_caught(cli):
    cli("init")
    program = ("record", f"sqlite:///{cli.ledger}", "late", str(LATE))
    writer = Process(cli, "faulty", "watermark-last", "0.1", *program)
    wait_for_a_line(writer)
    reader = Process(cli, "read", f"sqlite:///{cli.ledger}")
    wait_for_a_line(reader)
    assert len(lines_of(writer)) == LATE
    assert wrong_with(lines_of(reader)) != []
    assert invariants.complaints(cli) == []


def test_many_processes_begin_a_ledger_at_once(cli):
    names = [f"first {number}" for number in range(count(full=16, small=4))]
    recorders = [Process(cli, "record", f"sqlite:///{cli.ledger}", name, "3") for name in names]
    for name, process in zip(names, recorders, strict=True):
        assert lines_of(process) == [touch.key for touch in touches(name, 3)]
    keys = [touch.key for name in names for touch in touches(name, 3)]
    assert invariants.miscounts(cli.ledger, keys, keys) == []
    assert invariants.complaints(cli) == []


def test_a_process_that_comes_by_a_link_takes_the_same_lock(cli, tmp_path):
    """Writers that take different locks do not wait for each other, and can lose commits."""
    linked = CommandLine(tmp_path / "linked", cli.now)
    linked.home.mkdir()
    cli("init")
    linked.ledger.symlink_to(cli.ledger)
    assert linked("record", "u", "AI-1", "view").code == 0
    assert cli("score", "u", "AI-1", "--json").json["count"] == 1
    assert [path.name for path in linked.home.iterdir()] == [linked.ledger.name]
