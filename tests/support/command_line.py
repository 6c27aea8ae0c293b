"""Running commands: inside this process at a clock that stands still, or as real processes."""

import contextlib
import datetime as dt
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.cli.context import Session
from bot.cli.execution import execute
from bot.cli.main import engagement, main
from bot.settings import settings_of
from tests.support.forks import Fork

NOON = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
PATIENCE_SECONDS = 300

ENGAGEMENT = (sys.executable, "-m", "bot")


def at(days_ago: float) -> str:
    """The moment that many days before noon."""
    return f"{NOON - days_ago * DAY:%Y-%m-%dT%H:%M:%SZ}"


@dataclass(frozen=True)
class CompletedCommand:
    """The output of a command, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    @property
    def errors(self) -> list[str]:
        """The lines on stderr."""
        return self.err.splitlines()


@dataclass
class CommandLine:
    """The command line on the ledger of one folder."""

    home: Path
    now: dt.datetime = NOON
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def ledger(self) -> Path:
        """The SQLite file, unless the settings name another database."""
        return self.home / "ledger.db"

    def __call__(self, *arguments: str) -> CompletedCommand:
        """Run a command here, at `now`."""
        with (
            contextlib.redirect_stdout(io.StringIO()) as out,
            contextlib.redirect_stderr(io.StringIO()) as err,
        ):
            code = execute(engagement, arguments, self.session)
        return CompletedCommand(code, out.getvalue(), err.getvalue())

    def fold(self) -> None:
        """Fold what was recorded into the read model, as happens once there is enough of it."""
        with self.session().engagements() as engagements:
            engagements.ledger.fold()

    def process(
        self,
        *arguments: str | bytes,
        stdin: bytes = b"",
        program: tuple[str, ...] = ENGAGEMENT,
        **settings: str | bytes,
    ) -> CompletedCommand:
        """Run a command as a process of its own, at the real time."""
        done = subprocess.run(
            [*program, *arguments],
            input=stdin,
            capture_output=True,
            env=self.environment(settings),
            cwd=self.home,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        return CompletedCommand(done.returncode, _text(done.stdout), _text(done.stderr))

    def forked(
        self, *arguments: str, stdin: bytes = b"", program: Callable[[], object] = main
    ) -> CompletedCommand:
        """Run a command as `process` does, but in a fork: at once, and without loading anything."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            fork = Fork(
                program,
                arguments,
                environment=self.environment(),
                folder=self.home,
                output=out.fileno(),
                errors=err.fileno(),
            )
            with contextlib.suppress(BrokenPipeError), fork.stdin:
                fork.stdin.write(stdin)
            code = fork.wait(PATIENCE_SECONDS)
            assert code is not None
            return CompletedCommand(
                code, *(_text(os.pread(each.fileno(), 1 << 30, 0)) for each in (out, err))
            )

    def environment(self, settings: Mapping[str, str | bytes] | None = None) -> dict[str, Any]:
        """The environment of a process that is to work on this ledger."""
        kept = {name: value for name, value in os.environ.items() if "ENGAGEMENT" not in name}
        return kept | {"ENGAGEMENT_HOME": str(self.home)} | self.settings | dict(settings or {})

    def session(self) -> Session:
        """The arguments of a command that runs in this process."""
        given = {"ENGAGEMENT_HOME": str(self.home)} | self.settings
        return Session(lambda: settings_of(given), lambda: self.now)


def _text(output: bytes) -> str:
    return output.decode(errors="backslashreplace")
