"""Importing by columns records what recording row by row does, to the last column and word.

Files are odd on purpose: equal rows within and across batches, rows that are refused, late or in
the future, users who opted out or were forgotten, rows that earlier versions knew by other keys.
"""

import csv
import io
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from unittest import mock

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.commands import FOREVER, Interaction, OptOut, interaction_of
from ledger.entries import Entry, ImportReport, Refusal
from ledger.idempotency import SourceKey
from ledger.instants import DAY, Instant, iso, moment_of
from ledger.intake import csv_history, history
from ledger.intake.csv_history import read_csv
from ledger.intake.history import record_history
from ledger.store import append
from ledger.store.append import Outcome, Receipt
from ledger.store.opt_outs import OptOuts
from ledger.validation import UserId
from ledger.verification.truth import expect_sound
from projections.application import Engagements
from tests.support.row_by_row_import import Told, content_of, record_one_by_one
from tests.support.strategies import NOON, Clock
from tests.support.trials.counts import count

pytestmark = pytest.mark.trial

EXAMPLES = count(full=300, small=10)

COLUMNS = ("occurred_at", "user", "issue_id", "kind", "context", "linear_id", "key")
SAID, SAID_LONG = "one\ntwo", "long\n" * 60


class History(NamedTuple):
    """A file, and how many rows are recorded in one transaction and checked in one block.

    After the first batch, the user "dora" opts out.
    """

    content: bytes
    batch: int = 4
    block: int = 300


@contextmanager
def opened(folder: Path) -> Iterator[Engagements]:
    with Engagements(f"sqlite:///{folder}/ledger.db", clock=Clock()) as engagements:
        yield engagements


@pytest.fixture(scope="module")
def before(tmp_path_factory) -> Path:
    """The folder of a ledger in which some of what files say is known, and some unwanted."""
    folder: Path = tmp_path_factory.mktemp("before")
    with opened(folder) as engagements:
        ledger = engagements.ledger
        ledger.record(touch("ana", "hi", "key 1"))
        for context in (SAID, SAID_LONG):
            ledger.record(as_version_0_1_did(context.replace("\n", "\r\n")))
        ledger.record(touch("cleo", "hi", "key of cleo"))
        ledger.record(OptOut(UserId("ben"), FOREVER))
        engagements.ledger.erase("cleo")
    return folder


def touch(user: str, context: str, key: str) -> Interaction:
    moment = moment_of(NOON)
    return interaction_of(
        user, "AI-1", "query", occurred_at=moment, context=context, source_key=key
    )


def as_version_0_1_did(context: str) -> Interaction:
    made = touch("ana", context, "not yet")
    key = SourceKey(f"csv:{content_of(made, made.context).hex()}:0", made.occurred_at, "old.csv:2")
    return msgspec.structs.replace(made, source_key=key)


# --- both ways -----------------------------------------------------------------------------------


Said = tuple[object, ...]
"""The report and messages of an import, or the outcomes of interactions."""

Way = Callable[[Engagements], Said]


class Result(NamedTuple):
    """The messages, and the contents of the ledger's tables at the end."""

    said: Said
    rows: dict[str, list[tuple[Any, ...]]]


def imported(engagements: Engagements, told: History) -> Said:
    report, refusals = ImportReport(), Told()
    stream: Any = io.BufferedReader(io.BytesIO(told.content))
    record_history(
        engagements.ledger,
        read_csv(stream, "odd.csv"),
        report,
        lambda refusal: refusals.append((refusal.place, refusal.reason)),
        lambda: opt_out_after(engagements, told, report.read),
    )
    return report, refusals


def opt_out_after(engagements: Engagements, told: History, read: int) -> None:
    if read == told.batch:
        engagements.ledger.record(OptOut(UserId("dora"), FOREVER))


def one_by_one(engagements: Engagements, told: History) -> Said:
    def on_row(read: int) -> None:
        opt_out_after(engagements, told, read)

    return record_one_by_one(engagements.ledger, told.content, "odd.csv", on_row)


def result_of(way: Way, before: Path) -> Result:
    """Write to a copy of the ledger `before`, which has the same digest key, and fold."""
    with TemporaryDirectory() as name:
        folder = Path(name) / "ledger"
        shutil.copytree(before, folder)
        with opened(folder) as engagements:
            said = way(engagements)
            expect_sound(engagements.ledger.database)
            engagements.ledger.fold()
        return Result(said, rows_of(folder / "ledger.db"))


RANDOM = {
    "streams": ("originator_id", "checksum"),
    "places": ("place", "checksum"),
    "events": ("commitment", "checksum"),
    "origins": ("salt",),
}
"""Columns that are random, or made of such."""


def rows_of(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute(TABLES)]
        return {name: _rows(connection, name) for name in names}


TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"


def _rows(connection: sqlite3.Connection, table: str) -> list[tuple[Any, ...]]:
    cursor = connection.execute(f"SELECT * FROM {table}")  # noqa: S608 - a name of our own
    names = [name for name, *_ in cursor.description]
    kept = [number for number, name in enumerate(names) if name not in RANDOM.get(table, ())]
    return sorted((tuple(row[number] for number in kept) for row in cursor), key=repr)


def differences(ours: Way, theirs: Way, before: Path) -> list[str]:
    found, expected = result_of(ours, before), result_of(theirs, before)
    tables = [name for name in expected.rows if found.rows[name] != expected.rows[name]]
    return [f"the table {name}" for name in tables] + ["what was said"] * (
        found.said != expected.said
    )


def differences_of(told: History, before: Path) -> list[str]:
    """The differences between an import and recording the same rows one by one."""
    with (
        mock.patch.object(history, "BATCH", told.batch),
        mock.patch.object(csv_history, "BLOCK", told.block),
    ):
        return differences(
            lambda engagements: imported(engagements, told),
            lambda engagements: one_by_one(engagements, told),
            before,
        )


# --- odd files -----------------------------------------------------------------------------------

users = st.sampled_from(
    [
        "ana",
        "ana",
        "dora",
        "ben",
        "cleo",
        "Zoë",
        "",
        "x" * 101,
        "7.01235E+09",
        "a\u202eb",
        "u\udcff",
    ]
)
issues = st.sampled_from(["AI-1", "AI-1", "ai-1", "AI-2", "15-Mar", " AI-3", "Ä-1", ""])
kinds = st.sampled_from(["query", "query", "view", "mention", "Query", ""])
instants = st.sampled_from(
    [
        *(iso(Instant(NOON + step)) for step in (0, 0, -DAY, -400 * DAY, DAY, DAY + 1, 3 * DAY)),
        "2026-01-01T13:00:00+01:00",
        "2016-12-31T23:59:60Z",
        "1999-12-31T23:59:59Z",
        "2026-01-01T12:00:00",
        "yesterday",
    ]
)
contexts = st.sampled_from(
    [
        *("hi", "hi", "", SAID, SAID.replace("\n", "\r\n"), "a\rb", SAID_LONG),
        *("x" * 250, "é" * 201, "e\u0301", "\u202e", "a\0b", "\udce4"),
    ]
)
linear_ids = st.sampled_from(["", "", "lin-a", "lin-b", "\u200e", "y" * 101])
keys = st.sampled_from(["", "", "", "key 1", "key 2", "key of cleo", "z" * 501])
plain_rows = st.tuples(
    st.just(iso(NOON)),
    st.sampled_from(["ana", "dora"]),
    st.just("AI-1"),
    st.just("query"),
    st.sampled_from(["hi", SAID]),
    st.just(""),
    st.just(""),
)
rows = plain_rows | st.tuples(instants, users, issues, kinds, contexts, linear_ids, keys)
odd_lines = st.sampled_from(["", '"a"b,c', "too,few", ",".join("abcdefgh"), '"open'])
columns = st.sampled_from([COLUMNS, COLUMNS[:5], COLUMNS[:4], COLUMNS[:6], COLUMNS[::-1]])
line_ends = st.sampled_from(["\n", "\r\n"])


def file_of(columns: Sequence[str], lines: Sequence[Sequence[str] | str], ends: str) -> bytes:
    """A file of these columns, whose lines are rows of all columns, or odd ones to the letter."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=ends)
    writer.writerow(columns)
    for line in lines:
        if isinstance(line, str):
            text.write(line + ends)
        else:
            cells = dict(zip(COLUMNS, line, strict=True))
            writer.writerow([cells[name] for name in columns])
    return text.getvalue().encode("utf-8", "surrogateescape")


files = st.builds(file_of, columns, st.lists(rows | rows | odd_lines, max_size=14), line_ends)
histories = st.builds(History, files, st.integers(1, 7), st.sampled_from([1, 120, 400, 4000]))


@settings(max_examples=EXAMPLES)
@given(told=histories)
def test_an_import_by_columns_is_as_one_row_by_row(before, told):
    assert differences_of(told, before) == []


# --- interactions of any history -----------------------------------------------------------------

Batches = list[list[Interaction]]

source_keys = st.builds(
    SourceKey,
    st.sampled_from(["key 1", "key 2", "key 3", "key of cleo"]),
    st.sampled_from([None, Instant(NOON)]),
    st.sampled_from([None, "export:7"]),
    st.sampled_from([None, None, "key 1", "key 2"]),
)
interactions = st.builds(
    interaction_of,
    st.sampled_from(["ana", "ana", "ben", "cleo", "dora", "new"]),
    st.sampled_from(["AI-1", "AI-2"]),
    st.sampled_from(["query", "view"]),
    occurred_at=st.sampled_from(
        [None, *(moment_of(Instant(NOON + days * DAY)) for days in (0, 0, -400, 1, 2))]
    ),
    context=st.sampled_from([None, "hi"]),
    metadata=st.sampled_from([None, {"n": 1}]),
    chat_id=st.sampled_from([None, "-100", "4711"]),
    linear_id=st.sampled_from([None, "lin"]),
    source_key=st.none() | source_keys | source_keys,
)


def in_bulk(engagements: Engagements, batches: Batches) -> Said:
    said = list[str]()
    for batch in batches:
        judged = engagements.ledger.record_bulk(batch)
        said += [shown(judged.get(number)) for number in range(len(batch))]
        engagements.ledger.record(OptOut(UserId("dora"), FOREVER))
    return tuple(said)


def each_judged(engagements: Engagements, batches: Batches) -> Said:
    said = list[str]()
    for batch in batches:
        said += map(shown, engagements.ledger.record_many(batch))
        engagements.ledger.record(OptOut(UserId("dora"), FOREVER))
    return tuple(said)


def shown(outcome: Outcome | None) -> str:
    """An outcome in words; there is none for what was certain to be counted."""
    is_counted = outcome is None or (isinstance(outcome, Receipt) and outcome.counted)
    return "counted" if is_counted else repr(outcome)


@settings(max_examples=EXAMPLES)
@given(batches=st.lists(st.lists(interactions, max_size=9), max_size=3))
def test_interactions_in_bulk_become_what_live_ones_do(before, batches):
    ours, theirs = partial(in_bulk, batches=batches), partial(each_judged, batches=batches)
    assert differences(ours, theirs, before) == []


# --- faults that it has to catch -----------------------------------------------------------------


def a_line(at: Instant = NOON, user: str = "ana", kind: str = "query", key: str = "") -> list[str]:
    return [iso(at), user, "AI-1", kind, "hi", "", key]


FUTURE = Instant(NOON + 3 * DAY)


def repeats_are_new() -> Any:
    """Count a key as often as it stands in a batch."""
    return mock.patch.object(append, "repeated", return_value=set())


def opt_outs_are_asked_for_once() -> Any:
    """Ask once for each user whether there is an opt-out, and not again for each batch."""
    known, asked = OptOuts.knows, dict[str, bool]()

    def knows(self: OptOuts, user_id: str) -> bool:
        return asked.setdefault(user_id, known(self, user_id))

    return mock.patch.object(OptOuts, "knows", knows)


def rows_are_refused_first() -> Any:
    """Tell what cannot be read before what the ledger refuses."""

    def sorted_entries(*arguments: Any) -> Iterator[Entry | Refusal]:
        read = list(csv_history.read_csv(*arguments))
        return iter(sorted(read, key=lambda each: isinstance(each, Entry)))

    return mock.patch(f"{__name__}.read_csv", sorted_entries)


FAULTS = {
    repeats_are_new: [a_line(key="key 2"), a_line(key="key 2")],
    opt_outs_are_asked_for_once: [a_line(user="dora"), a_line(user="dora")],
    rows_are_refused_first: [a_line(FUTURE), a_line(kind="?")],
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_planted_fault_is_caught(before, fault):
    batch = 1 if fault is opt_outs_are_asked_for_once else 4
    told = History(file_of(COLUMNS, FAULTS[fault], "\n"), batch)
    assert differences_of(told, before) == []
    with fault():
        assert differences_of(told, before) != []
