"""The benchmarks run, and report every row; how fast anything is is not tested."""

import gc
import json
import math
import re
from importlib.util import find_spec

import pytest

from tests.benchmarks import __main__ as program
from tests.benchmarks import archived, heavy
from tests.benchmarks.report import machine
from tests.benchmarks.sizes import TINY

SIZES = (250, 500)

WORKS = [
    "start, --help",
    "start, a usage error",
    "start, completion",
    "start, top",
    "start, score",
    "start, record",
    "record one, synchronous",
    "record one, asyncio",
    "64 tasks recording",
    "record one, processor time",
    "record one, bytes of the log",
    "import csv, 500 of real shape",
    "top 10 of 300",
    "top 10 of 300, one call",
    "replay 600 hot events, fold",
    "replay 600 hot events, fold and compare",
    "write 6,000 archived events",
    "replay 6,000 archived events",
    "replay 6,000 archived events, memory",
    "archived, beside commitments",
    "write 6,000 archived events in 20 files",
    "replay 6,000 archived events in 20 files",
    "replay 6,000 archived events in 20 files, memory",
    "archived in 20 files, beside commitments",
    *(
        work.format(size)
        for size in SIZES
        for work in (
            "import csv, {}",
            "import csv, {}, memory",
            "record one of {}",
            "compact {} in 5 parts",
            "compact {}, the last part",
            "compact {}, memory",
            "replay {} compacted",
            "replay {} compacted, memory",
            "top, {} sealed",
            "score, {} sealed",
            "history, {} sealed",
            "explain, {} sealed",
        )
    ),
    "import csv, each at 500",
    "record, each at 500",
    "top, each at 500",
    "compact, each at 500",
    "top beside an import of 500, median",
    "top beside an import of 500, p99",
    "record beside an import of 500, median",
    "record beside an import of 500, p99",
    "memory of a replay, 900 events",
    "memory of a replay, 900 events, flat",
    "hot events, sources, origins",
    "hot read model",
    "200 observations, hot",
    "200 observations, sealed",
    "200 observations, left hot",
    "bot, 500 messages a second, p99 of recording",
    "bot, 500 messages a second, memory flat",
    "webhooks, 50 a second, p99 of answers",
    "a card of an issue in Linear",
]

WITH_PEERS = find_spec("duckdb") is not None and find_spec("polars") is not None
"""`make bench` installs the peer of replays of archived events; without it, none are measured."""

OF_ARCHIVED = re.compile(r"(write|replay) [\d,]+ archived|archived( in|,)")


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmarks")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(program, "QUICK", TINY)
        if not WITH_PEERS:
            themes = [each for each in program.THEMES if each is not archived.rows]
            patch.setattr(program, "THEMES", themes)
        gc.freeze()  # before each measurement all objects are looked through: not those of tests
        program.main(["--quick"])
        gc.unfreeze()
    assert [path.name for path in folder.iterdir()] == ["bench.json"]
    return json.loads((folder / "bench.json").read_text())


def test_every_row_is_reported(document):
    expected = [work for work in WORKS if WITH_PEERS or not OF_ARCHIVED.match(work)]
    assert [row["work"] for row in document["rows"]] == expected


@pytest.mark.skipif(not WITH_PEERS, reason="make bench installs DuckDB and Polars")
def test_replays_of_archived_events_are_measured(document):
    assert sum(bool(OF_ARCHIVED.match(row["work"])) for row in document["rows"]) == 8


def test_every_figure_is_positive(document):
    figures = [row[name] for row in document["rows"] for name in ("ours", "figure")]
    figures += [row["peer"] for row in document["rows"] if row["peer"] is not None]
    assert all(math.isfinite(figure) and figure > 0 for figure in figures)


def test_every_row_says_which_of_its_aims_are_met(document):
    assert all(0 <= row["met"] <= len(row["aims"]) for row in document["rows"])


def test_the_machine_is_told(document):
    assert document["machine"].keys() == machine().keys()


def test_a_heavy_user_is_asked_about_hot_and_sealed_events(monkeypatch, tmp_path):
    monkeypatch.setattr(heavy, "QUESTIONS", {"history": heavy.QUESTIONS["history"]})
    rows = heavy.rows(tmp_path, TINY)
    works = [f"history of 300 {state} events of one user" for state in ("hot", "sealed")]
    each = ("", ", processor", ", memory")
    assert [row.work for row in rows] == [f"{work}{part}" for work in works for part in each]
    assert all(row.figure > 0 for row in rows)
