"""Writes down the examples of every property, so that two runs can be compared.

A plugin of pytest: `make test ARGS="-p tests.support.examples_plugin --examples=FILE"`. FILE gets
a line for each property that ran: its test, how many examples there were, and a digest of them in
their order. The lines come as the tests end, so sort two files before they are compared.
"""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis.internal import observability

_ADDRESS = re.compile(r"0x[0-9a-f]+")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that names the file."""
    parser.addoption("--examples", type=Path, required=True, metavar="FILE")


def pytest_configure() -> None:
    """Make Hypothesis report examples instead of the lines that they cover."""
    observability.OBSERVABILITY_COLLECT_COVERAGE = False


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Run a test, and write down its examples if it has any."""
    digest, count = hashlib.sha256(), 0

    def note(observation: Any) -> None:
        nonlocal count
        if observation.type == "test_case":
            digest.update(shown(observation).encode(errors="backslashreplace"))
            count += 1

    with observability.with_observability_callback(note):
        yield
    if count:
        with item.config.getoption("--examples").open("a", encoding="utf-8") as file:
            file.write(f"{item.nodeid}\t{count}\t{digest.hexdigest()}\n")


def shown(observation: Any) -> str:
    """Return an example in words, without what is another in every process."""
    return _ADDRESS.sub("", f"{observation.representation}\0{observation.arguments}\n")
