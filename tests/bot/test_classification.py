"""Classification: senders, chats and texts, and the interactions that follow from them."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bot.listening.asked import question_in
from bot.listening.bot_commands import (
    CARDS,
    COMMANDS,
    HIDE,
    OPT_IN,
    OPT_OUT,
    UNHIDE,
    Asked,
    asked_in,
)
from bot.listening.classification import (
    CARD,
    ISSUES_OF_A_MESSAGE,
    NOTHING,
    ChatKind,
    Heard,
    Message,
    Press,
    Pressed,
    done_by,
    heard_in,
    hiding_in,
    issues_in,
    pressed_in,
)
from bot.listening.issue_keys import IssueKeys
from ledger.commands import FOREVER, Hiding, Interaction, Kind, OptOut
from ledger.errors import InvalidInteractionError
from ledger.instants import instant_of, moment_of
from ledger.validation import CONTEXT_LIMIT, UserId, context_of
from tests.support.strategies import NOON, any_instants, hostile_texts

KEYS = IssueKeys()
AT_NOON = moment_of(NOON)
PRIVATE, GROUP = ChatKind.PRIVATE, ChatKind.GROUP
SUPERGROUP, CHANNEL = ChatKind.SUPERGROUP, ChatKind.CHANNEL

IN_PRIVATE = Message(
    bot_id=99,
    chat_id=1001,
    chat_kind=PRIVATE,
    message_id=7,
    sender_id=1001,
    text="How are AI-1799 and DMD-480?",
    sent_at=AT_NOON,
)
IN_GROUP = replace(IN_PRIVATE, chat_id=-5, chat_kind=GROUP)
IN_SUPERGROUP = replace(IN_PRIVATE, chat_id=-1_001_234, chat_kind=SUPERGROUP)

PRESS = Press(
    bot_id=99,
    callback_query_id="4711",
    presser_id=1001,
    data=f"{CARD}AI-1799",
    pressed_at=AT_NOON,
    chat_id=1001,
)


def classified(message: Message) -> Heard:
    """The entries of a message, with the issues that are found in it."""
    return heard_in(message, issues_in(message, KEYS))


def outcome(press: Press) -> Heard:
    """The entries of a press, by the meaning of its button."""
    return done_by(press, pressed_in(press.data, KEYS))


def touches(heard: Heard) -> list[tuple[str, str]]:
    """Which issues are touched in which way."""
    return [(each.issue_id, each.kind.label) for each in interactions(heard)]


def interactions(heard: Heard) -> list[Interaction]:
    assert all(isinstance(each, Interaction) for each in heard.entries)
    return list(heard.entries)  # type: ignore[arg-type]


def keys_of(heard: Heard) -> list[str]:
    """The source keys; each has the date of the message."""
    sources = [each.source_key for each in interactions(heard)]
    assert all(source is not None and source.dated_at == NOON for source in sources)
    return [source.text for source in sources if source]


# --- who, where, what ----------------------------------------------------------------------------

QUERIES = [("AI-1799", "query"), ("DMD-480", "query")]
MENTIONS = [("AI-1799", "mention"), ("DMD-480", "mention")]


@pytest.mark.parametrize(
    ("where", "how", "recorded"),
    [
        pytest.param(IN_PRIVATE, {}, QUERIES, id="in private"),
        pytest.param(
            IN_PRIVATE, {"asked": Asked("look")}, QUERIES, id="an unknown command in private"
        ),
        pytest.param(IN_GROUP, {}, MENTIONS, id="in a group"),
        pytest.param(IN_SUPERGROUP, {}, MENTIONS, id="in a supergroup"),
        pytest.param(IN_GROUP, {"addressed": True}, QUERIES, id="naming the bot"),
        pytest.param(IN_SUPERGROUP, {"addressed": True}, QUERIES, id="replying to the bot"),
        pytest.param(IN_SUPERGROUP, {"asked": Asked("look")}, QUERIES, id="an unknown command"),
        pytest.param(IN_SUPERGROUP, {"asked": Asked("top")}, [], id="one of the bot's commands"),
        pytest.param(IN_PRIVATE, {"asked": Asked("score")}, [], id="the same in private"),
        pytest.param(IN_PRIVATE, {"forwarded": True}, [], id="forwarded in private"),
        pytest.param(IN_GROUP, {"forwarded": True, "addressed": True}, [], id="forwarded"),
        pytest.param(IN_GROUP, {"sender_id": None}, [], id="by a bot or a channel"),
        pytest.param(IN_PRIVATE, {"sender_id": None}, [], id="by a bot in private"),
        pytest.param(IN_PRIVATE, {"chat_kind": CHANNEL}, [], id="in a channel"),
        pytest.param(IN_PRIVATE, {"text": ""}, [], id="a service message"),
        pytest.param(IN_PRIVATE, {"text": "hello"}, [], id="without an issue"),
    ],
)
def test_what_is_recorded_of_a_message(where, how, recorded):
    assert touches(classified(replace(where, **how))) == recorded


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {OPT_OUT, OPT_IN}))
def test_the_bots_own_commands_are_no_interest_in_what_they_name(name):
    for where in (IN_PRIVATE, IN_GROUP, IN_SUPERGROUP):
        assert classified(replace(where, asked=Asked(name), addressed=True)) == NOTHING


@pytest.mark.parametrize(("name", "before"), [(OPT_OUT, FOREVER), (OPT_IN, NOON)])
@pytest.mark.parametrize("where", [IN_PRIVATE, IN_GROUP, IN_SUPERGROUP], ids=lambda m: m.chat_kind)
def test_a_will_is_recorded_instead_of_issues(name, before, where):
    assert classified(replace(where, asked=Asked(name))) == Heard((OptOut(UserId("1001"), before),))


@pytest.mark.parametrize("name", [OPT_OUT, OPT_IN])
@pytest.mark.parametrize("how", [{"sender_id": None}, {"forwarded": True}, {"chat_kind": CHANNEL}])
def test_only_the_senders_own_decision_is_recorded(name, how):
    assert classified(replace(IN_SUPERGROUP, asked=Asked(name), **how)) == NOTHING


def test_an_issue_behind_a_link_counts_once_with_the_text():
    message = replace(
        IN_PRIVATE, text="this and AI-1", links=("https://linear.app/x/issue/AI-2/a", "x/AI-1")
    )
    assert touches(classified(message)) == [("AI-1", "query"), ("AI-2", "query")]


def test_a_key_does_not_run_on_from_a_text_into_a_link():
    assert classified(replace(IN_PRIVATE, text="AI-1", links=("2/x",))).left_out == 0
    assert touches(classified(replace(IN_PRIVATE, text="AI-1", links=("2/x",)))) == [
        ("AI-1", "query")
    ]


@pytest.mark.parametrize(("named", "left_out"), [(19, 0), (20, 0), (21, 1), (2_000, 1_980)])
def test_twenty_issues_count_and_the_rest_is_counted(named, left_out):
    text = " ".join(f"AI-{number}" for number in range(1, named + 1))
    heard = classified(replace(IN_PRIVATE, text=text))
    assert [each.issue_id for each in interactions(heard)] == [
        f"AI-{number}" for number in range(1, min(named, ISSUES_OF_A_MESSAGE) + 1)
    ]
    assert heard.left_out == left_out


@given(hostile_texts)
def test_an_interaction_says_who_touched_what_when_where_and_in_which_words(text):
    heard = classified(replace(IN_SUPERGROUP, text=f"AI-1 {text}"))
    for each in interactions(heard):
        assert (each.user_id, each.chat_id, each.occurred_at) == ("1001", "-1001234", NOON)
        assert each.context == context_of(f"AI-1 {text}")
        assert len(each.context or "") <= CONTEXT_LIMIT
        assert each.kind is Kind.MENTION


@pytest.mark.parametrize("year", [1970, 1999])
def test_a_date_that_telegram_cannot_mean_is_refused(year):
    message = replace(IN_PRIVATE, sent_at=dt.datetime(year, 1, 1, tzinfo=dt.UTC))
    with pytest.raises(InvalidInteractionError):
        classified(message)
    assert classified(replace(message, text="hello")) == NOTHING


# --- source keys ---------------------------------------------------------------------------------


def test_a_message_of_a_supergroup_has_the_same_keys_for_every_bot_and_reader():
    keys = keys_of(classified(IN_SUPERGROUP))
    assert keys == ["-1001234:7:AI-1799", "-1001234:7:DMD-480"]
    for change in ({"bot_id": 98}, {"sender_id": 5}, {"addressed": True}):
        assert keys_of(classified(replace(IN_SUPERGROUP, **change))) == keys


@pytest.mark.parametrize("where", [IN_PRIVATE, IN_GROUP], ids=["private", "group"])
def test_elsewhere_message_ids_belong_to_the_bot(where):
    keys = keys_of(classified(where))
    assert keys[0] == f"99:{where.chat_id}:7:AI-1799"
    assert not set(keys) & set(keys_of(classified(replace(where, bot_id=98))))


@pytest.mark.parametrize("where", [IN_PRIVATE, IN_GROUP, IN_SUPERGROUP], ids=lambda m: m.chat_kind)
def test_an_edit_has_the_keys_of_the_message_it_is(where):
    before = classified(where)
    after = classified(replace(where, text="DMD-480, AI-1799 and AI-2"))
    assert set(keys_of(before)) < set(keys_of(after))
    assert set(keys_of(after)) - set(keys_of(before)) == {
        keys_of(before)[0].replace("AI-1799", "AI-2")
    }


ids = st.integers(1, 3)


@st.composite
def messages(draw) -> Message:
    kind = draw(st.sampled_from([PRIVATE, GROUP, SUPERGROUP]))
    sign = 1 if kind is PRIVATE else -1
    return Message(
        bot_id=draw(ids),
        chat_id=sign * draw(ids) - (1_000_000 if kind is SUPERGROUP else 0),
        chat_kind=kind,
        message_id=draw(ids),
        sender_id=draw(ids),
        text=draw(st.sampled_from(["AI-1", "AI-11", "AI-1 AI-11"])),
        sent_at=AT_NOON,
        addressed=draw(st.booleans()),
    )


def identity(message: Message, issue: str) -> tuple[Any, ...]:
    """The parts of a message's identity, by R2."""
    bot = None if message.chat_kind is SUPERGROUP else message.bot_id
    return (bot, message.chat_id, message.message_id, issue)


@given(st.lists(messages(), min_size=2, max_size=8))
def test_two_interactions_have_one_key_when_they_are_the_same_by_r2_and_only_then(several):
    by_key: dict[str, set[tuple[Any, ...]]] = {}
    by_identity: dict[tuple[Any, ...], set[str]] = {}
    for message in several:
        heard = classified(message)
        for key, each in zip(keys_of(heard), interactions(heard), strict=True):
            same = identity(message, each.issue_id)
            by_key.setdefault(key, set()).add(same)
            by_identity.setdefault(same, set()).add(key)
    assert all(len(same) == 1 for same in by_key.values())
    assert all(len(keys) == 1 for keys in by_identity.values())


def test_a_place_says_where_and_a_view_without_a_message_has_none():
    assert interactions(classified(IN_GROUP))[0].chat_id == "-5"
    assert interactions(outcome(PRESS))[0].chat_id == "1001"
    assert interactions(outcome(replace(PRESS, chat_id=None)))[0].chat_id is None


# --- presses -------------------------------------------------------------------------------------


def test_a_press_on_a_card_is_a_view_of_its_own():
    heard = outcome(PRESS)
    assert touches(heard) == [("AI-1799", "view")]
    (view,) = interactions(heard)
    assert view.occurred_at == NOON
    assert view.user_id == "1001"
    assert view.context is None
    assert view.source_key is not None
    assert view.source_key.text == "99:callback:4711"
    assert view.source_key.dated_at is None  # so that it is the same whenever it is delivered


def test_a_press_that_comes_again_later_has_the_same_key():
    again = replace(PRESS, pressed_at=AT_NOON + dt.timedelta(hours=1))
    first, second = (interactions(outcome(each))[0] for each in (PRESS, again))
    assert first.source_key == second.source_key


@pytest.mark.parametrize(
    "data",
    ["", CARD, "card", "AI-1", "card:AI-1 ", "card: AI-1", "card:AI-1,AI-2", "card:UTF-8",
     "CARD:AI-1", "card:card:AI-1", "forget:1001", "keep:1001", "card:\0", "card:ß-1",
     "card:" + "A" * 60 + "-1"],
)  # fmt: skip
def test_forged_data_is_no_view(data):
    assert pressed_in(data, KEYS) is None
    assert outcome(replace(PRESS, data=data)) == NOTHING


@given(hostile_texts | hostile_texts.map(f"{CARD}{{}}".format), any_instants.map(moment_of))
def test_no_data_is_too_hostile(data, pressed_at):
    heard = outcome(replace(PRESS, data=data, pressed_at=pressed_at))
    assert [each.occurred_at for each in interactions(heard)] in ([], [instant_of(pressed_at)])


# --- no one is recorded by mistake ----------------------------------------------------------------


@given(
    messages(),
    hostile_texts,
    st.sampled_from([None, "top", "look", OPT_OUT]),
    st.booleans(),
    st.sampled_from([None, 1001]),
)
def test_only_a_person_who_speaks_for_themselves_is_recorded(
    message, text, command, forwarded, who
):
    message = replace(
        message,
        text=message.text + text,
        asked=command and Asked(command),
        forwarded=forwarded,
        sender_id=who,
    )
    heard = classified(message)
    if forwarded or who is None:
        assert heard == NOTHING
    for each in heard.entries:
        assert not forwarded
        assert getattr(each, "user_id", None) == str(who)
    assert len(heard.entries) <= ISSUES_OF_A_MESSAGE


# --- hiding --------------------------------------------------------------------------------------

LATER = AT_NOON + dt.timedelta(microseconds=7)


def command(text: str) -> Message:
    return replace(IN_PRIVATE, text=text, asked=asked_in(text, "ledger_bot"))


def requested(message: Message, at: dt.datetime = LATER) -> Heard:
    """The entries of a command that hides an issue or shows it again."""
    return hiding_in(message, question_in(message, (), KEYS), at)


ASKED = command("/hide ai-1799. please")


def test_a_command_hides_what_it_names_from_when_it_is_heard():
    for message, hidden in ((ASKED, True), (command("/unhide please AI-1799"), False)):
        (hiding,) = requested(message).entries
        assert isinstance(hiding, Hiding)
        assert (hiding.user_id, hiding.issue_id, hiding.hidden) == ("1001", "AI-1799", hidden)
        assert hiding.occurred_at == instant_of(LATER)
        assert classified(message) == NOTHING


def test_a_command_that_comes_again_has_the_same_key_which_is_no_interactions():
    (first,), (again,) = (requested(ASKED, at).entries for at in (AT_NOON, LATER))
    (query,) = classified(command("AI-1799?")).entries
    assert isinstance(first, Hiding)
    assert isinstance(again, Hiding)
    assert isinstance(query, Interaction)
    assert first.source_key == again.source_key != query.source_key


@pytest.mark.parametrize(
    "text",
    ["/hide", "/hide ÄÖ", "/hide please", "/start hide_AI-1799"],  # the last was recorded before
)
def test_a_command_that_names_no_issue_hides_nothing(text):
    assert requested(command(text)) == NOTHING


@pytest.mark.parametrize("how", [{"sender_id": None}, {"forwarded": True}, {"edited": True}])
def test_a_command_without_a_sender_hides_nothing(how):
    assert requested(replace(ASKED, **how)) == NOTHING


def test_what_is_no_key_by_now_can_be_hidden():
    (hiding,) = requested(command("/hide (utf-8)")).entries
    assert isinstance(hiding, Hiding)
    assert hiding.issue_id == "UTF-8"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("hide:AI-1", Pressed(HIDE, "AI-1")),
        ("unhide:AI-1", Pressed(UNHIDE, "AI-1")),
        ("listed:UTF-8", Pressed(UNHIDE, "UTF-8", is_listed=True)),
        ("hide:", None),
        ("hide:ai-1", None),
        ("card:AI-1", Pressed(CARDS, "AI-1")),
        ("hide", None),
    ],
)
def test_a_button_stands_for_a_command(data, expected):
    assert pressed_in(data, KEYS) == expected
    heard = outcome(replace(PRESS, data=data))
    hidden = [each.hidden for each in heard.entries if isinstance(each, Hiding)]
    commands = [] if expected is None else [expected.command]
    assert hidden == [command == HIDE for command in commands if command != CARDS]


@given(hostile_texts)
def test_no_command_is_too_hostile(text):
    for each in requested(command(f"/hide {text}")).entries:
        assert isinstance(each, Hiding)
        assert KEYS.meant_by(each.issue_id) is not None
