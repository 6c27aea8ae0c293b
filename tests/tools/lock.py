"""Is requirements.lock in step with pyproject.toml? Answered from the two files alone."""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

# A lock says what to install, never where from: no addresses, no options that name one, no direct
# references, no absolute paths.
SOURCES = re.compile(
    r"https?:|file:|--[a-z-]*index[a-z-]*|--find-links|\s@\s|(?:^|\s)/\S+", re.MULTILINE
)
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)", re.MULTILINE)


def declared(pyproject: str) -> list[Requirement]:
    """All direct dependencies: those of the project, then those of its development."""
    tables = tomllib.loads(pyproject)
    lines = [*tables["project"]["dependencies"], *tables["dependency-groups"]["dev"]]
    return [Requirement(line) for line in lines]


def pinned(lock: str) -> dict[str, list[Version]]:
    """The versions locked by name; more than one where platforms need different ones."""
    versions: dict[str, list[Version]] = {}
    for name, version in PIN.findall(lock):
        versions.setdefault(canonicalize_name(name), []).append(Version(version))
    return versions


def complaints(pyproject: str, lock: str) -> Iterator[str]:
    """Everything about the lock that does not fit."""
    versions = pinned(lock)
    for requirement in declared(pyproject):
        locked = versions.get(canonicalize_name(requirement.name), [])
        if not locked:
            yield f"{requirement} is not locked"
        for version in locked:
            if not requirement.specifier.contains(version, prereleases=True):
                yield f"{requirement} is locked at {version}"
    for match in SOURCES.finditer(lock):
        yield f"the lock names a source: {match[0].strip()}"


def main() -> int:
    """Print the complaints; the exit status is 1 if there are any."""
    root = Path(__file__).parents[2]
    found = list(
        complaints((root / "pyproject.toml").read_text(), (root / "requirements.lock").read_text())
    )
    for complaint in found:
        print(f"requirements.lock: {complaint} (make lock compiles it anew)")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
