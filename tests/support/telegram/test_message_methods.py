"""The bot's messages are accepted or refused as Telegram accepts or refuses them."""

from datetime import timedelta

import pytest
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, ReplyParameters
from telegram.error import BadRequest, ChatMigrated, Forbidden, RetryAfter

from tests.support.telegram.fake_server import FakeBotApi
from tests.support.telegram.library_updater import refused, with_bot

PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (640).to_bytes(4, "big") + (480).to_bytes(4, "big")
) + bytes(16)


@pytest.fixture
def api():
    with FakeBotApi() as api:
        yield api


@pytest.fixture
def ana(api):
    ana = api.user("Ana", id=1001)
    ana.says("/start")
    return ana


def test_what_is_sent_is_kept_as_people_see_it(api, ana):
    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Open", callback_data="open:1")]])

    async def act(bot):
        await bot.send_message(
            ana.id, "<b>AI-1</b> &lt;3", parse_mode="HTML", reply_markup=keyboard
        )
        await bot.send_photo(ana.id, PNG, caption="<i>chart</i>", parse_mode="HTML")
        await bot.send_document(ana.id, b"{}", filename="export.json")

    with_bot(api, act)
    text, photo, document = api.sent_to(ana)
    assert (text.text, text.html) == ("AI-1 <3", "<b>AI-1</b> &lt;3")
    assert (text.entities[0]["type"], text.buttons) == ("bold", ["Open"])
    assert (photo.text, photo.file.content) == ("chart", PNG)
    assert (document.file.name, document.file.content) == ("export.json", b"{}")
    assert api.complaints == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1 < 2", "Can't parse entities: unsupported start tag"),
        ("<b>", "can't find end tag"),
        ("x" * 4097, "Message is too long"),
        (" <b> </b>", "Message text is empty"),
    ],
)
def test_texts_that_telegram_refuses_are_refused(api, ana, text, why):
    refused(api, BadRequest, why, lambda bot: bot.send_message(ana.id, text, parse_mode="HTML"))


@pytest.mark.parametrize(
    ("button", "why"),
    [
        (InlineKeyboardButton("x", callback_data="x" * 65), "Button_data_invalid"),
        (InlineKeyboardButton(" ", callback_data="x"), "must be non-empty"),
        (InlineKeyboardButton("x", url="nowhere"), "Wrong HTTP URL"),
        (InlineKeyboardButton("x"), "unallowed"),
    ],
)
def test_buttons_that_telegram_refuses_are_refused(api, ana, button, why):
    markup = InlineKeyboardMarkup([[button]])
    refused(api, BadRequest, why, lambda bot: bot.send_message(ana.id, "x", reply_markup=markup))


def test_an_ampersand_that_is_not_escaped_is_a_complaint(api, ana):
    with_bot(api, lambda bot: bot.send_message(ana.id, "AT&T", parse_mode="HTML"))
    assert api.complaints == ["sendMessage: an ampersand is not escaped"]


def test_a_parameter_that_is_wrong_is_refused_and_a_complaint(api, ana):
    given = {"chat_id": ana.id, "text": "x", "parsemode": "HTML"}
    refused(api, BadRequest, "parsemode", lambda bot: bot._post("sendMessage", given))
    assert len(api.complaints) == 1
    assert api.sent_to(ana) == []


def test_a_photo_has_to_be_a_picture(api, ana):
    refused(api, BadRequest, "Image_process_failed", lambda bot: bot.send_photo(ana.id, b"GIF89a"))


def test_a_reply_goes_to_a_message_that_is_there(api, ana):
    gone = ReplyParameters(99)
    refused(
        api,
        BadRequest,
        "Message to be replied not found",
        lambda bot: bot.send_message(ana.id, "x", reply_parameters=gone),
    )
    kind = ReplyParameters(99, allow_sending_without_reply=True)
    with_bot(api, lambda bot: bot.send_message(ana.id, "x", reply_parameters=kind))


# --- who may be written to -----------------------------------------------------------------------


def test_people_and_chats_that_cannot_be_written_to_are_refused_in_telegrams_words(api, ana):
    bob, group = api.user("Bob"), api.supergroup("Team", [ana])

    def say_to(chat_id):
        return lambda bot: bot.send_message(chat_id, "x")

    refused(api, BadRequest, "Chat not found", say_to(5))
    refused(api, Forbidden, "bot can't initiate conversation with a user", say_to(bob.id))
    ana.blocks_bot()
    refused(api, Forbidden, "bot was blocked by the user", say_to(ana.id))
    ana.removes_bot(group)
    refused(api, Forbidden, "bot was kicked from the supergroup chat", say_to(group.id))


def test_an_upgraded_group_says_where_it_went(api, ana):
    group = api.group("Team", [ana])
    new = group.becomes_supergroup()

    async def act(bot):
        with pytest.raises(ChatMigrated) as migrated:
            await bot.send_message(group.id, "x")
        await bot.send_message(migrated.value.new_chat_id, "there")

    with_bot(api, act)
    assert [sent.text for sent in api.sent_to(new)] == ["there"]


def test_a_flood_says_how_long_to_wait_and_ends(api, ana, monkeypatch):
    monkeypatch.setenv("PTB_TIMEDELTA", "true")  # else each 429 warns, and warnings are errors
    api.flood(ana, 3, times=2)

    async def act(bot):
        for _ in range(2):
            with pytest.raises(RetryAfter) as waiting:
                await bot.send_message(ana.id, "x")
            assert waiting.value.retry_after == timedelta(seconds=3)
        await bot.send_message(ana.id, "at last")

    with_bot(api, act)
    assert [sent.text for sent in api.sent_to(ana)] == ["at last"]
