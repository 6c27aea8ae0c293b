"""How much a trial does: the full counts with TRIALS=full in the environment, else small ones."""

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
    """The count that was asked for; where `more` is NAME, `make trials NAME=…` asks for another."""
    return int(os.environ.get(more, full)) if FULL else small


def chance() -> random.Random:
    """Randomness whose seed is told: the same in all of `make test`, not so in `make trials`."""
    seed = random.getrandbits(32)
    tell(f"seed {seed}")
    return random.Random(seed)


def tell(figures: str) -> None:
    """Print what a trial did: pytest shows it where one fails, and with -rP everywhere."""
    print(figures)  # noqa: T201 - it is a trial's report


def real_history(name: str) -> Path:
    """The path of a real history; the test is skipped where it is absent."""
    path = DATA / f"{name}.csv.gz"
    if not path.exists():
        pytest.skip(f"the real history {path.name} is not in ../shared/data")
    return path
