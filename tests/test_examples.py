"""Examples: every run has the same, independent of what its processes have loaded and done."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.trials.counts import FULL

ROOT = Path(__file__).parents[1]
PROPERTIES = ("tests/ledger/test_idempotency.py", "tests/ledger/test_commands.py")


def examples(file: Path, hash_seed: int, *options: str) -> list[str]:
    """The examples of some properties, in a process of their own."""
    subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"),
            *("-p", "tests.support.examples_plugin", f"--examples={file}", *options, *PROPERTIES),
        ],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": str(hash_seed)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return sorted(file.read_text().splitlines())


@pytest.mark.skipif(FULL, reason="with TRIALS=full every run has examples of its own")
def test_neither_the_order_nor_loaded_modules_nor_hashes_change_an_example(tmp_path):
    one = examples(tmp_path / "one", 1)
    other = examples(tmp_path / "other", 2, "--randomly-seed=7", "-p", "projections.application")
    assert one == other
    assert len(one) > 10


def test_every_run_of_the_suite_has_one_seed_for_hashes():
    makefile = (ROOT / "Makefile").read_text()
    starts = [line for line in makefile.splitlines() if "-m pytest" in line]
    assert len(starts) == 3
    assert all("$(HASHES) " in line or "PYTHONHASHSEED=$$seed " in line for line in starts)
    assert "-m pytest" not in (ROOT / ".ci/run").read_text()
