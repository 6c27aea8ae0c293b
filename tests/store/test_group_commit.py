"""Shared commits: few transactions for many callers, and no caller pays for another one."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.application import EngagementLedger
from ledger.commands import Interaction, interaction_of
from ledger.errors import InvalidInteractionError, LedgerError, LedgerUnavailableError
from ledger.idempotency import SourceKey
from ledger.instants import Instant
from ledger.store.append import Appender, Entry, Receipt
from ledger.store.group_commit import SHARED_BY_AT_MOST, GroupCommit, _Waiting
from projections.read_model.model import ReadModel
from tests.support.strategies import Clock

TASKS = 64
PATIENCE_SECONDS = 60
"""A test that would wait for ever fails after this."""


class Transactions:
    """The work that was appended together, by transaction."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Watch every ledger that is opened from here on."""
        self.groups: list[list[Entry]] = []
        self.failing: Exception | None = None
        append = Appender.append

        def watched(appender: Appender, entries: Sequence[Entry]) -> list[Receipt | LedgerError]:
            self.groups.append(list(entries))
            if self.failing is not None:
                raise self.failing
            return append(appender, entries)

        monkeypatch.setattr(Appender, "append", watched)


@pytest.fixture
def transactions(monkeypatch: pytest.MonkeyPatch) -> Transactions:
    return Transactions(monkeypatch)


@pytest.fixture
def ledger(tmp_path: Path, transactions: Transactions) -> Iterator[EngagementLedger]:
    url = f"sqlite:///{tmp_path}/ledger.db"
    with EngagementLedger(url, projection=ReadModel(), clock=Clock()) as opened:
        yield opened


def touch(n: int, **more: Any) -> Interaction:
    return interaction_of("4711", f"AI-{n}", "query", **more)


def positions(ledger: EngagementLedger) -> dict[str, int]:
    """Which issue's event has which position; each is recorded once here."""
    entries = list(ledger.history("4711"))
    found = {str(entry.event.issue_id): entry.position for entry in entries}
    assert len(found) == len(entries)
    return found


async def at_once(
    ledger: EngagementLedger,
    interactions: Sequence[Interaction],
    meanwhile: Callable[[list["asyncio.Task[Receipt]"]], object] = lambda _: None,
) -> list[Receipt | BaseException]:
    """Record all of them while the door is held shut, so that they do wait together."""
    with ledger.database.write():
        tasks = [asyncio.create_task(ledger.record_async(each)) for each in interactions]
        await asyncio.sleep(0)  # until each of them waits
        meanwhile(tasks)
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await asyncio.gather(*tasks, return_exceptions=True)


# --- through the ledger --------------------------------------------------------------------------


def test_64_tasks_that_record_at_once_share_a_commit_or_two(ledger, transactions):
    receipts = asyncio.run(at_once(ledger, [touch(n) for n in range(TASKS)]))
    assert len(receipts) == TASKS
    assert len(transactions.groups) <= 2
    assert sum(map(len, transactions.groups)) == TASKS


def test_each_task_gets_the_receipt_of_its_own_interaction(ledger, transactions):
    receipts = asyncio.run(at_once(ledger, [touch(n) for n in range(TASKS)]))
    recorded = positions(ledger)
    assert receipts == [Receipt(recorded[f"AI-{n}"], counted=True) for n in range(TASKS)]
    assert sorted(recorded.values()) == list(range(1, TASKS + 1))


def test_of_tasks_with_one_source_key_one_counts_and_the_rest_learn_which(ledger, transactions):
    touches = [touch(1, source_key="k") for _ in range(TASKS)]
    receipts = asyncio.run(at_once(ledger, touches))
    assert sorted(map(str, receipts)) == sorted(
        map(str, [Receipt(1, counted=True), *[Receipt(1, counted=False)] * (TASKS - 1)])
    )
    assert positions(ledger) == {"AI-1": 1}


def test_a_refused_entry_does_not_harm_the_others(ledger, transactions):
    early, late = Clock()() - timedelta(days=9), Clock()() + timedelta(days=2)
    touches = [touch(n, occurred_at=late if n % 10 == 3 else early) for n in range(TASKS)]
    outcomes = asyncio.run(at_once(ledger, touches))
    recorded = positions(ledger)
    for n, outcome in enumerate(outcomes):
        if n % 10 == 3:
            assert isinstance(outcome, InvalidInteractionError)
            assert f"AI-{n}" not in recorded
        else:
            assert outcome == Receipt(recorded[f"AI-{n}"], counted=True)


POISONS: dict[str, Callable[[], Interaction]] = {
    "chat-id-that-cannot-be-encoded": lambda: touch(999, chat_id="\ud800"),
    "label-that-cannot-be-encoded": lambda: touch(
        999, source_key=SourceKey("poison", label="\ud800")
    ),
    "source-of-before-1970": lambda: touch(
        999, source_key=SourceKey("poison", dated_at=Instant(-1))
    ),
    "source-of-after-2106": lambda: touch(
        999, source_key=SourceKey("poison", dated_at=Instant(2**32 * 1_000_000))
    ),
}


@pytest.mark.parametrize("poison", POISONS.values(), ids=POISONS.keys())
def test_an_entry_that_cannot_be_stored_is_refused_by_itself(ledger, transactions, poison):
    try:
        poisonous = [poison()]
    except InvalidInteractionError:
        poisonous = []  # the best place to refuse it: it is not even made
    outcomes = asyncio.run(at_once(ledger, [*poisonous, *map(touch, range(8))]))
    recorded = positions(ledger)
    assert outcomes[-8:] == [Receipt(recorded[f"AI-{n}"], counted=True) for n in range(8)]


def test_an_error_of_the_commit_reaches_all_who_wait_for_it_and_none_later(ledger, transactions):
    transactions.failing = LedgerUnavailableError("the disk was removed")
    outcomes = asyncio.run(at_once(ledger, [touch(n) for n in range(TASKS)]))
    assert len(outcomes) == TASKS
    assert all(isinstance(each, LedgerUnavailableError) for each in outcomes)
    assert positions(ledger) == {}
    transactions.failing = None
    assert asyncio.run(at_once(ledger, [touch(1)])) == [Receipt(1, counted=True)]


def test_a_task_that_is_cancelled_while_it_waits_harms_no_other(ledger, transactions):
    def cancel_some(tasks: list["asyncio.Task[Receipt]"]) -> None:
        for task in tasks[::3]:
            task.cancel()

    outcomes = asyncio.run(at_once(ledger, [touch(n) for n in range(TASKS)], cancel_some))
    recorded = positions(ledger)
    for n, outcome in enumerate(outcomes):
        if n % 3 == 0:
            assert isinstance(outcome, asyncio.CancelledError)
        else:
            assert outcome == Receipt(recorded[f"AI-{n}"], counted=True)
    # What its transaction held already is recorded all the same; nothing is recorded twice.
    assert len(recorded) == len(set(recorded.values()))


def test_a_loop_that_ends_with_tasks_waiting_leaves_the_ledger_usable(ledger, transactions):
    async def leave_early() -> None:
        tasks = [asyncio.create_task(ledger.record_async(touch(n))) for n in range(8)]
        await asyncio.sleep(0)
        assert len(tasks) == 8

    asyncio.run(leave_early())
    assert asyncio.run(ledger.record_async(touch(99))).counted
    assert ledger.record(touch(100)).counted


def test_threads_and_tasks_record_through_one_door(ledger, transactions):
    async def tasks() -> list[Receipt]:
        return list(await asyncio.gather(*(ledger.record_async(touch(n)) for n in range(32))))

    with ThreadPoolExecutor(8) as threads:
        synchronous = [threads.submit(ledger.record, touch(n)) for n in range(100, 132)]
        receipts = asyncio.run(tasks()) + [each.result() for each in synchronous]
    recorded = positions(ledger)
    issues = [*range(32), *range(100, 132)]
    assert receipts == [Receipt(recorded[f"AI-{n}"], counted=True) for n in issues]
    assert sorted(recorded.values()) == list(range(1, 65))


def test_the_event_loop_turns_while_tasks_wait_for_the_disk(ledger, transactions):
    async def turns() -> int:
        turned = 0
        with ledger.database.write():
            task = asyncio.create_task(ledger.record_async(touch(1)))
            for _ in range(10):
                await asyncio.sleep(0)
                turned += not task.done()
        await task
        return turned

    assert asyncio.run(turns()) == 10


# --- by itself -----------------------------------------------------------------------------------


def sharing(
    commit: Callable[[Sequence[int]], Sequence[int | Exception]],
) -> GroupCommit[int, int]:
    return GroupCommit(commit)


async def gather_all(awaitables: Sequence[Awaitable[int]]) -> list[int | BaseException]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return list(await asyncio.gather(*awaitables, return_exceptions=True))


@given(st.lists(st.integers(), max_size=40))
def test_every_work_gets_its_own_result_or_error_whatever_is_shared(works):
    def commit(group: Sequence[int]) -> list[int | Exception]:
        return [ValueError(each) if each % 3 == 0 else each * 2 for each in group]

    door = sharing(commit)
    outcomes = asyncio.run(gather_all([door.submit_async(each) for each in works]))
    door.close()
    assert len(outcomes) == len(works)
    for work, outcome in zip(works, outcomes, strict=True):
        if work % 3 == 0:
            assert isinstance(outcome, ValueError)
            assert outcome.args == (work,)
        else:
            assert outcome == work * 2


def test_no_commit_is_shared_by_more_than_the_limit():
    opened, sizes = threading.Event(), []

    def commit(group: Sequence[int]) -> list[int | Exception]:
        opened.wait(60)
        sizes.append(len(group))
        return list(group)

    async def many() -> list[int | BaseException]:
        waiting = asyncio.gather(*(door.submit_async(n) for n in range(1000)))
        await asyncio.sleep(0)
        opened.set()
        return list(await waiting)

    door = sharing(commit)
    assert asyncio.run(many()) == list(range(1000))
    door.close()
    assert max(sizes) <= SHARED_BY_AT_MOST
    assert len(sizes) <= 1 + -(-1000 // SHARED_BY_AT_MOST)


def test_works_are_committed_in_the_order_in_which_they_were_submitted():
    committed: list[int] = []

    def commit(group: Sequence[int]) -> list[int | Exception]:
        committed.extend(group)
        return list(group)

    door = sharing(commit)
    asyncio.run(gather_all([door.submit_async(n) for n in range(500)]))
    door.close()
    assert committed == list(range(500))


def test_closing_finishes_what_was_submitted():
    async def submit() -> list[int | BaseException]:
        waiting = asyncio.gather(*(door.submit_async(n) for n in range(8)))
        await asyncio.sleep(0)
        await asyncio.to_thread(door.close)
        return list(await waiting)

    door = sharing(list)
    assert asyncio.run(submit()) == list(range(8))


def test_a_single_caller_is_its_own_leader():
    threads: list[int] = []

    def commit(group: Sequence[int]) -> list[int | Exception]:
        threads.append(threading.get_ident())
        return list(group)

    door = sharing(commit)
    assert door.submit(7) == 7
    door.close()
    assert threads == [threading.get_ident()]


def test_an_error_is_raised_to_the_caller():
    def commit(group: Sequence[int]) -> list[int | Exception]:
        message = "the disk was removed"
        raise LedgerUnavailableError(message)

    door = sharing(commit)
    with pytest.raises(LedgerUnavailableError, match="the disk was removed"):
        door.submit(1)
    with pytest.raises(LedgerUnavailableError, match="the disk was removed"):
        asyncio.run(door.submit_async(1))
    door.close()


def test_who_waits_for_a_leader_that_is_interrupted_is_told():
    def commit(_: Sequence[int]) -> list[int | Exception]:
        raise KeyboardInterrupt

    door = sharing(commit)
    led: list[_Waiting[int, int]] = [_Waiting(number) for number in range(3)]
    for each in led:
        door._enqueue(each)
    with pytest.raises(KeyboardInterrupt):
        door.submit(3)
    assert [type(each.result) for each in led] == [KeyboardInterrupt] * 3
    door.close()


class _Interrupted(BaseException):
    """An error that asyncio passes on like any other, unlike KeyboardInterrupt."""


def test_tasks_that_wait_behind_an_interrupted_group_have_their_turn():
    groups: list[int] = []

    def commit(group: Sequence[int]) -> list[int | Exception]:
        groups.append(len(group))
        if len(groups) == 1:
            raise _Interrupted
        return list(group)

    async def many(count: int) -> list[int | BaseException]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            with door._leading:  # so that all of them wait when the leader's turn comes
                tasks = [asyncio.create_task(door.submit_async(n)) for n in range(count)]
                await asyncio.sleep(0)
            await asyncio.wait(tasks)
        return [each.exception() or each.result() for each in tasks]

    door = sharing(commit)
    outcomes = asyncio.run(many(SHARED_BY_AT_MOST + 1))
    door.close()
    assert groups == [SHARED_BY_AT_MOST, 1]
    assert {type(each) for each in outcomes[:-1]} == {_Interrupted}
    assert outcomes[-1] == SHARED_BY_AT_MOST


def test_what_found_no_thread_to_lead_it_is_not_committed_later(monkeypatch):
    def no_thread(_: object) -> object:
        message = "can't start new thread"
        raise RuntimeError(message)

    committed: list[int] = []

    def commit(group: Sequence[int]) -> list[int | Exception]:
        committed.extend(group)
        return list(group)

    door = sharing(commit)
    with monkeypatch.context() as patch:
        patch.setattr(door._leader, "submit", no_thread)
        with pytest.raises(RuntimeError, match="new thread"):
            asyncio.run(door.submit_async(1))
    assert asyncio.run(gather_all([door.submit_async(2)])) == [2]
    door.close()
    assert committed == [2]


def test_nothing_is_committed_after_closing():
    committed: list[int] = []

    def commit(group: Sequence[int]) -> list[int | Exception]:
        committed.extend(group)
        return list(group)

    door = sharing(commit)
    door.close()
    with pytest.raises(LedgerUnavailableError, match="closed"):
        door.submit(1)
    with pytest.raises(LedgerUnavailableError, match="closed"):
        asyncio.run(door.submit_async(2))
    assert committed == []
