"""An issue as Linear describes it, who may see it, and the answers of a look-up."""

import datetime as dt
from collections.abc import Collection

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


class Cycle(msgspec.Struct, frozen=True):
    """A cycle of a team; most have a number and no name."""

    number: int
    name: str | None = None
    id: str = ""


class Named(msgspec.Struct, frozen=True):
    """A project or a label."""

    id: str
    name: str


class Blocker(msgspec.Struct, frozen=True):
    """An unfinished issue that blocks another."""

    id: str
    identifier: str
    team: Team


class Issue(msgspec.Struct, frozen=True):
    """An issue; what Linear left out, or sent in a form that cannot be read, has its default.

    `unsaid` names these fields, and those lists of which Linear has more than it was asked for.
    """

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
    cycle: Cycle | None = None
    project: Named | None = None
    labels: tuple[Named, ...] = ()
    estimate: float | None = None
    in_state_since: dt.datetime | None = None
    branch_name: str = ""
    blockers: tuple[Blocker, ...] = ()
    archived: bool = False
    trashed: bool = False
    unsaid: frozenset[str] = frozenset()

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to do."""
        return is_finished(self.state.type, archived=self.archived, trashed=self.trashed)

    def is_called(self, key: str) -> bool:
        """Whether `key`, in capitals, is or was the issue's identifier."""
        return key in {each.upper() for each in (self.identifier, *self.former_identifiers)}


def is_finished(state_type: str, *, archived: bool, trashed: bool) -> bool:
    """Whether nothing is left to do in an issue."""
    return state_type in FINISHED or archived or trashed


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


def may_be_shown(team: Team, allowed: Collection[str] = ()) -> bool:
    """Whether people may see issues of `team`: one of `allowed` or, if that is empty, a public one.

    Nothing else decides so. What this refuses is answered as what does not exist.
    """
    return team.key.upper() in allowed if allowed else team.visibility == PUBLIC


def shown(issue: Issue | None, allowed: Collection[str] = ()) -> Issue | None:
    """The part of `issue` that people may see, or None: without blockers that they may not see."""
    if issue is None or not may_be_shown(issue.team, allowed):
        return None
    blockers = tuple(each for each in issue.blockers if may_be_shown(each.team, allowed))
    return msgspec.structs.replace(issue, blockers=blockers)
