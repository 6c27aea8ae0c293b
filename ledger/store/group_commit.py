"""Shared commits: what many callers record at once goes to disk in one transaction.

A durable commit costs far more than what it carries. Whoever finds the door free leads: it takes
all that waits (up to a limit) and commits it for everyone; the others find their work done.
"""

from asyncio import wrap_future
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from threading import Lock
from typing import Generic, TypeVar

from ledger.errors import LedgerUnavailableError

SHARED_BY_AT_MOST = 256

Work = TypeVar("Work")
Result = TypeVar("Result")


class GroupCommit(Generic[Work, Result]):
    """Hands out work in groups to `commit`, which returns one result or error for each."""

    def __init__(self, commit: Callable[[Sequence[Work]], Sequence[Result | Exception]]) -> None:
        """Commit with `commit`, called by one thread at a time."""
        self._commit = commit
        self._waiting: deque[tuple[Work, Future[Result]]] = deque()
        self._leading = Lock()
        self._summoning = Lock()
        self._summoned = False
        self._closed = False
        self._leader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="group-commit")

    def submit(self, work: Work) -> Result:
        """Return the result of `work` once it is committed; the caller's thread may lead."""
        future = self._enqueue(work)
        while not future.done():
            with self._leading:
                self._lead()
        return future.result()

    async def submit_async(self, work: Work) -> Result:
        """Return the result of `work` once it is committed, without blocking the event loop."""
        future = self._enqueue(work)
        # Enqueued first: the leader either still sees the work, or has said that it left.
        with self._summoning:
            self._summon(future)
        return await wrap_future(future)

    def close(self) -> None:
        """Finish what was submitted and stop the leader's thread."""
        self._closed = True
        self._leader.shutdown(wait=True)

    def _enqueue(self, work: Work) -> Future[Result]:
        if self._closed:
            message = "the ledger is closed"
            raise LedgerUnavailableError(message)
        future: Future[Result] = Future()
        self._waiting.append((work, future))
        return future

    def _summon(self, future: Future[Result]) -> None:
        if self._summoned:
            return
        try:
            self._leader.submit(self._lead_all)
        except BaseException:  # no more threads, say: the next caller tries again
            future.cancel()
            raise
        self._summoned = True

    def _lead_all(self) -> None:
        while self._is_summoned():
            with suppress(BaseException), self._leading:  # those who wait for the group have it
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
            results = self._commit([work for work, _ in group])
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to those who wait for it
            results = [error] * len(group)
        except BaseException as error:
            for _, future in group:
                future.set_exception(error)
            raise
        for (_, future), result in zip(group, results, strict=True):
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)

    def _take(self) -> list[tuple[Work, Future[Result]]]:
        group: list[tuple[Work, Future[Result]]] = []
        while self._waiting and len(group) < SHARED_BY_AT_MOST:
            work, future = self._waiting.popleft()
            if future.set_running_or_notify_cancel():
                group.append((work, future))
        return group
