"""A fifth of the users is forgotten while all talk and ask: at once no byte of theirs is left.

Messages of forgotten users come again all the time: before, while and after they are forgotten. The
others' answers are compared with those of a ledger in which forgotten users never were.
"""

import contextlib
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from unittest import mock

import pytest

from ledger.commands import Interaction, interaction_of
from ledger.errors import OptedOutError
from ledger.idempotency import SourceKey, digest
from ledger.instants import Instant, moment_of
from ledger.store import sqlite
from ledger.store.database import Database
from projections.application import Engagements, IssueEngagementRepository
from tests.support.strategies import HOUR, NOON, Clock
from tests.support.trials.counts import chance, count, tell

pytestmark = pytest.mark.trial

USERS = [f"77{number:05d}31" for number in range(100)]
MESSAGES = count(full=200, small=20, more="FORGET_MESSAGES")
RECORDERS = 2
AT_ONCE = 25


def name_of(user: str) -> str:
    return f"Name-of-{user[::-1]}"


def words_of(user: str) -> str:
    return f"words-of-{user[::-1]}"


def said(dice: random.Random, user: str, number: int) -> Interaction:
    """A message from before any user was forgotten."""
    return interaction_of(
        user,
        f"AI-{dice.randrange(40)}",
        dice.choice(["query", "view", "mention"]),
        occurred_at=moment_of(Instant(NOON + dice.randrange(HOUR))),
        context=words_of(user) + "." * dice.randrange(150),
        metadata={"said": words_of(user) * dice.randrange(1, 60)} if number % 5 == 0 else None,
        chat_id=dice.choice([user, "-100"]),
        source_key=f"key-of-{user[::-1]} {number}",
    )


def needles_of(secret: bytes, user: str) -> list[bytes]:
    """The bytes that must not be found: id, name, texts, keys and their digests."""
    keys = [f"key-of-{user[::-1]} {number}" for number in range(MESSAGES)]
    words = [user, name_of(user), words_of(user), f"key-of-{user[::-1]}"]
    return [*(word.encode() for word in words), *(digest(SourceKey(key), secret) for key in keys)]


def found(folder: Path, needles: list[bytes]) -> int:
    """The number of needles in the files of the database."""
    contents = [path.read_bytes() for path in folder.glob("ledger.db*")]
    return sum(needle in content for content in contents for needle in needles)


class BusyLedger:
    """A ledger in which all users keep talking and asking until `stop` is set."""

    def __init__(self, folder: Path, dice: random.Random) -> None:
        self.folder, self.dice, self.clock, self.stop = folder, dice, Clock(), Event()
        self.messages = [said(dice, user, n) for n in range(MESSAGES) for user in USERS]
        self.engagements = Engagements(f"sqlite:///{folder}/ledger.db", clock=self.clock)

    def begin(self) -> None:
        """Give all users names, and record the first half of the messages."""
        self.dice.shuffle(self.messages)
        for start in range(0, len(self.messages) // 2, AT_ONCE):
            self.engagements.ledger.record_many(self.messages[start : start + AT_ONCE])
        with self.engagements.ledger.database.write() as connection:
            named = [(name_of(user), user) for user in USERS]
            query = "UPDATE accounts SET display_name = ?, checksum = NULL WHERE user_id = ?"
            connection.exec_driver_sql(query, named)
        self.clock.move(HOUR)

    def record(self, seed: int) -> int:
        """Deliver new and old messages; return the number of refused ones."""
        dice, refused = random.Random(seed), 0
        while not self.stop.is_set():
            try:
                self.engagements.ledger.record(dice.choice(self.messages))
            except OptedOutError:
                refused += 1
        return refused

    def end(self) -> None:
        """Deliver all messages, those delivered before included."""
        self.stop.set()
        self.engagements.ledger.record_many(self.messages)

    def ask(self, seed: int) -> int:
        """Ask one question after another; return their number."""
        dice = random.Random(seed)
        repository = IssueEngagementRepository(self.engagements)
        asked = 0
        while not self.stop.is_set():
            user = dice.choice(USERS)
            repository.get_all_engagements(user)
            self.engagements.questions.statistics(user)
            list(self.engagements.questions.history(user))
            asked += 1
        return asked

    def forget(self, gone: list[str]) -> int:
        """Forget users one after another; return the sum of the needles found right afterwards."""
        secret = self.engagements.ledger._appender.secret
        copies = 0
        for user in gone:
            self.engagements.ledger.erase(user)
            copies += found(self.folder, needles_of(secret, user))
        return copies

    def answers(self, engagements: Engagements, gone: list[str]) -> list[object]:
        others = [user for user in USERS if user not in gone]
        return [
            (engagements.questions.ranking(user), engagements.questions.statistics(user))
            for user in others
        ]


@contextlib.contextmanager
def talking(folder: Path) -> Iterator[BusyLedger]:
    """A talk that goes on in its own threads."""
    talk = BusyLedger(folder, chance())
    talk.begin()
    with talk.engagements, ThreadPoolExecutor(RECORDERS + 1) as pool:
        doing = [pool.submit(talk.record, seed) for seed in range(RECORDERS)]
        doing.append(pool.submit(talk.ask, 0))
        try:
            yield talk
        finally:
            talk.stop.set()
        *refused, asked = [each.result() for each in doing]
        tell(f"{sum(refused)} messages refused, {asked} times asked meanwhile")


@pytest.mark.long
def test_no_byte_of_the_forgotten_is_left_and_the_others_are_as_if_they_never_were(tmp_path):
    with talking(tmp_path) as talk:
        gone = talk.dice.sample(USERS, 20)
        assert talk.forget(gone) == 0
        talk.end()
        replayed = talk.engagements.maintenance.replay(repair=False, progress=lambda _: None)
        assert replayed.difference is None
        answers = talk.answers(talk.engagements, gone)
        assert not any(talk.engagements.questions.ranking(user) for user in gone)
        secret = talk.engagements.ledger._appender.secret
    # Also in what was written since, and after the ledger was closed.
    needles = [needle for user in gone for needle in needles_of(secret, user)]
    assert found(tmp_path, needles) == 0
    control = tmp_path / "control"
    control.mkdir()
    with Engagements(f"sqlite:///{control}/ledger.db", clock=talk.clock) as engagements:
        engagements.ledger.record_many([each for each in talk.messages if each.user_id not in gone])
        assert talk.answers(engagements, gone) == answers


FAULTS = {
    "the log is not cut": "truncate_log",
    "rows are only deleted": "vacuum",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_trial_sees_when_a_step_is_left_out(tmp_path, fault):
    careless = tuple(each for each in sqlite._PRAGMAS if not each.startswith("secure_delete"))
    with (
        mock.patch.object(sqlite, "_PRAGMAS", (*careless, "secure_delete=OFF")),
        mock.patch.object(Database, FAULTS[fault]),
        talking(tmp_path) as talk,
    ):
        assert talk.forget(talk.dice.sample(USERS, 3)) > 0
