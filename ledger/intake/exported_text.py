"""The bytes of an export as a parser of JSON takes them."""

import io

import regex

from ledger.intake.files import unpacked

MESSAGE_LIMIT_BYTES = 4_194_304
"""No message of Telegram's comes near it."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# Telegram Desktop writes control characters as \x0B, which is no JSON.
_CONTROL = regex.compile(rb"(?<!\\)((?:\\\\)*)\\x([0-9A-Fa-f]{2})")
_UNFINISHED = regex.compile(rb"(?<!\\)(?:\\\\)*(\\(?:x[0-9A-Fa-f]?)?)\Z")


class EndlessMessageError(Exception):
    """A message that is too long to hold in memory."""


class ExportedText:
    """Reads an export, plain or gzipped, mends its escapes, and stops at what would never end."""

    def __init__(self, stream: io.BufferedReader) -> None:
        """Read from where `stream` stands; it stays open, it is the caller's."""
        self.is_at_end = False
        self._stream = unpacked(stream)
        self._begins = True
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
            mended = self._mended(self._read(size))
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

    def _mended(self, read: bytes) -> bytes:
        if not self._kept and b"\\" not in read:
            return read
        text, self._kept = self._kept + read, b""
        unfinished = None if self.is_at_end else _UNFINISHED.search(text)
        if unfinished is not None:
            text, self._kept = text[: unfinished.start(1)], unfinished[1]
        return _CONTROL.sub(rb"\1\\u00\2", text) if b"\\x" in text else text
