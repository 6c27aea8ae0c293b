"""A disk that fills up, or is read-only for a while, under load: nothing acknowledged is lost.

Ledger and spool are on the same small disk. People keep talking; each is answered once, updates
that cannot be kept wait at Telegram, and in the end each interaction is there once. It needs root,
and is skipped without.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from projections.application import Engagements
from tests.support.disks import remount, small_disk
from tests.support.telegram.bot_process import BotProcess
from tests.support.telegram.fake_server import FakeBotApi
from tests.support.trials.counts import count, tell
from tests.trials.test_bot_unwritable import PATIENCE_SECONDS, BusyChats, await_answers, recorded
from tests.trials.test_disk_full import fill

pytestmark = pytest.mark.trial

SECONDS = count(full=3, small=1, more="BAD_DISK_SECONDS")
"""Seconds that people talk each time."""

NOTHING_KEPT = "nothing can be recorded"


@pytest.fixture
def disk(tmp_path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    with small_disk(folder, "8m"):
        yield folder


def polling(api: FakeBotApi, folder: Path, fault: str) -> BotProcess:
    """Start a bot, and wait until it asks for updates."""
    asked = len(api.asked("getUpdates"))
    home = {"ENGAGEMENT_HOME": str(folder)}
    logs = folder.parent.parent / "logs"  # on another disk
    bot = BotProcess(api, logs, fault=fault, log_level="warning", settings=home)
    api.wait_until(lambda: len(api.asked("getUpdates")) > asked, PATIENCE_SECONDS)
    return bot


def talk_through_a_full_disk(
    api: FakeBotApi, busy_chats: BusyChats, disk: Path, seconds: float, fault: str
) -> str:
    """Fill the disk while people talk, and free it; return what the bot logged."""
    home, ballast = disk / "home", disk / "ballast"
    bot = polling(api, home, fault)
    busy_chats.talk(0.2)
    api.wait_until(lambda: api.pending() == 0, PATIENCE_SECONDS)
    for _ in range(count(full=4, small=1)):
        fill(ballast)
        busy_chats.talk(seconds)
        ballast.unlink()
        busy_chats.talk(0.2)
        api.wait_until(lambda: api.pending() == 0 and not waiting(home), PATIENCE_SECONDS)
    await_answers(api, busy_chats)
    assert bot.terminate() == 0
    return bot.log


def waiting(home: Path) -> bool:
    """Whether anything waits in a spool."""
    return any(b"\n" in spool.read_bytes() for spool in home.glob("*.spool-*"))


def test_while_the_disk_is_full_nothing_acknowledged_is_lost(disk):
    with FakeBotApi(strict=False) as api:
        busy_chats = BusyChats(api)
        log = talk_through_a_full_disk(api, busy_chats, disk, SECONDS, "has little room")
    assert NOTHING_KEPT in log
    assert recorded(disk / "home") == busy_chats.said
    tell(f"{len(busy_chats.said)} interactions, each there once, each question answered once")


def test_a_bot_that_acknowledges_what_it_could_not_keep_is_caught(disk):
    with FakeBotApi(strict=False) as api:
        busy_chats = BusyChats(api)
        log = talk_through_a_full_disk(api, busy_chats, disk, 0.5, "acknowledges all")
    assert NOTHING_KEPT in log
    assert busy_chats.said - recorded(disk / "home")


def test_a_bot_on_a_read_only_disk_goes_on_once_it_can_write(disk):
    home = disk / "home"
    home.mkdir()
    with Engagements(f"sqlite:///{home}/ledger.db"):
        pass  # which creates the ledger
    with FakeBotApi(strict=False) as api:
        busy_chats = BusyChats(api)
        for _ in range(count(full=5, small=1)):
            remount(disk, "ro")
            bot = polling(api, home, "has little room")
            busy_chats.talk(SECONDS)
            assert api.pending() > 0
            remount(disk, "rw")
            busy_chats.talk(0.2)
            api.wait_until(lambda: api.pending() == 0, PATIENCE_SECONDS)
            await_answers(api, busy_chats)
            assert bot.terminate() == 0
            assert NOTHING_KEPT in bot.log
    assert recorded(home) == busy_chats.said
    tell(f"{len(busy_chats.said)} interactions, each there once, each question answered once")
