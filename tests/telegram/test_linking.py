"""A code from the chat, in a comment in Linear, links the two users, and cards say “you”."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bot.linear.demo import LocalLinear, invented
from bot.linear.link_attempts import AT_MOST
from ledger.errors import LedgerUnavailableError
from ledger.instants import moment_of
from ledger.store.linear_links import LinearLinks
from tests.linear.test_link_attempts import CODE, MIRA, comment
from tests.support.linear_server import serving
from tests.support.observations import uuid
from tests.support.strategies import HOUR, NOON
from tests.support.telegram.conversation_driver import ConversationDriver
from tests.support.telegram.fake_users import FakeUser

SECRET = {"ENGAGEMENT_LINEAR_WEBHOOK_SECRET": "lin_wh_canary_secret"}
DONE = (
    "Done: in Linear you are Mira Canary. Cards that I send you say “you” where you are the "
    "assignee. /unlink ends that."
)
NOOR = MIRA | {"id": uuid(8), "name": "Noor Canary"}


@pytest.fixture
def driver(start_driver: Callable[..., ConversationDriver]) -> ConversationDriver:
    return start_driver(**SECRET)


@pytest.fixture
def ana(driver: ConversationDriver) -> FakeUser:
    return started(driver, "Ana Canary", 1001)


@pytest.fixture
def bob(driver: ConversationDriver) -> FakeUser:
    return started(driver, "Bob Canary", 1002)


def started(driver: ConversationDriver, name: str, number: int) -> FakeUser:
    user = driver.api.user(name, id=number)
    user.starts()
    return user


def code_for(driver: ConversationDriver, user: FakeUser) -> str:
    text = driver.answer(user, "/link").text
    (code,) = re.findall(r"^link-[a-z]{24}$", text, re.MULTILINE)
    return str(code)


def post(driver: ConversationDriver, text: str, author: dict[str, Any] = MIRA) -> int:
    """Post a comment in Linear; return the answer to its webhook."""
    body = comment(text, actor=author, data={"userId": author["id"]})
    return send(driver, body)


def send(driver: ConversationDriver, body: bytes) -> int:
    assert driver.bot.webhooks is not None
    return int(driver.run(driver.bot.webhooks.answer(body)))


def links(driver: ConversationDriver, user: FakeUser) -> str | None:
    found = driver.engagements.issues.linear_user(str(user.id))
    return None if found is None else found.linear_id


def last(driver: ConversationDriver, user: FakeUser) -> str:
    return driver.answers(user)[-1].text


def test_a_code_in_a_comment_links_and_both_ways_lead_back(driver, ana):
    said = driver.answer(ana, "/link").text
    assert said.startswith("Put this code into a comment on any issue in Linear, within an hour:")
    code = code_for(driver, ana)
    assert post(driver, f"hello {code}") == 200
    assert last(driver, ana) == DONE
    assert links(driver, ana) == MIRA["id"]
    assert driver.answer(ana, "/link").text.startswith("In Linear you are Mira Canary; /unlink")
    assert driver.answer(ana, "/unlink").text == "Done: I no longer know who you are in Linear."
    assert driver.answer(ana, "/unlink").text.startswith("I did not know who you are in Linear.")
    assert links(driver, ana) is None


def test_a_webhook_that_comes_twice_or_late_links_once(driver, ana, bob):
    body = comment(code_for(driver, ana))
    driver.clock.move(7 * HOUR)
    assert [send(driver, body), send(driver, body)] == [200, 200]
    assert [each.text for each in driver.answers(ana)].count(DONE) == 1
    code = code_for(driver, bob)
    body = comment(code, actor=NOOR, webhookTimestamp=(driver.clock.at + HOUR + 1000) // 1000,
                   data={"userId": NOOR["id"]})  # fmt: skip
    assert send(driver, body) == 200
    assert links(driver, bob) is None


def test_the_newest_proof_wins_and_the_other_one_learns_of_it(driver, ana, bob):
    post(driver, code_for(driver, ana))
    post(driver, code_for(driver, bob))
    assert last(driver, bob) == DONE
    assert last(driver, ana).startswith("Your link to a user in Linear has ended: another")
    assert (links(driver, ana), links(driver, bob)) == (None, MIRA["id"])


def test_a_code_that_is_copied_later_is_used_already(driver, ana):
    code = code_for(driver, ana)
    post(driver, code)
    post(driver, code, NOOR)
    assert links(driver, ana) == MIRA["id"]


def test_another_link_takes_the_place_of_the_code_before(driver, ana):
    former = code_for(driver, ana)
    code = code_for(driver, ana)
    post(driver, former)
    assert links(driver, ana) is None
    post(driver, code)
    assert links(driver, ana) == MIRA["id"]


def test_a_link_that_cannot_be_written_comes_again(driver, ana, monkeypatch):
    body = comment(code_for(driver, ana))
    with monkeypatch.context() as patched:
        patched.setattr(LinearLinks, "redeem", failing)
        assert send(driver, body) == 503
    with monkeypatch.context() as patched:
        patched.setattr(driver.bot.webhooks, "_take", failing)
        assert send(driver, body) == 503
    assert send(driver, body) == 200
    assert [each.text for each in driver.answers(ana)].count(DONE) == 1
    assert driver.engagements.ledger.size()[0] == 1


def failing(*_: object) -> None:
    raise LedgerUnavailableError("the disk is full")


def test_where_the_ledger_cannot_be_written_the_answer_says_what_to_do(driver, ana, monkeypatch):
    monkeypatch.setattr(LinearLinks, "new_code", failing)
    monkeypatch.setattr(LinearLinks, "unlink", failing)
    for command in ("/link", "/unlink"):
        assert driver.answer(ana, command).text.startswith("That could not be saved.")


def test_without_webhooks_an_admin_can_link(start_driver):
    driver = start_driver()
    ana = started(driver, "Ana Canary", 1001)
    assert "engagement link 1001 LINEAR_USER_ID" in driver.answer(ana, "/link").text


def test_in_groups_nothing_is_linked(driver, ana, bob):
    team = driver.api.supergroup("Team Canary", members=[ana, bob])
    for command in ("link", "unlink"):
        said = driver.answer(ana, f"/{command}", team).text
        assert said == f"/{command} works in our private chat only."


def test_who_opted_out_or_is_forgotten_is_not_linked(driver, ana):
    code = code_for(driver, ana)
    driver.clock.move(1)
    driver.engagements.ledger.erase("1001")
    post(driver, code)
    assert links(driver, ana) is None
    driver.answer(ana, "/optout")
    assert driver.answer(ana, "/link").text.startswith("You have opted out, so nothing about you")


def test_one_author_cannot_try_for_ever(driver, ana, caplog):
    code = code_for(driver, ana)
    for _ in range(AT_MOST):
        assert post(driver, CODE, NOOR) == 200
    post(driver, code, NOOR)
    assert links(driver, ana) is None
    assert "link codes of one author ignored for an hour" in caplog.messages
    post(driver, code)
    assert links(driver, ana) == MIRA["id"]


def test_no_code_and_no_word_of_a_comment_is_kept_or_logged(driver, ana, caplog):
    caplog.set_level("DEBUG", "bot")
    code = code_for(driver, ana)
    post(driver, f"canary words {code}")
    post(driver, f"canary words {CODE}")
    driver.settle()
    kept = b"".join(each.read_bytes() for each in driver.folder.rglob("*") if each.is_file())
    for secret in (code, code.removeprefix("link-"), "canary words"):
        assert secret.encode() not in kept
        assert secret not in caplog.text
    assert "Mira" not in caplog.text
    assert str(MIRA["id"]) not in caplog.text


# --- cards ---------------------------------------------------------------------------------------


@pytest.fixture
def with_linear(start_driver: Callable[..., ConversationDriver]) -> Iterator[ConversationDriver]:
    now = moment_of(NOON)
    with serving(LocalLinear(invented(now), lambda: now)) as served:
        yield start_driver(**SECRET, **served.settings)


def test_a_card_says_you_to_the_assignee_and_the_name_to_others(with_linear):
    driver = with_linear
    ana, bob = started(driver, "Ana Canary", 1001), started(driver, "Bob Canary", 1002)
    assert "amara" in driver.answer(ana, "AI-1799").text
    driver.settle()
    known = driver.engagements.issues.issue("AI-1799")
    (amara,) = known.people.values()
    post(driver, code_for(driver, ana), {"id": amara.id, "name": "amara", "type": "user"})
    score = driver.answer(ana, "/score AI-1799").text
    mine, others = driver.answer(ana, "AI-1799").text, driver.answer(bob, "AI-1799").text
    assert " you" in mine
    assert "amara" not in mine
    assert "amara" in others
    assert "you" not in score
    team = driver.api.supergroup("Team Canary", members=[ana, bob])
    in_group = driver.answer(ana, "@ledger_bot AI-1799", team).text
    assert in_group == "AI-1799: I have sent you what I know in private."
