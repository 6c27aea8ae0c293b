"""Histories in git: what the commits say that name issues, read as a stream."""

from collections.abc import Callable, Iterator, Sequence

from ledger.commit import Commit, Contact, interactions_of
from ledger.errors import InvalidInteractionError
from ledger.intake.git_log import Repository, commits_of
from ledger.intake.history import Entry, Refusal


def read_git(
    repository: Repository,
    found_in: Callable[[str], Sequence[str]],
    user_of: Callable[[Contact], str],
) -> Iterator[Entry | Refusal]:
    """Yield an entry or a refusal for each commit, the latest first, in constant memory.

    `found_in` finds issues in a message, `user_of` says who somebody is. No address is in what is
    yielded, unless `user_of` gives it, but in source keys, of which the ledger keeps digests only.
    Raises UnreadableHistoryError where git cannot go on.
    """
    for commit in commits_of(repository):
        yield commit if isinstance(commit, Refusal) else _entry(commit, found_in, user_of)


def _entry(
    commit: Commit, found_in: Callable[[str], Sequence[str]], user_of: Callable[[Contact], str]
) -> Entry | Refusal:
    place = f"commit {commit.short_hash}"
    try:
        return Entry(place, interactions_of(commit, found_in, user_of))
    except InvalidInteractionError as error:
        return Refusal(place, str(error))
