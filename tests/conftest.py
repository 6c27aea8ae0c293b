"""The configuration of all tests: the number of examples of a property, the folder of files, and
bots that trust no one by default.

Twenty examples, the same in every run, or with TRIALS=full five thousand from a printed seed.
"""

import io
import logging
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, core, settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

from bot.cli.logs import handler_for
from tests.support.strategies import Clock

settings.register_profile(
    "ci",
    derandomize=True,
    database=None,  # what an earlier run found is no part of this one
    deadline=None,  # how long an example takes depends on what else the machine is doing
    suppress_health_check=[HealthCheck.too_slow],  # likewise
    max_examples=20,
    print_blob=True,
)
settings.register_profile("full", settings.get_profile("ci"), derandomize=False, max_examples=5000)
if os.environ.get("TRIALS") == "full":
    settings.load_profile("full")

    @pytest.fixture(autouse=True)
    def seeded_by_name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
        """Give each test a seed of its own: parts of one trial would all try the same examples."""
        seed = f"{request.config.getoption('randomly_seed')} {request.node.nodeid}"
        monkeypatch.setattr(core, "global_force_seed", zlib.crc32(seed.encode()))

else:
    settings.load_profile("ci")
    # Else examples are made of the constants in those modules that happen to be loaded, which
    # depends on the tests that ran before in the same process, and on where the project lies.
    providers._get_local_constants = Constants

# Tests make thousands of ledgers, each of which waits for the disk many times. Where memory has
# room for all of them, they are there; the full counts of the trials are for disks.
MEMORY = Path("/dev/shm")  # noqa: S108 - what is made in it is the tests' own
ROOM_BYTES = 4 << 30


def has_room(folder: Path) -> bool:
    """Whether a folder has room for everything that tests write."""
    is_usable = folder.is_dir() and os.access(folder, os.W_OK)
    return is_usable and shutil.disk_usage(folder).free >= ROOM_BYTES


if "TMPDIR" not in os.environ and os.environ.get("TRIALS") != "full" and has_room(MEMORY):
    tempfile.tempdir = os.environ["TMPDIR"] = str(MEMORY)

# All servers of the tests speak plain HTTP. Without this each bot would load all the authorities
# that there are in the world, twice, which takes longer than most conversations.
os.environ.pop("SSL_CERT_FILE", None)
os.environ["SSL_CERT_DIR"] = os.devnull


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still at noon until the test moves it."""
    return Clock()


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that the program logs at the lowest level, as it would write it."""
    stream, root = io.StringIO(), logging.getLogger()
    handler, level = handler_for(stream), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.setLevel(level)
    root.removeHandler(handler)


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files and folders that were brought to the disk, as they were called then."""
    fsync, paths = os.fsync, list[Path]()

    def note(descriptor: int) -> None:
        paths.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    return paths
