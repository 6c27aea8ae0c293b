"""The documented table of what policies are worth agrees with the real histories."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.store.event_queries import rows_by_user
from projections.application import Engagements
from projections.evaluation import Judge, Quality
from projections.policy import DEFAULT_POLICY, ScoringPolicy, changed
from tests.support.command_line import CommandLine
from tests.support.trials.counts import FULL, real_history

pytestmark = pytest.mark.trial

DOCUMENT = Path(__file__).parents[2] / "docs" / "explanation" / "what-a-policy-is-worth.md"
HISTORIES = ["novu"]
if FULL:
    HISTORIES += ["wildfly", "kafka", "tika", "servicenow-sample"]
LAST = "most recent first"


def documented(history: str) -> dict[str, str]:
    """The lines of the page on a history, by policy."""
    lines = [line for line in DOCUMENT.read_text("utf-8").splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[1]: " ".join(row[2:]) for row in rows if row[0] == history}


def policies(names: list[str]) -> list[ScoringPolicy]:
    return [
        DEFAULT_POLICY if name == "default" else changed(DEFAULT_POLICY, [name]) for name in names
    ]


def computed(home: Path, names: list[str]) -> Iterator[str]:
    judge = Judge(policies(names))
    sums = [Quality() for _ in (*names, LAST)]
    with (
        Engagements(f"sqlite:///{home}/ledger.db") as engagements,
        engagements.ledger.database.read() as connection,
    ):
        for user in rows_by_user(connection, engagements.ledger.archive):
            judged = judge.judged(user.rows)
            sums = [so_far + one.quality for so_far, one in zip(sums, judged, strict=True)]
    for each in sums:
        figures = each.figures
        shares = (figures.hit_at_1, figures.hit_at_5, figures.hit_at_10)
        more = (*shares, figures.mean_reciprocal_rank)
        shown = " ".join(f"{share:.3f}" for share in more)
        yield f"{figures.returns} {shown} {figures.weeks} {figures.recall_at_10:.3f}"


@pytest.mark.parametrize("name", HISTORIES)
def test_the_table_says_what_the_history_says(tmp_path, name):
    path = real_history(name)
    assert CommandLine(tmp_path, dt.datetime.now(dt.UTC))("import", "csv", str(path)).code == 0
    expected = documented(name)
    names = [policy for policy in expected if policy != LAST]
    assert len(names) == 5
    assert dict(zip([*names, LAST], computed(tmp_path, names), strict=True)) == expected
