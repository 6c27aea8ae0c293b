"""A compaction or a merge is killed, or fails, at every system call that changes anything.

Nothing is lost and nothing counts twice, the ledger opens unaided and answers as before, and the
next compaction finishes the job. The same runs of programs that delete rows too early, or that
seal something else than was recorded, have to be caught.
"""

import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import pytest

from ledger.store.segments import segments
from tests.trials import compacting
from tests.trials.compacting import Expected, wrong_after
from tests.trials.compaction_faults import SEALED
from tests.trials.forks import (
    EIO,
    ENOSPC,
    KILL,
    KILLED,
    PATIENCE_SECONDS,
    REFUSED,
    Forks,
    Run,
    needs_strace,
)
from tests.trials.power import Disk, disk
from tests.trials.sizes import chance, count, tell

pytestmark = pytest.mark.trial

SOME = count(full=0, small=2)
"""So many calls at random, or every single one."""
MORE = 20
"""How many more calls of a kind a run may make than the one before."""

KILLS = count(full=500, small=5)
POWER_CUTS = count(full=200, small=3)

PROGRAMS = ("compact", "merge")


class Bench(NamedTuple):
    """A ledger for each program, of which every run gets a copy, and what all of them answer."""

    prepared: dict[str, Path]
    expected: Expected
    forks: Forks
    folder: Path
    asked: Iterator[str]

    def copy(self, program: str) -> Path:
        """Make the one copy anew."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.prepared[program], self.folder)
        return self.folder

    def wrong(self, folder: Path) -> list[str]:
        """What is wrong with a ledger; one user after the other is asked about all there is."""
        return wrong_after(folder, self.expected, next(self.asked))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("compacting")
    hot, sealed = folder / "hot", folder / "sealed"
    hot.mkdir()
    model = compacting.recorded(hot)
    expected = compacting.expected_of(hot, model)
    shutil.copytree(hot, sealed)
    compacting.compact(sealed)
    forks = Forks(folder)
    yield Bench(
        {"compact": hot, "merge": sealed}, expected, forks, folder / "copy", cycle(compacting.USERS)
    )
    forks.close()


def sealed_segments(folder: Path) -> int:
    """How many segments the ledger knows of."""
    with (
        compacting.opened(folder) as engagements,
        engagements.ledger.database.read() as connection,
    ):
        return len(segments(connection))


# --- at every system call ------------------------------------------------------------------------


def runs(bench: Bench, program: str, how: str) -> Iterator[Run]:
    """Disturb a program at each system call, in a run of its own, or at some of them."""
    calls = bench.forks.calls(program, str(bench.copy(program)))
    places = some_of(calls) if SOME else every(calls)
    going: dict[str, bool] = dict.fromkeys(calls, True)
    for call, number in places:
        if going[call]:
            run = bench.forks.disturbed(how, call, number, program, str(bench.copy(program)))
            going[call] = run.call is not None
            if going[call]:
                yield run
            else:
                assert run.code == 0, bench.forks.said.read_text()
    assert SOME or not any(going.values()), "some run did not come to its end untouched"


def some_of(calls: Counter[str]) -> Iterator[tuple[str, int]]:
    """Some calls at random, by kind and number; the rare kinds as often as the others."""
    dice = chance()
    for _ in range(SOME):
        call = dice.choice(sorted(calls))
        yield call, dice.randint(1, calls[call])


def every(calls: Counter[str]) -> Iterator[tuple[str, int]]:
    """Every call, and more than there are: a run that was disturbed earlier may make other ones."""
    for call, times in calls.items():
        yield from ((call, number) for number in range(1, times + MORE))


def expect_nothing_wrong(bench: Bench, run: Run) -> None:
    """The copy is as it should be after such a run."""
    assert bench.wrong(bench.folder) == [], run.call


def told(program: str, how: str, found: Counter[str]) -> None:
    """Print how many runs were disturbed, and at what."""
    tell(f"{program}, {how}: {found.total()} runs: {dict(found.most_common())}")


def name_of(run: Run) -> str:
    """The system call that was disturbed."""
    return str(run.call).partition("(")[0]


@needs_strace
@pytest.mark.parametrize("program", PROGRAMS)
def test_whichever_call_it_is_killed_at_nothing_is_lost(bench, program):
    found: Counter[str] = Counter()
    for run in runs(bench, program, KILL):
        assert run.code == KILLED
        expect_nothing_wrong(bench, run)
        found[name_of(run)] += 1
    told(program, KILL, found)


@needs_strace
@pytest.mark.parametrize("how", [EIO, ENOSPC])
@pytest.mark.parametrize("program", PROGRAMS)
def test_whichever_call_fails_nothing_is_deleted_that_is_not_safe(bench, program, how):
    before = sealed_segments(bench.prepared[program])
    found: Counter[str] = Counter()
    for run in runs(bench, program, how):
        assert run.code in {0, REFUSED}, bench.forks.said.read_text()
        if name_of(run) == "fsync":  # of the archive; SQLite syncs by fdatasync
            assert (run.code, sealed_segments(bench.folder)) == (REFUSED, before), run.call
        expect_nothing_wrong(bench, run)
        found[f"{name_of(run)} {'refused' if run.code else 'survived'}"] += 1
    told(program, how, found)


@needs_strace
def test_rows_that_are_deleted_before_their_file_has_its_name_are_caught(bench):
    program = ("faulty", "rows-first", "0", "compact")
    for number in range(4, 8):  # the three before name the files
        copy = bench.copy("compact")
        run = bench.forks.disturbed(KILL, "rename", number, *program, str(copy))
        assert run.call, "the planted fault was not caught"
        if "MissingSegmentError" in " ".join(bench.wrong(copy)):
            tell(f"caught at rename {number}")
            return


# --- at random moments ---------------------------------------------------------------------------


def seconds_of(bench: Bench, program: str) -> float:
    """How long a program takes."""
    bench.forks.begin(program, str(bench.copy(program)))
    started = time.perf_counter()
    assert bench.forks.end() == 0
    return time.perf_counter() - started


def end_at_once(pid: int) -> None:
    """Kill a process, unless it has ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def killer(pid: int, seconds: float) -> Callable[[], None]:
    """What kills a process so long after it went on."""

    def kill() -> None:
        time.sleep(seconds)
        end_at_once(pid)

    return kill


def test_whenever_it_is_killed_nothing_is_lost(bench):
    dice, codes = chance(), Counter[int]()
    longest = {program: seconds_of(bench, program) for program in PROGRAMS}
    kills = 0
    while kills < KILLS:
        program = dice.choice(PROGRAMS)
        copy = bench.copy(program)
        for _ in range(dice.randint(1, 2)):  # the one that goes on may be killed as well
            pid = bench.forks.begin(program, str(copy))
            code = bench.forks.end(killer(pid, dice.uniform(0, longest[program])))
            assert code in {0, KILLED}, bench.forks.said.read_text()
            codes[code] += 1
            kills += code == KILLED
        assert bench.wrong(copy) == []
    tell(f"{codes[KILLED]} kills, {codes[0]} were done before")


# --- something else is sealed --------------------------------------------------------------------


def test_what_is_folded_wrong_is_not_certified(bench):
    copy = bench.copy("compact")
    bench.forks.begin("faulty", "last-query-lost", "0", "compact", str(copy))
    assert bench.forks.end() == REFUSED
    assert "CertificateError: nothing was deleted" in bench.forks.said.read_text()
    assert sealed_segments(copy) == 0
    assert bench.wrong(copy) == []


def test_what_is_sealed_wrong_without_a_certificate_is_caught(bench):
    copy = bench.copy("compact")
    bench.forks.begin("faulty", "uncertified", "0", "compact", str(copy))
    assert bench.forks.end() == 0
    assert "differs" in " ".join(bench.wrong(copy))


# --- power loss ----------------------------------------------------------------------------------


@pytest.fixture
def failing(tmp_path: Path) -> Iterator[Disk]:
    with disk(tmp_path) as mounted:
        yield mounted


def run_on(failing: Disk, bench: Bench, meanwhile: Callable[[], object], *program: str) -> Path:
    """Run a program on that disk until its power fails; return the ledger's folder afterwards."""
    *words, name, how = program
    folder = failing.folder / "ledger"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(bench.prepared[name], folder)
    failing.sync()
    pid = bench.forks.begin(*words, name, str(folder), how)

    def fail() -> None:
        meanwhile()
        failing.fail()
        end_at_once(pid)

    bench.forks.end(fail)
    failing.restart()
    return folder


def test_whenever_the_power_fails_nothing_is_lost(bench, failing):
    dice, begun = chance(), Counter[int]()
    longest = {program: seconds_of(bench, program) for program in PROGRAMS}
    for _ in range(POWER_CUTS):
        program, how = dice.choice(PROGRAMS), dice.choice(("", "worn", "whole", "worn whole"))
        seconds = dice.uniform(0, 1.5 * longest[program])
        folder = run_on(failing, bench, partial(time.sleep, seconds), program, how)
        begun[sealed_segments(folder)] += 1
        assert bench.wrong(folder) == [], (program, how, seconds)
    tell(f"{POWER_CUTS} power cuts; so many left so many segments: {sorted(begun.items())}")


def test_a_name_that_is_not_durable_is_caught(bench, failing):
    program = ("faulty", "folder-not-synced", f"{PATIENCE_SECONDS}", "compact", "worn whole")

    def until_sealed() -> None:
        # Whoever asked the ledger itself would have the log grow, and so write the journal.
        deadline = time.monotonic() + PATIENCE_SECONDS
        while SEALED not in bench.forks.said.read_text() and time.monotonic() < deadline:
            time.sleep(0.01)

    folder = run_on(failing, bench, until_sealed, *program)
    assert "MissingSegmentError" in " ".join(bench.wrong(folder))
