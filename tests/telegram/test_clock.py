"""The clock in the bot: messages and commands of admins, and the value of Telegram's dates."""

import asyncio
import datetime as dt

import pytest

from bot.telegram.serve import dated_by
from ledger.commands import interaction_of
from ledger.instants import DAY, Instant, iso
from ledger.store.job_runs import JobRuns, last_ran_at
from projections.application import Engagements
from tests.support.strategies import NOON
from tests.support.telegram.bot_process import BotProcess
from tests.support.telegram.conversation_driver import ConversationDriver
from tests.support.telegram.fake_server import FakeBotApi

ADMIN = 1001
YEARS = 3_650 * DAY


@pytest.fixture
def driver(tmp_path):
    """A bot with an admin, whose clock is ten years ahead of the last event when it starts."""
    driver = ConversationDriver(tmp_path, ENGAGEMENT_ADMINS=str(ADMIN))
    driver.engagements.ledger.record(interaction_of("ana", "AI-1", "query"))
    driver.clock.move(YEARS)
    driver.api.user("Ana", id=ADMIN).says("hello")
    with driver:
        yield driver


@pytest.fixture
def admin(driver):
    driver.settle()
    return driver.api.user("Ana", id=ADMIN)


def ran(driver):
    with driver.engagements.ledger.database.read() as connection:
        return last_ran_at(connection)


def test_the_admins_are_told_once_and_confirm_it(driver, admin):
    told = f"My clock says {iso(Instant(NOON + YEARS))}"
    driver.api.wait_until(lambda: any(told in each.text for each in driver.api.sent_to(admin)), 30)
    assert sum(told in each.text for each in driver.answers(admin)) == 1
    assert ran(driver) is None
    assert "the scheduled work waits" in driver.answer(admin, "/clock").text
    assert "Noted" in driver.answer(admin, "/clock ok").text
    assert ran(driver) == NOON + YEARS
    assert "The scheduled work goes on." in driver.answer(admin, "/clock").text
    assert "Try /clock" in driver.answer(admin, "/clock yes").text


def test_only_admins_may_ask_or_confirm_and_all_are_recorded(driver):
    ben = driver.api.user("Ben", id=1002)
    for text in ("/clock", "/clock ok"):
        assert driver.answer(ben, text).text == "/clock is for the admins of this bot."
    assert ran(driver) is None
    driver.asks(ben, "AI-7")
    assert driver.recorded(ben) == {("AI-7", "query"): 1}


class Answer:
    """The argument of httpx's hooks."""

    def __init__(self, date: str | None) -> None:
        """Say the date, if any."""
        self.headers = {} if date is None else {"Date": date}


@pytest.mark.parametrize(
    ("date", "heard"),
    [
        ("Thu, 01 Jan 2026 12:00:00 GMT", [("answers", NOON)]),
        ("yesterday", []),
        ("Thu, 01 Jan 2026 12:00:00 -0000", []),
        (None, []),
    ],
)
def test_the_date_of_an_answer_is_heard_where_it_can_be_read(date, heard):
    found: list[tuple[str, int]] = []
    hooks = dated_by(lambda *said: found.append(said))["event_hooks"]
    for hook in hooks["response"]:
        asyncio.run(hook(Answer(date)))
    assert found == heard


def test_a_bot_that_was_off_for_months_works_at_once_by_telegrams_date(tmp_path):
    url, long_ago = f"sqlite:///{tmp_path}/ledger.db", dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
    with Engagements(url, clock=lambda: long_ago) as engagements:
        engagements.ledger.record(interaction_of("ana", "AI-1", "query", context="canary"))
    with FakeBotApi() as api, Engagements(url) as engagements:
        bot = BotProcess(api, tmp_path)
        database = engagements.ledger.database
        api.wait_until(lambda: JobRuns(database).days("engagement_expiry"), 30)
        (entry,) = engagements.questions.history("ana")
        assert bot.terminate() == 0
    assert entry.origin.context is None
