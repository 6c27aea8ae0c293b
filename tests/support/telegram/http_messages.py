"""A request as it came over HTTP, decoded; and the answers, encoded."""

import json
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from tests.support.telegram.errors import Refusal

TEXTS = frozenset({
    "action", "callback_query_id", "caption", "description", "first_name", "guest_query_id",
    "inline_query_id", "ip_address", "language_code", "last_name", "name", "parse_mode",
    "secret_token", "short_description", "text", "title", "url", "inline_message_id",
    "business_connection_id", "message_effect_id",
})  # fmt: skip
"""The parameters that are strings even where they look like numbers or JSON."""


class Upload(NamedTuple):
    """A file that came with a request."""

    name: str
    content: bytes
    content_type: str = "application/octet-stream"


class Request(NamedTuple):
    """A request of the bot: method, decoded parameters, files, and time (monotonic seconds)."""

    method: str
    parameters: dict[str, Any]
    files: dict[str, Upload]
    at: float


def decoded(name: str, value: str) -> Any:
    """A parameter's value: JSON, unless it is a text by its name or no JSON at all."""
    if name in TEXTS:
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


async def read(request: web.Request, at: float) -> Request:
    """Read the query and the body: urlencoded, multipart or JSON, as Telegram takes them."""
    method = request.match_info["method"]
    parameters = {name: decoded(name, value) for name, value in request.query.items()}
    files: dict[str, Upload] = {}
    if request.content_type == "application/json":
        parameters |= await request.json()
    elif request.content_type == "multipart/form-data":
        for name, field in (await request.post()).items():
            if isinstance(field, web.FileField):
                files[name] = Upload(field.filename, field.file.read(), field.content_type)
            else:
                parameters[name] = decoded(name, str(field))
    else:
        body = (await request.read()).decode()
        pairs = parse_qsl(body, keep_blank_values=True)
        parameters |= {name: decoded(name, value) for name, value in pairs}
    return Request(method, parameters, files, at)


def success(result: Any) -> web.Response:
    """An answer with a result."""
    return _json(200, msgspec.json.encode({"ok": True, "result": result}))


def success_encoded(items: list[bytes]) -> web.Response:
    """An answer with a list whose items are encoded already."""
    return _json(200, b'{"ok":true,"result":[' + b",".join(items) + b"]}")


def failure(refusal: Refusal) -> web.Response:
    """An answer that says what was wrong."""
    body: dict[str, Any] = {
        "ok": False,
        "error_code": refusal.code,
        "description": refusal.description,
    }
    if refusal.parameters:
        body["parameters"] = refusal.parameters
    return _json(refusal.code, msgspec.json.encode(body))


def _json(status: int, body: bytes) -> web.Response:
    return web.Response(status=status, body=body, content_type="application/json")
