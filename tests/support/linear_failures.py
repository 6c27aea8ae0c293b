"""Failures of Linear by script, and a log of everything that is said about them."""

import gzip
import io
import json
import logging
from collections.abc import Iterator
from traceback import TracebackException

from tests.support.linear_client_and_server import KEY, Scripted

CANARY = "canary-5180"
ISSUE = {
    "id": "5f8e",
    "identifier": "AI-1799",
    "title": CANARY,
    "updatedAt": "2026-01-01T12:00:00.000Z",
    "state": {"type": "started", "name": CANARY},
    "team": {"key": "AI", "visibility": "public"},
    "assignee": {"displayName": CANARY},
}

ANSWER = json.dumps({"data": {"issue": ISSUE}}).encode()
LONG_AGO, FAR_AHEAD = "Thu, 01 Jan 1970 00:00:00 GMT", "Tue, 01 Jan 2199 00:00:00 GMT"


def scripted(body: object = None, status: int = 200, **headers: str) -> Scripted:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Scripted(status, json.dumps(body).encode(), named)


def error(code: str, status: int = 400, reset: str = "", date: str = "") -> Scripted:
    """An error that quotes the key and a title, as a careless server would."""
    extensions = {"code": code, "userPresentableMessage": CANARY}
    errors = [{"message": f"{CANARY} {KEY}", "extensions": extensions}]
    named = {"x_ratelimit_requests_reset": reset, "date": date}
    headers = {name: value for name, value in named.items() if value}
    return scripted({"errors": errors}, status, **headers)


def issue(**changed: object) -> Scripted:
    node = {name: value for name, value in (ISSUE | changed).items() if value is not Ellipsis}
    return scripted({"data": {"issue": node}})


FAILURES = {
    "500 without a body": Scripted(500, b""),
    "500 that quotes": Scripted(500, f"{CANARY} {KEY}".encode()),
    "502 in HTML": Scripted(502, b"<html>Bad gateway</html>", {"content-type": "text/html"}),
    "503 with a time": Scripted(503, b"", {"retry-after": "120"}),
    "504": Scripted(504, b""),
    "520 of a proxy": Scripted(520, b"error code: 520"),
    "500 with data": scripted({"data": {"issue": ISSUE}}, 500),
    "cut at once": Scripted(200, b"", cut=True),
    "cut in the body": Scripted(200, json.dumps({"data": {"issue": ISSUE}}).encode(), cut=True),
    "cut in an error": Scripted(500, b"Internal", cut=True),
    "an empty body": Scripted(200, b""),
    "no JSON": Scripted(200, f"hello {CANARY}".encode()),
    "half of the JSON": Scripted(200, b'{"data": {"issue": {"id": "5f'),
    "bytes that are no text": Scripted(200, b"\xff\xfe\x00\x01"),
    "too many brackets": Scripted(200, b"[" * 200_000),
    "a number without end": Scripted(200, b'{"data": ' + b"9" * 10_000),
    "too long": Scripted(200, b" " * 200_000),
    "no gzip": Scripted(200, b"no gzip", {"content-encoding": "gzip"}),
    "a list": scripted([]),
    "a number": scripted(5),
    "null": scripted(None),
    "data is null": scripted({"data": None}),
    "data is a list": scripted({"data": [ISSUE]}),
    "data without an issue": scripted({"data": {"other": 1}}),
    "the issue is null": scripted({"data": {"issue": None}}),
    "the issue is a text": scripted({"data": {"issue": CANARY}}),
    "no identifier": issue(identifier=...),
    "no state": issue(state=None),
    "a state without a type": issue(state={"name": CANARY}),
    "a date that is none": issue(updatedAt="yesterday"),
    "another issue": issue(identifier="AI-1"),
    "errors that are none": scripted({"data": None, "errors": "x"}),
    "an error without a code": scripted({"data": None, "errors": [{"message": CANARY}]}),
    "errors of odd kinds": scripted({"errors": [None, 5, {"extensions": []}]}, 400),
    "the document is refused": error("GRAPHQL_VALIDATION_FAILED"),
    "the variables are refused": error("INVALID_INPUT"),
    "an error inside": error("INTERNAL_SERVER_ERROR", 200),
    "the key is refused": error("AUTHENTICATION_ERROR", 401),
    "the key is refused by 400": error("AUTHENTICATION_ERROR", 400),
    "forbidden": error("FORBIDDEN", 403),
    "401 without a body": Scripted(401, b""),
    "limited": error("RATELIMITED"),
    "limited until a date": error("RATELIMITED", reset="1767268890000"),
    "limited until long ago": error("RATELIMITED", reset="5"),
    "limited until a word": error("RATELIMITED", reset="soon"),
    "limited by 429": Scripted(429, b""),
    "a page with 200": Scripted(200, b"<html>Sign in</html>", {"content-type": "text/html"}),
    "JSON with a byte order mark twice": Scripted(200, b"\xef\xbb\xbf\xef\xbb\xbf{}"),
    "compressed, which was not asked for": Scripted(
        200, gzip.compress(ANSWER), {"content-encoding": "gzip"}
    ),
    "400 without a body": Scripted(400, b""),
    "400 in HTML": Scripted(400, b"<html>Bad request</html>", {"content-type": "text/html"}),
    "429 with a time": Scripted(429, b"", {"retry-after": "Thu, 01 Jan 2026 13:00:00 GMT"}),
    "limited until the end of time": error("RATELIMITED", reset="9" * 18),
    "limited by a clock of 1970": error("RATELIMITED", reset="5", date=LONG_AGO),
    "limited by a clock of 2199": error("RATELIMITED", reset="5", date=FAR_AHEAD),
    "an error beside an issue that is null": scripted(
        {"data": {"issue": None}, "errors": [{"message": CANARY, "path": ["issue"]}]}
    ),
    "an error beside half of the issue": issue(team=None, state=None),
    "the issue is a list": scripted({"data": {"issue": [ISSUE]}}),
    "the fields are of other types": issue(id=5, identifier=[], title={}, team="AI"),
    "moved elsewhere": Scripted(302, b"", {"location": "http://127.0.0.1:9/elsewhere"}),
    "moved for ever": Scripted(308, b"", {"location": "/graphql"}),
    "not there": Scripted(404, b"Not found"),
    "no content": Scripted(204, b""),
    "a teapot": Scripted(418, CANARY.encode()),
}


class Whole(logging.Formatter):
    """Everything that a record holds, and of a traceback all local variables."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{record.levelname} {record.name} {super().format(record)}"
        return f"{line} {vars(record)!r}{_traceback(record)}"


def _traceback(record: logging.LogRecord) -> str:
    if record.exc_info is None or record.exc_info[1] is None:
        return ""
    return "".join(
        TracebackException.from_exception(record.exc_info[1], capture_locals=True).format()
    )


def log_of_everything() -> Iterator[io.StringIO]:
    """Yield all that anything logs, at the lowest level and unfiltered, with tracebacks."""
    stream, root = io.StringIO(), logging.getLogger()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Whole())
    names = (None, "httpx", "httpcore", "asyncio")
    levels = {name: logging.getLogger(name).level for name in names}
    root.addHandler(handler)
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def told(log: io.StringIO) -> list[str]:
    """Our own lines; none of the others' may tell the key or a title, either."""
    lines = log.getvalue().splitlines()
    assert not [line for line in lines if CANARY in line or KEY in line]
    return [line for line in lines if line.startswith(("WARNING bot", "ERROR bot"))]
