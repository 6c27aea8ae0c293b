"""Folding a ledger's tail step by step, correctly and with the watermark committed apart."""

import datetime as dt
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from sqlalchemy import Connection

from ledger.commands import interaction_of
from projections.application import Engagements
from projections.read_model import model
from projections.read_model.catalog import Watermark, note
from tests.support.strategies import Clock

USERS = ("ana", "ben")
FOLDED, TAIL, AT_ONCE = 10, 12, 5
APART, BESIDE = "watermark-apart", "beside"


def make(folder: Path) -> None:
    """Make a ledger whose first events are folded, and whose other events are its tail."""
    folder.mkdir(parents=True)
    with opened(folder) as engagements:
        for number in range(FOLDED + TAIL):
            if number == FOLDED:
                engagements.ledger.fold()
            at = Clock()() - dt.timedelta(days=number % 5)
            touch = interaction_of(
                USERS[number % 2], f"AI-{number % 3}", "query", context="said", occurred_at=at
            )
            engagements.ledger.record(touch)


def fold(folder: Path, how: str = "") -> None:
    """Fold the tail of the ledger in a folder, a few events a step, or fill another read model."""
    ways = {APART: _apart, BESIDE: _beside}
    with ways.get(how, nullcontext)(), opened(folder) as engagements:
        engagements.ledger.fold()


class Answers(NamedTuple):
    """The answers of a ledger, and its rows after the rest of the tail is folded."""

    rankings: Any
    size: int
    view: list[Any]
    findings: Any
    rows: list[Any]


def answers_of(folder: Path) -> Answers:
    """The answers of the ledger, which is opened without help and then folded to the end."""
    with opened(folder) as engagements:
        view = _asked(folder, "SELECT user_id, issue_id, interaction_count FROM issue_engagements")
        rankings = [engagements.questions.ranking(each) for each in USERS]
        size, findings = engagements.maintenance.count(), engagements.maintenance.verify().findings
        engagements.ledger.fold()
        return Answers(rankings, size, view, findings, _asked(folder, "SELECT * FROM engagements"))


@contextmanager
def opened(folder: Path) -> Iterator[Engagements]:
    """Open the ledger in a folder so that a step folds a few events."""
    with (
        mock.patch.object(model, "FOLDED_AT_ONCE", AT_ONCE),
        Engagements(f"sqlite:///{folder}/ledger.db", clock=Clock()) as engagements,
    ):
        yield engagements


def _asked(folder: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(folder / "ledger.db")) as connection:
        return sorted(connection.execute(query).fetchall())


@contextmanager
def _beside() -> Iterator[None]:
    with ExitStack() as held:
        for name in ("FILLED_FROM", "COPIED_AT_ONCE", "FOLDED_AT_ONCE", "WRITTEN_AT_ONCE"):
            held.enter_context(mock.patch.object(model, name, AT_ONCE))
        yield


@contextmanager
def _apart() -> Iterator[None]:
    def apart(connection: Connection, watermark: Watermark) -> None:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        note(connection, watermark)

    with mock.patch.object(model, "note", apart):
        yield
