"""A small invented workspace, as the resolvers of Linear's schema find it."""

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

Node = dict[str, Any]

KEY = "lin_api_demo_key_of_nobody"
"""The key that the local Linear accepts."""
ADDRESS = "https://linear.example/wattle"
PAGE = 50
"""Nodes of a connection where a document does not say how many."""

_SLUG = re.compile(r"[^a-z0-9]+")

STATES = {
    "Triage": "triage",
    "Backlog": "backlog",
    "Todo": "unstarted",
    "In Progress": "started",
    "In Review": "started",
    "Done": "completed",
    "Canceled": "canceled",
    "Duplicate": "duplicate",
}
"""Types of states by their names."""


class Invented(NamedTuple):
    """An issue of the workspace.

    `due` is in how many days, `days` is how long the issue is in its state, `blockers` are the
    identifiers of issues that block it.
    """

    identifier: str
    title: str
    state: str = "Todo"
    assignee: str | None = None
    priority: int = 0
    due: int | None = None
    formerly: tuple[str, ...] = ()
    archived: bool = False
    days: int = 0
    cycle: int | None = None
    blockers: tuple[str, ...] = ()
    project: str | None = None
    labels: tuple[str, ...] = ()
    estimate: int | None = None


PRIORITIES = ("0", "1", "2", "3", "4")
PEOPLE = ("amara", "ben", "chiyo")
TEAMS = {"AI": "public", "WEB": "public", "OPS": "private", "LAW": "private"}
TEAM_KEYS = (*TEAMS, "DMD")
"""With the key that an issue had before it was moved."""
UNSEEN = frozenset({"LAW"})
"""Teams that the key's owner is no member of."""

ISSUES = (
    Invented(
        *("AI-1799", "Answers cite pages that have moved", "In Progress", "amara", 2, 1),
        days=3,
        cycle=14,
        blockers=("WEB-7", "AI-1801", "OPS-3"),
        project="Citations",
        labels=("bug", "search"),
        estimate=3,
    ),
    Invented(
        *("AI-1800", "Measure recall on the new set of questions", "Todo", "ben", 3, 9),
        days=12,
        cycle=15,
    ),
    Invented("AI-1801", "Drop the old tokenizer", "Done", "chiyo", 4, -3, days=4, cycle=13),
    Invented(
        *("AI-1802", "Summaries lose the last list item", "In Review", "amara", 1, -2),
        days=6,
        cycle=14,
        blockers=("AI-1799", "AI-1800"),
        labels=("bug",),
        estimate=1,
    ),
    Invented(
        *("AI-1803", "One search box for all sources", "Backlog"), formerly=("DMD-480",), days=90
    ),
    Invented("AI-1804", "Cache embeddings per paragraph", "Canceled", archived=True, days=40),
    Invented("WEB-7", "Pictures jump while the page loads", "Todo", "ben", 2, 2, days=1, cycle=8),
    Invented("WEB-8", "Pictures jump on phones", "Duplicate", "ben", days=1),
    Invented("WEB-9", "Is this page slow for anyone else?", "Triage"),
    Invented("OPS-3", "Rotate the signing keys", "In Progress", "chiyo", 1, 0, days=2),
    Invented("LAW-1", "Review the contract with the museum", "Todo", "ben", 2, days=20),
)


def _id(*names: str) -> str:
    return str(uuid5(NAMESPACE_URL, "/".join((ADDRESS, *names))))


@dataclass
class Workspace:
    """Teams and issues as nodes; `unseen` are the keys of teams that the API key may not read."""

    viewer: Node
    teams: dict[str, Node] = field(default_factory=dict)
    issues: list[Node] = field(default_factory=list)
    unseen: frozenset[str] = frozenset()

    @property
    def seen_issues(self) -> Iterable[Node]:
        """The issues that the key may read."""
        return [each for each in self.issues if each["team"]["key"] not in self.unseen]

    @property
    def seen_teams(self) -> list[Node]:
        """The teams that the key may read."""
        return [team for key, team in self.teams.items() if key not in self.unseen]

    def find(self, name: str) -> Node | None:
        """Return the issue with this UUID, or that is or was called `name`, in either case."""
        key = name.upper()
        return next(
            (
                each
                for each in self.seen_issues
                if name == each["id"]
                or key == each["identifier"]
                or key in each["previousIdentifiers"]
            ),
            None,
        )

    def add(self, issue: Invented, now: dt.datetime) -> Node:
        """Add an issue, and its team if that is new and so public; return the issue's node."""
        team, _, number = issue.identifier.rpartition("-")
        self.add_team(team)
        due = None if issue.due is None else now.date() + dt.timedelta(days=issue.due)
        node = {
            "id": _id("issue", issue.identifier),
            "identifier": issue.identifier,
            "number": int(number),
            "previousIdentifiers": list(issue.formerly),
            "title": issue.title,
            "url": f"{ADDRESS}/issue/{issue.identifier}",
            "branchName": _branch(issue),
            "priority": float(issue.priority),
            "dueDate": None if due is None else due.isoformat(),
            "updatedAt": _written(now - dt.timedelta(hours=int(number) % 50)),
            "archivedAt": _written(now) if issue.archived else None,
            "trashed": None,
            "team": self.teams[team],
            "state": _state(team, issue.state),
            "assignee": None if issue.assignee is None else self._person(issue.assignee),
            "cycle": None if issue.cycle is None else _cycle(team, issue.cycle),
            "project": None if issue.project is None else _named("project", issue.project),
            "labels": partial(_labels, issue.labels),
            "estimate": None if issue.estimate is None else float(issue.estimate),
            "stateHistory": _in_state(now - dt.timedelta(days=issue.days)),
            "inverseRelations": partial(self._blocking, issue.blockers),
        }
        self.issues.append(node)
        return node

    def _blocking(self, identifiers: Sequence[str], _: object, first: int = PAGE) -> Node:
        """Resolve the issues that block another, of those that the key may read."""
        found = [self.find(each) for each in identifiers]
        nodes = [{"type": "blocks", "issue": each} for each in found if each is not None]
        return {"nodes": nodes[:first]}

    def add_team(self, key: str, visibility: str = "public") -> None:
        """Add a team, unless there is one of that key."""
        team = {"id": _id("team", key), "key": key, "visibility": visibility}
        self.teams.setdefault(key, team)

    def change(self, key: str, field: str, value: str, now: dt.datetime) -> tuple[Node, Node]:
        """Change the state, assignee or priority of an issue; return it, and what was before.

        Raises LookupError for an unknown issue, field, state or person.
        """
        issue = self.find(key)
        if issue is None:
            raise LookupError(key)
        changed = self._value(issue, field, value)
        before = {"updatedAt": issue["updatedAt"], **_before(issue, field)}
        issue[field] = changed
        if field == "state":
            issue["stateHistory"] = _in_state(now)
        issue["updatedAt"] = _written(now)
        return issue, before

    def _value(self, issue: Node, field: str, value: str) -> Node | float | None:
        match field:
            case "state":
                return _state(issue["team"]["key"], value)
            case "priority" if value in PRIORITIES:
                return float(value)
            case "assignee" if value in PEOPLE:
                return self._person(value)
            case "assignee" if not value:
                return None
        raise LookupError(value if field in {"assignee", "priority"} else field)

    def _person(self, name: str) -> Node:
        organization = self.viewer["organization"]
        return {"id": _id("user", name), "displayName": name, "organization": organization}


def _state(team: str, name: str) -> Node:
    return {"id": _id("state", team, name), "name": name, "type": STATES[name]}


def _before(issue: Node, field: str) -> Node:
    """The former value of a field as webhooks have it: only the id of an object."""
    if field == "priority":
        return {field: issue[field]}
    return {f"{field}Id": None if issue[field] is None else issue[field]["id"]}


def _branch(issue: Invented) -> str:
    """Return the name of a branch, in Linear's form: in lower case, with hyphens."""
    slug = _SLUG.sub("-", f"{issue.identifier} {issue.title}".lower()).strip("-")
    return f"{issue.assignee}/{slug}" if issue.assignee else slug


def _cycle(team: str, number: int) -> Node:
    return {"id": _id("cycle", team, str(number)), "number": float(number), "name": None}


def _named(type_: str, name: str) -> Node:
    return {"id": _id(type_, name), "name": name}


def _labels(names: Sequence[str], _: object, first: int = PAGE) -> Node:
    return {"nodes": [_named("label", each) for each in names[:first]]}


def _in_state(since: dt.datetime) -> Node:
    return {"nodes": [{"startedAt": _written(since), "endedAt": None}]}


def empty() -> Workspace:
    """Return a workspace without teams."""
    organization = {"id": _id("workspace"), "name": "Wattle Research"}
    name = PEOPLE[0]
    viewer = {"id": _id("user", name), "displayName": name, "organization": organization}
    return Workspace(viewer)


def invented(
    now: dt.datetime,
    issues: Iterable[Invented] = ISSUES,
    teams: Mapping[str, str] = TEAMS,
    unseen: frozenset[str] = UNSEEN,
) -> Workspace:
    """Return the workspace, whose dates are near `now`."""
    workspace = empty()
    workspace.unseen = unseen
    for key, visibility in teams.items():
        workspace.add_team(key, visibility)
    for issue in issues:
        workspace.add(issue, now)
    return workspace


def _written(moment: dt.datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"
