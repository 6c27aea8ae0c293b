"""The command that imports a Telegram export."""

import io
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

import click

from bot.cli.context import Session
from bot.cli.import_common import Choice, bring_in, choice_of, import_options, of_file, opened
from bot.intake.telegram_export import read_export
from bot.listening.exported_messages import Bots, ExportedMessage, Listener, live_chat_of, overlaps
from bot.settings import Settings, variable_of
from ledger.commands import Interaction
from ledger.entries import Entry, Refusal
from ledger.errors import InvalidInteractionError
from ledger.instants import iso

if TYPE_CHECKING:
    from ledger.application import EngagementLedger, Span

SpansAt = Callable[[str], "dict[str, Span]"]


@click.command("telegram")
@click.argument("file")
@click.option(
    "--bot",
    "bot_id",
    metavar="ID",
    type=click.IntRange(min=1),
    help="The user id of our bot; if not given, the one in TELEGRAM_BOT_TOKEN.",
)
@click.option("--bot-name", metavar="NAME", help="The bot's username, by which people address it.")
@click.option(
    "--other-bot",
    "other_bots",
    metavar="ID",
    type=click.IntRange(min=1),
    multiple=True,
    help="The user id of another bot, whose messages are ignored; may be given again.",
)
@click.option(
    "--overlapping",
    is_flag=True,
    help="Also record what the bot may have recorded live in a private chat or basic group.",
)
@import_options
@click.pass_obj
def import_telegram(
    session: Session,
    file: str,
    bot_id: int | None,
    bot_name: str | None,
    other_bots: tuple[int, ...],
    overlapping: bool,  # noqa: FBT001 - click passes a flag so
    since: str | None,
    until: str | None,
    dry_run: bool,  # noqa: FBT001 - as above
) -> int:
    """Import FILE, a JSON export from Telegram Desktop, or - for standard input.

    It may be gzipped, and contain one chat or all. In a supergroup, a message that the bot recorded
    live and its line in the export count once. Refused messages are reported on stderr; the others
    are recorded.
    """
    choice = choice_of(session, since, until, dry_run=dry_run)
    name = bot_name.removeprefix("@") if bot_name else None

    def entries(ledger: "EngagementLedger | None") -> Iterator[Entry | Refusal]:
        known = None if ledger is None or overlapping else ledger.spans_at
        return _entries(stream, listener, choice, known)

    with opened(file) as stream:
        bots = Bots(bot_id or _bot_of(session.settings), name, frozenset(other_bots))
        listener = Listener(bots, session.settings.issue_keys)
        return bring_in(session, choice, of_file(stream, file, "messages", entries))


def _bot_of(settings: Settings) -> int:
    token = settings.telegram_bot_token
    if token is None:
        variable = variable_of("telegram_bot_token")
        message = (
            "an export does not say which user is our bot: give --bot ID (1 if there was none in "
            f"the chat), or set {variable}"
        )
        raise click.UsageError(message)
    return int(token.reveal().partition(":")[0])


def _entries(
    stream: io.BufferedReader, listener: Listener, choice: Choice, known: SpansAt | None
) -> Iterator[Entry | Refusal]:
    spans_at = _no_spans if known is None else lru_cache(maxsize=1)(known)
    for message in read_export(stream):
        if isinstance(message, Refusal):
            yield message
            continue
        try:
            heard = listener.hear(message)
        except InvalidInteractionError as error:
            yield Refusal(message.place, str(error))
            continue
        yield _entry(message, heard, choice, spans_at) if heard else Entry(message.place, ())


def _no_spans(_: str) -> "dict[str, Span]":
    return {}


def _entry(
    message: ExportedMessage, heard: tuple[Interaction, ...], choice: Choice, spans_at: SpansAt
) -> Entry | Refusal:
    user, name = heard[0].user_id, message.sender_name
    chat = live_chat_of(message)
    span = None if chat is None else spans_at(chat).get(user)
    # All interactions of a message have one instant, so all of them overlap or none.
    if span is not None and choice.window.holds(heard[0]) and overlaps(heard[0], span):
        reason = f"live interactions from {iso(span[0])} to {iso(span[1])} overlap"
        return Refusal(message.place, f"{reason}; --overlapping records them all the same")
    return Entry(message.place, heard, () if name is None else ((user, name),))
