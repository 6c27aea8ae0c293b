"""A command line on a fresh folder for every test."""

import pytest

from tests.support.command_line import CommandLine, at


@pytest.fixture
def cli(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    return CommandLine(home)


@pytest.fixture
def ana(cli: CommandLine) -> CommandLine:
    """Five touches of three issues: one often, one once, one so long ago that it is dormant."""
    for issue, kind, days_ago in (
        ("OLD-1", "query", 200),
        ("DMD-480", "mention", 14),
        ("AI-1799", "mention", 2),
        ("AI-1799", "query", 1),
        ("AI-1799", "view", 0),
    ):
        cli("record", "ana", issue, kind, "--at", at(days_ago))
    return cli
