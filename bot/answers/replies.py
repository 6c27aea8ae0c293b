"""Replies of the bot, as values that any interface can show."""

import datetime as dt
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from html import escape
from html.parser import HTMLParser
from types import MappingProxyType
from typing import IO, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from bot.clock_check import ClockState
from bot.dates.format import since, when
from bot.language import words
from bot.listening.bot_commands import COMMANDS, Asked, without_courtesies
from bot.listening.classification import CARD, HIDE_BUTTON, LISTED_BUTTON, UNHIDE_BUTTON
from ledger.as_of import AsOf
from ledger.commands import Kind
from ledger.events import (
    AccountEvent,
    EngagementDecided,
    EngagementHidden,
    InteractionRecorded,
    ScoreOverridden,
    kind_label,
)
from ledger.instants import Instant, iso, moment_of
from ledger.links import LinearUser
from projections.engagement import Engagement, of_kinds
from projections.policy import ScoringPolicy
from projections.ranking import Ranked, hidden_issues
from projections.scoring import Score
from projections.statistics import Statistics

# Replies as plain text, for output without markup.

UNLINKED = "\u2060"
"""Stands where Telegram would find an address, a name or a command in the words of a person."""

_UNLINKED = re.compile(rf"(?<=[.@#$/:]){UNLINKED}")
_LINKED = re.compile(r"(?<=[.@#$/:])(?=\w)")


def unlinked(text: str) -> str:
    """`text`, marked so that Telegram finds no address, name or command in it."""
    return _LINKED.sub(UNLINKED, text)


def plain_text(html: str) -> str:
    """Strip the tags of a reply's `html` and unescape its characters."""
    parser = _Text()
    parser.feed(html)
    parser.close()
    return _UNLINKED.sub("", "".join(parser.pieces))


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []

    def handle_data(self, data: str) -> None:
        self.pieces.append(data)


# The texts of replies are HTML in Telegram's dialect. Words come from `bot.language`; `fill`
# escapes all values that are filled into them.

TEXT_LIMIT = 4096
"""The most UTF-16 units of a message; markup is included, although Telegram does not count it."""

HISTORY_SHOWN = 20
CONTEXT_SHOWN = 100


class Button(msgspec.Struct, frozen=True):
    """A button below a reply, which sends `data` back, opens `url`, or copies the text `copied`."""

    text: str
    data: str = ""
    url: str | None = None
    copied: str | None = None
    is_beside: bool = False
    """Whether it is in the row of the button before it."""


class Attachment(msgspec.Struct, frozen=True):
    """A file attached to a reply; a picture is shown, any other file is saved."""

    name: str
    content: bytes | IO[bytes]
    is_picture: bool


class Reply(msgspec.Struct, frozen=True):
    """An answer: HTML, buttons, and optionally a file."""

    html: str
    buttons: tuple[Button, ...] = ()
    attachment: Attachment | None = None


class Time(msgspec.Struct, frozen=True):
    """The moment that an answer is about, the present, and the reader's zone."""

    now: dt.datetime
    zone: ZoneInfo
    at: dt.datetime | None = None

    @property
    def today(self) -> dt.date:
        """The present day there."""
        return self.now.astimezone(self.zone).date()

    @property
    def moment(self) -> str:
        """The moment in words: "now", or "as of" another one."""
        return words.NOW if self.at is None else words.AS_OF.format(when=self.said(self.at))

    def said(self, moment: dt.datetime) -> str:
        """Format `moment` relative to the present, such as "today at 12:00"."""
        return when(moment, self.now, self.zone)

    def said_instant(self, instant: int | None) -> str:
        """The same for an instant; None gives the word for "never"."""
        return words.NONE if instant is None else self.said(moment_of(Instant(instant)))


def fill(template: str, /, **values: object) -> str:
    """Fill the values into `template`, HTML-escaped.

    A lone surrogate, which cannot be sent, becomes a question mark.
    """
    shown = {name: str(value).encode(errors="replace").decode() for name, value in values.items()}
    return template.format_map({name: escape(value) for name, value in shown.items()})


Titles = Mapping[str, str]
"""Titles of issues by their keys: those that are known, in one line, cut to fit."""
NO_TITLES: Titles = MappingProxyType({})


def _titled(template: str, issue: str, titles: Titles) -> str:
    """The title of `issue` as `template` places it after the key, or nothing."""
    return template.format(title=unlinked(titles[issue])) if issue in titles else ""


def say(template: str, /, **values: object) -> Reply:
    """A reply of text alone, from a template and its values."""
    return Reply(fill(template, **values))


def parts(html: str) -> list[str]:
    """Split `html` at line ends into messages within the limit, which no line may exceed."""
    messages: list[str] = []
    waiting, *lines = html.split("\n")
    for line in lines:
        longer = f"{waiting}\n{line}"
        if utf16_units(longer) >= TEXT_LIMIT:
            messages.append(waiting)
            waiting = line
        else:
            waiting = longer
    return [*messages, waiting]


def utf16_units(text: str) -> int:
    """Return the length of `text` as Telegram counts it."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


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


# --- about the asker -----------------------------------------------------------------------------


def cards(ranked: Sequence[Ranked], time: Time, hidden: Collection[str] = ()) -> Reply:
    """Return the cards of issues without Linear, one below the other, each with its button."""
    texts = [_card(each, time, is_hidden=each.issue_id in hidden) for each in ranked]
    buttons = (
        hiding_button(each.issue_id, hide=each.issue_id not in hidden)
        for each in ranked
        if each.engagement.count
    )
    return Reply("\n\n".join(texts), tuple(buttons))


def hiding_button(issue: str, *, hide: bool) -> Button:
    """The button that hides an issue, or shows it again."""
    if hide:
        return Button(words.HIDE_BUTTON.format(issue=issue), HIDE_BUTTON + issue)
    return Button(words.UNHIDE_BUTTON.format(issue=issue), UNHIDE_BUTTON + issue)


def _card(ranked: Ranked, time: Time, *, is_hidden: bool) -> str:
    engagement, value = ranked.engagement, f"{ranked.score.value:.3f}"
    known = words.CARD if engagement.first_at == engagement.last_at else words.CARD_AGAIN
    return fill(
        known if engagement.count else words.CARD_NEW,
        issue=ranked.issue_id,
        score=value,
        touches=touches(engagement),
        first=time.said_instant(engagement.first_at),
        last=time.said_instant(engagement.last_at),
        note=_noted(ranked) + (words.NOTE.format(note=words.CARD_HIDDEN) if is_hidden else ""),
    )


def touches(engagement: Engagement) -> str:
    """The interactions with an issue by kind, as in "2 queries, 1 view"."""
    return ", ".join(counted(engagement.counts))


def counted(counts: Sequence[int]) -> list[str]:
    """The interactions of each kind that there are, the highest kind first."""
    by_kind = zip(Kind, counts, strict=True)
    parts = [f"{count} {words.KINDS[kind.label][count != 1]}" for kind, count in by_kind if count]
    return parts[::-1]


def score(ranked: Ranked, policy: ScoringPolicy, time: Time) -> Reply:
    """A score, with a sentence that explains it."""
    return say(
        words.SCORE,
        issue=ranked.issue_id,
        score=f"{ranked.score.value:.3f}",
        moment=time.moment,
        note=_noted(ranked),
        sentence=score_sentence(ranked, policy),
    )


def score_sentence(ranked: Ranked, policy: ScoringPolicy) -> str:
    """A sentence that explains a score, as plain text; kinds that do not count are left out."""
    parts, count = ranked.score, of_kinds(ranked.engagement, policy.kinds).count
    if not ranked.engagement.count:
        return words.SCORE_DEFAULT
    if parts.idle_days is None:
        return words.SCORE_UNCOUNTED
    idle, decay = since(parts.idle_days), f"{parts.decay:.3f}"
    if parts.override is not None:
        score = f"{parts.override:g}"
        return words.SCORE_SET.format(times=times(count), score=score, idle=idle, decay=decay)
    base = words.SCORE_BASE.format(
        frequency_weight=f"{policy.frequency_weight:g}",
        frequency=f"{parts.frequency:.3f}",
        recency_weight=f"{policy.recency_weight:g}",
        recency=f"{parts.recency:.3f}",
    )
    return words.SCORE_SENTENCE.format(times=times(count), idle=idle, base=base, decay=decay)


def top(
    ranked: Sequence[Ranked], time: Time, titles: Titles = NO_TITLES, *, all_hidden: bool = False
) -> Reply:
    """A ranking; `all_hidden` is the reason if it is empty."""
    if not ranked:
        return say(words.ALL_HIDDEN if all_hidden else words.NO_TOP, moment=time.moment)
    head = fill(words.TOP_QUIET if all_quiet(ranked) else words.TOP, moment=time.moment)
    return Reply("\n".join([head, *_ranking(ranked, time, titles)]))


def briefing(
    ranked: Sequence[Ranked], time: Time, titles: Titles = NO_TITLES, *, all_hidden: bool = False
) -> Reply:
    """A ranking with a button for each issue; `all_hidden` is the reason if it is empty."""
    if not ranked:
        return say(words.NO_BRIEFING_ALL_HIDDEN if all_hidden else words.NO_BRIEFING)
    known = words.BRIEFING_QUIET if all_quiet(ranked) else words.BRIEFING
    head = fill(known, when=time.said(time.now))
    buttons = tuple(
        Button(
            words.BRIEFING_BUTTON.format(issue=each.issue_id, score=f"{each.score.value:.3f}"),
            CARD + each.issue_id,
        )
        for each in ranked
    )
    return Reply("\n".join([head, *_ranking(ranked, time, titles)]), buttons)


def _ranking(ranked: Sequence[Ranked], time: Time, titles: Titles) -> Iterable[str]:
    return (
        fill(
            words.TOP_LINE,
            place=place,
            issue=each.issue_id,
            title=_titled(words.TITLE_BEFORE_MORE, each.issue_id, titles),
            score=f"{each.score.value:.3f}",
            times=times(each.engagement.count),
            last=time.said_instant(each.engagement.last_at),
            note=_noted(each),
        )
        for place, each in enumerate(ranked, 1)
    )


def note(ranked: Ranked) -> str:
    """The note on an issue in a list: dormant, set by hand, nothing that counts, or empty."""
    return score_note(ranked.score) if ranked.engagement.count else ""


def score_note(score: Score) -> str:
    """The same for the score of an issue that was touched."""
    if score.idle_days is None:
        return words.UNCOUNTED
    said = [words.SET_BY_HAND] if score.override is not None else []
    return ", ".join([words.QUIET, *said] if score.dormant else said)


def all_quiet(ranked: Sequence[Ranked]) -> bool:
    """Whether a list has only dormant issues, and at least one."""
    return bool(ranked) and all(note(each).startswith(words.QUIET) for each in ranked)


def marked(ranked: Ranked) -> str:
    """An issue's id with its note."""
    return ranked.issue_id + _noted(ranked)


def _noted(ranked: Ranked) -> str:
    return noted(note(ranked))


def noted(note: str) -> str:
    """A note formatted to follow an issue or a score; empty for an empty note."""
    return words.NOTE.format(note=note) if note else ""


def scored(ranked: Iterable[Ranked]) -> str:
    """A ranking with scores on one line."""
    return ", ".join(
        f"{each.issue_id} {each.score.value:.3f}" + (f" ({said})" if (said := note(each)) else "")
        for each in ranked
    )


def stats(totals: Statistics, time: Time) -> Reply:
    """A user's totals."""
    if not totals.total_interactions:
        return say(words.NO_STATS, moment=time.moment)
    return say(
        words.STATS,
        moment=time.moment,
        total=totals.total_interactions,
        issues=totals.unique_issues,
        average=f"{totals.avg_interactions_per_issue:g}",
        last=time.said_instant(totals.last_interaction),
        most=scored(totals.most_engaged) or words.MOST_HIDDEN,
    )


class Shown(NamedTuple):
    """An event of a history, its context, and its issue's present name if it has a former one."""

    event: AccountEvent
    context: str | None
    name: str | None = None


def history(
    shown: Sequence[Shown],
    total: int,
    issue_id: str | None,
    time: Time,
    titles: Titles = NO_TITLES,
) -> Reply:
    """The latest of `total` events, the latest first, each with its context."""
    of_issue = "" if issue_id is None else words.HISTORY_OF.format(issue=issue_id)
    if not shown:
        return say(words.NO_HISTORY, of_issue=of_issue, moment=time.moment)
    lines = [fill(words.HISTORY, of_issue=of_issue, moment=time.moment)]
    lines += [_event(each, time, titles) for each in shown]
    if total > len(shown):
        lines.append(fill(words.HISTORY_MORE, count=total - len(shown)))
    return Reply("\n".join(lines))


def _event(shown: Shown, time: Time, titles: Titles) -> str:
    event, context, name = shown
    issue = event.issue_id
    line = fill(
        words.HISTORY_LINE,
        when=time.said_instant(event.occurred_at),
        kind=_happened(event),
        issue=issue if name is None else words.FORMER_KEY.format(key=issue, issue=name),
        title=_titled(words.TITLE, event.issue_id, titles),
    )
    said = one_line(context or "")
    return f"{line}\n{fill(words.HISTORY_CONTEXT, context=said)}" if said else line


def _happened(event: AccountEvent) -> str:
    match event:
        case InteractionRecorded():
            return words.KINDS[event.kind.label][0]
        case ScoreOverridden():
            return words.HISTORY_SET.format(score=f"{event.score:g}")
        case EngagementHidden():
            return words.HISTORY_HIDDEN if event.hidden else words.HISTORY_UNHIDDEN
        case EngagementDecided():
            return kind_label(event)


def chart_of_issue(issue: str, last: Score | None, moment: str, titles: Titles = NO_TITLES) -> str:
    """The caption of a chart of an issue's score, of which the last is `last`."""
    return fill(
        words.CHART_OF_ISSUE,
        issue=issue,
        title=_titled(words.TITLE, issue, titles),
        moment=moment,
        score=words.NONE if last is None else f"{last.value:.3f}",
        note="" if last is None else noted(score_note(last)),
    )


# --- hidden issues -------------------------------------------------------------------------------


def hiding(issue: str, hidings: Sequence[EngagementHidden], *, hidden: bool) -> Reply | None:
    """The answer to hiding an issue or showing it again; None if that was not recorded.

    `hidings` are the user's in the order of recording; the last one of this issue may be the one.
    """
    of_issue = [each for each in hidings if each.issue_id == issue]
    now, before = (issue in hidden_issues(some, AsOf()) for some in (of_issue, of_issue[:-1]))
    if now is not hidden:
        return None
    if hidden:
        return say(words.HIDDEN_BEFORE if before else words.HIDDEN, issue=issue)
    return say(words.UNHIDDEN if before else words.NOT_HIDDEN, issue=issue)


def hidden_list(hidden: Iterable[str]) -> Reply:
    """The list of hidden issues, with a button for each that shows it again."""
    buttons = tuple(Button(issue, LISTED_BUTTON + issue) for issue in sorted(hidden))
    return Reply(words.HIDDEN_LIST, buttons) if buttons else Reply(words.NOTHING_HIDDEN)


def one_line(text: str) -> str:
    """The beginning of `text` on one line, with an ellipsis if it is cut."""
    return cut(" ".join(text.split()), CONTEXT_SHOWN)


def cut(text: str, length: int) -> str:
    """`text` with an ellipsis in place of what is beyond `length` characters."""
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"


# --- about the bot -------------------------------------------------------------------------------


def help_(zone: str, *, reads_all: bool) -> Reply:
    """The answer to /help; `reads_all` is whether the bot sees every message of a group.

    `zone` is the name of the zone of all times in answers.
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
    return Reply(words.HELP.format(sees=escape(sees), zone=escape(zone), commands=lines))


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


def times(count: int) -> str:
    """A count in words, as in "once" or "3 times"."""
    return words.ONCE if count == 1 else words.TIMES.format(count=count)


# Replies about the clock: its time, and whether outside clocks agree.

_MINUTE = 60_000_000


def state(clock: ClockState) -> Reply:
    """Return the answer to /clock: the times of all clocks, and what follows from them."""
    lines = [
        fill(
            words.CLOCK, now=_second(clock.now), last_run=_last_run(clock), outside=_outside(clock)
        ),
        words.CLOCK_GOES_ON if clock.may_act else words.CLOCK_WAITS,
    ]
    if clock.is_wrong:
        lines.insert(1, words.CLOCK_WRONG)
    return Reply("\n".join(lines))


def doubt(clock: ClockState) -> Reply:
    """The message to the admins when scheduled work waits because the clock is unconfirmed."""
    return say(
        words.CLOCK_DOUBT,
        now=_second(clock.now),
        days=clock.days,
        last_run=_last_run(clock),
        outside=_outside(clock),
    )


def doubt_in_the_terminal(clock: ClockState) -> str:
    """The same as a plain line, for the terminal chat."""
    return words.CHAT_CLOCK.format(
        now=_second(clock.now), days=clock.days, last_run=_last_run(clock)
    )


def _last_run(clock: ClockState) -> str:
    return words.NONE if clock.last_run is None else _second(clock.last_run)


def _outside(clock: ClockState) -> str:
    """The latest reading of an outside clock."""
    if not clock.heard:
        return words.NONE
    last = min(clock.heard, key=lambda each: each.ago)
    minutes = last.ago // _MINUTE
    return words.CLOCK_OUTSIDE.format(now=_second(last.now), minutes=minutes)


def _second(instant: Instant) -> str:
    return iso(Instant(instant // 1_000_000 * 1_000_000))
