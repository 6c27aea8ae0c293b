"""The store as a persistence module of the eventsourcing package."""

from typing import TypeVar, cast

from eventsourcing.persistence import InfrastructureFactory
from eventsourcing.utils import Environment, EnvType, resolve_topic

from ledger.store import schema
from ledger.store.database import Database
from ledger.store.eventsourcing_adapter import (
    StoreAggregateRecorder,
    StoreApplicationRecorder,
    StoreProcessRecorder,
    StoreTrackingRecorder,
)
from ledger.store.file_lock import PATIENCE_SECONDS

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
