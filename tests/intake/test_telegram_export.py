"""Telegram Desktop's exports: what their fields say, and what is wrong with them."""

import gzip
import io
import json
import tracemalloc
import zipfile
from contextlib import suppress
from typing import Any
from unittest import mock

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.intake import json_values, telegram_export
from bot.intake.json_values import SPOILT, mended
from bot.intake.telegram_export import read_export
from bot.listening.exported_messages import ChatType, ExportedMessage
from ledger.entries import Refusal
from ledger.errors import UnreadableHistoryError
from ledger.instants import instant_of
from tests.support.strategies import hostile_texts
from tests.support.telegram.desktop_exports import Line, chat_of, full_export, stream_of, written

SUPERGROUP = -1_001_234_567_890
LINE: Line = {
    "id": 17,
    "type": "message",
    "date": "2024-01-01T03:00:00",
    "date_unixtime": "1704067200",
    "from": "Ana",
    "from_id": "user1001",
    "text": "AI-1",
    "text_entities": [{"type": "plain", "text": "AI-1"}],
}


def read(content: bytes | Line) -> list[ExportedMessage | Refusal]:
    raw = content if isinstance(content, bytes) else written(content)
    return list(read_export(stream_of(raw)))


def in_chat(*lines: object, type_: str = "private_supergroup", chat_id: int = SUPERGROUP) -> Line:
    return chat_of(chat_id, type_, lines)  # type: ignore[arg-type]


def message(**fields: Any) -> ExportedMessage:
    (item,) = read(in_chat(LINE | fields))
    assert isinstance(item, ExportedMessage)
    return item


def refusal(line: object, **chat: Any) -> Refusal:
    (item,) = read(in_chat(line, **chat))
    assert isinstance(item, Refusal)
    return item


def failure(content: bytes | Line) -> str:
    with pytest.raises(UnreadableHistoryError) as caught:
        read(content)
    return str(caught.value)


# --- a message -----------------------------------------------------------------------------------


def test_a_message_says_who_wrote_what_when_and_where():
    found = message()
    assert found.sent_at is not None
    assert instant_of(found.sent_at) == 1_704_067_200_000_000
    assert (found.place, found.message_id, found.sender_id) == ("message 17", 17, 1001)
    assert (found.sender_name, found.text, found.flaw) == ("Ana", "AI-1", None)


@pytest.mark.parametrize("seconds", [1_704_067_200, 1_704_067_200.0])
def test_an_instant_may_be_a_number(seconds):
    assert message(date_unixtime=seconds) == message()


def test_an_edit_does_not_move_a_message():
    edited = message(edited="2025-01-01T00:00:00", edited_unixtime="1735689600")
    assert edited == message()


@pytest.mark.parametrize(
    ("type_", "chat_id", "seen", "as_id"),
    [
        ("private_supergroup", SUPERGROUP, ChatType.SUPERGROUP, SUPERGROUP),
        ("public_supergroup", SUPERGROUP, ChatType.SUPERGROUP, SUPERGROUP),
        ("private_group", -4711, ChatType.GROUP, -4711),
        ("personal_chat", 1002, ChatType.PERSONAL, 1002),
        ("bot_chat", 99, ChatType.WITH_BOT, 99),
    ],
)
def test_ids_of_chats_are_those_that_bots_see(type_, chat_id, seen, as_id):
    (found,) = read(in_chat(LINE, type_=type_, chat_id=chat_id))
    assert isinstance(found, ExportedMessage)
    assert (found.chat_type, found.chat_id) == (seen, as_id)


def test_what_was_written_before_a_group_became_a_supergroup_is_the_groups():
    old, new = read(in_chat(LINE | {"id": -999_999_000}, LINE))
    assert isinstance(old, ExportedMessage)
    assert isinstance(new, ExportedMessage)
    assert (old.chat_type, new.chat_type) == (ChatType.GROUP, ChatType.SUPERGROUP)
    assert old.chat_id == new.chat_id == SUPERGROUP


@pytest.mark.parametrize("sender", ["channel1234567890", "chat4711", None])
def test_who_writes_as_a_chat_is_no_person(sender):
    assert message(from_id=sender).sender_id is None
    assert message(from_id=sender).flaw is None


def test_a_text_may_be_a_list_of_marked_parts():
    found = message(
        text=[
            {"type": "mention", "text": "@ledger_bot"},
            " and ",
            {"type": "mention_name", "text": "Bob", "user_id": 1002},
            ": ",
            {"type": "text_link", "text": "this", "href": "https://x.example/AI-7"},
            {"type": "bold", "text": "!"},
        ]
    )
    assert found.text == "@ledger_bot and Bob: this!"
    assert found.links == ("https://x.example/AI-7",)
    assert found.names == ("@ledger_bot", "Bob")
    assert found.named_ids == (1002,)


def test_a_reply_into_another_chat_is_none_here():
    assert message(reply_to_message_id=5).reply_to_id == 5
    assert message(reply_to_message_id=5, reply_to_peer_id="channel1").reply_to_id is None


@pytest.mark.parametrize("fields", [{"forwarded_from": None}, {"saved_from": "Ana"}])
def test_a_forward_is_one_even_of_a_deleted_account(fields):
    assert message(**fields).forwarded


def test_a_service_message_is_its_actors():
    found = message(type="service", action="topic_created", actor_id="user99", from_id=None)
    assert (found.text, found.opens_topic, found.sender_id) == ("", True, 99)


@pytest.mark.parametrize(
    ("fields", "flaw"),
    [
        ({"date_unixtime": None}, "no date_unixtime"),
        ({"date_unixtime": "soon"}, "no date_unixtime"),
        ({"date_unixtime": True}, "no date_unixtime"),
        ({"date_unixtime": 1.5}, "no date_unixtime"),
        ({"date_unixtime": -1}, "no date_unixtime"),
        ({"date_unixtime": 1_704_067_200_000}, "no date_unixtime"),
        ({"date_unixtime": "999999999999"}, "no date_unixtime"),
        ({"from_id": 4294967296}, "from_id"),
        ({"from_id": "user"}, "from_id"),
    ],
)
def test_an_old_export_says_how_to_mend_it(fields, flaw):
    found = message(**fields).flaw
    assert found is not None
    assert flaw in found
    assert "export the chat again" in found


@pytest.mark.parametrize(
    ("line", "place", "reason"),
    [
        (7, "entry 1", "not an object"),
        ({**LINE, "id": None}, "entry 1", "its id"),
        ({**LINE, "id": True}, "entry 1", "its id"),
        ({**LINE, "id": 0}, "message 0", "its id"),
        ({**LINE, "id": -(10**9)}, "message -1000000000", "its id"),
        ({**LINE, "text": 7}, "message 17", "its text"),
        ({**LINE, "text": [{"type": "bold"}]}, "message 17", "its text"),
    ],
)
def test_a_bad_entry_is_refused_with_its_place(line, place, reason):
    found = refusal(line, chat_id=-4711, type_="private_group")
    if "id" in reason and place.startswith("message -"):
        found = refusal(line)
    assert found.place == place
    assert reason in found.reason


# --- chats ---------------------------------------------------------------------------------------


def test_a_full_export_is_read_chat_by_chat():
    export = full_export(
        in_chat(LINE),
        in_chat(LINE, type_="saved_messages"),
        in_chat(LINE, LINE, type_="private_group", chat_id=-5),
        left=[in_chat(LINE, type_="public_supergroup")],
    )
    places = [item.place for item in read(export)]
    assert places == [f"message 17 of chat {number}" for number in (1, 3, 3, 4)]


@pytest.mark.parametrize("type_", sorted(telegram_export._WITHOUT_PEOPLE))
def test_chats_without_people_are_passed_over(type_):
    assert read(in_chat(LINE, 7, type_=type_)) == []


def test_a_chat_that_is_not_known_is_refused_once():
    assert refusal(LINE, type_="town_square").place == "the chat"
    export = full_export(in_chat(LINE, LINE, chat_id=-(10**13)), in_chat(LINE))
    assert [type(item) for item in read(export)] == [Refusal, ExportedMessage]


@pytest.mark.parametrize("change", [{"type": None}, {"type": 7}, {"id": None}, {"id": "5"}])
def test_a_chat_without_type_or_id_is_refused_alone(change):
    assert refusal_of_chat(in_chat(LINE) | change) == "the chat"
    export = full_export(in_chat(LINE), in_chat(LINE, LINE) | change, in_chat(LINE))
    assert [type(item) for item in read(export)] == [ExportedMessage, Refusal, ExportedMessage]
    assert read(full_export(in_chat() | change)) == []  # nothing of it is lost


def test_a_chat_must_say_what_it_is_before_its_messages():
    chat = in_chat(LINE)
    assert refusal_of_chat({"messages": chat["messages"], **chat}) == "the chat"


def refusal_of_chat(chat: Line) -> str:
    (item,) = read(chat)
    assert isinstance(item, Refusal)
    assert "before its messages" in item.reason
    return item.place


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"7", b'"x"', b'[{"messages": []}]', b"hi"])
def test_what_is_no_export_is_refused(content):
    assert "no chats" in failure(content)


@pytest.mark.parametrize("around", [b"", b"\xef\xbb\xbf", b"\n  "])
def test_exports_in_other_formats_are_named(around):
    page = around + b"<!DOCTYPE html>\n<html><body>AI-1</body></html>"
    assert "export in HTML" in failure(page)
    assert "export in HTML" in failure(gzip.compress(page))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("ChatExport/result.json", written(in_chat(LINE)))
    assert "zip archive" in failure(packed.getvalue())


@pytest.mark.parametrize("behind", [b"x", b"]", b"}", written(in_chat(LINE))])
def test_what_follows_an_export_is_no_part_of_it(behind):
    items = read_export(stream_of(written(in_chat(LINE)) + behind))
    assert isinstance(next(items), ExportedMessage)
    with pytest.raises(UnreadableHistoryError, match="something follows"):
        next(items)


# --- bytes ---------------------------------------------------------------------------------------


def test_a_gzipped_export_is_the_same():
    content = written(in_chat(LINE, LINE))
    assert read(gzip.compress(content)) == read(content)
    assert read(b"\xef\xbb\xbf" + content) == read(content)


def test_control_characters_are_read_as_telegram_desktop_writes_them():
    raw = written(in_chat(LINE | {"text": "§ \\ §\\ \\x41 \\\\§ AI-1"}))
    (found,) = read(raw.replace("§".encode(), rb"\x0B"))
    assert isinstance(found, ExportedMessage)
    assert found.text == "\x0b \\ \x0b\\ \\x41 \\\\\x0b AI-1"


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_yields_what_came_before(share):
    content = written(in_chat(*(LINE | {"id": n} for n in range(1, 101))))
    items = read_export(stream_of(content[: int(len(content) * share)]))
    found: list[object] = []
    with pytest.raises(UnreadableHistoryError, match="the file is truncated") as caught:
        found.extend(items)
    assert len(found) == pytest.approx(100 * share, abs=2)
    assert f"after message {len(found)}:" in str(caught.value)


def test_a_truncated_gzip_is_told_as_one():
    content = gzip.compress(written(in_chat(*([LINE] * 50))))
    assert "the file is truncated" in failure(content[:-20])


def test_what_people_wrote_is_in_no_error():
    content = written(in_chat(LINE, LINE | {"id": 18, "text": "a secret of Ana's"}))
    spoilt = content.replace(b"secret", b"secret\\q")
    assert read(spoilt)[1:] == [Refusal("message 18", "is not JSON")]


@pytest.mark.parametrize("spoilt", [rb"\ud83d", rb"\uDE00", b"\xff", b"\xed\xa0\xbd", b"\xe2\x82"])
def test_what_is_no_character_spoils_the_message_that_holds_it_alone(spoilt):
    link = {"type": "text_link", "text": "this", "href": "https://x.example/AI-7#"}
    lines = (LINE | {"text": "#"}, LINE | {"text": [link]}, LINE | {"from": "Ana#"}, LINE)
    content = written(in_chat(*lines)).replace(b"#", spoilt)
    in_text, in_link, in_name, sound = read(content)
    for each in (in_text, in_link):
        assert isinstance(each, ExportedMessage)
        assert each.flaw is not None
        assert "invalid characters" in each.flaw
    assert isinstance(in_name, ExportedMessage)
    assert (in_name.sender_name, in_name.flaw) == (None, None)
    assert [sound] == read(in_chat(LINE))


_ESCAPED = st.text(st.characters() | st.sampled_from('\\u"xdD8\n\ud83d\ude00\udbff\udfff'))


@given(_ESCAPED, st.booleans())
def test_only_what_is_no_character_is_mended(text, ensure_ascii):
    raw = json.dumps(text, ensure_ascii=ensure_ascii).encode("utf-8", "replace")
    assert json.loads(mended(raw)) == regex.sub("[\ud800-\udfff]", SPOILT, json.loads(raw))


# --- what is broken ------------------------------------------------------------------------------

BROKEN = {
    "an unquoted value": ('"HERE"', "video_files/sticker (2).webm"),
    "an unquoted value with a bracket": ('"HERE"', "sticker {2.webm"),
    "an unquoted value with two brackets": ('"HERE"', "sticker 2}]}.webm"),
    "an unquoted value with a quote": ('"HERE"', 'the "big one'),
    "no value": ('"HERE"', ""),
    "not a number": ('"HERE"', "NaN"),
    "a quote in a text": ("HERE", 'a "quote" and [one" more'),
    "a text without an end": ('HERE"', "and so on"),
    "a line end in a text": ("HERE", "two\nlines {"),
    "an escape that is none": ("HERE", "C:\\q\\"),
    "a control character": ("HERE", "\x01"),
    "too many commas": ('"HERE"', '"x",,,'),
    "a missing comma": ('"HERE"', '"x" "y"'),
    "a deep nest": ('"HERE"', "[" * 5_000 + "]" * 5_000),
}


@pytest.mark.parametrize("indent", [1, 4])
@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_in_a_message_costs_that_message_alone(name, indent):
    before, after = LINE | {"id": 16}, LINE | {"id": 18}
    chat = in_chat(before, LINE | {"text": [{"type": "bold", "text": "HERE"}, "x"]}, after)
    for export in (chat, full_export(chat, chat)):
        sound, odd = BROKEN[name]
        raw = json.dumps(export, indent=indent).replace(sound, odd).encode()
        found = read(raw)
        ids = [each.message_id for each in found if isinstance(each, ExportedMessage)]
        refused = [each for each in found if isinstance(each, Refusal)]
        assert ids == [16, 18] * (len(found) // 3)
        assert {each.reason for each in refused} <= {"is not JSON", "is nested too deep"}
        assert {each.place[:10] for each in refused} == {"message 17"}


def test_a_message_without_line_ends_is_refused_alone_where_its_brackets_match():
    raw = json.dumps(in_chat(LINE, LINE | {"id": 18, "text": "HERE"}, LINE)).encode()
    found = read(raw.replace(b'"HERE"', b"sticker (2).webm"))
    assert found[1] == Refusal("message 18", "is not JSON")
    assert [found[0], found[2]] == read(in_chat(LINE, LINE))


def test_what_is_broken_in_a_chats_header_or_outside_of_chats_costs_no_message():
    export = full_export(in_chat(LINE) | {"name": "HERE"}, in_chat(LINE))
    raw = written(export | {"about": "HERE", "profile_pictures": ["HERE"]})
    for odd in (b"", b'the "big" one', b"NaN", b"a (b)", b'"two\nlines"'):
        assert read(raw.replace(b'"HERE"', odd)) == read(export)


LONG = st.sampled_from(["text", "from", "odd"])


@settings(max_examples=6)
@given(LONG, st.sampled_from(["x", '\\"', "\\\\", "{", '{"a": ["', "\u00e9"]))
def test_a_value_that_is_too_long_costs_its_message_alone(field, unit):
    class Long(io.RawIOBase):
        """An export whose second message holds a text of many megabytes."""

        def __init__(self) -> None:
            chat = in_chat(LINE, LINE | {"id": 18, field: "HERE"}, LINE | {"id": 19})
            begins, self.ends = written(chat).split(b"HERE")
            chunk = json.dumps(unit * 20_000)[1:-1].encode()
            self.chunks = iter([begins, *[chunk] * (3_000_000 // len(chunk))])

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            self.kept = getattr(self, "kept", b"") or next(self.chunks, b"")
            if not self.kept:
                self.kept, self.ends = self.ends, b""
            taken, self.kept = self.kept[: len(buffer)], self.kept[len(buffer) :]
            buffer[: len(taken)] = taken
            return len(taken)

    tracemalloc.start()
    try:
        with mock.patch.object(json_values, "VALUE_LIMIT_BYTES", 100_000):
            first, refused, last = read_export(io.BufferedReader(Long()))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert refused == Refusal("message 18", "is longer than 100,000 bytes")
    assert [first.place, last.place] == ["message 17", "message 19"]
    assert peak < 1_000_000


def test_much_that_is_passed_over_is_not_too_long(monkeypatch):
    monkeypatch.setattr(json_values, "VALUE_LIMIT_BYTES", 100_000)
    contacts = [{"user_id": n, "first_name": "somebody"} for n in range(20_000)]
    export = {"contacts": {"list": contacts}, **in_chat(*([LINE] * 3_000))}
    assert len(read(export)) == 3_000


# --- anything ------------------------------------------------------------------------------------

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**14), 10**14)
    | st.floats(allow_nan=False, allow_infinity=False)
    | hostile_texts
    | st.sampled_from(["private_group", "private_supergroup", "user1001", "message", "1704067200"])
)
_KEYS = st.sampled_from(["chats", "list", "type", "id", "messages", *LINE, "reply_to_message_id"])
_ANYTHING = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=6),
    max_leaves=30,
)


@settings(max_examples=max(10, settings().max_examples // 4))
@given(_ANYTHING)
def test_any_json_is_read_or_refused(document):
    with suppress(UnreadableHistoryError):
        read(json.dumps(document).encode())


@settings(max_examples=max(10, settings().max_examples // 4))
@given(st.lists(_ANYTHING | st.dictionaries(_KEYS, _ANYTHING).map(lambda odd: LINE | odd)))
def test_any_messages_are_read_or_refused_one_by_one(lines):
    content = json.dumps(in_chat(*lines), ensure_ascii=False).encode(errors="replace")
    assert len(read(content)) == len(lines)


@settings(max_examples=max(10, settings().max_examples // 4))
@given(st.lists(_ANYTHING, max_size=5), st.sampled_from([None, 1, 3]), st.integers(1, 50))
def test_what_is_read_does_not_depend_on_where_a_read_ends(lines, indent, size):
    content = json.dumps(in_chat(*lines, LINE), indent=indent).encode(errors="replace")
    expected = read(content)
    with mock.patch.object(json_values, "_CHUNK_BYTES", size):
        assert read(content) == expected
    assert len(expected) == len(lines) + 1


@given(st.binary(max_size=300), st.integers(0, 400))
def test_any_bytes_are_read_or_refused(noise, at):
    content = written(in_chat(LINE, LINE))
    for spoilt in (noise, content[:at] + noise + content[at:]):
        with suppress(UnreadableHistoryError):
            read(spoilt)
