"""The bot in a process of its own, which can be stopped and killed like any other."""

import asyncio
import errno
import json
import multiprocessing.util
import os
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from unittest import mock

from telegram.ext import TypeHandler

from bot.application import EngagementBot
from bot.cli.logs import configure_logs
from bot.settings import settings_of
from bot.spool.spool_file import Spool
from bot.telegram.doors import POLLING, Webhook
from bot.telegram.recording import Recorder, RecordingQueue
from bot.telegram.serve import run
from bot.telegram.turns import settled
from ledger.application import EngagementLedger
from ledger.errors import LedgerError
from projections.application import Engagements
from tests.support.forks import CONTEXT
from tests.support.telegram.fake_server import FakeBotApi

PATIENCE_SECONDS = 30.0


class BotProcess:
    """A bot on a ledger in `folder`; what it logs, and its last words, are a file there."""

    def __init__(
        self,
        api: FakeBotApi,
        folder: Path,
        *,
        webhook: Webhook = POLLING,
        fault: str | None = None,
        settings: dict[str, str] | None = None,
        log_level: str = "debug",
        timings: Path | None = None,
    ) -> None:
        """Start it, with one of FAULTS in it if one is named.

        `timings` will hold, as JSON, how many seconds each update took to be recorded.
        """
        environment = {"TELEGRAM_BOT_TOKEN": api.token, "ENGAGEMENT_HOME": str(folder)}
        self._log = folder / f"log-{os.urandom(4).hex()}.txt"
        folder.mkdir(parents=True, exist_ok=True)
        self.process: BaseProcess = CONTEXT.Process(
            target=_run,
            args=(
                environment | (settings or {}),
                api.base_url,
                webhook,
                {"fault": fault, "timings": timings},
                self._log,
                log_level,
            ),
            daemon=True,
        )
        self.process.start()

    @property
    def log(self) -> str:
        """All that it has logged, and its last words."""
        return self._log.read_text() if self._log.exists() else ""

    def terminate(self) -> int | None:
        """Ask it to stop; return its exit code, or None where it does not."""
        self.process.terminate()
        return self.ended()

    def kill(self) -> None:
        """End it at once, in the middle of anything."""
        self.process.kill()
        self.process.join()

    def ended(self) -> int | None:
        """Wait for its end and return its exit code, or None where it does not come."""
        self.process.join(PATIENCE_SECONDS)
        return self.process.exitcode


def _run(
    environment: dict[str, str],
    base_url: str,
    webhook: Webhook,
    changes: dict[str, Any],
    log: Path,
    log_level: str,
) -> None:
    sys.stderr = log.open("a", encoding="utf-8", buffering=1)
    configure_logs(log_level)
    settings = settings_of(environment)
    _look_often()
    if changes["fault"]:
        FAULTS[changes["fault"]]()
    if changes["timings"]:
        _time_recording(changes["timings"])
    try:
        with Engagements(settings.database_url, patience_seconds=5) as engagements:
            asyncio.run(run(engagements, settings, webhook, base_url))
    except LedgerError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(1)


def _look_often() -> None:
    """Look at the watch more often than people need to."""
    mock.patch("bot.telegram.serve.LOOKED_AT_EVERY_SECONDS", 0.02).start()


def _time_recording(path: Path) -> None:
    """Write how long each update took to be recorded, when the process ends."""
    seconds: list[float] = []
    begin = Recorder.begin

    async def timed(self: Recorder, update: object) -> asyncio.Future[bool]:
        began = time.perf_counter()
        recording = await begin(self, update)
        seconds.append(time.perf_counter() - began)
        return recording

    mock.patch.object(Recorder, "begin", timed).start()
    multiprocessing.util.Finalize(
        None, lambda: path.write_text(json.dumps(seconds)), exitpriority=1
    )


def _record_late() -> None:
    """Move the recording out of the queue into a handler: the fault that costs updates."""
    assemble: Callable[..., None] = EngagementBot.__init__

    def assembled(self: EngagementBot, *arguments: Any, **options: Any) -> None:
        assemble(self, *arguments, **options)
        recorder: Recorder = self.recorder

        async def record(update: object, _: object) -> None:
            await recorder.record_update(update)

        self.application.add_handler(TypeHandler(object, record), group=-1)

    async def put(self: RecordingQueue, item: object) -> None:
        await super(RecordingQueue, self).put(item)

    mock.patch.object(EngagementBot, "__init__", assembled).start()
    mock.patch.object(RecordingQueue, "put", put).start()


def _spool_nothing() -> None:
    """Take what is to wait, and drop it."""
    mock.patch.object(Spool, "append").start()


def _keep_nothing() -> None:
    """Have neither a ledger nor a spool that can be written, and ask again at once."""
    mock.patch.object(Spool, "append", side_effect=OSError(errno.ENOSPC, "no space")).start()
    mock.patch.object(EngagementLedger, "record_many_async", side_effect=MemoryError).start()
    mock.patch("bot.telegram.recording.AGAIN_SECONDS", 0.01).start()


def _have_little_room() -> None:
    """Reserve room for a few entries only, and ask again soon."""
    mock.patch.multiple("bot.spool.spool_file", RESERVED_BYTES=8_192, SPARE_BYTES=1_024).start()
    mock.patch("bot.telegram.recording.AGAIN_SECONDS", 0.1).start()
    mock.patch("bot.spool.durable_writer.PAUSES_SECONDS", (0.1,)).start()


def _acknowledge_all() -> None:
    """Acknowledge what cannot be kept."""
    _have_little_room()
    begin = Recorder.begin

    async def begun(self: Recorder, update: object) -> asyncio.Future[bool]:
        await begin(self, update)
        return settled(is_done=True)

    mock.patch.object(Recorder, "begin", begun).start()


FAULTS: dict[str, Callable[[], None]] = {
    "records late": _record_late,
    "spools nothing": _spool_nothing,
    "keeps nothing": _keep_nothing,
    "has little room": _have_little_room,
    "acknowledges all": _acknowledge_all,
}
