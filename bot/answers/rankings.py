"""Rankings in words: the most engaged issues of a user, and the briefing."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from bot.answers.reply import Button, Reply, fill, say
from bot.answers.scores import NO_TITLES, Titles, all_quiet, note, noted, times, titled
from bot.dates.format import Time
from bot.language import words
from bot.listening.classification import CARD
from projections.ranking import Ranked

NONE_STAGNANT: Mapping[str, int] = MappingProxyType({})


def top(
    ranked: Sequence[Ranked], time: Time, titles: Titles = NO_TITLES, *, all_hidden: bool = False
) -> Reply:
    """A ranking; `all_hidden` is the reason if it is empty."""
    if not ranked:
        return say(words.ALL_HIDDEN if all_hidden else words.NO_TOP, moment=time.moment)
    head = fill(words.TOP_QUIET if all_quiet(ranked) else words.TOP, moment=time.moment)
    return Reply("\n".join([head, *_ranking(ranked, time, titles)]))


def briefing(
    ranked: Sequence[Ranked],
    time: Time,
    titles: Titles = NO_TITLES,
    *,
    all_hidden: bool = False,
    stagnant: Mapping[str, int] = NONE_STAGNANT,
) -> Reply:
    """A ranking with a button for each issue; `all_hidden` is the reason if it is empty.

    `stagnant` are the working days for which issues were not moved. Only those with a title are
    named: Linear shows them now.
    """
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
    lines = [head, *_ranking(ranked, time, titles), *_stagnant(stagnant, titles)]
    return Reply("\n".join(lines), buttons)


def _stagnant(stagnant: Mapping[str, int], titles: Titles) -> Iterable[str]:
    issues = [
        fill(words.BRIEFING_STAGNANT_ISSUE, issue=issue, days=days)
        for issue, days in stagnant.items()
        if issue in titles
    ]
    if issues:
        yield words.BRIEFING_STAGNANT.format(issues=", ".join(issues))


def _ranking(ranked: Sequence[Ranked], time: Time, titles: Titles) -> Iterable[str]:
    return (
        fill(
            words.TOP_LINE,
            place=place,
            issue=each.issue_id,
            title=titled(words.TITLE_BEFORE_MORE, each.issue_id, titles),
            score=f"{each.score.value:.3f}",
            times=times(each.engagement.count),
            last=time.said_instant(each.engagement.last_at),
            note=noted(note(each)),
        )
        for place, each in enumerate(ranked, 1)
    )
