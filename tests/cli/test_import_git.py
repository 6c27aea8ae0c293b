"""`engagement import git`: authors, co-authors and reviewers of commits that name issues."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.running import CommandLine
from tests.intake.repositories import commit, repository


@pytest.fixture
def work(tmp_path) -> Path:
    folder = tmp_path / "work.git"
    folder.mkdir()
    return repository(
        folder,
        commit(1, "ana@example.org", "AI-1: begin\n\nNames DMD-480, too."),
        commit(
            2,
            "Bob@Example.org",
            "AI-1 go on\n\n"
            "Co-authored-by: Ana <ANA@example.org>\nReviewed-by: Eve <eve@example.org>",
        ),
        commit(3, "eve@example.org", "nothing to see"),
        commit(4, "eve@example.org", "AI-2: so long ago", at=5),
    )


@pytest.fixture
def people(tmp_path) -> str:
    path = tmp_path / "people.csv"
    path.write_text("address,user_id\nANA@example.org,ana\nbob@example.org,bob\n")
    return str(path)


def touches(cli: CommandLine, user: str) -> list[tuple[str, str]]:
    return [(each["issue_id"], each["kind"]) for each in cli("history", user, "--json").json]


def test_who_wrote_mentions_and_who_reviewed_views(cli, work, people):
    done = cli("import", "git", str(work), "--user-map", people)
    assert done.code == 1  # a commit of 1970 is refused, and the others are recorded
    assert "must not be before 2000" in done.err
    assert touches(cli, "ana") == [("AI-1", "mention"), ("DMD-480", "mention"), ("AI-1", "mention")]
    assert touches(cli, "bob") == [("AI-1", "mention")]


def test_whoever_is_not_in_the_map_gets_a_pseudonym_and_no_address_is_kept(cli, work, people):
    cli("import", "git", str(work), "--user-map", people)
    with closing(sqlite3.connect(cli.ledger)) as connection:
        users = {row[0] for row in connection.execute("SELECT user_id FROM accounts")}
    (pseudonym,) = users - {"ana", "bob"}
    assert pseudonym.startswith("git-")
    assert touches(cli, pseudonym) == [("AI-1", "view")]
    assert b"example.org" not in cli.ledger.read_bytes().lower()


ANA = "ana@example.org"


@pytest.fixture
def odd(tmp_path) -> Path:
    folder = tmp_path / "odd.git"
    folder.mkdir()
    return repository(
        folder,
        commit(
            1, "old@example.org", "AI-1: begin", mailmap="Ana <ana@example.org> <old@example.org>"
        ),
        commit(2, "bob@example.org", "AI-2: caf\xe9".encode("latin-1"), encoding="ISO-8859-1"),
        commit(3, "bob@example.org", "AI-3: more\n\nReviewed-by: Eve <AB-12@example.org>"),
        commit(4, "bob@example.org", "Merge AI-4", merged=1),
    )


def test_addresses_of_today_are_those_of_the_mailmap(cli, odd, people):
    cli("import", "git", str(odd), "--user-map", people)
    assert touches(cli, "ana") == [("AI-1", "mention")]


def test_messages_are_read_in_their_own_encoding(cli, odd, people):
    cli("import", "git", str(odd), "--user-map", people)
    contexts = {each["issue_id"]: each["context"] for each in cli("history", "bob", "--json").json}
    assert contexts["AI-2"] == "AI-2: café"


def test_who_merges_views(cli, odd, people):
    cli("import", "git", str(odd), "--user-map", people)
    assert touches(cli, "bob") == [("AI-2", "mention"), ("AI-3", "mention"), ("AI-4", "view")]


def test_part_of_an_address_is_no_issue(cli, odd):
    assert cli("import", "git", str(odd), "--json").json["recorded"] == 5
    assert b"AB-12" not in cli.ledger.read_bytes()


def test_doing_it_again_adds_nothing_even_with_a_map(cli, work, people):
    first = cli("import", "git", str(work), "--json").json
    again = cli("import", "git", str(work), "--user-map", people, "--json").json
    assert first["recorded"] == 5
    assert (again["recorded"], again["duplicates"]) == (0, 5)


def test_a_dry_run_makes_no_ledger(cli, work):
    done = cli("import", "git", str(work), "--dry-run", "--json")
    assert done.json["recorded"] == 5
    assert not cli.ledger.exists()


def test_only_what_lies_within_the_span_is_recorded(cli, work):
    done = cli("import", "git", str(work), "--until", "2020-09-13T12:28:00Z", "--json")
    assert (done.json["recorded"], done.json["outside"]) == (2, 3)


@pytest.mark.parametrize(
    ("directory", "message"),
    [
        ("empty", "the repository has no commits"),
        ("none", "git ended with 128"),
        ("-x", "git ended"),
        ("", "the directory has no name"),
        ("", "has no name"),
    ],
)
def test_what_is_no_repository_is_said_in_one_line(cli, tmp_path, monkeypatch, directory, message):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "empty"
    folder.mkdir()
    repository(folder)
    done = cli("import", "git", "--", directory)
    assert (done.code, len(done.errors)) == (1, 1)
    assert message in done.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("address\n", "line 1: the header must name address and user_id"),
        ("address,user_id\na@b,ana,3\n", "line 2: has 3 fields"),
        ("address,user_id\na@b,ana\nA@B,bob\n", "line 3: gives another user id"),
        ("address,user_id\n,ana\n", "line 2: has no address"),
        ("address,user_id\na@b,\n", "line 2: Invalid user_id"),
    ],
)
def test_a_map_that_cannot_be_meant_is_refused(cli, work, tmp_path, text, message):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    done = cli("import", "git", str(work), "--user-map", str(path))
    assert (done.code, len(done.errors)) == (1, 1)
    assert message in done.err
    assert "a@b" not in done.err
