"""Flipped bits: a ledger with some of everything, its answers, and the owners of its pages."""

import contextlib
import datetime as dt
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

from eventsourcing.persistence import Notification

from ledger.commands import Interaction, interaction_of
from ledger.instants import DAY
from ledger.store import tables
from ledger.store.eventsourcing_adapter import StoreAggregateRecorder, StoreTrackingRecorder
from projections.application import Engagements
from tests.support.every_write import CHATS, USERS, compact, override, record, write_everything
from tests.support.sealed_ledgers import opened
from tests.support.strategies import NOON, Clock

AGAIN = interaction_of("Zoë", "AI-1", "query", context="once more", source_key="again")
PAGE_BYTES = 4096
HEADER_BYTES = 100


class Ledger(NamedTuple):
    """A folder with a closed ledger, the time of its clock, and its rows and answers."""

    folder: Path
    clock: Clock
    said: object

    @property
    def path(self) -> Path:
        return self.folder / "ledger.db"


class Flip(NamedTuple):
    """One bit of the file, the table or index that its page belongs to, and the kind of page."""

    byte: int
    bit: int
    where: str
    page: str


def made(folder: Path) -> Ledger:
    """Make a ledger with hot and sealed events, forgotten users, a migration and a replay."""
    clock = Clock()
    with opened(folder, clock) as engagements:
        for seed in range(3):
            write_everything(engagements, clock, Random(seed))
        compact(engagements, clock, Random(9))
        engagements.ledger.record_many([_large()] * 9)
        engagements.ledger.expire_origins(clock.at)  # leaves free pages
        for seed in range(40):
            record(engagements, clock, Random(seed))
        override(engagements, clock, Random(3))
        engagements.ledger.record_many([AGAIN, _large()])
        engagements.maintenance.replays.begin("beside")
        engagements.maintenance.replays.fold("beside")
        clock.move(DAY)
    with opened(folder, clock) as engagements:
        said = (dump(folder / "ledger.db"), answers(engagements))
    return Ledger(folder, clock, said)


def _large() -> Interaction:
    """An interaction whose origin needs a page of its own."""
    return interaction_of("ben", "AI-2", "view", metadata={"all": "x" * 4_080})


def dump(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows of truth in the order of their keys, without the checksums."""
    found = {}
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        for table in tables.metadata.sorted_tables:
            names = [each.name for each in table.c if each.name != tables.CHECKSUM]
            query = f"SELECT {', '.join(names)} FROM {table.name} ORDER BY 1, 2"  # noqa: S608 - our own names
            found[table.name] = connection.execute(query).fetchall()
    return found


def answers(engagements: Engagements) -> list[object]:
    """The answers to every question of every user, and the exports."""
    ledger = engagements.ledger
    users = [*USERS, "nobody"]
    past = engagements.clock() - dt.timedelta(2)
    return [
        [
            (
                engagements.questions.ranking(each),
                engagements.questions.top(each, 3),
                list(engagements.questions.history(each)),
            )
            for each in users
        ],
        [engagements.questions.ranking(each, past) for each in users],
        [ledger.is_opted_out(each, NOON) for each in users],
        [ledger.spans_at(each) for each in filter(None, CHATS)],
        ledger.recorder.select_notifications(1, 10**6),
        ledger.migrations(),
        ledger.size(),
        engagements.policies.all(),
        engagements.maintenance.count_dormant(),
        ledger.job_runs.days("decay"),
        StoreTrackingRecorder(ledger.database).max_tracking_id("upstream"),
        _snapshots(engagements),
    ]


def _snapshots(engagements: Engagements) -> list[object]:
    recorder = StoreAggregateRecorder(engagements.ledger.database)
    originators = {each.originator_id for each in _others(engagements)}
    return [recorder.select_events(each) for each in sorted(originators, key=str)]


def _others(engagements: Engagements) -> list[Notification]:
    return list(engagements.ledger.recorder.select_notifications(1, 10**6, topics=["another"]))


def copied(ledger: Ledger, folder: Path, flip: Flip | None) -> Path:
    """Copy the ledger into `folder`, with one bit flipped if given; return its path."""
    data = bytearray(ledger.path.read_bytes())
    if flip is not None:
        data[flip.byte] ^= 1 << flip.bit
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    path = folder / "ledger.db"
    path.write_bytes(data)
    (folder / "ledger.db.archive").symlink_to(ledger.folder / "ledger.db.archive")
    return path


def flips(ledger: Ledger, dice: Random, count: int) -> Iterator[Flip]:
    """Bits of all pages in turn: three of four in bytes that are not zero, the rest anywhere."""
    data, kinds = ledger.path.read_bytes(), pages(ledger.path)
    numbers = list(range(len(data) // PAGE_BYTES))
    dice.shuffle(numbers)
    for number in range(count):
        page = numbers[number % len(numbers)]
        begin = page * PAGE_BYTES
        used = [at for at in range(begin, begin + PAGE_BYTES) if data[at]]
        any_byte = number // len(numbers) % 4 == 3 or not used
        byte = begin + dice.randrange(PAGE_BYTES) if any_byte else dice.choice(used)
        where, kind = kinds.get(page + 1, ("", "free"))
        if byte < HEADER_BYTES:
            where, kind = "", "header"
        yield Flip(byte, dice.randrange(8), where, kind)


def pages(path: Path) -> dict[int, tuple[str, str]]:
    """The table or index of each page that is not free, and its kind, by page number."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT pageno, name, pagetype FROM dbstat").fetchall()
    return {number: (name, kind) for number, name, kind in rows}
