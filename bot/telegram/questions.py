"""Questions to the bot, and the parsing of command arguments."""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec

from bot import replies
from bot.clocks import ClockGuard
from bot.commands import Asked
from bot.issue_keys import IssueKeys
from bot.language import words
from bot.linear.issue import Answer
from bot.moments import InvalidMomentError, moment_of_text
from bot.replies import Reply, Time, say
from bot.settings import Settings
from projections.application import Engagements

_COUNT = re.compile(r"[0-9]{1,3}")  # longer numbers are dates, or invalid

WORD_SHOWN = 32
"""The most characters that an answer quotes of a word that is not understood."""

CARDS, HINT = "", " "
"""Question names for messages without a command: cards of issues, or not understood."""


class Misunderstood(Exception):  # noqa: N818 - no fault of the program's, and never told as one
    """Invalid arguments; `reply` explains the valid ones."""

    def __init__(self, reply: Reply) -> None:
        """Hold the reply to send."""
        super().__init__()
        self.reply = reply


class Question(msgspec.Struct, frozen=True):
    """A question: the asker, the command and its arguments, and the present."""

    engagements: Engagements
    settings: Settings
    keys: IssueKeys
    user_id: int
    asked: Asked
    clock: ClockGuard
    reads_all: bool = False
    """Whether the bot sees every message of a group."""
    is_behind: bool = False
    """Whether entries wait in the spool."""
    will: bool | None = None
    """The asker's opt-out (True) or opt-in (False) that waits in the spool, if any."""
    answers: Mapping[str, Answer] = MappingProxyType({})
    """The answers of Linear for the issues whose cards are asked for; empty without Linear."""

    @property
    def user(self) -> str:
        """The asker's user id in the ledger."""
        return str(self.user_id)

    @property
    def now(self) -> dt.datetime:
        """The present, by the ledger's clock."""
        return self.engagements.clock()

    def time(self, at: dt.datetime | None = None) -> Time:
        """The present, or the moment `at`, in the asker's zone."""
        return Time(self.now, self.settings.zone, at)

    def issue(self, word: str) -> str:
        """Return the issue that `word` names; raises Misunderstood if it names none."""
        issue = self.keys.named_by(word)
        if issue is None:
            raise self._misunderstood(words.NO_ISSUE if word else words.BAD_ARGUMENTS, word)
        return issue

    def issue_meant(self) -> str:
        """Return the issue that the arguments begin with, even if it is not a key now.

        Raises Misunderstood if it cannot be an issue id.
        """
        word, *_ = (*replies.without_courtesies(self.asked.arguments), "")
        issue = self.keys.meant_by(word)
        if issue is None:
            raise self._misunderstood(words.NO_ISSUE if word else words.BAD_ARGUMENTS, word)
        return issue

    def limit(self, default: int) -> tuple[int, Sequence[str]]:
        """Return the count that the arguments begin with, or `default`, and the other arguments.

        A number that begins a date, as in "31 Jan" or "3 days ago", is not a count.
        """
        first, *rest = self.asked.arguments or [""]
        if not _COUNT.fullmatch(first) or self._is_moment(self.asked.arguments):
            return default, self.asked.arguments
        if int(first) == 0:
            raise self._misunderstood(words.BAD_ARGUMENTS)
        return int(first), rest

    def moment(
        self, arguments: Sequence[str], template: str = words.BAD_DATE
    ) -> dt.datetime | None:
        """Return the moment that `arguments` name, or None if there are none.

        Courtesies such as please are ignored; other invalid arguments raise Misunderstood with
        `template`.
        """
        arguments = replies.without_courtesies(arguments)
        try:
            return self._moment(arguments) if arguments else None
        except InvalidMomentError:
            raise self._misunderstood(template, " ".join(arguments)) from None

    def issue_and_moment(self) -> tuple[str | None, dt.datetime | None]:
        """Return the issue and the moment that the arguments name; None for each that they lack."""
        first, *rest = self.asked.arguments or [""]
        issue = self.keys.named_by(first)
        if issue is not None:
            return issue, self.moment(rest)
        return None, self.moment(self.asked.arguments, words.NO_ISSUE_NO_DATE)

    def misunderstood(self) -> Misunderstood:
        """The error for invalid arguments of a command."""
        return self._misunderstood(words.BAD_ARGUMENTS)

    def _moment(self, arguments: Sequence[str]) -> dt.datetime:
        return moment_of_text(" ".join(arguments), self.now, self.settings.zone)

    def _is_moment(self, arguments: Sequence[str]) -> bool:
        try:
            self._moment(arguments)
        except InvalidMomentError:
            return False
        return True

    def _misunderstood(self, template: str, word: str = "") -> Misunderstood:
        shown, example = replies.one_line(word)[:WORD_SHOWN], words.EXAMPLES[self.asked.name]
        return Misunderstood(say(template, word=shown, example=example))
