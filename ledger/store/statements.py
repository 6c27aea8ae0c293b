"""Statements compiled once, and the decoding of what they return."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import starmap
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import Connection
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement

from ledger.errors import LedgerDamagedError, LedgerError

# Core statements compiled once and run on the DBAPI cursor, inside SQLAlchemy's transaction.
#
# SQLAlchemy's own execution costs about as much as a whole durable transaction; the generated SQL
# is the same either way. Parameters and results are plain integers, strings, floats and bytes, so
# no type needs conversion.

Row = Sequence[Any]
Read = TypeVar("Read")


class Statement:
    """A Core statement with positional parameters, in the order of `names`."""

    def __init__(self, construct: ClauseElement, *names: str) -> None:
        """Wrap `construct`, which is compiled on first use, once for each dialect."""
        self._construct = construct
        self._names = names
        self._sql: dict[str, str] = {}

    def run(self, connection: Connection, *parameters: object) -> Any:  # noqa: ANN401 - a DBAPI cursor
        """Execute once and return the DBAPI cursor, which iterates over rows as tuples."""
        cursor = connection.connection.cursor()
        cursor.execute(self._sql_for(connection.dialect), parameters)
        return cursor

    def finder(self, connection: Connection) -> Callable[..., Row | None]:
        """A function that executes with its arguments and returns the first row, if any."""
        cursor = connection.connection.cursor()
        sql = self._sql_for(connection.dialect)

        def find(*parameters: object) -> Row | None:
            cursor.execute(sql, parameters)
            row: Row | None = cursor.fetchone()
            return row

        return find

    def writer(self, connection: Connection) -> Callable[[Sequence[Row]], None]:
        """Return a function that executes once for each of the rows that it is given."""
        driver: Any = connection.connection.driver_connection
        sql = self._sql_for(connection.dialect)

        def write(rows: Sequence[Row]) -> None:
            # A new cursor each time: one that is kept would keep its statement, and the file open.
            driver.cursor().executemany(sql, rows)

        return write

    def run_many(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Execute once for each of `rows`, which may be empty."""
        if rows:
            self.writer(connection)(rows)

    def _sql_for(self, dialect: Dialect) -> str:
        sql = self._sql.get(dialect.name)
        if sql is None:
            sql = self._sql[dialect.name] = compile_positional(
                self._construct, self._names, dialect
            )
        return sql


class Query(Generic[Read]):
    """A statement together with the reader of the rows that it finds."""

    def __init__(self, reader: Callable[..., Read], construct: ClauseElement, *names: str) -> None:
        """Call `reader` with the columns of each row, in the order in which `construct` has them.

        The parameters are those of a `Statement`.
        """
        self._reader = reader
        self._statement = Statement(construct, *names)

    def all(self, connection: Connection, *parameters: object) -> Iterator[Read]:
        """Execute, and yield what is read from each row."""
        return starmap(self._reader, self._statement.run(connection, *parameters))

    def first(self, connection: Connection, *parameters: object) -> Read | None:
        """Execute, and return what is read from the first row, or None if there is none."""
        return next(self.all(connection, *parameters), None)

    def one(self, connection: Connection, *parameters: object) -> Read:
        """`first` of a row that must exist; raises LedgerDamagedError if it does not."""
        for read in self.all(connection, *parameters):
            return read
        raise LedgerDamagedError("a row that must exist is missing")

    def finder(self, connection: Connection) -> Callable[..., Read | None]:
        """A function that does what `first` does, faster if it is called repeatedly."""
        find, reader = self._statement.finder(connection), self._reader

        def find_and_read(*parameters: object) -> Read | None:
            row = find(*parameters)
            return None if row is None else reader(*row)

        return find_and_read


def value(only: Any) -> Any:  # noqa: ANN401 - of any column
    """The reader of rows with one column."""
    return only


def compile_positional(construct: ClauseElement, names: Sequence[str], dialect: Dialect) -> str:
    """The SQL of `construct` with positional parameters in the order of `names`.

    Raises ValueError if the statement has them in another order.
    """
    compiled = construct.compile(dialect=dialect)
    wanted = list(compiled.positiontup or ()) if isinstance(compiled, SQLCompiler) else []
    if wanted != list(names):
        message = f"parameters are {wanted}, not {list(names)}"
        raise ValueError(message)
    return str(compiled)


# Decoding of stored values, with errors that name the damaged one (R12).

_UNREADABLE = (ArithmeticError, LookupError, TypeError, ValueError, msgspec.MsgspecError)


@contextmanager
def decoding(what: str) -> Iterator[None]:
    """Raise LedgerDamagedError if the block cannot decode a stored value."""
    try:
        yield
    except LedgerError:
        raise
    except _UNREADABLE as error:
        message = f"{what} cannot be read"
        raise LedgerDamagedError(message) from error


def stored_uuid(stored: bytes) -> UUID:
    """Decode a UUID from 16 bytes; raises LedgerDamagedError for anything else."""
    try:
        return UUID(bytes=stored)
    except (TypeError, ValueError) as error:
        raise LedgerDamagedError("an id cannot be read") from error
