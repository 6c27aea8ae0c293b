"""User maps: CSV files that map addresses to user ids."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from ledger.csv_header import InvalidHeaderError, Names, beginning_of, columns_of
from ledger.errors import InvalidInteractionError
from ledger.intake.history import UnreadableHistoryError
from ledger.spreadsheets import check_user
from ledger.validation import UserId, user_id_of

LEFT_OUT = "-"
"""The value in place of a user id that leaves an address out."""

Row = tuple[str, str, str, int]
"""An address, its user id, its name, and the number of its commits."""

_NAMES = Names(required=("address", "user_id"))


def read_user_map(lines: Iterable[bytes]) -> dict[str, UserId | None]:
    """Return the user ids by address in lower case, with None for addresses that are left out.

    The first line names the columns address and user_id, possibly among others, in any order. An
    address without a user id is ignored. Raises UnreadableHistoryError with the line of an error,
    without repeating addresses or ids.
    """
    rows = _rows(lines)
    first, header = next(rows, (1, []))
    try:
        columns = columns_of(header, _NAMES)
    except InvalidHeaderError:
        raise _wrong(first, "the header must name address and user_id, each once") from None
    users: dict[str, UserId | None] = {}
    for line, row in rows:
        if len(row) != len(header):
            raise _wrong(line, f"has {len(row)} fields where the header has {len(header)}")
        address, user = (row[columns[name]] for name in _NAMES.required)
        if user:
            _add(users, line, _address(line, address), _user_id(line, user))
    return users


def user_map_of(rows: Iterable[Row]) -> str:
    """Return the text of a file with these rows for `read_user_map`."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow((*_NAMES.required, "name", "commits"))
    writer.writerows(rows)
    return file.getvalue()


def _add(users: dict[str, UserId | None], line: int, address: str, user: UserId | None) -> None:
    if users.setdefault(address, user) != user:
        raise _wrong(line, "gives another user id for an address of an earlier line")


def _rows(lines: Iterable[bytes]) -> Iterator[tuple[int, Sequence[str]]]:
    texts = _Texts(lines)
    reader = None
    while True:
        line = texts.read + 1
        try:
            if reader is None:
                reader, before = _reader(texts)
                line = before + 1
            row = next(reader, None)
        except UnicodeDecodeError:
            raise _wrong(line, "is not in UTF-8") from None
        except InvalidHeaderError as error:
            raise _wrong(texts.read, str(error)) from None
        except csv.Error as error:
            raise _wrong(line, f"is not CSV: {error}") from None
        if row is None:
            return
        if row:
            yield line, row


def _reader(texts: "_Texts") -> tuple[Iterator[list[str]], int]:
    separator, before, rest = beginning_of(texts, _NAMES.known.__contains__)
    return csv.reader(rest, strict=True, delimiter=separator), before


class _Texts(Iterator[str]):
    """Lines decoded from UTF-8, with the number of the current one."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self.read = 0
        self._lines = iter(lines)

    def __next__(self) -> str:
        line = next(self._lines)
        self.read += 1
        return line.decode("utf-8-sig")


def _address(line: int, text: str) -> str:
    address = text.strip().strip("<>").lower()
    if not address:
        raise _wrong(line, "has no address")
    return address


def _user_id(line: int, text: str) -> UserId | None:
    if text.strip() == LEFT_OUT:
        return None
    try:
        check_user(text)
        return user_id_of(text)
    except InvalidInteractionError as error:
        raise _wrong(line, str(error)) from None


def _wrong(line: int, reason: str) -> UnreadableHistoryError:
    return UnreadableHistoryError(f"line {line}: {reason}")
