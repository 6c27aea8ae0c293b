"""The house itself: its contracts watch every module, and its lock fits what it declares."""

import os
import shutil
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest

from tests.tools import lock

ROOT = Path(__file__).parents[1]
PACKAGES = ("ledger", "projections", "bot")
PYPROJECT = (ROOT / "pyproject.toml").read_text()
LOCK = (ROOT / "requirements.lock").read_text()
CONTRACTS = {
    contract["id"]: contract
    for contract in tomllib.loads(PYPROJECT)["tool"]["importlinter"]["contracts"]
}
PURE = CONTRACTS["pure"]["source_modules"]


# --- the purity contract watches every module there is -------------------------------------------


def test_the_purity_contract_lists_the_modules_directly_in_a_package():
    on_disk = {
        f"{package}.{path.stem}"
        for package in PACKAGES
        for path in (ROOT / package).glob("*.py")
        if path.stem not in {"__init__", "__main__", "application"}
    }
    assert on_disk == set(PURE)


# --- the contracts catch what they are there for -------------------------------------------------


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The three packages and their contracts, in a place where they may be spoilt."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    return tmp_path


def plant(copy: Path, module: str, line: str) -> None:
    """Add a line to the end of a module, which is made if there is none."""
    path = copy.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")


def lint_imports(copy: Path) -> tuple[int, str]:
    """The exit status and the output of the contracts' check."""
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=copy,
        env=os.environ | {"COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_contracts_hold(copy):
    status, output = lint_imports(copy)
    assert status == 0, output
    assert f"{len(CONTRACTS)} kept, 0 broken" in output


def test_every_pure_module_is_watched(copy):
    for module in PURE:
        plant(copy, module, "import os")
    status, output = lint_imports(copy)
    assert status == 1, output
    assert f"{CONTRACTS['pure']['name']} BROKEN" in output
    unnoticed = [m for m in PURE if f"{m} is not allowed to import os" not in output]
    assert unnoticed == []


@pytest.mark.parametrize(
    ("contract", "module", "line"),
    [
        pytest.param("pure", "ledger.text", "from ledger.store import anything", id="store"),
        pytest.param("pure", "projections.ranking", "import sqlalchemy.orm", id="library"),
        pytest.param("pure", "bot.settings", "from bot.cli import main", id="cli"),
        pytest.param("layers", "ledger.errors", "from bot import settings", id="ledger-to-bot"),
        pytest.param("layers", "ledger.store", "import projections", id="ledger-to-projections"),
        pytest.param("layers", "projections.scoring", "import bot", id="projections-to-bot"),
        pytest.param(
            "ledger-adapters", "ledger.store", "from ledger.application import x", id="store-up"
        ),
        pytest.param(
            "ledger-adapters", "ledger.intake", "import ledger.application", id="intake-up"
        ),
        pytest.param(
            "projections-adapters",
            "projections.views",
            "from projections import application",
            id="views-up",
        ),
    ],
)
def test_a_planted_import_breaks_its_contract(copy, contract, module, line):
    plant(copy, module, line)
    status, output = lint_imports(copy)
    assert status == 1, output
    assert f"{CONTRACTS[contract]['name']} BROKEN" in output


def test_a_detour_breaks_the_purity_contract_too(copy):
    plant(copy, "ledger.detour.__init__", "import time")
    plant(copy, "projections.scoring", "from ledger import detour")
    status, output = lint_imports(copy)
    assert status == 1, output
    assert f"{CONTRACTS['pure']['name']} BROKEN" in output


# --- the lock fits -------------------------------------------------------------------------------


def test_the_lock_is_in_step():
    assert list(lock.complaints(PYPROJECT, LOCK)) == []


def test_every_pin_has_its_hashes():
    lines = LOCK.splitlines()
    unhashed = [
        line
        for line, following in pairwise([*lines, ""])
        if lock.PIN.match(line) and not following.startswith("    --hash=sha256:")
    ]
    assert unhashed == []


@pytest.mark.parametrize(
    ("spoilt", "complaint"),
    [
        (LOCK.replace("\nmsgspec==", "\nother=="), "msgspec<1,>=0.20 is not locked"),
        (LOCK.replace("\nclick==8", "\nclick==7"), "click<9,>=8.5 is locked at 7"),
        ("--index-url https://example.org\n" + LOCK, "names a source: --index-url"),
        ("--find-links wheels\n" + LOCK, "names a source: --find-links"),
        (LOCK + "\nother @ file:other.whl\n", "names a source: file:"),
        (LOCK + "\n/wheels/other.whl\n", "names a source: /wheels"),
    ],
    ids=["missing", "outside-its-bounds", "index", "find-links", "file", "path"],
)
def test_a_spoilt_lock_is_found_out(spoilt, complaint):
    assert any(complaint in found for found in lock.complaints(PYPROJECT, spoilt))
