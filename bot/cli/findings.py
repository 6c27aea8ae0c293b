"""Results of the doctor's checks."""

from typing import NamedTuple

OK, NOTE, BAD = "ok", "note", "bad"


class Finding(NamedTuple):
    """The result of one check: ok, a note, or bad."""

    check: str
    state: str
    detail: str
