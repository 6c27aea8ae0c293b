"""Names of issues: which keys name one issue, as Linear's observations of identifiers show it.

An issue that moves to another team keeps its UUID and changes its identifier; one that is imported
into another workspace keeps its identifier and changes its UUID. So neither is trusted alone.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from ledger.as_of import ALWAYS, ENDLESS, KeySpan
from ledger.events import EventRow


class Claim(NamedTuple):
    """The names by one observation: at `at`, `issue` was `identifier`, and formerly `former`.

    `issue` is Linear's UUID; `at` is Linear's instant of the change, in microseconds UTC.
    """

    issue: str
    at: int
    identifier: str
    former: tuple[str, ...] = ()


class Names:
    """The names of issues by a set of claims, in any order; falsy if every issue has one name."""

    def __init__(self, claims: Iterable[Claim] = ()) -> None:
        """Find out which claims are about one issue, and from when on it had which name."""
        by_issue: defaultdict[str, list[Claim]] = defaultdict(list)
        for claim in set(claims):
            by_issue[claim.issue].append(claim)
        observed = [_Observed(sorted(claims)) for _, claims in sorted(by_issue.items())]
        self._owners = _owners(_joined(observed))
        self._spans: defaultdict[str, list[KeySpan]] = defaultdict(list)
        for key, owners in self._owners.items():
            _, *ends = (*(owner.start for owner in owners), ENDLESS)
            for owner, end in zip(owners, ends, strict=True):
                self._spans[owner.name].append(KeySpan(key, owner.start, end))
        self.moved = frozenset(self._moved())
        """The keys that do not simply name the issue that is called so now."""
        self.parted = frozenset(key for key, owners in self._owners.items() if len(owners) > 1)
        """The keys that have named several issues, one after the other."""

    def __bool__(self) -> bool:
        """Whether any issue has, or had, another name."""
        return bool(self.moved)

    def name(self, key: str, at: int | None = None) -> str:
        """The present name of the issue that `key` named at an instant, or names now."""
        owner = self._owner(key, at)
        return key if owner is None else owner.name

    def issue(self, key: str, at: int | None = None) -> str | None:
        """Linear's present UUID of the issue that `name` names, if any claim names the key."""
        owner = self._owner(key, at)
        return None if owner is None else owner.issue

    def spans(self, name: str) -> tuple[KeySpan, ...]:
        """The keys, with their spans, of the issue that is called `name` now."""
        return tuple(self._spans.get(name) or [KeySpan(name)])

    def all_names(self, key: str) -> set[str]:
        """The present names of all issues that `key` has named."""
        return {owner.name for owner in self._owners.get(key, ())} or {key}

    def others(self, key: str, at: int) -> list[str]:
        """The other keys that the issue named by `key` at an instant is found under then."""
        spans = self.spans(self.name(key, at))
        return [span.key for span in spans if span.key != key and span.covers(at)]

    def renamed(self, rows: Iterable[EventRow]) -> list[EventRow]:
        """The rows, each with the present name of its issue."""
        if not self:
            return list(rows)
        return [
            row._replace(issue_id=self.name(row.issue_id, row.occurred_at))
            if row.issue_id in self.moved
            else row
            for row in rows
        ]

    def _owner(self, key: str, at: int | None) -> "_Owner | None":
        owners = self._owners.get(key)
        if not owners:
            return None
        last = len(owners) if at is None else bisect_right(owners, at, key=lambda each: each.start)
        return owners[last - 1]

    def _moved(self) -> Iterator[str]:
        for name, spans in self._spans.items():
            if spans != [KeySpan(name)]:
                yield from (span.key for span in spans)


class _Owner(NamedTuple):
    start: int
    name: str
    issue: str


class _Observed:
    """The names of one UUID by its claims, in order of time."""

    def __init__(self, claims: list[Claim]) -> None:
        self.claims = claims
        runs = groupby(claims, attrgetter("identifier"))
        instants = ((key, [claim.at for claim in run]) for key, run in runs)
        self.runs = [KeySpan(key, min(ats), max(ats)) for key, ats in instants]
        """The names that it had in turn, and when it was first and last observed with each."""

    @property
    def last(self) -> KeySpan:
        """The present name."""
        return self.runs[-1]

    def continuations(self, others: Iterable["_Observed"]) -> Iterator["_Observed"]:
        """Those of `others` under whose UUIDs this issue goes on, as after an import.

        They had its present name at the same time, or took it when this was observed no more.
        """
        name, start, end = self.last
        same = [(run, one) for one in others for run in one.runs if run.key == name]
        yield from (one for run, one in same if run.start <= end and run.end >= start)
        after = {run.start: one for run, one in reversed(same) if run.start > end}
        if after:
            yield after[min(after)]


def _joined(observed: list[_Observed]) -> list[list[_Observed]]:
    """Group those that are one issue."""
    holders: defaultdict[str, list[_Observed]] = defaultdict(list)
    for one in observed:
        for key in {run.key for run in one.runs}:
            holders[key].append(one)
    above: dict[_Observed, _Observed] = {one: one for one in observed}

    def root(one: _Observed) -> _Observed:
        while above[one] is not one:
            one = above[one]
        return one

    for one in observed:
        for other in one.continuations(holders[one.last.key]):
            above[root(other)] = root(one)
    groups: defaultdict[_Observed, list[_Observed]] = defaultdict(list)
    for one in observed:
        groups[root(one)].append(one)
    return [*groups.values()]


def _owners(issues: list[list[_Observed]]) -> dict[str, list[_Owner]]:
    """The owners of each key: each from its claim on, and the first one from the beginning."""
    current: defaultdict[str, list[_Owner]] = defaultdict(list)
    former: defaultdict[str, list[_Owner]] = defaultdict(list)
    for observed in issues:
        claims = sorted((claim for one in observed for claim in one.claims), key=_by_time)
        name, issue = claims[-1].identifier, claims[-1].issue
        for claim in claims:
            current[claim.identifier].append(_Owner(claim.at, name, issue))
        for key in {key for claim in claims for key in claim.former}:
            if not any(claim.identifier == key for claim in claims):
                former[key].append(_Owner(claims[0].at, name, issue))
    return {
        key: _in_order(former.get(key, ()), current.get(key, ()))
        for key in current.keys() | former.keys()
    }


def _by_time(claim: Claim) -> tuple[int, str]:
    return claim.at, claim.issue


def _in_order(former: Iterable[_Owner], current: Iterable[_Owner]) -> list[_Owner]:
    """Owners by their starts; before every claim, one that only had the name before comes first."""
    before = [owner._replace(start=ALWAYS) for owner in sorted(former)[:1]]
    owners = [*before, *sorted(current)]
    owners[0] = owners[0]._replace(start=ALWAYS)
    changes = zip([None, *owners], owners, strict=False)
    return [owner for last, owner in changes if last is None or last.name != owner.name]


NO_NAMES = Names()
"""The names where nothing moved."""
