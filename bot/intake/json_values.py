"""JSON that is read value by value, so that a broken value does not affect the others.

A parser stops at the first error, and Telegram Desktop writes invalid JSON. So this reader finds
where values begin and end, and a parser reads each of them separately.
"""

import io
import re
from collections.abc import Iterator
from contextlib import suppress

import msgspec

from ledger.application import unpacked

# Repair of invalid JSON in the texts of an export.

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


VALUE_LIMIT_BYTES = 4_194_304
"""Far above the size of any message."""

_CHUNK_BYTES = 65_536
_BEGINNING_BYTES = 200
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# A string ends with its line at the latest: JSON has no line ends within strings.
_STRING = rb'"(?:[^"\\\n]++|\\[^\n])*+["\n]'
_WHOLE_STRING = re.compile(_STRING)
_REST_OF_STRING = re.compile(rb'(?:[^"\\\n]++|\\[^\n])*+')
_UP_TO_BRACKET = re.compile(rb'(?:[^"{}\[\]]++|' + _STRING + rb")*+[{}\[\]]")
_WORD = re.compile(rb'[^\s",\[\]{}][^",\[\]{}\n]*+|[\s\S]')  # a number, or what should be one
_AFTER_WORD = re.compile(rb'[",\[\]{}\n]')
_MARK = re.compile(rb'["{}\[\]]')
_BLANKS = re.compile(rb"\s*+")
_BETWEEN_VALUES = re.compile(rb"[\s,:]*+")
_DEEPER = {b"{"[0]: 1, b"["[0]: 1, b"}"[0]: -1, b"]"[0]: -1}


class BrokenValueError(Exception):
    """A value that is invalid, too long or nested too deep; `begins` are its first bytes."""

    def __init__(self, reason: str, begins: bytes) -> None:
        """Hold both; the reason does not quote the value."""
        super().__init__(reason)
        self.begins = begins[:_BEGINNING_BYTES]


class ExportedJson:
    """A pull parser of a file, plain or gzipped, in constant memory.

    Each method continues where the previous one stopped, and raises EOFError if the file ends too
    early.
    """

    def __init__(self, stream: io.BufferedReader) -> None:
        """Read from the position of `stream`, which the caller closes."""
        self._stream = unpacked(stream)
        self._at = 0
        self._buffer = self._stream.read(_CHUNK_BYTES).removeprefix(_BYTE_ORDER_MARK)
        self._line_end: bytes | None = None
        """The end of a value that begins here, if it is printed over several lines."""

    @property
    def beginning(self) -> bytes:
        """The next unread bytes."""
        return self._buffer[self._at : self._at + _BEGINNING_BYTES]

    def next_byte(self) -> bytes:
        """Return the first byte of the next value or the closing bracket; empty at the end.

        Separators are skipped; that byte itself stays unread.
        """
        return self._after(_BETWEEN_VALUES)

    def fields(self) -> Iterator[bytes]:
        """Walk through an object, yielding each key in its quotes; the caller reads its value."""
        self._pass(self._at + 1)
        while (byte := self.next_byte()) != b"}":
            if not byte:
                raise EOFError
            if byte != b'"':
                self.skip()  # not a key, but the rest of a broken value
                continue
            key = self._raw()
            if key is not None and self._passes_colon():
                yield key
        self._pass(self._at + 1)

    def elements(self) -> Iterator[int]:
        """Walk through a list, yielding each element's number; the caller reads the element."""
        self._pass(self._at + 1)
        number = 0
        while (byte := self.next_byte()) != b"]":
            if not byte:
                raise EOFError
            number += 1
            yield number
        self._pass(self._at + 1)

    def value(self) -> object:
        """Return the next value; raises BrokenValueError after skipping a broken one."""
        self.next_byte()
        begins, line_end = self.beginning, self._line_end
        raw = self._printed(line_end) if line_end is not None else None
        if raw is not None:
            with suppress(ValueError, RecursionError):
                value: object = msgspec.json.decode(raw)
                self._pass(self._at + len(raw))
                return value
        raw = self._raw()
        if raw is None:
            raise BrokenValueError(f"is longer than {VALUE_LIMIT_BYTES:,} bytes", begins)
        try:
            return _decoded(raw)
        except RecursionError:
            raise BrokenValueError("is nested too deep", begins) from None
        except ValueError:
            if line_end is not None and not raw.endswith(line_end):
                self._pass_over_rest(line_end)
            raise BrokenValueError("is not JSON", begins) from None

    def _printed(self, line_end: bytes) -> bytes | None:
        # No string contains a line end, so this is the value if it is valid at all.
        end = self._buffer.find(line_end, self._at)
        return self._buffer[self._at : end + len(line_end)] if end >= 0 else None

    def skip(self) -> None:
        """Skip the next value, however long it is."""
        byte = self.next_byte()
        if byte == b'"':
            self._skip_string()
        elif byte in {b"{", b"["}:
            self._skip_nested()
        elif byte:
            self._pass(self._at + 1)
            self._skip_to(_AFTER_WORD)

    def _raw(self) -> bytes | None:
        """Return the bytes of the next value, or None if it was too long."""
        byte = self.next_byte()
        if byte in {b"{", b"["}:
            length = self._nested_length()
        else:
            length = self._length(_WHOLE_STRING if byte == b'"' else _WORD)
        if length is None:
            self.skip()
            return None
        self._pass(self._at + length)
        return self._buffer[self._at - length : self._at]

    def _length(self, pattern: re.Pattern[bytes]) -> int | None:
        while True:
            found = pattern.match(self._buffer, self._at)
            if found and (pattern is _WHOLE_STRING or found.end() < len(self._buffer)):
                return found.end() - self._at
            if self._is_too_long():
                return None
            if not self._fill():
                if found:
                    return found.end() - self._at
                raise EOFError

    def _nested_length(self) -> int | None:
        line_end, depth, length = self._line_end, 0, 0
        while True:
            found = _UP_TO_BRACKET.match(self._buffer, self._at + length)
            if found is None:
                if self._is_too_long():
                    return None
                self._more()
                continue
            length = found.end() - self._at
            depth += _DEEPER[self._buffer[found.end() - 1]]
            # The indentation shows the end even if brackets do not match.
            if depth <= 0 or (line_end and self._buffer.endswith(line_end, 0, found.end())):
                return length

    def _is_too_long(self) -> bool:
        return len(self._buffer) - self._at > VALUE_LIMIT_BYTES

    def _skip_nested(self) -> None:
        depth = 0
        while True:
            self._skip_to(_MARK)
            mark = self._buffer[self._at]
            if mark == b'"'[0]:
                self._skip_string()
                continue
            self._pass(self._at + 1)
            depth += _DEEPER[mark]
            if depth <= 0:
                return

    def _skip_string(self) -> None:
        self._pass(self._at + 1)
        while True:
            rest = _REST_OF_STRING.match(self._buffer, self._at)
            self._at = rest.end() if rest else self._at
            ahead = self._buffer[self._at : self._at + 2]
            if ahead and ahead != b"\\":
                self._at += 2 if ahead == b"\\\n" else 1
                return
            self._more()

    def _skip_to(self, mark: re.Pattern[bytes]) -> None:
        while (found := mark.search(self._buffer, self._at)) is None:
            self._at = len(self._buffer)
            self._more()
        self._at = found.start()

    def _pass_over_rest(self, line_end: bytes) -> None:
        """Skip the rest of a broken value, up to where its lines end."""
        line = re.compile(re.escape(line_end[:-1]) + rb"([{}])")
        while not (found := line.search(self._buffer, self._at)):
            if self._is_too_long() or not self._fill():
                return
        if found[1] == b"}":
            self._at = found.end()

    def _passes_colon(self) -> bool:
        if self._after(_BLANKS) != b":":
            return False
        self._pass(self._at + 1)
        return self._after(_BLANKS) not in {b",", b"}", b""}

    def _after(self, passed: re.Pattern[bytes]) -> bytes:
        blank = b""
        while True:
            found = passed.match(self._buffer, self._at)
            if found and found.end() > self._at:
                blank = (blank + found[0])[-_BEGINNING_BYTES:]
                self._pass(found.end())
            if self._at < len(self._buffer) - 1 or not self._fill():
                if blank:
                    self._line_end = self._end_of_lines(blank)
                return self._buffer[self._at : self._at + 1]

    def _end_of_lines(self, blank: bytes) -> bytes | None:
        _, begins_line, indent = blank.rpartition(b"\n")
        goes_on = self._buffer[self._at + 1 : self._at + 2] in {b"\n", b"\r"}
        return b"\n" + indent + b"}" if begins_line and goes_on else None

    def _pass(self, to: int) -> None:
        self._at, self._line_end = to, None

    def _more(self) -> None:
        if not self._fill():
            raise EOFError

    def _fill(self) -> bool:
        rest = self._buffer[self._at :]
        # Doubles the buffer, so that searching a long value again costs little.
        read = self._stream.read(max(_CHUNK_BYTES, len(rest)))
        self._buffer, self._at = rest + read, 0
        return bool(read)


def _decoded(raw: bytes) -> object:
    try:
        return msgspec.json.decode(raw)
    except ValueError:
        return msgspec.json.decode(mended(raw))
