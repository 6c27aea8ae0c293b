"""The caches of a ledger are never older than the writes of others."""

from contextlib import ExitStack, suppress
from typing import NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger.commands import FOREVER, OptOut, interaction_of
from ledger.instants import instant_of
from ledger.store.append import Batch, Receipt
from ledger.store.group_commit import RolledBackError
from ledger.validation import UserId
from projections.application import Engagements
from tests.support.strategies import Clock, issue_ids

USERS = ("ana", "ben")


class Recorded(NamedTuple):
    """An interaction that one of the open ledgers records."""

    by: int
    user: str
    issue: str
    key: str | None
    chat: str | None


class Renewed(NamedTuple):
    """A change to what is kept of the users: a fold, an erasure, an opt-out and opt-in."""

    by: int
    user: str
    what: str


commands = st.one_of(
    st.builds(
        Recorded,
        st.integers(0, 1),
        st.sampled_from(USERS),
        issue_ids,
        st.sampled_from([None, "k-1", "k-2"]),
        st.sampled_from([None, "chat-1", "chat-2"]),
    ),
    st.builds(
        Renewed,
        st.integers(0, 1),
        st.sampled_from(USERS),
        st.sampled_from(["fold", "erase", "opt out and in", "stop early", "stop late"]),
    ),
)


_first, _again = (Recorded(0, "ana", "AI-1", key, "chat-1") for key in (None, "k-1"))


@example([_first, Renewed(0, "ana", "stop early"), _again])
@example([_first, Renewed(0, "ana", "stop late"), _again])
@example([_first, Renewed(1, "ana", "erase"), _again])
@settings(max_examples=settings().max_examples // 4)
@given(st.lists(commands, max_size=12))
def test_two_ledgers_on_one_file_record_as_one_would(tmp_path_factory, given_commands):
    apart, together = (tmp_path_factory.mktemp(name) / "ledger.db" for name in ("two", "one"))
    clock = Clock()
    with ExitStack() as stack:
        one, *two = (
            stack.enter_context(Engagements(f"sqlite:///{path}", clock=clock))
            for path in (together, apart, apart)
        )
        for command in given_commands:
            clock.move(1_000_000)
            assert done(two[command.by], command) == done(one, command)
        assert all(each.maintenance.verify().findings == [] for each in (one, *two))
        assert [two[0].questions.ranking(user) for user in USERS] == [
            one.questions.ranking(user) for user in USERS
        ]
    assert not list(apart.parent.glob("*-wal"))  # which a connection that is left open keeps


def done(engagements: Engagements, command: Recorded | Renewed) -> Receipt | None:
    """Carry out a command, and return what recording answers."""
    ledger = engagements.ledger
    if isinstance(command, Recorded):
        return ledger.record(
            interaction_of(
                command.user,
                command.issue,
                "query",
                source_key=command.key,
                chat_id=command.chat,
                context="words",
            )
        )
    match command.what:
        case "fold":
            ledger.fold()
        case "erase":
            engagements.ledger.erase(command.user)
        case "opt out and in":
            user = UserId(command.user)
            ledger.record(OptOut(user, FOREVER))
            ledger.record(OptOut(user, instant_of(engagements.clock())))
        case _:
            stop(engagements, command.user, is_written=command.what == "stop late")
    return None


class StoppedError(Exception):
    """An error that ends a transaction before or after it has written everything."""


def stop(engagements: Engagements, user: str, *, is_written: bool) -> None:
    def add(batch: Batch) -> None:
        batch.add(interaction_of(user, "AI-9", "view", source_key="k-1"))
        if is_written:
            batch.write()
        raise StoppedError

    with suppress(RolledBackError):
        engagements.ledger._appender.transact(Batch, add)
