"""Users: found by id or name, and forgotten and exported by operators."""

import json
import shutil
import stat
import zipfile
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from msgspec import UNSET

from bot.spool.spool_file import Spool, Waiting
from ledger.commands import interaction_of
from ledger.instants import Instant, instant_of, iso
from ledger.observations import Person
from projections.application import Engagements
from projections.application.audit_reader import read_audit
from tests.support.command_line import NOON, CommandLine, at
from tests.support.observations import observation, uuid
from tests.support.telegram.data_exports import exported

OF_A_USER = (
    ("score", "USER", "AI-1"),
    ("top", "USER"),
    ("stats", "USER"),
    ("engagements", "USER"),
    ("history", "USER"),
    ("explain", "USER", "AI-1"),
    ("timeline", "USER"),
    ("record", "USER", "AI-1", "query", "--key", "again"),
    ("report", "--user", "USER", "-o", "report.html"),
    ("set-score", "USER", "AI-1", "0.5"),
    ("export", "USER", "-o", "USER.zip"),
    ("forget", "USER", "--yes"),
)


@pytest.fixture(scope="module")
def folder_of_named(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger that is recorded once, and copied."""
    cli = CommandLine(tmp_path_factory.mktemp("named"))
    for user in ("1001", "1002", "1003", "sam canary"):
        cli("record", user, "AI-1", "query", "--at", at(3))
    cli("record", "1001", "AI-1", "query", "--key", "again")
    names = {"1001": "Ana Canary", "1002": "Sam", "1003": "SAM", "sam canary": "Zoë"}
    with Engagements(f"sqlite:///{cli.ledger}", clock=lambda: NOON) as engagements:
        engagements.ledger.name_users(names | {"1001": "Ana Canary"})
    return cli.home


@pytest.fixture
def named(cli: CommandLine, folder_of_named: Path, monkeypatch) -> CommandLine:
    """A user 1001 called Ana Canary, two who are called Sam, and one whose id is a name."""
    shutil.copytree(folder_of_named, cli.home, dirs_exist_ok=True)
    monkeypatch.chdir(cli.home)
    return cli


def called(words: tuple[str, ...], user: str) -> list[str]:
    return [word.replace("USER", user) for word in words]


@pytest.mark.parametrize("words", OF_A_USER, ids=lambda words: words[0])
def test_every_command_takes_an_id_or_a_name(named, words):
    for name in ("Sam", "@sam"):
        done = named(*called(words, name))
        assert (done.code, len(done.errors)) == (1, 1)
        assert "1002, 1003" in done.err
    by_name = named(*called(words, "ana canary"), "--json")
    assert by_name.code == 0
    if words[0] not in {"forget", "export", "set-score"}:
        assert by_name.out == named(*called(words, "1001"), "--json").out


def test_an_id_wins_over_a_name(named):
    with Engagements(f"sqlite:///{named.ledger}", clock=lambda: NOON) as engagements:
        engagements.ledger.name_users({"1001": "1002"})
    named("record", "1002", "AI-9", "view")
    assert named("top", "1002", "--json").json[0]["issue_id"] == "AI-9"


@pytest.mark.parametrize(
    "words", [each for each in OF_A_USER if each[0] != "record"], ids=lambda words: words[0]
)
def test_an_unknown_user_is_called_unknown(named, words):
    done = named(*called(words, "nobody"))
    assert done.code == 1
    assert done.err == "error: unknown user; `engagement users` lists all users\n"


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("ana", "Ana Canary"),
        ("@anna canary", "Ana Canary, Zoë"),
        ("canary", "Ana Canary, Zoë"),
        ("zoe", "Zoë"),
        ("Sma", "SAM"),
        ("Ána Kanary", "Ana Canary, Zoë"),
    ],
)
def test_an_unknown_user_is_told_near_names(named, word, near):
    done = named("top", word)
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"error: unknown user; did you mean {near}? `engagement users` lists all users\n"
    )


@pytest.mark.parametrize("word", ["100", "1004", "-1001", "a", "nobody"])
def test_no_user_is_near_a_number_or_a_letter(named, word):
    assert named("top", word).err == "error: unknown user; `engagement users` lists all users\n"


def test_a_new_user_can_be_recorded(named):
    assert named("record", "dora", "AI-1", "view").code == 0
    assert named("top", "dora").code == 0


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ((), ["1001", "1002", "1003", "sam canary"]),
        (("canary",), ["1001", "sam canary"]),
        (("@sam",), ["1002", "1003", "sam canary"]),
        (("100",), ["1001", "1002", "1003"]),
        (("zoë",), ["sam canary"]),
        (("nobody",), []),
    ],
)
def test_users_are_found_by_a_part_of_id_or_name(named, words, found):
    assert [each["user_id"] for each in named("users", *words, "--json").json] == found
    assert all(each in named("users", *words).out for each in found)


# --- export and forget ---------------------------------------------------------------------------


def test_an_export_is_that_of_the_bot_and_private(named):
    done = named("export", "Ana Canary", "-o", "ana.zip", "--json")
    assert done.json == {"file": "ana.zip", "events": 2}
    path = named.home / "ana.zip"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with zipfile.ZipFile(path) as archive:
        events = json.loads(archive.read("events.json"))
    assert [(each["issue_id"], each["kind"]) for each in events] == [("AI-1", "query")] * 2
    assert named("export", "1001").out.startswith("written: engagement-2026-01-31.zip, 2 events")


def test_an_export_of_a_person_of_linear_has_what_names_them_in_the_form_of_all_others(named):
    ana, other = Person(uuid(200), "Ana Canary"), Person(uuid(201), "Bob")
    said = [
        observation(1, assignee=ana, actor=ana, updated_at=instant(2), said_at=instant(2)),
        observation(2, assignee=other, updated_at=instant(3)),
        observation(2, assignee=other, actor=ana, updated_at=instant(1), origin="look-up"),
        observation(3, actor=ana, commented=True, state_type=UNSET, updated_at=instant(3)),
    ]
    with Engagements(f"sqlite:///{named.ledger}", clock=lambda: NOON) as engagements:
        engagements.ledger.record_many(said)
    assert named("export", ana.user_id, "-o", "ana.zip", "--json").json["events"] == 3
    assert named("export", "1001", "-o", "1001.zip", "--json").json["events"] == 2
    of_ana, of_user = (
        exported((named.home / name).read_bytes()) for name in ("ana.zip", "1001.zip")
    )
    assert [(each["issue_id"], each["kind"], each["roles"]) for each in of_ana] == [
        ("AI-2", "observation", ["actor"]),
        ("AI-1", "observation", ["assignee", "actor"]),
        ("AI-3", "comment", ["actor"]),
    ]
    assert {*of_user[0]} <= {*of_ana[0]}
    assert {each["source"] for each in of_ana} == {"linear:webhook", "linear:look-up"}
    assert named("forget", ana.user_id, "--yes").code == 0
    assert named("export", ana.user_id).code == 1


def instant(days: int) -> Instant:
    return instant_of(NOON - timedelta(days=9 - days))


def test_forgetting_bars_and_leaves_nothing_in_spools_and_saved_files(named):
    saved = named.home / "saved" / "1001"
    saved.mkdir(parents=True)
    (saved / "events.zip").touch()
    waiting = interaction_of("1001", "AI-2", "query", occurred_at=NOON, context="canary words")
    spool = Spool(named.home / "ledger.db.spool-7")
    spool.append([Waiting(waiting)])
    spool.close()
    assert named("forget", "Ana Canary", "--yes").code == 0
    assert not saved.exists()
    for path in named.home.iterdir():
        assert path.is_dir() or b"canary words" not in path.read_bytes(), path
    assert named("top", "1001").err.startswith("error: unknown user")
    refused = named("record", "1001", "AI-1", "query", "--at", at(1))
    assert refused.code == 1
    assert (named.home / "ledger.db.barriers").stat().st_size > 0
    assert named("forget", "1001", "--yes").code == 0
    assert named("verify").code == 0


@pytest.mark.parametrize(("answer", "code"), [(b"n\n", 130), (b"", 130), (b"y\n", 0)])
def test_forgetting_asks_first(named, answer, code):
    assert named.forked("forget", "1001", stdin=answer).code == code
    assert (named("top", "1001").code == 0) == (code != 0)


def test_no_folder_outside_that_of_the_user_is_deleted(cli):
    cli("record", "..", "AI-1", "query")
    (cli.home / "saved").mkdir()
    assert cli("forget", "..", "--yes").code == 0
    assert (cli.home / "saved").exists()


# --- histories of long ago -----------------------------------------------------------------------


@pytest.mark.parametrize(("days", "said"), [(29, False), (31, True), (400, True)])
def test_an_import_whose_last_event_is_long_ago_says_how_to_ask(cli, tmp_path, days, said):
    path = tmp_path / "old.csv"
    rows = "".join(f"{at(days + n)},ana,AI-{n},query,\n" for n in range(3))
    path.write_text(f"occurred_at,user,issue_id,kind,context\n{rows}")
    for words in (("--dry-run",), ()):
        out = cli("import", "csv", str(path), *words).out
        assert (f"--at {at(days)}" in out) == said
    with Engagements(f"sqlite:///{cli.ledger}", clock=lambda: NOON) as engagements:
        audited = read_audit(engagements, ZoneInfo("UTC"), None).audit
    assert (iso(audited.start), iso(audited.end)) == (at(days + 2), at(days if said else 0))
