"""The local Linear in a thread of its own, for programs that have an event loop of their own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bot.linear.demo import LocalLinear

PATIENCE_SECONDS = 30.0


@contextmanager
def serving(local: LocalLinear) -> Iterator[dict[str, str]]:
    """Serve for a block, which is given the settings that lead there."""
    ready, loops = threading.Event(), []
    stopping: list[asyncio.Event] = []

    async def serve() -> None:
        stopping.append(asyncio.Event())
        loops.append(asyncio.get_running_loop())
        async with local.serving():
            ready.set()
            await stopping[0].wait()
            local.release()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(PATIENCE_SECONDS)
    try:
        yield {"ENGAGEMENT_LINEAR_API_KEY": local.key, "ENGAGEMENT_LINEAR_URL": local.url}
    finally:
        loops[0].call_soon_threadsafe(stopping[0].set)
        thread.join(PATIENCE_SECONDS)
