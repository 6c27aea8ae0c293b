"""Commits as interactions: authors, reviewers and issues, without the accounts of automation."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from ledger.commands import EARLIEST, Interaction, Kind, interaction_of
from ledger.errors import InvalidInteractionError
from ledger.idempotency import SourceKey
from ledger.instants import Instant, moment_of
from ledger.validation import UserId

# Automation accounts: bots and assistants that write commits, recognized by their names.

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


# Commits that name issues, and the interactions of their authors and reviewers.

INTERACTIONS_LIMIT = 10_000
"""The most interactions of a commit: people times issues."""

_SHOWN_DIGITS = 12

# Part of an address must not become an issue, which would reveal the person.
_ADDRESS = re.compile(r"(?<![^\s<>])[^\s<>]+@[^\s<>]+")


class Contact(NamedTuple):
    """A person's address in lower case: as written in the commit, and as .mailmap maps it today.

    The name replaces a missing address.
    """

    written: str
    present: str
    name: str = ""


class Commit(msgspec.Struct, frozen=True):
    """The parts of a commit that determine interactions; `authored_at` is None without a date."""

    hash: str
    authored_at: Instant | None
    is_merge: bool
    author: Contact
    co_authors: tuple[Contact, ...]
    reviewers: tuple[Contact, ...]
    message: str

    @property
    def short_hash(self) -> str:
        """The first 12 digits, enough for people to identify a commit."""
        return self.hash[:_SHOWN_DIGITS]

    @property
    def subject(self) -> str:
        """The first line of the message that is not blank."""
        return self.message.lstrip().partition("\n")[0].rstrip()


class People(NamedTuple):
    """The user ids of a repository's contacts, and which contacts are left out.

    `users` maps addresses in lower case to user ids, or to None for those to leave out. Others are
    left out if they are known automation or among `other_bots`; the rest get pseudonyms.
    """

    users: Mapping[str, UserId | None]
    other_bots: frozenset[str]
    pseudonym_of: Callable[[str], str]

    def user_of(self, contact: Contact) -> str:
        """Return the user id of a contact."""
        return self.known(contact) or f"git-{self.pseudonym_of(contact.present)}"

    def known(self, contact: Contact) -> UserId | None:
        """The user id of a contact in the map; None if the map leaves the contact out."""
        return self.users.get(contact.present) or self.users.get(contact.written)

    def leaves_out(self, contact: Contact) -> bool:
        """Whether the interactions of a contact are left out."""
        addresses = contact.written, contact.present
        for address in addresses:
            if address in self.users:
                return self.users[address] is None
        is_other = not self.other_bots.isdisjoint(addresses)
        return is_other or is_automation(contact.present, contact.name)


class Touches(NamedTuple):
    """The interactions of a commit: those to record, and those of contacts that are left out."""

    wanted: tuple[Interaction, ...]
    left_out: tuple[Interaction, ...]


def touches_of(commit: Commit, found_in: Callable[[str], Sequence[str]], people: People) -> Touches:
    """Return the interactions of a commit, one for each user and issue that `found_in` finds.

    Authors and co-authors mention an issue; reviewers and authors of merges view it. A mention
    takes precedence. Raises InvalidInteractionError for a commit that cannot be recorded, but never
    for one that names no issue.
    """
    issues = issues_of(commit, found_in)
    if not issues:
        return Touches((), ())
    _check(commit)
    users: dict[str, tuple[Contact, Kind]] = {}
    for contact, kind in contacts_of(commit):
        users.setdefault(people.user_of(contact), (contact, kind))
    if len(users) * len(issues) > INTERACTIONS_LIMIT:
        raise InvalidInteractionError("commit", f"is more than {INTERACTIONS_LIMIT:,} interactions")
    wanted: list[Interaction] = []
    left_out: list[Interaction] = []
    for user, (contact, kind) in users.items():
        chosen = left_out if people.leaves_out(contact) else wanted
        chosen.extend(_interaction(commit, user, issue, contact, kind) for issue in issues)
    return Touches(tuple(wanted), tuple(left_out))


def issues_of(commit: Commit, found_in: Callable[[str], Sequence[str]]) -> Sequence[str]:
    """The issues that `found_in` finds in the message, outside of addresses."""
    return found_in(_ADDRESS.sub(" ", commit.message))


def contacts_of(commit: Commit) -> Iterator[tuple[Contact, Kind]]:
    """Yield the contacts who touch the commit's issues, with the kind; mentions come first."""
    if not commit.is_merge:
        yield commit.author, Kind.MENTION
    for contact in commit.co_authors:
        yield contact, Kind.MENTION
    if commit.is_merge:
        yield commit.author, Kind.VIEW
    for contact in commit.reviewers:
        yield contact, Kind.VIEW


def _check(commit: Commit) -> None:
    if commit.authored_at is None:
        raise InvalidInteractionError("occurred_at", "the commit has no author date")
    if commit.authored_at < EARLIEST:  # it may be earlier than a datetime can represent
        raise InvalidInteractionError("occurred_at", "must not be before 2000")
    if not commit.author.present:
        raise InvalidInteractionError("user_id", "the author has neither an address nor a name")


def _interaction(
    commit: Commit, user: str, issue: str, contact: Contact, kind: Kind
) -> Interaction:
    at = commit.authored_at
    # The key uses the address in the commit, since user ids change with .mailmap and the map of
    # users, and nothing that an amend or a rebase changes.
    key = f"git:{at}:{contact.written}:{issue}"
    former = f"git:{commit.hash}:{contact.written}:{issue}"
    return interaction_of(
        user,
        issue,
        kind.label,
        occurred_at=None if at is None else moment_of(at),
        context=commit.subject,
        source_key=SourceKey(key, at, f"git:{commit.short_hash}", former),
    )
