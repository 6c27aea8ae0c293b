"""Questions about random moments, and the answers of a ledger."""

import datetime as dt
import random
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from ledger.commands import OVERRIDE
from ledger.events import INTERACTION, OBSERVATION, POLICY, SEALING
from ledger.instants import DAY, Instant, moment_of
from projections.application import Engagements
from projections.application.audit_reader import read_audit
from projections.policy import ScoringPolicy, changed
from tests.support.strategies import NOON

ZONE = ZoneInfo("Europe/Berlin")
USERS = ("ana", "ben", "eve")
ISSUES = ("AI-1", "AI-10", "AI-2", "DMD-480")
CHATS = ("-100", "-200")
LIMIT = 3
LABORIOUS = 10
"""Questions that read the events of all users are asked at one moment in this many."""

NOBODY = UUID(int=0)
TRIED = changed(ScoringPolicy(), ["recency_weight=0.8", "pin_hours=8"])


class Question(NamedTuple):
    """A user, an issue and the moments of a question, and the arguments for the recorder."""

    user: str
    issue: str
    at: Instant | None
    known_at: Instant | None
    originator: UUID | str
    position: int
    limit: int
    topics: tuple[str, ...]
    desc: bool
    is_laborious: bool

    @property
    def moments(self) -> tuple[dt.datetime | None, dt.datetime | None]:
        """Both moments as datetimes."""
        return _moment(self.at), _moment(self.known_at)

    @property
    def span(self) -> tuple[Instant, Instant]:
        """From a month before to some days after the moment, or noon."""
        middle = self.at or self.known_at or NOON
        return Instant(middle - 30 * DAY), Instant(middle + 10 * DAY)


def answers(engagements: Engagements, question: Question) -> dict[str, object]:
    """The answers of the ledger."""
    user, issue, moments = question.user, question.issue, question.moments
    start, end = (moment_of(each) for each in question.span)
    recorder = engagements.ledger.recorder
    found = {
        "ask": engagements.questions.ask(user, issue, *moments),
        "top": engagements.questions.top(user, LIMIT, *moments),
        "ranking": engagements.questions.ranking(user, *moments),
        "statistics": engagements.questions.statistics(user, *moments),
        "history": list(engagements.questions.history(user, None, *moments)),
        "history of one": list(engagements.questions.history(user, issue, *moments)),
        "first of history": engagements.questions.page(
            user, None, *moments, limit=LIMIT, latest=False
        ),
        "latest of history": engagements.questions.page(
            user, None, *moments, limit=LIMIT, latest=True
        ),
        "latest of one": engagements.questions.page(
            user, issue, *moments, limit=LIMIT, latest=True
        ),
        "explain": engagements.questions.explain(user, issue, *moments),
        "explain_order": engagements.questions.explain_order(user, *moments),
        "series": engagements.questions.series(user, issue, start, end, moments[1]),
        "notifications": recorder.select_notifications(
            question.position, question.limit, topics=question.topics
        ),
        "notifications between": recorder.select_notifications(
            question.position, 1_000, question.position + question.limit, inclusive_of_start=False
        ),
        "events": recorder.select_events(
            question.originator, gt=question.limit // 4, desc=question.desc, limit=question.limit
        ),
        "last": recorder.max_notification_id(),
    }
    if question.is_laborious:
        found |= {
            "try_policy": engagements.policies.try_out(TRIED, moments[0], ZONE, lambda _: None),
            "audit": read_audit(engagements, ZONE, end, known_at=moments[1]),
            "audit of one": read_audit(
                engagements, ZONE, end, start=start, user_id=user, known_at=moments[1]
            ),
            "spans": {chat: engagements.ledger.spans_at(chat) for chat in CHATS},
        }
    return found


def questions(
    dice: random.Random, instants: list[int], originators: list[UUID | str], number: int
) -> list[Question]:
    """The given number of questions about random moments, many of them at given instants.

    `originators` are those of all events, in their order.
    """
    begin, end = min(instants) - 5 * DAY, max(instants) + 120 * DAY

    def moment() -> Instant | None:
        exact = dice.choice(instants) + dice.choice([-1, 0, 0, 1])
        return dice.choice([None, Instant(exact), Instant(dice.randrange(begin, end))])

    return [
        Question(
            dice.choice(USERS),
            dice.choice(ISSUES),
            moment(),
            moment(),
            dice.choice([NOBODY, *originators]),
            dice.randrange(1, len(originators) + 2),
            dice.randrange(1, 20),
            dice.choice([(), (), (INTERACTION,), (OVERRIDE,), (SEALING, POLICY), (OBSERVATION,)]),
            dice.random() < 0.5,
            is_laborious=place % LABORIOUS == 0,
        )
        for place in range(number)
    ]


def _moment(at: Instant | None) -> dt.datetime | None:
    return None if at is None else moment_of(at)
