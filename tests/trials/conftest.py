"""A ledger of its own for every trial, at the real time: other processes write to it too."""

import datetime as dt

import pytest

from tests.cli.running import CommandLine


@pytest.fixture
def cli(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    return CommandLine(home, dt.datetime.now(dt.UTC))
