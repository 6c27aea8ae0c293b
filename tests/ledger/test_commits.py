"""Commits: authors, reviewers and issues, and accounts of automation among them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.commands import EARLIEST
from ledger.commits import Commit, Contact, People, Touches, is_automation, touches_of
from ledger.errors import InvalidInteractionError
from ledger.instants import Instant

# Automation accounts are distinguished from people with similar names and addresses.

AUTOMATION = [
    ("dependabot[bot]", "49699333+dependabot[bot]@users.noreply.github.com"),
    ("dependabot[bot]", "support@github.com"),
    ("dependabot", "support@dependabot.com"),
    ("renovate[bot]", "29139614+renovate[bot]@users.noreply.github.com"),
    ("Renovate Bot", "renovate@corp.example"),
    ("WhiteSource Renovate", "bot@renovateapp.com"),
    ("github-actions", "41898282+github-actions[bot]@users.noreply.github.com"),
    ("GitHub Actions", "ci@corp.example"),
    ("GitHub Action", "action@github.com"),
    ("GitHub", "noreply@github.com"),
    ("Claude", "noreply@anthropic.com"),
    ("Claude Opus 4.5", "noreply@anthropic.com"),
    ("Copilot", "198982749+copilot@users.noreply.github.com"),
    ("copilot-swe-agent[bot]", "198982749+copilot@users.noreply.github.com"),
    ("Cursor", "cursoragent@cursor.com"),
    ("aider (gpt-5)", "noreply@aider.chat"),
    ("Codex", "noreply@openai.com"),
    ("gemini-cli", "218195315+gemini-cli@users.noreply.github.com"),
    ("Devin AI", "158243242+devin-ai-integration[bot]@users.noreply.github.com"),
    ("project bot", "project_42_bot_1a2b@noreply.gitlab.example"),
    ("semantic-release-bot", "semantic-release-bot@martynus.example"),
    ("snyk-bot", "snyk-bot@snyk.io"),
    ("Release", "release+bot@corp.example"),
    ("CI", "ci-bot@corp.example"),
]
NAMES_OF_PEOPLE = [
    ("Ana", "ana@example.org"),
    ("Ana", "12345+ana@users.noreply.github.com"),
    ("Ana", "ana@users.noreply.github.com"),
    ("Ana", "42-ana@users.noreply.gitlab.com"),
    ("Ana", "noreply@corp.example"),
    ("Claude Monet", "claude@example.org"),
    ("Devin", "devin@example.org"),
    ("Jules", "jules@google.com"),
    ("Talbot", "talbot@example.org"),
    ("Abbot", "12345+abbot@users.noreply.github.com"),
    ("Bottom", "bot.tom@example.org"),
    ("", ""),
    ("", "ana"),
]


@pytest.mark.parametrize(("name", "address"), AUTOMATION)
def test_automation_is_known(name, address):
    assert is_automation(address, name)


@pytest.mark.parametrize(("name", "address"), NAMES_OF_PEOPLE)
def test_people_are_people(name, address):
    assert not is_automation(address, name)


@given(st.from_regex(r"[a-z]{1,10}", fullmatch=True), st.integers(1, 10**9))
def test_any_account_that_a_host_marks_as_a_bot_is_automation(login, number):
    assert is_automation(f"{number}+{login}[bot]@users.noreply.github.com", login)
    assert is_automation("x@example.org", f"{login}[bot]")
    assert is_automation(f"{login}[bot]@example.org", "")


# The interactions of a commit, apart from any repository.

ADDRESSES = ["ana@x.org", "bob@x.org", "eve@x.org", "noreply@anthropic.com", "ci-bot@x.org"]
CONTACTS = st.sampled_from(ADDRESSES).map(lambda address: Contact(address, address))
PEOPLE = People({}, frozenset(), str.upper)


def found_in(text: str) -> list[str]:
    return [word for word in text.split() if word.startswith("AI-")]


@st.composite
def commits(draw: st.DrawFn) -> Commit:
    return Commit(
        draw(st.from_regex("[0-9a-f]{40}", fullmatch=True)),
        Instant(EARLIEST + draw(st.integers(0, 10**15))),
        draw(st.booleans()),
        draw(CONTACTS),
        tuple(draw(st.lists(CONTACTS, max_size=4))),
        tuple(draw(st.lists(CONTACTS, max_size=4))),
        " ".join(f"AI-{number}" for number in draw(st.sets(st.integers(1, 9), max_size=3))),
    )


def keys(touches: Touches) -> set[str]:
    both = touches.wanted + touches.left_out
    return {each.source_key.text for each in both if each.source_key is not None}


def rewritten(commit: Commit, digest: str, message: str) -> Commit:
    """The same commit after a rebase, with another message that names the same issues."""
    return Commit(
        digest,
        commit.authored_at,
        commit.is_merge,
        commit.author,
        commit.co_authors,
        commit.reviewers,
        f"{message} {commit.message}",
    )


@given(commits(), st.text("ab0", max_size=9))
def test_no_key_depends_on_what_a_rebase_changes(commit, message):
    before = touches_of(commit, found_in, PEOPLE)
    after = touches_of(rewritten(commit, "f" * 40, message), found_in, PEOPLE)
    assert keys(before) == keys(after)


@given(commits())
def test_each_person_touches_each_issue_once_and_automation_is_apart(commit):
    wanted, left_out = touches_of(commit, found_in, PEOPLE)
    everybody = {commit.author, *commit.co_authors, *commit.reviewers}
    touched = [(each.user_id, each.issue_id) for each in wanted + left_out]
    assert len(touched) == len(set(touched)) == len(everybody) * len(found_in(commit.message))
    assert {each.user_id for each in left_out} <= {"git-NOREPLY@ANTHROPIC.COM", "git-CI-BOT@X.ORG"}
    assert {each.user_id for each in wanted} <= {f"git-{each.upper()}" for each in ADDRESSES[:3]}


@given(commits(), st.dictionaries(st.sampled_from(ADDRESSES), st.sampled_from(["me", None])))
def test_a_map_decides_who_is_left_out(commit, users):
    wanted, left_out = touches_of(commit, found_in, People(users, frozenset(), str.upper))
    gone = {f"git-{address.upper()}" for address, user in users.items() if user is None}
    assert not gone & {each.user_id for each in wanted}
    assert "me" not in {each.user_id for each in left_out}


def test_a_commit_without_a_date_is_refused_only_where_it_names_issues():
    ana = Contact("ana@x.org", "ana@x.org")
    assert touches_of(Commit("f" * 40, None, False, ana, (), (), "no"), found_in, PEOPLE) == (
        (),
        (),
    )
    with pytest.raises(InvalidInteractionError, match="no author date"):
        touches_of(Commit("f" * 40, None, False, ana, (), (), "AI-1"), found_in, PEOPLE)


def test_a_commit_of_too_many_interactions_is_refused():
    many = tuple(Contact(f"{number}@x.org", f"{number}@x.org") for number in range(101))
    message = " ".join(f"AI-{number}" for number in range(1, 101))
    commit = Commit("f" * 40, EARLIEST, False, many[0], many, (), message)
    with pytest.raises(InvalidInteractionError, match="more than 10,000 interactions"):
        touches_of(commit, found_in, PEOPLE)
