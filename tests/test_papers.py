"""The papers for contributors say what is so: targets, hooks, settings and file modes."""

import datetime as dt
import re
import tomllib
from pathlib import Path

import pytest

from bot.settings import VARIABLES
from tools import prose

ROOT = Path(__file__).parents[1]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
SECURITY = (ROOT / "SECURITY.md").read_text()
PRE_COMMIT = (ROOT / ".pre-commit-config.yaml").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z]+):[^#\n]*## ", MAKEFILE, re.MULTILINE))
PAPERS = [
    "CONTRIBUTING.md",
    "SECURITY.md",
    ".github/pull_request_template.md",
    *(path.relative_to(ROOT).as_posix() for path in ROOT.glob(".github/ISSUE_TEMPLATE/*")),
]


def test_contributing_describes_each_target():
    assert set(re.findall(r"^\| `make ([a-z]+)` \|", CONTRIBUTING, re.MULTILINE)) == TARGETS
    assert len(TARGETS) > 5


@pytest.mark.parametrize("path", [*PAPERS, "README.md"])
def test_a_paper_names_no_target_that_does_not_exist(path):
    assert set(re.findall(r"`make ([a-z]+)", (ROOT / path).read_text())) <= TARGETS


def test_contributing_names_each_tool_of_the_check():
    recipe = MAKEFILE.partition("\ncheck:")[2].partition("\n\n")[0]
    tools = set(re.findall(r"\$\(BIN\)/([a-z-]+)", recipe)) - {"python", "lint-imports"}
    modules = {name.replace(".", "/") for name in re.findall(r"-m (\S+)", recipe)}
    row = re.search(r"^\| `make check` \|.*", CONTRIBUTING, re.MULTILINE)
    assert row is not None
    assert [tool for tool in sorted(tools) if tool not in row[0]] == []
    assert modules == {"tools/prose", "tools/lock"}


def test_before_a_commit_runs_what_the_check_runs_and_nothing_is_fetched():
    assert re.findall(r"repo: (\S+)", PRE_COMMIT) == ["local"]
    assert re.findall(r"entry: (.+)", PRE_COMMIT) == ["make check"]
    assert re.findall(r"language: (\S+)", PRE_COMMIT) == ["system"]
    assert "pass_filenames: false" in PRE_COMMIT
    assert "always_run: true" in PRE_COMMIT


def test_what_must_pass_before_a_merge_is_what_contributing_says():
    run = re.findall(r"^make .*?(\w+)$", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    assert run == ["check", "test"]
    assert (
        "`.ci/run` is what must pass before a merge: `make check`, then `make test`" in CONTRIBUTING
    )


def test_the_changelog_begins_with_what_is_unreleased_and_then_the_version_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    sections = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    unreleased, latest, *_ = sections
    version, _, date = latest.partition(" - ")
    assert (unreleased, version) == ("Unreleased", project["version"])
    assert dt.date.fromisoformat(date)


def test_security_names_settings_that_exist():
    assert set(re.findall(r"ENGAGEMENT_[A-Z_]+", SECURITY)) <= set(VARIABLES)


def test_every_file_that_the_program_creates_is_private():
    modes = {
        mode
        for folder in ("ledger", "projections", "bot")
        for path in (ROOT / folder).rglob("*.py")
        for mode in re.findall(r"\b0o[0-7]{3,}\b", path.read_text())
    }
    assert modes == {"0o600", "0o700"}
    assert "mode 0600" in SECURITY
    assert "0700" in SECURITY


def test_the_prose_of_the_papers_is_checked():
    checked = {path.relative_to(ROOT).as_posix() for path in prose.files()}
    assert {path for path in PAPERS if path.endswith(".md")} <= checked
