"""Webhooks as Linear sends them: signed, again after a minute, an hour and six, then no more."""

import asyncio
import datetime as dt
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from aiohttp import ClientError, ClientSession, ClientTimeout

from bot.linear.demo.workspace import ADDRESS, Node, Workspace
from bot.linear.webhooks import (
    DELIVERY_HEADER,
    EVENT_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    signature_of,
)

SECRET = "lin_wh_demo_secret_of_nobody"  # noqa: S105 - invented, and guards nothing
"""The signing secret of the invented workspace."""

RETRIES = (dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(hours=6))
ANSWER_SECONDS = 5.0
TICK_SECONDS = 1.0

_FIELDS = (
    "id",
    "identifier",
    "number",
    "previousIdentifiers",
    "title",
    "url",
    "priority",
    "dueDate",
    "estimate",
    "cycle",
    "project",
    "updatedAt",
    "archivedAt",
    "trashed",
    "team",
    "state",
)
_ORDERS = {"boardOrder": 0, "sortOrder": -12.5}
"""Fields that Linear sends, and its schema does not have or nothing here needs."""

Send = Callable[[bytes, Mapping[str, str]], Awaitable[int | None]]
"""Sends a body with headers; returns the status, or None if there was none in time."""


@dataclass
class Delivery:
    """A webhook that was not accepted yet; a retry sends the same bytes and headers."""

    body: bytes
    headers: Mapping[str, str]
    due_at: dt.datetime
    failures: int = 0


class Webhooks:
    """A subscription: it is disabled where a webhook fails four times."""

    def __init__(self, send: Send, clock: Callable[[], dt.datetime], secret: str = SECRET) -> None:
        """Send by `send`, when `clock` says so."""
        self.is_enabled = True
        self.waiting: list[Delivery] = []
        self._send = send
        self._clock = clock
        self._secret = secret
        self._count = 0

    def add(self, type_: str, action: str, **fields: Any) -> Delivery:  # noqa: ANN401 - any JSON
        """Add a webhook that is due at once, with these fields in its body."""
        now = self._clock()
        stamp = int(now.timestamp() * 1_000)
        moment = f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03}Z"
        common = {"type": type_, "action": action, "createdAt": moment, "webhookTimestamp": stamp}
        ids = {"organizationId": _id("workspace"), "webhookId": _id("webhook")}
        body = json.dumps(common | ids | fields).encode()
        self._count += 1
        headers = {
            DELIVERY_HEADER: _id("delivery", str(self._count)),
            EVENT_HEADER: type_,
            SIGNATURE_HEADER: signature_of(body, self._secret),
            TIMESTAMP_HEADER: str(stamp),
            "Content-Type": "application/json; charset=utf-8",
        }
        delivery = Delivery(body, headers, now)
        if self.is_enabled:
            self.waiting.append(delivery)
        return delivery

    async def deliver(self) -> None:
        """Send what is due."""
        for each in [each for each in self.waiting if each.due_at <= self._clock()]:
            if await self._send(each.body, each.headers) == HTTPStatus.OK:
                self.waiting.remove(each)
            elif each.failures < len(RETRIES):
                each.due_at = self._clock() + RETRIES[each.failures]
                each.failures += 1
            else:
                self.is_enabled = False
                self.waiting.clear()
                return

    async def keep_delivering(self) -> None:
        """Send what comes due, until cancelled."""
        while True:
            await self.deliver()
            await asyncio.sleep(TICK_SECONDS)


def sender(url: str) -> Send:
    """Return what posts to `url`, and waits for the answer as long as Linear does."""

    async def send(body: bytes, headers: Mapping[str, str]) -> int | None:
        with suppress(ClientError, TimeoutError, OSError):
            async with (
                ClientSession(timeout=ClientTimeout(total=ANSWER_SECONDS)) as session,
                session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                return answer.status
        return None

    return send


def issue_body(workspace: Workspace, issue: Node) -> dict[str, Any]:
    """The fields `data` and `actor` of a webhook: what is null in `issue` is missing there."""
    data = {name: issue[name] for name in _FIELDS if issue.get(name) is not None} | _ORDERS
    labels = issue["labels"](None)["nodes"]
    data |= {"stateId": issue["state"]["id"], "teamId": issue["team"]["id"], "labels": labels}
    if issue["assignee"] is not None:
        data |= {"assignee": _person(issue["assignee"]), "assigneeId": issue["assignee"]["id"]}
    return {"data": data, "actor": _person(workspace.viewer) | {"type": "user"}}


def _person(user: Node) -> Node:
    return {"id": user["id"], "name": user["displayName"]}


def _id(*names: str) -> str:
    return str(uuid5(NAMESPACE_URL, "/".join((ADDRESS, *names))))
