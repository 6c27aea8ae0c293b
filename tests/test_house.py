"""The project itself: its contracts watch every module, and its locks fit what it declares."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest

from tools import lock

ROOT = Path(__file__).parents[1]
PACKAGES = ("ledger", "projections", "bot")
PURE_PACKAGES = (*PACKAGES, "bot/linear")
PYPROJECT = (ROOT / "pyproject.toml").read_text()
LOCKS = {name: (ROOT / name).read_text() for name in lock.LOCKS}
LOCK = LOCKS["requirements.lock"]
TRIALS_LOCK = LOCKS[lock.TRIALS]
CONTRACTS = {
    contract["id"]: contract
    for contract in tomllib.loads(PYPROJECT)["tool"]["importlinter"]["contracts"]
}
PURE = CONTRACTS["pure"]["source_modules"]
PURE_AS_A_WHOLE = {"bot.english", "bot.listening", "bot.answers", "bot.dates"}


# --- the purity contract watches every module there is -------------------------------------------


def test_the_purity_contract_lists_the_modules_directly_in_a_package():
    on_disk = {
        f"{package.replace('/', '.')}.{path.stem}"
        for package in PURE_PACKAGES
        for path in (ROOT / package).glob("*.py")
        if path.stem not in {"__init__", "__main__", "application"}
    }
    assert on_disk | PURE_AS_A_WHOLE == set(PURE)


def test_the_contract_of_doors_forbids_every_adapter_of_the_ledger_and_the_projections():
    adapters = {
        f"{package}.{path.parent.name}"
        for package in ("ledger", "projections")
        for path in (ROOT / package).glob("*/__init__.py")
        if path.parent.name != "application"
    }
    forbidden = set(CONTRACTS["doors"]["forbidden_modules"])
    assert adapters == {each for each in forbidden if each.startswith(("ledger", "projections"))}


# --- the page about the architecture names every module -------------------------------------------

PAGE = (ROOT / "docs" / "explanation" / "architecture.md").read_text()


def modules_in(folder: str) -> set[str]:
    return {path.stem for path in (ROOT / folder).glob("*.py") if not path.stem.startswith("__")}


def test_the_page_about_the_architecture_names_every_pure_module():
    named = set(re.findall(r"\b([a-z_]+)\.py\b", PAGE))
    assert {module.rpartition(".")[2] for module in set(PURE) - PURE_AS_A_WHOLE} <= named


def test_the_page_about_the_architecture_names_every_module_of_the_largest_packages():
    packages: dict[str, set[str]] = {}
    last = ""
    section = PAGE.partition("## The largest packages")[2].partition("\n## ")[0]
    for line in section.splitlines():
        if line.startswith(("| `", "| |")):
            _, package, _, modules, _ = line.split("|")
            last = package.strip(" `") or last
            packages.setdefault(last, set()).update(re.findall(r"`([a-z_]+)`", modules))
    assert len(packages) > 5
    assert packages == {package: modules_in(package) for package in packages}


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


PLANTED = [
    ("pure", "ledger.validation", "ledger.store"),
    ("pure", "projections.ranking", "sqlalchemy"),
    ("pure", "bot.settings", "bot.cli"),
    ("pure", "bot.linear.issue", "bot.linear.client"),
    ("pure", "bot.linear.quota", "httpx"),
    ("layers", "ledger.errors", "bot"),
    ("layers", "ledger.store", "projections"),
    ("layers", "projections.scoring", "bot"),
    ("doors", "bot.cli.ask", "ledger.store"),
    ("doors", "bot.clocks.guard", "ledger.store.job_runs"),
    ("doors", "bot.cli.import_csv", "ledger.intake.reading_ahead"),
    ("doors", "bot.cli.archive", "projections.read_model.duckdb_check"),
    ("doors", "bot.telegram.handlers", "sqlalchemy"),
    ("ledger-adapters", "ledger.store", "ledger.application"),
    ("ledger-adapters", "ledger.intake", "ledger.application"),
    ("projections-adapters", "projections.read_model", "projections.application"),
]


def test_a_planted_import_breaks_its_contract(copy):
    for _, module, imported in PLANTED:
        plant(copy, module, f"import {imported}")
    status, output = lint_imports(copy)
    assert status == 1, output
    unnoticed = [
        planted
        for planted in PLANTED
        if f"{planted[1]} -> {planted[2]} (l." not in said_of(planted[0], output)
    ]
    assert unnoticed == [], output


def test_a_planted_circle_breaks_its_contract(copy):
    circles = [
        ("ledger.instants", "ledger.events"),
        ("ledger.store.rows", "ledger.store.append"),
        ("projections.read_model.tables", "projections.read_model.replay"),
        ("bot.answers.scores", "bot.answers.explanations"),
    ]
    for module, imported in circles:
        plant(copy, module, f"import {imported}")
    status, output = lint_imports(copy)
    assert status == 1, output
    said = said_of("circles", output)
    packages = [module.rpartition(".")[0] for module, _ in circles]
    unnoticed = [each for each in packages if f"No cycles are allowed in {each}.\n" not in said]
    assert unnoticed == [], output


def said_of(contract: str, output: str) -> str:
    """The part of the output on one broken contract, which is below its underlined name."""
    name = CONTRACTS[contract]["name"]
    below = output.partition(f"\n{name}\n{'-' * len(name)}\n")[2]
    return re.split(r"\n.+\n-{4,}\n", below, maxsplit=1)[0]


def test_a_detour_breaks_the_purity_contract_too(copy):
    plant(copy, "ledger.detour.__init__", "import time")
    plant(copy, "projections.scoring", "from ledger import detour")
    status, output = lint_imports(copy)
    assert status == 1, output
    assert f"{CONTRACTS['pure']['name']} BROKEN" in output


# --- the locks fit -------------------------------------------------------------------------------


def test_the_locks_are_in_step():
    assert list(lock.complaints(PYPROJECT, LOCKS)) == []


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_has_its_hashes(name):
    lines = LOCKS[name].splitlines()
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
        (LOCK.replace("\nmatplotlib==", "\nother=="), "matplotlib<4,>=3.11 is not locked"),
        (LOCK.replace("\npytest==", "\nother=="), "pytest<10,>=9.2 is not locked"),
        (LOCK.replace("\nclick==8", "\nclick==7"), "click<9,>=8.5 is locked at 7"),
        ("--index-url https://example.org\n" + LOCK, "names a source: --index-url"),
        ("--find-links wheels\n" + LOCK, "names a source: --find-links"),
        (LOCK + "\nother @ file:other.whl\n", "names a source: file:"),
        (LOCK + "\n/wheels/other.whl\n", "names a source: /wheels"),
    ],
    ids=["missing", "extra", "dev", "outside-its-bounds", "index", "find-links", "file", "path"],
)
def test_a_spoilt_lock_is_found_out(spoilt, complaint):
    found = lock.complaints(PYPROJECT, LOCKS | {"requirements.lock": spoilt})
    assert any(complaint in each for each in found)


@pytest.mark.parametrize(
    ("spoilt", "complaint"),
    [
        (TRIALS_LOCK.replace("\npolars==", "\nother=="), "polars<3,>=2.1 is not locked"),
        (TRIALS_LOCK + "\nclick==8.5\n", "click is locked in the other one, too"),
        ("--find-links wheels\n" + TRIALS_LOCK, "names a source: --find-links"),
    ],
    ids=["missing", "twice", "find-links"],
)
def test_a_spoilt_lock_of_the_trials_is_found_out(spoilt, complaint):
    found = lock.complaints(PYPROJECT, LOCKS | {lock.TRIALS: spoilt})
    assert any(complaint in each and each.startswith(lock.TRIALS) for each in found)
