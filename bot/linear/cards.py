"""Cards of issues, and lists of them: what Linear says, and how the asker is engaged."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from bot.answers.hiding import hiding_button
from bot.answers.plain_text import columns_of, cut, cut_to_columns, unlinked
from bot.answers.reply import Button, Reply, fill, say
from bot.answers.scores import noted, score_note, touches
from bot.dates.format import Time
from bot.language import words
from bot.linear import facts
from bot.linear.documents import is_identifier
from bot.linear.facts import NOT_STAGNANT, StagnantDays
from bot.linear.issue import Absent, Answer, Found
from bot.listening.classification import CARD, WHY
from projections.ranking import Ranked

TITLE_IN_A_LIST = 60
LINE_COLUMNS = 36
"""The columns of a line of a list that a phone does not break."""
URGENT = 1
"""The only priority that a list names."""
KEYS_IN_A_ROW = 3


def cards(
    ranked: Sequence[Ranked],
    answers: Mapping[str, Answer],
    time: Time,
    hidden: Collection[str] = (),
    stagnant: StagnantDays = NOT_STAGNANT,
) -> Reply:
    """The card of one issue, or a list of several with a button for each that opens its card.

    `ranked` are the engagements with the issues of `answers`, in their order. An engagement may
    have another name of the issue than was asked for.
    """
    pairs = zip(answers.items(), ranked, strict=True)
    if len(ranked) == 1:
        (((key, answer), one),) = pairs
        lines = lines_of(key, answer, time, stagnant)
        return _card(key, one, answer, time, lines, is_hidden=one.issue_id in hidden)
    items = [
        _item(key, each, answer, time, stagnant, is_hidden=each.issue_id in hidden)
        for (key, answer), each in pairs
    ]
    touched = {key for key, each in zip(answers, ranked, strict=True) if each.engagement.count}
    return Reply("\n\n".join(items), tuple(_key_buttons(answers, touched)))


# --- a card --------------------------------------------------------------------------------------


def _card(  # noqa: PLR0913 - all that a card is made of
    key: str, ranked: Ranked, answer: Answer, time: Time, lines: list[str], *, is_hidden: bool
) -> Reply:
    if ranked.engagement.count or not isinstance(answer, Absent):
        lines.append(_engaged(ranked, time, is_hidden=is_hidden))
    buttons = [*_buttons(key, answer, is_touched=bool(ranked.engagement.count))]
    if ranked.engagement.count:
        buttons.append(hiding_button(key, hide=not is_hidden))
    return Reply("\n".join(lines), tuple(buttons))


def lines_of(
    key: str, answer: Answer, time: Time, stagnant: StagnantDays = NOT_STAGNANT
) -> list[str]:
    """The issue `key` as Linear describes it, in lines of HTML, of which the first names it."""
    if not isinstance(answer, Found):
        return [_missing(key, answer)]
    issue = answer.issue
    said = (
        [
            f"{facts.mark(issue)} {facts.state(issue, time.at or time.now)}",
            *facts.kept_away(issue),
            facts.assignee(issue),
        ],
        [
            *facts.moved(key, issue),
            *facts.priority(issue),
            *facts.due(issue, time),
            *facts.cycle(issue),
        ],
        [words.ISSUE_BLOCKED_MARK.format(fact=fact) for fact in facts.blocked(issue)],
        [*facts.stagnant(issue, stagnant)],
        [*facts.aged(answer)],
    )
    title = fill(words.ISSUE_TITLE, issue=key, title=unlinked(facts.title_of(issue)))
    return [title, *(fill("{facts}", facts=" · ".join(line)) for line in said if line)]


def card_for_others(key: str, answer: Answer | None, time: Time) -> Reply:
    """The card of an issue without the asker's engagement; only its key if it was not found."""
    if not isinstance(answer, Found):
        return say("{issue}", issue=key)
    url = facts.url_of(answer.issue)
    buttons = (Button(words.ISSUE_BUTTON, url=url),) if url else ()
    return Reply("\n".join(lines_of(key, answer, time)), buttons)


def _missing(key: str, answer: Answer) -> str:
    if isinstance(answer, Absent):
        return fill(words.ISSUE_ABSENT, issue=key)
    is_pending = not isinstance(answer, Found) and answer.is_pending
    return fill(words.ISSUE_PENDING if is_pending else words.ISSUE_UNKNOWN, issue=key)


def _engaged(ranked: Ranked, time: Time, *, is_hidden: bool) -> str:
    engagement = ranked.engagement
    if not engagement.count:
        return words.CARD_NOT_ENGAGED
    is_first = engagement.first_at == engagement.last_at
    return fill(
        words.CARD_ENGAGED if is_first else words.CARD_ENGAGED_AGAIN,
        score=f"{ranked.score.value:.3f}",
        touches=touches(engagement),
        last=time.said_instant(engagement.last_at),
        note=_notes(ranked, is_hidden=is_hidden),
    )


def _notes(ranked: Ranked, *, is_hidden: bool) -> str:
    note = score_note(ranked.score) if ranked.engagement.count else ""
    return noted(note) + (noted(words.CARD_HIDDEN) if is_hidden else "")


def _buttons(key: str, answer: Answer, *, is_touched: bool) -> Iterator[Button]:
    issue = answer.issue if isinstance(answer, Found) else None
    url = facts.url_of(issue) if issue else None
    if url:
        yield Button(words.ISSUE_BUTTON, url=url)
    if issue or is_touched:
        yield Button(words.WHY_BUTTON, WHY + key, is_beside=bool(url))
    if issue:
        identifier = issue.identifier.upper()
        present = identifier if is_identifier(identifier) else key
        yield Button(words.COPY_KEY_BUTTON.format(issue=present), copied=present)
    if issue and (branch := facts.branch_of(issue)):
        yield Button(words.COPY_BRANCH_BUTTON, copied=branch, is_beside=True)


# --- a list --------------------------------------------------------------------------------------


def _item(  # noqa: PLR0913 - all that an item is made of
    key: str,
    ranked: Ranked,
    answer: Answer,
    time: Time,
    stagnant: StagnantDays,
    *,
    is_hidden: bool,
) -> str:
    """A line with the title, one or two with facts, and one for each hindrance."""
    if not isinstance(answer, Found):
        return _missing(key, answer)
    issue = answer.issue
    is_urgent = issue.priority == URGENT and not issue.is_finished
    said = (
        facts.state(issue, time.now),
        *facts.kept_away(issue),
        *facts.moved(key, issue),
        *(facts.priority(issue) if is_urgent else ()),
        *(() if issue.is_finished else facts.due(issue, time)),
        *([words.CARD_HIDDEN] if is_hidden and ranked.engagement.count else ()),
        facts.assignee(issue),
    )
    lines = (
        *_packed(said),
        *(words.ISSUE_BLOCKED_MARK.format(fact=each) for each in facts.blocked_briefly(issue)),
        *facts.stagnant(issue, stagnant),
        *facts.aged(answer),
    )
    columns = LINE_COLUMNS - len(key) - len("◐  ")
    title = unlinked(cut_to_columns(facts.title_of(issue), columns))
    head = fill(words.ITEM_TITLE, mark=facts.mark(issue), issue=key, title=title)
    return "\n".join([head, *(fill("{line}", line=line) for line in lines)])


def _packed(said: Iterable[str]) -> Iterator[str]:
    """Put facts into lines that a phone shows without breaking them, where a fact fits into one."""
    line = ""
    for fact in said:
        longer = f"{line} · {fact}" if line else fact
        if line and columns_of(longer) > LINE_COLUMNS:
            yield line
            line = fact
        else:
            line = longer
    yield line


def _key_buttons(answers: Mapping[str, Answer], touched: Collection[str]) -> Iterator[Button]:
    """Yield a button for each issue that there may be, or that the asker has touched."""
    keys = (key for key, each in answers.items() if key in touched or not isinstance(each, Absent))
    for place, key in enumerate(keys):
        yield Button(key, CARD + key, is_beside=place % KEYS_IN_A_ROW > 0)


# --- titles --------------------------------------------------------------------------------------


def titles_of(answers: Mapping[str, Answer]) -> dict[str, str]:
    """The titles of the issues that were found, cut for a line of a list, by their keys."""
    return {
        key: cut(facts.title_of(answer.issue), TITLE_IN_A_LIST)
        for key, answer in answers.items()
        if isinstance(answer, Found)
    }
