"""The Bot API's own description, machine-readable: which method takes and which type has what.

It lies beside the repository; if it is absent, `SCHEMA` is None and nothing is checked.
"""

import json
from pathlib import Path
from typing import Any

from tests.support.telegram.http_messages import Upload

PATH = Path(__file__).parents[3] / "../shared/telegram/bot-api-10.0.json"
SCHEMA: dict[str, Any] | None = json.loads(PATH.read_text()) if PATH.exists() else None
ABSENT = "the Bot API's description is not beside the repository"

_PLAIN: dict[str, type | tuple[type, ...]] = {
    "Integer": int,
    "Float": (int, float),
    "String": str,
    "Boolean": bool,
    "InputFile": Upload,
}
_ARRAY = "Array of "


def complaints_about(method: str, parameters: dict[str, Any]) -> list[str]:
    """The faults of a request: an unknown method or parameter, a missing one, a wrong type.

    A value may still be JSON in a string, as it came over the wire.
    """
    if SCHEMA is None:
        return []
    known = SCHEMA["methods"].get(method)
    if known is None:
        return [f"{method}: no such method"]
    return _against_fields(method, known.get("fields", []), parameters)


def complaints_about_value(type_name: str, value: Any) -> list[str]:
    """The faults of a value of a type, at every depth."""
    return _wrong(type_name, [type_name], value)


def _against_fields(where: str, fields: list[dict[str, Any]], given: dict[str, Any]) -> list[str]:
    known = {field["name"]: field for field in fields}
    unknown = [f"{where}: unknown field {name}" for name in given if name not in known]
    missing = [
        f"{where}: {field['name']} is missing"
        for field in fields
        if field["required"] and field["name"] not in given
    ]
    wrong = [
        complaint
        for name, value in given.items()
        if name in known
        for complaint in _wrong(f"{where}.{name}", known[name]["types"], value)
    ]
    return unknown + missing + wrong


def _wrong(where: str, types: list[str], value: Any) -> list[str]:
    """Nothing if the value fits one of the types, else what the nearest of them misses."""
    attempts = [_misfits(where, name, value) for name in types]
    if all(attempts) and isinstance(value, str) and "String" not in types:
        decoded = _from_json(value)
        if decoded is not None:
            attempts = [_misfits(where, name, decoded) for name in types]
    return min(attempts, key=len)


def _misfits(where: str, type_name: str, value: Any) -> list[str]:
    if type_name.startswith(_ARRAY):
        if not isinstance(value, list):
            return [f"{where}: not an {type_name}"]
        inner = [type_name.removeprefix(_ARRAY)]
        return [c for i, item in enumerate(value) for c in _wrong(f"{where}[{i}]", inner, item)]
    if type_name in _PLAIN:
        fits = isinstance(value, _PLAIN[type_name])
        fits = fits and (type_name == "Boolean" or not isinstance(value, bool))
        return [] if fits else [f"{where}: not of type {type_name}"]
    return _object(where, type_name, value)


def _object(where: str, type_name: str, value: Any) -> list[str]:
    assert SCHEMA is not None
    known = SCHEMA["types"][type_name]
    if known.get("subtypes"):
        return _wrong(where, known["subtypes"], value)
    if not isinstance(value, dict):
        return [f"{where}: not a {type_name}"]
    return _against_fields(where, known.get("fields", []), value)


def _from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
