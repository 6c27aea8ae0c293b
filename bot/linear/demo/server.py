"""The local Linear's HTTP side on the loopback: key, quota, headers, and failures by script."""

import asyncio
import datetime as dt
import email.utils
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, NamedTuple

from aiohttp import web

from bot.linear.demo.errors import LIMITED, NO_KEY, NO_REQUEST, Refused
from bot.linear.demo.execution import Executor
from bot.linear.demo.webhooks import Webhooks, issue_body
from bot.linear.demo.workspace import KEY, Workspace

HOST, PATH, CHANGE_PATH = "127.0.0.1", "/graphql", "/change"
HOW_TO_CHANGE = """Send a form with `issue`, and with any of
state: Triage, Backlog, Todo, In Progress, In Review, Done, Canceled or Duplicate
assignee: amara, ben, chiyo or nothing
priority: 0 to 4
"""
WINDOW = dt.timedelta(hours=1)
BEFORE_ALL = dt.datetime.fromtimestamp(0, dt.UTC)


class Scripted(NamedTuple):
    """The fate of one request in place of an answer, or, if only `held`, before it."""

    status: int = HTTPStatus.OK
    body: bytes | None = None
    headers: Mapping[str, str] = {}
    cut: bool = False
    """The connection breaks in the middle of the body."""
    held: bool = False
    """Nothing is sent until `LocalLinear.release`."""


class Asked(NamedTuple):
    """A request that was received."""

    query: str
    variables: dict[str, Any]


@dataclass
class Limits:
    """The hourly limits of a key; the numbers are invented."""

    requests: int = 2_500
    complexity: int = 3_000_000
    used_requests: int = 0
    used_complexity: int = 0
    resets_at: dt.datetime = BEFORE_ALL

    def begin(self, now: dt.datetime) -> bool:
        """Count a request; return whether there was room for it."""
        if now >= self.resets_at:
            self.used_requests = self.used_complexity = 0
            self.resets_at = now + WINDOW
        if self.used_requests >= self.requests or self.used_complexity >= self.complexity:
            return False
        self.used_requests += 1
        return True

    def headers(self, cost: int) -> dict[str, str]:
        """Return the headers of an answer that cost so many points."""
        reset = str(int(self.resets_at.timestamp() * 1_000))
        return {
            "X-Complexity": str(cost),
            "X-RateLimit-Requests-Limit": str(self.requests),
            "X-RateLimit-Requests-Remaining": str(self.requests - self.used_requests),
            "X-RateLimit-Requests-Reset": reset,
            "X-RateLimit-Complexity-Limit": str(self.complexity),
            "X-RateLimit-Complexity-Remaining": str(max(0, self.complexity - self.used_complexity)),
            "X-RateLimit-Complexity-Reset": reset,
        }


@dataclass
class LocalLinear:
    """Linear for one key; `asked` holds the requests, `script` what replaces the next answers."""

    workspace: Workspace
    clock: Callable[[], dt.datetime]
    key: str = KEY
    limits: Limits = field(default_factory=Limits)
    asked: list[Asked] = field(default_factory=list)
    script: deque[Scripted] = field(default_factory=deque)
    webhooks: Webhooks | None = None
    """The subscription that hears of changes."""

    def __post_init__(self) -> None:
        """Begin without a port."""
        self.url = ""
        self._executor = Executor(self.workspace)
        self._released = asyncio.Event()

    def release(self) -> None:
        """Let requests go on that are held; called in the loop of the server."""
        self._released.set()

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[str]:
        """Listen for a block, which is given the address."""
        application = web.Application()
        application.router.add_post(PATH, self._handle)
        application.router.add_post(CHANGE_PATH, self._change)
        runner = web.AppRunner(
            application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1
        )
        await runner.setup()
        delivering = None
        if self.webhooks is not None:
            delivering = asyncio.create_task(self.webhooks.keep_delivering())
        try:
            await web.TCPSite(runner, HOST, port).start()
            self.url = f"http://{HOST}:{runner.addresses[0][1]}{PATH}"
            yield self.url
        finally:
            if delivering is not None:
                delivering.cancel()
            await runner.cleanup()

    async def _change(self, request: web.Request) -> web.Response:
        """Change an issue as the form says: `issue`, and `state`, `assignee` or `priority`."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        key = form.pop("issue", "")
        if not form:
            return web.Response(status=HTTPStatus.BAD_REQUEST, text=HOW_TO_CHANGE)
        try:
            for name, value in form.items():
                issue, before = self.workspace.change(key, name, value, self.clock())
                if self.webhooks is not None:
                    fields = issue_body(self.workspace, issue)
                    self.webhooks.add("Issue", "update", updatedFrom=before, **fields)
        except LookupError as error:
            unknown = f"Not known here: {error.args[0] or 'an issue without a key'}\n"
            return web.Response(status=HTTPStatus.BAD_REQUEST, text=unknown + HOW_TO_CHANGE)
        return web.Response(text=f"changed {len(form)} of {key}\n")

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != self.key:
            return self._refused(NO_KEY)
        asked = _asked(await request.read())
        if asked is None:
            return self._refused(NO_REQUEST)
        self.asked.append(asked)
        if self.script:
            scripted = self.script.popleft()
            if scripted.held:
                await self._released.wait()
            if scripted.body is not None or scripted.cut:
                return await _as_scripted(request, scripted)
        return self._answer(asked)

    def _answer(self, asked: Asked) -> web.Response:
        if not self.limits.begin(self.clock()):
            return self._refused(LIMITED)
        done = self._executor.execute(asked.query, asked.variables)
        if isinstance(done, Refused):
            return self._refused(done)
        self.limits.used_complexity += done.complexity
        return self._response(HTTPStatus.OK, done.body, done.complexity)

    def _refused(self, refused: Refused) -> web.Response:
        return self._response(refused.status, refused.body)

    def _response(self, status: int, body: object, cost: int = 0) -> web.Response:
        date = {"Date": email.utils.format_datetime(self.clock(), usegmt=True)}
        return web.json_response(body, status=status, headers=self.limits.headers(cost) | date)


def _asked(body: bytes) -> Asked | None:
    try:
        given = json.loads(body)
        return Asked(str(given["query"]), dict(given.get("variables") or {}))
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


async def _as_scripted(request: web.Request, scripted: Scripted) -> web.StreamResponse:
    body = scripted.body or b""
    if not scripted.cut:
        return web.Response(status=scripted.status, body=body, headers=scripted.headers)
    answer = web.StreamResponse(status=scripted.status, headers=scripted.headers)
    answer.content_length = len(body) + 1  # more than ever comes
    await answer.prepare(request)
    await answer.write(body)
    if request.transport is not None:
        request.transport.abort()
    return answer
