"""Issues of which every text is hostile, and a check that what is said of them is no markup."""

import datetime as dt
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import msgspec

from bot.answers import rankings, scores
from bot.dates.format import Time
from bot.linear.cards import cards, titles_of
from bot.linear.issue import Answer, Blocker, Cycle, Found, Issue, State, Team
from ledger.commands import Kind
from ledger.instants import moment_of
from projections.engagement import Engagement, touches
from projections.ranking import ranked
from tests.support.reply_html import read, sent
from tests.support.strategies import NOON
from tests.support.telegram.entities import CAPTION_LIMIT

MONDAY = dt.date(2026, 1, 5)
ISSUE = Issue(
    "5f8e", "AI-1", moment_of(NOON), State("started", "In Progress"), Team("AI"), "A title"
)
NASTY = (
    "",
    " ",
    "\n\t",
    "\u200b\u2060\ufeff",
    "\u202e\u2066evil\u2069",
    "<b>",
    "</b>",
    "<script>alert(1)</script>",
    "&amp;&lt;",
    "\"'",
    "{title} %s {0}",
    "x" * 10_000,
    "&" * 10_000,
    "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 500,
    "z" + "\u0335" * 5_000,
    "\ud83d",
    "كيف الحال",
    "\0",
    "a\u0000b",
    "line\nbreak\r\n\u2028more",
    "https://evil.example/?a=b",
    "@ana /forget #now $CASH mail@evil.example t.me/evil",
    "=cmd()",
    "\x1b[31mred",
)
AT = Time(dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC), ZoneInfo("UTC"))
TOUCHED = touches(Kind.QUERY, 1, NOON)


def issue(**changed: object) -> Issue:
    return msgspec.structs.replace(ISSUE, **changed)


def hostile(titles_: Sequence[str], state: str, name: str, type_: str) -> dict[str, Answer]:
    """Answers of which every text is hostile."""
    blockers = tuple(Blocker("1", each, Team("AI")) for each in titles_[:7])
    return {
        f"AI-{number}": Found(
            issue(
                title=title,
                state=State(type_, state),
                assignee=name,
                blockers=blockers,
                cycle=Cycle(number, state),
                branch_name=title,
                url=title,
                identifier=name,
                due_date=MONDAY,
                priority=number % 5,
            ),
            9e9,
        )
        for number, title in enumerate(titles_)
    }


LINES_AT_MOST = 8
"""The lines of a card, or of an issue in a list: title, five lines of facts, blockers, age."""


def check_hostile(answers: dict[str, Answer], engagement: Engagement) -> None:
    """Let every answer with these issues be within the limits, and no markup."""
    titles, of_all = titles_of(answers), [ranked(key, engagement, NOON) for key in answers]
    for reply in (rankings.top(of_all, AT, titles), rankings.briefing(of_all, AT, titles)):
        assert "\n".join(sent(reply)).count("\n") == len(of_all) + reply.html.count("Press an")
    first = next(iter(answers))
    assert "\n" not in read(scores.chart_of_issue(first, None, "now", titles), CAPTION_LIMIT)
    for keys in (list(answers), list(answers)[:1]):
        of_keys = {key: answers[key] for key in keys}
        reply = cards([ranked(key, engagement, NOON) for key in keys], of_keys, AT)
        assert sent(reply)
        assert not set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069") & set(reply.html)
        items = reply.html.split("\n\n")
        assert len(items) == (max(1, len(keys)))
        assert all(len(each.split("\n")) <= LINES_AT_MOST for each in items)
