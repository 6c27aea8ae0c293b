"""An issue as Linear describes it, and the answers of a look-up."""

import datetime as dt

import msgspec

PUBLIC = "public"

FRESH_SECONDS = 60.0
"""The seconds for which an answer counts as current."""

FINISHED = frozenset({"completed", "canceled", "duplicate"})
"""Types of states in which nothing is left to do; a state's name decides nothing."""


class State(msgspec.Struct, frozen=True):
    """A workflow state: `type` is one of Linear's seven, `name` is the team's own."""

    type: str
    name: str


class Team(msgspec.Struct, frozen=True):
    """A team; `visibility` is None if Linear did not say."""

    key: str
    visibility: str | None = None


class Issue(msgspec.Struct, frozen=True):
    """An issue; what Linear left out, or sent in a form that cannot be read, has its default."""

    id: str
    identifier: str
    updated_at: dt.datetime
    state: State
    team: Team
    title: str = ""
    url: str = ""
    former_identifiers: tuple[str, ...] = ()
    priority: int = 0
    """1 urgent, 2 high, 3 medium, 4 low; 0 none."""
    due_date: dt.date | None = None
    assignee: str | None = None
    assignee_id: str = ""
    state_id: str = ""
    archived: bool = False
    trashed: bool = False

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.state.type in FINISHED or self.archived or self.trashed

    def is_called(self, key: str) -> bool:
        """Whether `key`, in capitals, is or was the issue's identifier."""
        return key in {each.upper() for each in (self.identifier, *self.former_identifiers)}


class Found(msgspec.Struct, frozen=True):
    """The issue, as Linear described it `age_seconds` ago."""

    issue: Issue
    age_seconds: float = 0.0

    @property
    def is_old(self) -> bool:
        """Whether Linear may say something else by now."""
        return self.age_seconds >= FRESH_SECONDS


class Absent(msgspec.Struct, frozen=True):
    """There is no such issue, or it may not be seen: nothing tells the two apart."""


class Unknown(msgspec.Struct, frozen=True):
    """Linear has not answered; `is_pending` says that it still may."""

    is_pending: bool = False


Answer = Found | Absent | Unknown


def may_be_shown(issue: Issue) -> bool:
    """Whether people may see `issue`: for now, if its team is public."""
    return issue.team.visibility == PUBLIC


def shown(issue: Issue | None, age_seconds: float) -> Found | Absent:
    """The answer if Linear found `issue`, or None: the only place that makes a `Found`."""
    if issue is None or not may_be_shown(issue):
        return Absent()
    return Found(issue, age_seconds)
