"""Automation accounts: bots and assistants that write commits, recognized by their names."""

import re

_NUMBERED = re.compile(r"[0-9]+[+-]")
"""The prefix of the login in a host's private addresses, as in 12345+ana@users.noreply…"""

_BOT_ACCOUNT = re.compile(r"bot|.*\[bot\].*|.+[-_.+]bot|(?:project|group)_[0-9]+_bot(?:_.*)?")
"""Logins that hosts reserve for bots, or that say so; Abbot and Talbot are people."""

_ACCOUNTS = frozenset(
    {
        "allcontributors",
        "amazon-q-developer",
        "coderabbitai",
        "copilot",
        "copilot-swe-agent",
        "cursoragent",
        "dependabot",
        "dependabot-preview",
        "devin-ai-integration",
        "factory-droid",
        "gemini-cli",
        "gemini-code-assist",
        "github-actions",
        "github-advanced-security",
        "github-merge-queue",
        "google-labs-jules",
        "greenkeeper",
        "gpt-engineer-app",
        "imgbot",
        "jenkins",
        "mergify",
        "openhands",
        "pre-commit-ci",
        "pyup-bot",
        "qwen-coder",
        "renovate",
        "snyk-bot",
        "sweep-ai",
        "transifex-integration",
        "web-flow",
        "weblate",
    }
)
"""Logins and names of automation on any host."""

_ADDRESSES = frozenset(
    {
        "action@github.com",
        "actions@github.com",
        "agent@warp.dev",
        "aider@aider.chat",
        "amp@ampcode.com",
        "claude@anthropic.com",
        "codex@openai.com",
        "crush@charm.land",
        "gemini-cli-agent@google.com",
        "hosted@weblate.org",
        "junie@jetbrains.com",
        "openhands@all-hands.dev",
        "support@dependabot.com",
        "support@greenkeeper.io",
        "renovate@whitesourcesoftware.com",
    }
)

_NOBODYS = frozenset({"noreply", "no-reply", "donotreply"})
_MAKERS = frozenset(
    {
        "aider.chat",
        "ampcode.com",
        "anthropic.com",
        "augmentcode.com",
        "cline.bot",
        "codeium.com",
        "coderabbit.ai",
        "cognition.ai",
        "continue.dev",
        "cursor.com",
        "cursor.sh",
        "dependabot.com",
        "devin.ai",
        "factory.ai",
        "github.com",
        "gitlab.com",
        "google.com",
        "jetbrains.com",
        "lovable.dev",
        "mistral.ai",
        "openai.com",
        "opencode.ai",
        "renovateapp.com",
        "replit.com",
        "sourcegraph.com",
        "warp.dev",
        "weblate.org",
        "windsurf.com",
        "x.ai",
        "zed.dev",
    }
)
"""Domains whose assistants and services sign with an address that receives no mail."""


def is_automation(address: str, name: str) -> bool:
    """Whether an address in lower case, or its name, belongs to known automation.

    The private address of a person (12345+ana@users.noreply.github.com) does not.
    """
    account, _, domain = address.rpartition("@")
    account = _NUMBERED.sub("", account, count=1) if _NUMBERED.match(account) else account
    called = "-".join(name.lower().split())
    return (
        address in _ADDRESSES
        or called.endswith("[bot]")
        or any(each in _ACCOUNTS for each in (account, called))
        or any(_BOT_ACCOUNT.fullmatch(each) is not None for each in (account, called))
        or (account in _NOBODYS and domain in _MAKERS)
    )
