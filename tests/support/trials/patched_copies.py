"""Patched copies of the program: what it takes to add a kind, a decision, or an instant.

Each patch is what a change would touch, as texts that stand once in a file and what replaces them.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from ledger.store import schema

TREE = Path(__file__).parents[3]
ENTRY = "engagement_ledger.py"
PACKAGES = ("ledger", "projections", "bot")
CHECKS = Path(__file__).with_name("additions.py")

Replacements = tuple[tuple[str, str], ...]
Patch = Mapping[str, Replacements]

NEXT_VERSION = (f"VERSION = {schema.VERSION}\n", f"VERSION = {schema.VERSION + 1}\n")

REACT: Patch = {
    "ledger/commands.py": (
        (
            """    QUERY = 3, "queries", "queried_at"
""",
            """    QUERY = 3, "queries", "queried_at"
    REACT = 4, "reactions", "reacted_at"
""",
        ),
    ),
    "ledger/store/schema.py": (
        NEXT_VERSION,
        (
            "_TABLES_OF_VERSION_2 =",
            f"_REACTIONS_SINCE = {schema.VERSION + 1}\n_TABLES_OF_VERSION_2 =",
        ),
        (
            """        change(connection, tables.ledger, true(), schema_version=VERSION)


""",
            """        if version < _REACTIONS_SINCE:
            _let_events_have_kinds(connection, 3, 4)
        change(connection, tables.ledger, true(), schema_version=VERSION)


def _let_events_have_kinds(connection: Connection, before: int, now: int) -> None:
    # As https://www.sqlite.org/lang_altertable.html says: no row changes, only what a CHECK allows.
    number = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    connection.exec_driver_sql(
        "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE name = 'events'",
        (f"kind BETWEEN 1 AND {before}", f"kind BETWEEN 1 AND {now}"),
    )
    connection.exec_driver_sql(f"PRAGMA schema_version = {number + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = RESET")


""",
        ),
    ),
    "bot/english/scores.py": (
        (
            """    "query": ("query", "queries"),
""",
            """    "react": ("reaction", "reactions"),
    "query": ("query", "queries"),
""",
        ),
    ),
}
"""A kind of interaction: the enum with its words, a schema upgrade, and the bot's words."""

MUTED: Patch = {
    "ledger/commands.py": (
        (
            """def hiding_of(
""",
            """MUTING = "muting"
\"\"\"The topic of the decision that an engagement is muted, or no longer.\"\"\"


def muting_of(
    user_id: str, issue_id: str, *, muted: bool, occurred_at: datetime | None = None
) -> Decision:
    \"\"\"Validate the fields of a muting and return it.\"\"\"
    at = None if occurred_at is None else occurred_at_of(occurred_at)
    return Decision(user_id_of(user_id), issue_id_of(issue_id), MUTING, float(muted), at)


def hiding_of(
""",
        ),
    ),
    "ledger/events.py": (
        ("import OVERRIDE, Kind\n", "import MUTING, OVERRIDE, Kind\n"),
        (
            """class EngagementHidden(""",
            """class EngagementMuted(EngagementDecided, frozen=True):
    \"\"\"An engagement is muted from `occurred_at` on, or, if not `muted`, no longer.\"\"\"

    muted: bool


class EngagementHidden(""",
        ),
        (
            "    OVERRIDE: ScoreOverridden,\n",
            "    OVERRIDE: ScoreOverridden,\n    MUTING: EngagementMuted,\n",
        ),
        ("= {OVERRIDE: 0}\n", "= {OVERRIDE: 0, MUTING: -1}\n"),
    ),
    "ledger/store/schema.py": (NEXT_VERSION,),
    "projections/engagement.py": (
        ("import OVERRIDE, Kind\n", "import MUTING, OVERRIDE, Kind\n"),
        (
            """    override: float | None = None
""",
            """    override: float | None = None
    muted_at: int | None = None
    muted: float | None = None
""",
        ),
        (
            """(DecisionFields(OVERRIDE, "override_at", "override"),)""",
            """(
    DecisionFields(OVERRIDE, "override_at", "override"),
    DecisionFields(MUTING, "muted_at", "muted"),
)""",
        ),
    ),
}
"""An event of an account: its command, its class, a schema older programs refuse, its fold."""

LAST_RECORDED: Patch = {
    "ledger/store/schema.py": (NEXT_VERSION,),
    "projections/engagement.py": (
        (
            """    lasts: tuple[int | None, ...] =""",
            """    last_recorded_at: int | None = None
    lasts: tuple[int | None, ...] =""",
        ),
        (
            """(Extreme("first_at", "min", "occurred_at"),)""",
            """(
    Extreme("first_at", "min", "occurred_at"),
    Extreme("last_recorded_at", "max", "recorded_at"),
)""",
        ),
        (
            """    first_at: int | None = None
    linear: _Pair""",
            """    first_at: int | None = None
    last_recorded_at: int | None = None
    linear: _Pair""",
        ),
        ("linear_id, value, _ in rows:", "linear_id, value, recorded_at in rows:"),
        (
            """            first_at = at
""",
            """            first_at = at
        if last_recorded_at is None or recorded_at > last_recorded_at:
            last_recorded_at = recorded_at
""",
        ),
        (
            """    return Engagement(tuple(counts[1:]), first_at, tuple(lasts[1:]), *pairs)
""",
            """    firsts = first_at, last_recorded_at
    return Engagement(tuple(counts[1:]), *firsts, tuple(lasts[1:]), *pairs)
""",
        ),
        (
            """        _earlier(a.first_at, b.first_at),
""",
            """        _earlier(a.first_at, b.first_at),
        _later(a.last_recorded_at, b.last_recorded_at),
""",
        ),
    ),
}
"""An instant of an engagement: a schema older programs refuse, its field, rule and fold."""

WITHOUT_UPGRADE: Patch = {name: each for name, each in REACT.items() if "schema" not in name}
"""A planted fault: the kind is added, but the table of events still refuses it."""

WITHOUT_FOLD: Patch = {name: each for name, each in MUTED.items() if "projections" not in name}
"""A planted fault: nothing says how the event folds."""

*_RIGHTLY, _ = MUTED["ledger/events.py"]
MISTAKEN_FOR_AN_OVERRIDE: Patch = {
    **MUTED,
    "ledger/events.py": (*_RIGHTLY, ("= {OVERRIDE: 0}", "= {OVERRIDE: 0, MUTING: 0}")),
}
"""A planted fault: once it is sealed, nothing distinguishes the event from an override."""

OF_THE_OTHER_END: Patch = {
    name: tuple((before, after.replace('"max"', '"min"')) for before, after in replacements)
    for name, replacements in LAST_RECORDED.items()
}
"""A planted fault: what is generated keeps the first instant, where one by one the last is kept."""


def patched(folder: Path, patch: Patch) -> Path:
    """Copy the product into a folder and patch the copy."""
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(TREE / package, folder / package, ignore=ignored)
    shutil.copy(TREE / ENTRY, folder / ENTRY)
    for name, replacements in patch.items():
        path = folder / name
        text = path.read_text()
        for before, after in replacements:
            if text.count(before) != 1:
                message = f"{name} has {before!r} {text.count(before)} times"
                raise AssertionError(message)
            text = text.replace(before, after)
        path.write_text(text)
    return folder


def changed_in(copy: Path) -> list[str]:
    """The files of a copy that are not as in the tree."""
    names = [path.relative_to(copy) for path in copy.rglob("*") if path.is_file()]
    return sorted(str(each) for each in names if _differs(copy / each, TREE / each))


def _differs(one: Path, other: Path) -> bool:
    if "__pycache__" in one.parts:
        return False
    return not other.is_file() or one.read_bytes() != other.read_bytes()


def check(copy: Path, what: str, url: str) -> subprocess.CompletedProcess[str]:
    """Run the checks of an addition with the copy's program on a ledger."""
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, str(CHECKS), what, url]
    return subprocess.run(
        command, cwd=copy, env=environment, capture_output=True, text=True, check=False
    )
