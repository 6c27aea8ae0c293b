"""Automation accounts are distinguished from people with similar names and addresses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.commits import is_automation

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
PEOPLE = [
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


@pytest.mark.parametrize(("name", "address"), PEOPLE)
def test_people_are_people(name, address):
    assert not is_automation(address, name)


@given(st.from_regex(r"[a-z]{1,10}", fullmatch=True), st.integers(1, 10**9))
def test_any_account_that_a_host_marks_as_a_bot_is_automation(login, number):
    assert is_automation(f"{number}+{login}[bot]@users.noreply.github.com", login)
    assert is_automation("x@example.org", f"{login}[bot]")
    assert is_automation(f"{login}[bot]@example.org", "")
