"""A stand-in for Telegram's servers in the bot's own process."""

import itertools
import json
from typing import Any

from telegram.request import BaseRequest, RequestData

SENDING = frozenset({"sendMessage", "sendPhoto", "sendDocument", "editMessageText"})
"""The methods that are answered with a message."""


class LocalServers(BaseRequest):
    """Answers each request at once, as Telegram does where all goes well."""

    def __init__(self, bot: dict[str, Any]) -> None:
        """Answer `getMe` with `bot`."""
        self._bot = bot
        self._message_ids = itertools.count(1)

    @property
    def read_timeout(self) -> float | None:
        """No limit."""
        return None

    async def initialize(self) -> None:
        """Do nothing."""

    async def shutdown(self) -> None:
        """Do nothing."""

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        *_: object,
        **__: object,
    ) -> tuple[int, bytes]:
        """Take a request, and answer it."""
        del method
        name = url.rpartition("/")[2]
        parameters = {} if request_data is None else request_data.parameters
        files = {} if request_data is None else request_data.multipart_data or {}
        self.take(name, parameters, files)
        return 200, json.dumps({"ok": True, "result": self._result(name, parameters)}).encode()

    def take(self, name: str, parameters: dict[str, Any], files: dict[str, Any]) -> None:
        """Do what is to be done with a request; nothing here."""

    def _result(self, name: str, parameters: dict[str, Any]) -> object:
        if name == "getMe":
            return self._bot
        if name not in SENDING:
            return True
        chat = {"id": parameters["chat_id"], "type": "private", "first_name": ""}
        return {"message_id": next(self._message_ids), "date": 0, "chat": chat}
