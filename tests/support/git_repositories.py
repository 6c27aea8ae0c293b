"""Git repositories made up for the tests, and counts of theirs that owe nothing to the reader."""

import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest


def git(folder: Path, *arguments: str, given: bytes | None = None, **settings: str) -> bytes:
    """Run git on `folder`, with no settings but `settings`, and return what it printed."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    plain = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment = plain | {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull} | settings
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],  # noqa: S607 - whichever git the tests' machine has
        input=given,
        capture_output=True,
        check=True,
        env=environment,
    )
    return done.stdout


def commit(
    number: int,
    address: str,
    message: str | bytes,
    *,
    at: int | None = None,
    encoding: str | None = None,
    merged: int | None = None,
    mailmap: str | None = None,
) -> bytes:
    """A commit in the words of git fast-import, whose mark is its number.

    `at` are seconds since 1970; `merged` is the number of the commit that it merges.
    """
    second = 1_600_000_000 + number * 60 if at is None else at
    who = f"{address.partition('@')[0].title()} <{address}> {second} +0000"
    lines = ["commit refs/heads/main", f"mark :{number}", f"author {who}", f"committer {who}"]
    lines += [f"encoding {encoding}"] if encoding else []
    after = [f"merge :{merged}"] if merged else []
    if mailmap is not None:
        after += ["M 100644 inline .mailmap", f"data {len(mailmap)}", mailmap]
    body = message.encode() if isinstance(message, str) else message
    head = "\n".join([*lines, f"data {len(body)}"]).encode()
    return head + b"\n" + body + b"\n" + "".join(f"{line}\n" for line in after).encode()


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


def counted(log: str) -> Counter[tuple[str, str]]:
    """How often each address touches each issue in each way, by what `log_of` returns."""
    found: Counter[tuple[str, str]] = Counter()
    for record in log.split("\x1e")[1:]:
        parents, address, body = record.split("\x1f")
        merges = len(parents.split()) > 1
        people = {} if merges else {address.lower(): "mention"}
        for trailer, kind in (("Co-authored-by", "mention"), ("Reviewed-by", "view")):
            for line in body.splitlines():
                match = re.fullmatch(rf"{trailer}: .*<(.+)>", line.strip())
                if match:
                    people.setdefault(match[1].lower(), kind)
            if merges and kind == "mention":
                people.setdefault(address.lower(), "view")
        for key in keys_in(body):
            for person, kind in people.items():
                found[person, f"{key} {kind}"] += 1
    return found


def log_of(folder: Path) -> str:
    """Git's log of one commit a record: its parents, the author's address and the message."""
    return git(folder, "log", "--format=%x1e%P%x1f%ae%x1f%B").decode(errors="replace")
