"""The schema and aiogram catch planted faults, each where the other is blind too."""

import pytest

from tests.support.telegram import aiogram_oracle, schema_oracle
from tests.support.telegram.fake_server import FakeBotApi
from tests.support.telegram.oracles import complaints_about_update

needs_schema = pytest.mark.skipif(schema_oracle.SCHEMA is None, reason=schema_oracle.ABSENT)


@needs_schema
@pytest.mark.parametrize(
    ("method", "parameters", "why"),
    [
        ("sendMesage", {}, "no such method"),
        ("sendMessage", {"chat_id": 1}, "text is missing"),
        ("sendMessage", {"chat_id": 1, "text": "x", "parse": "HTML"}, "unknown field parse"),
        ("sendMessage", {"chat_id": 1.5, "text": "x"}, "chat_id: not of type"),
        ("sendMessage", {"chat_id": 1, "text": "x", "message_thread_id": "x"}, "not of type Int"),
        ("sendMessage", {"chat_id": 1, "text": "x", "disable_notification": 1}, "not of type Bool"),
        (
            "sendMessage",
            {"chat_id": 1, "text": "x", "reply_markup": {"inline_keyboard": [{"text": "x"}]}},
            "inline_keyboard[0]: not an Array of InlineKeyboardButton",
        ),
        (
            "sendMessage",
            {"chat_id": 1, "text": "x", "reply_markup": '{"inline_keyboard": [[{"txt": "x"}]]}'},
            "unknown field txt",
        ),
        ("setMyCommands", {"commands": [{"command": "a"}]}, "description is missing"),
        ("getUpdates", {"allowed_updates": [1]}, "allowed_updates[0]: not of type String"),
        ("sendPhoto", {"chat_id": 1, "photo": 7}, "photo: not of type"),
    ],
)  # fmt: skip
def test_the_schema_finds_the_fault(method, parameters, why):
    complaints = schema_oracle.complaints_about(method, parameters)
    assert any(why in complaint for complaint in complaints), complaints


@needs_schema
def test_the_schema_takes_what_is_right_decoded_or_not():
    for markup in (
        {"inline_keyboard": [[{"text": "x", "callback_data": "y"}]]},
        '{"inline_keyboard": [[{"text": "x", "callback_data": "y"}]]}',
        {"remove_keyboard": True},
    ):
        given = {"chat_id": "7", "text": "123", "reply_markup": markup}
        assert schema_oracle.complaints_about("sendMessage", given) == []


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("sendMesage", {}),
        ("sendMessage", {"chat_id": 1}),
        ("sendMessage", {"chat_id": 1, "text": "x", "parsemode": "HTML"}),
        ("setMyCommands", {"commands": [], "scope": {"type": "everywhere"}}),
        (
            "sendMessage",
            {"reply_markup": {"inline_keyboard": [[{"text": "", "d": 1}]]}},
        ),
    ],
)  # fmt: skip
def test_aiogram_finds_the_fault(method, parameters):
    assert aiogram_oracle.complaints_about_request(method, parameters)


@pytest.mark.parametrize(
    "message",
    [
        {"message_id": 1, "date": 1, "chat": {"id": 1, "type": "private"}, "txt": "x"},
        {"message_id": 1, "date": 1, "chat": {"id": 1, "typ": "private"}},
        {"message_id": 1, "date": 1, "chat": {"id": 1, "type": "private"}, "from": {"id": 1}},
        {"date": 1, "chat": {"id": 1, "type": "private"}, "text": "x"},
    ],
)
def test_both_find_the_fault_in_an_update(message):
    update = {"update_id": 1, "message": message}
    assert aiogram_oracle.complaints_about_update(update)
    assert schema_oracle.SCHEMA is None or schema_oracle.complaints_about_value("Update", update)


def test_everything_that_people_can_do_is_right_by_both():
    api = FakeBotApi()
    ana, bob = api.user("Ana", language_code="de"), api.user("Bob", username="bob")
    ana.starts()
    group, forum = (
        api.group("Team", [ana, bob]),
        api.forum("Forum", [ana, bob], bot="administrator"),
    )
    channel = api.channel("News", username="news")
    topic = forum.creates_topic("Bugs", ana)
    said = ana.says(
        "AI-1 https://x.org Bob", in_=group, naming={"Bob": bob}, links={"AI-1": "x.org"}
    )
    ana.edits(said, "AI-2")
    bob.forwards(said, in_=group)
    bob.forwards(channel.posts("News of AI-3"), in_=group)
    photo = bob.sends_photo("AI-4", in_=forum, topic=topic)
    bob.edits(photo, "AI-5")
    bob.says("AI-6", in_=forum, reply_to=photo)
    bob.reacts(photo)
    ana.pins(photo)
    ana.says_anonymously("AI-7", in_=forum)
    ana.says_as_channel("AI-8", channel, in_=forum)
    api.other_bot("Helper").says("AI-9", in_=forum)
    channel.edits_post(channel.posts("AI-10"), "AI-11")
    forum.shows_post_of(channel, channel.posts("AI-12"))
    for press in ({"data": "x"}, {"data": "x", "gone": True}):
        ana.presses(said, **press)
    bob.leaves(group)
    bob.joins(group)
    for status in ("administrator", "restricted", "left", "member"):
        ana.adds_bot(group, status=status)
    ana.removes_bot(group)
    ana.adds_bot(group)
    ana.blocks_bot()
    ana.unblocks_bot()
    group.becomes_supergroup()
    assert api.complaints == []
    assert api.pending() > 25


def test_an_update_with_a_fault_is_a_complaint():
    api = FakeBotApi()
    ana = api.user("Ana")
    update = ana.says("x", extra={"txt": "y"}, queued=False)
    assert api.complaints
    assert complaints_about_update(update)
