"""The outbox: in order within a chat, no chat waits for another, and nothing waits for ever."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telegram.error import BadRequest, Forbidden, NetworkError, TimedOut

from bot.telegram import sending as module
from bot.telegram.sending import STALE_SECONDS, Outbox, fault

PATIENCE_SECONDS = 30.0
CANARY = "canary-7391"
MANY = 98
"""Chats at once."""


class Post:
    """Takes what is delivered; what is held back waits until it is let go."""

    def __init__(self) -> None:
        self.delivered: list[object] = []
        self.outbox = Outbox()
        self.let_go = asyncio.Event()
        self.began = asyncio.Event()
        self.filled = asyncio.Event()

    def post(self, chat_id: int, what: object) -> None:
        self.outbox.post(chat_id, partial(self._deliver, what))

    def hold(self, chat_id: int, what: object = "held") -> None:
        self.outbox.post(chat_id, partial(self._held, what))

    def fail(self, chat_id: int, error: BaseException) -> None:
        self.outbox.post(chat_id, partial(self._fail, error))

    async def _deliver(self, what: object) -> None:
        await asyncio.sleep(0)
        self.delivered.append(what)
        if len(self.delivered) == MANY:
            self.filled.set()

    async def _held(self, what: object) -> None:
        self.began.set()
        await self.let_go.wait()
        self.delivered.append(what)

    async def _fail(self, error: BaseException) -> None:
        raise error


def played(steps: Callable[[Post], Awaitable[Any]]) -> Post:
    """Take some steps in an event loop of its own; nothing is left over at its end."""

    async def run() -> Post:
        post = Post()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await steps(post)
            await post.outbox.join()
        assert post.outbox._chats == {}
        assert post.outbox._waiting == 0
        return post

    return asyncio.run(run())


def pair(delivered: object) -> tuple[int, int]:
    """The chat and the number of what was delivered there."""
    assert isinstance(delivered, tuple)
    return delivered


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, Any]]:
    """The level, the text and the reason of each log line."""
    return [(r.levelname, r.message, getattr(r, "why", None)) for r in caplog.records]


@given(st.lists(st.tuples(st.integers(1, 4), st.booleans()), max_size=60))
def test_replies_come_in_order_within_a_chat(posts):
    async def steps(post: Post) -> None:
        for number, (chat, pause) in enumerate(posts):
            post.post(chat, (chat, number))
            if pause:
                await asyncio.sleep(0)

    delivered = played(steps).delivered
    for chat in range(1, 5):
        of_chat = [number for where, number in map(pair, delivered) if where == chat]
        posted = [number for number, (where, _) in enumerate(posts) if where == chat]
        assert of_chat == posted[len(posted) - len(of_chat) :] or len(posted) > 20
        assert of_chat == sorted(of_chat)


def test_no_chat_waits_for_another():
    async def steps(post: Post) -> None:
        post.hold(-1, "slow")
        post.post(-1, "behind it")
        for chat in range(MANY):
            post.post(chat, chat)
        await post.filled.wait()
        assert set(post.delivered) == set(range(MANY))
        post.let_go.set()

    assert played(steps).delivered[MANY:] == ["slow", "behind it"]


def test_in_a_chat_the_oldest_gives_way_to_one_too_many(caplog):
    async def steps(post: Post) -> None:
        post.hold(1)
        await post.began.wait()
        for number in range(23):
            post.post(1, number)
        post.let_go.set()

    assert played(steps).delivered == ["held", *range(3, 23)]
    assert told(caplog) == [("WARNING", "reply dropped", "too many wait in its chat")] * 3


def test_when_too_many_wait_a_chat_with_replies_gives_up_its_oldest_and_a_new_one_gets_none(
    caplog, monkeypatch
):
    monkeypatch.setattr(module, "WAITING_AT_MOST", 3)

    async def steps(post: Post) -> None:
        post.hold(1)
        await post.began.wait()
        for what in ("a", "b", "c", "d"):
            post.post(1, what)
        post.post(2, "new")
        post.let_go.set()

    assert played(steps).delivered == ["held", "b", "c", "d"]
    assert [why for *_, why in told(caplog)] == ["too many wait in its chat", "too many wait"]


def test_after_too_many_it_goes_on_as_before(monkeypatch):
    monkeypatch.setattr(module, "WAITING_AT_MOST", 2)

    async def steps(post: Post) -> None:
        for chat in range(4):
            post.post(chat, chat)
        await post.outbox.join()
        post.post(9, 9)

    assert played(steps).delivered == [0, 1, 9]


@pytest.mark.parametrize(
    ("seconds", "comes"), [(STALE_SECONDS - 1, True), (STALE_SECONDS + 1, False)]
)
def test_a_reply_that_waited_too_long_is_dropped(monkeypatch, caplog, seconds, comes):
    async def steps(post: Post) -> None:
        post.hold(1)
        await post.began.wait()
        post.post(1, "late")
        at = asyncio.get_running_loop().time() + seconds
        later = SimpleNamespace(time=lambda: at)
        monkeypatch.setattr(asyncio, "get_running_loop", lambda: later)
        post.post(1, "fresh")
        post.let_go.set()

    assert played(steps).delivered == ["held", *(["late"] if comes else []), "fresh"]
    assert told(caplog) == ([] if comes else [("WARNING", "reply dropped", "stale")])


@pytest.mark.parametrize(
    ("error", "level", "text"),
    [
        (Forbidden(CANARY), "INFO", "reply not wanted"),
        (BadRequest(CANARY), "WARNING", "reply not delivered"),
        (TimedOut(CANARY), "WARNING", "reply not delivered"),
        (NetworkError(CANARY), "WARNING", "reply not delivered"),
        (ValueError(CANARY), "ERROR", "reply failed"),
        (KeyError(CANARY), "ERROR", "reply failed"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_one_replys_fault_is_told_without_its_words_and_hinders_no_other(
    caplog, error, level, text
):
    caplog.set_level("DEBUG")

    async def steps(post: Post) -> None:
        post.fail(1, error)
        post.post(1, "next")

    assert played(steps).delivered == ["next"]
    assert [(r.levelname, r.message) for r in caplog.records if r.name == module.__name__] == [
        (level, text)
    ]
    assert CANARY not in str([vars(record) for record in caplog.records])


def test_what_is_posted_while_a_reply_is_delivered_has_its_turn():
    async def steps(post: Post) -> None:
        async def post_another() -> None:
            post.post(1, "another")
            post.post(2, "elsewhere")

        post.outbox.post(1, post_another)

    assert sorted(map(str, played(steps).delivered)) == ["another", "elsewhere"]


# --- stopping ------------------------------------------------------------------------------------


def closed(steps: Callable[[Post], Awaitable[Any]], seconds: float) -> Post:
    """Take some steps, then close its outbox."""

    async def run() -> Post:
        post = Post()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await steps(post)
            await post.outbox.close(seconds)
        assert all(task is asyncio.current_task() for task in asyncio.all_tasks())
        return post

    return asyncio.run(run())


async def _three(post: Post) -> None:
    for number in range(3):
        post.post(number % 2, number)


async def _three_behind_one_that_hangs(post: Post) -> None:
    post.hold(1)
    await _three(post)
    await post.began.wait()


def test_what_waits_is_delivered_before_it_stops(caplog):
    assert sorted(closed(_three, PATIENCE_SECONDS).delivered) == [0, 1, 2]  # type: ignore[type-var]
    assert told(caplog) == []


def test_an_empty_outbox_stops_at_once(caplog):
    async def nothing(_: Post) -> None:
        pass

    assert closed(nothing, PATIENCE_SECONDS).delivered == []
    assert told(caplog) == []


def test_what_cannot_be_delivered_in_time_is_dropped_with_a_line_that_counts_it(caplog):
    assert closed(_three_behind_one_that_hangs, 0.01).delivered == [0, 2]
    assert told(caplog) == [("WARNING", "replies dropped", "stopping")]
    assert caplog.records[0].count == 2  # the one that hangs, and one behind it


def test_a_reply_that_hangs_alone_is_counted_too(caplog):
    async def steps(post: Post) -> None:
        post.hold(1)
        await post.began.wait()

    closed(steps, 0.01)
    assert caplog.records[0].count == 1


# --- faults --------------------------------------------------------------------------------------


def test_a_fault_is_told_by_its_type_and_place():
    def fail() -> None:
        raise ValueError(CANARY)

    try:
        fail()
    except ValueError as error:
        told_of = fault(error)
    assert told_of.startswith("ValueError in fail, line ")
    assert CANARY not in told_of
    assert fault(KeyError(CANARY)) == "KeyError"
