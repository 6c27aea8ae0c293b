"""Questions: who asks what, and what the words behind a command mean."""

import datetime as dt
import re
from collections.abc import Sequence

import msgspec

from bot import replies
from bot.clocks import ClockGuard
from bot.commands import Asked
from bot.issue_keys import IssueKeys
from bot.language import words
from bot.moments import InvalidMomentError, moment_of_text
from bot.replies import Reply, Time, say
from bot.settings import Settings
from projections.application import Engagements

_COUNT = re.compile(r"[0-9]{1,3}")  # longer ones are dates, or nothing

WORD_SHOWN = 32
"""Characters of a word that is not understood."""

CARDS, HINT = "", " "
"""What is asked without a command: cards of issues, or nothing that is understood."""


class Misunderstood(Exception):  # noqa: N818 - no fault of the program's, and never told as one
    """Arguments that cannot be meant; `reply` says what could."""

    def __init__(self, reply: Reply) -> None:
        """Keep what to answer."""
        super().__init__()
        self.reply = reply


class Question(msgspec.Struct, frozen=True):
    """Who asks what, when."""

    engagements: Engagements
    settings: Settings
    keys: IssueKeys
    user_id: int
    asked: Asked
    clock: ClockGuard
    reads_all: bool = False
    """Whether the bot sees every message of a group."""
    is_behind: bool = False
    """Whether anything waits in the spool."""
    will: bool | None = None
    """Whether the asker's opt-out (True) or opt-in waits there, if one does."""

    @property
    def user(self) -> str:
        """The asker as the ledger knows them."""
        return str(self.user_id)

    @property
    def now(self) -> dt.datetime:
        """The present, by the ledger's clock."""
        return self.engagements.clock()

    def time(self, at: dt.datetime | None = None) -> Time:
        """Return the present, or the moment `at`, as the asker's zone has it."""
        return Time(self.now, self.settings.zone, at)

    def issue(self, word: str) -> str:
        """Return the issue that `word` names, or raise Misunderstood."""
        issue = self.keys.named_by(word)
        if issue is None:
            raise self._misunderstood(words.NO_ISSUE if word else words.BAD_ARGUMENTS, word)
        return issue

    def issue_meant(self) -> str:
        """Return the issue that the arguments begin with, also one that is no key.

        Raises Misunderstood if it can be none.
        """
        word, *_ = (*replies.without_courtesies(self.asked.arguments), "")
        issue = self.keys.meant_by(word)
        if issue is None:
            raise self._misunderstood(words.NO_ISSUE if word else words.BAD_ARGUMENTS, word)
        return issue

    def limit(self, default: int) -> tuple[int, Sequence[str]]:
        """Return the count that the arguments begin with, or `default`, and what follows it.

        A number that begins a date, as in "31 Jan" or "3 days ago", is no count.
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
        """Return the moment that `arguments` name, or None without any.

        Courtesies such as please are ignored; anything else that is no moment is answered with
        `template`.
        """
        arguments = replies.without_courtesies(arguments)
        try:
            return self._moment(arguments) if arguments else None
        except InvalidMomentError:
            raise self._misunderstood(template, " ".join(arguments)) from None

    def issue_and_moment(self) -> tuple[str | None, dt.datetime | None]:
        """Return the issue and the moment that the arguments name, None for what they do not."""
        first, *rest = self.asked.arguments or [""]
        issue = self.keys.named_by(first)
        if issue is not None:
            return issue, self.moment(rest)
        return None, self.moment(self.asked.arguments, words.NO_ISSUE_NO_DATE)

    def misunderstood(self) -> Misunderstood:
        """Return the error for arguments that the command does not know."""
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
