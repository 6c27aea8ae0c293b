"""A ledger that cannot be written for a while, under load: all are answered, nothing is lost.

The trial holds the writers' lock as another process would; people keep talking, in a group and to
the bot.
"""

import fcntl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.spool.spool_file import Spool
from projections.application import Engagements
from tests.support.telegram.bot_process import BotProcess
from tests.support.telegram.fake_server import FakeBotApi
from tests.support.telegram.fake_users import FakeUser
from tests.support.trials.counts import count, tell

pytestmark = pytest.mark.trial

PEOPLE = 20
MENTIONS_A_TICK, TICKS_A_SECOND = 5, 20
PATIENCE_SECONDS = 60.0


class BusyChats:
    """Twenty people: at each tick one asks the bot, and some talk in the group."""

    def __init__(self, api: FakeBotApi) -> None:
        """Prepare the chats, in which no one has written yet."""
        self.users = [api.user(f"Person {number}", id=5_000 + number) for number in range(PEOPLE)]
        self.team = api.supergroup("Team", members=self.users)
        self.asked: Counter[int] = Counter()
        self.said: Counter[tuple[str, str]] = Counter()
        self._ticks = 0

    def talk(self, seconds: float) -> None:
        """Let people talk for some seconds."""
        pause = threading.Event()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._tick()
            pause.wait(1 / TICKS_A_SECOND)

    def _tick(self) -> None:
        for number in range(MENTIONS_A_TICK + 1):
            user: FakeUser = self.users[(self._ticks + number) % PEOPLE]
            issue = f"AI-{len(self.said) + 1}"
            user.says(f"look at {issue}", in_=None if number == 0 else self.team)
            self.asked[user.id] += number == 0
            self.said[str(user.id), issue] += 1
        self._ticks += 1


@contextmanager
def unwritable(folder: Path) -> Iterator[None]:
    """Hold the writers' lock of the ledger."""
    with (folder / "ledger.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def recorded(folder: Path) -> Counter[tuple[str, str]]:
    """The touches of each issue by each user in the events; the read model must agree."""
    with Engagements(f"sqlite:///{folder}/ledger.db") as engagements:
        assert (
            engagements.maintenance.replay(repair=False, progress=lambda _: None).difference is None
        )
        return Counter(
            (str(5_000 + number), entry.event.issue_id)
            for number in range(PEOPLE)
            for entry in engagements.questions.history(str(5_000 + number))
        )


@pytest.mark.parametrize("ends", ["while it runs", "after a kill"])
def test_all_users_are_answered_and_everything_is_there_in_the_end_once(tmp_path, ends):
    seconds = count(full=10, small=2, more="UNWRITABLE_SECONDS")
    with FakeBotApi(strict=False) as api:
        busy_chats = BusyChats(api)
        bot = BotProcess(api, tmp_path, log_level="warning")
        api.wait_until(lambda: api.asked("getUpdates"), PATIENCE_SECONDS)
        busy_chats.talk(1)
        with unwritable(tmp_path):
            busy_chats.talk(seconds)
            api.wait_until(lambda: api.pending() == 0, PATIENCE_SECONDS)
            (spool,) = tmp_path.glob("ledger.db.spool-*")
            waited = spool.read_bytes().count(b"\n")
            assert waited > 0
            await_answers(api, busy_chats)
            if ends == "after a kill":
                bot.kill()
        if ends == "after a kill":
            bot = BotProcess(api, tmp_path, log_level="warning")
        busy_chats.talk(1)
        api.wait_until(lambda: api.pending() == 0 and Spool(spool).is_empty, PATIENCE_SECONDS)
        await_answers(api, busy_chats)
        assert bot.terminate() == 0
    assert Spool(spool).is_empty
    assert recorded(tmp_path) == busy_chats.said
    tell(f"{ends}: {len(busy_chats.said)} interactions, {waited} of them waited, each there once")


def test_a_spool_that_keeps_nothing_is_noticed(tmp_path):
    with FakeBotApi(strict=False) as api:
        busy_chats = BusyChats(api)
        bot = BotProcess(api, tmp_path, log_level="warning", fault="spools nothing")
        api.wait_until(lambda: api.asked("getUpdates"), PATIENCE_SECONDS)
        busy_chats.talk(0.2)
        with unwritable(tmp_path):
            busy_chats.talk(0.2)
            api.wait_until(lambda: api.pending() == 0, PATIENCE_SECONDS)
        assert bot.terminate() == 0
    assert busy_chats.said - recorded(tmp_path)


def await_answers(api: FakeBotApi, busy_chats: BusyChats) -> None:
    answered = api.wait_until(
        lambda: all(len(api.sent_to(user)) == times for user, times in busy_chats.asked.items()),
        PATIENCE_SECONDS,
    )
    assert answered
