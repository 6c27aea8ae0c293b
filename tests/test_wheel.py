"""The wheel: all of the product and nothing else, and what is installed from it works."""

import json
import os
import shutil
import subprocess
import sysconfig
import tomllib
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import wheels
from tests.support.wheels import ENTRY, PACKAGES, ROOT

PYPROJECT = (ROOT / "pyproject.toml").read_text()
VERSION = tomllib.loads(PYPROJECT)["project"]["version"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheels.build(ROOT, tmp_path_factory.mktemp("built"))


# --- what is in it -------------------------------------------------------------------------------


def test_it_has_every_file_of_the_product_and_nothing_else(wheel):
    assert list(wheels.complaints(wheel)) == []


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of all that a wheel is built from, and of what it must not have."""
    copied = tmp_path_factory.mktemp("tree")
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore", ENTRY):
        shutil.copy(ROOT / name, copied)
    for package in (*PACKAGES, "tools"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, copied / package, ignore=ignored)
    return copied


INCLUDED = 'only-include = ["ledger", "projections", "bot", "engagement_ledger.py"]'
LEFT_OUT = {
    "a package": (INCLUDED.replace('"projections", ', ""), "projections/policy.py is missing"),
    "the entry": (INCLUDED.replace(f', "{ENTRY}"', ""), f"{ENTRY} is missing"),
    "a folder": (f'{INCLUDED}\nexclude = ["ledger/intake"]', "ledger/intake/history.py is missing"),
    "a template": (f'{INCLUDED}\nexclude = ["*.j2"]', "bot/reports/report.html.j2 is missing"),
    "one too many": (
        INCLUDED.replace("[", '["tools", '),
        "tools/lock.py is not part of the product",
    ),
}


@pytest.mark.parametrize("fault", LEFT_OUT)
def test_a_planted_fault_of_the_build_is_found(tree, tmp_path, fault):
    included, complaint = LEFT_OUT[fault]
    assert PYPROJECT.count(INCLUDED) == 1
    (tree / "pyproject.toml").write_text(PYPROJECT.replace(INCLUDED, included))
    assert complaint in wheels.complaints(wheels.build(tree, tmp_path), tree)


# --- what is installed from it -------------------------------------------------------------------


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel, which finds the libraries of this one, but not its project.

    The `.pth` of an editable install is not read in a folder that a `.pth` names.
    """
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, symlinks=True)
    wheels.install(wheel, python=folder / "bin" / "python")
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    return folder


@pytest.fixture
def run(installed: Path, tmp_path: Path) -> Callable[..., str]:
    """Runs a program of the environment in an empty folder, and returns its output."""
    known = ("PATH", "TMPDIR", "LANG")
    environment = {name: os.environ[name] for name in known if name in os.environ}

    def run(program: str, *arguments: str) -> str:
        done = subprocess.run(
            [installed / "bin" / program, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_command_says_the_version_of_the_project(run):
    assert run("engagement", "--version") == f"engagement {VERSION}\n"


def test_the_command_records_and_answers(run):
    assert run("engagement", "record", "ana", "AI-1799", "query").startswith("recorded: ")
    answer = json.loads(run("engagement", "score", "ana", "AI-1799", "--json"))
    assert answer["score"] == 0.68


EMBEDDED = """
import ledger, projections, bot, engagement_ledger
from ledger.commands import interaction_of
from projections.application.testing import given

given(interaction_of("ana", "AI-1799", "query")).when(
    lambda tracker: tracker.get_top_engaged_issues("ana")
).then([("AI-1799", 0.68)])
for module in (ledger, projections, bot, engagement_ledger):
    print(module.__file__)
"""


def test_programs_import_what_is_installed(run, installed):
    files = run("python", "-c", EMBEDDED).splitlines()
    assert len(files) == 4
    assert [name for name in files if not Path(name).is_relative_to(installed)] == []
