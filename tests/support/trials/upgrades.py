"""Upgrading a ledger of an older version, correctly and in two transactions."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from sqlalchemy import Connection

from ledger.store import schema
from ledger.verification.findings import Finding
from projections.application import Engagements
from projections.read_model.compare import verify
from tests.support.strategies import Clock

VERSIONS = (1, 2, 3, 4, 5, 6, 7)
USERS = ("4711", "42")
_SQL = Path(__file__).parents[2] / "store"
IN_TWO = "in-two-transactions"


def make(folder: Path, version: int) -> None:
    """Make the ledger of an older version in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(folder / "ledger.db")) as connection:
        connection.executescript((_SQL / f"version_{version}.sql").read_text())
        connection.execute("PRAGMA journal_mode=WAL")


def upgrade(folder: Path, how: str = "") -> None:
    """Open the ledger, which upgrades it, and close it again."""
    with _in_two() if how == IN_TWO else nullcontext():
        _opened(folder).close()


class Answers(NamedTuple):
    """The answers of a ledger, and the findings about it."""

    rankings: object
    histories: object
    policies: object
    size: object
    findings: list[Finding]


def answers_of(folder: Path) -> Answers:
    """The answers of the ledger, which is opened without help."""
    with _opened(folder) as engagements:
        return Answers(
            [engagements.questions.ranking(each) for each in USERS],
            [list(engagements.questions.history(each)) for each in USERS],
            engagements.policies.all(),
            engagements.ledger.size(),
            verify(engagements.ledger.database).findings,
        )


def _opened(folder: Path) -> Engagements:
    return Engagements(f"sqlite:///{folder}/ledger.db", clock=Clock())


@contextmanager
def _in_two() -> Iterator[None]:
    rightly = schema._add_missing_columns

    def apart(connection: Connection) -> None:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        rightly(connection)

    with mock.patch.object(schema, "_add_missing_columns", apart):
        yield
