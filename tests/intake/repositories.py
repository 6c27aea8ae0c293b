"""Git repositories made up for the tests, and counts of theirs that owe nothing to the reader."""

import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

KEY = r"(^|[^A-Za-z0-9_])[A-Z][A-Z0-9]{1,9}-[0-9]{1,6}"


def git(folder: Path, *arguments: str, given: bytes | None = None) -> bytes:
    """Run git on `folder`, with nobody's settings, and return what it printed."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    plain = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment = plain | {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],  # noqa: S607 - whichever git the tests' machine has
        input=given,
        capture_output=True,
        check=True,
        env=environment,
    )
    return done.stdout


def commit(
    number: int, address: str, message: str, *, at: int | None = None, extra: bytes = b""
) -> bytes:
    """A commit in the words of git fast-import; `at` are seconds since 1970."""
    second = 1_600_000_000 + number * 60 if at is None else at
    who = f"{address.partition('@')[0].title()} <{address}> {second} +0000".encode()
    body = message.encode()
    return b"".join(
        [
            b"commit refs/heads/main\n",
            b"author " + who + b"\n",
            b"committer " + who + b"\n",
            extra,
            b"data %d\n" % len(body) + body + b"\n",
        ]
    )


def repository(folder: Path, *commits: bytes) -> Path:
    """A bare repository of these commits, each upon the one before."""
    git(folder, "init", "-q", "--bare", "--initial-branch=main")
    git(folder, "fast-import", "--quiet", "--force", given=b"".join(commits))
    return folder


def keys_in(text: str) -> set[str]:
    """The issues that a grep finds."""
    return {
        key.upper()
        for key in re.findall(r"(?<![A-Za-z0-9_])[A-Z][A-Z0-9]{1,9}-[0-9]{1,6}(?![0-9])", text)
    }


def counted(folder: Path, log: str) -> Counter[tuple[str, str]]:
    """How often each address touches each issue in each way, by a shell's pipeline.

    `log` is git log's output of one commit a record: \\x1e, address, \\x1f, body.
    """
    found: Counter[tuple[str, str]] = Counter()
    for record in log.split("\x1e")[1:]:
        address, _, body = record.partition("\x1f")
        people = {address.strip().lower(): "mention"}
        for line in body.splitlines():
            for trailer, kind in (("Co-authored-by", "mention"), ("Reviewed-by", "view")):
                match = re.fullmatch(rf"{trailer}: .*<(.+)>", line.strip())
                if match:
                    people.setdefault(match[1].lower(), kind)
        for key in keys_in(body):
            for person, kind in people.items():
                found[person, f"{key} {kind}"] += 1
    return found


def log_of(folder: Path) -> str:
    """What `counted` counts."""
    return git(folder, "log", "--no-merges", "--format=%x1e%ae%x1f%B").decode(errors="replace")
