"""Shared commits: the work of concurrent callers goes to disk in one transaction.

A durable commit costs far more than its contents. A caller that finds no leader leads: it takes
all waiting work (up to a limit) and commits it for everyone; the others find their work done.

If the work of one caller prevents the commit, the group is halved until that work fails alone.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import Any, Generic, TypeVar, cast

from ledger.errors import LedgerUnavailableError

SHARED_BY_AT_MOST = 256

Work = TypeVar("Work")
Result = TypeVar("Result")


class RolledBackError(Exception):
    """Nothing of a group was committed, because of `fault`, which one of its members may cause."""

    def __init__(self, fault: Exception) -> None:
        """Take the error that ended the transaction before its commit."""
        super().__init__()
        self.fault = fault


class GroupCommit(Generic[Work, Result]):
    """Passes work in groups to `commit`, which returns one result or error for each."""

    def __init__(self, commit: Callable[[Sequence[Work]], Sequence[Result | Exception]]) -> None:
        """Commit with `commit`, called by one thread at a time.

        When it raises RolledBackError, it is called again for each half of the group. Any other
        error is everyone's, since the work may be committed.
        """
        self._commit = commit
        # `_leading` guards the taking end of `_waiting` and the call of `_commit`: its holder is
        # the leader, so groups are committed one at a time, in the order of submission. Callers
        # append to `_waiting` without it, since a deque's append and popleft are atomic.
        self._leading = Lock()
        self._waiting: deque[_Waiting[Work, Result]] = deque()
        # `_summoning` guards `_summoned`: whether the thread of `_leader` has been asked to lead
        # and has not yet found `_waiting` empty. Invariant: work of a task that is in `_waiting`
        # while `_summoned` is false has its caller about to summon, since tasks enqueue before they
        # summon.
        self._summoning = Lock()
        self._summoned = False
        # Set once and never reset, so it needs no lock. Work that was enqueued before is committed
        # by its own thread or by the leader's, which `close` waits for, or its task gets an error.
        self._closed = False
        self._leader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="group-commit")

    def submit(self, work: Work) -> Result:
        """Return the result of `work` once it is committed; the caller's thread may lead."""
        waiting: _Waiting[Work, Result] = _Waiting(work)
        self._enqueue(waiting)
        while not waiting.is_answered:
            with self._leading:
                self._lead()
        if isinstance(waiting.result, BaseException):
            raise waiting.result
        return cast("Result", waiting.result)

    async def submit_async(self, work: Work) -> Result:
        """Return the result of `work` once it is committed, without blocking the event loop."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._enqueue(_Waiting(work, future))
        # Enqueued before: the leader either still sees the work, or has cleared `_summoned`.
        try:
            self._summon()
        except BaseException:  # such as no more threads: the next caller tries again
            future.cancel()
            raise
        return await future

    def close(self) -> None:
        """Finish what was submitted and stop the leader's thread."""
        self._closed = True
        self._leader.shutdown(wait=True)

    def _enqueue(self, waiting: "_Waiting[Work, Result]") -> None:
        if self._closed:
            message = "the ledger is closed"
            raise LedgerUnavailableError(message)
        self._waiting.append(waiting)

    def _summon(self) -> None:
        with self._summoning:
            if not self._summoned:
                self._leader.submit(self._lead_all)
                self._summoned = True

    def _lead_all(self) -> None:
        while self._is_summoned():
            with suppress(BaseException), self._leading:  # the waiting callers of the group get it
                self._lead()

    def _is_summoned(self) -> bool:
        with self._summoning:
            self._summoned = bool(self._waiting)
            return self._summoned

    def _lead(self) -> None:
        group = self._take()
        if not group:
            return
        try:
            results = self._results([each.work for each in group])
        except BaseException as error:
            _answer(group, [error] * len(group))
            raise
        _answer(group, results)

    def _results(self, works: Sequence[Work]) -> Sequence[Result | Exception]:
        try:
            return self._commit(works)
        except RolledBackError as rolled_back:
            if len(works) == 1:
                return [rolled_back.fault]
            half = len(works) // 2
            return [*self._results(works[:half]), *self._results(works[half:])]
        except Exception as error:  # noqa: BLE001 - the waiting callers get it
            return [error] * len(works)

    def _take(self) -> list["_Waiting[Work, Result]"]:
        group: list[_Waiting[Work, Result]] = []
        while self._waiting and len(group) < SHARED_BY_AT_MOST:
            waiting = self._waiting.popleft()
            if waiting.future is None or not waiting.future.cancelled():
                group.append(waiting)
        return group


@dataclass(slots=True)
class _Waiting(Generic[Work, Result]):
    """Submitted work and its result once it is answered; that of a task is its future's."""

    work: Work
    future: "asyncio.Future[Result] | None" = None
    result: Result | BaseException | None = None
    is_answered: bool = False


def _answer(
    group: Sequence[_Waiting[Work, Result]], results: Sequence[Result | BaseException]
) -> None:
    """Deliver the results: to threads directly, to tasks by one call into each event loop."""
    of_loops = defaultdict(list)
    for waiting, result in zip(group, results, strict=True):
        if waiting.future is not None:
            of_loops[waiting.future.get_loop()].append((waiting.future, result))
        waiting.result, waiting.is_answered = result, True
    for loop, answers in of_loops.items():
        with suppress(RuntimeError):  # the loop was closed with its tasks
            loop.call_soon_threadsafe(_give, answers)


def _give(answers: Sequence[tuple[Any, Any]]) -> None:
    for future, result in answers:
        if future.done():  # cancelled by its task
            continue
        if isinstance(result, BaseException):
            future.set_exception(result)
        else:
            future.set_result(result)
