"""Forgetting: no byte of the user is left, the events stay, and others notice nothing (R11)."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest

from ledger.commands import Hiding, Interaction, hiding_of, interaction_of
from ledger.errors import OptedOutError, TracesLeftError
from ledger.idempotency import SourceKey
from ledger.instants import moment_of
from ledger.store import sqlite
from ledger.store.database import Database
from ledger.store.sqlite import FileLock, StoreFullError, StoreUnavailableError
from projections.application import Engagements, IssueEngagementRepository
from tests.support.strategies import HOUR, NOON, Clock

USERS = [f"user-{number}-canary" for number in range(8)]
GONE = USERS[3]


@pytest.fixture
def engagements(tmp_path, clock) -> Iterator[Engagements]:
    """A ledger of eight users who talked in private and in a group, an hour ago."""
    with opened(tmp_path, clock) as opened_engagements:
        opened_engagements.ledger.record_many([said(user, n) for n in range(6) for user in USERS])
        opened_engagements.adjustments.override(GONE, "AI-1", 0.25)
        opened_engagements.ledger.record(hidden_by(GONE))
        name_all_users(opened_engagements)
        clock.move(HOUR)
        yield opened_engagements


def opened(folder: Path, clock: Clock, patience_seconds: float = 60) -> Engagements:
    url = f"sqlite:///{folder}/ledger.db"
    return Engagements(url, clock=clock, patience_seconds=patience_seconds)


def said(user: str, number: int) -> Interaction:
    return interaction_of(
        user,
        f"AI-{number % 3}",
        "query",
        occurred_at=moment_of(NOON),
        context=f"context of {user}",
        metadata={"said": f"metadata of {user}" * 60},
        chat_id=user if number % 2 else "-100",
        source_key=f"source of {user} {number}",
    )


def hidden_by(user: str) -> Hiding:
    key = SourceKey(f"hiding of {user}")
    return hiding_of(user, "AI-1", hidden=True, source_key=key)


def name_all_users(engagements: Engagements) -> None:
    engagements.ledger.name_users({user: f"name of {user}" for user in USERS})


def digests_of(folder: Path, user: str) -> list[bytes]:
    query = (
        "SELECT digest FROM sources JOIN events USING (position) JOIN accounts USING (stream) "
        "WHERE user_id = ?"
    )
    with closing(sqlite3.connect(folder / "ledger.db")) as connection:
        return [row[0] for row in connection.execute(query, (user,))]


def copies(folder: Path, *needles: bytes) -> int:
    """How often any of the needles stands in any file of the ledger."""
    contents = [path.read_bytes() for path in folder.iterdir() if path.is_file()]
    return sum(content.count(needle) for content in contents for needle in needles)


def answers(engagements: Engagements) -> list[object]:
    others = [user for user in USERS if user != GONE]
    return [
        (
            engagements.questions.top(user),
            engagements.questions.statistics(user),
            list(engagements.questions.history(user)),
        )
        for user in others
    ]


def accounts_and_places(engagements: Engagements, user: str) -> set[UUID | None]:
    events = [entry.event for entry in engagements.questions.history(user)]
    return {each.originator_id for each in events} | {
        getattr(each, "place", None) for each in events
    }


def test_no_byte_of_the_user_is_left(engagements, tmp_path):
    needles = [GONE.encode(), *digests_of(tmp_path, GONE)]
    assert len(needles) == 8
    assert copies(tmp_path, f"name of {GONE}".encode()) > 0
    assert all(copies(tmp_path, needle) for needle in needles)
    engagements.ledger.erase(GONE)
    assert copies(tmp_path, *needles) == 0
    engagements.close()
    assert copies(tmp_path, *needles) == 0


@pytest.mark.parametrize("step", ["vacuum", "truncate_log"])
def test_the_look_for_bytes_sees_when_a_step_is_left_out(engagements, tmp_path, monkeypatch, step):
    monkeypatch.setattr(Database, step, lambda _: None)
    if step == "vacuum":  # which only makes up for what secure_delete overlooks
        with engagements.ledger.database._writing() as connection:
            connection.execute("PRAGMA secure_delete=OFF").close()
    engagements.ledger.erase(GONE)
    assert copies(tmp_path, GONE.encode()) > 0


def test_secure_delete_is_on_for_the_writer(engagements):
    assert "secure_delete=ON" in sqlite._PRAGMAS
    with engagements.ledger.database._writing() as connection:
        assert connection.execute("PRAGMA secure_delete").fetchone() == (1,)


def test_the_events_stay_as_they_are(engagements):
    before = events(engagements)
    engagements.ledger.erase(GONE)
    assert events(engagements) == before


def events(engagements: Engagements) -> list[object]:
    with engagements.ledger.database.read() as connection:
        return list(connection.exec_driver_sql("SELECT * FROM events ORDER BY position"))


def test_no_other_user_notices(engagements):
    before = answers(engagements)
    engagements.ledger.erase(GONE)
    assert answers(engagements) == before
    engagements.ledger.fold()
    for repair in (False, True, False):
        replayed = engagements.maintenance.replay(repair=repair, progress=lambda _: None)
        assert (replayed.events, replayed.difference) == (6 * 7, None)
    assert answers(engagements) == before


def test_the_ledger_knows_nothing_of_the_user_any_more(engagements):
    engagements.ledger.erase(GONE)
    assert not engagements.questions.ranking(GONE)
    assert not engagements.questions.ranking(GONE, moment_of(NOON))
    assert not list(engagements.questions.history(GONE))
    assert engagements.questions.statistics(GONE).total_interactions == 0
    assert engagements.questions.ask(GONE, "AI-1").score.value == 0.5
    with engagements.ledger.database.read() as connection:
        query = "SELECT COUNT(DISTINCT user_id) FROM issue_engagements"
        assert connection.exec_driver_sql(query).scalar() == len(USERS) - 1


def test_what_comes_again_is_not_recorded(engagements):
    engagements.ledger.erase(GONE)
    outcomes = engagements.ledger.record_many([said(GONE, number) for number in range(9)])
    assert {type(outcome) for outcome in outcomes} == {OptedOutError}
    assert not engagements.questions.ranking(GONE)


def test_a_user_who_comes_back_has_a_new_account(engagements, clock):
    before = accounts_and_places(engagements, GONE)
    engagements.ledger.erase(GONE)
    back = interaction_of(GONE, "AI-1", "query", occurred_at=clock(), chat_id=GONE)
    engagements.ledger.record(back)
    assert accounts_and_places(engagements, GONE).isdisjoint(before)
    assert engagements.questions.ask(GONE, "AI-1").engagement.count == 1
    assert engagements.maintenance.replay(repair=False, progress=lambda _: None).difference is None


def test_an_unknown_user_is_barred_and_no_file_is_rewritten(engagements, clock, monkeypatch):
    monkeypatch.setattr(Database, "vacuum", _no_space)
    for _ in range(2):
        engagements.ledger.erase("unknown")
    assert engagements.ledger.is_opted_out("unknown", NOON)
    assert not engagements.ledger.is_opted_out("unknown", clock.at)


def test_a_user_who_is_no_user_id_is_refused(engagements):
    with pytest.raises(ValueError, match="user_id"):
        engagements.ledger.erase("")


def test_a_reader_that_holds_the_log_is_told_of_and_the_next_time_finishes(
    engagements, tmp_path, clock
):
    with opened(tmp_path, clock, 0.01) as hasty:
        with engagements.ledger.database.read() as connection:
            connection.exec_driver_sql("SELECT COUNT(*) FROM accounts").fetchall()
            with pytest.raises(TracesLeftError, match="erasing again"):
                hasty.ledger.erase(GONE)
            assert hasty.questions.ask(GONE, "AI-1").engagement.count == 0
            assert copies(tmp_path, GONE.encode()) > 0
        hasty.ledger.erase(GONE)
        assert copies(tmp_path, GONE.encode()) == 0


def test_a_full_disk_is_told_of_and_the_next_time_finishes(engagements, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Database, "vacuum", _no_space)
        with pytest.raises(TracesLeftError, match="disk is full"):
            engagements.ledger.erase(GONE)
    assert not engagements.questions.ranking(GONE)
    engagements.ledger.erase(GONE)
    assert copies(tmp_path, GONE.encode()) == 0


def test_once_the_bytes_are_gone_erasing_again_writes_no_file_anew(engagements, monkeypatch):
    engagements.ledger.erase(GONE)
    monkeypatch.setattr(Database, "vacuum", _no_space)
    engagements.ledger.erase(GONE)


def _no_space(_: Database) -> None:
    message = "the disk is full"
    raise StoreFullError(message)


KILLED = """
import os, signal, sys
from ledger.store.database import Database
from projections.application import Engagements
from tests.support.strategies import HOUR, Clock

url, user, step = sys.argv[1:]
setattr(Database, step, lambda _: os.kill(os.getpid(), signal.SIGKILL))
clock = Clock()
clock.move(HOUR)
Engagements(url, clock=clock).ledger.erase(user)
"""


@pytest.mark.parametrize("step", ["vacuum", "truncate_log"])
def test_a_kill_between_the_rows_and_the_bytes_is_mended_by_erasing_again(
    engagements, tmp_path, clock, step
):
    url = f"sqlite:///{tmp_path}/ledger.db"
    killed = subprocess.run([sys.executable, "-c", KILLED, url, GONE, step], check=False)
    assert killed.returncode == -9
    assert not engagements.questions.ranking(GONE)
    assert copies(tmp_path, GONE.encode()) > 0
    with opened(tmp_path, clock) as again:
        again.ledger.erase(GONE)
        assert copies(tmp_path, GONE.encode()) == 0


def test_what_was_forgotten_between_two_looks_is_not_shown(engagements):
    repository = IssueEngagementRepository(engagements)
    ranked = engagements.questions.ranking(GONE)
    engagements.ledger.erase(GONE)
    assert repository._shown(GONE, ranked) == []
    assert repository.get_engagement(GONE, "AI-1") is None


def test_what_is_forgotten_while_it_is_recorded_is_no_engagement(engagements, monkeypatch, clock):
    record = engagements.ledger.record

    def record_and_forget(entry: Interaction) -> None:
        record(entry)
        engagements.ledger.erase(GONE)

    monkeypatch.setattr(engagements.ledger, "record", record_and_forget)
    with pytest.raises(OptedOutError):
        IssueEngagementRepository(engagements).record_interaction(GONE, "AI-1", None, "view")


# --- patience ----------------------------------------------------------------------------------


def test_a_writer_waits_for_another_process_as_long_as_it_is_told(tmp_path, clock):
    refused = pytest.raises(StoreUnavailableError, match=r"for 0\.02 seconds")
    with opened(tmp_path, clock, 0.02) as hasty, FileLock(tmp_path / "ledger.db"), refused:
        hasty.ledger.record(said("4711", 1))


def test_the_patience_is_also_sqlites_for_the_writer_and_not_for_readers(tmp_path, clock):
    with opened(tmp_path, clock, 5) as patient:
        database = patient.ledger.database
        patient.ledger.erase("4711")
        with database.write() as writer:
            assert writer.exec_driver_sql("PRAGMA busy_timeout").scalar() == 5_000
        with database.read() as reader:
            assert reader.exec_driver_sql("PRAGMA busy_timeout").scalar() == 10_000
        database.truncate_log()
        with database.write() as writer:
            assert writer.exec_driver_sql("PRAGMA busy_timeout").scalar() == 5_000
