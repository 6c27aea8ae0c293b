"""Small files that strangers' programs wrote, with what must come of them; they lie beside us."""

import datetime as dt
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import CommandLine
from tests.support.shared_cases import CASES, needs_cases

pytestmark = needs_cases


LATER = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def _after_all_of_them(cli: CommandLine) -> None:
    cli.now = LATER


def import_csv(cli: CommandLine, name: str) -> tuple[dict[str, int], list[str]]:
    done = cli("import", "csv", str(CASES / name), "--json")
    return done.json, done.errors


def issues(cli: CommandLine, user: str = "ana") -> list[str]:
    return [each["issue_id"] for each in cli("history", user, "--json").json]


def run_script(cli: CommandLine, name: str, folder: Path) -> list[str]:
    """Run a case's shell script, and return what its imports said."""
    wrapper = folder / "engagement"
    wrapper.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m bot "$@"\n')
    wrapper.chmod(0o755)
    environment = cli.environment({"PYTHONPATH": str(Path(__file__).parents[2])})
    done = subprocess.run(
        ["bash", str(CASES / name)],  # noqa: S607 - whichever bash the tests' machine has
        cwd=folder,
        env={**environment, "PATH": f"{folder}:{environment['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    return [line for line in done.stdout.splitlines() if line.startswith("read ")]


def test_assistants_that_are_co_authors_are_left_out(cli, tmp_path):
    (said,) = run_script(cli, "16-git-assistant-as-co-author.sh", tmp_path)
    assert said == "read 1 commits: recorded 1, duplicates 0, left out 2, refused 0"


def test_a_history_that_was_filtered_adds_nothing(cli, tmp_path):
    first, again = run_script(cli, "18-git-rewritten-history.sh", tmp_path)
    assert first == "read 3 commits: recorded 3, duplicates 0, refused 0"
    assert again == "read 3 commits: recorded 0, duplicates 3, refused 0"


def test_a_long_column_that_is_ignored_is_no_reason_to_refuse(cli):
    script = CASES / "20-csv-long-ignored-column.py"
    content = subprocess.run([sys.executable, str(script)], capture_output=True, check=True).stdout
    (cli.home / "long.csv").write_bytes(content)
    done = cli("import", "csv", str(cli.home / "long.csv"), "--json")
    assert (done.json["recorded"], done.err) == (1, "")


def test_line_ends_alone_make_no_other_row(cli):
    first, _ = import_csv(cli, "22-csv-line-ends-crlf.csv")
    second, _ = import_csv(cli, "22-csv-line-ends-lf.csv")
    assert (first["recorded"], second["recorded"], second["duplicates"]) == (1, 0, 1)


def test_semicolons_are_read(cli):
    report, errors = import_csv(cli, "23-csv-semicolons.csv")
    assert (report["recorded"], errors) == (1, [])


def test_moments_of_the_standards_are_read(cli):
    report, errors = import_csv(cli, "25-csv-rfc3339.csv")
    assert (report["recorded"], errors) == (5, [])
    assert sorted(issues(cli)) == ["AI-1", "AI-2", "AI-3", "AI-4", "AI-5"]


def test_ids_that_a_spreadsheet_damaged_are_refused_with_a_hint(cli):
    report, errors = import_csv(cli, "27-csv-excel-ids.csv")
    assert (report["recorded"], report["refused"]) == (0, 4)
    assert all("spreadsheet" in line or "program" in line for line in errors)
