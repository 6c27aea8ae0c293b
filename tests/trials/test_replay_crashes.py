"""SIGKILL during a replay into another read model, while another process records.

The next replay goes on where it was, and the read model that is switched to equals a fresh fold of
all events. The planted faults, which write the position apart from the folded rows, start over, or
switch to a read model that does not hold all events up to its watermark, must be caught.
"""

import datetime as dt
import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from sqlite3 import OperationalError

import pytest

from projections.application import Engagements
from projections.read_model.compare import place_of
from projections.read_model.engagement_rows import COLUMNS, LIVE
from projections.read_model.full_fold import folds
from projections.read_model.model import FOLDED_AT_ONCE, values
from tests.support.command_line import CommandLine
from tests.support.csv_files import written
from tests.support.trials import invariants
from tests.support.trials.counts import chance, count, tell
from tests.support.trials.numbered_interactions import CSV_HEADER, FIRST
from tests.support.trials.processes import Process, kill_after, lines_of, wait_for_a_line

pytestmark = pytest.mark.trial

KILLS = count(full=20, small=2)
EVENTS = count(full=75_000, small=9_000, more="REPLAYED_EVENTS")
SECONDS = count(full=450, small=150) / 1_000
"""The longest time before a replay is killed."""
UNTIL_CAUGHT = 10
MANY = count(full=100_000, small=10_000)
"""More interactions than are recorded meanwhile."""

FROM_ELSEWHERE = sys.maxsize
"""A number of folded events that stands for a replay that did not go on where it was."""

REPLAY = ("replay", "--into", "fresh")


def row(number: int) -> str:
    """A row of a history in which a third of the interactions are alone in their engagement."""
    issue = number % (EVENTS // 3) if number % 3 else EVENTS + number
    at = FIRST + dt.timedelta(minutes=number)
    return f"{at.isoformat()},user {issue % 97},AI-{issue},view,,old-{number}"


@pytest.fixture
def imported(cli: CommandLine) -> CommandLine:
    """A ledger whose replay takes many chunks."""
    content = "\n".join([CSV_HEADER, *map(row, range(EVENTS))]) + "\n"
    assert cli("import", "csv", written(cli.home, content.encode())).code == 0
    return cli


@contextmanager
def recording(cli: CommandLine) -> Iterator[Process]:
    """Record one interaction after the other in another process."""
    recorder = Process(cli, "record", f"sqlite:///{cli.ledger}", "meanwhile", str(MANY))
    wait_for_a_line(recorder)
    try:
        yield recorder
    finally:
        recorder.send_signal(signal.SIGKILL)
        lines_of(recorder)


def position(cli: CommandLine) -> int:
    """The position of the replay, 0 before there is one."""
    with suppress(OperationalError), invariants.opened(cli.ledger) as connection:
        row = connection.execute("SELECT position FROM read_models WHERE name = 'fresh'").fetchone()
        return row[0] if row else 0
    return 0


def replay_and_kill(cli: CommandLine, seconds: float, *program: str) -> tuple[bool, int]:
    """Replay, and kill it some seconds after it began to fold.

    Return whether it was killed, and the number of events that it folded.
    """
    before = position(cli)
    cli.settings["ENGAGEMENT_LOG_LEVEL"] = "debug"
    process = Process(cli, *program)
    while process.poll() is None and b'"folds"' not in process.output.read_bytes():
        time.sleep(0.001)
    killed = kill_after(process, seconds)
    chunks = [json.loads(line) for line in lines_of(process) if '"folds"' in line]
    if chunks and chunks[0]["after"] != before:
        return killed, FROM_ELSEWHERE
    return killed, sum(chunk["upto"] - chunk["after"] for chunk in chunks)


def wrong_after_replay(cli: CommandLine) -> list[str]:
    """The faults after the replay was finished and switched to."""
    for words in (REPLAY, ("replay", "switch", "fresh")):
        done = cli(*words)
        if done.code:
            return [f"{' '.join(words)}: {done.err}"]
    return invariants.complaints(cli) + unlike_a_fresh_fold(cli)


def unlike_a_fresh_fold(cli: CommandLine) -> list[str]:
    """A complaint if the live read model differs from a fresh fold of all events."""
    scored_at = COLUMNS.index("scored_at")
    cli.fold()
    with (
        Engagements(f"sqlite:///{cli.ledger}") as engagements,
        engagements.ledger.database.read() as connection,
    ):
        adopted = engagements.read_model.policies.in_force(connection)
        rows = LIVE.following.run(connection, 0, "").fetchall()
        fresh = [each.row for each in folds(connection, engagements.ledger.archive)]
        instants = {row[0]: row[scored_at] for row in rows}
        anew = (values(each, adopted, instants.get(each.id, 0)) for each in fresh)
        expected = sorted(anew, key=place_of)
    return [] if rows == expected else ["the rows are not those of a fresh fold"]


@pytest.mark.long
def test_a_replay_that_is_killed_goes_on_where_it_was(imported):
    dice, kills, folded, switches = chance(), 0, 0, 0
    with recording(imported):
        while kills < KILLS:
            kills_before, folded_before = kills, folded
            while kills < KILLS:
                killed, events = replay_and_kill(imported, dice.uniform(0, SECONDS), "run", *REPLAY)
                kills, folded = kills + killed, folded + events
                if not killed:
                    break
            reached = position(imported)
            # Nothing is folded twice but what a kill rolled back, a chunk at most each.
            most = reached + (kills - kills_before) * FOLDED_AT_ONCE
            assert reached <= folded - folded_before <= most
            assert wrong_of_recording(imported) == []
            switches += 1
    assert invariants.complaints(imported) + unlike_a_fresh_fold(imported) == []
    assert imported("replay", "back").code == 0
    assert invariants.complaints(imported) + unlike_a_fresh_fold(imported) == []
    tell(f"{kills} kills, {folded} events folded, {switches} switches")
    tell(f"{position_of(imported)} events in the end")


def wrong_of_recording(cli: CommandLine) -> list[str]:
    """The faults after replays while another process records."""
    words = (REPLAY, ("replay", "switch", "fresh"), ("replay",), ("top", "user 1"))
    return [f"{each}: {done.err}" for each in words if (done := cli(*each)).code]


def position_of(cli: CommandLine) -> int:
    """The position of the ledger's head."""
    with invariants.opened(cli.ledger) as connection:
        found: int = connection.execute("SELECT position FROM head").fetchone()[0]
    return found


def test_a_position_in_a_transaction_of_its_own_is_caught(imported):
    dice = chance()
    for kill in range(UNTIL_CAUGHT):
        program = ("faulty", "position-apart", "1", "run", *REPLAY)
        replay_and_kill(imported, dice.uniform(0.2, 1.2), *program)
        if "fresh: error" in " ".join(wrong_after_replay(imported)).replace("\n", " "):
            tell(f"caught by kill {kill + 1}")
            return
        imported("replay", "drop", "fresh")
    pytest.fail(f"the planted fault was not caught in {UNTIL_CAUGHT} kills")


def test_a_replay_that_begins_anew_is_caught(imported):
    with Engagements(f"sqlite:///{imported.ledger}") as engagements:
        engagements.maintenance.replays.begin("fresh")
        with pytest.raises(KeyboardInterrupt):
            engagements.maintenance.replays.fold("fresh", interrupt)
    _, folded = replay_and_kill(imported, 60, "faulty", "from-the-start", "0", "run", *REPLAY)
    assert folded == FROM_ELSEWHERE


def interrupt(_: int) -> None:
    """Interrupt a replay after its first chunk."""
    raise KeyboardInterrupt


def test_a_switch_without_catching_up_is_caught(imported):
    assert imported(*REPLAY).code == 0
    assert imported("record", "user 1", "AI-1", "view").code == 0
    switching = Process(
        imported, "faulty", "switch-at-once", "0", "run", "replay", "switch", "fresh"
    )
    lines_of(switching)
    assert switching.poll() == 0
    complaints = invariants.complaints(imported)
    assert "replay: error" in " ".join(complaints)
    assert "count otherwise than the events" in " ".join(complaints)
