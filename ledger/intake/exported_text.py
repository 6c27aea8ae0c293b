"""Repair of invalid JSON in the texts of an export."""

import re

SPOILT = "\ufdd0"
"""Stands for each byte that is not UTF-8 and for each half of a surrogate pair.

Unicode reserves this noncharacter for programs, so no text contains it.
"""

_NO_UTF8 = re.compile("[\udc80-\udcff]")  # as it is decoded

_HIGH, _LOW = rb"u[dD][89abAB][0-9A-Fa-f]{2}", rb"u[dD][c-fC-F][0-9A-Fa-f]{2}"
# A pair is a character; Telegram Desktop writes control characters as \x0B, which is not JSON.
_ODD = re.compile(
    rb"\\(?:\\|" + _HIGH + rb"\\" + _LOW + rb"|x([0-9A-Fa-f]{2})|(" + _HIGH + b"|" + _LOW + b"))"
)


def mended(raw: bytes) -> bytes:
    """Return a value as valid JSON, with SPOILT for invalid characters."""
    text = raw.decode("utf-8", "surrogateescape")
    return _ODD.sub(_escaped, _NO_UTF8.sub(SPOILT, text).encode())


def _escaped(odd: re.Match[bytes]) -> bytes:
    if odd[1] is not None:
        return rb"\u00" + odd[1]
    return odd[0] if odd[2] is None else SPOILT.encode()
