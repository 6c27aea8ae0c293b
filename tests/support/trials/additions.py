"""Checks of what a patched copy adds: a kind, a decision, or an instant.

It runs with the copy's program. The ledger that it opens was written by the program without the
patch.
"""

import datetime as dt
import importlib.util
import random
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

import ledger
from bot import user_data
from bot.answers import history, scores
from bot.dates.format import Time
from ledger import commands
from ledger.application import EngagementLedger
from ledger.as_of import AsOf
from ledger.commands import KINDS, Decision, Interaction, interaction_of, override_of
from ledger.events import EventRow, kind_label
from ledger.instants import instant_of
from ledger.store.event_queries import rows_of_user
from projections.engagement import (
    DECISION_FIELDS,
    EXTREMES,
    NONE,
    Engagement,
    fold,
    merge,
    values_of,
)
from projections.issue_names import NO_NAMES
from projections.policy import DEFAULT_POLICY
from projections.read_model.compare import verify
from projections.read_model.model import ReadModel
from projections.read_model.past_queries import PastEngagements
from projections.read_model.queries import stored_of, top_of
from projections.read_model.replay import compare

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
AS_OF = AsOf(at=instant_of(NOON))
USERS = ("ana", "ben")
ISSUES = ("AI-1", "AI-2", "AI-3")
EVENTS = 60

Entry = Interaction | Decision


def main(what: str, url: str) -> None:
    """Check what is added, in a ledger."""
    here = Path(ledger.__file__).parents[1]
    expect(here == Path.cwd(), f"the program is not that of {Path.cwd()}")
    entries, check = CHECKS[what]
    check_all(url, entries(random.Random(7)))
    check(url)


def expect(is_so: object, otherwise: object) -> None:
    """Raise AssertionError with a reason unless something is so."""
    if not is_so:
        raise AssertionError(otherwise)


def _moments(dice: random.Random) -> dt.datetime:
    """Moments of which several are equal, in no order."""
    return NOON - dt.timedelta(hours=dice.randrange(40))


def touches(dice: random.Random) -> list[Entry]:
    """Interactions of all kinds, a new one too, and overrides."""
    return [_touch(dice, dice.choice(list(KINDS))) for _ in range(EVENTS)] + [
        override_of(user, "AI-1", dice.random(), occurred_at=_moments(dice)) for user in USERS
    ]


def mutings(dice: random.Random) -> list[Entry]:
    """Interactions, overrides and mutings."""
    muting_of: Any = commands.muting_of  # type: ignore[attr-defined] # only in the copy
    return [
        dice.choice(
            (
                _touch(dice, "view"),
                override_of(user, issue, dice.random(), occurred_at=_moments(dice)),
                muting_of(user, issue, muted=dice.random() < 0.5, occurred_at=_moments(dice)),
            )
        )
        for user, issue in ((dice.choice(USERS), dice.choice(ISSUES)) for _ in range(EVENTS))
    ]


def _touch(dice: random.Random, kind: str) -> Interaction:
    user, issue = dice.choice(USERS), dice.choice(ISSUES)
    return interaction_of(
        user, issue, kind, occurred_at=_moments(dice), linear_id=dice.choice((None, "lin"))
    )


def check_all(url: str, entries: Sequence[Entry]) -> None:
    """Record events, and ask in every state of them that there is."""
    with closing(opened(url)) as of:
        before = answers(of)
        check_events(of)
        for begin in range(0, len(entries), 20):
            of.record_many(entries[begin : begin + 20])
        told = answers(of)
        expect(told != before, "nothing was recorded")
        check_events(of)
        of.fold()
        expect(answers(of) == told, "folding the tail changes answers")
        check_events(of)
        of.compactor.compact(20)
        expect(answers(of) == told, "sealing some events changes answers")
        check_events(of)
        of.compactor.compact(sys.maxsize)
        of.compactor.merge()
        expect(answers(of) == told, "sealing all events changes answers")
        check_events(of)
        _drop_derived(of)
    with closing(opened(url)) as of:
        expect(answers(of) == told, "building the read model again changes answers")
        check_events(of)


def opened(url: str) -> EngagementLedger:
    """The ledger, with the read model, at noon."""
    return EngagementLedger(url, projection=ReadModel(), clock=lambda: NOON)


def check_events(of: EngagementLedger) -> None:
    """Compare the folds of all events one by one, in parts and by columns; replay and verify."""
    with of.database.read() as connection:
        for user in USERS:
            rows = rows_of_user(connection, of.archive, user)
            by_columns = dict(PastEngagements(connection, of.archive, user, AS_OF, NO_NAMES).all())
            for issue in ISSUES:
                own = [row for row in rows if row.issue_id == issue]
                engagement = fold(own)
                expect(engagement == _by_hand(own), f"{engagement} is not {_by_hand(own)}")
                parts = merge(fold(own[::2]), fold(own[1::2]))
                expect(parts == engagement, f"merged: {parts} is not {engagement}")
                expect(_engagement(connection, issue, user) == engagement, "the read model")
                expect(by_columns[issue] == engagement, f"{by_columns[issue]} is not {engagement}")
    replayed = compare(of.database, ReadModel(), lambda _: None)
    expect(replayed.difference is None, replayed.difference)
    found = verify(of.database).findings
    expect(not found, found)
    if importlib.util.find_spec("duckdb"):
        from projections.read_model import duckdb_check  # noqa: PLC0415 - an extra

        other = duckdb_check.difference(of.database)
        expect(other is None, other)


def _by_hand(rows: Sequence[EventRow]) -> Engagement:
    """The engagement by counts and maxima, in the order of an engagement's fields."""
    touches = [row for row in rows if row.topic == "interaction"]
    by_kind = [[row.occurred_at for row in touches if row.kind == kind] for kind in KINDS.values()]
    named: list[Any] = [
        (row.occurred_at, row.linear_id) for row in touches if row.linear_id is not None
    ]
    first_at = min((row.occurred_at for row in touches), default=None)
    last_recorded_at = max((row.recorded_at for row in touches), default=None)
    topics = ("override", "muting")[: len(DECISION_FIELDS)]
    decided = [
        [(row.occurred_at, row.score) for row in rows if row.topic == each] for each in topics
    ]
    pairs: Any = [max(each, default=(None, None)) for each in (named, *decided)]
    fields: Any = (
        tuple(map(len, by_kind)),
        *(first_at, last_recorded_at)[: len(EXTREMES)],
        tuple(max(each, default=None) for each in by_kind),
        *(value for pair in pairs for value in pair),
    )
    return Engagement(*fields)


def answers(of: EngagementLedger) -> list[Any]:
    """The ranking, and the history by labels, of each user."""
    with of.database.read() as connection:
        ranked = [top_of(connection, user, 9, instant_of(NOON), DEFAULT_POLICY) for user in USERS]
    histories = [
        [(each.position, kind_label(each.event)) for each in of.history(user)] for user in USERS
    ]
    return [ranked, histories, *_rows_of_view(of)]


def _rows_of_view(of: EngagementLedger) -> list[tuple[Any, ...]]:
    with of.database.read() as connection:
        query = (
            "SELECT id, user_id, issue_id, interaction_type, interaction_count, last_interaction"
            " FROM issue_engagements ORDER BY id"
        )
        return [tuple(row) for row in connection.execute(text(query))]


def _drop_derived(of: EngagementLedger) -> None:
    with of.database.write() as connection:
        connection.execute(text("DROP VIEW issue_engagements"))
        connection.execute(text("DROP TABLE engagements"))
        connection.execute(text("DROP TABLE sealed_engagements"))


def check_reactions(url: str) -> None:
    """Check what is said of the new kind."""
    with closing(opened(url)) as of, of.database.read() as connection:
        of_ana = _engagement(connection)
        expect(of_ana.counts[3], "no reaction was counted")
        expect(scores.touches(of_ana).endswith("mentions"), scores.touches(of_ana))
        expect("reaction" in scores.touches(of_ana), scores.touches(of_ana))
        kinds = {row[3] for row in _rows_of_view(of)}
        expect("react" in kinds, kinds)


def check_mutings(url: str) -> None:
    """Check what is said of the new decision."""
    with closing(opened(url)) as of, of.database.read() as connection:
        muted = [_engagement(connection, issue) for issue in ISSUES]
        expect({values_of(each)[-1] for each in muted} == {0.0, 1.0}, muted)
        entries = [each for each in of.history("ana") if kind_label(each.event) == "muting"]
    shown = [history.Shown(each.event, each.origin.context) for each in entries]
    answer = history.history(shown, len(shown), None, Time(NOON, ZoneInfo("UTC")))
    expect(answer.html.count("muting") == len(shown) > 0, answer.html)
    exported = [user_data._exported(each)["muted"] for each in entries]
    expect(set(exported) == {True, False}, exported)


def check_last_recorded(url: str) -> None:
    """Check the new instant: these interactions were recorded at noon, whenever they occurred."""
    with closing(opened(url)) as of, of.database.read() as connection:
        last: Any = [_engagement(connection, issue) for issue in ISSUES]
    expect({each.last_recorded_at for each in last} == {instant_of(NOON)}, last)


CHECKS: dict[str, tuple[Callable[[random.Random], list[Entry]], Callable[[str], None]]] = {
    "react": (touches, check_reactions),
    "muting": (mutings, check_mutings),
    "last recorded": (touches, check_last_recorded),
}
"""The events and the check of each addition."""


def _engagement(connection: Connection, issue: str = "AI-1", user: str = "ana") -> Engagement:
    found = stored_of(connection, user, issue)
    return NONE if found is None else found.engagement


if __name__ == "__main__":
    main(*sys.argv[1:])
