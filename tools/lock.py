"""Are the locks in step with pyproject.toml? Answered from the files alone."""

import re
import sys
import tomllib
from collections.abc import Iterator
from itertools import chain
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


TRIALS = "requirements-trials.lock"
LOCKS = ("requirements.lock", TRIALS)


def declared(pyproject: str, name: str) -> list[Requirement]:
    """The direct dependencies that the lock of this name is to hold."""
    tables = tomllib.loads(pyproject)
    project, groups = tables["project"], tables["dependency-groups"]
    if name == TRIALS:
        return [Requirement(line) for line in groups["trials"]]
    extras = chain.from_iterable(project["optional-dependencies"].values())
    return [Requirement(line) for line in (*project["dependencies"], *extras, *groups["dev"])]


def pinned(lock: str) -> dict[str, list[Version]]:
    """The versions locked by name; more than one where platforms need different ones."""
    versions: dict[str, list[Version]] = {}
    for name, version in PIN.findall(lock):
        versions.setdefault(canonicalize_name(name), []).append(Version(version))
    return versions


def complaints(pyproject: str, locks: dict[str, str]) -> Iterator[str]:
    """Everything about the locks that does not fit, by their names."""
    for name, lock in locks.items():
        for complaint in _complaints(declared(pyproject, name), lock):
            yield f"{name}: {complaint}"
    for twice in set.intersection(*(set(pinned(lock)) for lock in locks.values())):
        yield f"{TRIALS}: {twice} is locked in the other one, too"


def _complaints(declared: list[Requirement], lock: str) -> Iterator[str]:
    versions = pinned(lock)
    for requirement in declared:
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
    root = Path(__file__).parents[1]
    locks = {name: (root / name).read_text() for name in LOCKS}
    found = list(complaints((root / "pyproject.toml").read_text(), locks))
    for complaint in found:
        print(f"{complaint} (make lock compiles it again)")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
