"""Both second opinions on what goes over the wire, joined."""

from typing import Any

from tests.support.telegram import aiogram_oracle, schema_oracle
from tests.support.telegram.http_messages import Request


def complaints_of(asked: Request) -> list[str]:
    """The faults of a request, by the API's schema and by aiogram."""
    given = asked.parameters | asked.files
    attached = {
        name: value
        for name, value in given.items()
        if f"attach://{name}" not in map(str, asked.parameters.values())
    }
    complaints = (
        schema_oracle.complaints_about(asked.method, attached) if schema_oracle.SCHEMA else []
    )
    return complaints or aiogram_oracle.complaints_about_request(asked.method, attached)


def complaints_about_update(update: dict[str, Any]) -> list[str]:
    """The faults of an update that a test sends."""
    complaints = (
        schema_oracle.complaints_about_value("Update", update) if schema_oracle.SCHEMA else []
    )
    return complaints or aiogram_oracle.complaints_about_update(update)
