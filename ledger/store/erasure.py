"""Erasure: what ties events to a person is deleted, also after a backup is restored (R11)."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Connection, Select, delete, func, select

from ledger import store
from ledger.errors import ArchiveUnavailableError, LedgerUnavailableError, TracesLeftError
from ledger.idempotency import user_digest
from ledger.instants import Instant
from ledger.store import tables
from ledger.store.database import Database
from ledger.store.job_runs import job_alone
from ledger.store.linear_links import delete_links
from ledger.store.opt_outs import Barrier, BarrierFile, OptOuts, barriers, own_id, put_barrier
from ledger.store.projection import Projection
from ledger.store.rows import change, without_sources
from ledger.store.streams import Head

if TYPE_CHECKING:
    from ledger.archive.segment_store import Archive


# Erasure deletes everything that links events to a person; the events stay.
#
# First the rows, in one transaction; then the bytes. `secure_delete` zeroes what a statement
# deletes, but not the copies that SQLite leaves behind when it moves rows between pages, nor the
# log. So the file is rewritten from the remaining rows, and the log is cut.

_accounts, _places = tables.accounts, tables.places
_origins, _sources = tables.origins, tables.sources


def erase(
    database: Database, projection: Projection, secret: bytes, user_id: str, at: Instant
) -> None:
    """Delete the data of the user, and bar what occurred before `at` for ever.

    Raises TracesLeftError if the rows were deleted but bytes of them may be left; calling it again
    finishes the work, also after a crash. `secret` is the ledger's digest key.
    """
    with database.write() as connection:
        opt_outs = OptOuts(connection, secret, database.barriers)
        deleted = delete_user(connection, database.archive, projection, user_id)
        opt_outs.erase(user_id, at, traces=deleted)
        has_traces = opt_outs.has_traces(user_id)
    if not has_traces:
        return  # requests without effect must not cause the file to be rewritten
    remove_traces(database)
    with database.write() as connection:
        OptOuts(connection, secret, database.barriers).clear_traces(user_id)


def remove_traces(database: Database) -> None:
    """Remove every byte of deleted rows from the database's files; raises TracesLeftError."""
    try:
        database.vacuum()
        database.truncate_log()
    except LedgerUnavailableError as error:
        raise TracesLeftError(str(error)) from error


def delete_user(
    connection: Connection, archive: "Archive", projection: Projection, user_id: str
) -> bool:
    """Delete the user's rows and return whether there were any."""
    sealed = store.event_queries.sealed_positions_of(connection, archive, user_id)
    stream = connection.scalar(select(_accounts.c.stream).where(_accounts.c.user_id == user_id))
    if stream is not None:
        hot = select(tables.events.c.position).where(tables.events.c.stream == stream)
        for positions in (hot, _listed(sealed)):
            connection.execute(delete(_origins).where(_origins.c.position.in_(positions)))
            _delete_sources(connection, positions)
        projection.forget(connection, stream)
        delete_links(connection, stream)
        connection.execute(delete(_accounts).where(_accounts.c.stream == stream))
    # A private chat's id is the user's.
    private = change(connection, _places, _places.c.chat_id == user_id, chat_id=None)
    return bool(private) or stream is not None


def _delete_sources(connection: Connection, positions: Select[Any]) -> None:
    gone = delete(_sources).where(_sources.c.position.in_(positions))
    returned = connection.execute(gone.returning(_sources.c.digest, _sources.c.position))
    rows = [(digest, position) for digest, position in returned]
    head = Head.read(connection)
    if head.sources_sum is not None:
        head.sources_sum = without_sources(head.sources_sum, rows)
        head.write(connection)


def _listed(positions: Sequence[int]) -> Select[Any]:
    """A subquery of positions, which may be more than a statement can have parameters."""
    listed = msgspec.json.encode(positions).decode()
    return select(func.json_each(listed).table_valued("value").c.value)


# Opt-outs and deletions apply to a restored backup, too.
#
# The file of barriers has every one. Those that the database lacks are applied before it answers
# any question: the data of forgotten users is deleted as by `erase`.

_log = logging.getLogger(__name__)

Barriers = Mapping[bytes, Barrier]


def apply_barriers(database: Database, projection: Projection, secret: bytes, now: Instant) -> None:
    """Bring the database and the file of barriers to the same state.

    Raises LedgerUnavailableError if the database lacks barriers and cannot be written: it would
    answer questions about forgotten users.
    """
    file = database.barriers
    if file is None:
        return
    with database.read() as connection:
        lacking = _lacking(connection, file)
    if lacking:
        try:
            _Application(database, file, projection, secret).run(now)
        except LedgerUnavailableError as error:
            message = (
                "the ledger lacks barriers of people who opted out or were forgotten since it was "
                f"copied, and they cannot be applied: {error}; open it where it can be written"
            )
            raise LedgerUnavailableError(message) from error
    with suppress(LedgerUnavailableError):  # if only reading is possible
        _note(database, file)


class _Application:
    """Applies the barriers that a database lacks."""

    def __init__(
        self, database: Database, file: BarrierFile, projection: Projection, secret: bytes
    ) -> None:
        self._database, self._file = database, file
        self._projection, self._secret = projection, secret

    def run(self, now: Instant) -> None:
        """Delete the data of forgotten users to the last byte, and then note that this is done."""
        with self._database.write() as connection:  # so that none is being committed
            erased = _erasures(connection, _lacking(connection, self._file))
        has_traces = bool(erased) and self._deletes(erased, now)
        with self._database.write() as connection:
            lacking = _lacking(connection, self._file)
            # Not those whose erasure began in between: their data would never be deleted.
            for digest in lacking.keys() - (_erasures(connection, lacking) - erased):
                traces = has_traces and digest in erased
                put_barrier(connection, digest, lacking[digest], traces=traces)
        _log.warning("barriers applied that the ledger lacked", extra={"count": len(lacking)})

    def _deletes(self, erased: set[bytes], now: Instant) -> bool:
        """Delete the data of forgotten users; return whether the files may still hold traces."""
        try:
            self._delete(erased)
        except ArchiveUnavailableError:  # an older database may name files that were merged since
            with job_alone(self._database, store.compaction.JOB):
                store.recovery.recover(self._database, now)
            self._delete(erased)
        try:
            remove_traces(self._database)
        except TracesLeftError as error:
            _log.warning("traces left", extra={"error": str(error)})
            return True
        return False

    def _delete(self, erased: set[bytes]) -> None:
        archive = self._database.archive
        with self._database.write() as connection:
            for user_id in list(_user_ids(connection)):
                if user_digest(user_id, self._secret) in erased:
                    delete_user(connection, archive, self._projection, user_id)


def _lacking(connection: Connection, file: BarrierFile) -> Barriers:
    """The barriers of the file that the database lacks.

    The file has every change before the database; but if a line cannot be read, the stricter of the
    two counts.
    """
    known, noted = barriers(connection), file.read(own_id(connection))
    damaged = {digest for digest, barrier in known.items() if barrier is None}
    lacking = {}
    for digest in noted.barriers.keys() - damaged:  # which `engagement verify` names
        barrier, in_force = noted.barriers[digest], known.get(digest)
        wanted = barrier if in_force is None else in_force.then(barrier)
        if in_force is not None and noted.unreadable:
            wanted = wanted._replace(before_at=max(wanted.before_at, in_force.before_at))
        if wanted != in_force:
            lacking[digest] = wanted
    return lacking


def _erasures(connection: Connection, lacking: Barriers) -> set[bytes]:
    """The users whose deletion the database lacks."""
    known = barriers(connection)
    before = {digest: barrier.erased_at for digest, barrier in known.items() if barrier}
    return {each for each, to in lacking.items() if to.erased_at not in {None, before.get(each)}}


def _user_ids(connection: Connection) -> Iterator[str]:
    """Yield all possible user ids: of accounts, and of chats (a private chat's is its user's)."""
    yield from connection.scalars(select(tables.accounts.c.user_id))
    yield from connection.scalars(
        select(tables.places.c.chat_id).where(tables.places.c.chat_id.is_not(None))
    )


def _note(database: Database, file: BarrierFile) -> None:
    """Add to the file the barriers that only the database has, such as from an earlier version."""
    with database.read() as connection:
        ledger_id, known = own_id(connection), barriers(connection)
    noted = file.read(ledger_id)
    if noted.unreadable:
        extra = {"lines": len(noted.unreadable), "file": str(file.path)}
        _log.warning("barriers that are damaged or another ledger's", extra=extra)
    missing = {
        digest: barrier
        for digest, barrier in known.items()
        if barrier and digest not in noted.barriers
    }
    if missing or noted.has_grown:
        with database.write():  # the lock of all writers of the file
            file.append(ledger_id, missing)
            file.compact(ledger_id, file.read(ledger_id))
