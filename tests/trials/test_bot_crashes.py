"""A bot is killed repeatedly while people write: what it acknowledged to Telegram, is recorded.

Like Telegram, the server delivers again what was not acknowledged. So nothing is missing in the end
if, and only if, each message is recorded before it is acknowledged; and nothing counts twice.
"""

import random
from collections import Counter
from pathlib import Path

import pytest

from projections.application import Engagements
from tests.support.telegram.bot_process import BotProcess
from tests.support.telegram.fake_server import FakeBotApi
from tests.support.trials.counts import chance, count, tell

pytestmark = pytest.mark.trial

PEOPLE = 20
LONGEST_LIFE_SECONDS = 0.4
PATIENCE_SECONDS = 60.0


class BusyChats:
    """Twenty people in a group and in private chats, each message about issues of its own."""

    def __init__(self, api: FakeBotApi, chance: random.Random) -> None:
        """Prepare the chats, in which no one has written yet."""
        self.api = api
        self.chance = chance
        self.users = [api.user(f"Person {number}", id=5_000 + number) for number in range(PEOPLE)]
        self.team = api.supergroup("Team", members=self.users)
        self.said: Counter[tuple[str, str]] = Counter()

    def talk(self, messages: int) -> None:
        """Let people write messages, in the group or to the bot."""
        for _ in range(messages):
            user = self.chance.choice(self.users)
            number = len(self.said) + 1
            issues = [f"AI-{number}", f"DMD-{number}"][: self.chance.randint(1, 2)]
            where = self.chance.choice([self.team, user.private()])
            user.says(f"look at {' and '.join(issues)}", in_=where)
            self.said.update((str(user.id), issue) for issue in issues)


def live_through(
    api: FakeBotApi, busy_chats: BusyChats, folder: Path, kills: int, fault: str | None = None
) -> None:
    """Kill the bot repeatedly at random moments while people write; then let it catch up."""
    for _ in range(kills):
        busy_chats.talk(busy_chats.chance.randint(5, 60))
        bot = polling(api, folder, fault=fault)
        bot.process.join(busy_chats.chance.uniform(0, LONGEST_LIFE_SECONDS))
        bot.kill()
    bot = polling(api, folder, fault=fault)
    api.wait_until(lambda: api.pending() == 0, PATIENCE_SECONDS)
    assert bot.terminate() == 0


def polling(api: FakeBotApi, folder: Path, fault: str | None = None) -> BotProcess:
    """Start a bot, and wait until it asks for updates."""
    asked = len(api.asked("getUpdates"))
    bot = BotProcess(api, folder, fault=fault)
    api.wait_until(lambda: len(api.asked("getUpdates")) > asked, PATIENCE_SECONDS)
    return bot


def recorded(folder: Path) -> Counter[tuple[str, str]]:
    """The touches of each issue by each user in the events; the read model must agree."""
    counts: Counter[tuple[str, str]] = Counter()
    with Engagements(f"sqlite:///{folder}/ledger.db") as engagements:
        assert (
            engagements.maintenance.replay(repair=False, progress=lambda _: None).difference is None
        )
        for number in range(PEOPLE):
            user_id = str(5_000 + number)
            for entry in engagements.questions.history(user_id):
                counts[user_id, entry.event.issue_id] += 1
    return counts


@pytest.mark.long
def test_whatever_telegram_was_told_is_recorded_once(tmp_path):
    with FakeBotApi(strict=False) as api:
        busy_chats = BusyChats(api, chance())
        kills = count(full=80, small=2, more="BOT_KILLS")
        live_through(api, busy_chats, tmp_path, kills)
        assert recorded(tmp_path) == busy_chats.said
        tell(f"{kills} kills, {len(busy_chats.said):,} interactions, each there once")


def test_recording_in_a_handler_loses_what_telegram_was_told(tmp_path):
    with FakeBotApi(strict=False) as api:
        for attempt in range(20):
            folder = tmp_path / str(attempt)
            busy_chats = BusyChats(api, random.Random(attempt))
            busy_chats.talk(100)
            live_through(api, busy_chats, folder, 3, fault="records late")
            if busy_chats.said - recorded(folder):
                return
    pytest.fail("nothing was lost in twenty times three kills: the planted fault was not caught")
