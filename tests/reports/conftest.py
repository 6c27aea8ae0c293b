"""A command line on a fresh folder for every test."""

import pytest

from tests.support.command_line import CommandLine


@pytest.fixture
def cli(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    return CommandLine(home)
