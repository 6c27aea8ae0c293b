"""`engagement verify` names what is damaged and what to do, and says nothing of a sound ledger."""

import datetime as dt
import os
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from unittest import mock

import pytest

from bot.jobs import EngagementJobs
from bot.spool.spool_file import Spool, Waiting
from ledger.errors import LedgerDamagedError
from ledger.instants import DAY
from ledger.store.compaction import Compaction, Compactor
from ledger.store.database import Database
from ledger.store.job_runs import JobRuns
from ledger.store.rows import checksum
from ledger.store.sqlite import StoreDamagedError, StoreFullError, StoreUnavailableError
from ledger.verification.findings import Finding
from ledger.verification.truth import found
from projections.read_model.compare import Verification, verify
from projections.read_model.tables import metadata as derived_tables
from tests.store.test_rows import CHECKED, unsound
from tests.support.command_line import CommandLine
from tests.support.every_write import compact, record, write_everything
from tests.support.sealed_ledgers import opened
from tests.support.strategies import Clock
from tests.support.trials.bit_flips import AGAIN


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    """The folder of a ledger with some of everything, sealed and hot."""
    folder: Path = tmp_path_factory.mktemp("sound")
    clock = Clock()
    with opened(folder, clock) as engagements:
        write_everything(engagements, clock, Random(1))
        record(engagements, clock, Random(2))
        compact(engagements, clock, Random(3))
        for seed in range(4):
            record(engagements, clock, Random(seed))
        engagements.ledger.record(AGAIN)
        engagements.maintenance.replays.begin("beside")
        engagements.maintenance.replays.fold("beside")
        engagements.ledger.fold()
    return folder


@pytest.fixture
def path(sound, tmp_path) -> Path:
    """A copy of its database, beside an archive with the same files."""
    path: Path = tmp_path / "ledger.db"
    path.write_bytes((sound / "ledger.db").read_bytes())
    archive = "ledger.db.archive"
    shutil.copytree(sound / archive, tmp_path / archive, copy_function=os.link)
    return path


def findings(path: Path) -> list[str]:
    database = Database(f"sqlite:///{path}")
    found = [each.says for each in verify(database).findings]
    database.close()
    return found


def damage(path: Path, *statements: str) -> None:
    """Change rows behind the back of triggers and constraints."""
    with closing(sqlite3.connect(path)) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        guards = triggers.fetchall()
        for name, _ in guards:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        for _, sql in guards:
            connection.execute(sql)
        connection.commit()


def test_a_sound_ledger_is_verified_and_stays_as_it_is(path):
    before = path.read_bytes()
    cli = CommandLine(path.parent)
    done = cli("verify")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("no damage found: ")
    assert path.read_bytes() == before
    assert cli("verify", "--json").json["findings"] == []


def test_a_lost_ledger_is_told_from_one_that_was_never_there(path):
    path.unlink()
    done = CommandLine(path.parent)("verify")
    assert (done.code, done.out) == (1, "")
    assert "is missing or empty, but an archive" in done.err
    assert "engagement init" not in done.err


@pytest.mark.parametrize(
    ("error", "is_damage"),
    [
        (StoreUnavailableError("the ledger's database failed: disk I/O error"), False),
        (StoreFullError("the disk that holds the ledger is full"), False),
        (StoreDamagedError("a text in it is not in UTF-8"), True),
        (ValueError("of damaged data"), True),
    ],
)
def test_what_cannot_be_read_for_now_is_not_called_damaged(error, is_damage):
    (only,) = found("the rows", mock.Mock(side_effect=error))
    assert "could not be completed" in only.says
    assert ("restore a backup" in only.says) == is_damage
    assert ("`engagement doctor`" in only.says) != is_damage


DAMAGES = {
    "an event": "UPDATE events SET issue_id = 'AI-99' WHERE position = (SELECT max(position) - 1 FROM events)",  # noqa: E501 - one statement
    "an event's type": "UPDATE events SET recorded_at = 'x' WHERE kind = 1",
    "a text that is no UTF-8": "UPDATE events SET issue_id = CAST(x'ff41' AS TEXT) WHERE kind = 1",
    "a lost event": "DELETE FROM events WHERE position = (SELECT max(position) FROM events)",
    "the head": "UPDATE head SET position = position + 1",
    "a version": "UPDATE streams SET version = version + 1 WHERE version > 0",
    "an account": "UPDATE accounts SET user_id = user_id || 'x'",
    "a place": "UPDATE places SET chat_id = chat_id || '7' WHERE chat_id NOT NULL",
    "an alias": "UPDATE aliases SET place = 1",
    "an opt-out": "UPDATE opt_outs SET before_at = before_at + 1",
    "a job's day": "UPDATE job_runs SET counted = counted + 1",
    "a segment": "UPDATE segments SET events = events + 1",
    "a source key": "UPDATE sources SET position = position - 1 WHERE position > 5",
    "a lost source key": "DELETE FROM sources WHERE position = (SELECT max(position) FROM sources)",
    "an origin": "UPDATE origins SET context = context || 'x' WHERE context NOT NULL",
    "an origin without an event": "INSERT INTO origins VALUES (100000, zeroblob(16), 'x', NULL, 'y')",  # noqa: E501 - one statement
    "a snapshot": "UPDATE snapshots SET state = x'00'",
    "a follower": "UPDATE tracking SET position = position + 1",
    "the digests' key": "UPDATE ledger SET digest_key = zeroblob(32)",
    "the read model": "UPDATE engagements SET mentions = mentions + 1",
    "what is sealed": "UPDATE sealed_engagements SET views = views + 1",
    "a replay beside": "UPDATE replay_beside SET views = views + 1",
    "a title": "UPDATE linear_texts SET text = text || 'x'",
    "a link": "UPDATE linear_links SET expires_at = 1",
    "an issue's key": "UPDATE issue_keys SET position = position + 1",
    "a lost key of an issue": "DELETE FROM issue_keys WHERE key = 'AI-1'",
    "an issue's latest observation": "UPDATE latest_observations SET said_at = said_at + 1",
    "the view": "DROP VIEW issue_engagements",
}


@pytest.mark.parametrize("statement", DAMAGES.values(), ids=list(DAMAGES))
def test_damage_is_named_with_what_to_do(path, statement):
    damage(path, statement)
    done = CommandLine(path.parent)("verify")
    assert done.code == 1
    assert done.out == ""
    for line in done.errors:
        assert line.startswith("error: "), line
        assert "backup" in line or "--repair" in line or "replay drop beside" in line, line
        assert all(word not in line for word in ("ana", "Zoë", "what of it?", "4711")), line


def test_a_trigger_that_is_missing_is_found(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TRIGGER events_are_never_updated")
        connection.commit()
    (found,) = findings(path)
    assert "events_are_never_updated is missing" in found


def test_an_index_that_is_not_that_of_its_table_is_found(path):
    two = "name IN ('engagements_by_score', 'engagements_by_issue')"
    other = f"(SELECT sum(rootpage) FROM sqlite_master WHERE {two}) - rootpage"  # noqa: S608 - our own words
    swap = f"UPDATE sqlite_master SET rootpage = {other} WHERE {two}"  # noqa: S608 - our own words
    damage(path, "PRAGMA writable_schema = ON", swap)
    assert any(each.startswith("engagements: ") for each in findings(path))


def test_damage_that_has_a_right_checksum_is_found_by_what_rows_say_of_each_other(path):
    with closing(sqlite3.connect(path)) as connection:
        row = connection.execute("SELECT * FROM streams WHERE version > 3").fetchone()
    number, originator, version, _ = row
    higher = version + 100  # than that of any hot event
    new = checksum("streams", (number, originator, higher))
    wrong = f"UPDATE streams SET version = {higher}, checksum = {new} WHERE id = {number}"  # noqa: S608 - numbers
    damage(path, wrong)
    (found,) = findings(path)
    assert found.startswith(f"streams: stream {number} ends at version {higher}")


def test_a_segment_that_is_missing_or_damaged_is_found(path):
    archive = path.with_name("ledger.db.archive")
    for each in list(archive.iterdir()):
        data = bytearray(each.read_bytes())
        data[len(data) // 2] ^= 1
        each.unlink()  # the file belongs to the other archive, too
        each.write_bytes(data)
    assert any("the archive's file" in each for each in findings(path))
    for each in archive.iterdir():
        each.unlink()
    assert any("is missing" in each for each in findings(path))


def no_database(path: Path) -> None:
    path.write_bytes(b"x" * 8192)


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def a_page_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4096])


@pytest.mark.parametrize("harm", [no_database, torn, a_page_short])
def test_a_file_that_is_not_whole_is_found(path, harm: Callable[[Path], None]):
    harm(path)
    done = CommandLine(path.parent)("verify")
    assert (done.code, done.out) == (1, "")
    assert "the database's file: " in done.err


def test_rows_without_checksums_get_them_once_nothing_is_found(path):
    cli = CommandLine(path.parent)
    nulls = [f"UPDATE {each.name} SET checksum = NULL" for each in CHECKED]  # noqa: S608 - our own names
    damage(path, *nulls, "UPDATE head SET sources_sum = NULL")
    damage(path, "UPDATE engagements SET views = views + 1")
    assert cli("verify").code == 1
    assert {table for table, _ in unsound(path)} >= {"events", "sources"}
    damage(path, "UPDATE engagements SET views = views - 1")
    done = cli("verify")
    assert done.code == 0
    assert "got their checksums" in done.err
    assert unsound(path) == []
    assert cli("verify").err == ""


def test_doctor_looks_for_damage_when_asked_to(path):
    cli = CommandLine(path.parent)
    assert cli("doctor", "--deep").out.count("none in ") == 1
    damage(path, "UPDATE job_runs SET counted = counted + 1")
    assert cli("doctor").code == 0
    done = cli("doctor", "--deep")
    assert done.code == 1
    assert "job_runs: row number 1 is not what was written" in done.out


# --- nothing makes damage the truth --------------------------------------------------------------

ANOTHER_ISSUE = "UPDATE events SET issue_id = 'AI-77' WHERE position = (SELECT max(position) FROM events WHERE kind = 1)"  # noqa: E501 - one statement


def test_a_repair_is_refused_where_what_happened_is_damaged(path):
    damage(path, ANOTHER_ISSUE, "UPDATE engagements SET views = views + 1")
    before = path.read_bytes()
    done = CommandLine(path.parent)("replay", "--repair")
    assert done.code == 1
    assert "the ledger is damaged: events: the row with the position" in done.err
    assert path.read_bytes() == before


def test_a_repair_mends_what_is_derived(path):
    damage(path, "UPDATE engagements SET views = views + 1")
    cli = CommandLine(path.parent)
    assert cli("replay", "--repair").code == 0
    assert findings(path) == []


DERIVED = (
    "engagements_by_issue",
    "engagements_by_rank",
    "replay_beside",
    "engagements_2_by_score",
    "read_models",
)


@pytest.mark.parametrize("name", DERIVED)
def test_a_damaged_page_of_what_is_derived_is_mended_as_the_finding_says(path, name):
    count_the_cells_of_its_page_wrong(path, name)
    (found,) = findings(path)
    (command,) = re.findall(r"`engagement (replay [^`]*)`", found)
    done = CommandLine(path.parent)(*command.split())
    assert (done.code, done.err) == (0, "")
    assert findings(path) == []


def count_the_cells_of_its_page_wrong(path: Path, name: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        query = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        (page,) = connection.execute(query, (name,)).fetchone()
    content = bytearray(path.read_bytes())
    content[(page - 1) * size + 4] ^= 1
    path.write_bytes(content)


def test_a_switch_is_refused_where_what_happened_is_damaged(path):
    damage(path, ANOTHER_ISSUE)
    cli = CommandLine(path.parent)
    assert cli("replay", "--into", "other").code == 1
    done = cli("replay", "switch", "other", "--different")
    assert (done.code, done.out) == (1, "")
    assert "the ledger is damaged" in done.err


def test_a_lost_read_model_is_not_made_anew_of_damage(path):
    damage(path, ANOTHER_ISSUE, "DROP VIEW issue_engagements", "DROP TABLE engagements")
    done = CommandLine(path.parent)("top", "ana")
    assert (done.code, done.out) == (1, "")
    assert "the ledger is damaged" in done.err


@pytest.mark.parametrize("lost", [each.name for each in derived_tables.sorted_tables])
def test_a_lost_derived_table_is_named_and_made_anew(path, lost):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"DROP TABLE {lost}")
    found = verify(Database(f"sqlite:///{path}")).findings
    assert lost in {each.where for each in found}
    assert all("missing" in each.says for each in found), found
    assert CommandLine(path.parent)("top", "ana").code == 0
    assert not verify(Database(f"sqlite:///{path}")).findings


def test_damage_is_not_sealed(path):
    damage(path, ANOTHER_ISSUE)
    with closing(sqlite3.connect(path)) as connection:
        before = connection.execute("SELECT * FROM segments").fetchall()
    done = CommandLine(path.parent)("compact", "--all")
    assert done.code == 1
    assert "is not what was written; nothing is sealed" in done.err
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT * FROM segments").fetchall() == before


def test_a_damaged_place_is_not_sealed(path):
    damage(path, "UPDATE places SET place = zeroblob(16) WHERE id = 1")
    done = CommandLine(path.parent)("compact", "--all")
    assert done.code == 1
    assert "a row of the table places is not what was written" in done.err


def test_the_weekly_cleanup_seals_nothing_of_a_damaged_ledger(path, caplog, monkeypatch):
    sealed: list[int] = []

    def compact(_: Compactor, through: int) -> Compaction:
        sealed.append(through)
        return Compaction()

    monkeypatch.setattr(Compactor, "compact", compact)
    clock = Clock()
    clock.move(6 * DAY)
    damage(path, "UPDATE job_runs SET counted = counted + 1")
    with opened(path.parent, clock) as engagements:
        EngagementJobs(engagements, dt.UTC).cleanup()
    assert sealed == []
    assert "damaged" in caplog.messages
    damage(
        path,
        "UPDATE job_runs SET counted = counted - 1",
        "DELETE FROM job_runs WHERE job <> 'decay'",
    )
    with opened(path.parent, clock) as engagements:
        EngagementJobs(engagements, dt.UTC).cleanup()
    assert len(sealed) == 1


def test_each_kind_of_damage_is_told_once_until_it_is_gone(path, monkeypatch):
    found: list[Finding] = []
    clock, told = Clock(), list[str]()
    with opened(path.parent, clock) as engagements:
        monkeypatch.setattr(engagements.maintenance, "verify", lambda: Verification(0, 0, 0, found))
        jobs = EngagementJobs(engagements, dt.UTC)
        jobs.on_damage = told.append
        for week in ("A1 A2", "A1 B1", "", "A3"):
            found[:] = [Finding(each[0], each) for each in week.split()]
            clock.move(7 * DAY)
            jobs.cleanup()
    assert told == ["A1", "B1", "A3"]


# --- what cannot be read -------------------------------------------------------------------------

UNREADABLE = {
    "a place": ("UPDATE places SET place = substr(place, 1, 3)", ("history", "Zoë")),
    "a policy": ("UPDATE head SET policy_version = 9", ("top", "ana")),
    "a segment": ("UPDATE segments SET events = 'many'", ("archive", "list")),
    "a certificate": ("UPDATE segments SET certificates = '['", ("archive", "check")),
    "a text": ("UPDATE origins SET context = CAST(x'77686174ff' AS TEXT)", ("history", "Zoë")),
    "a schema": (
        "UPDATE sqlite_master SET sql = 'x' WHERE name = 'engagements_by_score'",
        ("top", "ana"),
    ),
}


@pytest.mark.parametrize(("harm", "command"), UNREADABLE.values(), ids=list(UNREADABLE))
def test_what_cannot_be_read_is_named_in_a_sentence(path, harm, command):
    damage(path, "PRAGMA writable_schema = ON", harm)
    done = CommandLine(path.parent)(*command)
    assert done.code == 1
    (error,) = done.errors
    assert error.startswith("error: the ledger is damaged: ")
    assert "`engagement verify`" in error
    assert "what of it" not in error
    assert "what\\xff" not in error


def test_a_day_that_is_none_is_named(path):
    damage(path, "UPDATE job_runs SET day = 'x' || day")
    with closing(Database(f"sqlite:///{path}")) as database:
        with pytest.raises(LedgerDamagedError, match="the day of a job"):
            JobRuns(database).days("decay")
        with pytest.raises(LedgerDamagedError, match="the day of a job"):
            JobRuns(database).last("decay")


def test_a_backup_that_sqlite_made_is_sound(path, tmp_path):
    backup = tmp_path / "backup.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM INTO ?", (str(backup),))
    (tmp_path / "backup.db.archive").symlink_to(tmp_path / "ledger.db.archive")
    assert findings(backup) == []


def test_a_ledger_that_is_written_meanwhile_is_sound(path):
    clock = Clock()
    clock.move(9 * DAY)
    with opened(path.parent, clock) as engagements:
        assert engagements.maintenance.verify().findings == []
        record(engagements, clock, Random(5))
        assert engagements.maintenance.verify().findings == []


# --- files next to the database ------------------------------------------------------------------


def test_barriers_and_waiting_entries_are_verified_and_stay_as_they_are(path):
    cli = CommandLine(path.parent)
    assert cli("forget", "4711", "--yes").code == 0
    spool = Spool(path.parent / "ledger.db.spool-7")
    spool.append([Waiting(AGAIN)] * 3)
    spool.close()
    assert cli("verify").code == 0
    barriers = path.parent / "ledger.db.barriers"
    lines = {barriers: -2, spool.path: 20}
    for file, place in lines.items():
        content = bytearray(file.read_bytes())
        content[place] ^= 1
        file.write_bytes(content)
    before = [file.read_bytes() for file in lines]
    done = cli("verify")
    assert done.code == 1
    assert "ledger.db.barriers: 1 of its lines damaged or of another ledger" in done.err
    assert "ledger.db.spool-7: 1 line cannot be read" in done.err
    assert len(done.errors) == 2
    assert [file.read_bytes() for file in lines] == before
    assert [each["where"] for each in cli("verify", "--json").json["findings"]] == [
        "ledger.db.barriers",
        "ledger.db.spool-7",
    ]
    spool.drain(lambda _: None)
    assert "1 line set aside in ledger.db.spool-7.unreadable" in cli("verify").err
