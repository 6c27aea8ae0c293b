"""`import git` counts the same as `git log` and a search for issue keys."""

import datetime as dt
import re
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.command_line import CommandLine
from tests.support.git_repositories import commit, counted, git, log_of, repository
from tests.support.trials.counts import chance, count, tell

pytestmark = pytest.mark.trial

COMMITS = count(full=10_000, small=300)
ROOT = Path(__file__).parents[2]


def made_up(folder: Path) -> Path:
    """Make up commits of thirty people: a third name no issue, and a tenth are merges."""
    dice, commits = chance(), []
    for number in range(1, COMMITS + 1):
        author, other, third = (f"p{dice.randrange(30)}@example.org" for _ in range(3))
        keys = [f"AB{dice.randrange(3)}-{dice.randrange(1, 400)}" for _ in range(dice.randrange(3))]
        lines = [f"{' '.join(keys)} change {number}", "", f"Because of {' and '.join(keys)}.", ""]
        if dice.random() < 0.3:
            lines.append(f"Co-authored-by: Another One <{other}>")
        if dice.random() < 0.5:
            lines.append(f"Reviewed-by: Some One <{third.upper()}>")
        merged = dice.randrange(1, number - 1) if number > 2 and dice.random() < 0.1 else None
        commits.append(commit(number, author, "\n".join(lines), merged=merged))
    folder.mkdir()
    return repository(folder, *commits)


def by_issue(found: Counter[tuple[str, str]]) -> Counter[str]:
    """The counts by issue alone, because people have pseudonyms in the ledger."""
    total: Counter[str] = Counter()
    for (_, touch), times in found.items():
        total[touch] += times
    return total


def by_person(found: Counter[tuple[str, str]]) -> list[int]:
    total: Counter[str] = Counter()
    for (person, _), times in found.items():
        total[person] += times
    return sorted(total.values())


def recorded(cli: CommandLine) -> Counter[tuple[str, str]]:
    query = (
        "SELECT user_id, issue_id || ' ' || CASE kind WHEN 1 THEN 'mention' ELSE 'view' END,"
        " COUNT(*) FROM events JOIN accounts USING (stream) GROUP BY 1, 2"
    )
    with closing(sqlite3.connect(cli.ledger)) as connection:
        return Counter({(user, touch): times for user, touch, times in connection.execute(query)})


def assert_equal_counts(cli: CommandLine, folder: Path) -> int:
    expected = counted(log_of(folder))
    found = recorded(cli)
    assert by_issue(found) == by_issue(expected)
    assert by_person(found) == by_person(expected)
    return sum(found.values())


def test_a_large_repository_counts_as_git_log_says(tmp_path):
    cli, folder = CommandLine(tmp_path / "home"), made_up(tmp_path / "large.git")
    assert cli("import", "git", str(folder)).code == 0
    tell(f"{COMMITS} commits, {assert_equal_counts(cli, folder)} interactions")
    assert cli("import", "git", str(folder), "--json").json["recorded"] == 0
    assert cli("replay").code == 0


def test_co_authors_that_are_left_out_are_caught(tmp_path, monkeypatch):
    cli, folder = CommandLine(tmp_path / "home"), made_up(tmp_path / "large.git")
    monkeypatch.setattr("ledger.intake.git_history._FIELDS", _without_co_authors())
    monkeypatch.setattr("ledger.intake.git_history._LOG", _log_of(_without_co_authors()))
    cli("import", "git", str(folder))
    assert by_issue(recorded(cli)) != by_issue(counted(log_of(folder)))


def _without_co_authors() -> tuple[str, ...]:
    from ledger.intake import git_history  # noqa: PLC0415 - what is patched

    return (*git_history._FIELDS[:5], "%x20", *git_history._FIELDS[6:])


def _log_of(fields: tuple[str, ...]) -> tuple[str, ...]:
    from ledger.intake import git_history  # noqa: PLC0415 - as above

    return (*git_history._LOG[:-1], f"--format={'%x00'.join(fields)}")


def test_this_very_repository_counts_as_git_log_says(tmp_path):
    if not (ROOT / ".git").exists():
        pytest.skip("the project is not in a git repository")
    if git(ROOT, "rev-parse", "--is-shallow-repository").strip() == b"true":
        pytest.skip("the git repository is a shallow clone")
    # Its commits name rules, not issues.
    cli = CommandLine(tmp_path, dt.datetime.now(dt.UTC), {"ENGAGEMENT_ISSUE_PATTERN": "R[0-9]+"})
    done = cli("import", "git", str(ROOT), "--json")
    log = git(ROOT, "log", "--format=%x1e%B").decode()
    search = re.compile(r"\bR[0-9]+\b")
    expected = sum(len(set(search.findall(record))) for record in log.split("\x1e"))
    tell(f"{log.count(chr(30))} commits, {expected} interactions")
    assert expected
    assert done.json["recorded"] == expected
