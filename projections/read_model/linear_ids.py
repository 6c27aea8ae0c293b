"""Linear's UUIDs of the issues that keys name, by what look-ups found."""

from sqlalchemy import Connection

from ledger import store
from ledger.instants import Instant
from ledger.store.database import Database
from projections.issue_names import Names
from projections.read_model.keys_of_issues import streams_named


class LinearIds:
    """The UUIDs in one snapshot, as known at a moment.

    Only look-ups count, which describe issues that may be shown: a webhook can describe one of a
    hidden team.
    """

    def __init__(
        self,
        connection: Connection,
        database: Database,
        names: Names,
        known_at: Instant | None = None,
    ) -> None:
        """Read from `connection`; `names` are those of issues that moved, as known then."""
        self._connection, self._database = connection, database
        self._names, self._known_at = names, known_at
        self._found: dict[str, str | None] = {}

    def of(self, key: str, at: int | None = None) -> str | None:
        """The UUID of the issue that `key` named at an instant, or names now, if it was found."""
        if key not in self._found:
            self._found[key] = self._unmoved(key)
        return self._names.issue(key, at) or self._found[key]

    def _unmoved(self, key: str) -> str | None:
        """The UUID of the one issue that ever had the key, if no other name of it is known."""
        observed = (
            each
            for stream in streams_named(self._connection, key)
            for each in store.issue_streams.hot_first(self._connection, self._database, stream)
        )
        known = (
            each.issue
            for each in observed
            if each.origin == "look-up"
            and key in each.keys
            and (self._known_at is None or each.recorded_at <= self._known_at)
        )
        return next(known, None)


def keys_found(connection: Connection, database: Database) -> tuple[set[str], set[str]]:
    """The keys that look-ups named as the present one of an issue, and those as a former one."""
    present, former = set[str](), set[str]()
    for _, _, each in store.issue_streams.observations_of_all(connection, database):
        if each.origin == "look-up":
            present.add(each.identifier)
            former.update(each.keys)
    return present, former - present
