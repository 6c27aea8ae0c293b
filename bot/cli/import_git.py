"""The command that brings in what the commits of a repository say."""

import secrets
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import click

from bot.cli.importing import History, bring_in, choice_of, import_options, name_of, opened
from bot.cli.session import Session
from bot.cli.shown import printable
from ledger.application import EngagementLedger
from ledger.commit import Contact
from ledger.intake.git_history import read_git
from ledger.intake.git_log import repository_at
from ledger.intake.history import Entry, Refusal, UnreadableHistoryError
from ledger.intake.user_map import read_user_map
from ledger.source_keys import DIGEST_KEY_BYTES, pseudonym
from ledger.text import UserId


@click.command("git")
@click.argument("directory", metavar="DIR")
@click.option(
    "--user-map",
    metavar="FILE",
    help="CSV with the columns address and user_id: who people are; or - for standard input.",
)
@import_options
@click.pass_obj
def import_git(
    session: Session,
    directory: str,
    user_map: str | None,
    since: str | None,
    until: str | None,
    dry_run: bool,  # noqa: FBT001 - click passes a flag so
) -> int:
    """Import the commits of the repository in DIR that name issues.

    They are those that HEAD comes from. Authors and co-authors mention an issue; reviewers, and who
    merges, view it, each when the commit was written. Who is not in the map of users gets a
    pseudonym; no address is kept.
    """
    choice = choice_of(session, since, until, dry_run=dry_run)
    users = {} if user_map is None else _users(user_map)
    name = printable(Path(directory).resolve().name) or "/"
    try:
        repository = repository_at(directory)
    except UnreadableHistoryError as error:
        raise UnreadableHistoryError(f"{name}: {error}") from None
    if repository.is_shallow:
        message = f"note: {name} is a shallow clone; `git fetch --unshallow` gets what is missing"
        click.echo(message, err=True)

    def entries(ledger: EngagementLedger | None) -> Iterator[Entry | Refusal]:
        found_in = session.settings.issue_keys.found_in
        return read_git(repository, found_in, partial(_user, users, _pseudonyms(ledger)))

    return bring_in(session, choice, History(name, "commits", entries, repository.commits))


def _users(file: str) -> dict[str, UserId]:
    try:
        with opened(file) as stream:
            return read_user_map(stream)
    except UnreadableHistoryError as error:
        raise UnreadableHistoryError(f"{name_of(file)}: {error}") from None


def _pseudonyms(ledger: EngagementLedger | None) -> Callable[[str], str]:
    """Return what gives pseudonyms: the ledger's own, or passing ones where there is none yet."""
    if ledger is not None:
        return ledger.pseudonym_of
    return partial(pseudonym, secret=secrets.token_bytes(DIGEST_KEY_BYTES))


def _user(users: dict[str, UserId], pseudonym_of: Callable[[str], str], contact: Contact) -> str:
    known = users.get(contact.present) or users.get(contact.written)
    return known or f"git-{pseudonym_of(contact.present)}"
