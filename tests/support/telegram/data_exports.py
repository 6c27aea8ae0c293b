"""The contents of the bot's exports."""

import io
import json
import zipfile
from typing import Any


def exported(content: bytes) -> list[dict[str, Any]]:
    """The events in one file of an export."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        (name,) = archive.namelist()
        events: list[dict[str, Any]] = json.loads(archive.read(name))
    return events
