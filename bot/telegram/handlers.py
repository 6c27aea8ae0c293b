"""Handlers: what each command asks of the ledger, and the answer it gets."""

import datetime as dt
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TypeVar

import msgspec

from bot.answers import (
    about_the_bot,
    about_the_clock,
    explanations,
    hiding,
    history,
    rankings,
    scores,
)
from bot.answers.plain_text import one_line
from bot.answers.reply import Attachment, Button, Reply, fill, say
from bot.answers.scores import Titles
from bot.charts import ranking_chart, score_chart
from bot.clocks import ClockGuard
from bot.dates.format import Time
from bot.dates.job_days import CLEANUP, DECAY, EXPIRY
from bot.dates.parse import InvalidMomentError, moment_of_text
from bot.extras import MissingExtraError
from bot.language import words
from bot.linear.cards import cards as cards_with_linear
from bot.linear.facts import as_read_by
from bot.linear.issue import Answer
from bot.listening.bot_commands import CARDS, HINT, Asked, without_courtesies
from bot.listening.issue_keys import IssueKeys
from bot.settings import Settings
from bot.telegram.sending import fault
from bot.telegram.stagnation import stagnant_days, stagnant_keys
from ledger.errors import LedgerError, LedgerUnavailableError, OptedOutError
from ledger.instants import DAY, Instant, instant_of, moment_of
from ledger.validation import user_id_of
from projections.application import Engagements
from projections.evaluation import BRIEFED
from projections.ranking import Ranked

# Questions to the bot, and the parsing of command arguments.

_COUNT = re.compile(r"[0-9]{1,3}")  # longer numbers are dates, or invalid

WORD_SHOWN = 32
"""The most characters that an answer quotes of a word that is not understood."""


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
            known = words.NO_ISSUE if word else words.BAD_ARGUMENTS
            raise self._misunderstood(self._unless_named(word, known), word)
        return issue

    def issue_meant(self) -> str:
        """Return the issue to hide or to show again; raises Misunderstood if there is none."""
        if self.asked.issue is None:
            word, *_ = (*without_courtesies(self.asked.arguments), "")
            raise self._misunderstood(words.NO_ISSUE if word else words.BAD_ARGUMENTS, word)
        return self.asked.issue

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
        arguments = without_courtesies(arguments)
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
        known = self._unless_named(first, words.NO_ISSUE_NO_DATE)
        return None, self.moment(self.asked.arguments, known)

    def misunderstood(self) -> Misunderstood:
        """The error for invalid arguments of a command."""
        return self._misunderstood(words.BAD_ARGUMENTS)

    def _unless_named(self, word: str, template: str) -> str:
        """The template for a word that is no issue: `template`, unless it has an unknown team."""
        return words.NO_TEAM if self.keys.named_in(word) else template

    def _moment(self, arguments: Sequence[str]) -> dt.datetime:
        return moment_of_text(" ".join(arguments), self.now, self.settings.zone)

    def _is_moment(self, arguments: Sequence[str]) -> bool:
        try:
            self._moment(arguments)
        except InvalidMomentError:
            return False
        return True

    def _misunderstood(self, template: str, word: str = "") -> Misunderstood:
        shown, example = one_line(word)[:WORD_SHOWN], words.EXAMPLES[self.asked.name]
        return Misunderstood(say(template, word=shown, example=example))


# Handlers block while they read the ledger, so they run in a thread, not on the event loop. If the
# ledger cannot be read, the answer says so.

_log = logging.getLogger(__name__)

RANKED_AT_MOST = 50
CHARTED = 10
CHARTED_DAYS = 90
JOBS = (DECAY.job, CLEANUP.job, EXPIRY.job)

YES, NO = "forget:", "keep:"
"""Data prefixes of the buttons that answer /forget; the asker's id follows."""


class Listing(msgspec.Struct, frozen=True):
    """An answer that names issues, once it is known which ones, but not their titles."""

    issues: tuple[str, ...]
    with_titles: Callable[[Titles], Reply]


Made = TypeVar("Made", Reply, Reply | Listing)


def answer(question: Question) -> Reply | Listing:
    """Return the answer to a command or to issues that are named."""
    return _answered(question.asked, lambda: ANSWERS.get(question.asked.name, _unknown)(question))


def finish(listing: Listing, titles: Titles, asked: Asked) -> Reply:
    """Return the answer with the titles that are known, without titles where none is."""
    return _answered(asked, lambda: listing.with_titles(titles))


def _answered(asked: Asked, make: Callable[[], Made]) -> Made | Reply:
    try:
        made = make()
        return about_the_bot.with_left_over(made, asked) if isinstance(made, Reply) else made
    except Misunderstood as misunderstood:
        return misunderstood.reply
    except MissingExtraError as missing:
        return say(words.NOT_INSTALLED, reason=str(missing))
    except LedgerError:
        return say(words.UNREADABLE)
    except Exception as error:  # noqa: BLE001 - every question is answered (R13)
        _log.error("answer failed", extra={"error": fault(error)})
        return say(words.FAILED)


# --- issues --------------------------------------------------------------------------------------


def _cards(question: Question) -> Reply:
    engagements = question.engagements
    ranked = [engagements.questions.ask(question.user, issue) for issue in question.asked.arguments]
    time, hidden = question.time(), engagements.questions.hidden(question.user)
    if question.answers:
        answers = _as_read_by_asker(question)
        return cards_with_linear(
            ranked,
            answers,
            time,
            hidden,
            stagnant_days(question.engagements, question.settings, answers),
        )
    return scores.cards(ranked, time, hidden, question.keys.counts)


def _as_read_by_asker(question: Question) -> Mapping[str, Answer]:
    me = question.engagements.issues.linear_user(question.user)
    if me is None:
        return question.answers
    return {key: as_read_by(me.linear_id, each) for key, each in question.answers.items()}


def _score(question: Question) -> Reply:
    word, *rest = question.asked.arguments or [""]
    issue, at = question.issue(word), question.moment(rest)
    ranked = question.engagements.questions.ask(question.user, issue, at)
    return scores.score(ranked, question.engagements.policies.in_force, question.time(at))


def _why(question: Question) -> Reply:
    word, *rest = question.asked.arguments or [""]
    issue, at = question.issue(word), question.moment(rest)
    explanation = question.engagements.questions.explain(question.user, issue, at)
    return explanations.why(explanation, question.time(at))


def _top(question: Question) -> Listing:
    limit, rest = question.limit(BRIEFED)
    at = question.moment(rest)
    ranked = question.engagements.questions.top(question.user, min(limit, RANKED_AT_MOST), at)
    all_hidden = _all_hidden(question, ranked, at)
    return _listing(ranked, partial(rankings.top, ranked, question.time(at), all_hidden=all_hidden))


def _briefing(question: Question) -> Listing:
    ranked = question.engagements.questions.top(question.user, BRIEFED)
    all_hidden = _all_hidden(question, ranked)
    stagnant = stagnant_keys(
        question.engagements, question.settings, [each.issue_id for each in ranked]
    )
    reply = partial(
        rankings.briefing, ranked, question.time(), all_hidden=all_hidden, stagnant=stagnant
    )
    return _listing(ranked, reply)


def _listing(ranked: Sequence[Ranked], with_titles: Callable[[Titles], Reply]) -> Listing:
    return Listing(tuple(each.issue_id for each in ranked), with_titles)


def _all_hidden(
    question: Question, ranked: Sequence[Ranked], at: dt.datetime | None = None
) -> bool:
    """Whether a list is empty because all of its issues are hidden."""
    return not ranked and bool(question.engagements.questions.hidden(question.user, at))


def _hide(question: Question) -> Reply:
    return _set_hidden(question, hidden=True)


def _unhide(question: Question) -> Reply:
    if not without_courtesies(question.asked.arguments):
        return hiding.hidden_list(question.engagements.questions.hidden(question.user))
    return _set_hidden(question, hidden=False)


def _set_hidden(question: Question, *, hidden: bool) -> Reply:
    # The recorder has stored the hiding by now; if it is in the spool, the ledger lacks it.
    issue = question.issue_meant()
    if question.is_behind:
        return say(words.HIDING_WAITS)
    hidings = question.engagements.questions.hidings(question.user)
    return hiding.hiding(issue, hidings, hidden=hidden) or _not_recorded(question, issue)


def _not_recorded(question: Question, issue: str) -> Reply:
    engagements, user = question.engagements, question.user
    if engagements.ledger.is_opted_out(user, instant_of(question.now)):
        return say(words.HIDING_OPTED_OUT)
    if not engagements.questions.ask(user, issue).engagement.count:
        return say(words.NEVER_TOUCHED, issue=issue)
    return say(words.NOT_NOTED)


def _stats(question: Question) -> Reply:
    at = question.moment(question.asked.arguments)
    return history.stats(
        question.engagements.questions.statistics(question.user, at), question.time(at)
    )


def _history(question: Question) -> Listing:
    issue, at = question.issue_and_moment()
    page = question.engagements.questions.page(
        question.user, issue, at, limit=history.HISTORY_SHOWN, latest=True
    )
    shown = [history.Shown(each.event, each.origin.context, each.name) for each in page.entries]
    issues = dict.fromkeys(str(each.event.issue_id) for each in shown)
    reply = partial(history.history, shown, page.total, issue, question.time(at))
    return Listing(tuple(issues), reply)


def _chart(question: Question) -> Reply | Listing:
    issue, at = question.issue_and_moment()
    return _chart_of_top(question, at) if issue is None else _chart_of(question, issue, at)


def _chart_of(question: Question, issue: str, at: dt.datetime | None) -> Reply | Listing:
    engagements, until = question.engagements, at or question.now
    end, moment = instant_of(until), question.time(at).moment
    first_at = engagements.questions.ask(question.user, issue, at).engagement.first_at
    if first_at is None:
        of_issue = words.HISTORY_OF.format(issue=issue)
        return say(words.NO_CHART, of_issue=of_issue, moment=moment)
    start = moment_of(Instant(max(end - CHARTED_DAYS * DAY, min(first_at, end))))
    series = engagements.questions.series(question.user, issue, start, until)
    picture = score_chart(series, question.settings.zone, words.CHART)
    caption = partial(scores.chart_of_issue, issue, series.points[-1][1], moment)
    attachment = Attachment(f"{issue}.png", picture, is_picture=True)
    return Listing((issue,), lambda titles: Reply(caption(titles), attachment=attachment))


def _chart_of_top(question: Question, at: dt.datetime | None) -> Reply | Listing:
    ranked, moment = (
        question.engagements.questions.top(question.user, CHARTED, at),
        question.time(at).moment,
    )
    if not ranked:
        template = words.ALL_HIDDEN if _all_hidden(question, ranked, at) else words.NO_CHART
        return say(template, of_issue="", moment=moment)
    known = words.CHART_OF_QUIET if scores.all_quiet(ranked) else words.CHART_OF_TOP
    return _listing(ranked, partial(_drawn_top, ranked, fill(known, moment=moment)))


def _drawn_top(ranked: Sequence[Ranked], caption: str, titles: Titles) -> Reply:
    bars = [(scores.marked(each), each.score.value) for each in ranked]
    beside = [titles.get(each.issue_id, "") for each in ranked]
    picture = ranking_chart(bars, words.CHART, beside)
    return Reply(caption, attachment=Attachment("top.png", picture, is_picture=True))


# --- who is who in Linear ------------------------------------------------------------------------


def _link(question: Question) -> Reply:
    engagements, user, code = question.engagements, question.user, None
    try:
        if question.settings.linear_webhook_secret is not None:
            code = engagements.ledger.linear_links.new_code(user_id_of(user))
    except OptedOutError:
        return say(words.LINK_OPTED_OUT)
    except LedgerUnavailableError:
        return say(words.NOT_NOTED)
    return about_the_bot.link(code, user, engagements.issues.linear_user(user))


def _unlink(question: Question) -> Reply:
    try:
        was_linked = question.engagements.ledger.linear_links.unlink(question.user)
    except LedgerUnavailableError:
        return say(words.NOT_NOTED)
    return say(words.NO_LONGER_LINKED if was_linked else words.NOT_LINKED)


# --- what is kept --------------------------------------------------------------------------------


def _privacy(question: Question) -> Reply:
    settings = question.settings
    return about_the_bot.privacy(
        settings.context_days, asks_linear=settings.linear_api_key is not None
    )


def _forget(question: Question) -> Reply:
    return Reply(words.FORGET, forget_buttons(question.user))


def forget_buttons(user_id: str) -> tuple[Button, Button]:
    """The buttons that confirm or cancel /forget, which only this user may press."""
    return Button(words.FORGET_YES, YES + user_id), Button(words.FORGET_NO, NO + user_id)


def _opt_out(question: Question) -> Reply:
    return _noted(question, words.OPTED_OUT, opted_out=True)


def _opt_in(question: Question) -> Reply:
    return _noted(question, words.OPTED_IN, opted_out=False)


def _noted(question: Question, done: str, *, opted_out: bool) -> Reply:
    # The recorder has stored the opt-out by now; one that waits in the spool counts.
    will = question.will
    if will is None:
        ledger = question.engagements.ledger
        will = ledger.is_opted_out(question.user, instant_of(question.now))
    return say(done if will is opted_out else words.NOT_NOTED)


# --- about the bot -------------------------------------------------------------------------------


def _start(_: Question) -> Reply:
    return Reply(words.START)


def _help(question: Question) -> Reply:
    return about_the_bot.help_(
        question.settings.timezone,
        reads_all=question.reads_all,
        in_either_case=question.keys.are_in_either_case,
    )


def _hint(question: Question) -> Reply:
    return about_the_bot.hint(in_either_case=question.keys.are_in_either_case)


def _unknown(question: Question) -> Reply:
    return say(words.UNKNOWN_COMMAND, command=one_line(question.asked.name)[:32])


def _status(question: Question) -> Reply:
    if question.user_id not in question.settings.admins:
        return say(words.FOR_ADMINS, command=question.asked.name)
    ledger = question.engagements.ledger
    runs = ((job, ledger.job_runs.last(job)) for job in JOBS)
    done = [(job, run.day, run.counted) for job, run in runs if run is not None]
    events, users = ledger.size()
    return about_the_bot.status(events, users, done, is_waiting=question.is_behind)


def _clock(question: Question) -> Reply:
    if question.user_id not in question.settings.admins:
        return say(words.FOR_ADMINS, command=question.asked.name)
    match [word.lower() for word in question.asked.arguments]:
        case []:
            return about_the_clock.state(question.clock.state())
        case ["ok"]:
            question.clock.confirm()
            return say(words.CLOCK_CONFIRMED)
    raise question.misunderstood()


ANSWERS: dict[str, Callable[[Question], Reply | Listing]] = {
    CARDS: _cards,
    HINT: _hint,
    "start": _start,
    "help": _help,
    "top": _top,
    "score": _score,
    "why": _why,
    "stats": _stats,
    "hide": _hide,
    "unhide": _unhide,
    "history": _history,
    "briefing": _briefing,
    "chart": _chart,
    "link": _link,
    "unlink": _unlink,
    "privacy": _privacy,
    "optout": _opt_out,
    "optin": _opt_in,
    "forget": _forget,
    "status": _status,
    "clock": _clock,
}
