"""A module of the user's own that hides one of our packages is named, and is not run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = ("ledger", "projections", "bot")
DOORS = {
    "the ledger's": "from projections.application import Engagements",
    "the bot's": "from bot.settings import settings_of",
    "the command line's": "from engagement_ledger import main; main()",
}
NEEDS = {
    "the ledger's": {"ledger"},
    "the bot's": {"ledger", "projections"},
    "the command line's": set(PACKAGES),
}


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A Python that looks for modules in `folder` first."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "ENGAGEMENT_HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("door", "hidden"), [(door, each) for door, needed in NEEDS.items() for each in sorted(needed)]
)
def test_what_hides_a_package_is_named_and_not_run(tmp_path, door, hidden):
    culprit = tmp_path / f"{hidden}.py"
    culprit.write_text("print('run')")
    done = python(tmp_path, "-c", DOORS[door])
    assert done.returncode == 1
    assert done.stdout == ""
    said = f"{culprit} hides the package {hidden} of engagement-ledger: give it another name"
    assert done.stderr.splitlines()[-1].endswith(said)


def test_a_folder_hides_a_package_as_well(tmp_path):
    culprit = tmp_path / "ledger/__init__.py"
    culprit.parent.mkdir()
    culprit.touch()
    done = python(tmp_path, "-c", DOORS["the ledger's"])
    assert f"{culprit} hides the package ledger" in done.stderr


def test_a_program_that_is_called_ledger_itself_is_named(tmp_path):
    program = tmp_path / "ledger.py"
    program.write_text(DOORS["the ledger's"])
    done = python(tmp_path, str(program))
    assert f"ImportError: {program} hides the package ledger" in done.stderr


def test_a_bot_of_ones_own_is_no_matter_where_ours_is_not_needed(tmp_path):
    program = tmp_path / "bot.py"
    program.write_text(DOORS["the ledger's"] + "\nprint('fine')\n")
    assert python(tmp_path, str(program)).stdout == "fine\n"
