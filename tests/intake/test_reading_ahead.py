"""Reading in a second process yields what reading here does, also if that process fails."""

import gzip
import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import msgspec
import pytest
from hypothesis import given, settings

from ledger.entries import Entry, Refusal
from ledger.errors import UnreadableHistoryError
from ledger.intake import reading_ahead as module
from ledger.intake.csv_history import read_csv
from ledger.intake.reading_ahead import next_part, reading_ahead
from ledger.processes.second_process import SecondProcess
from tests.intake.test_history import files

AT_ONCE = 3
PATIENCE_SECONDS = 60

Read = tuple[list[Entry | Refusal], str | None]
"""The entries read, and the reason if the file could not be read on."""


class Here(SecondProcess):
    """Does what the second process does in this one, and ends after some parts."""

    parts = 1_000

    def __init__(self, function: str) -> None:
        self._calls: list[tuple[Any, ...]] = []
        module._opened.cache_clear()

    def begin(self, *arguments: Any) -> None:
        self._calls.append(msgspec.json.decode(msgspec.json.encode(arguments)))

    def result(self, of: Any = Any) -> Any:
        if len(self._calls) > self.parts:
            return None
        return msgspec.json.decode(msgspec.json.encode(next_part(*self._calls[-1])), type=of)

    def close(self) -> None:
        if module._opened.cache_info().currsize:
            path, identity, name, _ = self._calls[-1]
            module._opened(path, tuple(identity), name)._stream.close()
        module._opened.cache_clear()


@pytest.fixture(autouse=True)
def shared() -> Iterator[None]:
    """However short a file is, it is read in two processes, a few entries at a time."""
    with (
        mock.patch.object(module, "SHARED_FROM", 0),
        mock.patch.object(module, "ENTRIES_AT_ONCE", AT_ONCE),
        mock.patch.object(SecondProcess, "is_useful", staticmethod(lambda: True)),
    ):
        yield


def read(entries: Iterator[Entry | Refusal]) -> Read:
    found: list[Entry | Refusal] = []
    try:
        found.extend(entries)
    except UnreadableHistoryError as error:
        return found, str(error)
    return found, None


def read_here(path: Path) -> Read:
    with path.open("rb") as stream:
        return read(read_csv(stream, "odd.csv"))


def read_ahead(path: Path) -> Read:
    with path.open("rb") as stream, reading_ahead(stream, "odd.csv") as entries:
        return read(entries)


@settings(max_examples=60)
@given(files)
@pytest.mark.parametrize("parts", [0, 1, 2, 1_000])
def test_whatever_a_file_holds_the_same_is_read(parts, content):
    with TemporaryDirectory() as folder:
        path = Path(folder, "odd.csv")
        path.write_bytes(content)
        with (
            mock.patch.object(module, "SecondProcess", Here),
            mock.patch.object(Here, "parts", parts),
        ):
            assert read_ahead(path) == read_here(path)


ROWS = "".join(f"2026-01-01T00:00:{second:02}Z,ana,AI-1,query,hi\n" for second in range(20))
CONTENT = ("occurred_at,user,issue_id,kind,context\n" + ROWS + "too,few\n" + ROWS).encode()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made: Path = tmp_path / "history.csv"
    made.write_bytes(CONTENT)
    return made


GZIPPED = gzip.compress(CONTENT, mtime=0)


@pytest.mark.parametrize(
    "content", [CONTENT, GZIPPED, GZIPPED[:90]], ids=["plain", "gzipped", "truncated"]
)
def test_a_second_process_reads_the_same(path, content):
    path.write_bytes(content)
    assert read_ahead(path) == read_here(path)


def killed(process: SecondProcess) -> None:
    assert process._process is not None
    process._process.kill()
    process._process.wait(PATIENCE_SECONDS)


def interrupted(process: SecondProcess) -> None:
    assert process._process is not None
    process._process.send_signal(signal.SIGINT)


@pytest.mark.parametrize("happens", [killed, interrupted])
def test_whatever_happens_to_a_second_process_all_is_read(path, monkeypatch, happens):
    parts, result = [], SecondProcess.result

    def disturbed(self: SecondProcess, of: Any = Any) -> Any:
        part = result(self, of)
        parts.append(part)
        if len(parts) == 2:
            happens(self)
        return part

    monkeypatch.setattr(SecondProcess, "result", disturbed)
    assert read_ahead(path) == read_here(path)
    assert (None in parts) == (happens is killed)


def test_a_file_that_was_replaced_is_read_as_it_was_opened(path):
    expected = read_here(path)
    with path.open("rb") as stream:
        path.unlink()
        path.write_bytes(b"another")
        with reading_ahead(stream, "odd.csv") as entries:
            assert read(entries) == expected


def test_without_an_interpreter_all_is_read_here(path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    assert read_ahead(path) == read_here(path)


def pipe_of(content: bytes) -> io.BufferedReader:
    """A descriptor from which a short content is read through a pipe."""
    reading, writing = os.pipe()
    os.write(writing, content)
    os.close(writing)
    return io.BufferedReader(io.FileIO(reading))


def fails(*_: object, **__: object) -> None:
    pytest.fail("started")


def test_on_one_processor_and_from_a_pipe_none_is_started(path, monkeypatch):
    monkeypatch.setattr(f"{SecondProcess.__module__}.subprocess.Popen", fails)
    with pipe_of(path.read_bytes()) as stream, reading_ahead(stream, "odd.csv") as entries:
        assert read(entries) == read_here(path)
    monkeypatch.setattr(SecondProcess, "is_useful", staticmethod(lambda: False))
    assert read_ahead(path) == read_here(path)


def test_an_interruption_leaves_no_process(path):
    started: list[subprocess.Popen[bytes]] = []
    begin = SecondProcess.begin

    def noted(self: SecondProcess, *arguments: Any) -> None:
        assert self._process is not None
        started.append(self._process)
        begin(self, *arguments)

    def interrupt() -> None:
        with path.open("rb") as stream, reading_ahead(stream, "odd.csv") as entries:
            next(entries)
            raise KeyboardInterrupt

    with mock.patch.object(SecondProcess, "begin", noted), pytest.raises(KeyboardInterrupt):
        interrupt()
    assert started
    assert all(each.returncode == -signal.SIGKILL for each in started)


def test_what_is_read_again_instead_of_read_on_is_caught(path):
    """The planted fault: what is read here begins at the beginning."""
    with (
        mock.patch.object(module, "SecondProcess", Here),
        mock.patch.object(Here, "parts", 1),
        mock.patch.object(module, "islice", lambda entries, *_: entries),
    ):
        assert read_ahead(path) != read_here(path)
