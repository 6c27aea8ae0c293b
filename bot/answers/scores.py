"""Scores in words: the card of an issue without Linear, a score explained, notes in lists."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

from bot.answers.hiding import hiding_button
from bot.answers.plain_text import unlinked
from bot.answers.reply import Reply, fill, say
from bot.dates.format import Time, since
from bot.language import words
from ledger.commands import Kind
from projections.engagement import Engagement, of_kinds
from projections.policy import ScoringPolicy
from projections.ranking import Ranked
from projections.scoring import Score

Titles = Mapping[str, str]
"""Titles of issues by their keys: those that are known, in one line, cut to fit."""
NO_TITLES: Titles = MappingProxyType({})


def titled(template: str, issue: str, titles: Titles) -> str:
    """The title of `issue` as `template` places it after the key, or nothing."""
    return template.format(title=unlinked(titles[issue])) if issue in titles else ""


def cards(
    ranked: Sequence[Ranked],
    time: Time,
    hidden: Collection[str] = (),
    counts: Callable[[str], bool] = bool,
) -> Reply:
    """Return the cards of issues without Linear, one below the other, each with its button.

    `counts` returns whether a key counts; of one that does not, and was never touched, a line says
    so.
    """
    texts = [
        _card(each, time, is_hidden=each.issue_id in hidden)
        if each.engagement.count or counts(each.issue_id)
        else fill(words.ISSUE_OF_NO_TEAM, issue=each.issue_id)
        for each in ranked
    ]
    buttons = (
        hiding_button(each.issue_id, hide=each.issue_id not in hidden)
        for each in ranked
        if each.engagement.count
    )
    return Reply("\n\n".join(texts), tuple(buttons))


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


def times(count: int) -> str:
    """A count in words, as in "once" or "3 times"."""
    return words.ONCE if count == 1 else words.TIMES.format(count=count)


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


def chart_of_issue(issue: str, last: Score | None, moment: str, titles: Titles = NO_TITLES) -> str:
    """The caption of a chart of an issue's score, of which the last is `last`."""
    return fill(
        words.CHART_OF_ISSUE,
        issue=issue,
        title=titled(words.TITLE, issue, titles),
        moment=moment,
        score=words.NONE if last is None else f"{last.value:.3f}",
        note="" if last is None else noted(score_note(last)),
    )
