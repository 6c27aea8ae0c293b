"""The store as a persistence module of the eventsourcing package: factory and recorders."""

import sys
from collections.abc import Sequence
from heapq import merge
from itertools import islice, starmap
from operator import attrgetter
from typing import Any, NoReturn, TypeVar, cast
from uuid import UUID

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    InfrastructureFactory,
    IntegrityError,
    Notification,
    ProcessRecorder,
    ProgrammingError,
    StoredEvent,
    Tracking,
    TrackingRecorder,
)
from eventsourcing.utils import Environment, EnvType, resolve_topic
from sqlalchemy import ColumnElement, Connection, Select, insert, select

from ledger import store
from ledger.clock import Clock, utc_now
from ledger.events import TOPICS
from ledger.instants import instant_of
from ledger.store import schema, tables
from ledger.store.database import Database
from ledger.store.rows import (
    INSERT_EVENT,
    EventValues,
    StoredRow,
    change,
    event_row,
    select_stored,
    with_checksum,
)
from ledger.store.sqlite import PATIENCE_SECONDS
from ledger.store.statements import Statement, stored_uuid
from ledger.store.streams import Head, Stream, Streams

# The recorders of the eventsourcing package on the ledger's tables.
#
# Aggregates of other applications are written this way. Interactions and overrides also need a
# digest, an origin and an effect on the read model, so `ledger.store.append` writes them, and they
# are refused here.

_INSERT_SNAPSHOT = Statement(insert(tables.snapshots), *tables.snapshots.c.keys())
_INSERT_TRACKING = Statement(insert(tables.tracking), *tables.tracking.c.keys())


class StoreAggregateRecorder(AggregateRecorder):
    """A recorder of aggregates' snapshots, which have no positions."""

    def __init__(self, database: Database) -> None:
        """Record in `database`, which must have the schema."""
        self.database = database

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> None:  # noqa: ANN401 - the package's signature
        """Insert all or none; raises IntegrityError if a version is taken."""
        with self.database.write() as connection:
            streams = Streams(connection)
            for event in stored_events:
                stream = streams.of_originator(_uuid(event.originator_id)).id
                row = (stream, event.originator_version, event.topic, event.state)
                _INSERT_SNAPSHOT.run(connection, *with_checksum(tables.snapshots.name, row))

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """The snapshots of one originator, by version."""
        table = tables.snapshots
        columns: Select[Any] = select(table.c.version, table.c.topic, table.c.state)
        query = _of_originator(columns.join(tables.streams), originator_id)
        query = _by_version(query, table.c.version, gt=gt, lte=lte, desc=desc, limit=limit)
        with self.database.read() as connection:
            return [StoredEvent(originator_id, *row) for row in connection.execute(query)]


class StoreApplicationRecorder(ApplicationRecorder):
    """A recorder of aggregates' events, each at its position in the total order."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        """Record in `database`, which must have the schema, with the instants of `clock`."""
        self.database = database
        self._clock = clock

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        **kwargs: Any,  # noqa: ANN401 - the package's signature
    ) -> Sequence[int] | None:
        """Insert all or none, and return positions; raises IntegrityError if a version is taken."""
        with self.database.write() as connection:
            positions = self._append(connection, stored_events)
            _track(connection, kwargs.get("tracking"))
        return positions

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """The events of one originator, by version."""
        query = _of_originator(select_stored(), originator_id)
        version = tables.events.c.version
        query = _by_version(query, version, gt=gt, lte=lte, desc=desc, limit=limit)
        with self.database.read() as connection:
            hot = [
                StoredEvent(originator_id, row.version, row.topic, row.encoded)
                for row in starmap(StoredRow, connection.execute(query))
            ]
            sealed = store.event_queries.sealed_events_of(
                connection, self.database.archive, originator_id
            )
        least, most = -1 if gt is None else gt, sys.maxsize if lte is None else lte
        found = [*(each for each in sealed if least < each.originator_version <= most), *hot]
        found.sort(key=lambda event: event.originator_version, reverse=desc)
        return found[:limit]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """At most `limit` events from position `start` to `stop`, limited to `topics` if given."""
        position = tables.events.c.position
        query = select_stored().order_by(position).limit(limit)
        if start is not None:
            query = query.where(position >= start if inclusive_of_start else position > start)
        if stop is not None:
            query = query.where(position <= stop)
        if topics:
            query = query.where(tables.events.c.topic.in_(topics))
        first = 1 if start is None else start + (not inclusive_of_start)
        last = sys.maxsize if stop is None else stop
        with self.database.read() as connection:
            archive = self.database.archive
            sealed = store.event_queries.sealed_notifications(
                connection, archive, first, last, topics
            )
            hot = starmap(_notification, connection.execute(query))
            return list(islice(merge(sealed, hot, key=attrgetter("id")), limit))

    def max_notification_id(self) -> int | None:
        """The last position, or None in an empty ledger."""
        with self.database.read() as connection:
            return connection.scalar(select(tables.head.c.position)) or None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> NoReturn:
        """Raise NotImplementedError: followers of a live ledger are not served yet."""
        message = "this store does not serve subscriptions; read notifications by position"
        raise NotImplementedError(message)

    def _append(
        self, connection: Connection, stored_events: Sequence[StoredEvent]
    ) -> list[int] | None:
        if not stored_events:
            return None
        head = Head.read(connection)
        head.advance(instant_of(self._clock()))
        streams = Streams(connection)
        values = [
            _values(head, streams.of_originator(_uuid(event.originator_id)), event)
            for event in stored_events
        ]
        head.write(connection)
        INSERT_EVENT.run_many(connection, list(map(event_row, values)))
        return [each.position for each in values]


class StoreTrackingRecorder(TrackingRecorder):
    """A recorder of a follower's progress in another ledger."""

    def __init__(self, database: Database, **_: Any) -> None:  # noqa: ANN401 - mixed with recorders that take a clock
        """Track in `database`, which must have the schema."""
        self.database = database

    def insert_tracking(self, tracking: Tracking) -> None:
        """Note the position; raises IntegrityError unless it is higher than the last."""
        with self.database.write() as connection:
            _track(connection, tracking)

    def max_tracking_id(self, application_name: str) -> int | None:
        """The last position noted for that application, or None."""
        with self.database.read() as connection:
            return _tracked(connection, application_name)


class StoreProcessRecorder(StoreTrackingRecorder, StoreApplicationRecorder, ProcessRecorder):
    """A recorder of events and of the application's own progress, in one transaction."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        """Record in `database`, which must have the schema, with the instants of `clock`."""
        StoreApplicationRecorder.__init__(self, database, clock)


def _values(head: Head, stream: Stream, event: StoredEvent) -> EventValues:
    version = event.originator_version
    if event.topic in TOPICS:
        message = f"{event.topic} events are written by EngagementLedger.record, not by save"
        raise ProgrammingError(message)
    if version <= stream.version:
        message = f"version {version} of this stream is taken"
        raise IntegrityError(message)
    stream.version = version
    header = (head.next_position(), stream.id, version, event.topic, head.recorded_at)
    return EventValues(*header, state=event.state)


def _notification(*columns: Any) -> Notification:  # noqa: ANN401 - of a `StoredRow`
    row = StoredRow(*columns)
    return Notification(
        originator_id=stored_uuid(row.originator_id),
        originator_version=row.version,
        topic=row.topic,
        state=row.encoded,
        id=row.position,
    )


def _track(connection: Connection, tracking: Tracking | None) -> None:
    if tracking is None:
        return
    name, position = tracking.application_name, tracking.notification_id
    last = _tracked(connection, name)
    if last is not None and last >= position:
        message = f"position {position} of {name} is tracked already"
        raise IntegrityError(message)
    table = tables.tracking
    if last is None:
        _INSERT_TRACKING.run(connection, *with_checksum(table.name, (name, position)))
    else:
        change(connection, table, table.c.application_name == name, position=position)


def _tracked(connection: Connection, name: str) -> int | None:
    table = tables.tracking
    query = select(table.c.position).where(table.c.application_name == name)
    return connection.execute(query).scalar_one_or_none()


def _of_originator(query: Select[Any], originator_id: UUID | str) -> Select[Any]:
    return query.where(tables.streams.c.originator_id == _uuid(originator_id).bytes)


def _by_version(  # noqa: PLR0913 - the package's five ways to narrow a selection
    query: Select[Any],
    version: ColumnElement[int],
    *,
    gt: int | None,
    lte: int | None,
    desc: bool,
    limit: int | None,
) -> Select[Any]:
    if gt is not None:
        query = query.where(version > gt)
    if lte is not None:
        query = query.where(version <= lte)
    return query.order_by(version.desc() if desc else version).limit(limit)


def _uuid(originator_id: UUID | str) -> UUID:
    return originator_id if isinstance(originator_id, UUID) else UUID(originator_id)


# The factory that an application of the eventsourcing package takes its recorders from.

T = TypeVar("T")

DATABASE_URL = "ENGAGEMENT_DATABASE_URL"
PATIENCE = "ENGAGEMENT_PATIENCE_SECONDS"


class StoreFactory(InfrastructureFactory[StoreTrackingRecorder]):
    """Creates recorders on the database of ENGAGEMENT_DATABASE_URL, an SQLAlchemy URL."""

    def __init__(self, env: Environment | EnvType | None) -> None:
        """Open the database, and create a missing schema."""
        super().__init__(env)
        url = self.env.get(DATABASE_URL)
        if not url:
            message = f"{DATABASE_URL} must name the ledger's database"
            raise OSError(message)
        self.database = Database(url, float(self.env.get(PATIENCE) or PATIENCE_SECONDS))
        schema.prepare(self.database)

    def aggregate_recorder(self, purpose: str = "events") -> StoreAggregateRecorder:  # noqa: ARG002 - the package's signature
        """Create a recorder of snapshots."""
        return StoreAggregateRecorder(self.database)

    def application_recorder(self) -> StoreApplicationRecorder:
        """Create a recorder of events in one total order."""
        recorder_class = self._class(StoreApplicationRecorder, self.APPLICATION_RECORDER_TOPIC)
        return recorder_class(self.database)

    def tracking_recorder(
        self, tracking_recorder_class: type[StoreTrackingRecorder] | None = None
    ) -> StoreTrackingRecorder:
        """Create a recorder of a follower's progress."""
        if tracking_recorder_class is None:
            tracking_recorder_class = self._class(
                StoreTrackingRecorder, self.TRACKING_RECORDER_TOPIC
            )
        return tracking_recorder_class(self.database)

    def process_recorder(self) -> StoreProcessRecorder:
        """Create a recorder of events and progress."""
        return self._class(StoreProcessRecorder, self.PROCESS_RECORDER_TOPIC)(self.database)

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def _class(self, default: type[T], setting: str) -> type[T]:
        topic = self.env.get(setting)
        return cast("type[T]", resolve_topic(topic)) if topic else default
