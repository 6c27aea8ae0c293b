"""A chat that gets another id keeps its place; former ids lead to it too."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.application import EngagementLedger
from ledger.commands import interaction_of
from ledger.errors import InvalidInteractionError
from ledger.events import InteractionRecorded
from projections.read_model.model import ReadModel

CHATS = [f"-{number}" for number in range(1, 6)]


@pytest.fixture
def ledger(tmp_path) -> Iterator[EngagementLedger]:
    with opened(tmp_path) as ledger:
        yield ledger


def opened(folder: Path | str) -> EngagementLedger:
    return EngagementLedger(f"sqlite:///{folder}/ledger.db", projection=ReadModel())


def place_of(ledger: EngagementLedger, chat: str) -> object:
    """The place of what is said in the chat now."""
    ledger.record(interaction_of("4711", "AI-1", "query", chat_id=chat))
    last: dict[int, object] = {}
    for entry in ledger.history("4711"):
        assert isinstance(entry.event, InteractionRecorded)
        last[entry.position] = entry.event.place
    return last[max(last)]


def test_a_group_that_became_a_supergroup_keeps_its_place(ledger):
    before = place_of(ledger, "-1")
    ledger.migrate_chat("-1", "-1001")
    assert place_of(ledger, "-1001") == before == place_of(ledger, "-1")
    assert ledger.migrations() == {"-1": "-1001"}


def test_a_migration_that_is_told_again_changes_nothing(ledger):
    place_of(ledger, "-1")
    for _ in range(3):
        ledger.migrate_chat("-1", "-1001")
    assert ledger.migrations() == {"-1": "-1001"}
    ledger.migrate_chat("-7", "-7")
    assert ledger.migrations() == {"-1": "-1001"}


def test_a_supergroup_with_a_place_of_its_own_keeps_it(ledger):
    old, new = place_of(ledger, "-1"), place_of(ledger, "-1001")
    assert old != new
    ledger.migrate_chat("-1", "-1001")
    assert place_of(ledger, "-1") == new == place_of(ledger, "-1001")


def test_a_group_that_was_unknown_shares_the_place_that_its_supergroup_gets(ledger):
    ledger.migrate_chat("-1", "-1001")
    assert place_of(ledger, "-1") == place_of(ledger, "-1001")
    assert ledger.migrations() == {"-1": "-1001"}


def test_a_chat_id_that_breaks_the_rules_is_refused(ledger):
    with pytest.raises(InvalidInteractionError):
        ledger.migrate_chat("", "-1001")


MOVES = st.lists(st.tuples(st.sampled_from(CHATS), st.sampled_from(CHATS)), max_size=8)


@settings(max_examples=max(10, settings().max_examples // 2))
@given(st.sets(st.sampled_from(CHATS)), MOVES)
def test_chats_that_were_told_to_be_one_share_a_place_and_no_others_do(known, moves):
    groups = {chat: {chat} for chat in CHATS}
    with TemporaryDirectory() as folder, opened(folder) as ledger:
        for chat in sorted(known):
            place_of(ledger, chat)
        for old, new in moves:
            ledger.migrate_chat(old, new)
            joined = groups[old] | groups[new]
            groups |= dict.fromkeys(joined, joined)
            assert place_of(ledger, old) == place_of(ledger, new)
        places = {chat: place_of(ledger, chat) for chat in CHATS}
        migrations = ledger.migrations()
    for one in CHATS:
        for other in CHATS:
            assert (places[one] == places[other]) is (other in groups[one])
    for former, present in migrations.items():
        assert present in groups[former]
        assert present not in migrations
    present_ids = {frozenset(group) for group in groups.values()}
    assert len(migrations) == sum(len(group) - 1 for group in present_ids)
