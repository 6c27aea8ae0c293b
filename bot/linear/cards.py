"""Cards of issues: title, state, priority, due date, assignee, and the age of an old answer."""

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from bot.answers.replies import UNLINKED, Facts, fill
from bot.dates.format import day_of
from bot.language import words
from bot.linear.issue import Absent, Answer, Found, Issue
from ledger.validation import DISPLAY_NAME_LIMIT, display_name_of

NAME_SHOWN = 40
"""Characters of a person's name, and of a state's."""
URL_LIMIT = 2_048
SOON_WORKING_DAYS = 2

_RAW_AT_MOST = 10 * DISPLAY_NAME_LIMIT
_SATURDAY = 5
_WEEK = 7
_LINKED = re.compile(r"(?<=[.@#$/:])(?=\w)")
_HOUR, _DAY = 3_600, 86_400


def facts_of(answers: Mapping[str, Answer], today: dt.date) -> dict[str, Facts]:
    """The facts on the cards of issues, by the keys that were asked for."""
    return {key: _facts(key, answer, today) for key, answer in answers.items()}


def _facts(key: str, answer: Answer, today: dt.date) -> Facts:
    if isinstance(answer, Found):
        title = fill(words.ISSUE_TITLE, title=_unlinked(title_of(answer.issue)))
        facts = fill(words.ISSUE_FACTS, facts=" · ".join(_line(key, answer, today)))
        return Facts(f"{title}\n{facts}", url_of(answer.issue))
    if isinstance(answer, Absent):
        return Facts(fill(words.ISSUE_ABSENT, issue=key))
    known = words.ISSUE_PENDING if answer.is_pending else words.ISSUE_UNKNOWN
    return Facts(fill(known, issue=key))


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


def _line(key: str, found: Found, today: dt.date) -> Iterator[str]:
    issue = found.issue
    mark = words.ISSUE_MARKS.get(issue.state.type, words.ISSUE_OTHER_MARK)
    state = _name(issue.state.name) or _name(issue.state.type)
    yield words.ISSUE_STATE.format(mark=mark, state=state).rstrip()
    if issue.trashed or issue.archived:
        yield words.ISSUE_TRASHED if issue.trashed else words.ISSUE_ARCHIVED
    if key != issue.identifier.upper():
        yield words.ISSUE_MOVED.format(identifier=_name(issue.identifier))
    if issue.priority in words.ISSUE_PRIORITIES:
        yield words.ISSUE_PRIORITIES[issue.priority]
    if issue.due_date is not None:
        yield _due(issue, issue.due_date, today)
    if found.is_old:
        yield words.ISSUE_AGE.format(age=age(found.age_seconds))
    # At the end a name that is written from right to left moves nothing else.
    yield _name(issue.assignee or "") or words.ISSUE_UNASSIGNED


def _name(text: str) -> str:
    name = display_name_of(text[:_RAW_AT_MOST]) or ""
    return _unlinked(name if len(name) <= NAME_SHOWN else f"{name[: NAME_SHOWN - 1]}…")


def _unlinked(text: str) -> str:
    """`text`, marked so that Telegram finds no address, name or command in it."""
    return _LINKED.sub(UNLINKED, text)


def _due(issue: Issue, due: dt.date, today: dt.date) -> str:
    known = words.ISSUE_DUE
    if not issue.is_finished and due < today:
        known = words.ISSUE_OVERDUE
    elif not issue.is_finished and is_soon(due, today):
        known = words.ISSUE_DUE_SOON
    return known.format(day=day_of(due, today))


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
