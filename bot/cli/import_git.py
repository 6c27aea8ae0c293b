"""The command that imports the commits of a git repository."""

import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.cli.context import Session
from bot.cli.exits import DONE
from bot.cli.import_common import History, bring_in, choice_of, import_options, name_of, opened
from bot.cli.output import printable, show_json, write_file
from ledger.application import (
    LEFT_OUT,
    Repository,
    UserMapRow,
    contacts_in,
    read_git,
    read_user_map,
    repository_at,
    user_map_of,
)
from ledger.commits import Contact, People
from ledger.entries import Entry, Refusal
from ledger.errors import UnreadableHistoryError
from ledger.idempotency import DIGEST_KEY_BYTES, pseudonym
from ledger.validation import UserId

if TYPE_CHECKING:
    from ledger.application import EngagementLedger


@click.command("git")
@click.argument("directory", metavar="DIR")
@click.option(
    "--write-user-map",
    "new_map",
    metavar="FILE",
    help="Write a map of users to complete, and record nothing; - for standard output.",
)
@click.option(
    "--other-bot",
    "other_bots",
    metavar="ADDRESS",
    multiple=True,
    help="Also leave out this address, an automation account. May be given several times.",
)
@click.option(
    "--user-map",
    metavar="FILE",
    help="CSV with the columns address and user_id; or - for standard input.",
)
@import_options
@click.pass_obj
def import_git(
    session: Session,
    directory: str,
    user_map: str | None,
    other_bots: tuple[str, ...],
    new_map: str | None,
    since: str | None,
    until: str | None,
    dry_run: bool,  # noqa: FBT001 - click passes a flag so
) -> int:
    """Import the commits of the repository in DIR that name issues.

    All ancestors of HEAD are read. Authors and co-authors mention an issue, reviewers and mergers
    view it, each at the author date. Known automation accounts are left out. People who are not in
    the map of users get a pseudonym; no address is stored.
    """
    choice = choice_of(session, since, until, dry_run=dry_run)
    users = {} if user_map is None else _users(user_map)
    bots = frozenset(each.strip().strip("<>").lower() for each in other_bots)
    name = printable(Path(directory).resolve().name) or "/"
    repository = _repository(directory, name)
    found_in = session.settings.issue_keys.found_in
    if new_map is not None:
        _check_is_new(new_map)
        people = People(users, bots, _pseudonyms(None))
        return _write_map(session, new_map, people, contacts_in(repository, found_in))

    def entries(ledger: "EngagementLedger | None") -> Iterator[Entry | Refusal]:
        return read_git(repository, found_in, People(users, bots, _pseudonyms(ledger)))

    return bring_in(session, choice, History(name, "commits", entries, repository.commits))


def _repository(directory: str, name: str) -> Repository:
    try:
        repository = repository_at(directory)
    except UnreadableHistoryError as error:
        raise UnreadableHistoryError(f"{name}: {error}") from None
    if repository.is_shallow:
        message = f"note: {name} is a shallow clone; `git fetch --unshallow` gets what is missing"
        click.echo(message, err=True)
    return repository


def _write_map(session: Session, file: str, people: People, found: Counter[Contact]) -> int:
    rows = _rows(people, found)
    content = user_map_of(rows)
    if file == "-":
        click.echo(content, nl=False)
        return DONE
    write_file(Path(file), content.encode())
    left_out = sum(user == LEFT_OUT for _, user, _, _ in rows)
    if session.as_json:
        show_json({"addresses": len(rows), "left_out": left_out})
        return DONE
    click.echo(f"wrote {len(rows):,} addresses to {printable(file)}, {left_out:,} of them left out")
    click.echo(
        "Fill in user ids and import with --user-map; an address without one gets a pseudonym."
    )
    return DONE


def _rows(people: People, found: Counter[Contact]) -> list[UserMapRow]:
    """Return the rows of a user map, those with the most commits first."""
    by_address: dict[str, list[tuple[int, Contact]]] = {}
    for contact, commits in found.items():
        by_address.setdefault(contact.present, []).append((commits, contact))
    rows = []
    for address, contacts in by_address.items():
        _, contact = max(contacts)
        user = LEFT_OUT if people.leaves_out(contact) else people.known(contact) or ""
        rows.append((address, user, contact.name, sum(commits for commits, _ in contacts)))
    return sorted(rows, key=lambda row: (-row[-1], row))


def _check_is_new(file: str) -> None:
    if file != "-" and Path(file).exists():
        message = f"{name_of(file)} exists and may have been filled in; choose another name"
        raise UnreadableHistoryError(message)


def _users(file: str) -> dict[str, UserId | None]:
    try:
        with opened(file) as stream:
            return read_user_map(stream)
    except UnreadableHistoryError as error:
        raise UnreadableHistoryError(f"{name_of(file)}: {error}") from None


def _pseudonyms(ledger: "EngagementLedger | None") -> Callable[[str], str]:
    """Maps addresses to pseudonyms: the ledger's, or temporary ones if there is no ledger."""
    if ledger is not None:
        return ledger.pseudonym_of
    return partial(pseudonym, secret=secrets.token_bytes(DIGEST_KEY_BYTES))
