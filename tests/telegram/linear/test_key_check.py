"""Recording of private messages, in random scripts of messages, outages, crashes and changes.

A model says by the rule what the ledger must hold; the real queue, recorder and check run against
the strict local Linear.
"""

import asyncio
import itertools
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import telegram
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.linear.client import Connection, Linear, linear
from bot.linear.decoding import Failed, Reason, Response
from bot.linear.demo import LocalLinear
from bot.linear.demo.workspace import Invented, Workspace, empty
from bot.linear.documents import Request
from bot.linear.issue import Absent, Issue, Unknown
from bot.linear.observed import observation_of
from bot.listening.issue_keys import IssueKeys
from bot.settings import Secret
from bot.telegram import key_check, look_ups
from bot.telegram.key_check import Check, KeyCheck
from bot.telegram.look_ups import LookUps
from bot.telegram.recording import Recorder, RecordingQueue
from bot.telegram.sending import Outbox
from ledger.events import kind_label
from ledger.instants import instant_of
from projections.application import Engagements, EngagementTracker
from tests.support.linear_client_and_server import FakeMonotonicClock
from tests.support.strategies import Clock

BOT: Any = SimpleNamespace(id=99, username="ledger_bot")
USERS = (1001, 1002)
GROUP = -7
PUBLIC, HIDDEN = "AI", "HID"
KEYS = ("AI-1", "AI-2", "AI-3", "HID-1", "HID-2")
UP, DOWN, SLOW = "up", "down", "slow"
TWO_MINUTES = 120.0
PATIENT = 60.0

Recorded = Counter[tuple[int, str, str]]
"""How often which user did what to which issue."""


class Say(NamedTuple):
    """A message, an edit of the last one there, or a press on a card; Linear may be away."""

    user: int
    keys: tuple[str, ...]
    how: str = "message"
    linear: str = UP
    is_in_group: bool = False
    dies: bool = False
    """Whether the bot dies while it waits for Linear, if it does, and is started again."""


class Again(NamedTuple):
    """A delivery of an earlier update once more."""

    number: int


class Change(NamedTuple):
    """The creation or the deletion of an issue in Linear."""

    key: str
    exists: bool


class Restart(NamedTuple):
    """A restart of the bot, with another memory of what Linear has said."""


Script = Sequence[Say | Again | Change | Restart]


class World:
    """The bot's recording and a local Linear, whose line can be cut, and a model of the ledger."""

    def __init__(self, engagements: Engagements, local: LocalLinear, folder: Path) -> None:
        self.engagements, self.local = engagements, local
        self.ticks = FakeMonotonicClock()
        self.is_down = False
        self.is_open = asyncio.Event()
        self.is_open.set()
        self._is_asked = asyncio.Event()
        self._folder = folder
        self._connection = Connection(local.url, Secret(local.key), PATIENT)
        self._updates: list[tuple[Say, dict[str, Any]]] = []
        self._ids = itertools.count(1)
        self._last_message: dict[tuple[int, bool], int] = {}
        self._observing: set[asyncio.Task[Any]] = set()
        self._seen: set[tuple[object, str]] = set()
        self._observed: set[str] = set()
        self.expected = Recorded()
        self._start()

    # --- the bot ---------------------------------------------------------------------------------

    async def send(self, request: Request) -> Response | Failed:
        """Send as the connection does, once the line is open."""
        self._is_asked.set()
        await self.is_open.wait()
        return Failed(Reason.UNREACHABLE) if self.is_down else await self._connection.send(request)

    async def close(self) -> None:
        await self._connection.close()

    async def play(self, script: Script) -> None:
        for step in script:
            self.ticks.seconds += TWO_MINUTES
            match step:
                case Say():
                    self._updates.append((step, self._update(step)))
                    await self._say(*self._updates[-1])
                case Again(number) if self._updates:
                    say, update = self._updates[number % len(self._updates)]
                    await self._say(say._replace(linear=UP, dies=False), update)
                case Change(key, exists):
                    self._change(key, exists=exists)
                case Restart():
                    await self._restart()
        await self._end()

    def recorded(self) -> Recorded:
        histories = ((user, self.engagements.questions.history(str(user))) for user in USERS)
        return Recorded(
            (user, each.event.issue_id, kind_label(each.event))
            for user, history in histories
            for each in history
        )

    async def _say(self, say: Say, update: dict[str, Any]) -> None:
        self.is_down = say.linear == DOWN
        self._is_asked.clear()
        if say.linear == SLOW or say.dies:
            self.is_open.clear()
        look_ups.CARD_SECONDS = 0.0 if say.linear == SLOW else PATIENT
        taking = asyncio.create_task(self._queue.take(telegram.Update.de_json(update)))
        if say.dies:
            is_asked = asyncio.create_task(self._is_asked.wait())
            await asyncio.wait({taking, is_asked}, return_when=asyncio.FIRST_COMPLETED)
            is_asked.cancel()
            taking.cancel()
            await self._restart()
            self.is_open.set()
            taking = asyncio.create_task(self._queue.take(telegram.Update.de_json(update)))
        assert await taking
        self.is_open.set()
        await asyncio.gather(*self._linear._looking.values())
        await asyncio.gather(*self._observing)
        self._expect(say, update)

    def _start(self) -> None:
        keys = IssueKeys(team_keys=(PUBLIC, HIDDEN))
        self._linear = Linear(self, self.engagements.clock, self.ticks, observe=self._observe)
        tracker = EngagementTracker(self.engagements)
        recorder = Recorder(BOT, tracker, spool=self._folder / "spool", keys=keys)
        recorder.reception.key_check = KeyCheck(
            LookUps(self._linear, Outbox()), self.engagements, (), lambda: False
        )
        self._recorder, self._queue = recorder, RecordingQueue(recorder)

    async def _restart(self) -> None:
        await self._end()
        self._start()

    async def _end(self) -> None:
        for task in self._recorder._turns._last.values():
            task.cancel()
        await self._linear.close()
        await self._recorder.settle()
        await self._recorder.close()

    def _observe(self, issue: Issue) -> None:
        observation = observation_of(issue, instant_of(self.engagements.clock()))
        assert observation is not None
        task = asyncio.create_task(self.engagements.ledger.record_async(observation))
        self._observing.add(task)
        task.add_done_callback(self._observing.discard)

    def _update(self, say: Say) -> dict[str, Any]:
        number = next(self._ids)
        person = {"id": say.user, "is_bot": False, "first_name": "Ana"}
        where = {"id": say.user, "type": "private"}
        if say.is_in_group:
            where = {"id": GROUP, "type": "group"}
        place, written = (say.user, say.is_in_group), number
        if say.how == "edited_message":
            written = self._last_message.get(place, number)
        message = {"chat": where, "message_id": written, "date": 0, "from": person}
        if say.how == "press":
            query = {"id": str(number), "from": person, "chat_instance": "x"}
            press = query | {"message": message, "data": f"card:{say.keys[0]}"}
            return {"update_id": number, "callback_query": press}
        at = int(self.engagements.clock().timestamp())
        message |= {"text": " ".join(say.keys), "date": at}
        self._last_message[place] = written
        return {"update_id": number, say.how: message}

    def _change(self, key: str, *, exists: bool) -> None:
        workspace = self.local.workspace
        workspace.issues[:] = [each for each in workspace.issues if each["identifier"] != key]
        if exists:
            workspace.add(Invented(key, "A title"), self.engagements.clock())

    # --- the model -------------------------------------------------------------------------------

    def _expect(self, say: Say, update: dict[str, Any]) -> None:
        keys = say.keys[:1] if say.how == "press" else say.keys
        shown = {each["identifier"] for each in self.local.workspace.issues} - {*KEYS[3:]}
        own = {issue for user, issue, _ in self.expected if user == say.user}
        known = own | self._observed
        is_asked = not (say.is_in_group or known.issuperset(keys)) or None
        for key in keys:
            is_absent = is_asked and say.linear == UP and key not in shown | known
            source = (_source(say, update), key)
            if not is_absent and source not in self._seen:
                self._seen.add(source)
                self.expected[say.user, key, _kind(say)] += 1
        if is_asked and say.linear != DOWN:
            self._observed |= shown & {*keys}


def _source(say: Say, update: dict[str, Any]) -> object:
    """The subject of an update: the press itself, or the message that is new or edited."""
    if say.how == "press":
        return "press", update["update_id"]
    return say.user, say.is_in_group, update[say.how]["message_id"]


def _kind(say: Say) -> str:
    if say.how == "press":
        return "view"
    return "mention" if say.is_in_group else "query"


def workspace() -> Workspace:
    """The issues AI-1 and HID-1, of which the second may not be seen."""
    made = empty()
    made.add_team(PUBLIC)
    made.add_team(HIDDEN, "private")
    for key in ("AI-1", "HID-1"):
        made.add(Invented(key, "A title"), Clock()())
    return made


@asynccontextmanager
async def world(folder: Path) -> Any:
    clock = Clock()
    local = LocalLinear(workspace(), clock)
    with Engagements(f"sqlite:///{folder}/ledger.db", clock=clock) as engagements:
        async with local.serving():
            made = World(engagements, local, folder)
            yield made
            await made.close()


def outcome(script: Script) -> tuple[Recorded, Recorded]:
    """The interactions in the ledger after a script, and those that the model expects."""

    async def run() -> tuple[Recorded, Recorded]:
        async with world(Path(folder)) as made:
            await made.play(script)
            return made.recorded(), made.expected

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(run())


@pytest.fixture(autouse=True)
def patient_with_linear(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time-out on a busy machine; a script sets how long it waits for Linear."""
    monkeypatch.setattr(look_ups, "CARD_SECONDS", PATIENT)


_SAY = st.builds(
    Say,
    st.sampled_from(USERS),
    st.lists(st.sampled_from(KEYS), min_size=1, max_size=3, unique=True).map(tuple),
    st.sampled_from(["message", "message", "edited_message", "press"]),
    st.sampled_from([UP, UP, UP, DOWN, SLOW]),
    st.integers(0, 4).map(lambda number: number == 0),
    st.integers(0, 4).map(lambda number: number == 0),
)
_OTHERS = st.one_of(
    st.builds(Again, st.integers(0, 20)),
    st.builds(Change, st.sampled_from(KEYS), st.booleans()),
    st.just(Restart()),
)


def sane(step: Say | Again | Change | Restart) -> Any:
    """A press is in private; only where Linear answers does it matter when the bot dies."""
    if not isinstance(step, Say):
        return step
    is_press = step.how == "press"
    return step._replace(
        is_in_group=step.is_in_group and not is_press, dies=step.dies and step.linear == UP
    )


SCRIPTS = st.lists(st.one_of(_SAY, _SAY, _OTHERS).map(sane), min_size=1, max_size=10)


@given(SCRIPTS)
@settings(max_examples=25)
def test_the_ledger_holds_what_the_rule_says(script):
    recorded, expected = outcome(script)
    assert recorded == expected


# --- planted faults ------------------------------------------------------------------------------


async def all_are_recorded(_: Check) -> frozenset[str]:
    """As it was: it is recorded first, and asked later."""
    return frozenset()


def touched_by_anyone(check: KeyCheck, _: str, key: str) -> bool:
    questions = check._engagements.questions
    return any(questions.ask(str(user), key).engagement.count for user in USERS)


ANA, BOB = USERS
FAULTS: dict[str, tuple[tuple[object, str, object], Script]] = {
    "records first": (
        (Check, "missing", all_are_recorded),
        [Say(ANA, ("AI-2",))],
    ),
    "counts hidden issues": (
        (linear, "shown", lambda issue, _: issue),
        [Say(ANA, ("HID-1",))],
    ),
    "drops while Linear does not answer": (
        (key_check, "Absent", (Absent, Unknown)),
        [Say(ANA, ("AI-1",), linear=DOWN)],
    ),
    "drops while Linear is slow": (
        (key_check, "Absent", (Absent, Unknown)),
        [Say(ANA, ("AI-1",), linear=SLOW)],
    ),
    "believes an old answer": (
        (linear, "FRESH_SECONDS", float("inf")),
        [Say(ANA, ("AI-2",)), Change("AI-2", exists=True), Say(ANA, ("AI-2",))],
    ),
    "knows what others touched": (
        (KeyCheck, "_is_known", touched_by_anyone),
        [Say(BOB, ("AI-2",), linear=DOWN), Say(ANA, ("AI-2",))],
    ),
    "forgets what the user touched": (
        (KeyCheck, "_is_known", lambda *_: False),
        [Say(ANA, ("AI-2",), linear=DOWN), Say(ANA, ("AI-2",))],
    ),
    "forgets what was observed": (
        (KeyCheck, "_is_known", lambda *_: False),
        [Say(BOB, ("AI-1",)), Restart(), Change("AI-1", exists=False), Say(ANA, ("AI-1",))],
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_seen(name, monkeypatch):
    fault, script = FAULTS[name]
    recorded, expected = outcome(script)
    assert recorded == expected
    monkeypatch.setattr(*fault)
    recorded, expected = outcome(script)
    assert recorded != expected
