"""A ledger whose database is lost, emptied and replaced by backups, and what must survive."""

import datetime as dt
import os
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest

from ledger.archive.columns import SCHEMA, STATE, one_table
from ledger.archive.segment_files import segment_in
from ledger.commands import FOREVER, Interaction, OptOut, interaction_of
from ledger.errors import ArchiveUnavailableError, LedgerLostError
from ledger.instants import DAY, Instant, moment_of
from ledger.observations import Observation
from ledger.store import compaction
from ledger.validation import UserId
from projections.application import Engagements
from tests.support.observations import observation
from tests.support.strategies import HOUR, NOON, Clock

USERS = ("ana-canary", "ben-canary", "cy-canary", "dee-canary")
ISSUES = ("AI-1", "AI-2", "AI-3")
FILE = "ledger.db"
ABOUT = "the issues"

ASKED = moment_of(Instant(NOON + 1_000 * DAY))
"""The moment of all questions, so that the same events give the same scores."""

DONE: Counter[str] = Counter()

Answer = TypeVar("Answer")
Answers = dict[str, list[Any]]


class Backup(NamedTuple):
    """A copy of the database, and its answers when it was taken."""

    path: Path
    answers: Answers


class BackedUpLedger:
    """The ledger's folder, its backups, and what was sealed and forgotten in any of them."""

    def __init__(self, folder: Path, dice: random.Random) -> None:
        self.folder, self.dice, self.clock = folder, dice, Clock()
        self.sealed: set[tuple[Any, ...]] = set()
        self.forgotten: set[str] = set()
        self.opted_out: dict[str, bool] = {}
        self.backups: list[Backup] = []
        self.told = 0
        self.record()
        self.back_up()

    def opened(self) -> Engagements:
        """Open the ledger with the trial's own clock."""
        url = f"sqlite:///{self.folder / FILE}"
        return Engagements(url, clock=self.clock, patience_seconds=5)

    # --- operations ------------------------------------------------------------------------------

    def record(self) -> None:
        """Let people talk about issues that are new."""
        with self.opened() as engagements:
            engagements.ledger.record_many([self._said() for _ in range(self.dice.randint(4, 12))])
            engagements.ledger.record_many([self._described() for _ in range(3)])

    def compact(self) -> None:
        """Seal all or some events, in small or large segments, merged or not."""
        with pytest.MonkeyPatch.context() as patch, self.opened() as engagements:
            patch.setattr(compaction, "SEALED_AT_ONCE", self.dice.choice([3, 5, 8]))
            patch.setattr(compaction, "SEALED_TOGETHER", self.dice.choice([1, 2, 100]))
            patch.setattr(compaction, "MERGED_EVENTS", self.dice.choice([1, 10, 10_000]))
            through = round(self.dice.uniform(0.5, 1) * engagements.ledger.size()[0])
            done = engagements.ledger.compactor.compact(through)
            DONE.update(sealed=done.events, aside=done.set_aside, recovered=done.recovered)
        self.note_sealed()

    def merge(self) -> None:
        """Merge all segments."""
        with self.opened() as engagements:
            DONE["merged"] += len(engagements.ledger.compactor.merge())
        self.note_sealed()

    def forget(self, user: str | None = None) -> None:
        """Forget another user, if enough are left."""
        left = [each for each in USERS if each not in self.forgotten]
        if user is not None or len(left) > 2:
            user = user or self.dice.choice(left)
            self._mended(lambda engagements: engagements.ledger.erase(user))
            self.forgotten.add(user)
            DONE["forgotten"] += 1

    def opt(self) -> None:
        """Let a user opt out, or in again."""
        user = self.dice.choice(USERS)
        out = not self.opted_out.get(user)
        with self.opened() as engagements:
            before = FOREVER if out else self.clock.at
            engagements.ledger.record_many([OptOut(UserId(user), before)])
        self.opted_out[user] = out

    def wait(self, microseconds: int = 0) -> None:
        """Let time pass, and give the files arbitrary ages."""
        self.clock.move(microseconds or self.dice.choice([1, HOUR // 2, 2 * HOUR, DAY]))
        for path in self.folder.rglob("*.parquet*"):
            seconds = self.dice.choice([0, int(ASKED.timestamp())])
            os.utime(path, (seconds, seconds))

    def damage(self) -> None:
        """Damage a merged file whose parts are all still there."""
        with self.opened() as engagements:
            kept, there = engagements.ledger.compactor.segments(), self._rows_on_disk()
            folder = engagements.ledger.archive.folder
        for segment in self.dice.sample(kept, len(kept)):
            path = folder / segment.name
            if path.exists():
                whole = path.read_bytes()
                path.write_bytes(whole[:-4] + b"PAR0")
                if there == self._rows_on_disk():
                    DONE["damaged"] += 1
                    return
                path.write_bytes(whole)

    def back_up(self) -> None:
        """Copy the database as the how-to guide says, and note its answers."""
        path = self.folder / f"backup-{len(self.backups)}"
        with closing(sqlite3.connect(f"file:{self.folder}/{FILE}?mode=ro", uri=True)) as database:
            database.execute("VACUUM INTO ?", (str(path),))
        self.backups.append(Backup(path, self.answers()))

    def lose(self) -> None:
        """Lose or empty the file, check that no new ledger is created, and restore a backup."""
        self._remove()
        if self.dice.random() < 0.5:
            (self.folder / FILE).touch()
        if self.sealed:
            with pytest.raises(LedgerLostError):
                self.opened()
            DONE["refused"] += 1
        self.put_back(self.dice.choice(self.backups))

    def put_back(self, backup: Backup) -> None:
        """Restore a backup; it must answer as when it was taken, except about forgotten users."""
        self._remove()
        shutil.copy(backup.path, self.folder / FILE)
        if self.dice.random() < 0.5:
            with self.opened() as engagements:
                engagements.ledger.compactor.recover()
        found = self.answers()
        for user in USERS:
            expected = [] if user in self.forgotten else backup.answers[user]
            assert found[user] == expected, "a backup does not answer as it did"
        assert found[ABOUT] == backup.answers[ABOUT], "a backup does not know its issues"
        DONE["put back"] += 1

    def _remove(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            (self.folder / f"{FILE}{suffix}").unlink(missing_ok=True)

    # --- what must hold --------------------------------------------------------------------------

    def answers(self) -> Answers:
        """The history of each user, and a ranking at a moment."""

        def ask(engagements: Engagements) -> Answers:
            of_users: Answers = {
                user: [
                    *engagements.questions.history(user),
                    *engagements.questions.ranking(user, ASKED),
                ]
                for user in USERS
            }
            return of_users | {ABOUT: [engagements.issues.issue(each) for each in ISSUES]}

        return self._mended(ask)

    def _mended(self, ask: Callable[[Engagements], Answer]) -> Answer:
        """Ask; if the archive is damaged, do what the error says and ask again."""
        with self.opened() as engagements:
            try:
                return ask(engagements)
            except ArchiveUnavailableError:
                engagements.ledger.compactor.recover()
                return ask(engagements)

    def check_sealed(self) -> None:
        """Assert that every sealed event is on the disk."""
        assert self.sealed <= self._rows_on_disk(), "sealed events are missing"

    def check(self) -> None:
        """Assert that every sealed event is on the disk, and nothing of forgotten users."""
        self.check_sealed()
        answers = self.answers()
        for user in self.forgotten:
            assert not answers[user], "a forgotten user has answers"
            for path in self.folder.glob(f"{FILE}*"):
                if path.is_file():
                    assert user.encode() not in path.read_bytes(), "a forgotten user's bytes remain"
        with self.opened() as engagements:
            for user, out in self.opted_out.items():
                at = Instant(self.clock.at + DAY)
                assert engagements.ledger.is_opted_out(user, at) == out, "an opt-out is forgotten"

    def end(self) -> None:
        """Restore and check every backup, the newest one last."""
        for backup in self.backups:
            self.put_back(backup)
            self.check()
        DONE["histories"] += 1

    def _described(self) -> Observation:
        number, at = self.dice.randrange(1, 4), Instant(self.clock.at - self.dice.randrange(DAY))
        return observation(number, updated_at=at, priority=self.dice.randrange(5))

    def _said(self) -> Interaction:
        self.told += 1
        speaking = [user for user in USERS if user not in self.forgotten]
        user = self.dice.choice(speaking)
        return interaction_of(
            user,
            self.dice.choice(ISSUES),
            self.dice.choice(["query", "view", "mention"]),
            occurred_at=moment_of(self.clock.at) - dt.timedelta(hours=self.dice.randrange(90)),
            context=f"{user} said {self.told}",
            chat_id=self.dice.choice([user, "-100"]),
            source_key=f"{user} {self.told}",
        )

    def note_sealed(self) -> None:
        """Remember the events that are sealed now."""
        with self.opened() as engagements:
            archive = engagements.ledger.archive
            for segment in engagements.ledger.compactor.segments():
                self.sealed |= rows(archive.read(segment))

    def _rows_on_disk(self) -> set[tuple[Any, ...]]:
        """The events of all readable files of the archive."""
        found: set[tuple[Any, ...]] = set()
        with self.opened() as engagements:
            archive = engagements.ledger.archive
            for path in (*archive.files.in_place(), *archive.files.moved_aside()):
                segment = segment_in(path)
                if segment is not None:
                    found |= rows(archive.read(segment))
        return found


def rows(table: Any) -> set[tuple[Any, ...]]:
    """The events of a table."""
    return {tuple(row.values()) for row in one_table([EMPTY, table]).to_pylist()}


EMPTY = SCHEMA.append(STATE).empty_table()


STEPS = (
    BackedUpLedger.record,
    BackedUpLedger.record,
    BackedUpLedger.compact,
    BackedUpLedger.compact,
    BackedUpLedger.merge,
    BackedUpLedger.wait,
    BackedUpLedger.wait,
    BackedUpLedger.damage,
    BackedUpLedger.forget,
    BackedUpLedger.opt,
    BackedUpLedger.back_up,
    BackedUpLedger.lose,
)


def history(folder: Path, dice: random.Random, steps: int) -> None:
    """Do random operations on a ledger, and check it after each."""
    backed_up = BackedUpLedger(folder, dice)
    for _ in range(steps):
        dice.choice(STEPS)(backed_up)
        backed_up.check()
    backed_up.end()
