"""The spool: all entries are passed on, in order, through all kinds of faults."""

import errno
import os
import signal
import subprocess
import sys
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import cast
from unittest import mock

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.listening.classification import ChatKind, Entry, Migration, Sender
from bot.spool import spool_file as module
from bot.spool.spool_file import Spool, SpoolTakenError, UnreadableLineError, Waiting, line_of, read
from ledger.commands import FOREVER, Hiding, Interaction, OptOut, hiding_of, interaction_of
from ledger.idempotency import SourceKey
from ledger.instants import Instant, moment_of
from ledger.validation import UserId
from tests.support.disks import remount, small_disk
from tests.support.strategies import NOON, hostile_texts

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60.0


def entry(number: int, context: str | None = None) -> Waiting:
    """Entries that wait only once; for some the gate has to be asked."""
    sender = None if number % 3 else Sender(number, ChatKind.PRIVATE, number)
    return Waiting(bare_entry(number, context), sender)


def bare_entry(number: int, context: str | None = None) -> Entry:
    if number % 7 == 3:
        return OptOut(UserId(f"u{number}"), FOREVER if number % 2 else Instant(NOON))
    if number % 7 == 5:
        return Migration(-number, -1_000_000 - number)
    if number % 7 == 6:
        key, is_hidden = SourceKey(f"hiding:{number}"), bool(number % 2)
        return hiding_of(f"u{number}", "AI-1", hidden=is_hidden, source_key=key)
    return interaction_of(
        f"u{number}",
        "AI-1",
        "query",
        context=context,
        metadata={"number": number},
        chat_id="-5",
        source_key=SourceKey(f"key:{number}", Instant(NOON), "label"),
    )


def entries(size: int, first: int = 0) -> list[Waiting]:
    return [entry(number) for number in range(first, first + size)]


def drained(spool: Spool) -> list[Waiting]:
    """All that a spool hands on."""
    handed: list[Waiting] = []
    spool.drain(handed.extend)
    return handed


# --- one process after the other, and two at once ------------------------------------------------


class FailedError(Exception):
    """The error of a record that fails."""


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
        self.waiting: list[Waiting] = []
        self.unaware: set[int] = set()
        self.made = count(0, 10)
        self.few_at_once = mock.patch.object(module, "DRAINED_AT_ONCE", 3)
        self.few_at_once.start()
        self.little_room = mock.patch.multiple(module, RESERVED_BYTES=2_000, SPARE_BYTES=500)
        self.little_room.start()

    def teardown(self) -> None:
        for spool in self.spools:
            spool.close()
        self.few_at_once.stop()
        self.little_room.stop()
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

    def looked(self, who: int) -> None:
        """It gave the file back, and knows what is in it now: whole lines are entries."""
        self.waiting = read_back(self.path)[0]
        self.unaware.discard(who)
        if not self.waiting:
            self.unaware.add(who)

    def new(self, size: int) -> list[Waiting]:
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
        handed: list[Waiting] = []
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
        may_use = self.may_use(who)
        with failing_writes(how, kept), pytest.raises(OSError, match=r"spool|input|space"):
            self.spools[who].append(self.new(size))
        self.used_by(who)
        if may_use:
            self.looked(who)

    @precondition(lambda self: self.waiting)
    @rule(who=who, after=st.integers(0, 3))
    def fail_to_record(self, who: int, after: int) -> None:
        if not self.may_use(who) or who in self.unaware:
            return
        handed: list[Waiting] = []

        def record(batch: Sequence[Waiting]) -> None:
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
        handed: list[Waiting] = []
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

    @rule(who=who, size=st.integers(1, 5), kept=st.floats(0, 1))
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
    def its_users_know_whether_anything_waits(self) -> None:
        if self.holder is not None:
            assert self.spools[self.holder].is_empty is not bool(self.waiting)


def read_back(path: Path) -> tuple[list[Waiting], bool]:
    """The entries in a file by another reading of it, and whether something torn is behind them."""
    types: dict[str, type[Entry]] = {
        "interaction": Interaction,
        "hiding": Hiding,
        "opt-out": OptOut,
        "migration": Migration,
    }
    lines = path.read_bytes().rstrip(b"\0").split(b"\n") if path.exists() else [b""]
    found: list[Waiting] = []
    for line in lines[:-1]:
        if line[:8] != b"%08x" % zlib.crc32(line[9:]):
            continue  # a part of one that could not be taken back
        name, raw, *sender = msgspec.json.decode(line[9:], type=list[msgspec.Raw])
        found.append(
            Waiting(
                msgspec.json.decode(raw, type=types[msgspec.json.decode(name)]),
                msgspec.json.decode(sender[0], type=Sender) if sender else None,
            )
        )
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
    handed: list[Waiting] = []
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
    handed: list[Waiting] = []
    first, second = entries(2)
    spool.append([first])

    def record(batch: Sequence[Waiting]) -> None:
        if not handed:
            spool.append([second])
        handed.extend(batch)

    spool.drain(record)
    assert handed == [first, second]
    assert spool.is_empty


def test_a_second_drain_waits_for_the_first(tmp_path):
    spool, kept = Spool(tmp_path / "spool"), entries(5)
    spool.append(kept)
    again: list[Waiting] = []
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
from bot.spool.spool_file import Spool
from tests.bot.test_spool_file import entries
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


def write_behind(spool: Spool, content: bytes) -> None:
    """Put something behind the lines of a spool that is closed."""
    with spool.path.open("r+b") as file:
        file.seek(spool._end)
        file.write(content)


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
def test_a_line_that_cannot_be_read_is_reported_and_holds_up_no_other(tmp_path, caplog, line):
    path, (first, second) = tmp_path / "spool", entries(2)
    spool = Spool(path)
    spool.append([first])
    spool.close()
    write_behind(spool, line + b"\n")
    again = Spool(path)
    again.append([second])
    assert drained(again) == [first, second]
    assert [record.message for record in caplog.records] == ["spool line unreadable"]
    again.close()
    aside = path.with_name("spool.unreadable")
    assert aside.read_bytes() == line + b"\n"
    assert aside.stat().st_mode & 0o777 == 0o600


def test_a_line_of_an_earlier_version_is_read(tmp_path):
    path, kept = tmp_path / "spool", bare_entry(1)
    path.write_bytes(msgspec.json.encode(("interaction", kept)) + b"\n")
    spool = Spool(path)
    assert drained(spool) == [Waiting(kept)]
    spool.close()


@given(st.data())
def test_a_line_with_any_bit_changed_is_never_read(data):
    line = line_of(entry(data.draw(st.integers(0, 6)), "some words"))
    position = data.draw(st.integers(0, len(line) - 1))
    flipped = bytearray(line)
    flipped[position] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(UnreadableLineError):
        read(bytes(flipped))


@pytest.mark.parametrize(
    "change",
    [
        {"user_id": ""},
        {"user_id": "a\u0300"},
        {"issue_id": "ai-1"},
        {"issue_id": "x" * 51},
        {"context": "\0"},
        {"context": "x" * 201},
        {"linear_id": "x" * 101},
        {"metadata": b"[]"},
        {"metadata": b'{"b":1,"a":2}'},
        {"metadata": b"\xff"},
        {"chat_id": ""},
        {"occurred_at": 1},
        {"occurred_at": 10**30},
    ],
)
def test_a_line_that_breaks_the_rules_is_set_aside(tmp_path, change):
    spool, last = Spool(tmp_path / "spool"), entry(2)
    broken = Waiting(msgspec.structs.replace(bare_entry(1), **change))
    spool.append([broken, last])
    assert drained(spool) == [last]
    assert spool.aside.read_bytes() == line_of(broken)
    spool.close()


def test_an_opt_out_until_no_instant_is_set_aside(tmp_path):
    spool = Spool(tmp_path / "spool")
    spool.append([Waiting(OptOut(UserId("u1"), Instant(10**30)))])
    assert drained(spool) == []
    assert spool.aside.exists()
    spool.close()


def test_what_is_set_aside_is_kept_once_and_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SET_ASIDE_BYTES", 10)
    spool = Spool(tmp_path / "spool")
    for line in (b"aaaa\n", b"aaaa\n", b"bbbb\n", b"cccc\n"):
        spool.set_aside(line)
    assert spool.aside.read_bytes() == b"aaaa\nbbbb\n"


def test_what_is_set_aside_of_a_user_who_is_forgotten_goes(tmp_path):
    spool = Spool(tmp_path / "spool")
    of_ana, of_bob = (line_of(Waiting(OptOut(UserId(who), FOREVER))) for who in ("1001", "1002"))
    for line in (of_ana, of_bob, b"damaged, of any user\n", b"[]\n", b"[1, 2]\n", b"[1\n"):
        spool.set_aside(line)
    spool.forget("1001")
    assert spool.aside.read_bytes() == of_bob


def test_a_line_that_is_set_aside_meanwhile_brings_back_none_of_a_forgotten_user(
    tmp_path, monkeypatch
):
    """The user is forgotten while another thread is between reading the file and writing it."""
    spool = Spool(tmp_path / "spool")
    of_ana, of_bob = (line_of(Waiting(OptOut(UserId(who), FOREVER))) for who in ("1001", "1002"))
    spool.set_aside(of_ana)
    forgetting: list[Future[None]] = []

    def lines_of(path: Path) -> list[bytes]:
        lines = _lines_of(path)
        if not forgetting:
            forgetting.append(threads.submit(spool.forget, "1001"))
            wait(forgetting, timeout=0.1)
        return lines

    with ThreadPoolExecutor(1) as threads:
        _lines_of = module._lines_of
        monkeypatch.setattr(module, "_lines_of", lines_of)
        spool.set_aside(of_bob)
        forgetting[0].result(PATIENCE_SECONDS)
    assert spool.aside.read_bytes() == of_bob


# --- room ----------------------------------------------------------------------------------------


def test_room_is_taken_ahead_and_again_after_a_drain(tmp_path):
    spool = Spool(tmp_path / "spool")
    spool.reserve()
    assert spool.is_empty
    another = Spool(spool.path)
    another.append([])  # an empty spool is free
    another.close()
    for _ in range(2):
        assert spool.path.stat().st_blocks * 512 >= module.RESERVED_BYTES
        spool.append(entries(20))
        assert Spool(spool.path)._end == spool._end
        assert drained(spool) == entries(20)
    spool.close()


def test_where_there_is_no_room_to_take_that_is_only_logged(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(os, "posix_fallocate", _no_space)
    spool = Spool(tmp_path / "spool")
    spool.reserve()
    spool.append(entries(3))
    assert drained(spool) == entries(3)
    spool.close()
    assert "no room for a spool" in caplog.text


def _no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, "no space")


@pytest.fixture
def disk(tmp_path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    with small_disk(folder, "3m"):
        yield folder


def test_a_disk_that_fills_up_later_still_takes_what_waits(disk):
    spool = Spool(disk / "spool")
    spool.reserve()
    with suppress(OSError), (disk / "ballast").open("wb", buffering=0) as ballast:
        while True:
            ballast.write(bytes(4096))
    for first in range(0, 1000, 10):
        spool.append(entries(10, first))
    assert drained(spool) == entries(1000)
    spool.close()


def test_a_disk_that_turns_read_only_takes_on_once_it_can_be_written(disk):
    spool = Spool(disk / "spool")
    spool.append(entries(2))
    spool.close()
    remount(disk, "ro")
    with pytest.raises(OSError, match="Read-only"):
        spool.append(entries(1, 2))
    remount(disk, "rw")
    spool.append(entries(1, 2))
    assert drained(spool) == entries(3)
    spool.close()


@pytest.mark.parametrize("tail", [b"[", b'["interaction",{"user_id":"1"', b"\0" * 100])
def test_a_torn_tail_is_written_over(tmp_path, tail):
    path, (first, second) = tmp_path / "spool", entries(2)
    spool = Spool(path)
    spool.append([first])
    spool.close()
    write_behind(spool, tail)
    again = Spool(path)
    again.append([second])
    assert drained(again) == [first, second]
    again.close()


def test_a_file_that_was_emptied_ends_a_drain(tmp_path):
    path, (first, second) = tmp_path / "spool", entries(2)
    spool = Spool(path)
    spool.append([first])
    path.write_bytes(b"")
    assert drained(spool) == []
    assert spool.is_empty
    spool.append([second])
    assert drained(spool) == [second]
    spool.close()


def test_the_largest_entry_there_may_be_comes_back():
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
    assert read(line_of(Waiting(largest))) == Waiting(largest)


# --- power cuts ----------------------------------------------------------------------------------


def test_what_is_kept_is_on_the_disk_and_what_was_drained_does_not_come_back(tmp_path, synced):
    spool = Spool(tmp_path / "spool")
    spool.append(entries(2))
    assert synced == [tmp_path, spool.path]
    synced.clear()
    drained(spool)
    assert synced[-1] == spool.path
    spool.set_aside(b"damaged\n")
    assert synced[-1] == spool.aside
    spool.close()


def test_a_file_whose_descriptor_went_bad_is_opened_anew(tmp_path):
    spool = Spool(tmp_path / "spool")
    spool.append(entries(1))
    os.close(cast("int", spool._descriptor))
    with pytest.raises(OSError, match="Bad file descriptor"):
        spool.append(entries(1, 1))
    spool.append(entries(1, 2))
    assert drained(spool) == entries(1) + entries(1, 2)


def test_a_torn_tail_is_set_aside_once(tmp_path):
    torn = b"x" * 5_000
    (tmp_path / "spool").write_bytes(torn)
    for number in range(2):
        spool = Spool(tmp_path / "spool")
        spool.append(entries(1, number))
        spool.close()
    assert drained(Spool(tmp_path / "spool")) == entries(2)
    assert spool.aside.read_bytes() == torn + b"\n"
