"""A database that is lost, emptied or older than its archive: nothing is begun, nothing is lost."""

import os
import shutil
from pathlib import Path

import pytest

from tests.support.command_line import DAY, CommandLine, CompletedCommand
from tests.support.sealed_ledgers import small_segments

SENTENCE = "is missing or empty, but an archive with 1 segment lies beside it: restore a backup"


def files(cli: CommandLine) -> list[str]:
    return sorted(path.name for path in cli.home.glob("ledger.db.archive/*.parquet"))


def lose(cli: CommandLine) -> None:
    for path in cli.home.glob("ledger.db*"):
        if path.is_file():
            path.unlink()


def empty(cli: CommandLine) -> None:
    lose(cli)
    cli.ledger.touch()


def words(done: CompletedCommand) -> str:
    """The output of a command, without the widths of its columns."""
    return " ".join(done.out.split())


@pytest.fixture
def sealed(ana: CommandLine) -> CommandLine:
    ana("compact", "--all")
    for path in ana.home.glob("ledger.db.archive/*"):
        os.utime(path, (0, 0))  # older than anything that is swept
    return ana


COMMANDS = (
    ("chat",),
    ("run", "--or-chat"),
    ("init",),
    ("record", "ana", "AI-1", "query"),
    ("import", "csv", "history.csv"),
    ("import", "csv", "history.csv", "--dry-run"),
    ("compact", "--all"),
    ("top", "ana"),
    ("verify",),
    ("archive", "recover"),
)


@pytest.mark.parametrize("how", [lose, empty])
def test_no_command_begins_a_ledger_beside_an_archive(sealed, how, monkeypatch):
    monkeypatch.chdir(sealed.home)
    Path("history.csv").write_text("occurred_at,user,issue_id,kind,context\n")
    before = files(sealed)
    how(sealed)
    for command in COMMANDS:
        done = sealed(*command)
        assert done.code == 1, command
        assert SENTENCE in done.err, command
        assert files(sealed) == before, command
        assert sealed.ledger.exists() == (how is empty), command


@pytest.mark.parametrize("how", [lose, empty])
@pytest.mark.parametrize("beside", ["archive", "-wal", ".barriers"])
def test_the_doctor_says_that_the_ledger_is_lost(sealed, how, beside):
    how(sealed)
    if beside != "archive":
        shutil.rmtree(sealed.home / "ledger.db.archive")
        (sealed.home / f"ledger.db{beside}").write_bytes(b"something")
    doctor = sealed("doctor", "--json")
    assert doctor.code == 1
    (finding,) = [each for each in doctor.json if each["check"] == "database"]
    assert finding["state"] == "bad"
    assert "is missing or empty, but " in finding["detail"]


def test_an_older_database_says_what_it_does_not_know_and_moves_it_aside(ana):
    shutil.copy(ana.ledger, ana.home / "old.db")
    ana("compact", "--all")
    shutil.copy(ana.ledger, ana.home / "new.db")
    sealed, history = files(ana), ana("history", "ana").out
    lose(ana)
    shutil.copy(ana.home / "old.db", ana.ledger)
    doctor = ana("doctor")
    assert doctor.code == 1
    assert "archive bad 1 file that this database does not know" in words(doctor)
    ana.now += DAY
    done = ana("compact")
    assert "; 1 file that the ledger does not know moved aside, see `engagement doctor`" in done.out
    assert files(ana) == []
    doctor = ana("doctor")
    assert doctor.code == 0
    assert "archive note 1 file moved aside in " in words(doctor)
    lose(ana)
    shutil.copy(ana.home / "new.db", ana.ledger)
    assert ana("history", "ana").out == history
    assert ana("archive", "recover").out == "restored 1 segment\n"
    assert files(ana) == sealed
    assert ana("doctor").code == 0


def test_what_can_be_brought_back_is_and_what_cannot_is_named(ana):
    with small_segments(2):
        ana("compact", "--all")
    assert ana("archive", "recover").out == "every segment is in its place\n"
    first, *others = files(ana)
    folder = ana.home / "ledger.db.archive"
    shutil.copy(folder / first, ana.home / "kept")
    (folder / first).unlink()
    done = ana("archive", "recover", "--json")
    assert (done.code, done.json) == (1, {"mended": [], "lost": [first]})
    assert f"no file of the archive holds the events of {first}; copy it from a backup" in done.err
    (folder / "unknown").mkdir()
    shutil.copy(ana.home / "kept", folder / "unknown" / f"{first}.7")
    assert ana("archive", "recover", "--json").json == {"mended": [first], "lost": []}
    assert files(ana) == [first, *others]
    (folder / first).unlink()
    shutil.copy(ana.home / "kept", folder / "unknown" / first)
    done = ana("compact")
    assert "; 1 segment restored" in done.out


def test_the_doctor_names_barriers_that_cannot_be_read(ana):
    (ana.home / "ledger.db.barriers").write_bytes(b"00000000 of another ledger\n")
    assert "barriers bad ledger.db.barriers: 1 of its lines damaged" in words(ana("doctor"))
    assert ana("top", "ana").code == 0


def test_a_deep_look_names_each_problem_once(sealed):
    (sealed.home / "ledger.db.barriers").write_bytes(b"00000000 of another ledger\n")
    sealed.home.joinpath("ledger.db.archive", files(sealed)[0]).unlink()
    done = sealed("doctor", "--deep", "--json")
    found = [each["detail"] for each in done.json if each["state"] == "bad"]
    assert done.code == 1
    for problem in ("ledger.db.barriers", "the archive's file"):
        assert sum(each.startswith(problem) for each in found) == 1, found


def test_a_compaction_tells_of_a_segment_that_it_cannot_bring_back(sealed):
    (path,) = sealed.home.glob("ledger.db.archive/*.parquet")
    path.write_bytes(path.read_bytes()[:-1])  # as of a copy that broke off
    done = sealed("compact", "--all")
    assert done.code == 1
    assert "1 segment missing or damaged, see `engagement archive recover`" in done.out
