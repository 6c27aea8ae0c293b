"""Links: one to one, the newest in force, by a code that counts once, within an hour (R11)."""

import re
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ledger import store
from ledger.commands import FOREVER, OptOut
from ledger.errors import LedgerDamagedError, OptedOutError
from ledger.instants import Instant
from ledger.links import LENGTH, LETTERS, VALID_FOR
from ledger.observations import Person
from ledger.store import tables
from ledger.store.linear_links import Linked
from ledger.validation import UserId
from projections.application import Engagements
from tests.support.observations import observation, uuid
from tests.support.strategies import Clock

ANA, BOB = UserId("1001"), UserId("1002")
MIRA, NOOR = Person(uuid(1), "Mira Canary"), Person(uuid(2), "Noor Canary")


@pytest.fixture
def engagements(tmp_path, clock) -> Iterator[Engagements]:
    with opened(tmp_path, clock) as opened_engagements:
        yield opened_engagements


def opened(folder: Path, clock: Clock) -> Engagements:
    return Engagements(f"sqlite:///{folder}/ledger.db", clock=clock)


def who(engagements: Engagements, user_id: str) -> str | None:
    found = engagements.issues.linear_user(user_id)
    return None if found is None else found.linear_id


def rows(engagements: Engagements) -> int:
    with engagements.ledger.database.read() as connection:
        return len(connection.execute(tables.linear_links.select()).fetchall())


def is_sound(engagements: Engagements) -> bool:
    return not engagements.maintenance.verify().findings


# --- as a model ----------------------------------------------------------------------------------

users = st.sampled_from([ANA, BOB, UserId("1003")])
people = st.integers(1, 3).map(uuid).map(Person)


class Links(RuleBasedStateMachine):
    """Two dictionaries: who is who, and the codes that were not used yet."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.folder = tempfile.TemporaryDirectory()
        self.engagements = opened(Path(self.folder.name), self.clock)
        self.links = self.engagements.ledger.linear_links
        self.linked: dict[str, str] = {}
        self.pending: dict[str, tuple[str, Instant]] = {}
        self.forgotten: dict[str, Instant] = {}
        self.former: list[str] = ["link-" + LETTERS[0] * LENGTH]

    def teardown(self) -> None:
        assert is_sound(self.engagements)
        self.engagements.close()
        self.folder.cleanup()

    def _link(self, user: str, person: Person) -> str | None:
        former = next((each for each, of in self.linked.items() if of == person.id), None)
        if former is not None:
            del self.linked[former]
        self.linked[user] = person.id
        self._end(user)
        return None if former == user else former

    def _end(self, user: str) -> None:
        if user in self.pending:
            self.former.append(self.pending.pop(user)[0])

    @rule(user=users)
    def ask(self, user: UserId) -> None:
        self._end(user)
        self.pending[user] = self.links.new_code(user), self.clock.at

    @rule(user=users, person=people, late=st.sampled_from([0, VALID_FOR, VALID_FOR + 1]))
    def redeem(self, user: UserId, person: Person, late: int) -> None:
        """A webhook may come late: only when it was signed decides."""
        code, asked_at = self.pending.get(user, (self.former[-1], self.clock.at))
        said_at = Instant(asked_at + late)
        done = self.links.redeem(code, person, said_at)
        is_past = said_at < self.forgotten.get(person.id, 0)
        if user not in self.pending or late > VALID_FOR or is_past:
            assert done is None
        else:
            assert done == Linked(user, self._link(user, person))

    @rule(person=people, which=st.integers(0, 9))
    def redeem_what_has_ended(self, person: Person, which: int) -> None:
        code = self.former[which % len(self.former)]
        assert self.links.redeem(code, person, self.clock.at) is None

    @rule(user=users, person=people)
    def link(self, user: UserId, person: Person) -> None:
        assert self.links.link(user, person) == Linked(user, self._link(user, person))

    @rule(user=users)
    def unlink(self, user: UserId) -> None:
        assert self.links.unlink(user) == (self.linked.pop(user, None) is not None)
        self._end(user)

    @rule(user=users)
    def forget(self, user: UserId) -> None:
        self.clock.move(1)
        self.engagements.ledger.erase(user)
        self.linked.pop(user, None)
        self._end(user)

    @rule(person=people)
    def forget_in_linear(self, person: Person) -> None:
        self.clock.move(1)
        self.engagements.ledger.erase(person.user_id)
        self.forgotten[person.id] = self.clock.at
        for user in [each for each, of in self.linked.items() if of == person.id]:
            del self.linked[user]
            self._end(user)

    @invariant()
    def each_is_who_the_model_says(self) -> None:
        for user in (ANA, BOB, "1003"):
            assert who(self.engagements, user) == self.linked.get(user)
        assert len(set(self.linked.values())) == len(self.linked)
        assert rows(self.engagements) == len({*self.linked, *self.pending})
        assert self.engagements.ledger.size()[0] == 0


TestLinks = Links.TestCase
TestLinks.settings = settings(max_examples=12, stateful_step_count=20, deadline=None)


# --- codes ---------------------------------------------------------------------------------------


def test_a_code_outlives_a_restart_and_is_nowhere_in_the_files(tmp_path, clock):
    with opened(tmp_path, clock) as engagements:
        code = engagements.ledger.linear_links.new_code(ANA)
    with opened(tmp_path, clock) as engagements:
        assert code.encode() not in files(tmp_path)
        links = engagements.ledger.linear_links
        assert links.redeem(code, MIRA, clock.at) == Linked(ANA, None)
        assert who(engagements, ANA) == MIRA.id
        assert links.redeem(code, NOOR, clock.at) is None
        assert code.removeprefix("link-").encode() not in files(tmp_path)


def files(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())


def test_codes_are_long_and_each_is_another(engagements):
    codes = {engagements.ledger.linear_links.new_code(ANA) for _ in range(20)}
    assert len(codes) == 20
    assert len(LETTERS) ** LENGTH > 2**100
    assert all(re.fullmatch(rf"link-[{LETTERS}]{{{LENGTH}}}", each) for each in codes)


@pytest.mark.parametrize("late", [0, VALID_FOR, VALID_FOR + 1])
def test_a_code_ends_after_an_hour(engagements, clock, late):
    code = engagements.ledger.linear_links.new_code(ANA)
    done = engagements.ledger.linear_links.redeem(code, MIRA, Instant(clock.at + late))
    assert (done is None) == (late > VALID_FOR)


def test_another_ledger_does_not_know_the_code(tmp_path, engagements, clock):
    code = engagements.ledger.linear_links.new_code(ANA)
    (tmp_path / "other").mkdir()
    with opened(tmp_path / "other", clock) as other:
        other.ledger.linear_links.new_code(ANA)
        assert other.ledger.linear_links.redeem(code, MIRA, clock.at) is None


def test_a_wrong_code_writes_nothing(engagements, clock, monkeypatch):
    engagements.ledger.linear_links.new_code(ANA)
    monkeypatch.delattr("ledger.store.database.Database.write")
    code = "link-" + LETTERS[0] * LENGTH
    assert engagements.ledger.linear_links.redeem(code, MIRA, clock.at) is None


# --- people who want to be left alone ------------------------------------------------------------


def test_those_who_opted_out_are_not_linked(engagements, clock):
    links, record = engagements.ledger.linear_links, engagements.ledger.record
    code = links.new_code(ANA)
    record(OptOut(ANA, FOREVER))
    assert links.redeem(code, MIRA, clock.at) is None
    for refused in (lambda: links.new_code(ANA), lambda: links.link(ANA, MIRA)):
        with pytest.raises(OptedOutError):
            refused()
    code = links.new_code(BOB)
    record(OptOut(NOOR.user_id, FOREVER))
    assert links.redeem(code, NOOR, clock.at) is None
    assert (who(engagements, ANA), who(engagements, BOB)) == (None, None)


def test_a_backup_from_before_one_was_forgotten_links_no_user(tmp_path, clock):
    with opened(tmp_path, clock) as engagements:
        engagements.ledger.linear_links.link(ANA, MIRA)
        code = engagements.ledger.linear_links.new_code(ANA)
    backup = (tmp_path / "ledger.db").read_bytes()
    clock.move(1)
    with opened(tmp_path, clock) as engagements:
        engagements.ledger.erase(ANA)
    (tmp_path / "ledger.db").write_bytes(backup)
    with opened(tmp_path, clock) as engagements:
        assert who(engagements, ANA) is None
        assert engagements.ledger.linear_links.redeem(code, MIRA, clock.at) is None
        assert rows(engagements) == 0


def test_a_row_that_is_damaged_links_no_user(tmp_path, engagements, clock):
    code = engagements.ledger.linear_links.new_code(ANA)
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        connection.execute("UPDATE linear_links SET expires_at = expires_at + 1")
        connection.commit()
    with pytest.raises(LedgerDamagedError):
        engagements.ledger.linear_links.redeem(code, MIRA, clock.at)
    assert not is_sound(engagements)


# --- what is one's own ---------------------------------------------------------------------------


def test_a_persons_own_actions_and_issues_are_known_as_theirs(engagements, clock):
    record = engagements.ledger.record
    record(observation(1, updated_at=clock.at, actor=MIRA, assignee=NOOR))
    record(observation(1, updated_at=clock.at + 1, actor=NOOR, assignee=MIRA))
    engagements.ledger.linear_links.link(ANA, MIRA)
    me = engagements.issues.linear_user(ANA)
    assert me is not None
    assert me.name == MIRA.name
    database = engagements.ledger.database
    with database.read() as connection:
        latest, first = store.issue_streams.latest_first(connection, database)
    assert (me.did(latest), me.did(first)) == (False, True)
    issue = engagements.issues.issue("AI-1")
    assert issue is not None
    assert me.account == issue.at.assignee
    engagements.ledger.linear_links.link(ANA, NOOR)
    other = engagements.issues.linear_user(ANA)
    assert other is not None
    assert other.account != issue.at.assignee


# --- a process that dies -------------------------------------------------------------------------

DYING = """
import os, sys
from ledger.observations import Person
from ledger.store import linear_links
from tests.store.test_linear_links import MIRA, opened
from tests.support.strategies import Clock
from pathlib import Path

folder, code, moment = sys.argv[1:]
engagements = opened(Path(folder), Clock())
if moment == "before":
    linear_links.rename_users = lambda *_: os._exit(9)  # within the transaction, after its rows
engagements.ledger.linear_links.redeem(code, MIRA, Clock().at)
os._exit(9)
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_retry_finishes_what_a_killed_process_began(tmp_path, clock, moment):
    with opened(tmp_path, clock) as engagements:
        code = engagements.ledger.linear_links.new_code(ANA)
    dying = [sys.executable, "-c", DYING, str(tmp_path), code, moment]
    assert subprocess.run(dying, check=False).returncode == 9
    with opened(tmp_path, clock) as engagements:
        assert who(engagements, ANA) == (MIRA.id if moment == "after" else None)
        again = engagements.ledger.linear_links.redeem(code, MIRA, clock.at)
        assert (again is None) == (moment == "after")
        assert who(engagements, ANA) == MIRA.id
        assert is_sound(engagements)
