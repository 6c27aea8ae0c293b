"""Both second opinions on what goes over the wire, joined."""

from typing import Any

from tests.telegram import oracle, schema
from tests.telegram.wire import Request


def complaints_of(asked: Request) -> list[str]:
    """The faults of a request, by the API's schema and by aiogram."""
    given = asked.parameters | asked.files
    attached = {
        name: value
        for name, value in given.items()
        if f"attach://{name}" not in map(str, asked.parameters.values())
    }
    complaints = schema.complaints_about(asked.method, attached) if schema.SCHEMA else []
    return complaints or oracle.complaints_about_request(asked.method, attached)


def complaints_about_update(update: dict[str, Any]) -> list[str]:
    """The faults of an update that a test sends."""
    complaints = schema.complaints_about_value("Update", update) if schema.SCHEMA else []
    return complaints or oracle.complaints_about_update(update)
