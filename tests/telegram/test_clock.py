"""The clock in the bot: messages and commands of admins, and the value of Telegram's dates."""

import asyncio
import datetime as dt

import pytest

from bot.telegram.serve import dated_by
from ledger.commands import interaction_of
from ledger.instants import DAY, Instant, iso
from ledger.store.job_runs import days_done, last_ran_at
from projections.application import Engagements
from tests.support.strategies import NOON
from tests.support.telegram.bot_process import BotProcess
from tests.support.telegram.conversation_driver import Stage
from tests.support.telegram.fake_server import BotApi

ADMIN = 1001
YEARS = 3_650 * DAY


@pytest.fixture
def stage(tmp_path):
    """A bot with an admin, whose clock is ten years ahead of the last event when it starts."""
    stage = Stage(tmp_path, ENGAGEMENT_ADMINS=str(ADMIN))
    stage.engagements.ledger.record(interaction_of("ana", "AI-1", "query"))
    stage.clock.move(YEARS)
    stage.api.person("Ana", id=ADMIN).says("hello")
    with stage:
        yield stage


@pytest.fixture
def admin(stage):
    stage.settle()
    return stage.api.person("Ana", id=ADMIN)


def ran(stage):
    with stage.engagements.ledger.database.read() as connection:
        return last_ran_at(connection)


def test_the_admins_are_told_once_and_confirm_it(stage, admin):
    told = f"My clock says {iso(Instant(NOON + YEARS))}"
    stage.api.wait_until(lambda: any(told in each.text for each in stage.api.sent_to(admin)), 30)
    assert sum(told in each.text for each in stage.answers(admin)) == 1
    assert ran(stage) is None
    assert "the scheduled work waits" in stage.answer(admin, "/clock").text
    assert "Noted" in stage.answer(admin, "/clock ok").text
    assert ran(stage) == NOON + YEARS
    assert "The scheduled work goes on." in stage.answer(admin, "/clock").text
    assert "Try /clock" in stage.answer(admin, "/clock yes").text


def test_nobody_else_may_ask_or_confirm_and_all_are_recorded(stage):
    ben = stage.api.person("Ben", id=1002)
    for text in ("/clock", "/clock ok"):
        assert stage.answer(ben, text).text == "/clock is for the admins of this bot."
    assert ran(stage) is None
    stage.asks(ben, "AI-7")
    assert stage.recorded(ben) == {("AI-7", "query"): 1}


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
    with BotApi() as api, Engagements(url) as engagements:
        bot = BotProcess(api, tmp_path)
        database = engagements.ledger.database
        api.wait_until(lambda: days_done(database, "engagement_expiry"), 30)
        (entry,) = engagements.history("ana")
        assert bot.terminate() == 0
    assert entry.origin.context is None
