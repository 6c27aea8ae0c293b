"""Filters, read as Linear reads them."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

Node = Mapping[str, Any]
Filter = Mapping[str, Any]


def lets_through(filter_: Filter, issue: Node) -> bool:
    """Whether `issue` passes: every key of the filter must agree."""
    return all(_agrees(name, value, issue) for name, value in filter_.items())


def _agrees(name: str, value: Any, issue: Node) -> bool:  # noqa: ANN401 - each key has its own
    match name:
        case "and":
            return all(lets_through(each, issue) for each in value)
        case "or":
            return any(_is_alternative(each, issue) for each in value)
        case "number":
            return issue["number"] in value.get("in", ())
        case "team":
            key: bool = issue["team"]["key"] == value.get("key", {}).get("eq")
            return key
        case "updatedAt":
            return _moment(issue["updatedAt"]) > _moment(value["gt"])
    raise ValueError("the schema has no other")


def _is_alternative(entry: Filter, issue: Node) -> bool:
    """Read an entry of `or`: several keys of it are alternatives, too, as Linear has it."""
    return any(_agrees(name, value, issue) for name, value in entry.items())


def _moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def holds_null(value: object) -> bool:
    """Whether a filter contains a null, which Linear refuses."""
    if isinstance(value, Mapping):
        return any(map(holds_null, value.values()))
    return any(map(holds_null, value)) if isinstance(value, list) else value is None
