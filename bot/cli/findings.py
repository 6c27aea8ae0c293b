"""What the doctor says."""

from typing import NamedTuple

OK, NOTE, BAD = "ok", "note", "bad"


class Finding(NamedTuple):
    """One thing that was looked at: ok, a note to know of, or bad."""

    check: str
    state: str
    detail: str
