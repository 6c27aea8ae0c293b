"""How much a trial does: the full counts with TRIALS=full in the environment, else small ones."""

import os
import random
from pathlib import Path

import pytest

FULL = os.environ.get("TRIALS") == "full"

DATA = Path(__file__).parents[3] / "shared" / "data"


def count(*, full: int, small: int) -> int:
    """The count that was asked for."""
    return full if FULL else small


def chance() -> random.Random:
    """Randomness whose seed is printed with a failure; -p randomly_seed brings it back."""
    seed = random.getrandbits(32)
    print(f"seed {seed}")  # noqa: T201 - pytest shows it where the trial fails
    return random.Random(seed)


def real_history(name: str) -> Path:
    """The path of a real history; the test is skipped where it is absent."""
    path = DATA / f"{name}.csv.gz"
    if not path.exists():
        pytest.skip(f"the real history {path.name} is not in ../shared/data")
    return path
