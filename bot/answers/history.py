"""The record of a user in words: the latest events, and the totals."""

from collections.abc import Sequence
from typing import NamedTuple

from bot.answers.plain_text import one_line
from bot.answers.reply import Reply, fill, say
from bot.answers.scores import NO_TITLES, Titles, scored, titled
from bot.dates.format import Time
from bot.language import words
from ledger.events import (
    AccountEvent,
    EngagementDecided,
    EngagementHidden,
    InteractionRecorded,
    ScoreOverridden,
    kind_label,
)
from projections.statistics import Statistics

HISTORY_SHOWN = 20


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
        title=titled(words.TITLE, event.issue_id, titles),
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
