"""Access: no file that a command makes can be read by others, and no output tells a password."""

import contextlib
import csv
import io
import json
import os
import sqlite3
import stat
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.cli import diagnosis
from bot.cli.diagnosis import network_file_system
from bot.cli.output import printable, show_csv, write_file
from ledger.errors import LedgerUnavailableError
from ledger.store.sqlite import Translated
from tests.support.command_line import NOON, CommandLine

SECRET = "canary7391"  # noqa: S105 - of no database


# --- files ---------------------------------------------------------------------------------------


@pytest.fixture
def generous():
    """The common umask, under which all users can read."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    """The paths that others may read, write or enter, from a folder on."""
    return [
        str(path)
        for path in (folder, *folder.rglob("*"))
        if stat.S_IMODE(path.stat().st_mode) & 0o077
    ]


@pytest.mark.usefixtures("generous")
def test_nothing_that_a_command_makes_can_be_read_by_others(tmp_path):
    cli, out = CommandLine(tmp_path / "engagement-data"), tmp_path / "out"
    out.mkdir(mode=0o700)
    history = out / "history.csv"
    history.write_text(
        "occurred_at,user_id,issue_id,kind,context\n2025-01-02T00:00:00Z,ana,AI-2,view,\n"
    )
    history.chmod(0o600)
    for words in (
        ("init",),
        ("record", "ana", "AI-1", "query", "--at", "2025-01-01"),
        ("import", "csv", str(history)),
        ("set-score", "ana", "AI-1", "0.5"),
        ("compact", "--all"),
        ("archive", "merge"),
        ("replay", "--into", "fresh"),
        ("report", "-o", str(out / "report.html")),
        ("timeline", "ana", "AI-1", "--png", str(out / "chart.png")),
        ("doctor",),
    ):
        done = cli(*words)
        assert (done.code, done.errors) == (0, []), words
        assert open_to_others(cli.home) == []
    lines = "AI-1\n/chart AI-1\n/export\n@bob: AI-2\n@bob: /chart AI-2\n"
    (tmp_path / "elsewhere").mkdir()
    there = CommandLine(tmp_path / "elsewhere", settings={"ENGAGEMENT_HOME": str(cli.home)})
    assert there.forked("chat", stdin=lines.encode()).code == 0
    assert len(list((cli.home / "saved").rglob("*.*"))) == 3
    assert open_to_others(cli.home) == []
    assert open_to_others(out) == []


@pytest.mark.usefixtures("generous")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o400])
def test_a_file_that_is_replaced_keeps_its_mode(tmp_path, mode):
    path = tmp_path / "report.html"
    path.write_bytes(b"before")
    path.chmod(mode)
    write_file(path, b"after")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"after", mode)


def test_no_other_sees_a_file_while_it_is_written(tmp_path, monkeypatch):
    seen = []
    write = Path.write_bytes

    def watched(path, content):
        seen.append(stat.S_IMODE(path.stat().st_mode))
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", watched)
    write_file(tmp_path / "chart.png", b"1")
    assert seen == [0o600]


@pytest.mark.parametrize(("mode", "verb"), [(os.R_OK, "read"), (os.W_OK, "write")])
def test_doctor_names_what_this_user_may_not_read_or_write(ana, monkeypatch, mode, verb):
    monkeypatch.setattr(os, "access", lambda path, asked: asked != mode or path == ana.home)
    done = ana("doctor", "--json")
    assert done.code == 1
    (finding,) = (each for each in done.json if each["check"] == "access")
    assert finding["state"] == "bad"
    assert finding["detail"].startswith(f"this user may not {verb} {ana.ledger}, ")
    assert f"{ana.ledger}.lock: run as the user" in finding["detail"]


@pytest.mark.parametrize(
    "said", ["unable to open database file", "attempt to write a readonly database"]
)
def test_a_file_without_access_is_an_error_that_says_who_knows_more(said):
    message = f"^the ledger's database failed: {said}; `engagement doctor` shows"
    with pytest.raises(LedgerUnavailableError, match=message), Translated(sqlite3):
        raise sqlite3.OperationalError(said)


# --- passwords -----------------------------------------------------------------------------------

_odd = st.sampled_from(
    ["", ":", "/", "@", "%", "%zz", "#", "?", "[", "]", " ", "\\", "=", "&", "é"]
)
secrets = st.builds("{}{}{}{}{}".format, _odd, st.just(SECRET), _odd, st.just(SECRET), _odd)
schemes = st.sampled_from(
    [
        "postgresql",
        "postgresql+psycopg",
        "mysql",
        "sqlite",
        "oracle",
        "mssql",
        "nonsense",
        "",
        "a+b+",
    ]
)
urls = st.builds(
    "{}{}{}{}@{}{}".format,
    schemes,
    st.sampled_from(["://", ":/", "//", ":", "", "://["]),  # behind three strokes is a path
    st.sampled_from(["ana:", ":", "ana%zz:", "ana:x:", "[ana:"]),
    secrets,
    st.sampled_from(["host", "host:port", "[::1", "host:99999999", "", "host:5432:1"]),
    st.sampled_from(["/db", "", "/db?sslmode=x", "?x", "/db?password=y&&", "/\0"]),
)


@given(urls)
@example(f"postgresql://ana:{SECRET}@host:port/db")
@example(f"postgresql://host/db?password={SECRET}")
@example(f"postgresql://ana:/{SECRET}@host/db")
@example(f"nonsense://ana:{SECRET}@host/db")
@example(f"postgresql+{SECRET}://ana@host/db")
@example(f"sqlite://ana:{SECRET}@host/db")
@example(f"sqlite:///ledger.db?password={SECRET}")
def test_a_password_in_a_url_that_cannot_be_used_is_never_told(tmp_path_factory, url):
    cli = CommandLine(tmp_path_factory.getbasetemp(), NOON, {"ENGAGEMENT_DATABASE_URL": url})
    for words in (("doctor",), ("top", "ana"), ("init",), ("run", "--or-chat")):
        done = cli(*words)
        assert done.code == 1, words
        assert SECRET not in done.out + done.err
        assert len(done.errors) <= 1


@pytest.mark.parametrize("rest", [f"ana:x@{SECRET}@host/db", f"host/ana:{SECRET}@db"])
def test_a_password_that_reads_as_a_host_or_a_database_is_refused_before_it_is_used(cli, rest):
    cli.settings["ENGAGEMENT_DATABASE_URL"] = f"postgresql://{rest}"
    (line,) = cli("top", "ana").errors
    assert "%40" in line
    assert SECRET not in line


# --- formulas ------------------------------------------------------------------------------------


@given(
    st.text(st.characters(codec="utf-8"), max_size=8)
    | st.builds("{}{}".format, st.sampled_from("=+-@\t\r\n"), st.text("A1()|!", max_size=8))
)
def test_no_text_in_csv_is_a_formula_and_none_is_lost(text):
    with contextlib.redirect_stdout(io.StringIO(newline="")) as out:
        show_csv(("text", "number", "nothing"), [(text, -0.5, None)])
    _, (shown, number, nothing) = csv.reader(io.StringIO(out.getvalue(), newline=""))
    assert not shown.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert shown in {printable(text), f"'{printable(text)}"}
    assert (number, nothing) == ("-0.5", "")


def test_an_issue_that_is_a_formula_is_a_text_in_a_timeline(cli):
    issue = "=CMD|'/C CALC'!A0"
    cli("init")
    cli("record", "ana", issue, "query")
    lines = cli("timeline", "ana", "--csv").out.splitlines()
    assert lines[1].split(",")[1] == f"'{issue}"
    assert cli("timeline", "ana", "--json").json[0]["issue_id"] == issue


# --- where the ledger lies -----------------------------------------------------------------------

MOUNTED = r"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:50 / /srv/team rw - nfs4 server:/team rw,vers=4.2
31 22 0:51 / /srv/team/local rw - xfs /dev/sdb1 rw
32 22 0:52 / /mnt/with\040blank\134 rw - cifs //server/share rw
33 22 0:53 / /home/ana/remote rw,nosuid - fuse.sshfs ana@server: rw
34 22 0:54 / /mnt/disk rw - fuseblk /dev/sdc1 rw
35 22 0:55 / /mnt/over rw - nfs server:/x rw
36 35 0:56 / /mnt/over rw - ext4 /dev/sdd1 rw
37 22 0:57 / /mnt/c rw - 9p drvfs rw
a line that is none
"""


@pytest.mark.parametrize(
    ("folder", "found"),
    [
        ("/", None),
        ("/srv", None),
        ("/srv/teams", None),
        ("/srv/team", "nfs4"),
        ("/srv/team/a/b", "nfs4"),
        ("/srv/team/local/a", None),
        ("/mnt/with blank\\/data", "cifs"),
        ("/home/ana/remote/engagement-data", "fuse.sshfs"),
        ("/mnt/disk/data", None),
        ("/mnt/over/data", None),
        ("/mnt/c/Users/ana", "9p"),
    ],
)
def test_the_nearest_mount_says_whether_a_folder_is_on_a_network(folder, found):
    assert network_file_system(Path(folder), MOUNTED) == found


def test_doctor_warns_of_a_ledger_on_a_network(ana, tmp_path, monkeypatch):
    mounted = tmp_path / "mountinfo"
    point = str(ana.home.resolve()).replace("\\", "\\134").replace(" ", "\\040")
    mounted.write_text(f"{MOUNTED}40 22 0:60 / {point} rw - nfs server:/x rw\n")
    monkeypatch.setattr(diagnosis, "MOUNTS", mounted)
    done = ana("doctor", "--json")
    (finding,) = (each for each in json.loads(done.out) if each["check"] == "file system")
    assert (done.code, finding["state"]) == (1, "bad")
    assert "local disk" in finding["detail"]


def test_where_a_system_does_not_say_what_is_mounted_doctor_says_nothing(
    ana, monkeypatch, tmp_path
):
    monkeypatch.setattr(diagnosis, "MOUNTS", tmp_path / "none")
    done = ana("doctor", "--json")
    assert done.code == 0
    assert "file system" not in {each["check"] for each in done.json}
