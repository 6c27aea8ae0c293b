"""The local Linear in a thread of its own, for programs that have an event loop of their own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bot.linear.demo import LocalLinear, Scripted

PATIENCE_SECONDS = 30.0


class LinearServer:
    """A local Linear that is listening, and the settings that lead to it."""

    def __init__(self, local: LocalLinear) -> None:
        self.local = local
        self.settings: dict[str, str] = {}
        self._loop: asyncio.AbstractEventLoop
        self._stopping: asyncio.Event
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def hold(self) -> None:
        """Let the next request wait until `release`."""
        self.local.script.append(Scripted(held=True))

    def release(self) -> None:
        """Let requests go on that are held."""
        self._loop.call_soon_threadsafe(self.local.release)

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(PATIENCE_SECONDS)

    def stop(self) -> None:
        self.release()
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(PATIENCE_SECONDS)

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        async with self.local.serving() as url:
            self.settings = {
                "ENGAGEMENT_LINEAR_API_KEY": self.local.key,
                "ENGAGEMENT_LINEAR_URL": url,
            }
            self._ready.set()
            await self._stopping.wait()


@contextmanager
def serving(local: LocalLinear) -> Iterator[LinearServer]:
    """Serve for a block."""
    served = LinearServer(local)
    served.start()
    try:
        yield served
    finally:
        served.stop()
