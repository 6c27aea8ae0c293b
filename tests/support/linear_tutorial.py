"""The tutorial about Linear as a program: a local Linear, a chat and a shell beside them."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser

from ledger.clock import utc_now
from tests.support.documents import commands, run, trimmed, unlike
from tests.support.linear_door import free_port

CHANGE = "/change"
DEMO, CHAT = "engagement linear-demo", "engagement chat"
PATIENCE_SECONDS = 120.0
NONE_YET = "no webhook has come yet"
WEBHOOK_SECONDS = 60.0
LOOK_SECONDS = 0.05

END = "@end:"
"""A line without a message, whose answer shows that the one before has been answered."""


class Ports(NamedTuple):
    """Free ports in place of those that the page shows."""

    linear: int
    bot: int

    def here(self, command: str) -> str:
        """The command with these ports, also where the page leaves one out."""
        options = {
            DEMO: f"--port {self.linear}",
            CHAT: f"--listen 127.0.0.1:{self.bot}",
            "engagement webhook test": f"--url http://127.0.0.1:{self.bot}/linear",
        }
        command = command.replace(":8090", f":{self.linear}").replace(":8080", f":{self.bot}")
        for name, option in options.items():
            command = command.replace(name, f"{name} {option}")
        return command


class Program:
    """A program that runs beside the reader's shell, and is killed if it takes too long."""

    def __init__(self, command: str) -> None:
        programs = Path(sys.executable).parent
        environment = os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
        self._process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],  # noqa: S607 - the reader's own shell
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if ">" in command else subprocess.STDOUT,
            text=True,
        )
        self._output = self._process.stderr or self._process.stdout
        self._patience = threading.Timer(PATIENCE_SECONDS, self._process.kill)
        self._patience.start()

    def first_line(self) -> str:
        """Its first line of output."""
        assert self._output is not None
        return self._output.readline()

    def answer(self, line: str = "") -> str:
        """Its output for a line of input, or for none yet."""
        assert self._output is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n{END}\n")
        self._process.stdin.flush()
        printed = ""
        while (read := self._output.readline()) != f"> {END}\n":
            assert read, f"it has ended: {printed}"
            printed += read
        self._output.readline()
        return printed

    def end(self) -> None:
        """End it."""
        self._patience.cancel()
        self._process.terminate()
        self._process.communicate()


class Tutorial:
    """The reader's shells."""

    def __init__(self) -> None:
        """Choose ports; no program runs yet."""
        self.ports = Ports(free_port(), free_port())
        self.programs: dict[str, Program] = {}

    def evaluate(self, path: Path) -> None:
        """Run what the page shows from top to bottom."""
        console = CodeBlockParser("console", self._run_console)
        dialogue = CodeBlockParser("text", self._run_dialogue)
        for example in Sybil([console, dialogue]).parse(path).examples():
            example.evaluate()

    def _run_console(self, example: Example) -> str | None:
        for command, shown in commands(example.parsed):
            complaint = self._complaint(command, shown)
            if complaint is not None:
                return f"$ {command}\n{complaint}"
        return None

    def _complaint(self, command: str, shown: str) -> str | None:
        here = self.ports.here(command)
        if command.startswith(DEMO):
            self.programs[DEMO] = Program(here)
            return unlike(shown, self.programs[DEMO].first_line(), 0)
        if command.startswith(CHAT):
            self.programs[CHAT] = Program(here)
            return unlike(shown, self.programs[CHAT].answer(), 0)
        output, code = run(here, utc_now)
        if CHANGE in command:
            _wait_for_the_webhook()
        return unlike(shown, output, code)

    def _run_dialogue(self, example: Example) -> str | None:
        """Say the lines of a dialogue, and compare the whole of it."""
        shown = str(example.parsed)
        lines = [line[2:] for line in shown.splitlines() if line.startswith("> ")]
        said = map(self.programs[CHAT].answer, lines)
        return unlike(shown, "\n".join(map(trimmed, said)), 0)


def _wait_for_the_webhook() -> None:
    """Wait for the first change of the tutorial, which people see to take a second."""
    deadline = time.monotonic() + WEBHOOK_SECONDS
    while NONE_YET in run("engagement doctor", utc_now)[0]:
        assert time.monotonic() < deadline, "no webhook comes"
        time.sleep(LOOK_SECONDS)


@contextmanager
def tutorial() -> Iterator[Tutorial]:
    """A tutorial whose programs end with the block."""
    reader = Tutorial()
    try:
        yield reader
    finally:
        for each in reader.programs.values():
            each.end()
