"""Answers where issues move against a ledger in which every touch had the present name.

Both are real ledgers, which fold, seal and reopen at random points.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zlib import crc32

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.as_of import AsOf
from ledger.commands import interaction_of
from ledger.errors import UnknownEngagementError
from ledger.idempotency import SourceKey
from ledger.instants import Instant, moment_of
from ledger.store.accounts import users
from ledger.store.event_queries import rows_of_everybody
from projections.application import Engagements
from projections.engagement import engagements_as_of
from projections.issue_names import Names
from projections.ranking import ranking
from projections.read_model.moved_issues import MovedIssues
from projections.read_model.present_queries import PresentEngagements
from tests.support.moved_engagements import USERS, answers, embedded, stored
from tests.support.moving_issues import Linear
from tests.support.observations import DAY_ONE, observation, uuid
from tests.support.sealed_ledgers import small_segments
from tests.support.strategies import HOUR, Clock
from tests.support.trials.counts import count

KINDS = ("query", "view", "mention")
DEEDS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("open", "move", "move", "swap", "import", "look"),
                *("touch", "touch", "touch", "touch", "late", "edit", "override", "hide", "show"),
                *("fold", "compact", "reopen"),
            ]
        ),
        st.integers(0, 5),
        st.integers(0, 5),
        st.sampled_from(USERS),
    ),
    min_size=15,
    max_size=30,
)


class Touch(msgspec.Struct, frozen=True):
    """A touch of an issue of the world, by the key that was written."""

    number: int
    user: str
    key: str
    issue: int
    at: int
    kind: str


class Pair:
    """The same deeds in a ledger where issues move, and later in one where they do not."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, Clock()
        self.world = Linear()
        self.touches: list[Touch] = []
        self.outcomes: list[object] = []
        self.log: list[tuple[Any, ...]] = []
        """The deeds of the other ledger, with issues by their numbers."""
        self.moving = self.opened("moving")

    def opened(self, name: str) -> Engagements:
        return Engagements(f"sqlite:///{self.folder}/{name}.db", clock=self.clock)

    def close(self) -> None:
        self.moving.close()

    def at(self) -> Instant:
        return Instant(DAY_ONE + self.world.now * HOUR)

    def do(self, deed: str, a: int, b: int, user: str) -> None:
        if deed in {"open", "move", "swap", "import", "look"}:
            claimed = len(self.world.claims)
            self.world.do(deed, a, b)
            self.clock.at = self.at()
            for claim in self.world.claims[claimed:]:
                self.observe(claim)
            return
        self.world.now += 10
        self.clock.at = self.at()
        match deed:
            case "fold":
                self.moving.ledger.fold()
            case "compact":
                with small_segments(5):
                    self.moving.ledger.compactor.compact(self.moving.ledger.size()[0] - b)
            case "reopen":
                self.moving.close()
                self.moving = self.opened("moving")
            case "edit" if self.touches:
                self.edit(self.touches[a % len(self.touches)], b)
            case _ if self.world.names:
                self.act(deed, a, b, user)

    def observe(self, claim: Any) -> None:
        said = observation(
            issue=uuid(crc32(claim.issue.encode())),
            identifier=claim.identifier,
            updated_at=Instant(DAY_ONE + claim.at * HOUR),
            former_identifiers=claim.former,
            origin="look-up",
        )
        self.moving.ledger.record(said)

    def act(self, deed: str, a: int, b: int, user: str) -> None:
        issues = sorted(self.world.names)
        own = self.world.names[issues[a % len(issues)]]
        key = own[b % len(own)]
        issue = self.world.holders[key]
        match deed:
            case "touch" | "late":
                kind = KINDS[(a + b) % 3]
                at = self.world.now - 5 * (deed == "late")
                touch = Touch(len(self.touches), user, key, issue, at, kind)
                self.touches.append(touch)
                self.did("touch", touch, touch.key)
            case _:
                self.did(deed, (user, issue), key)

    def edit(self, touch: Touch, number: int) -> None:
        """Say again what was touched, by another of the names that the issue had then."""
        others = [
            name
            for name in self.world.names[touch.issue]
            if self.world.held(name, touch.at) == touch.issue
        ]
        self.did("touch", touch, others[number % len(others)])

    def did(self, deed: str, what: Any, key: str) -> None:
        self.log.append((deed, what, self.clock.at))
        self.outcomes.append(done(self.moving, deed, what, key))

    def still(self) -> tuple[Engagements, list[object]]:
        """The ledger of the same history, in which every key is the present name."""
        still, outcomes = self.opened("still"), list[object]()
        now = self.clock.at
        for deed, what, at in self.log:
            self.clock.at = at
            issue = what.issue if isinstance(what, Touch) else what[1]
            outcomes.append(done(still, deed, what, self.world.names[issue][-1]))
        self.clock.at = now
        return still, outcomes


def done(engagements: Engagements, deed: str, what: Any, key: str) -> object:
    """Do it, and return what it says."""
    try:
        match deed:
            case "touch":
                at = Instant(DAY_ONE + what.at * HOUR)
                source = SourceKey(f"-100:{what.number}:{key}", at)
                touch = interaction_of(
                    what.user, key, what.kind, occurred_at=moment_of(at), source_key=source
                )
                return engagements.ledger.record(touch).counted
            case "override":
                return engagements.adjustments.override(what[0], key, 0.9).counted
            case _:
                found = engagements.adjustments.hide(what[0], key, hidden=deed == "hide")
                return None if found is None else found.counted
    except UnknownEngagementError:
        return "unknown"


@contextmanager
def lived(deeds: Any) -> Iterator[tuple[Pair, Engagements]]:
    with TemporaryDirectory() as folder, ExitStack() as opened:
        pair = Pair(Path(folder))
        opened.callback(pair.close)
        for deed in deeds:
            pair.do(*deed)
        still, outcomes = pair.still()
        opened.callback(still.close)
        assert pair.outcomes == outcomes
        yield pair, still


def of_all_users(engagements: Engagements) -> list[int]:
    """The numbers of engagements that are idle or dormant."""
    ask = engagements.maintenance
    return [ask.count_dormant(), ask.refresh_scores(30), ask.refresh_scores(120, USERS[0])]


def assert_nothing_moved(deeds: Any, ago: int) -> None:
    with lived(deeds) as (pair, still):
        held = pair.world.holders
        present = [pair.world.names[issue][-1] for issue in held.values()]
        for at in (None, moment_of(Instant(pair.clock.at - ago * HOUR))):
            assert answers(pair.moving, [*held], at) == answers(still, present, at)
        assert stored(pair.moving) == stored(still)
        assert embedded(pair.moving, [*held]) == embedded(still, present)
        replay = pair.moving.maintenance.replay(repair=False, progress=lambda _: None)
        assert replay.difference is None
        pair.clock.move(ago * 12 * HOUR)
        assert of_all_users(pair.moving) == of_all_users(still)
        refreshed = pair.moving.maintenance.replay(repair=False, progress=lambda _: None)
        assert refreshed.difference is None


pytestmark = pytest.mark.trial

less_often = settings(max_examples=count(full=100, small=6, more="MOVED_HISTORIES"))
"""An example makes two ledgers on disk, and asks them everything."""


@less_often
@given(DEEDS, st.integers(0, 300))
def test_answers_are_those_of_a_history_in_which_nothing_moved(deeds, ago):
    assert_nothing_moved(deeds, ago)


def assert_as_known(deeds: Any, ago: int) -> None:
    with lived(deeds) as (pair, _):
        known_at = Instant(pair.clock.at - ago * HOUR)
        claims = [each._replace(at=DAY_ONE + each.at * HOUR) for each in pair.world.claims]
        claims = [each for each in claims if each.at <= known_at]
        names, as_of = Names(claims), AsOf(None, known_at)
        engagements = pair.moving
        with engagements.ledger.database.read() as connection:
            rows = rows_of_everybody(connection, engagements.ledger.archive)
            streams = {each.user_id: each.stream for each in users(connection)}
        for user in USERS:
            own = [row for row in rows if row.stream == streams.get(user)]
            expected = ranking(engagements_as_of(names.renamed(own), as_of), known_at)
            moment = moment_of(known_at)
            assert engagements.questions.ranking(user, known_at=moment) == expected
            for each in expected:
                assert engagements.questions.ask(user, each.issue_id, known_at=moment) == each


@less_often
@given(DEEDS, st.integers(0, 300))
def test_as_known_at_a_moment_the_moves_that_were_observed_by_then_are_known(deeds, ago):
    assert_as_known(deeds, ago)


# --- planted faults ------------------------------------------------------------------------------

MOVED = [
    ("open", 0, 0, "ana"),
    *[("touch", 0, 0, "ana")] * 3,
    ("fold", 0, 0, "ana"),
    ("move", 0, 0, "ana"),
    ("touch", 0, 1, "ana"),
    ("fold", 0, 0, "ana"),
]
"""Touched under two names, all of it folded."""


def test_the_history_of_the_faults_is_right_without_them():
    assert_nothing_moved(MOVED, 0)
    assert_as_known(MOVED, 45)


def test_a_top_that_ignores_names_is_seen(monkeypatch):
    monkeypatch.setattr(PresentEngagements, "_beside", lambda *_: None)
    with pytest.raises(AssertionError):
        assert_nothing_moved(MOVED, 0)


def test_numbers_of_all_users_by_keys_as_written_are_seen(monkeypatch):
    monkeypatch.setattr(PresentEngagements, "surplus", lambda *_: 0)
    with lived(MOVED) as (pair, still):
        pair.clock.move(200 * 24 * HOUR)
        assert of_all_users(still) == [1, 1, 1]
        assert of_all_users(pair.moving) == [2, 2, 2]


def test_names_that_are_known_too_early_are_seen(monkeypatch):
    names = MovedIssues.names
    monkeypatch.setattr(MovedIssues, "names", lambda self, *given: names(self, *given[:2]))
    with pytest.raises(AssertionError):
        assert_as_known(MOVED, 45)
