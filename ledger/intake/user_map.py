"""Who people are: a CSV file that gives user ids for addresses."""

import csv
from collections.abc import Iterable, Iterator

from ledger.errors import InvalidInteractionError
from ledger.intake.history import UnreadableHistoryError
from ledger.text import UserId, user_id_of

_COLUMNS = ("address", "user_id")


def read_user_map(lines: Iterable[bytes]) -> dict[str, UserId]:
    """Return the user ids by their addresses in lower case.

    The first line names the columns address and user_id, among others or not, in any order. Raises
    UnreadableHistoryError with the line of what is wrong, and repeats no address and no id.
    """
    rows = _rows(lines)
    _, header = next(rows, (1, []))
    names = [name.strip() for name in header]
    if any(names.count(name) != 1 for name in _COLUMNS):
        raise UnreadableHistoryError("line 1: the header must name address and user_id, each once")
    users: dict[str, UserId] = {}
    for line, row in rows:
        if len(row) != len(names):
            raise _wrong(line, f"has {len(row)} fields where the header has {len(names)}")
        address, user = (row[names.index(name)] for name in _COLUMNS)
        user_id = _user_id(line, user)
        if users.setdefault(_address(line, address), user_id) != user_id:
            raise _wrong(line, "gives another user id for an address that stands above")
    return users


def _rows(lines: Iterable[bytes]) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(map(_text, lines), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader, None)
        except UnicodeDecodeError:
            raise _wrong(line, "is not in UTF-8") from None
        except csv.Error as error:
            raise _wrong(line, f"is no CSV: {error}") from None
        if row is None:
            return
        if row:
            yield line, row


def _text(line: bytes) -> str:
    return line.decode("utf-8-sig")


def _address(line: int, text: str) -> str:
    address = text.strip().strip("<>").lower()
    if not address:
        raise _wrong(line, "has no address")
    return address


def _user_id(line: int, text: str) -> UserId:
    try:
        return user_id_of(text)
    except InvalidInteractionError as error:
        raise _wrong(line, str(error)) from None


def _wrong(line: int, reason: str) -> UnreadableHistoryError:
    return UnreadableHistoryError(f"line {line}: {reason}")
