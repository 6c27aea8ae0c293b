"""Memory does not grow with the history: importing many rows takes about as much as few.

The planted fault reads the whole file before it records the first row.
"""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command_line import NOON, CommandLine
from tests.support.csv_files import written
from tests.support.trials.counts import count, tell
from tests.support.trials.numbered_interactions import CSV_HEADER, touches
from tests.support.trials.processes import PROGRAMS

pytestmark = [
    pytest.mark.trial,
    pytest.mark.skipif(
        not Path("/proc/self/status").exists(), reason="only Linux reports a program's peak memory"
    ),
]

FEW, ROWS = count(full=30_000, small=21_000), count(full=300_000, small=60_000)
"""Both are long enough for a fold by columns, whose modules shorter imports do not load."""
ROOM_KIB = count(full=128, small=40) * 1024
"""The additional memory that many rows may take: caches fill up, each to its limit.

One of them holds 250,000 events as columns while they are folded.
"""


LONG = "\N{MATHEMATICAL FRAKTUR CAPITAL T}" * 170
"""Most of a context, of four bytes a character in memory, so that a file read whole shows."""


def lines(rows: int) -> Iterator[str]:
    """The lines of a history without keys, so that the import remembers each row's content."""
    yield CSV_HEADER.removesuffix(",key")
    for touch in touches("row", rows):
        yield ",".join([*touch.row.split(",")[:4], f"{LONG} {touch.number:020}"])


def packed(folder: Path, rows: int) -> str:
    """Write a gzipped history; return its path."""
    content = "\n".join(lines(rows)).encode()
    return written(folder, gzip.compress(content, 1), f"{rows}.csv.gz")


def peak_kib(cli: CommandLine, *arguments: str, fault: str | None = None) -> int:
    """The peak memory of a process that ran a command, which must succeed."""
    program = ("faulty", fault, "0", "peak") if fault else ("peak",)
    done = cli.process(*program, *arguments, program=PROGRAMS)
    assert (done.code, done.err) == (0, "")
    peak = int(done.out.splitlines()[-1])
    tell(f"{' '.join(arguments[:2])}{' ' + fault if fault else ''}: {peak:,} KiB")
    return peak


@pytest.fixture(scope="module")
def of_few(tmp_path_factory) -> int:
    """The peak memory of importing few rows."""
    cli = CommandLine(tmp_path_factory.mktemp("few"), NOON)
    return peak_kib(cli, "import", "csv", packed(cli.home, FEW))


@pytest.fixture(scope="module")
def of_none(tmp_path_factory) -> int:
    """The peak memory of replaying nothing."""
    cli = CommandLine(tmp_path_factory.mktemp("none"), NOON)
    cli("init")
    return peak_kib(cli, "replay")


@pytest.fixture(scope="module")
def many_rows(tmp_path_factory) -> str:
    """The path of a long history."""
    return packed(tmp_path_factory.mktemp("many"), ROWS)


def test_memory_does_not_grow_with_the_file(cli, of_few, many_rows):
    assert peak_kib(cli, "import", "csv", many_rows) < of_few + ROOM_KIB
    assert cli("stats", "user 1", "--json").json["total_interactions"] == len(
        [touch for touch in touches("row", ROWS) if touch.user == "user 1"]
    )


def test_a_file_that_is_read_whole_is_caught(cli, of_few, many_rows):
    peak = peak_kib(cli, "import", "csv", many_rows, fault="whole-file")
    assert peak > of_few + ROOM_KIB


@pytest.mark.parametrize("packing", [bytes, gzip.compress], ids=["plain", "gzipped"])
def test_a_line_that_never_ends_is_refused_before_it_fills_the_memory(cli, of_none, packing):
    path = written(cli.home, packing(bytes(64 * 1024 * 1024)))
    done = cli.process("peak", "import", "csv", path, program=PROGRAMS)
    assert done.err.startswith("error: ")
    assert "line 1" in done.err
    assert int(done.out.splitlines()[-1]) < of_none + 24 * 1024


def test_a_row_that_never_ends_is_refused_before_it_fills_the_memory(cli, of_none):
    never_closed = b'2026-01-01T00:00:00Z,u,AI-1,query,"' + (b"said " * 200 + b"\n") * 32 * 1024
    path = written(cli.home, CSV_HEADER.removesuffix(",key").encode() + b"\n" + never_closed)
    done = cli.process("peak", "import", "csv", path, program=PROGRAMS)
    assert done.err.startswith("error: line 2: is not CSV: the row is longer than")
    peak = int(done.out.splitlines()[-1])
    tell(f"a row of 32 MiB: {peak - of_none:,} KiB")
    assert peak < of_none + 24 * 1024
