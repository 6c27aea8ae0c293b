"""Barriers beside the database: the forgotten stay so, whichever backup is put back (R11)."""

import logging
import os
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.spool.spool_file import Spool, Waiting
from ledger.commands import FOREVER, Interaction, OptOut, interaction_of
from ledger.errors import LedgerUnavailableError, OptedOutError
from ledger.instants import DAY, Instant, moment_of
from ledger.store import erasure, opt_outs
from ledger.store.database import Database
from ledger.store.erasure import remove_traces
from ledger.store.opt_outs import Barrier, BarrierFile
from ledger.store.sqlite import FileLock, StoreUnavailableError
from ledger.validation import UserId
from projections.application import Engagements
from tests.support.sealed_ledgers import small_segments
from tests.support.strategies import HOUR, NOON, Clock

USERS = ("4711-canary", "42-canary", "Zoë-canary")
LEDGER, OTHER = b"l" * 16, b"o" * 16


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Path:
    """A ledger's folder, with a backup of the database from before any user was forgotten."""
    with opened(tmp_path, clock) as engagements:
        engagements.ledger.record_many([said(user, n) for n in range(4) for user in USERS])
        engagements.ledger.name_users({user: f"name of {user}" for user in USERS})
    clock.move(HOUR)
    shutil.copy(tmp_path / "ledger.db", tmp_path / "backup")
    return tmp_path


def opened(folder: Path, clock: Clock) -> Engagements:
    return Engagements(f"sqlite:///{folder}/ledger.db", clock=clock, patience_seconds=5)


def said(user: str, number: int) -> Interaction:
    return interaction_of(
        user,
        f"AI-{number % 3}",
        "query",
        occurred_at=moment_of(NOON),
        context=f"context of {user}",
        chat_id=user if number % 2 else "-100",
        source_key=f"source of {user} {number}",
    )


def put_back(folder: Path) -> None:
    for path in (folder / "ledger.db", *folder.glob("ledger.db-*")):
        path.unlink()
    shutil.copy(folder / "backup", folder / "ledger.db")


def opt(engagements: Engagements, user: str, before: Instant) -> None:
    engagements.ledger.record_many([OptOut(UserId(user), before)])


def traces(folder: Path, user: str) -> list[str]:
    """The files of the ledger that still hold anything of a user's."""
    files = (path for path in folder.glob("ledger.db*") if path.is_file())
    return [path.name for path in files if user.encode() in path.read_bytes()]


# --- backups that are put back -------------------------------------------------------------------


@pytest.mark.parametrize("sealed", ["hot", "sealed"])
def test_the_forgotten_are_forgotten_again(ledger, clock, sealed):
    gone, other = USERS[:2]
    if sealed == "sealed":
        with opened(ledger, clock) as engagements, small_segments(5):
            engagements.ledger.compactor.compact(100)
        shutil.copy(ledger / "ledger.db", ledger / "backup")
    with opened(ledger, clock) as engagements:
        engagements.ledger.erase(gone)
        before = [list(engagements.questions.history(other)), engagements.questions.ranking(other)]
        events = list(engagements.ledger.recorder.select_notifications(1, 100))
    put_back(ledger)
    assert traces(ledger, gone)
    with opened(ledger, clock) as engagements:
        assert traces(ledger, gone) == []
        assert not list(engagements.questions.history(gone))
        assert not engagements.questions.ranking(gone)
        assert engagements.ledger.knows(gone)
        with pytest.raises(OptedOutError):
            engagements.ledger.record(said(gone, 9))
        assert [
            list(engagements.questions.history(other)),
            engagements.questions.ranking(other),
        ] == before
        assert list(engagements.ledger.recorder.select_notifications(1, 100)) == events
        assert (
            engagements.maintenance.replay(repair=False, progress=lambda _: None).difference is None
        )
    assert traces(ledger, gone) == []


def test_an_older_database_that_lacks_a_merged_segment_forgets_too(ledger, clock):
    """Which words are the user's is said by a segment whose file went since."""
    with opened(ledger, clock) as engagements, small_segments(5):
        engagements.ledger.compactor.compact(100)
    shutil.copy(ledger / "ledger.db", ledger / "backup")
    with opened(ledger, clock) as engagements:
        engagements.ledger.compactor.merge()
        clock.move(2 * HOUR)
        engagements.ledger.compactor.compact(0)
        assert len(engagements.ledger.archive.files.in_place()) == 1
        engagements.ledger.erase(USERS[0])
    put_back(ledger)
    with opened(ledger, clock) as engagements:
        assert not list(engagements.questions.history(USERS[0]))
        assert len(list(engagements.questions.history(USERS[1]))) == 4
    assert traces(ledger, USERS[0]) == []


@pytest.mark.parametrize(
    ("steps", "refused"),
    [
        (["out"], True),
        (["out", "in"], False),
        (["out", "in", "out"], True),
        (["erase"], False),
        (["out", "erase", "in"], False),
        (["erase", "out"], True),
    ],
)
def test_the_last_word_of_a_user_counts(ledger, clock, steps, refused):
    user = USERS[0]
    with opened(ledger, clock) as engagements:
        for step in steps:
            clock.move(HOUR)
            if step == "erase":
                engagements.ledger.erase(user)
            else:
                opt(engagements, user, FOREVER if step == "out" else clock.at)
        rows = barriers_of(ledger)
    put_back(ledger)
    for _ in range(2):
        with opened(ledger, clock) as engagements:
            assert barriers_of(ledger) == rows
            assert engagements.ledger.is_opted_out(user, Instant(clock.at + DAY)) == refused
            assert engagements.ledger.is_opted_out(user, NOON)


def barriers_of(folder: Path) -> set[tuple[object, ...]]:
    query = "SELECT user_digest, before_at, erased_at, traces FROM opt_outs"
    with closing(sqlite3.connect(folder / "ledger.db")) as connection:
        return set(connection.execute(query))


def test_an_earlier_versions_barriers_are_put_into_the_file(ledger, clock):
    with opened(ledger, clock) as engagements:
        opt(engagements, USERS[1], FOREVER)
        engagements.ledger.erase(USERS[0])
        rows = barriers_of(ledger)
    (ledger / "ledger.db.barriers").unlink()
    opened(ledger, clock).close()
    put_back(ledger)
    with opened(ledger, clock):
        assert barriers_of(ledger) == rows


def test_a_ledger_that_can_only_be_read_needs_no_file_of_barriers(ledger, clock, monkeypatch):
    with opened(ledger, clock) as engagements:
        opt(engagements, USERS[1], FOREVER)
    (ledger / "ledger.db.barriers").unlink()
    monkeypatch.setattr(FileLock, "__enter__", cannot_lock)
    with opened(ledger, clock) as engagements:
        assert engagements.ledger.is_opted_out(USERS[1], clock.at)


def test_who_is_forgotten_while_another_is_forgotten_again_is_forgotten_too(
    ledger, clock, monkeypatch
):
    with opened(ledger, clock) as engagements:
        engagements.ledger.erase(USERS[0])
        engagements.ledger.erase(USERS[1])
    put_back(ledger)
    file = ledger / "ledger.db.barriers"
    first, *others = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(first)

    def meanwhile(database: Database) -> None:
        file.write_bytes(b"".join([first, *others]))
        remove_traces(database)

    with monkeypatch.context() as patch:
        patch.setattr(erasure, "remove_traces", meanwhile)
        opened(ledger, clock).close()
    with opened(ledger, clock) as engagements:
        assert not list(engagements.questions.history(USERS[1]))


def test_no_question_is_answered_where_a_barrier_cannot_be_put(ledger, clock, monkeypatch):
    with opened(ledger, clock) as engagements:
        engagements.ledger.erase(USERS[0])
    put_back(ledger)
    with monkeypatch.context() as patch:
        patch.setattr(FileLock, "__enter__", cannot_lock)
        with pytest.raises(LedgerUnavailableError, match="lacks barriers of people who opted out"):
            opened(ledger, clock)
    opened(ledger, clock).close()
    monkeypatch.setattr(FileLock, "__enter__", cannot_lock)
    with opened(ledger, clock) as engagements:  # nothing is lacking now
        assert not list(engagements.questions.history(USERS[0]))


def cannot_lock(_: FileLock) -> None:
    raise StoreUnavailableError("cannot write beside the ledger")


def test_who_is_forgotten_again_though_bytes_are_left_is_barred_and_can_be_erased_again(
    ledger, clock, monkeypatch
):
    with opened(ledger, clock) as engagements:
        engagements.ledger.erase(USERS[0])
    put_back(ledger)
    with monkeypatch.context() as patch:
        patch.setattr(Database, "vacuum", fails)
        with opened(ledger, clock) as engagements:
            assert not list(engagements.questions.history(USERS[0]))
    assert [has_traces for *_, has_traces in barriers_of(ledger)] == [1]
    with opened(ledger, clock) as engagements:
        engagements.ledger.erase(USERS[0])
        assert traces(ledger, USERS[0]) == []


def test_a_kill_before_the_barrier_is_noted_forgets_again(ledger, clock, monkeypatch):
    with opened(ledger, clock) as engagements:
        engagements.ledger.erase(USERS[0])
    put_back(ledger)
    with monkeypatch.context() as patch:
        patch.setattr(erasure, "remove_traces", killed)
        with pytest.raises(KeyboardInterrupt):
            opened(ledger, clock)
    opened(ledger, clock).close()
    assert traces(ledger, USERS[0]) == []


def test_a_ledger_that_is_open_does_not_go_on_in_a_backup_that_is_put_in_its_place(ledger, clock):
    with opened(ledger, clock) as asked, opened(ledger, clock) as engagements:
        engagements.ledger.erase(USERS[0])
        put_back(ledger)
        for each in (asked, engagements):
            for _ in range(2):
                with pytest.raises(LedgerUnavailableError, match="replaced while it was open"):
                    each.questions.ranking(USERS[0])
                with pytest.raises(LedgerUnavailableError, match="replaced while it was open"):
                    each.ledger.record(said(USERS[1], 9))
    with opened(ledger, clock) as engagements:
        assert not engagements.questions.ranking(USERS[0])


def test_a_ledger_whose_file_goes_while_it_is_open_does_not_make_another(ledger, clock):
    with opened(ledger, clock) as engagements:  # which has only read so far
        for path in ledger.glob("ledger.db*"):
            path.unlink()
        with pytest.raises(LedgerUnavailableError, match="replaced while it was open"):
            engagements.ledger.record(said(USERS[1], 9))
    assert not (ledger / "ledger.db").exists()


def test_what_waits_in_a_spool_is_recorded_only_where_no_barrier_stands(ledger, clock):
    spool = Spool(ledger / "spool")
    with opened(ledger, clock) as engagements:
        spool.append([Waiting(said(user, 9)) for user in USERS])
        engagements.ledger.erase(USERS[0])
    put_back(ledger)
    with opened(ledger, clock) as engagements:
        entries: list[Waiting] = []
        spool.drain(entries.extend)
        waited = [cast("Interaction", each.entry) for each in entries]
        outcomes = engagements.ledger.record_many(waited)
        assert [isinstance(each, OptedOutError) for each in outcomes] == [True, False, False]
        assert not list(engagements.questions.history(USERS[0]))


def fails(_: Database) -> None:
    raise StoreUnavailableError("no room")


def killed(_: Database) -> None:
    raise KeyboardInterrupt


# --- before it commits ---------------------------------------------------------------------------


def test_what_cannot_be_noted_beside_the_database_is_not_done(ledger, clock, monkeypatch):
    with opened(ledger, clock) as engagements:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", no_disk)
            with pytest.raises(LedgerUnavailableError, match="barriers beside the ledger cannot"):
                engagements.ledger.erase(USERS[0])
            with pytest.raises(LedgerUnavailableError, match="barriers beside the ledger cannot"):
                opt(engagements, USERS[1], FOREVER)
        assert len(list(engagements.questions.history(USERS[0]))) == 4
        assert not engagements.ledger.is_opted_out(USERS[1], clock.at)


def no_disk(_: int) -> None:
    raise OSError(5, "Input/output error")


def test_a_barrier_is_noted_before_it_commits(ledger, clock, monkeypatch):
    with opened(ledger, clock) as engagements:
        with monkeypatch.context() as patch:
            patch.setattr("ledger.store.erasure.OptOuts.has_traces", killed_at)
            with pytest.raises(KeyboardInterrupt):
                engagements.ledger.erase(USERS[0])
        assert len(list(engagements.questions.history(USERS[0]))) == 4
    with opened(ledger, clock) as engagements:
        assert not list(engagements.questions.history(USERS[0]))


def test_a_barrier_is_on_the_disk_when_it_is_noted(tmp_path, synced, monkeypatch):
    file = BarrierFile(tmp_path / "barriers")
    file.append(LEDGER, {b"d" * 16: Barrier(FOREVER)})
    assert synced == [file.path, tmp_path]
    synced.clear()
    monkeypatch.setattr(opt_outs, "GROWN", -1)
    file.compact(LEDGER, noted := file.read(LEDGER))
    assert synced == [file.path.with_name("barriers.unfinished"), tmp_path]
    monkeypatch.setattr(os, "fsync", no_disk)
    with pytest.raises(LedgerUnavailableError, match="cannot be written"):
        file.compact(LEDGER, noted)


def killed_at(*_: object) -> bool:
    raise KeyboardInterrupt


def test_the_file_is_private_to_its_owner_and_names_no_user(ledger, clock):
    with opened(ledger, clock) as engagements:
        engagements.ledger.erase(USERS[0])
    path = ledger / "ledger.db.barriers"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"canary" not in path.read_bytes()


# --- the file ------------------------------------------------------------------------------------

digests = st.binary(min_size=16, max_size=16)
instants = st.integers(-(2**40), FOREVER).map(Instant)
noted = st.lists(
    st.tuples(
        st.sampled_from([bytes(16), b"\n" * 16, b" " * 16]),
        st.builds(Barrier, instants, st.none() | instants),
        st.sampled_from([LEDGER, LEDGER, LEDGER, OTHER]),
    ),
    max_size=12,
)


def in_force(lines: list[tuple[bytes, Barrier, bytes]]) -> dict[bytes, Barrier]:
    """The model: the last instant, and no earlier one than the last deletion."""
    found = {}
    for user in {digest for digest, _, ledger in lines if ledger == LEDGER}:
        own = [each for digest, each, ledger in lines if (digest, ledger) == (user, LEDGER)]
        erased = [each.erased_at for each in own if each.erased_at is not None]
        found[user] = Barrier(
            max([own[-1].before_at, *erased]) if len(own) > 1 else own[0].before_at,
            max(erased, default=None),
        )
    return found


@given(noted, st.data())
def test_what_is_noted_is_read_whatever_else_is_in_the_file(lines, data):
    with TemporaryDirectory() as folder:
        file = BarrierFile(Path(folder) / "barriers")
        torn = 0
        for digest, barrier, ledger in lines:
            file.append(ledger, {digest: barrier})
            if data.draw(st.booleans()):
                with file.path.open("ab") as add:
                    add.write(data.draw(st.sampled_from([b"torn", b"\xff\n", b"0 1 2 3 4\n"])))
                torn += 1
        others = sum(ledger == OTHER for _, _, ledger in lines)
        found = file.read(LEDGER)
        assert found.barriers == in_force(lines)
        assert len(found.unreadable) == torn + others
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(opt_outs, "GROWN", 0)
            file.compact(LEDGER, found)
        again = file.read(LEDGER)
        assert (again.barriers, again.unreadable) == (found.barriers, found.unreadable)
        assert again.lines == len(found.barriers) + len(found.unreadable)


@given(st.data())
def test_a_flipped_bit_is_never_believed(data):
    with TemporaryDirectory() as folder:
        file = BarrierFile(Path(folder) / "barriers")
        file.append(LEDGER, {bytes(16): Barrier(NOON), b"1" * 16: Barrier(FOREVER, NOON)})
        content = bytearray(file.path.read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        file.path.write_bytes(content)
        found = file.read(LEDGER)
        sound = {bytes(16): Barrier(NOON), b"1" * 16: Barrier(FOREVER, NOON)}
        assert found.barriers.items() < sound.items()
        assert found.unreadable


def test_where_a_line_is_damaged_the_stricter_barrier_counts(ledger, clock, caplog):
    user, path = USERS[0], ledger / "ledger.db.barriers"
    with opened(ledger, clock) as engagements:
        opt(engagements, user, FOREVER)
        opt(engagements, user, clock.at)
        opt(engagements, user, FOREVER)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b"x" + lines[2]]))
    with caplog.at_level(logging.WARNING), opened(ledger, clock) as engagements:
        assert engagements.ledger.is_opted_out(user, Instant(clock.at + DAY))
        assert "barriers that are damaged or another ledger's" in caplog.text


def test_the_file_is_written_anew_once_it_has_grown(ledger, clock, monkeypatch):
    monkeypatch.setattr(opt_outs, "GROWN", 3)
    with opened(ledger, clock) as engagements:
        for _ in range(4):
            opt(engagements, USERS[0], FOREVER)
            opt(engagements, USERS[0], clock.at)
        opt(engagements, USERS[0], FOREVER)
    opened(ledger, clock).close()
    assert len((ledger / "ledger.db.barriers").read_bytes().splitlines()) == 1
    put_back(ledger)
    with opened(ledger, clock) as engagements:
        assert engagements.ledger.is_opted_out(USERS[0], Instant(clock.at + DAY))


def test_a_row_that_a_flipped_bit_has_made_nulls_is_no_barrier():
    _, barrier = opt_outs._by_digest(*[None] * len(opt_outs._t.c))
    assert barrier is None
