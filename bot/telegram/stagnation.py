"""Stagnant issues of cards and briefings, by what webhooks have told the ledger."""

import datetime as dt
from collections.abc import Mapping, Sequence

from bot.linear.facts import NOT_STAGNANT, StagnantDays
from bot.linear.issue import Answer, Found, Issue
from bot.settings import Settings
from ledger.instants import instant_of
from projections.application import Engagements
from projections.issue_history import STARTED, is_stagnant, working_days


def stagnant_days(
    engagements: Engagements, settings: Settings, answers: Mapping[str, Answer]
) -> StagnantDays:
    """Those of the issues that stagnate; none without webhooks, which alone report comments."""
    if settings.linear_webhook_secret is None:
        return NOT_STAGNANT
    now, zone = engagements.clock(), settings.zone
    found = [each.issue for each in answers.values() if isinstance(each, Found)]
    possible = [each.id.lower() for each in found if _may_stagnate(each, now, zone)]
    return engagements.issues.stagnant_days(possible, zone, now)


def stagnant_keys(
    engagements: Engagements, settings: Settings, keys: Sequence[str]
) -> dict[str, int]:
    """The same by the keys of issues, the one that stagnates longest first."""
    if settings.linear_webhook_secret is None:
        return {}
    issues, now = engagements.issues, engagements.clock()
    known = {key: issue.at.issue for key in keys if (issue := issues.issue(key)) is not None}
    days = issues.stagnant_days(known.values(), settings.zone, now)
    found = {key: days[id_] for key, id_ in known.items() if id_ in days}
    return dict(sorted(found.items(), key=lambda each: -each[1]))


def _may_stagnate(issue: Issue, now: dt.datetime, zone: dt.tzinfo) -> bool:
    """Whether the issue has been in a started state for long enough: else nothing is read."""
    since = issue.in_state_since
    if issue.state.type != STARTED or since is None:
        return issue.state.type == STARTED
    return is_stagnant(working_days(instant_of(since), instant_of(now), zone))
