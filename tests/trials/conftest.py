"""A new ledger for every trial, at the real time, because other processes write to it too.

The trials of compactions share a bench, which every run copies.
"""

import datetime as dt

import pytest

from tests.support.command_line import CommandLine
from tests.support.trials.prepared_ledgers import prepared
from tests.support.trials.system_calls import Forks


@pytest.fixture
def cli(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    return CommandLine(home, dt.datetime.now(dt.UTC))


@pytest.fixture(scope="session")
def forks(tmp_path_factory):
    made = Forks(tmp_path_factory.mktemp("forks"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def ledgers(tmp_path_factory):
    with prepared(tmp_path_factory.mktemp("bench")) as made:
        yield made
