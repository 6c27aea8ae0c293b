"""`engagement import git`: authors, co-authors and reviewers of commits that name issues."""

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.commands import interaction_of
from ledger.idempotency import SourceKey
from ledger.instants import Instant, moment_of
from ledger.intake.git_history import FIELD_LIMIT_BYTES
from projections.application import Engagements
from tests.support.command_line import NOON, CommandLine
from tests.support.git_repositories import commit, git, repository


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


def test_an_address_that_is_not_in_the_map_gets_a_pseudonym_and_is_not_kept(cli, work, people):
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
    assert done.json["would_record"] == 5
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
        ("address,user_id\na@b,\x01\n", "line 2: Invalid user_id"),
        ("address,user_id\na@b,-\nA@B,ana\n", "line 3: gives another user id"),
        ("address;user_id\na@b;7.01E+09\n", "line 2: Invalid user_id: looks like a number"),
        ("sep=#\naddress#user_id\na@b#ana\n", "line 1: sep= must name"),
        ("\nsep=#\naddress#user_id\na@b#ana\n", "line 2: sep= must name"),
        ("sep=;\naddress\n", "line 2: the header must name address and user_id"),
        ("\n\naddress\n", "line 3: the header must name address and user_id"),
    ],
)
def test_a_map_that_cannot_be_meant_is_refused(cli, work, tmp_path, text, message):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    done = cli("import", "git", str(work), "--user-map", str(path))
    assert (done.code, len(done.errors)) == (1, 1)
    assert message in done.err
    assert "a@b" not in done.err


# --- history that was rewritten -------------------------------------------------------------------

AUTHOR = ("-c", "user.name=Ana", "-c", f"user.email={ANA}")
OTHER = ("-c", "user.name=Bob", "-c", "user.email=bob@example.org")
"""Another author rewrites it, so that hashes change within the same second, too."""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Three commits of Ana's on a branch, each naming an issue, in a repository with files."""
    folder = tmp_path / "clone"
    folder.mkdir()
    git(folder, "init", "-q", "--initial-branch=main")
    for number in (1, 2, 3):
        made(folder, f"AI-{number}: x\n\nReviewed-by: Eve <eve@example.org>", number)
    return folder


def made(folder: Path, message: str, number: int) -> None:
    (folder / f"file-{number}").write_text(message)
    git(folder, "add", ".")
    git(folder, *AUTHOR, "commit", "-q", "-m", message, "--date", f"{1_600_000_000 + number} +0000")


def amend(folder: Path) -> None:
    git(
        folder,
        *OTHER,
        "commit",
        "-q",
        "--amend",
        "-m",
        "AI-3: y\n\nReviewed-by: E <eve@example.org>",
    )


def rebase(folder: Path) -> None:
    git(folder, *OTHER, "rebase", "-q", "--force-rebase", "--root")


def reword(folder: Path) -> None:
    signed = "cat; echo 'Signed-off-by: Ana <ana@example.org>'"
    git(folder, *OTHER, "filter-branch", "-f", "--msg-filter", signed, "HEAD")


def pick(folder: Path) -> None:
    """Cherry-pick the last commit onto a branch of the first, and merge that back."""
    git(folder, "checkout", "-q", "-b", "side", "HEAD~2")
    later = "2099-01-01T00:00:00Z"
    git(folder, *OTHER, "cherry-pick", "main", GIT_COMMITTER_DATE=later)
    git(folder, "checkout", "-q", "main")
    git(folder, *OTHER, "merge", "-q", "--no-ff", "-m", "Merge side", "side")


@pytest.mark.parametrize("rewrite", [amend, rebase, reword, pick])
def test_history_that_was_written_anew_adds_nothing(cli, clone, monkeypatch, rewrite):
    monkeypatch.setenv("FILTER_BRANCH_SQUELCH_WARNING", "1")
    before = git(clone, "rev-parse", "HEAD")
    assert cli("import", "git", str(clone), "--json").json["recorded"] == 6
    rewrite(clone)
    assert git(clone, "rev-parse", "HEAD") != before
    for options in ((), ("--dry-run",)):
        again = cli("import", "git", str(clone), "--json", *options).json
        recorded = again["would_record" if options else "recorded"]
        assert (recorded, again["duplicates"] >= 6) == (0, True)


def test_what_is_in_a_history_twice_counts_once(cli, clone):
    pick(clone)
    for options in (("--dry-run",), ()):
        report = cli("import", "git", str(clone), "--json", *options).json
        recorded = report["would_record" if options else "recorded"]
        assert (recorded, report["duplicates"]) == (6, 2)


def test_commits_of_one_author_in_one_second_touch_an_issue_once(cli, tmp_path):
    folder = tmp_path / "second.git"
    folder.mkdir()
    same = [commit(number, ANA, "AI-1, AI-2: go on", at=1_600_000_000) for number in (1, 2)]
    other = commit(3, "bob@example.org", "AI-1: go on", at=1_600_000_000)
    repository(folder, *same, other, commit(4, ANA, "AI-1: go on", at=1_600_000_001))
    report = cli("import", "git", str(folder), "--json").json
    assert (report["recorded"], report["duplicates"]) == (4, 2)


@pytest.mark.parametrize("is_picked", [False, True])
def test_what_an_earlier_version_imported_stays_counted_once_when_it_is_written_anew(
    cli, clone, is_picked
):
    hashes = git(clone, "log", "--reverse", "--format=%H").decode().split()
    with Engagements(f"sqlite:///{cli.ledger}", clock=lambda: NOON) as engagements:
        for number, each in enumerate(hashes, 1):
            at = Instant((1_600_000_000 + number) * 1_000_000)
            for user in (ANA, "eve@example.org"):
                entry = interaction_of(user, f"AI-{number}", "view", occurred_at=moment_of(at))
                key = SourceKey(f"git:{each}:{user}:AI-{number}", at)
                engagements.ledger.record(msgspec.structs.replace(entry, source_key=key))
    if is_picked:
        pick(clone)
    dry = cli("import", "git", str(clone), "--dry-run", "--json").json
    first = cli("import", "git", str(clone), "--json").json
    first["would_record"], first["users"] = first.pop("recorded"), {}
    assert dry == first
    assert (dry["would_record"], first["duplicates"]) == (0, 8 if is_picked else 6)
    rebase(clone)
    assert cli("import", "git", str(clone), "--json").json["recorded"] == 0
    assert cli("verify").code == 0


# --- automation ----------------------------------------------------------------------------------

CLAUDE = "Co-authored-by: Claude <noreply@anthropic.com>"
COPILOT = "Co-authored-by: Copilot <198982749+Copilot@users.noreply.github.com>"


@pytest.fixture
def helped(tmp_path) -> Path:
    folder = tmp_path / "helped.git"
    folder.mkdir()
    return repository(
        folder,
        commit(1, ANA, f"AI-1: begin\n\n{CLAUDE}\n{COPILOT}"),
        commit(2, "49699333+dependabot[bot]@users.noreply.github.com", "AI-2: bump"),
        commit(3, "12345+bob@users.noreply.github.com", "AI-1: go on"),
        commit(4, "build@example.org", "AI-3: release"),
    )


def test_automation_is_left_out_and_counted(cli, helped):
    done = cli("import", "git", str(helped))
    assert (done.code, done.err) == (0, "")
    assert (
        done.out.splitlines()[0]
        == "read 4 commits: recorded 3, duplicates 0, left out 3, refused 0"
    )
    assert cli("import", "git", str(helped), "--dry-run", "--json").json["left_out"] == 3


def test_what_is_left_out_lies_within_the_span(cli, helped):
    done = cli("import", "git", str(helped), "--since", "2020-09-13T12:28:00Z", "--json")
    report = done.json
    assert (report["recorded"], report["outside"], report["left_out"]) == (2, 1, 1)


def test_other_automation_can_be_named(cli, helped):
    other = ("--other-bot", "<Build@example.org>", "--other-bot", "nobody@example.org")
    report = cli("import", "git", str(helped), "--json", *other).json
    assert (report["recorded"], report["left_out"]) == (2, 4)


def test_a_map_leaves_out_and_takes_in_the_addresses_that_it_names(cli, helped, tmp_path):
    path = tmp_path / "people.csv"
    path.write_text(f"address,user_id\n{ANA},-\nnoreply@anthropic.com,claude\nbuild@example.org,\n")
    report = cli("import", "git", str(helped), "--user-map", str(path), "--json").json
    assert (report["recorded"], report["left_out"]) == (3, 3)
    assert touches(cli, "claude") == [("AI-1", "mention")]


def test_a_map_to_fill_in_is_written_and_can_be_read(cli, helped, tmp_path):
    path = tmp_path / "people.csv"
    done = cli("import", "git", str(helped), "--write-user-map", str(path))
    assert (done.code, done.err) == (0, "")
    assert not cli.ledger.exists()
    header, *lines = path.read_text().splitlines()
    assert header == "address,user_id,name,commits"
    assert f"{ANA},,Ana,1" in lines
    assert "noreply@anthropic.com,-,Claude,1" in lines
    plain = cli("import", "git", str(helped), "--dry-run", "--json").json
    mapped = cli("import", "git", str(helped), "--user-map", str(path), "--dry-run", "--json").json
    assert plain["left_out"] == mapped["left_out"]
    assert plain["would_record"] == mapped["would_record"]
    path.write_text(path.read_text().replace(f"{ANA},", f"{ANA},ana"))
    cli("import", "git", str(helped), "--user-map", str(path))
    assert touches(cli, "ana") == [("AI-1", "mention")]


def test_a_map_that_is_there_is_not_written_over(cli, helped, people):
    done = cli("import", "git", str(helped), "--write-user-map", people)
    assert (done.code, len(done.errors)) == (1, 1)
    assert "people.csv exists" in done.err
    assert "ana" in Path(people).read_text()


def test_a_map_is_kept_when_it_is_written_anew_with_those_who_came(cli, helped, people):
    done = cli("import", "git", str(helped), "--user-map", people, "--write-user-map", "-")
    assert f"{ANA},ana,Ana,1" in done.out.splitlines()


@pytest.mark.parametrize(
    "text",
    ["address;user_id\nANA@example.org;ana\n", "sep=\t\nAddress\tUser ID\nana@example.org\tana"],
)
def test_a_map_that_a_spreadsheet_wrote_is_read(cli, helped, tmp_path, text):
    path = tmp_path / "people.csv"
    path.write_text(text)
    cli("import", "git", str(helped), "--user-map", str(path))
    assert touches(cli, "ana") == [("AI-1", "mention")]


# --- odd commits ---------------------------------------------------------------------------------


def odd_commit(tmp_path: Path, message: str | bytes, author: str = f"Ana <{ANA}>") -> str:
    folder = tmp_path / "one.git"
    folder.mkdir()
    usual = commit(1, ANA, message).replace(f"Ana <{ANA}>".encode(), author.encode())
    return str(repository(folder, usual))


@pytest.mark.parametrize("letter", ["x", "é", "語"])
def test_a_long_commit_is_searched_in_its_beginning(cli, tmp_path, people, letter):
    size = FIELD_LIMIT_BYTES // len(letter.encode())
    message = f"AI-1: begin\n\n{letter * size} AI-2\n"
    done = cli("import", "git", odd_commit(tmp_path, message), "--user-map", people)
    assert (done.code, done.err) == (0, "")
    assert touches(cli, "ana") == [("AI-1", "mention")]


@settings(max_examples=5)
@given(st.integers(0, 12))
def test_no_other_issue_comes_of_cutting_a_message(tmp_path_factory, beyond):
    message = f"AI-1: begin\n{'x' * FIELD_LIMIT_BYTES}"
    message = message[: FIELD_LIMIT_BYTES - beyond - 1] + " AI-1799-fix and more"
    cli = CommandLine(tmp_path_factory.mktemp("home"))
    cli("import", "git", odd_commit(tmp_path_factory.mktemp("cut"), message))
    with closing(sqlite3.connect(cli.ledger)) as connection:
        issues = {row[0] for row in connection.execute("SELECT issue_id FROM events")}
    assert issues in ({"AI-1"}, {"AI-1", "AI-1799"})


def test_an_author_without_an_address_is_a_pseudonym_of_the_name(cli, tmp_path):
    folder = odd_commit(tmp_path, "AI-1: begin", "Ana Without <>")
    for recorded, duplicates in ((1, 0), (0, 1)):
        report = cli("import", "git", folder, "--json").json
        assert (report["recorded"], report["duplicates"]) == (recorded, duplicates)
    with closing(sqlite3.connect(cli.ledger)) as connection:
        ((user,),) = connection.execute("SELECT user_id FROM accounts")
    assert user.startswith("git-")
    assert b"Without" not in cli.ledger.read_bytes()


def test_an_author_without_an_address_can_be_mapped_by_name(cli, tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("address,user_id\nAna Without,ana\n")
    folder = odd_commit(tmp_path, "AI-1: begin", "Ana Without <>")
    cli("import", "git", folder, "--user-map", str(path))
    assert touches(cli, "ana") == [("AI-1", "mention")]


def test_an_author_without_address_and_name_is_refused(cli, tmp_path):
    done = cli("import", "git", odd_commit(tmp_path, "AI-1: begin", "<>"))
    assert done.code == 1
    assert "the author has neither an address nor a name" in done.err
