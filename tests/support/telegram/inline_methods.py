"""The methods that answer inline queries and guest messages."""

import re
from typing import Any

from tests.support.telegram import entities
from tests.support.telegram.entities import TEXT_LIMIT, refuse_length
from tests.support.telegram.errors import bad_request
from tests.support.telegram.http_messages import Request
from tests.support.telegram.keyboards import refuse_markup
from tests.support.telegram.server_state import InlineAnswer, Result, ServerState

RESULTS_LIMIT = 50
RESULT_ID_BYTES = 64
START_PARAMETER = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


def answer_inline_query(state: ServerState, request: Request) -> bool:
    """`answerInlineQuery`: each query is answered once."""
    query_id = _taken(state, request, "inline_query_id")
    results = [_result(state, request, each) for each in request.parameters["results"]]
    if len(results) > RESULTS_LIMIT:
        raise bad_request("RESULTS_TOO_MUCH")
    if len({each.id for each in results}) < len(results):
        raise bad_request("RESULT_ID_DUPLICATE")
    button = request.parameters.get("button") or {}
    if button and not START_PARAMETER.match(button.get("start_parameter", "")):
        raise bad_request("START_PARAM_INVALID")
    line = button.get("text", "")
    state.inline_answers[query_id] = InlineAnswer(results, line, request.parameters)
    return True


def answer_guest_query(state: ServerState, request: Request) -> dict[str, str]:
    """`answerGuestQuery`: each guest message is answered once."""
    query_id = _taken(state, request, "guest_query_id")
    state.guest_answers[query_id] = _result(state, request, request.parameters["result"])
    return {"inline_message_id": f"guest-{query_id}"}


def _taken(state: ServerState, request: Request, name: str) -> str:
    query_id = str(request.parameters[name])
    if query_id not in state.inline_queries:
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    state.inline_queries.remove(query_id)
    return query_id


def _result(state: ServerState, request: Request, given: dict[str, Any]) -> Result:
    if not 1 <= len(given["id"].encode()) <= RESULT_ID_BYTES:
        raise bad_request("RESULT_ID_INVALID")
    if not given["title"].strip():
        raise bad_request("ARTICLE_TITLE_EMPTY")
    content, markup = given["input_message_content"], given.get("reply_markup") or {}
    parsed = entities.read(content["message_text"], content.get("parse_mode"))
    refuse_length(parsed.text, TEXT_LIMIT)
    if not parsed.ampersands_escaped:
        state.complaints.append(f"{request.method}: an ampersand is not escaped")
    refuse_markup(markup)
    buttons = [button for row in markup.get("inline_keyboard", []) for button in row]
    description = given.get("description", "")
    return Result(given["id"], given["title"], description, parsed.text, parsed.entities, buttons)
