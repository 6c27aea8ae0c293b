"""aiogram as a second opinion: its types know what the Bot API takes and sends.

They accept keys that they do not know, so what they put aside as extra is a complaint.
"""

from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any, Literal, Optional, Union
from unittest.mock import patch

from pydantic import BaseModel, ValidationError

from tests.support.telegram.http_messages import Upload

NEWER = frozenset({"can_send_welcome_messages"})
"""Fields that aiogram, which implements a newer Bot API, requires although 10.0 lacks them."""


@cache
def aiogram() -> ModuleType:
    """The library, imported when it is first asked for.

    It builds each of its 400 types again with everything in them, which takes 6 seconds of CPU; we
    keep it from that and build the few that are used, each when it is used.
    """
    with patch.object(BaseModel, "model_rebuild", classmethod(lambda *_, **__: None)):
        import aiogram as library  # noqa: PLC0415  (see above)

    return library


@cache
def built(model: type[BaseModel]) -> type[BaseModel]:
    """One of its types, with everything in it."""
    types = aiogram().types
    names = {name: getattr(types, name) for name in types.__all__}
    names |= {"List": list, "Optional": Optional, "Union": Union, "Literal": Literal}
    names["Default"] = aiogram().client.default.Default
    model.model_rebuild(_types_namespace=names)
    return model


def complaints_about_request(method: str, parameters: dict[str, Any]) -> list[str]:
    """The faults that aiogram finds in a request."""
    model = getattr(aiogram().methods, method[:1].upper() + method[1:], None)
    if model is None:
        return [f"{method}: aiogram knows no such method"]
    return _complaints(method, model, {k: _as_file(v) for k, v in parameters.items()})


def complaints_about_update(update: dict[str, Any]) -> list[str]:
    """The faults that aiogram finds in an update."""
    return _complaints("Update", aiogram().types.Update, update)


def _as_file(value: Any) -> Any:
    if not isinstance(value, Upload):
        return value
    return aiogram().types.BufferedInputFile(value.content, value.name)


def _complaints(where: str, model: type[BaseModel], given: dict[str, Any]) -> list[str]:
    try:
        read = built(model).model_validate(given)
    except ValidationError as error:
        wrong = [e for e in error.errors() if e["loc"][-1] not in NEWER]
        return [f"{where}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in wrong]
    return list(_extras(where, read))


def _extras(where: str, value: Any) -> Iterator[str]:
    if isinstance(value, list | tuple):
        for item in value:
            yield from _extras(where, item)
    elif isinstance(value, BaseModel):
        for name in value.model_extra or ():
            yield f"{where}: aiogram knows no field {name}"
        for name in value.model_fields_set - (value.model_extra or {}).keys():
            yield from _extras(f"{where}.{name}", getattr(value, name))
