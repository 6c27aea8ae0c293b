"""The library's real bot and updater find in the server what they find in Telegram."""

import asyncio

import pytest
from telegram.error import (
    Conflict,
    InvalidToken,
    NetworkError,
    TelegramError,
)

from tests.support.strategies import NOON, Clock
from tests.support.telegram.fake_server import FakeBotApi
from tests.support.telegram.library_updater import bot_of, refused, updater_of, with_bot


@pytest.fixture
def api():
    with FakeBotApi(clock=Clock()) as api:
        yield api


@pytest.fixture
def ana(api):
    ana = api.user("Ana", id=1001)
    ana.says("/start")
    return ana


def test_updates_come_again_until_an_offset_acknowledges_them(api, ana):
    ana.says("two")

    async def act(bot):
        first = await bot.get_updates()
        again = await bot.get_updates()
        second = await bot.get_updates(offset=first[0].update_id + 1)
        rest = await bot.get_updates(offset=second[-1].update_id + 1)
        return [[u.message.text for u in batch] for batch in (first, again, second, rest)]

    assert with_bot(api, act) == [["/start", "two"], ["/start", "two"], ["two"], []]
    assert api.pending() == 0
    assert api.complaints == []


def test_a_limit_cuts_and_a_negative_offset_counts_from_the_end(api, ana):
    for number in range(5):
        ana.says(str(number))

    async def act(bot):
        few = await bot.get_updates(limit=2)
        last = await bot.get_updates(offset=-1)
        return [u.message.text for u in few], [u.message.text for u in last]

    assert with_bot(api, act) == (["/start", "0"], ["4"])
    assert api.pending() == 1


def test_dates_are_whole_seconds_of_the_given_clock(api, ana):
    updates = with_bot(api, lambda bot: bot.get_updates())
    assert updates[0].message.date.timestamp() == NOON // 1_000_000


def test_a_long_poll_ends_with_the_next_message(api, ana):
    async def act(bot):
        start = await bot.get_updates()
        poll = asyncio.create_task(bot.get_updates(offset=start[-1].update_id + 1, timeout=30))
        await api.until(lambda: api.pending() == 0)
        ana.says("now")
        return await asyncio.wait_for(poll, 3)

    assert [update.message.text for update in with_bot(api, act)] == ["now"]


def test_a_second_poll_ends_the_first_with_a_conflict(api):
    async def act(bot):
        first = asyncio.create_task(bot.get_updates(timeout=30))
        await api.until(lambda: api.polling.waiting)
        async with bot_of(api) as other:
            await other.get_updates()
        await first

    refused(api, Conflict, "terminated by other getUpdates request", act)


def test_kinds_that_were_not_asked_for_never_wait(api, ana):
    async def act(bot):
        sent = await bot.send_message(ana.id, "x")
        ana.reacts(api.sent_to(ana)[0])
        await bot.get_updates(allowed_updates=["message_reaction"])
        ana.reacts(api.sent_to(ana)[0])
        ana.says("not asked for")
        return sent, await bot.get_updates()

    _, updates = with_bot(api, act)
    assert [u.message_reaction is not None for u in updates] == [False, True]


def test_ids_that_jump_back_are_delivered_all_the_same(api, ana):
    async def act(bot):
        seen = await bot.get_updates()
        offset = seen[-1].update_id + 1
        await bot.get_updates(offset=offset)
        api.queue.jump(7)
        ana.says("after a week")
        return await bot.get_updates(offset=offset)

    assert [update.update_id for update in with_bot(api, act)] == [7]


def test_a_wrong_token_is_unauthorized(api):
    async def act(bot):
        bot._base_url = bot._base_url[:-1] + "x"
        await bot.get_chat(1)

    refused(api, InvalidToken, "Unauthorized", act)


def test_the_updater_gets_every_update_and_acknowledges_it(api, ana):
    async def run():
        async with updater_of(api) as (_, queue):
            for number in range(250):
                ana.says(str(number))
            await api.until(lambda: api.pending() == 0)
        return queue.texts

    assert asyncio.run(run()) == ["/start", *map(str, range(250))]
    assert set(api.queue.delivered.values()) == {1}
    assert api.complaints == []


def test_what_the_queue_did_not_take_is_delivered_to_the_updater_again(api, ana):
    async def run():
        async with updater_of(api) as (_, queue):
            await api.until(lambda: api.pending() == 0)
            queue.failures = [NetworkError("down")]
            ana.says("kept")
            await api.until(lambda: api.pending() == 0)
        return queue.texts

    assert asyncio.run(run()) == ["/start", "kept"]
    assert max(api.queue.delivered.values()) == 2


def test_errors_that_are_asked_for_reach_the_updater(api, ana):
    errors: list[TelegramError] = []

    async def run():
        api.fail_next("getUpdates", 502, "Bad Gateway")
        async with updater_of(api, errors) as (_, queue):
            await api.until(lambda: api.pending() == 0)
        return queue.texts

    assert asyncio.run(run()) == ["/start"]
    assert [str(error) for error in errors] == ["Bad Gateway"]
