"""A command line on a fresh folder for every test."""

import shutil
from pathlib import Path

import pytest

from tests.support.command_line import CommandLine, at


@pytest.fixture
def cli(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    return CommandLine(home)


@pytest.fixture(scope="session")
def folder_of_ana(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger that is recorded once, and copied."""
    cli = CommandLine(tmp_path_factory.mktemp("ana"))
    for issue, kind, days_ago in (
        ("OLD-1", "query", 200),
        ("DMD-480", "mention", 14),
        ("AI-1799", "mention", 2),
        ("AI-1799", "query", 1),
        ("AI-1799", "view", 0),
    ):
        cli("record", "ana", issue, kind, "--at", at(days_ago))
    return cli.home


@pytest.fixture
def ana(cli: CommandLine, folder_of_ana: Path) -> CommandLine:
    """Five touches of three issues: one often, one once, one so long ago that it is dormant."""
    shutil.copytree(folder_of_ana, cli.home, dirs_exist_ok=True)
    return cli
