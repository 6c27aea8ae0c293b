"""The bot under load: people write in a hundred chats, some to the bot, on the loopback.

Telegram's side is the tests' own server, in this process; the bot polls it from a process of its
own. Each message names an issue, so each is recorded before the next batch is asked for.
"""

import json
import re
import threading
import time
from pathlib import Path
from statistics import quantiles

from tests.benchmarks.ledgers import open_ledger
from tests.benchmarks.report import Row, limit, ratio
from tests.benchmarks.sizes import Sizes
from tests.support.telegram.bot_process import BotProcess
from tests.support.telegram.fake_chats import FakeChat
from tests.support.telegram.fake_server import FakeBotApi
from tests.support.telegram.fake_users import FakeUser

GROUPS, PEOPLE = 80, 20
MESSAGES_A_SECOND, ASKED_A_SECOND = 500, 20
TICKS_A_SECOND = 20
MOST_MILLISECONDS = 100.0
FLAT = 0.9
ISSUES = 2_000
CATCH_UP_SECONDS = 60.0


def rows(folder: Path, sizes: Sizes) -> list[Row]:
    """Measure how long recording takes an update, and whether memory grows, at a steady rate."""
    with FakeBotApi(strict=False) as api:
        timings = folder / "timings.json"
        bot = BotProcess(api, folder, log_level="warning", timings=timings)
        api.wait_until(lambda: api.asked("getUpdates"), CATCH_UP_SECONDS)
        office = _Office(api)
        few, many = office.talk(sizes.talk_seconds, bot)
        api.wait_until(lambda: api.pending() == 0, CATCH_UP_SECONDS)
        if bot.terminate() != 0:
            raise RuntimeError(bot.log)
    _check_that_nothing_is_lost(folder, office.said)
    seconds = json.loads(timings.read_text())
    work = f"bot, {MESSAGES_A_SECOND} messages a second"
    return [
        limit(
            f"{work}, p99 of recording",
            "ms",
            quantiles(seconds, n=100)[98] * 1_000,
            MOST_MILLISECONDS,
        ),
        ratio(f"{work}, memory flat", "MiB", [few], [many], "after a fifth of the time", FLAT),
    ]


class _Office:
    """Eighty groups, and twenty people who also talk to the bot in private."""

    def __init__(self, api: FakeBotApi) -> None:
        self.said = 0
        self._users = [api.user(f"Person {n}", id=7_000 + n) for n in range(PEOPLE)]
        self._groups = [api.supergroup(f"Team {n}", members=self._users) for n in range(GROUPS)]

    def talk(self, seconds: float, bot: BotProcess) -> tuple[float, float]:
        """Let people talk so long; return the bot's memory after a fifth of that and at the end."""
        began, few, pause = time.monotonic(), 0.0, threading.Event()
        for tick in range(1, int(seconds * TICKS_A_SECOND) + 1):
            while self.said < tick * MESSAGES_A_SECOND // TICKS_A_SECOND:
                self._say()
            pause.wait(max(0.0, began + tick / TICKS_A_SECOND - time.monotonic()))
            if not few and tick >= seconds * TICKS_A_SECOND / 5:
                few = _mib(bot)
        return few, _mib(bot)

    def _say(self) -> None:
        number, self.said = self.said, self.said + 1
        every = MESSAGES_A_SECOND // ASKED_A_SECOND
        is_asked = number % every == 0
        user: FakeUser = self._users[(number // every if is_asked else number) % PEOPLE]
        chat: FakeChat = user.private() if is_asked else self._groups[number % GROUPS]
        user.says(f"look at AI-{number % ISSUES + 1}", in_=chat)


def _check_that_nothing_is_lost(folder: Path, said: int) -> None:
    with open_ledger(folder / "ledger.db") as engagements:
        events, _ = engagements.ledger.size()
    if events != said:
        raise RuntimeError(f"{said} messages, each of one issue, left {events} events")


def _mib(bot: BotProcess) -> float:
    status = Path(f"/proc/{bot.process.pid}/status")
    found = re.search(r"VmRSS:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) / 1024 if found else 1.0
