"""Answers about the bot: its commands, its state, what it keeps, and who a user is in Linear."""

import datetime as dt
from collections.abc import Iterable
from html import escape

import msgspec

from bot.answers.plain_text import one_line
from bot.answers.reply import Reply, fill, say
from bot.language import words
from bot.listening.bot_commands import COMMANDS, Asked, without_courtesies
from ledger.links import LinearUser


def help_(zone: str, *, reads_all: bool, in_either_case: bool) -> Reply:
    """The answer to /help; `reads_all` is whether the bot sees every message of a group.

    `zone` is the name of the zone of all times in answers, `in_either_case` whether keys count in
    lower case, too.
    """
    lines = "\n".join(
        fill(
            words.COMMAND_LINE,
            usage=f"{name} {command.arguments}".strip(),
            summary=words.SUMMARIES[name],
        )
        for name, command in COMMANDS.items()
        if not command.for_admins
    )
    sees = words.SEES_ALL if reads_all else words.SEES_FEW
    written = words.HELP_IN_EITHER_CASE if in_either_case else words.HELP_IN_CAPITALS
    return Reply(
        words.HELP.format(written=written, sees=escape(sees), zone=escape(zone), commands=lines)
    )


def with_left_over(reply: Reply, asked: Asked) -> Reply:
    """Append a line about superfluous words after a command to `reply`."""
    line = left_over(asked)
    return msgspec.structs.replace(reply, html=f"{reply.html}\n{line}") if line else reply


def left_over(asked: Asked) -> str:
    """Return the line about superfluous words after a command; empty if there are none."""
    command, given = COMMANDS.get(asked.name), without_courtesies(asked.arguments)
    at_most = len(given) if command is None else command.words_at_most
    left = given[at_most:] if at_most is not None else []
    template = words.LEFT_OVER_ISSUE if at_most else words.LEFT_OVER
    return fill(template, command=asked.name, words=one_line(" ".join(left))) if left else ""


def hint(*, in_either_case: bool) -> Reply:
    """The answer to a message that names no issue."""
    return say(words.NO_ISSUE_NAMED if in_either_case else words.NO_ISSUE_IN_CAPITALS)


def status(
    events: int, users: int, runs: Iterable[tuple[str, dt.date, int]], *, is_waiting: bool
) -> Reply:
    """The state of the ledger: its size, and the last day and count of each job."""
    waiting = words.STATUS_WAITING if is_waiting else ""
    lines = [fill(words.STATUS, events=events, users=users, waiting=waiting)]
    lines += [fill(words.STATUS_JOBS[job], day=day, counted=counted) for job, day, counted in runs]
    return Reply("\n".join(lines))


def link(code: str | None, user_id: str, present: LinearUser | None) -> Reply:
    """The answer to /link, with a code if comments in Linear are heard of."""
    known = ""
    if present is not None:
        known = words.LINK_PRESENT.format(name=present.name or words.LINK_NO_NAME)
    if code is None:
        return say(words.LINK_NO_COMMENTS, present=known, user_id=user_id)
    return say(words.LINK, present=known, code=code)


def linked(name: str | None) -> Reply:
    """The message to a user whose code was seen in a comment."""
    return say(words.LINKED, name=name or words.LINK_NO_NAME)


def privacy(context_days: int, *, asks_linear: bool = False) -> Reply:
    """The answer to /privacy: the data that is kept, where and for how long."""
    passed_on = words.PRIVACY_LINEAR if asks_linear else words.PRIVACY_NOTHING
    return say(words.PRIVACY, days=context_days, passed_on=passed_on)
