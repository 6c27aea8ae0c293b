"""Git histories: the interactions of commits that name issues, read as a stream."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from ledger.commits import Commit, Contact, People, contacts_of, issues_of, touches_of
from ledger.errors import InvalidInteractionError
from ledger.intake.git_log import Repository, commits_of
from ledger.intake.history import Entry, Refusal

IssueSearch = Callable[[str], Sequence[str]]


def read_git(
    repository: Repository, found_in: IssueSearch, people: People
) -> Iterator[Entry | Refusal]:
    """Yield an entry or a refusal for each commit, the latest first, in constant memory.

    `found_in` finds issues in a message. Addresses occur only in source keys, of which the ledger
    keeps digests, and in user ids if `people` map to them. Raises UnreadableHistoryError if git
    fails.
    """
    for commit in commits_of(repository):
        yield _entry(commit, found_in, people)


def contacts_in(repository: Repository, found_in: IssueSearch) -> Counter[Contact]:
    """Return the contacts who touch issues, with the number of their commits that name any.

    Raises UnreadableHistoryError if git fails.
    """
    commits = Counter[Contact]()
    for commit in commits_of(repository):
        if issues_of(commit, found_in):
            commits.update({contact for contact, _ in contacts_of(commit)})
    return commits


def _entry(commit: Commit, found_in: IssueSearch, people: People) -> Entry | Refusal:
    place = f"commit {commit.short_hash}"
    try:
        wanted, left_out = touches_of(commit, found_in, people)
    except InvalidInteractionError as error:
        return Refusal(place, str(error))
    return Entry(place, wanted, left_out=left_out)
