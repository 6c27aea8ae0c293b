"""Linear, asked for issues: answers are remembered, shared and bounded in time."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import NamedTuple, Protocol

from bot.linear.decoding import (
    Data,
    Failed,
    NotFound,
    Reason,
    Response,
    Said,
    Setup,
    said,
    setup_of,
)
from bot.linear.documents import (
    SETUP,
    Request,
    is_identifier,
    request_for_changes,
    request_for_one,
    requests_for_many,
)
from bot.linear.issue import FRESH_SECONDS, Absent, Answer, Found, Issue, Unknown, shown
from bot.linear.issue_decoding import Changes, changes_of, issue_of, issues_in
from bot.linear.line import Line
from bot.linear.quota import Quota
from ledger.application import Clock, utc_now
from ledger.instants import Instant, instant_of

_log = logging.getLogger(__name__)

LOOK_UP_SECONDS = 20.0
"""All requests of one look-up together take no longer."""
REMEMBERED = 10_000
"""Issues; the one that was looked up least recently gives way to one too many."""


class Sender(Protocol):
    """Sends requests to Linear; it raises nothing."""

    async def send(self, request: Request) -> Response | Failed:
        """Return the response."""
        ...

    async def close(self) -> None:
        """End."""
        ...


class _Remembered(NamedTuple):
    """The part of an issue that people may see, or None."""

    issue: Issue | None
    at: float
    is_outdated: bool = False


def ignore(_: object) -> None:
    """Do not observe."""


_UnderWay = dict[str, asyncio.Task[None]]
_Find = Callable[[Sequence[str]], Awaitable[set[Reason]]]


class Linear:
    """Looks issues up by their keys; belongs to one event loop."""

    def __init__(  # noqa: PLR0913 - the clocks, and what is done with what is found
        self,
        sender: Sender,
        clock: Clock = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        patience_seconds: float = LOOK_UP_SECONDS,
        allowed: Collection[str] = (),
        observe: Callable[[Issue], object] = ignore,
        miss: Callable[[str], object] = ignore,
    ) -> None:
        """Ask through `sender`; `monotonic` measures ages and pauses, in seconds.

        `allowed` are the keys of the teams whose issues may be seen; without any, public ones.
        `observe` is called with each issue that was looked up and may be seen, `miss` with each key
        that leads to none; they must neither wait nor raise.
        """
        self._sender = sender
        self._clock = clock
        self._monotonic = monotonic
        self._patience_seconds = patience_seconds
        self._allowed = allowed
        self._observe = observe
        self._miss = miss
        self._line = Line()
        self._remembered: OrderedDict[str, _Remembered] = OrderedDict()
        self._looking: dict[str, asyncio.Task[None]] = {}
        """The look-up that is under way for a key."""
        self._listing: dict[str, asyncio.Task[None]] = {}
        """The same of look-ups that end without asking singly for what a batch leaves out."""

    async def look_up(
        self, keys: Iterable[str], within_seconds: float | None = None
    ) -> dict[str, Answer]:
        """The answer for each of `keys`: the final one, or the best one within a time limit.

        No failure of Linear raises an exception. A look-up that takes longer goes on.
        """
        return await self._answers(keys, within_seconds, self._looking, self._find)

    async def look_up_listed(self, keys: Iterable[str], within_seconds: float) -> dict[str, Answer]:
        """The answers for the issues of a list, by as few requests as there are batches.

        An issue that a batch leaves out, such as one that was moved, is unknown unless remembered.
        """
        return await self._answers(keys, within_seconds, self._listing, self._find_in_batches)

    def is_looking_for(self, keys: Iterable[str]) -> bool:
        """Whether a look-up for one of `keys` is under way."""
        return any(key in self._looking for key in keys)

    def has_found(self, key: str) -> bool:
        """Whether an issue that may be seen is remembered by `key`, however old that answer is."""
        remembered = self._remembered.get(key)
        return remembered is not None and remembered.issue is not None

    async def setup(self) -> tuple[Setup | Failed, Quota]:
        """The owner of the key, the teams that it may read, and the rest of the quota."""
        answered = await self._ask(SETUP)
        found = setup_of(answered.value) if isinstance(answered, Data) else answered
        if isinstance(found, Setup | Failed):
            return found, self._line.quota
        return Failed(Reason.UNREADABLE), self._line.quota

    async def changed_since(self, since: Instant, after: str | None = None) -> Changes | Failed:
        """A page of the issues that changed after `since`, without those that may not be seen.

        `after` is where the page before ended.
        """
        answered = await self._ask(request_for_changes(since, after))
        if isinstance(answered, Failed):
            return answered
        page = changes_of(answered.value) if isinstance(answered, Data) else None
        if page is None:
            return Failed(Reason.UNREADABLE)
        seen = (shown(each, self._allowed) for each in page.issues)
        return page._replace(issues=tuple(each for each in seen if each is not None))

    async def find_present(self, keys: Sequence[str]) -> list[Issue] | Failed:
        """The issues that are called `keys` now and may be seen; at most BATCH keys, one request.

        Neither this nor `find` remembers or observes anything: a long list would push out all else.
        """
        (request,) = requests_for_many(keys)
        return await self._batch(request, keys)

    async def find(self, key: str) -> Issue | Failed | None:
        """The issue that is or was called `key`; None if it is absent or may not be seen."""
        answered = await self._ask(request_for_one(key))
        match answered:
            case Failed():
                return answered
            case NotFound():
                return None
            case Data(value):
                issue = issue_of(value.get("issue"))
        if issue is None:
            return Failed(Reason.UNREADABLE)
        return shown(issue, self._allowed) if issue.is_called(key) else Failed(Reason.UNEXPECTED)

    def outdate(self, keys: Iterable[str]) -> None:
        """Note that the issues of `keys` have changed: they are looked up when next asked for.

        One that may not be seen is left as it is, so that nothing shows that it has changed.
        """
        for key in keys:
            remembered = self._remembered.get(key)
            if remembered is not None and remembered.issue is not None:
                self._remembered[key] = remembered._replace(is_outdated=True)

    @property
    def may_be_asked(self) -> bool:
        """Whether a request would be sent now."""
        return self._line.is_open(self._monotonic())

    @property
    def quota(self) -> Quota:
        """The quota, as the latest answer described it."""
        return self._line.quota

    async def close(self) -> None:
        """End all look-ups, and close the connections."""
        tasks = {*self._looking.values(), *self._listing.values()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._sender.close()

    # --- what is remembered ----------------------------------------------------------------------

    def _answer(self, key: str) -> Answer:
        if not is_identifier(key):
            return Absent()
        remembered = self._remembered.get(key)
        if remembered is None:
            return Unknown(is_pending=key in self._looking)
        self._remembered.move_to_end(key)
        if remembered.issue is None:
            # An issue may be created at any time, so only a fresh answer says that there is none.
            return Absent() if self._is_fresh(key) else Unknown(is_pending=key in self._looking)
        return Found(remembered.issue, self._monotonic() - remembered.at)

    def _remember(self, key: str, issue: Issue | None) -> None:
        self._remembered[key] = _Remembered(issue, self._monotonic())
        self._remembered.move_to_end(key)
        if len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)
        if issue is None:
            self._miss(key)
        else:
            self._observe(issue)

    def _is_fresh(self, key: str) -> bool:
        remembered = self._remembered.get(key)
        if remembered is None or remembered.is_outdated:
            return False
        return self._monotonic() - remembered.at < FRESH_SECONDS

    # --- looking up ------------------------------------------------------------------------------

    async def _answers(
        self, keys: Iterable[str], within_seconds: float | None, under_way: _UnderWay, find: _Find
    ) -> dict[str, Answer]:
        asked = list(dict.fromkeys(keys))
        self._begin([key for key in asked if is_identifier(key)], under_way, find)
        tasks = {under_way[key] for key in asked if key in under_way}
        if tasks:
            await asyncio.wait(tasks, timeout=within_seconds)
        return {key: self._answer(key) for key in asked}

    def _begin(self, keys: Sequence[str], under_way: _UnderWay, find: _Find) -> None:
        """Begin a look-up for those of `keys` that are not fresh and not being looked up."""
        wanted = [key for key in keys if key not in under_way and not self._is_fresh(key)]
        if wanted:
            looking = self._look_up(wanted, under_way, find)
            task = asyncio.create_task(looking, name="linear-look-up")
            under_way |= dict.fromkeys(wanted, task)

    async def _look_up(self, keys: Sequence[str], under_way: _UnderWay, find: _Find) -> None:
        try:
            async with asyncio.timeout(self._patience_seconds):
                failures = await find(keys)
        except TimeoutError:
            failures = {Reason.SLOW}
        except Exception as error:  # noqa: BLE001 - a card is shown without Linear, too (R13)
            _log.error("look-up failed", extra={"error": type(error).__name__})
            failures = {Reason.FAULT}
        finally:
            for key in keys:
                del under_way[key]
        if failures:
            why = ", ".join(sorted(reason.value for reason in failures))
            _log.warning("Linear not read", extra={"why": why, "issues": len(keys)})

    async def _find(self, keys: Sequence[str]) -> set[Reason]:
        """Look `keys` up and remember the results; return the reasons for missing ones."""
        if len(keys) == 1:
            return await self._find_one(keys[0])
        if failures := await self._find_in_batches(keys):
            return failures
        missing = [key for key in keys if not self._is_fresh(key)]
        return set[Reason]().union(*await asyncio.gather(*map(self._find_one, missing)))

    async def _find_in_batches(self, keys: Sequence[str]) -> set[Reason]:
        for request in requests_for_many(keys):
            found = await self._batch(request, keys)
            if isinstance(found, Failed):
                return {found.reason}
            for issue in found:
                self._remember(issue.identifier.upper(), issue)
        return set()

    async def _find_one(self, key: str) -> set[Reason]:
        found = await self.find(key)
        if isinstance(found, Failed):
            return {found.reason}
        self._remember(key, found)
        return set()

    async def _batch(self, request: Request, keys: Sequence[str]) -> list[Issue] | Failed:
        """The issues of a batch that were asked for and may be seen.

        A hidden one is then asked for singly, as one that does not exist, so that neither time nor
        a failure tells the two apart.
        """
        answered = await self._ask(request)
        if isinstance(answered, Failed):
            return answered
        batch = answered.value.get("issues") if isinstance(answered, Data) else None
        nodes = batch.get("nodes") if isinstance(batch, dict) else None
        seen = (shown(each, self._allowed) for each in issues_in(nodes))
        return [each for each in seen if each is not None and each.identifier.upper() in keys]

    async def _ask(self, request: Request) -> Said:
        """Send `request`, unless the line is paused, and let the line learn from the answer."""
        now = self._monotonic()
        if not self._line.is_open(now):
            reason = self._line.reason
            return Failed(reason if reason is Reason.LIMITED else Reason.PAUSED)
        self._line = self._line.during_request(now)
        response = await self._sender.send(request)
        answered, quota = _heard(response)
        self._line = self._line.after(answered, quota, self._monotonic(), instant_of(self._clock()))
        return answered


def _heard(response: Response | Failed) -> tuple[Said, Quota]:
    if isinstance(response, Failed):
        return response, Quota()
    return said(response), response.quota
