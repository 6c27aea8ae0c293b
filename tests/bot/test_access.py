"""The gate: bounded to some chats and to the people who write there, it says so once."""

import asyncio
from itertools import count

import pytest

from bot.listening import access as module
from bot.listening.access import Gate
from bot.listening.classification import ChatKind, Sender
from bot.telegram.reception import lets_in

TEAM, OTHER = -100_1, -100_2
ANA, EVE, BOSS = 1001, 666, 7

PRIVATE, SUPERGROUP, GROUP = ChatKind.PRIVATE, ChatKind.SUPERGROUP, ChatKind.GROUP


def knows(user_id: str) -> bool:
    """The ledger, which knows Ana only."""
    return user_id == str(ANA)


def is_never_asked(_: str) -> bool:
    raise AssertionError


def gate(*chats: int, admins: tuple[int, ...] = (), asks: module.Knows = knows) -> Gate:
    return Gate(frozenset(chats), frozenset(admins), asks)


def is_open(where: Gate, chat_id: int, kind: ChatKind, user_id: int | None) -> bool:
    sender = Sender(chat_id, kind, user_id)
    opened = asyncio.run(lets_in(where, sender))
    assert where.lets_in(sender) is opened
    return opened


@pytest.mark.parametrize(
    ("chat_id", "kind", "user_id"),
    [(OTHER, SUPERGROUP, EVE), (EVE, PRIVATE, EVE), (OTHER, GROUP, None)],
)
def test_without_chats_it_is_open_to_all_users(chat_id, kind, user_id):
    assert is_open(gate(asks=is_never_asked), chat_id, kind, user_id)
    assert is_open(gate(admins=(BOSS,), asks=is_never_asked), chat_id, kind, user_id)


@pytest.mark.parametrize(
    ("chat_id", "kind", "user_id", "opened"),
    [
        pytest.param(TEAM, SUPERGROUP, EVE, True, id="in the chat"),
        pytest.param(TEAM, SUPERGROUP, None, True, id="in the chat, by no one"),
        pytest.param(OTHER, SUPERGROUP, ANA, False, id="in another chat, by a known user"),
        pytest.param(OTHER, GROUP, BOSS, False, id="in another chat, by an admin"),
        pytest.param(OTHER, ChatKind.CHANNEL, None, False, id="in a channel"),
        pytest.param(ANA, PRIVATE, ANA, True, id="in private with a known user"),
        pytest.param(BOSS, PRIVATE, BOSS, True, id="in private with an admin"),
        pytest.param(EVE, PRIVATE, EVE, False, id="in private with a stranger"),
        pytest.param(EVE, PRIVATE, None, False, id="in private with no one"),
        pytest.param(ANA, GROUP, EVE, False, id="a group is no private chat"),
    ],
)
def test_with_chats_it_is_open_there_and_to_who_is_known(chat_id, kind, user_id, opened):
    assert is_open(gate(TEAM, admins=(BOSS,)), chat_id, kind, user_id) is opened


def test_a_private_chat_may_be_named_too():
    assert is_open(gate(EVE, asks=is_never_asked), EVE, PRIVATE, EVE)


def test_the_ledger_is_asked_only_where_it_matters():
    bounded = gate(TEAM, admins=(BOSS,), asks=is_never_asked)
    assert is_open(bounded, TEAM, SUPERGROUP, ANA)
    assert is_open(bounded, BOSS, PRIVATE, BOSS)
    assert not is_open(bounded, OTHER, SUPERGROUP, ANA)


def test_a_supergroup_stands_for_the_group_that_it_was():
    bounded = gate(-5)
    bounded.migrate({-5: TEAM, -6: OTHER})
    assert is_open(bounded, TEAM, SUPERGROUP, EVE)
    assert not is_open(bounded, OTHER, SUPERGROUP, EVE)
    assert bounded.may_be_added_by(EVE, TEAM)
    assert not bounded.may_be_added_by(EVE, OTHER)
    bounded.migrate({-7: OTHER})
    assert is_open(bounded, TEAM, SUPERGROUP, EVE)


@pytest.mark.parametrize(
    ("chats", "admins", "user_id", "chat_id", "may"),
    [
        ((), (), EVE, OTHER, True),
        ((), (BOSS,), EVE, OTHER, False),
        ((), (BOSS,), BOSS, OTHER, True),
        ((TEAM,), (), EVE, TEAM, True),
        ((TEAM,), (BOSS,), EVE, TEAM, True),
        ((TEAM,), (BOSS,), BOSS, OTHER, False),
    ],
    ids=range(6),
)
def test_who_may_bring_the_bot_where(chats, admins, user_id, chat_id, may):
    assert gate(*chats, admins=admins).may_be_added_by(user_id, chat_id) is may


def test_a_closed_chat_is_told_once():
    bounded = gate(TEAM)
    assert [bounded.tells(chat) for chat in (OTHER, EVE, OTHER, EVE)] == [True, True, False, False]


def test_what_is_remembered_of_closed_chats_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "REMEMBERED", 3)
    bounded, strangers = gate(TEAM), count(1)
    assert all(bounded.tells(next(strangers)) for _ in range(10))
    assert len(bounded._told) <= 3
