"""Commits: who wrote and who reviewed what names issues, and the interactions that this is."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from ledger.errors import InvalidInteractionError
from ledger.instants import Instant, moment_of
from ledger.interaction import EARLIEST, Interaction, Kind, interaction_of
from ledger.source_keys import SourceKey

INTERACTIONS_LIMIT = 10_000
"""So many interactions a commit may be: people times issues."""

_SHOWN_DIGITS = 12

# Part of an address must not become an issue: it would say whose the commit is.
_ADDRESS = re.compile(r"[^\s<>]+@[^\s<>]+")


class Contact(NamedTuple):
    """Somebody's address, in lower case: as a commit has it, and as .mailmap has it today."""

    written: str
    present: str


class Commit(msgspec.Struct, frozen=True):
    """A commit, as far as interactions depend on it; `authored_at` is None where it has no date."""

    hash: str
    authored_at: Instant | None
    is_merge: bool
    author: Contact
    co_authors: tuple[Contact, ...]
    reviewers: tuple[Contact, ...]
    message: str

    @property
    def short_hash(self) -> str:
        """The first 12 digits, which tell commits apart for people."""
        return self.hash[:_SHOWN_DIGITS]

    @property
    def subject(self) -> str:
        """The first line of the message that is not blank."""
        return self.message.lstrip().partition("\n")[0].rstrip()


def interactions_of(
    commit: Commit,
    found_in: Callable[[str], Sequence[str]],
    user_of: Callable[[Contact], str],
) -> tuple[Interaction, ...]:
    """Return what a commit says: one interaction for each user and issue that `found_in` finds.

    Authors and co-authors mention an issue; reviewers, and who merges, view it. Who is both has
    mentioned it. Raises InvalidInteractionError for what cannot be recorded; a commit that names no
    issue is never wrong.
    """
    issues = found_in(_ADDRESS.sub(" ", commit.message))
    if not issues:
        return ()
    _check(commit)
    users: dict[str, tuple[Contact, Kind]] = {}
    for contact, kind in _people(commit):
        users.setdefault(user_of(contact), (contact, kind))
    if len(users) * len(issues) > INTERACTIONS_LIMIT:
        raise InvalidInteractionError("commit", f"is more than {INTERACTIONS_LIMIT:,} interactions")
    return tuple(
        _interaction(commit, user, issue, *touch)
        for issue in issues
        for user, touch in users.items()
    )


def _check(commit: Commit) -> None:
    if commit.authored_at is None:
        raise InvalidInteractionError("occurred_at", "its author date is none")
    if commit.authored_at < EARLIEST:  # a datetime need not be able to say how much earlier
        raise InvalidInteractionError("occurred_at", "must not be before 2000")
    if not commit.author.present:
        raise InvalidInteractionError("user_id", "its author has no address")


def _people(commit: Commit) -> Iterator[tuple[Contact, Kind]]:
    """Yield who touches the commit's issues: those who mention them first."""
    if not commit.is_merge:
        yield commit.author, Kind.MENTION
    for contact in commit.co_authors:
        yield contact, Kind.MENTION
    if commit.is_merge:
        yield commit.author, Kind.VIEW
    for contact in commit.reviewers:
        yield contact, Kind.VIEW


def _interaction(
    commit: Commit, user: str, issue: str, contact: Contact, kind: Kind
) -> Interaction:
    at = commit.authored_at
    # By the address that is written in the commit: that one never changes, while users do where
    # .mailmap or a map of users grows.
    key = f"git:{commit.hash}:{contact.written}:{issue}"
    return interaction_of(
        user,
        issue,
        kind.label,
        occurred_at=None if at is None else moment_of(at),
        context=commit.subject,
        source_key=SourceKey(key, at, f"git:{commit.short_hash}"),
    )
