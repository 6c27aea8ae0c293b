"""The base of both client interfaces: a given ledger, or the shared one of the process."""

import asyncio
import atexit
import os
import threading
from typing import Any, NamedTuple, Self
from weakref import WeakSet

from sqlalchemy.engine import make_url

from ledger.application import configured_url
from ledger.clock import Clock, utc_now
from projections.application.engagements import Engagements


class Place(NamedTuple):
    """The key of a shared ledger: the process and the URL."""

    process: int
    url: str


class Shared(NamedTuple):
    """A shared ledger, and the client objects that use it."""

    engagements: Engagements
    doors: "WeakSet[Door]"


# `_lock` guards `_opened` and the clients in it: one thread opens or closes a ledger, which is in
# `_opened` as long as it has a client. It is not taken at exit, when no client is in use.
_lock = threading.Lock()
_opened: dict[Place, Shared] = {}


class Door:
    """A client of a ledger: a given one, or the one that all clients of a process and URL share.

    The environment and `.env` name the shared one. It is opened on first use, and closed when its
    last client is closed, or at exit. A closed client opens it again when it is used again.
    """

    def __init__(
        self, engagements: Engagements | None = None, *, clock: Clock | None = None
    ) -> None:
        """Use `engagements`, which the caller closes, or the shared ones.

        `clock` is for the shared ones; raises TypeError if both are given.
        """
        if engagements is not None and clock is not None:
            raise TypeError("give either engagements, which have a clock of their own, or a clock")
        self._given = engagements
        self._clock = clock
        self._held: tuple[Place, Engagements] | None = None

    @property
    def engagements(self) -> Engagements:
        """The given or shared engagements, which the first use may open; their methods block.

        Raises ValueError if the shared ones are open with another clock than this client's.
        """
        return self._at_hand() or self._open()

    async def _engagements_soon(self) -> Engagements:
        """Return the engagements without blocking the event loop."""
        if (at_hand := self._at_hand()) is not None:
            return at_hand
        return await asyncio.to_thread(self._open)

    def close(self) -> None:
        """Release the shared ledger, which its last client closes; a given one stays open."""
        if self._held is None:
            return
        (place, engagements), self._held = self._held, None
        with _lock:
            shared = _opened.get(place)
            if shared is None:  # closed, or of the process before a fork
                return
            shared.doors.discard(self)
            if not shared.doors and place.process == os.getpid():
                del _opened[place]
                engagements.close()

    def __enter__(self) -> Self:
        """Return self, which is closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close this client."""
        self.close()

    def _at_hand(self) -> Engagements | None:
        if self._given is not None:
            return self._given
        held = self._held
        return held[1] if held is not None and held[0].process == os.getpid() else None

    def _open(self) -> Engagements:
        place = Place(os.getpid(), _absolute(configured_url()))
        with _lock:
            if place not in _opened:
                opened = Engagements(place.url, clock=self._clock or utc_now)
                _opened[place] = Shared(opened, WeakSet())
            engagements, doors = _opened[place]
            if self._clock is not None and self._clock != engagements.clock:
                raise ValueError("the shared ledger is open with another clock: close it first")
            doors.add(self)
            self._held = place, engagements
            return engagements


def _absolute(url: str) -> str:
    """`url` with an absolute path, so that it names the same file from every folder."""
    parsed: Any = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return url
    path = os.path.abspath(parsed.database)  # noqa: PTH100 - which resolves no links
    found: str = parsed.set(database=path).render_as_string(hide_password=False)
    return found


@atexit.register
def _close_all() -> None:
    for place, shared in list(_opened.items()):
        if place.process == os.getpid():
            shared.engagements.close()
