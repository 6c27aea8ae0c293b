"""Topics, buttons, edits, menus, privacy mode and webhooks, seen by the library's real bot."""

import asyncio
import logging
from socket import socket
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from telegram import (
    BotCommand,
    BotCommandScopeChat,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    ReplyParameters,
)
from telegram.error import BadRequest, Conflict, NetworkError
from telegram.ext import Updater

from tests.support.telegram.fake_server import FakeBotApi
from tests.support.telegram.library_updater import ReceivedUpdates, bot_of, refused, with_bot

SECRET = "s" * 32


@pytest.fixture
def api():
    with FakeBotApi() as api:
        yield api


@pytest.fixture
def ana(api):
    return api.user("Ana", id=1001)


@pytest.fixture
def unused_port():
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fetch(api):
    return with_bot(api, lambda bot: bot.get_updates())


def test_message_numbers_are_shared_by_private_chats_and_basic_groups_only(api, ana):
    group, big, other = (
        api.group("A", [ana]),
        api.supergroup("B", [ana]),
        api.supergroup("C", [ana]),
    )
    for chat in (None, group, big, other, big):
        ana.says("x", in_=chat)
    assert [update.message.message_id for update in fetch(api)] == [1, 2, 1, 1, 2]


def test_a_message_in_a_topic_answers_the_topics_creation(api, ana):
    forum = api.forum("Forum", [ana])
    topic = forum.creates_topic("Bugs", ana)
    ana.says("AI-1", in_=forum, topic=topic)
    created, said = (update.message for update in fetch(api))
    assert created.forum_topic_created.name == "Bugs"
    assert (said.message_thread_id, said.is_topic_message) == (topic, True)
    assert said.reply_to_message.message_id == topic


def test_the_bot_writes_into_topics_that_are_there_and_open(api, ana):
    forum, plain = api.forum("Forum", [ana]), api.supergroup("Plain", [ana])
    topic, closed = forum.creates_topic("Bugs", ana), forum.creates_topic("Old", ana)
    forum.closes_topic(closed)
    thread = ana.says("reply", in_=plain, reply_to=ana.says("root", in_=plain))

    def say(chat, number):
        return lambda bot: bot.send_message(chat.id, "x", message_thread_id=number)

    with_bot(api, say(forum, topic))
    assert [sent.topic for sent in api.sent_to(forum)] == [topic]
    refused(api, BadRequest, "Topic_closed", say(forum, closed))
    refused(api, BadRequest, "Message thread not found", say(forum, 99))
    number = thread["message"]["message_thread_id"]
    refused(api, BadRequest, "Message thread not found", say(plain, number))


def test_a_press_is_answered_once(api, ana):
    ana.starts()
    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Open", callback_data="open")]])

    async def act(bot):
        await bot.send_message(ana.id, "list", reply_markup=keyboard)
        ana.presses(api.sent_to(ana)[0], "Open")
        query = (await bot.get_updates())[-1].callback_query
        assert (query.data, query.message.text) == ("open", "list")
        await query.answer("opened")
        await query.answer("again")

    refused(api, BadRequest, "Query is too old", act)
    assert [answer["text"] for answer in api.answers.values()] == ["opened"]


def test_an_edit_changes_what_is_seen_and_has_to_change_something(api, ana):
    ana.starts()

    async def act(bot):
        sent = await bot.send_message(ana.id, "one")
        await sent.edit_text("<b>two</b>", parse_mode="HTML")
        assert (api.sent_to(ana)[0].text, api.sent_to(ana)[0].edits) == ("two", ["one"])
        await sent.edit_text("<b>two</b>", parse_mode="HTML")

    refused(api, BadRequest, "Message is not modified", act)


def test_a_deleted_message_is_gone(api, ana):
    ana.starts()

    async def act(bot):
        sent = await bot.send_message(ana.id, "one")
        await sent.delete()
        assert api.sent_to(ana) == []
        await bot.send_message(ana.id, "x", reply_parameters=ReplyParameters(sent.message_id))

    refused(api, BadRequest, "Message to be replied not found", act)


def test_menus_are_kept_by_scope(api, ana):
    ana.starts()
    scope = BotCommandScopeChat(ana.id)

    async def act(bot):
        await bot.set_my_commands([BotCommand("top", "the top")])
        await bot.set_my_commands([BotCommand("score", "a score")], scope=scope)
        return await bot.get_my_commands(), await bot.get_my_commands(scope=scope)

    default, own = with_bot(api, act)
    assert (default[0].command, own[0].command) == ("top", "score")
    refused(
        api,
        BadRequest,
        "Bot_command_invalid",
        lambda bot: bot.set_my_commands([BotCommand("Top!", "x")]),
    )


def test_the_bot_learns_of_chats_and_members(api, ana):
    group = api.supergroup("Team", [ana], bot="administrator")

    async def act(bot):
        chat = await bot.get_chat(group.id)
        admins = await bot.get_chat_administrators(group.id)
        me = await bot.get_chat_member(group.id, bot.id)
        await bot.leave_chat(group.id)
        return chat.title, {admin.user.id for admin in admins}, me.status

    assert with_bot(api, act) == ("Team", {ana.id, api.bot_id}, "administrator")
    assert not group.has(api.bot_id)
    assert api.complaints == []


def test_privacy_mode_hides_what_is_not_meant_for_the_bot(api, ana):
    api.can_read_all_group_messages = False
    group = api.group("Team", [ana])
    for text in ("AI-1", "/top", "hey @ledger_bot"):
        ana.says(text, in_=group)
    assert [update.message.text for update in fetch(api)] == ["/top", "hey @ledger_bot"]


def test_answers_are_held_back_until_they_are_let_go(api, ana):
    ana.starts()

    async def act(bot):
        with api.faults.holding("sendMessage"):
            sending = asyncio.create_task(bot.send_message(ana.id, "late"))
            await api.until(lambda: api.asked("sendMessage"))
            assert not api.sent_to(ana)
        await sending

    with_bot(api, act)
    assert [sent.text for sent in api.sent_to(ana)] == ["late"]


def test_an_answer_that_is_lost_was_done_all_the_same(api, ana):
    ana.starts()
    api.lose_answer("sendMessage")
    refused(api, NetworkError, "Bad Gateway", lambda bot: bot.send_message(ana.id, "once"))
    assert [sent.text for sent in api.sent_to(ana)] == ["once"]


def test_methods_that_are_not_there_are_not_found(api):
    with pytest.raises(HTTPError) as raised:
        urlopen(f"{api.base_url}{api.token}/sendMesage")  # noqa: S310  (the loopback)
    with raised.value as answer:
        assert answer.code == 404


# --- webhooks ------------------------------------------------------------------------------------


async def listen(api, queue, unused_port, act, told=SECRET):
    bot = bot_of(api)
    async with Updater(bot, update_queue=queue) as updater:
        await updater.start_webhook(
            listen="127.0.0.1",
            port=unused_port,
            url_path="hook",
            webhook_url=f"http://127.0.0.1:{unused_port}/hook",
            secret_token=SECRET,
        )
        if told != SECRET:
            await bot.set_webhook(f"http://127.0.0.1:{unused_port}/hook", secret_token=told)
        await act(bot)
        await bot.delete_webhook()
        await updater.stop()


def test_a_webhook_gets_a_chats_updates_in_order_with_the_secret(api, ana, unused_port):
    queue = ReceivedUpdates()

    async def act(_bot):
        for number in range(50):
            ana.says(str(number))
        await api.until(lambda: api.pending() == 0)

    asyncio.run(listen(api, queue, unused_port, act))
    assert queue.texts == list(map(str, range(50)))
    assert set(api.webhook.statuses) == {200}


def test_a_webhook_that_fails_gets_the_update_again(api, ana, unused_port, caplog):
    caplog.set_level(logging.CRITICAL + 1, "tornado")
    queue = ReceivedUpdates()
    queue.failures = [NetworkError("down")] * 2

    async def act(_bot):
        ana.says("kept")
        await api.until(lambda: api.pending() == 0)

    asyncio.run(listen(api, queue, unused_port, act))
    assert queue.texts == ["kept"]
    assert api.webhook.statuses == [500, 500, 200]


def test_a_wrong_secret_is_refused_by_the_bot_and_nothing_is_lost(api, ana, unused_port):
    queue = ReceivedUpdates()

    async def act(_bot):
        ana.says("kept")
        await api.until(lambda: len(api.webhook.statuses) >= 2)

    asyncio.run(listen(api, queue, unused_port, act, told="other"))
    assert queue.texts == []
    assert (set(api.webhook.statuses), api.pending()) == ({403}, 1)


def test_polling_is_refused_while_a_webhook_is_set(api):
    async def act(bot):
        await bot.set_webhook("https://example.org/hook", max_connections=1)
        info = await bot.get_webhook_info()
        assert (info.url, info.max_connections) == ("https://example.org/hook", 1)
        await bot.get_updates()

    refused(api, Conflict, "can't use getUpdates method while webhook is active", act)


@pytest.mark.parametrize(
    ("url", "secret", "why"),
    [
        ("http://example.org/hook", "s", "HTTPS URL must be provided"),
        ("https://example.org/hook", "no spaces", "secret token contains unallowed characters"),
    ],
)
def test_webhooks_that_telegram_refuses_are_refused(api, url, secret, why):
    refused(api, BadRequest, why, lambda bot: bot.set_webhook(url, secret_token=secret))
