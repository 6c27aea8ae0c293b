"""An entry that cannot be recorded fails alone, without harm to those that share its commit."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.commands import Interaction, interaction_of
from ledger.errors import LedgerDamagedError, LedgerUnavailableError
from ledger.instants import DAY, Instant
from ledger.store import tables
from ledger.store.append import Appender, Receipt
from ledger.store.group_commit import GroupCommit, RolledBackError
from ledger.store.projection import TAIL_AT_MOST, BackgroundFold
from projections.application import Engagements
from tests.support.observations import DAY_ONE, observation
from tests.support.strategies import Clock

PATIENCE_SECONDS = 60
FAULTS: list[dict[str, Any]] = [
    {"user_id": 4711},
    {"user_id": ["odd"]},
    {"user_id": "odd", "issue_id": ["AI-1"]},
    {"user_id": "odd", "kind": 9},
    {"user_id": "odd", "kind": "query"},
    {"user_id": "odd", "occurred_at": "today"},
    {"user_id": "odd", "context": ["words"]},
    {"user_id": "odd", "context": "\ud800"},
    {"user_id": "odd", "metadata": 7},
    {"user_id": "odd", "source_key": "odd", "chat_id": "odd"},
]
"""Fields that `interaction_of` would refuse; each fails elsewhere: judged, encoded or written."""

Member = tuple[Any, ...]


def faulty(number: int, fields: dict[str, Any]) -> Interaction:
    return msgspec.structs.replace(good(number), **fields)


def good(number: int, key: str | None = None) -> Interaction:
    return interaction_of(
        f"user {number % 3}", f"AI-{number}", "query", source_key=key, context="words"
    )


numbers = st.integers(1, 9)
goods = st.builds(good, numbers, st.sampled_from([None, "k-1", "k-2"])) | numbers.map(observation)
sound = st.lists(goods, min_size=1, max_size=3).map(tuple)
odd = st.builds(faulty, numbers, st.sampled_from(FAULTS)) | st.sampled_from([None, 7, "AI-1"])
unsound = st.tuples(st.lists(goods, max_size=2), odd, st.lists(goods, max_size=2)).map(
    lambda parts: (*parts[0], parts[1], *parts[2])
)
members = st.lists(st.tuples(st.just(True), sound) | st.tuples(st.just(False), unsound), max_size=8)


def outcomes_of(engagements: Engagements, shared: Sequence[Member]) -> list[Any]:
    """Record all of them by one commit, if it succeeds."""

    async def at_once() -> list[Any]:
        with engagements.ledger._group_commit._leading:
            tasks = [
                asyncio.create_task(engagements.ledger.record_many_async(each)) for each in shared
            ]
            await asyncio.sleep(0)  # until each of them waits
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await asyncio.gather(*tasks, return_exceptions=True)

    return asyncio.run(at_once())


def opened(folder: Path) -> Engagements:
    clock = Clock()
    clock.at = Instant(DAY_ONE + DAY)
    return Engagements(f"sqlite:///{folder}/ledger.db", clock=clock)


def said(engagements: Engagements) -> list[Any]:
    """The recorded history, without random ids."""
    ledger = engagements.ledger
    users = sorted(user.user_id for user in ledger.users())
    histories = [
        (entry.position, entry.event.issue_id) for user in users for entry in ledger.history(user)
    ]
    return [users, histories, ledger.size(), ledger.has_account("odd")]


def check_isolated(drawn: Sequence[tuple[bool, Member]]) -> None:
    """Compare a ledger that was given all of `drawn` at once to one that was given what is good."""
    with TemporaryDirectory() as folder:
        shared, alone = Path(folder) / "shared", Path(folder) / "alone"
        shared.mkdir()
        alone.mkdir()
        with opened(shared) as together, opened(alone) as apart:
            outcomes = outcomes_of(together, [member for _, member in drawn])
            for (is_good, member), outcome in zip(drawn, outcomes, strict=True):
                if is_good:
                    assert outcome == apart.ledger.record_many(member)
                else:
                    assert isinstance(outcome, Exception)
            assert said(together) == said(apart)
            assert together.maintenance.verify().findings == []


@given(members)
def test_work_that_cannot_be_recorded_fails_alone(drawn):
    check_isolated(drawn)


def test_a_group_that_fails_as_a_whole_would_be_seen(monkeypatch):
    def as_a_whole(self: GroupCommit[Any, Any], works: Sequence[Any]) -> Sequence[Any]:
        try:
            return self._commit(works)
        except RolledBackError as rolled_back:
            return [rolled_back.fault] * len(works)

    monkeypatch.setattr(GroupCommit, "_results", as_a_whole)
    with pytest.raises(AssertionError):
        check_isolated([(True, (good(1),)), (False, (faulty(1, FAULTS[0]),)), (True, (good(2),))])


def test_a_retry_that_forgets_what_was_not_tried_would_be_seen(monkeypatch):
    results = GroupCommit[Any, Any]._results

    def half(self: GroupCommit[Any, Any], works: Sequence[Any]) -> Sequence[Any]:
        return [*results(self, works[:1]), *(ValueError() for _ in works[1:])]

    monkeypatch.setattr(GroupCommit, "_results", half)
    with pytest.raises(AssertionError):
        check_isolated([(True, (good(1),)), (False, (faulty(1, FAULTS[0]),)), (True, (good(2),))])


@pytest.mark.parametrize("fields", FAULTS, ids=str)
def test_each_of_the_faults_is_one_and_not_the_databases(tmp_path, fields):
    with opened(tmp_path) as engagements:
        with pytest.raises(Exception) as raised:  # noqa: PT011 - of any type but one
            engagements.ledger.record(faulty(1, fields))
        assert not isinstance(raised.value, LedgerUnavailableError | RolledBackError)
        assert engagements.ledger.size() == (0, 0)


def test_a_damaged_row_of_one_user_fails_only_what_touches_it(tmp_path):
    with opened(tmp_path) as engagements:
        engagements.ledger.record(good(1))
        with engagements.ledger.database.write() as connection:
            account = tables.accounts.join(tables.streams)
            assert account is not None
            connection.execute(tables.streams.update().values(version=7))
        touching, other = outcomes_of(engagements, [(good(1),), (good(2),)])
        assert isinstance(touching, LedgerDamagedError)
        assert other == [Receipt(2, counted=True)]


@pytest.mark.parametrize("error", [LedgerUnavailableError("no disk"), MemoryError()], ids=repr)
def test_what_is_no_members_fault_is_not_tried_for_each(tmp_path, monkeypatch, error):
    tried: list[int] = []

    def failing(*_: object) -> None:
        tried.append(1)
        raise error

    with opened(tmp_path) as engagements:
        monkeypatch.setattr(Appender, "_write", failing)
        assert outcomes_of(engagements, [(good(n),) for n in range(8)]) == [error] * 8
    assert tried == [1]


def test_what_failed_after_its_commit_may_be_committed_and_is_not_tried_again(
    tmp_path, monkeypatch
):
    def failing(*_: object) -> None:
        raise _TooLateError

    with opened(tmp_path) as engagements:
        with monkeypatch.context() as patch:
            patch.setattr(Appender, "_keep", failing)
            outcomes = outcomes_of(engagements, [(good(n),) for n in range(8)])
        assert {type(each) for each in outcomes} == {_TooLateError}
        assert engagements.ledger.size()[0] == 8


class _TooLateError(Exception):
    """An error after the commit."""


def test_records_are_committed_where_no_thread_can_be_started_to_fold_them():
    folded: list[int] = []

    def advance() -> bool:
        folded.append(1)
        return True

    folding = BackgroundFold(advance, lambda _: True)
    with mock.patch.object(folding._thread, "submit", _no_thread):
        folding.notice(TAIL_AT_MOST + 1)
    with mock.patch.object(folding._closed, "wait", return_value=True):
        folding.notice(TAIL_AT_MOST + 1)
        folding._thread.shutdown(wait=True)
    assert folded == [1]


def _no_thread(*_: object) -> None:
    message = "can't start new thread"
    raise RuntimeError(message)
