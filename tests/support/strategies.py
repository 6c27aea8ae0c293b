"""The values that properties quantify over, shared by all tests.

Few issues, streams, instants and keys, so that collisions happen: equal instants, late arrivals,
repeated keys. And hostile text, which breaks encoders, terminals and naive cutting.
"""

from datetime import datetime
from typing import Any

from hypothesis import strategies as st

from ledger.commands import EARLIEST, Kind
from ledger.events import EventRow
from ledger.instants import DAY, Instant, moment_of
from projections.engagement import Engagement, fold
from projections.policy import ScoringPolicy
from tests.support.event_rows import event_row

NOON = Instant(1_767_268_800_000_000)
"""2026-01-01T12:00:00Z, where the tests' clocks begin."""

HOUR = DAY // 24


class Clock:
    """A clock that stands still at noon until it is moved."""

    def __init__(self) -> None:
        """Begin at noon."""
        self.at = NOON

    def __call__(self) -> datetime:
        """Tell the time."""
        return moment_of(self.at)

    def move(self, microseconds: float) -> None:
        """Go on, or back where it is less than nothing."""
        self.at = Instant(int(self.at + microseconds))


# --- text ----------------------------------------------------------------------------------------

BIDI_CONTROLS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
LONE_SURROGATES = "\ud800\udbff\udc00\udfff"
FORBIDDEN_IN_CONTEXT = frozenset("\0" + BIDI_CONTROLS + "".join(map(chr, range(0xD800, 0xE000))))

GRAPHEMES = (
    "a",
    " ",
    "\n",
    "\r\n",
    "e\u0301",  # composes to one character
    "\u0301",  # a mark that may fall on any preceding character
    "q\u0323\u0307",  # does not compose, and has an order to be put in
    "A\u030a",
    "\u212b",  # the angstrom sign becomes another character under NFC
    "\u0958",  # leaves composition: one character becomes two under NFC
    "\u1100\u1161\u11a8",  # three jamo compose to one syllable
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",  # a family of seven characters
    "\U0001f44d\U0001f3fd",
    "\U0001f1e9\U0001f1ea",
    "\u0915\u094d\u0937\u093f",
    "z" + "\u0335" * 30,
    "ﷺ",
    "\ufeff",
)
"""Pieces of text that must not be cut inside, and pieces that change when they are cleaned."""

_FRAGMENTS = st.sampled_from([*GRAPHEMES, "\0", *BIDI_CONTROLS, *LONE_SURROGATES]) | st.text(
    st.characters(exclude_categories=()), max_size=8
)
_RUNS = st.tuples(_FRAGMENTS, st.sampled_from([1, 1, 2, 7, 50, 199, 200, 201])).map(
    lambda run: run[0] * run[1]
)

hostile_texts = st.lists(_RUNS, max_size=8).map("".join)
"""Text of any length that holds anything, lone surrogates too."""

user_ids = st.sampled_from(["4711", "-100200300", "Zoë", "ユーザー"])
issue_ids = st.sampled_from(["AI-1", "AI-10", "AI-2", "DMD-480"])
linear_ids = st.sampled_from([None, None, "lin-a", "lin-b"])
kinds = st.sampled_from(Kind)

# --- instants ------------------------------------------------------------------------------------

_STEPS = (0, 1, HOUR, DAY - 1, DAY, DAY + 1, 7 * DAY, 30 * DAY, 31 * DAY, 91 * DAY)

instants = st.builds(
    lambda days, step: Instant(NOON + days * DAY + step),
    st.integers(-3, 3),
    st.sampled_from(_STEPS),
)
"""Some seventy instants within a hundred days, a few of which are a microsecond apart."""

moments_of_asking = instants | st.builds(
    lambda at, days: Instant(at + days * DAY), instants, st.integers(-10, 400)
)

any_instants = st.integers(EARLIEST, 253_402_300_799_999_999).map(Instant)
"""From 2000 to the last microsecond of 9999."""

# --- events --------------------------------------------------------------------------------------

scores = st.sampled_from([0.0, 0.3, 0.8, 1.0]) | st.floats(0, 1)


def _row(stream: int, issue_id: str, at: Instant, what: tuple[Any, ...]) -> EventRow:
    kind, linear_id, score = what
    return event_row(0, stream, issue_id, kind, at, linear_id, score, 0)


_interactions = st.tuples(kinds.map(int), linear_ids, st.none())
_overrides = st.tuples(st.none(), st.none(), scores)


def _recorded(rows: list[EventRow]) -> list[EventRow]:
    """Give positions and instants of recording in the order of arrival."""
    recorded_at, recorded = 0, []
    for position, row in enumerate(rows, start=1):
        recorded_at = max(recorded_at, row.occurred_at)
        recorded.append(row._replace(position=position, recorded_at=recorded_at))
    return recorded


def event_rows(
    *, streams: int = 2, min_size: int = 0, max_size: int = 30
) -> st.SearchStrategy[list[EventRow]]:
    """Histories of several engagements, as they arrived: often late, often at equal instants."""
    row = st.builds(_row, st.integers(1, streams), issue_ids, instants, _interactions | _overrides)
    return st.lists(row, min_size=min_size, max_size=max_size).map(_recorded)


def histories(
    *, min_interactions: int = 0, max_size: int = 12
) -> st.SearchStrategy[list[EventRow]]:
    """Histories of one engagement, with overrides among the rest."""
    rows = st.lists(_one_issue(_interactions | _interactions | _overrides), max_size=max_size)
    if not min_interactions:
        return rows.map(_recorded)
    firsts = st.lists(_one_issue(_interactions), min_size=min_interactions, max_size=3)
    return st.tuples(firsts, rows).map(lambda parts: _recorded([*parts[1], *parts[0]]))


def _one_issue(what: st.SearchStrategy[tuple[Any, ...]]) -> st.SearchStrategy[EventRow]:
    return st.builds(_row, st.just(1), st.just("AI-1"), instants, what)


def engagements(*, min_interactions: int = 1) -> st.SearchStrategy[Engagement]:
    """Engagements as histories make them."""
    return histories(min_interactions=min_interactions, max_size=6).map(fold)


def engagements_by_issue(
    min_size: int = 0, max_size: int = 25
) -> st.SearchStrategy[dict[str, Engagement]]:
    """All engagements of one user; many are alike, so only the issue tells them apart."""
    few = st.lists(engagements(), min_size=1, max_size=4)
    names = st.integers(1, 40).map("AI-{}".format)
    return few.flatmap(
        lambda alike: st.dictionaries(
            names, st.sampled_from(alike), min_size=min_size, max_size=max_size
        )
    ) | st.dictionaries(names, engagements(), min_size=min_size, max_size=max_size)


# --- policies ------------------------------------------------------------------------------------

_rates = st.sampled_from([0.0, 0.05, 0.1, 0.5, 1.0]) | st.floats(0, 1)
few_bands = st.sampled_from([0.0, 0.05, 0.07, 0.2, 0.3, 0.45, 1 / 3, 1 / 7, 1.0, 2.0])
"""Frequencies per interaction that make at most twenty bands."""
many_bands = st.sampled_from([0.04, 0.01, 0.047])
"""Frequencies per interaction that make more than twenty bands."""


some_kinds = st.sets(kinds, min_size=1).map(sorted).map(tuple)


def _policy(weight: int, **numbers: Any) -> ScoringPolicy:
    return ScoringPolicy(frequency_weight=weight / 100, recency_weight=1 - weight / 100, **numbers)


def policies(
    frequencies: st.SearchStrategy[float] = few_bands | many_bands,
) -> st.SearchStrategy[ScoringPolicy]:
    """Policies of every kind that count an interaction by one of `frequencies`."""
    return st.builds(
        _policy,
        st.integers(0, 100),
        frequency_per_interaction=frequencies,
        recency_rate_per_day=_rates,
        decay_rate_per_day=_rates,
        decay_after_days=st.integers(0, 60),
        default_score=_rates,
        dormant_after_days=st.integers(0, 120),
        dormant_below_score=st.sampled_from([0.0, 0.001, 0.2, 1.0]),
        kinds=st.just(tuple(Kind)) | some_kinds,
        pin_hours=st.sampled_from([0.0, 0.0, 0.5, 8.0, 48.0, 24.0 * 365]),
    )
