"""The documents as programs: their console, Python and CSV blocks, run from top to bottom."""

import contextlib
import datetime as dt
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from sybil import Example, Sybil
from sybil.document import Document
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser
from sybil.typing import Parser

from bot.cli.context import Session, settings_from_environment
from bot.cli.execution import execute
from bot.cli.main import engagement

ROOT = Path(__file__).parents[2]
PAPERS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
DOCUMENTS = sorted([*PAPERS, *ROOT.glob("docs/**/*.md")])

ANYTHING = "…"
"""A placeholder in a document for any text; alone on a line, for any number of lines."""

SHELL = re.compile(r"[|<>;&$*]|^(?!engagement )")
"""Commands that need a shell; every other command runs in this process."""

Clock = Callable[[], dt.datetime]
Command = tuple[str, str]


def name_of(path: Path) -> str:
    """The document's path from the repository's root."""
    return path.relative_to(ROOT).as_posix()


def parsed(path: Path, clock: Clock) -> Document:
    """The document, whose examples work in the current folder at the time of `clock`."""

    def run_console(example: Example) -> str | None:
        for command, shown in commands(example.parsed):
            output, code = run(command, clock)
            complaint = unlike(shown, output, code)
            if complaint is not None:
                return f"$ {command}\n{complaint}"
        return None

    parsers: list[Parser] = [
        PythonCodeBlockParser(),
        CodeBlockParser("console", run_console),
        *(CodeBlockParser(fence, write_file) for fence in titled(path)),
    ]
    return Sybil(parsers).parse(path)


def titled(path: Path) -> set[str]:
    """The fences of the files that the document asks its reader to save."""
    pattern = r'^```((?:csv|json) title="[\w.-]+")$'
    return set(re.findall(pattern, path.read_text(), re.MULTILINE))


def write_file(example: Example) -> None:
    """Save a block under the name that its fence gives."""
    title = example.region.lexemes["arguments"].partition('"')[2].rstrip('"')
    Path(title).write_text(str(example.parsed), encoding="utf-8")


def commands(block: str) -> list[Command]:
    """Each command of a console block, with the output that is shown for it."""
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)
    assert not parts[0].strip(), "a console block begins with a command"
    return [_command(part) for part in parts[1:]]


def _command(part: str) -> Command:
    line, _, shown = part.replace("\\\n", "").partition("\n")
    return " ".join(line.split()), shown.rstrip()


def run(command: str, clock: Clock) -> tuple[str, int]:
    """Run a command as a reader would; return all that it prints, and its exit code."""
    if SHELL.search(command):
        return _run_in_shell(command)
    with (
        contextlib.redirect_stdout(io.StringIO()) as output,
        contextlib.redirect_stderr(output),
    ):
        code = execute(engagement, shlex.split(command)[1:], lambda: _session(clock))
    return output.getvalue(), code


def _session(clock: Clock) -> Session:
    return Session(settings_from_environment, clock)


def _run_in_shell(command: str) -> tuple[str, int]:
    programs = Path(sys.executable).parent
    environment = {name: value for name, value in os.environ.items() if "ENGAGEMENT" not in name}
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],  # noqa: S607 - the reader's own shell
        env=environment | {"PATH": f"{programs}{os.pathsep}{environment['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout, done.returncode


def unlike(shown: str, output: str, code: int) -> str | None:
    """The difference of `shown` from the output, including errors, if any."""
    actual = trimmed(output)
    if not pattern_of(shown).fullmatch(actual):
        return f"shows\n{shown}\nand prints\n{actual}"
    fails = re.search(r"^error: ", shown, re.MULTILINE) is not None
    if fails != (code != 0):
        return f"ends with {code}"
    return None


def trimmed(output: str) -> str:
    """An output without blanks at the ends of its lines and blank lines around it."""
    lines = [line.rstrip() for line in output.strip("\n").splitlines()]
    return "".join(f"{line}\n" for line in lines).lstrip("\n")


def pattern_of(shown: str) -> re.Pattern[str]:
    """The pattern of the outputs that `shown` stands for."""
    return re.compile("".join(map(_pattern_of_line, shown.splitlines())))


def _pattern_of_line(line: str) -> str:
    if line.strip() == ANYTHING:
        return r"(?:.*\n)*?"
    return ".*?".join(map(re.escape, line.rstrip().split(ANYTHING))) + r"\n"
