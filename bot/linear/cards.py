"""Cards of issues, and lists of them: what Linear says, and how the asker is engaged."""

import datetime as dt
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from bot.answers.replies import (
    Button,
    Reply,
    Time,
    cut,
    fill,
    hiding_button,
    noted,
    score_note,
    touches,
    unlinked,
    utf16_units,
)
from bot.dates.format import day_of
from bot.language import words
from bot.linear.documents import is_identifier
from bot.linear.issue import Absent, Answer, Found, Issue
from bot.listening.classification import CARD, WHY
from ledger.validation import DISPLAY_NAME_LIMIT, display_name_of
from projections.ranking import Ranked

NAME_SHOWN = 40
"""Characters of a person's name, and of a state's or a cycle's."""
TITLE_IN_A_LIST = 60
BLOCKERS_ON_A_CARD, BLOCKERS_IN_A_LIST = 5, 2
URL_LIMIT = 2_048
SOON_WORKING_DAYS = 2
COPIED_LIMIT = 256
"""The most UTF-16 units of a text that a button copies."""
URGENT = 1
"""The only priority that a list names."""
KEYS_IN_A_ROW = 3

_RAW_AT_MOST = 10 * DISPLAY_NAME_LIMIT
_SATURDAY = 5
_WEEK = 7
_BRANCH = re.compile(r"(?!-)[\w./@+-]+")
"""A name that can be pasted into a shell as it is."""
_HOUR, _DAY = 3_600, 86_400


def cards(
    ranked: Sequence[Ranked],
    answers: Mapping[str, Answer],
    time: Time,
    hidden: Collection[str] = (),
) -> Reply:
    """The card of one issue, or a list of several with a button for each that opens its card."""
    if len(ranked) == 1:
        (one,) = ranked
        return _card(one, answers[one.issue_id], time, is_hidden=one.issue_id in hidden)
    items = [
        _item(each, answers[each.issue_id], time, is_hidden=each.issue_id in hidden)
        for each in ranked
    ]
    return Reply("\n".join(items), tuple(_key_buttons(answers)))


# --- a card --------------------------------------------------------------------------------------


def _card(ranked: Ranked, answer: Answer, time: Time, *, is_hidden: bool) -> Reply:
    key = ranked.issue_id
    lines = lines_of(key, answer, time)
    if ranked.engagement.count or not isinstance(answer, Absent):
        lines.append(_engaged(ranked, time, is_hidden=is_hidden))
    buttons = [*_buttons(key, answer, is_touched=bool(ranked.engagement.count))]
    if ranked.engagement.count:
        buttons.append(hiding_button(key, hide=not is_hidden))
    return Reply("\n".join(lines), tuple(buttons))


def lines_of(key: str, answer: Answer, time: Time) -> list[str]:
    """The issue `key` as Linear describes it, in lines of HTML, of which the first names it."""
    if not isinstance(answer, Found):
        return [_missing(key, answer)]
    issue = answer.issue
    facts = (
        [f"{_mark(issue)} {_state(issue, time.now)}", *_kept_away(issue), _assignee(issue)],
        [*_moved(key, issue), *_priority(issue), *_due(issue, time.today), *_cycle(issue)],
        [words.ISSUE_BLOCKED_MARK.format(fact=fact) for fact in _blocked(issue)],
        [*_aged(answer)],
    )
    title = fill(words.ISSUE_TITLE, issue=key, title=unlinked(title_of(issue)))
    return [title, *(fill("{facts}", facts=" · ".join(line)) for line in facts if line)]


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
    url = url_of(issue) if issue else None
    if url:
        yield Button(words.ISSUE_BUTTON, url=url)
    if issue or is_touched:
        yield Button(words.WHY_BUTTON, WHY + key, is_beside=bool(url))
    if issue:
        identifier = issue.identifier.upper()
        present = identifier if is_identifier(identifier) else key
        yield Button(words.COPY_KEY_BUTTON.format(issue=present), copied=present)
    if issue and (branch := branch_of(issue)):
        yield Button(words.COPY_BRANCH_BUTTON, copied=branch, is_beside=True)


# --- a list --------------------------------------------------------------------------------------


def _item(ranked: Ranked, answer: Answer, time: Time, *, is_hidden: bool) -> str:
    """One or two lines."""
    key = ranked.issue_id
    if not isinstance(answer, Found):
        return _missing(key, answer)
    score = words.ITEM_SCORE.format(
        score=f"{ranked.score.value:.3f}", note=_notes(ranked, is_hidden=is_hidden)
    )
    issue = answer.issue
    is_urgent = issue.priority == URGENT and not issue.is_finished
    facts = (
        _state(issue, time.now),
        *_kept_away(issue),
        *_moved(key, issue),
        *(_priority(issue) if is_urgent else ()),
        *(() if issue.is_finished else _due(issue, time.today)),
        *_blocked(issue, BLOCKERS_IN_A_LIST),
        *_aged(answer),
        score,
        _assignee(issue),
    )
    title = unlinked(cut(title_of(issue), TITLE_IN_A_LIST))
    line = fill(words.ITEM_TITLE, mark=_mark(issue), issue=key, title=title)
    return f"{line}\n{fill('{facts}', facts=' · '.join(facts))}"


def _key_buttons(answers: Mapping[str, Answer]) -> Iterator[Button]:
    """Yield a button for each issue that there may be."""
    keys = (key for key, answer in answers.items() if not isinstance(answer, Absent))
    for place, key in enumerate(keys):
        yield Button(key, CARD + key, is_beside=place % KEYS_IN_A_ROW > 0)


# --- titles --------------------------------------------------------------------------------------


def titles_of(answers: Mapping[str, Answer]) -> dict[str, str]:
    """The titles of the issues that were found, cut for a line of a list, by their keys."""
    return {
        key: cut(title_of(answer.issue), TITLE_IN_A_LIST)
        for key, answer in answers.items()
        if isinstance(answer, Found)
    }


# --- facts ---------------------------------------------------------------------------------------


def title_of(issue: Issue) -> str:
    """The title in one line that can be shown anywhere, with an ellipsis if it is cut."""
    shown = display_name_of(issue.title[:_RAW_AT_MOST])
    if shown is None:
        return words.ISSUE_NO_TITLE
    return f"{shown}…" if len(issue.title) > DISPLAY_NAME_LIMIT else shown


def url_of(issue: Issue) -> str | None:
    """The issue's address, or None if a button may not open it."""
    text = issue.url
    if not (text.isascii() and text.isprintable() and len(text) <= URL_LIMIT) or " " in text:
        return None
    try:
        url = urlsplit(text)
        is_usable = url.scheme == "https" and bool(url.hostname) and url.port != 0
    except ValueError:
        return None
    return text if is_usable else None


def branch_of(issue: Issue) -> str | None:
    """The name of the issue's branch, or None if it cannot be copied into a shell as it is."""
    name = issue.branch_name
    is_usable = _BRANCH.fullmatch(name) is not None and utf16_units(name) <= COPIED_LIMIT
    return name if is_usable else None


def _mark(issue: Issue) -> str:
    return words.ISSUE_MARKS.get(issue.state.type, words.ISSUE_OTHER_MARK)


def _state(issue: Issue, now: dt.datetime) -> str:
    state = _name(issue.state.name) or _name(issue.state.type) or words.ISSUE_NO_STATE
    if issue.in_state_since is None:
        return state
    known = words.ISSUE_STATE_AGO if issue.is_finished else words.ISSUE_STATE_FOR
    return known.format(state=state, age=age((now - issue.in_state_since).total_seconds()))


def _kept_away(issue: Issue) -> Iterator[str]:
    if issue.trashed or issue.archived:
        yield words.ISSUE_TRASHED if issue.trashed else words.ISSUE_ARCHIVED


def _assignee(issue: Issue) -> str:
    # At the end a name that is written from right to left moves nothing else.
    return _name(issue.assignee or "") or words.ISSUE_UNASSIGNED


def _moved(key: str, issue: Issue) -> Iterator[str]:
    if key != issue.identifier.upper():
        yield words.ISSUE_MOVED.format(identifier=_name(issue.identifier))


def _priority(issue: Issue) -> Iterator[str]:
    if issue.priority in words.ISSUE_PRIORITIES:
        yield words.ISSUE_PRIORITIES[issue.priority]


def _cycle(issue: Issue) -> Iterator[str]:
    if issue.cycle is not None:
        name = _name(issue.cycle.name or "")
        yield name or words.ISSUE_CYCLE.format(number=issue.cycle.number)


def _blocked(issue: Issue, at_most: int = BLOCKERS_ON_A_CARD) -> Iterator[str]:
    if issue.blockers and not issue.is_finished:
        names = ", ".join(_name(each.identifier) for each in issue.blockers[:at_most])
        more = len(issue.blockers) - at_most
        yield words.ISSUE_BLOCKED.format(
            blockers=names, more=words.ISSUE_BLOCKED_MORE.format(count=more) if more > 0 else ""
        )


def _aged(found: Found) -> Iterator[str]:
    if found.is_old:
        yield words.ISSUE_AGE.format(age=age(found.age_seconds))


def _due(issue: Issue, today: dt.date) -> Iterator[str]:
    due = issue.due_date
    if due is None:
        return
    known = words.ISSUE_DUE
    if not issue.is_finished and due < today:
        known = words.ISSUE_OVERDUE
    elif not issue.is_finished and is_soon(due, today):
        known = words.ISSUE_DUE_SOON
    yield known.format(day=day_of(due, today))


def is_soon(due: dt.date, today: dt.date) -> bool:
    """Whether `due` is within two working days: Saturdays and Sundays do not count."""
    days = (due - today).days
    if not 0 <= days < _WEEK:
        return False
    between = (today + dt.timedelta(days=day) for day in range(1, days + 1))
    return sum(day.weekday() < _SATURDAY for day in between) <= SOON_WORKING_DAYS


def age(seconds: float) -> str:
    """An age in one unit, rounded down."""
    if seconds < _HOUR:
        return words.AGE_MINUTES.format(count=max(1, int(seconds // 60)))
    if seconds < 2 * _DAY:
        return words.AGE_HOURS.format(count=int(seconds // _HOUR))
    return words.AGE_DAYS.format(count=int(seconds // _DAY))


def _name(text: str) -> str:
    return unlinked(cut(display_name_of(text[:_RAW_AT_MOST]) or "", NAME_SHOWN))
