"""The spool's line format: one entry per line, with a checksum, validated by R1 when read.

A line is the CRC-32 of the rest as eight hexadecimal digits, a space, and JSON: the entry's type,
the entry and, if the gate could not decide, its sender. Older lines are JSON alone.
"""

import re
import zlib
from typing import NamedTuple

import msgspec

from bot.classification import Entry, Migration, Sender
from ledger.commands import Hiding, Interaction, OptOut, checked, checked_hiding, checked_opt_out
from ledger.errors import InvalidInteractionError

_TYPES: dict[str, type[Entry]] = {
    "interaction": Interaction,
    "hiding": Hiding,
    "opt-out": OptOut,
    "migration": Migration,
}
_NAMES = {each: name for name, each in _TYPES.items()}
_CHECKED = re.compile(rb"([0-9a-f]{8}) (.*)\n", re.DOTALL)


class UnreadableLineError(Exception):
    """A line that is damaged, or whose entry breaks R1."""


class Waiting(NamedTuple):
    """A waiting entry, and its sender if the gate has not decided about them yet."""

    entry: Entry
    sender: Sender | None = None


def line_of(waiting: Waiting) -> bytes:
    """Encode a waiting entry for `read`."""
    entry, sender = waiting
    parts = (_NAMES[type(entry)], entry) if sender is None else (_NAMES[type(entry)], *waiting)
    content = msgspec.json.encode(parts)
    return b"%08x %b\n" % (zlib.crc32(content), content)


def read(line: bytes) -> Waiting:
    """Decode `line`; raises UnreadableLineError."""
    try:
        name, entry, *sender = msgspec.json.decode(_content_of(line), type=list[msgspec.Raw])
        return Waiting(
            _checked(msgspec.json.decode(entry, type=_TYPES[msgspec.json.decode(name, type=str)])),
            msgspec.json.decode(sender[0], type=Sender) if sender else None,
        )
    except (msgspec.MsgspecError, InvalidInteractionError, ValueError, LookupError) as error:
        raise UnreadableLineError(type(error).__name__) from None


def is_readable(line: bytes) -> bool:
    """Whether `read` can decode `line`."""
    try:
        read(line)
    except UnreadableLineError:
        return False
    return True


def is_of(line: bytes, user_id: str) -> bool:
    """Whether `line` may be about a user, as a damaged one may."""
    try:
        content = msgspec.json.decode(_content_of(line))
        return str(content[1].get("user_id")) == user_id
    except (msgspec.MsgspecError, UnreadableLineError, ValueError, LookupError, AttributeError):
        return True


def _content_of(line: bytes) -> bytes:
    if line.startswith(b"["):
        return line
    found = _CHECKED.fullmatch(line)
    if found is None or int(found[1], 16) != zlib.crc32(found[2]):
        raise UnreadableLineError("checksum")
    return found[2]


def _checked(entry: Entry) -> Entry:
    # Decoding a struct does not check what `interaction_of` checks.
    match entry:
        case Interaction():
            return checked(entry)
        case Hiding():
            return checked_hiding(entry)
        case OptOut():
            return checked_opt_out(entry)
        case Migration():
            return entry
