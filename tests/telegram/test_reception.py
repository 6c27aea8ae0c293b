"""An update is parsed, searched and shown to the gate once: for recording and for its answer."""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import telegram
from hypothesis import given
from hypothesis import strategies as st

from bot.listening import bot_commands
from bot.listening.access import Gate
from bot.listening.classification import Sender
from bot.listening.issue_keys import IssueKeys
from bot.settings import settings_of
from bot.telegram import updates
from bot.telegram.conversation import Conversation
from bot.telegram.reception import CARRIED_AT_MOST, Received, Reception, lets_in
from bot.telegram.recording import Recorder
from bot.telegram.updates import ParsedUpdate, message_of, parsed
from bot.terminal import chat
from ledger.commands import FOREVER, OptOut, interaction_of
from ledger.errors import LedgerUnavailableError
from ledger.validation import UserId
from projections.application import Engagements, EngagementTracker
from tests.support.strategies import Clock
from tests.support.telegram.conversation_driver import ConversationDriver
from tests.support.telegram.fake_users import FakeUser

TEAM = -1_001_000_000_777
KEYS = IssueKeys()


class Work:
    """The work on updates since the last count, wherever in the program it is done."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._done: Counter[str] = Counter()
        self._counting(patch, updates, "_typed_in", lambda message: "parsed")
        self._counting(patch, IssueKeys, "found_in", lambda keys, text: f"searched: {text}")
        self._counting(patch, Gate, "is_listed", lambda gate, sender: "gated")
        command = SimpleNamespace(fullmatch=bot_commands._COMMAND.fullmatch)
        patch.setattr(bot_commands, "_COMMAND", command)
        self._counting(patch, command, "fullmatch", lambda word: "commands")

    def take(self) -> dict[str, int]:
        """Return the counts since the last time."""
        done, self._done = dict(self._done), Counter()
        return done

    def _counting(
        self, patch: pytest.MonkeyPatch, where: Any, name: str, named: Callable[..., str]
    ) -> None:
        real = getattr(where, name)

        def counted(*arguments: Any) -> Any:
            self._done[named(*arguments)] += 1
            return real(*arguments)

        patch.setattr(where, name, counted)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    return Work(monkeypatch)


@pytest.fixture
def driver(
    work: Work, start_driver: Callable[..., ConversationDriver], monkeypatch: pytest.MonkeyPatch
) -> ConversationDriver:
    """A driver of a bot that listens to the team, and talks with its members."""
    return start_driver(ENGAGEMENT_CHATS=str(TEAM))


@pytest.fixture
def ana(driver: ConversationDriver) -> FakeUser:
    """A member of the team, whom the ledger knows, and who has touched AI-1."""
    ana = driver.api.user("Ana Canary", id=1001)
    ana.says("AI-1", in_=driver.api.supergroup("Team Canary", members=[ana], id=TEAM))
    driver.settle()
    ana.starts()
    driver.settle()
    return ana


def once(*searched: str) -> dict[str, int]:
    """The work on a message, and the texts that are searched for issues."""
    return dict.fromkeys(["parsed", "commands", "gated", *map("searched: {}".format, searched)], 1)


def done(driver: ConversationDriver, work: Work, act: Callable[[], object]) -> dict[str, int]:
    """The work on one act of a user."""
    driver.settle()
    work.take()
    act()
    driver.settle()
    return work.take()


IN_PRIVATE = [
    ("AI-1 and AI-2?", ["AI-1 and AI-2?"]),
    ("hello", ["hello"]),
    ("/look AI-1", ["/look AI-1"]),
    ("/help", []),
    ("/top", []),
    ("/score AI-1", ["AI-1"]),
    ("/hide AI-1", ["AI-1"]),
    ("/hide please ai-1.", ["ai-1.", "AI-1"]),
    ("/unhide", []),
    ("/start score_AI-1", ["AI-1"]),
    ("/start hide_AI-1", ["AI-1"]),
]


IN_THE_TEAM = [
    ("AI-1 blocks us", ["AI-1 blocks us"]),
    ("hello", ["hello"]),
    ("@ledger_bot AI-1?", ["@ledger_bot AI-1?"]),
    ("/look@ledger_bot AI-1", ["/look@ledger_bot AI-1"]),
    ("/score AI-1", ["AI-1"]),
    ("/hide AI-1", ["AI-1"]),
]


def test_each_update_is_parsed_gated_and_searched_once(driver, work, ana):
    briefing = driver.answer(ana, "/briefing")
    opened = {"gated": 1, "searched: AI-1": 1}
    assert done(driver, work, lambda: ana.presses(briefing)) == opened
    card = driver.answers(ana)[-1]
    # The button is read twice: as it was pressed, and below the card, to show that card again.
    hidden = {"gated": 1, "searched: AI-1": 2}
    assert done(driver, work, lambda: ana.presses(card)) == hidden
    question = driver.answer(ana, "/forget")
    assert done(driver, work, lambda: ana.presses(question, "No")) == {"gated": 1}
    team = driver.api.chats[TEAM]
    for in_, texts in ((None, IN_PRIVATE), (team, IN_THE_TEAM)):
        for text, searched in texts:
            assert done(driver, work, partial(ana.says, text, in_=in_)) == once(*searched), text
    said = ana.says("AI-1")
    assert done(driver, work, lambda: ana.edits(said, "AI-2")) == once("AI-2")
    stranger = driver.api.user("Eve Canary", id=666)
    assert done(driver, work, lambda: stranger.says("AI-1")) == once("AI-1")


def test_in_the_terminal_it_is_done_once_too(work, tmp_path, monkeypatch):
    async def lines():
        for text, searched in IN_PRIVATE:
            work.take()
            yield text
            # Without ENGAGEMENT_CHATS the settings admit every user, and are asked once as well.
            assert work.take() == once(*searched), text

    monkeypatch.setattr(sys.modules[chat.__module__], "_lines", lines)
    settings = settings_of({"ENGAGEMENT_HOME": str(tmp_path)})
    with Engagements(f"sqlite:///{tmp_path}/ledger.db", clock=Clock()) as engagements:
        asyncio.run(chat(engagements, settings, lambda _: None))


# --- planted faults ------------------------------------------------------------------------------


async def parse_again(conversation: Conversation, update: telegram.Update, bot: Any) -> None:
    message_of(update, bot)


async def search_again(conversation: Conversation, update: telegram.Update, bot: Any) -> None:
    conversation._keys.found_in(str(update.message and update.message.text))


async def ask_the_gate_again(conversation: Conversation, update: telegram.Update, bot: Any) -> None:
    assert update.message is not None
    message = message_of(update, SimpleNamespace(id=1, username=""))  # type: ignore[arg-type]
    assert message is not None
    await lets_in(conversation._gate, Sender(message.chat_id, message.chat_kind, 1001))


async def carry_nothing(conversation: Conversation, update: telegram.Update, bot: Any) -> None:
    conversation._recorder.reception._carried.clear()


def test_work_that_is_done_again_is_noticed(work, start_driver, monkeypatch):
    on_message, faults = Conversation.on_message, [parse_again, search_again, ask_the_gate_again]

    async def faulty(conversation: Conversation, update: telegram.Update, context: Any) -> None:
        await fault(conversation, update, context.bot)
        await on_message(conversation, update, context)

    monkeypatch.setattr(Conversation, "on_message", faulty)
    driver = start_driver()
    ana = driver.api.user("Ana Canary", id=1001)
    for fault in (*faults, carry_nothing):
        assert done(driver, work, lambda: ana.says("AI-1")) != once("AI-1"), fault


# --- carried to the answer -----------------------------------------------------------------------

BOT: Any = SimpleNamespace(id=99, username="ledger_bot")


def said(update_id: int, text: str, field: str = "message", sent_at: int = 0) -> telegram.Update:
    where = {"chat": {"id": 1001, "type": "private"}, "message_id": 7, "date": sent_at}
    message = where | {"from": {"id": 1001, "is_bot": False, "first_name": "Ana"}, "text": text}
    return telegram.Update.de_json({"update_id": update_id, field: message})


def reception(knows: Callable[[str], bool] | None = None) -> Reception:
    gate = None if knows is None else Gate(frozenset({TEAM}), frozenset(), knows)
    return Reception(BOT, KEYS, gate, Clock())


def fresh(update: telegram.Update) -> ParsedUpdate:
    return parsed(update, BOT, KEYS, Clock()())


_UPDATES = st.builds(
    said,
    st.integers(1, 4),
    st.sampled_from(["AI-1", "/hide AI-2", "hello"]),
    st.sampled_from(["message", "edited_message", "channel_post"]),
)


@given(st.lists(_UPDATES, min_size=1), st.lists(st.tuples(st.booleans(), st.integers(0))))
def test_in_any_order_each_update_has_what_it_says_and_is_carried_once(updates, steps):
    async def run() -> None:
        receiving = reception()
        for is_received, number in steps:
            update = updates[number % len(updates)]
            found = await (receiving.receive if is_received else receiving.take)(update)
            assert found == Received(fresh(update), is_admitted=True)
            carried = [each for each, _ in receiving._carried.values()]
            assert any(each is update for each in carried) == (
                is_received and update.message is not None
            )

    asyncio.run(run())


def test_what_is_carried_is_bounded_and_what_no_longer_is_can_still_be_answered():
    async def run() -> None:
        receiving = reception()
        updates = [said(number, f"AI-{number}") for number in range(1, CARRIED_AT_MOST + 11)]
        for update in updates:
            await receiving.receive(update)
        assert len(receiving._carried) == CARRIED_AT_MOST
        for update in updates:
            assert (await receiving.take(update)).parsed == fresh(update)
        assert not receiving._carried

    asyncio.run(run())


# --- permissions ---------------------------------------------------------------------------------


def verdicts(*known: bool | Exception) -> tuple[bool | None, bool | None]:
    """The verdicts for recording and for the answer, where the ledger says so at each question."""
    asked = iter(known)

    def knows(_: str) -> bool:
        answer = next(asked)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def run() -> tuple[bool | None, bool | None]:
        receiving, update = reception(knows), said(1, "AI-1")
        return (await receiving.receive(update)).is_admitted, (
            await receiving.take(update)
        ).is_admitted

    found = asyncio.run(run())
    assert not list(asked)
    return found


UNREADABLE = LedgerUnavailableError("planted")


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        pytest.param([True], (True, True), id="admitted"),
        pytest.param([False], (False, False), id="refused"),
        pytest.param([UNREADABLE, False], (None, False), id="a stranger, once it can be read"),
        pytest.param([UNREADABLE, True], (None, True), id="a user, once it can be read"),
        pytest.param([UNREADABLE, UNREADABLE], (None, None), id="not decided"),
    ],
)
def test_a_verdict_is_carried_and_no_verdict_is_no_permission(known, expected):
    assert verdicts(*known) == expected


def test_nothing_takes_a_permission_back(tmp_path):
    """The reason why a verdict may be carried: once known, a user is known for good."""
    clock = Clock()
    url = f"sqlite:///{tmp_path}/ledger.db"
    with Engagements(url, clock=clock) as engagements:
        ledger = engagements.ledger
        assert not ledger.knows("1001")
        ledger.record(interaction_of("1001", "AI-1", "query"))
        for step in (
            lambda: ledger.record(OptOut(UserId("1001"), FOREVER)),
            lambda: ledger.record(OptOut(UserId("1001"), clock.at)),
            lambda: engagements.ledger.erase("1001"),
            lambda: ledger.record(interaction_of("1001", "AI-2", "query")),
            lambda: engagements.ledger.erase("1001"),
            lambda: ledger.record(OptOut(UserId("1001"), clock.at)),
        ):
            step()
            clock.move(1)
            assert ledger.knows("1001")
    with Engagements(url, clock=clock) as engagements:
        assert engagements.ledger.knows("1001")


def test_a_message_that_was_received_before_its_sender_is_forgotten_stays_forgotten(tmp_path):
    """It was said in that second, and the sender is forgotten while the gate is asked."""
    clock = Clock()
    clock.move(600_000)

    def knows(user_id: str) -> bool:
        latest = recorder.latest_update_id
        recorder.forget(user_id, engagements.ledger.erase(user_id), latest)
        return True

    with Engagements(f"sqlite:///{tmp_path}/ledger.db", clock=clock) as engagements:
        recorder = Recorder(
            BOT,
            EngagementTracker(engagements),
            spool=tmp_path / "spool",
            keys=KEYS,
            gate=Gate(frozenset({TEAM}), frozenset(), knows),
        )
        message = said(5, "AI-1", sent_at=int(clock().timestamp()))
        assert asyncio.run(recorder.record_update(message))
        assert engagements.ledger.size() == (0, 0)


async def recorded_then_answered(
    driver: ConversationDriver, update: telegram.Update, between: Callable[[], object]
) -> None:
    """Record an update as the queue does, let something happen, and answer it."""
    assert await driver.bot.recorder.record_update(update)
    await asyncio.to_thread(between)
    await driver.bot.application.process_update(update)
    await driver.bot.outbox.join()


def test_a_user_who_is_forgotten_before_the_answer_sees_nothing_of_before(driver, work, ana):
    update = telegram.Update.de_json(
        {"update_id": 7, "message": ana.says("AI-1")["message"]}, driver.bot.application.bot
    )
    driver.settle()
    work.take()
    driver.run(
        recorded_then_answered(driver, update, lambda: driver.engagements.ledger.erase("1001"))
    )
    assert work.take() == once("AI-1")
    assert driver.api.sent_to(ana)[-1].text.startswith("AI-1 · score 0.500")
    assert driver.recorded(ana) == {}


def test_an_update_that_was_not_recorded_is_parsed_for_its_answer(driver, work, ana):
    update = telegram.Update.de_json(
        {"update_id": 7, "message": ana.says("AI-1")["message"]}, driver.bot.application.bot
    )
    driver.settle()
    before = len(driver.api.sent_to(ana))
    work.take()
    driver.run(driver.bot.application.process_update(update))
    driver.settle()
    assert work.take() == once("AI-1")
    assert len(driver.api.sent_to(ana)) == before + 1
