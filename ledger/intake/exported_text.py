"""The bytes of an export as a parser of JSON takes them."""

import codecs
import io
import re

from ledger.intake.files import unpacked

MESSAGE_LIMIT_BYTES = 4_194_304
"""No message of Telegram's comes near it."""

SPOILT = "\ufdd0"
"""Stands for each byte that is no UTF-8 and for each half of a surrogate pair.

Unicode leaves this one to programs: nobody can write it.
"""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NO_UTF8 = re.compile("[\udc80-\udcff]")  # as it is decoded

_HIGH, _LOW = rb"u[dD][89abAB][0-9A-Fa-f]{2}", rb"u[dD][c-fC-F][0-9A-Fa-f]{2}"
# A pair is a character; Telegram Desktop writes control characters as \x0B, which is no JSON.
_ODD = re.compile(
    rb"\\(?:\\|" + _HIGH + rb"\\" + _LOW + rb"|x([0-9A-Fa-f]{2})|(" + _HIGH + b"|" + _LOW + b"))"
)
_LONGEST = len(rb"\ud83d\ude00")
_UP_TO_LOW = rb"(?:\\(?:u[0-9A-Fa-f]{0,3})?)?"
_UNFINISHED = re.compile(
    rb"(?<!\\)(?:\\\\)*(\\(?:x[0-9A-Fa-f]?|u[0-9A-Fa-f]{0,3}|" + _HIGH + _UP_TO_LOW + rb")?)\Z"
)


class EndlessMessageError(Exception):
    """A message that is too long to hold in memory."""


class ExportedText:
    """Reads an export, plain or gzipped, mends its escapes, and stops at what would never end."""

    def __init__(self, stream: io.BufferedReader) -> None:
        """Read from where `stream` stands; it stays open, it is the caller's."""
        self.is_at_end = False
        self._stream = unpacked(stream)
        self._begins = True
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._kept = b""
        self._since_mark = 0

    def mark(self) -> None:
        """Begin another message here."""
        self._since_mark = 0

    def read(self, size: int) -> bytes:
        """Return about `size` bytes, none at the end.

        Raises EndlessMessageError where MESSAGE_LIMIT_BYTES were read since the last mark.
        """
        mended = b""
        while size > 0 and not mended and not self.is_at_end:  # nothing would mean the end
            mended = self._mended(self._in_utf8(self._read(size)))
        return mended

    def _read(self, size: int) -> bytes:
        if self._since_mark > MESSAGE_LIMIT_BYTES:
            raise EndlessMessageError
        read = self._stream.read(size)
        self._since_mark += len(read)
        self.is_at_end = not read
        if self._begins:
            self._begins = False
            return read.removeprefix(_BYTE_ORDER_MARK)
        return read

    def _in_utf8(self, read: bytes) -> bytes:
        text = self._decoder.decode(read, final=self.is_at_end)
        try:
            return text.encode()
        except UnicodeEncodeError:
            return _NO_UTF8.sub(SPOILT, text).encode()

    def _mended(self, read: bytes) -> bytes:
        if not self._kept and b"\\" not in read:
            return read
        text, self._kept = self._kept + read, b""
        begins = len(text[:-_LONGEST].rstrip(b"\\"))  # where no escape is cut
        unfinished = None if self.is_at_end else _UNFINISHED.search(text, begins)
        if unfinished is not None:
            text, self._kept = text[: unfinished.start(1)], unfinished[1]
        return _ODD.sub(_escaped, text)


def _escaped(odd: re.Match[bytes]) -> bytes:
    if odd[1] is not None:
        return rb"\u00" + odd[1]
    return odd[0] if odd[2] is None else SPOILT.encode()
