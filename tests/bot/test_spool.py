"""The spool: whatever is kept is handed on, in its order, whatever fails in between."""

import errno
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from unittest import mock

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.classification import Entry, Migration
from bot.telegram import spool as module
from bot.telegram.spool import Spool, SpoolTakenError
from ledger.instants import Instant, moment_of
from ledger.interaction import FOREVER, Interaction, OptOut, interaction_of
from ledger.source_keys import SourceKey
from ledger.text import UserId
from tests.strategies import NOON, hostile_texts

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60.0


def entry(number: int, context: str | None = None) -> Entry:
    """An entry that there is only once."""
    if number % 7 == 3:
        return OptOut(UserId(f"u{number}"), FOREVER if number % 2 else Instant(NOON))
    if number % 7 == 5:
        return Migration(-number, -1_000_000 - number)
    return interaction_of(
        f"u{number}",
        "AI-1",
        "query",
        context=context,
        metadata={"number": number},
        chat_id="-5",
        source_key=SourceKey(f"key:{number}", Instant(NOON), "label"),
    )


def entries(size: int, first: int = 0) -> list[Entry]:
    return [entry(number) for number in range(first, first + size)]


def drained(spool: Spool) -> list[Entry]:
    """All that a spool hands on."""
    handed: list[Entry] = []
    spool.drain(handed.extend)
    return handed


# --- one process after the other, and two at once ------------------------------------------------


class FailedError(Exception):
    """What a record raises that fails."""


class Spools(RuleBasedStateMachine):
    """Two processes that use one file, die, and are failed by the disk and the ledger.

    Each has a spool of its own: the operating system's lock tells open files apart, not processes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "folder" / "ledger.db.spool-1"
        self.spools: list[Spool] = []
        self.holder: int | None = None
        self.waiting: list[Entry] = []
        self.unaware: set[int] = set()
        self.made = count(0, 10)
        self.few_at_once = mock.patch.object(module, "DRAINED_AT_ONCE", 3)
        self.few_at_once.start()

    def teardown(self) -> None:
        for spool in self.spools:
            spool.close()
        self.few_at_once.stop()
        self.folder.cleanup()

    @initialize()
    def begin(self) -> None:
        self.spools = [Spool(self.path), Spool(self.path)]
        self.unaware = {0, 1}

    who = st.integers(0, 1)
    sizes = st.integers(0, 7)

    def may_use(self, who: int) -> bool:
        return self.holder in {None, who}

    def used_by(self, who: int) -> None:
        if self.spools[who]._descriptor is not None:
            self.holder = who
            self.unaware.discard(who)
        elif self.holder == who:
            self.holder = None

    def drained_by(self, who: int) -> None:
        """It gave the file back, and does not know what others put there since."""
        self.waiting = []
        self.used_by(who)
        self.unaware.add(who)

    def new(self, size: int) -> list[Entry]:
        return entries(size, next(self.made))

    # --- what goes well ---

    @rule(who=who, size=sizes)
    def append(self, who: int, size: int) -> None:
        new = self.new(size)
        if not self.may_use(who):
            with pytest.raises(SpoolTakenError):
                self.spools[who].append(new)
            return
        self.spools[who].append(new)
        self.used_by(who)
        self.waiting += new

    @rule(who=who)
    def drain(self, who: int) -> None:
        if not self.may_use(who):
            self.refuses_to_drain(who)
            return
        handed = drained(self.spools[who])
        if who in self.unaware:  # it never looked since it was opened on an empty file
            assert handed == []
            return
        assert handed == self.waiting
        self.drained_by(who)

    def refuses_to_drain(self, who: int) -> None:
        handed: list[Entry] = []
        try:
            self.spools[who].drain(handed.extend)
        except SpoolTakenError:
            pass
        else:
            assert self.spools[who].is_empty
        assert handed == []

    # --- what fails ---

    @rule(who=who, size=st.integers(1, 7), kept=st.floats(0, 1), how=st.sampled_from("SEF"))
    def fail_to_append(self, who: int, size: int, kept: float, how: str) -> None:
        with failing_writes(how, kept), pytest.raises(OSError, match=r"spool|input"):
            self.spools[who].append(self.new(size))
        self.used_by(who)

    @precondition(lambda self: self.waiting)
    @rule(who=who, after=st.integers(0, 3))
    def fail_to_record(self, who: int, after: int) -> None:
        if not self.may_use(who) or who in self.unaware:
            return
        handed: list[Entry] = []

        def record(batch: Sequence[Entry]) -> None:
            if len(handed) >= 3 * after:
                raise FailedError
            handed.extend(batch)

        fails = len(self.waiting) > 3 * after
        if fails:
            with pytest.raises(FailedError):
                self.spools[who].drain(record)
            assert handed == self.waiting[: 3 * after]
        else:
            self.spools[who].drain(record)
            assert handed == self.waiting
            self.drained_by(who)
            return
        self.used_by(who)

    @precondition(lambda self: self.waiting)
    @rule(who=who, name=st.sampled_from(["ftruncate", "fsync"]))
    def fail_to_forget(self, who: int, name: str) -> None:
        if not self.may_use(who) or who in self.unaware or self.holder is None:
            return
        handed: list[Entry] = []
        with (
            mock.patch.object(os, name, side_effect=OSError(errno.EIO, "")),
            pytest.raises(OSError, match="Errno 5"),
        ):
            self.spools[who].drain(handed.extend)
        assert handed == self.waiting
        if name == "fsync":  # it is truncated, if not for sure
            self.waiting = []

    # --- what ends ---

    @rule(who=who)
    def close_and_open(self, who: int) -> None:
        self.spools[who].close()
        self.reopen(who)

    @rule(who=who, size=st.integers(0, 5), kept=st.floats(0, 1))
    def die_while_appending(self, who: int, size: int, kept: float) -> None:
        dying = self.spools[who]
        if self.may_use(who):
            new = self.new(size)
            with failing_writes("D", kept), pytest.raises(FailedError):
                dying.append(new)
            # What was written of it was never acknowledged, but whole lines are entries.
            self.waiting = read_back(self.path)[0]
        if dying._descriptor is not None:
            os.close(dying._descriptor)
            dying._descriptor = None
        self.reopen(who)

    def reopen(self, who: int) -> None:
        if self.holder == who:
            self.holder = None
        self.spools[who] = Spool(self.path)
        self.unaware.discard(who)
        if self.spools[who].is_empty:
            self.unaware.add(who)

    # --- what always holds ---

    @invariant()
    def nothing_is_lost_or_reordered(self) -> None:
        kept, torn = read_back(self.path)
        assert kept[: len(self.waiting)] == self.waiting
        assert len(kept) == len(self.waiting) or torn or self.holder is None

    @invariant()
    def whoever_uses_it_knows_whether_anything_waits(self) -> None:
        if self.holder is not None:
            assert self.spools[self.holder].is_empty is not bool(self.waiting)


def read_back(path: Path) -> tuple[list[Entry], bool]:
    """The entries in a file by another reading of it, and whether something torn is behind them."""
    types = {"interaction": Interaction, "opt-out": OptOut, "migration": Migration}
    lines = path.read_bytes().split(b"\n") if path.exists() else [b""]
    found: list[Entry] = []
    for line in lines[:-1]:
        name, raw = msgspec.json.decode(line, type=tuple[str, msgspec.Raw])
        found.append(msgspec.json.decode(raw, type=types[name]))
    return found, lines[-1] != b""


@contextmanager
def failing_writes(how: str, kept: float) -> Iterator[None]:
    """Let a write be short, refused, not be synced, or be the last thing that happens."""
    pwrite = os.pwrite

    def broken(descriptor: int, data: bytes, offset: int) -> int:
        part = data if how == "F" else data[: int(kept * max(len(data) - 1, 0))]
        written = pwrite(descriptor, part, offset)
        if how == "E":
            raise OSError(errno.ENOSPC, "no space")
        if how == "D":
            raise FailedError
        return written

    refused = OSError(errno.EIO, "input/output") if how == "F" else None
    with (
        mock.patch.object(os, "pwrite", broken),
        mock.patch.object(os, "fsync", side_effect=refused),
    ):
        yield


TestSpools = Spools.TestCase


# --- several threads -----------------------------------------------------------------------------


def test_threads_that_append_and_drain_at_once_lose_nothing_and_repeat_nothing(tmp_path):
    spool, each = Spool(tmp_path / "spool"), 60
    handed: list[Entry] = []
    begin = threading.Barrier(6)

    def append(first: int) -> None:
        begin.wait()
        for number in range(first, first + each):
            spool.append([entry(number)])

    def drain() -> None:
        begin.wait()
        while len(handed) < 4 * each:
            spool.drain(handed.extend)

    work: list[Callable[[], None]] = [
        *(partial(append, 1000 * number) for number in range(4)),
        drain,
        drain,
    ]
    threads = [threading.Thread(target=each_one, daemon=True) for each_one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert spool.is_empty
    spool.close()
    assert len(handed) == 4 * each
    for first in range(0, 4000, 1000):
        expected = entries(each, first)
        assert [one for one in handed if one in expected] == expected


def test_what_comes_while_it_is_drained_is_drained_with_it(tmp_path):
    spool = Spool(tmp_path / "spool")
    handed: list[Entry] = []
    first, second = entries(2)
    spool.append([first])

    def record(batch: Sequence[Entry]) -> None:
        if not handed:
            spool.append([second])
        handed.extend(batch)

    spool.drain(record)
    assert handed == [first, second]
    assert spool.is_empty


def test_a_second_drain_waits_for_the_first(tmp_path):
    spool, kept = Spool(tmp_path / "spool"), entries(5)
    spool.append(kept)
    again: list[Entry] = []
    other = threading.Thread(target=spool.drain, args=[again.extend], daemon=True)

    def record(_: object) -> None:
        other.start()
        other.join(0.05)  # it would be through by now
        assert again == []

    spool.drain(record)
    other.join(PATIENCE_SECONDS)
    assert again == []


# --- killed --------------------------------------------------------------------------------------

PROGRAM = """
import sys
from pathlib import Path
from bot.telegram.spool import Spool
from tests.bot.test_spool import entries
spool = Spool(Path(sys.argv[1]))
for number in range(100_000):
    spool.append(entries(1 + number % 3, 10 * number))
    print(number, flush=True)
"""


@pytest.mark.parametrize("lines", [1, 17, 40])
def test_what_a_killed_process_kept_is_there_for_the_next_one(tmp_path, lines):
    path = tmp_path / "spool"
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, path], stdout=subprocess.PIPE, cwd=ROOT, text=True
    ) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(lines)]
        with pytest.raises(SpoolTakenError):
            Spool(path).append(entries(1))
        process.send_signal(signal.SIGKILL)
        told += process.stdout.readlines()
    acknowledged = int([line for line in told if line.endswith("\n")][-1])
    handed = drained(Spool(path))
    kept = [one for n in range(acknowledged + 2) for one in entries(1 + n % 3, 10 * n)]
    at_least = len([one for n in range(acknowledged + 1) for one in entries(1 + n % 3)])
    assert handed == kept[: len(handed)]
    assert len(handed) >= at_least


# --- the file ------------------------------------------------------------------------------------


def test_there_is_no_file_until_something_waits_and_then_it_is_private(tmp_path):
    path = tmp_path / "new" / "folder" / "spool"
    spool = Spool(path)
    assert spool.is_empty
    assert drained(spool) == []
    assert not path.parent.exists()
    spool.append(entries(1))
    assert path.stat().st_mode & 0o777 == 0o600
    spool.close()
    spool.close()


@given(hostile_texts, st.integers(0, 20))
def test_what_comes_back_is_what_was_kept(context, number):
    with tempfile.TemporaryDirectory() as folder:
        kept, path = [entry(number, context), entry(number + 1)], Path(folder) / "spool"
        spool = Spool(path)
        spool.append(kept)
        spool.close()
        again = Spool(path)
        assert not again.is_empty
        assert drained(again) == kept
        assert drained(again) == []
        again.close()


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\0" * 5000,
        b"[]",
        b"{}",
        b'["interaction",{}]',
        b'["override",{"user_id":"1"}]',
        b'["opt-out",{"user_id":"1","before":"never"}]',
        b'["interaction",{"user_id":"1","issue_id":"AI-1","kind":9}]',
        b'["interaction",{"user_id":"1","issue_id":"AI-1","kind":1,"source_key":{"text":""}}]',
        b"\xff\xfe",
        b"x" * 200_000,
    ],
    ids=range(11),
)
def test_a_line_that_cannot_be_read_is_told_of_and_stands_in_nobodys_way(tmp_path, caplog, line):
    path, (first, second) = tmp_path / "spool", entries(2)
    spool = Spool(path)
    spool.append([first])
    spool.close()
    with path.open("ab") as file:
        file.write(line + b"\n")
    again = Spool(path)
    again.append([second])
    assert drained(again) == [first, second]
    assert [record.message for record in caplog.records] == ["spool line unreadable"]
    again.close()


@pytest.mark.parametrize("tail", [b"[", b'["interaction",{"user_id":"1"', b"\0" * 100])
def test_a_torn_tail_is_written_over(tmp_path, tail):
    path, (first, second) = tmp_path / "spool", entries(2)
    spool = Spool(path)
    spool.append([first])
    spool.close()
    with path.open("ab") as file:
        file.write(tail)
    again = Spool(path)
    again.append([second])
    assert drained(again) == [first, second]
    again.close()


def test_a_file_that_somebody_emptied_ends_a_drain(tmp_path):
    path, (first, second) = tmp_path / "spool", entries(2)
    spool = Spool(path)
    spool.append([first])
    path.write_bytes(b"")
    assert drained(spool) == []
    assert spool.is_empty
    spool.append([second])
    assert drained(spool) == [second]
    spool.close()


def test_the_largest_entry_there_may_be_fits_into_a_line():
    largest = interaction_of(
        "\U0001f600" * 100,
        "A" * 50,
        "mention",
        occurred_at=moment_of(FOREVER),
        context="\x01" * 200,
        linear_id="\U0001f600" * 100,
        metadata={"x": "\x01" * 680},
        chat_id="\U0001f600" * 100,
        source_key=SourceKey("\x01" * 500, FOREVER, "\x01" * 500),
    )
    assert len(module._line(largest)) < module.LONGEST_LINE_BYTES
