"""Counts of the trials: full ones with TRIALS=full in the environment, else small ones."""

import os
import random
import sys
from pathlib import Path

import pytest

FULL = os.environ.get("TRIALS") == "full"

EVERY = sys.maxsize
"""The full count of a trial that leaves none out."""

DATA = Path(__file__).parents[4] / "shared" / "data"


def count(*, full: int, small: int, more: str = "") -> int:
    """The requested count; where `more` is NAME, `make trials NAME=…` requests another one."""
    return int(os.environ.get(more, full)) if FULL else small


def chance() -> random.Random:
    """Randomness from a printed seed: fixed in `make test`, a new one in each `make trials`."""
    seed = random.getrandbits(32)
    tell(f"seed {seed}")
    return random.Random(seed)


def tell(figures: str) -> None:
    """Print what a trial did; pytest shows it for failed trials, and with -rP for all."""
    print(figures)  # noqa: T201 - it is a trial's report


def real_history(name: str) -> Path:
    """The path of a real history; skip the test where it is absent."""
    path = DATA / f"{name}.csv.gz"
    if not path.exists():
        pytest.skip(f"the real history {path.name} is not in ../shared/data")
    return path
