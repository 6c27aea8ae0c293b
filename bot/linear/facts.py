"""Facts about an issue in words: what can be shown anywhere, and opened or copied by a button."""

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

import msgspec

from bot.answers.plain_text import cut, unlinked, utf16_units
from bot.dates.format import Time, day_of
from bot.language import words
from bot.linear.issue import Answer, Found, Issue
from ledger.validation import DISPLAY_NAME_LIMIT, display_name_of

StagnantDays = Mapping[str, int]
"""The working days for which stagnant issues were not moved, by their UUIDs."""
NOT_STAGNANT: StagnantDays = MappingProxyType({})

NAME_SHOWN = 40
"""Characters of a person's name, and of a state's or a cycle's."""
BLOCKERS_ON_A_CARD, BLOCKERS_IN_A_LIST = 5, 2
URL_LIMIT = 2_048
COPIED_LIMIT = 256
"""The most UTF-16 units of a text that a button copies."""
SOON_WORKING_DAYS = 2

_RAW_AT_MOST = 10 * DISPLAY_NAME_LIMIT
_SATURDAY = 5
_WEEK = 7
_BRANCH = re.compile(r"(?!-)[\w./@+-]+")
"""A name that can be pasted into a shell as it is."""
_HOUR, _DAY = 3_600, 86_400


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


def mark(issue: Issue) -> str:
    """The mark of the state, by its type."""
    return words.ISSUE_MARKS.get(issue.state.type, words.ISSUE_OTHER_MARK)


def state(issue: Issue, now: dt.datetime) -> str:
    """The state, and for how long the issue has been in it."""
    name = _name(issue.state.name) or _name(issue.state.type) or words.ISSUE_NO_STATE
    if issue.in_state_since is None:
        return name
    known = words.ISSUE_STATE_AGO if issue.is_finished else words.ISSUE_STATE_FOR
    return known.format(state=name, age=age((now - issue.in_state_since).total_seconds()))


def kept_away(issue: Issue) -> Iterator[str]:
    """Yield that an issue is archived or in the trash."""
    if issue.trashed or issue.archived:
        yield words.ISSUE_TRASHED if issue.trashed else words.ISSUE_ARCHIVED


def assignee(issue: Issue) -> str:
    """The assignee, or that there is none."""
    # At the end a name that is written from right to left moves nothing else.
    return _name(issue.assignee or "") or words.ISSUE_UNASSIGNED


def as_read_by(linear_id: str, answer: Answer) -> Answer:
    """The answer for a single reader: where the assignee is that user of Linear, it says “you”."""
    if not isinstance(answer, Found) or answer.issue.assignee_id.lower() != linear_id:
        return answer
    issue = msgspec.structs.replace(answer.issue, assignee=words.ISSUE_YOURS)
    return msgspec.structs.replace(answer, issue=issue)


def moved(key: str, issue: Issue) -> Iterator[str]:
    """Yield the present name of an issue that was asked for as `key`, if that is another."""
    if key != issue.identifier.upper():
        yield words.ISSUE_MOVED.format(identifier=_name(issue.identifier))


def priority(issue: Issue) -> Iterator[str]:
    """Yield the priority, if there is one."""
    if issue.priority in words.ISSUE_PRIORITIES:
        yield words.ISSUE_PRIORITIES[issue.priority]


def cycle(issue: Issue) -> Iterator[str]:
    """Yield the cycle, if there is one."""
    if issue.cycle is not None:
        name = _name(issue.cycle.name or "")
        yield name or words.ISSUE_CYCLE.format(number=issue.cycle.number)


def blocked(issue: Issue, at_most: int = BLOCKERS_ON_A_CARD) -> Iterator[str]:
    """Yield the first blockers of an unfinished issue."""
    if issue.blockers and not issue.is_finished:
        names = ", ".join(_name(each.identifier) for each in issue.blockers[:at_most])
        more = len(issue.blockers) - at_most
        yield words.ISSUE_BLOCKED.format(
            blockers=names, more=words.ISSUE_BLOCKED_MORE.format(count=more) if more > 0 else ""
        )


def blocked_briefly(issue: Issue) -> Iterator[str]:
    """Yield the blockers of an unfinished issue in few words: two, or one and how many more."""
    is_few = len(issue.blockers) <= BLOCKERS_IN_A_LIST
    yield from blocked(issue, BLOCKERS_IN_A_LIST if is_few else 1)


def stagnant(issue: Issue, days: StagnantDays) -> Iterator[str]:
    """Yield for how long a stagnant issue has not been moved."""
    unmoved = days.get(issue.id.lower())
    if unmoved is not None and not issue.is_finished:
        yield words.ISSUE_STAGNANT.format(days=unmoved)


def aged(found: Found) -> Iterator[str]:
    """Yield the age of an old answer."""
    if found.is_old:
        yield words.ISSUE_AGE.format(age=age(found.age_seconds))


def due(issue: Issue, time: Time) -> Iterator[str]:
    """Yield the due date, marked where it is near or past on the day that the answer is about.

    Days are named from the present one on, so those of another day's answer have no names.
    """
    due = issue.due_date
    if due is None:
        return
    known = words.ISSUE_DUE
    if not issue.is_finished and due < time.day:
        known = words.ISSUE_OVERDUE
    elif not issue.is_finished and is_soon(due, time.day):
        known = words.ISSUE_DUE_SOON
    yield known.format(day=day_of(due, time.today, by_name=time.day == time.today))


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
