"""A compaction or a merge is killed, or fails, at every system call that changes anything.

Each call fails in one of two ways, chosen at random, or in both on request. Nothing is lost and
nothing counts twice, the ledger opens without help and answers as before, and the next compaction
finishes the job. The planted faults, which delete rows too early or seal other events than
were recorded, must be caught.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import pytest

from tests.support.trials.counts import chance, count, tell
from tests.support.trials.prepared_ledgers import (
    PROGRAMS,
    PreparedLedgers,
    end_at_once,
    sealed_segments,
    unfinished,
)
from tests.support.trials.system_calls import EIO, ENOSPC, KILL, KILLED, REFUSED, Run, needs_strace

pytestmark = pytest.mark.trial

SOME = count(full=0, small=2)
"""The number of random calls, or 0 for every call."""
ERRORS = count(full=1, small=2, more="COMPACTION_ERRORS")
"""The number of errors, of two, with which each call fails."""
MORE = 20
"""The number of additional calls of a kind that a disturbed run may make."""

KILLS = count(full=200, small=3, more="COMPACTION_KILLS")


# --- at every system call ------------------------------------------------------------------------


def runs(
    ledgers: PreparedLedgers, program: str, hows: Sequence[str], times: int = 1
) -> Iterator[Run]:
    """Disturb a program at each system call, or at some, in `times` of the given ways."""
    dice = chance()
    calls = ledgers.forks.calls(program, str(ledgers.copy(program)))
    places = some_of(dice, calls) if SOME else every(calls)
    going: dict[str, bool] = dict.fromkeys(calls, True)
    for call, number in places:
        for how in dice.sample(hows, times if going[call] else 0):
            run = ledgers.forks.disturbed(how, call, number, program, str(ledgers.copy(program)))
            going[call] = run.call is not None
            if going[call]:
                yield run
            else:
                assert run.code == 0, ledgers.forks.said.read_text()
    assert SOME or not any(going.values()), "some run did not come to its end untouched"


def some_of(dice: random.Random, calls: Counter[str]) -> Iterator[tuple[str, int]]:
    """Random calls, by kind and number; rare kinds as often as frequent ones."""
    for _ in range(SOME):
        call = dice.choice(sorted(calls))
        yield call, dice.randint(1, calls[call])


def every(calls: Counter[str]) -> Iterator[tuple[str, int]]:
    """Every call, and some more, because a disturbed run may make additional ones."""
    for call, times in calls.items():
        yield from ((call, number) for number in range(1, times + MORE))


def expect_nothing_wrong(ledgers: PreparedLedgers, run: Run) -> None:
    """Assert that the copy is intact after a run."""
    assert ledgers.wrong(ledgers.folder) == [], run.call


def told(program: str, how: str, found: Counter[str]) -> None:
    """Print the number of disturbed runs, and of each kind."""
    tell(f"{program}, {how}: {found.total()} runs: {dict(found.most_common())}")


@pytest.mark.long
@needs_strace
@pytest.mark.parametrize("program", PROGRAMS)
def test_whichever_call_it_is_killed_at_nothing_is_lost(ledgers, program):
    found: Counter[str] = Counter()
    for run in runs(ledgers, program, [KILL]):
        assert run.code == KILLED
        expect_nothing_wrong(ledgers, run)
        found[run.name] += 1
    told(program, "killed", found)


@pytest.mark.long
@needs_strace
@pytest.mark.parametrize("program", PROGRAMS)
def test_whichever_call_fails_nothing_is_deleted_that_is_not_safe(ledgers, program):
    prepared = ledgers.prepared[program]
    left = unfinished(prepared)
    found: Counter[str] = Counter()
    for run in runs(ledgers, program, [EIO, ENOSPC], ERRORS):
        assert run.code in {0, REFUSED}, ledgers.forks.said.read_text()
        if run.name == "fsync":  # of the archive; SQLite uses fdatasync
            assert run.code == REFUSED, run.call
        assert unfinished(ledgers.folder) <= left, run.call
        expect_nothing_wrong(ledgers, run)
        found[f"{run.name} {'refused' if run.code else 'survived'}"] += 1
    told(program, "an error", found)


@needs_strace
def test_rows_that_are_deleted_before_their_file_has_its_name_are_caught(ledgers):
    program = ("faulty", "rows-first", "0", "compact")
    for number in range(3, 8):  # the first two name the first files
        copy = ledgers.copy("compact")
        run = ledgers.forks.disturbed(KILL, "rename", number, *program, str(copy))
        assert run.call, "the planted fault was not caught"
        if "MissingSegmentError" in " ".join(ledgers.wrong(copy)):
            tell(f"caught at rename {number}")
            return


# --- at random moments ---------------------------------------------------------------------------


def killer(pid: int, seconds: float) -> Callable[[], None]:
    """A function that kills a process some seconds after it went on."""

    def kill() -> None:
        time.sleep(seconds)
        end_at_once(pid)

    return kill


@pytest.mark.long
def test_whenever_it_is_killed_nothing_is_lost(ledgers):
    dice, codes = chance(), Counter[int]()
    longest = {program: ledgers.seconds(program) for program in PROGRAMS}
    kills = 0
    while kills < KILLS:
        program = dice.choice(PROGRAMS)
        copy = ledgers.copy(program)
        for _ in range(dice.randint(1, 2)):  # the next one may be killed as well
            pid = ledgers.forks.begin(program, str(copy))
            code = ledgers.forks.end(killer(pid, dice.uniform(0, longest[program])))
            assert code in {0, KILLED}, ledgers.forks.said.read_text()
            codes[code] += 1
            kills += code == KILLED
        assert ledgers.wrong(copy) == []
    tell(f"{codes[KILLED]} kills, {codes[0]} were done before")


# --- something else is sealed --------------------------------------------------------------------


def test_what_is_folded_wrong_is_not_certified(ledgers):
    copy = ledgers.copy("compact")
    ledgers.forks.begin("faulty", "last-query-lost", "0", "compact", str(copy))
    assert ledgers.forks.end() == REFUSED
    assert "CertificateError: nothing was deleted" in ledgers.forks.said.read_text()
    assert sealed_segments(copy) == 0
    assert ledgers.wrong(copy) == []


def test_what_is_sealed_wrong_without_a_certificate_is_caught(ledgers):
    copy = ledgers.copy("compact")
    ledgers.forks.begin("faulty", "uncertified", "0", "compact", str(copy))
    assert ledgers.forks.end() == 0
    assert "differs" in " ".join(ledgers.wrong(copy))
