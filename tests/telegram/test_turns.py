"""Recordings of one user's private updates keep their order; others wait for none of them."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from bot.listening.classification import ChatKind, Sender
from bot.telegram.turns import Turns

ANA = Sender(1001, ChatKind.PRIVATE, 1001)
BOB = Sender(1002, ChatKind.PRIVATE, 1002)
ANA_IN_A_GROUP = Sender(-7, ChatKind.GROUP, 1001)


@pytest.mark.parametrize("is_kept", [True, False])
def test_what_follows_a_recording_that_waits_is_tried_after_it_and_only_if_it_was_kept(is_kept):
    async def run() -> list[object]:
        turns, answered, done = Turns(), asyncio.Event(), list[str]()

        def record(name: str, wait: bool = False) -> Callable[[], Awaitable[bool]]:
            async def recorded() -> bool:
                if wait:
                    await answered.wait()
                done.append(name)
                return is_kept or not wait

            return recorded

        first = await turns.take(ANA, record("first", wait=True), waits=True)
        second = await turns.take(ANA, record("second"), waits=False)
        others = [
            await turns.take(sender, record(name), waits=False)
            for sender, name in ((BOB, "bob"), (ANA_IN_A_GROUP, "group"), (None, "unknown"))
        ]
        assert all(each.done() for each in others)
        assert not first.done()
        assert not second.done()
        answered.set()
        await turns.settle()
        later = await turns.take(ANA, record("later"), waits=False)
        return [done, first.result(), second.result(), later.result()]

    done, *results = asyncio.run(run())
    after = ["first", "second"] if is_kept else ["first"]
    assert done == ["bob", "group", "unknown", *after, "later"]
    assert results == [is_kept, is_kept, True]
