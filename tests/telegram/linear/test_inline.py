"""Inline queries, chosen results and guest messages: cards that others read."""

from collections.abc import Callable

import pytest
import telegram
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.answers.reply import Reply
from bot.language import words
from bot.linear.demo import Scripted
from bot.telegram import inline_answers, look_ups
from ledger.errors import LedgerUnavailableError
from ledger.instants import moment_of
from tests.support.hostile_issues import AT, NASTY, hostile
from tests.support.strategies import NOON
from tests.support.telegram.conversation_driver import ConversationDriver
from tests.support.telegram.entities import TEXT_LIMIT, parse_html, utf16
from tests.support.telegram.fake_chats import FakeChat
from tests.support.telegram.fake_users import FakeUser
from tests.support.telegram.server_state import InlineAnswer, Result
from tests.support.telegram.update_queue import Update

NOW = moment_of(NOON)
FACTS = (
    "◐ In Progress for 3 days · amara\n"
    "high priority · 🔴 due tomorrow · cycle 14\n"
    "⛔ blocked by WEB-7"
)
TITLE = "AI-1799 Answers cite pages that have moved"
CARD = f"{TITLE}\n{FACTS}"


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inline_answers, "PAUSE_SECONDS", 0.0)


@pytest.fixture
def ana(driver: ConversationDriver) -> FakeUser:
    return driver.api.user("Ana Canary", id=1001)


@pytest.fixture
def without_linear(start_driver: Callable[..., ConversationDriver]) -> ConversationDriver:
    return start_driver()


def answer_to(driver: ConversationDriver, typed: Update) -> InlineAnswer:
    driver.settle()
    answer = driver.api.inline_answers[typed["inline_query"]["id"]]
    assert answer.parameters["is_personal"] is True
    assert answer.parameters["cache_time"] == 0
    return answer


def typing(driver: ConversationDriver, user: FakeUser, text: str) -> InlineAnswer:
    return answer_to(driver, user.types_inline(text))


def choose(driver: ConversationDriver, user: FakeUser, text: str, place: int = 0) -> Update:
    typed = user.types_inline(text)
    answer_to(driver, typed)
    return user.chooses(typed, place)


def guest_answer(
    driver: ConversationDriver, user: FakeUser, text: str, chat: FakeChat, **extra: object
) -> Result:
    called = user.calls_guest(f"@{driver.api.bot['username']} {text}", chat, **extra)
    driver.settle()
    return driver.api.guest_answers[called["guest_message"]["guest_query_id"]]


def elsewhere(driver: ConversationDriver) -> FakeChat:
    return driver.api.supergroup("Elsewhere", bot="left")


# --- inline queries ------------------------------------------------------------------------------


def test_a_result_shows_and_posts_the_issue_and_nothing_of_the_asker(driver, ana):
    ana.says("AI-1799")
    (result,) = typing(driver, ana, "AI-1799").results
    assert (result.title, result.description, result.text) == (TITLE, FACTS, CARD)
    assert result.entities[0]["type"] == "bold"
    assert [button["text"] for button in result.buttons] == ["Open in Linear"]


def test_several_issues_are_a_result_each_up_to_five(driver, ana):
    keys = [f"AI-{number}" for number in range(1799, 1807)]
    results = typing(driver, ana, " ".join([*keys, "AI-1799"])).results
    assert [result.title.split()[0] for result in results] == keys[:5]


def test_a_hidden_issue_is_as_one_that_does_not_exist_and_posts_its_key_only(driver, ana):
    hidden, absent = typing(driver, ana, "OPS-3 AI-9999").results
    assert (hidden.title, hidden.text, hidden.buttons) == ("OPS-3", "OPS-3", [])
    assert (absent.title, absent.text, absent.buttons) == ("AI-9999", "AI-9999", [])
    assert hidden.description.replace("OPS-3", "AI-9999") == absent.description


def test_without_linear_a_result_is_the_key(without_linear):
    ana = without_linear.api.user("Ana Canary", id=1001)
    ana.says("AI-1799")
    (result,) = typing(without_linear, ana, "AI-1799").results
    assert (result.title, result.description, result.text) == ("AI-1799", "", "AI-1799")


@pytest.mark.parametrize("text", ["", "   ", "what is new"])
def test_a_query_without_issues_gets_a_hint(driver, ana, text):
    answer = typing(driver, ana, text)
    assert (answer.results, answer.line) == ([], words.INLINE_HINT)


def test_nothing_is_recorded_of_what_is_typed(driver, ana):
    for end in range(1, 8):
        ana.types_inline("AI-1799"[:end])
    driver.settle()
    assert driver.recorded(ana) == {}


def test_while_one_query_waits_only_the_newest_other_one_is_answered(driver, ana, linear):
    linear.hold()
    first = ana.types_inline("AI-1799")
    driver.api.wait_until(lambda: len(linear.local.asked) == 1)
    others = [ana.types_inline(f"AI-180{digit}") for digit in range(4)]
    driver.api.wait_until(lambda: driver.api.pending() == 0)
    linear.release()
    answer_to(driver, first)
    driver.settle()
    answered = [each["inline_query"]["id"] in driver.api.inline_answers for each in others]
    assert answered == [False, False, False, True]
    assert len(linear.local.asked) == 2


@pytest.mark.parametrize("scripted", [Scripted(503, b""), Scripted(held=True)])
def test_a_query_is_answered_though_linear_is_not(driver, ana, linear, monkeypatch, scripted):
    monkeypatch.setattr(look_ups, "CARD_SECONDS", 0.05)
    linear.local.script.append(scripted)
    (result,) = typing(driver, ana, "AI-1799").results
    assert (result.title, result.text) == ("AI-1799", "AI-1799")


def test_a_query_is_answered_though_the_ledger_is_not_and_says_nothing_of_linear(
    start_driver, linear, monkeypatch
):
    driver = start_driver(ENGAGEMENT_CHATS="-100123", ENGAGEMENT_TEAM_KEYS="AI", **linear.settings)
    ana = driver.api.user("Ana Canary", id=1001)

    def failing(_: object) -> bool:
        raise LedgerUnavailableError("the disk is full")

    monkeypatch.setattr(driver.bot._gate, "_knows", failing)
    (result,) = typing(driver, ana, "AI-1799").results
    assert (result.title, result.description, result.text) == ("AI-1799", "", "AI-1799")
    assert linear.local.asked == []


def test_a_stranger_gets_one_line_and_nothing_is_asked_or_recorded(start_driver, linear):
    driver = start_driver(ENGAGEMENT_CHATS="-100123", ENGAGEMENT_TEAM_KEYS="AI", **linear.settings)
    eve = driver.api.user("Eve Stranger", id=1009)
    answer = typing(driver, eve, "AI-1799")
    assert (answer.results, answer.line) == ([], words.INLINE_REFUSED)
    assert linear.local.asked == []
    stolen = {"result_id": "AI-1799:1", "from": eve.payload, "query": "AI-1799"}
    driver.api.queue_raw({"chosen_inline_result": stolen})
    assert driver.recorded(eve) == {}


def test_too_many_users_who_type_at_once_are_not_all_answered(driver, ana, monkeypatch, caplog):
    monkeypatch.setattr(inline_answers, "TYPING_AT_MOST", 0)
    ana.types_inline("AI-1799")
    driver.settle()
    assert driver.api.inline_answers == {}
    assert "inline query dropped" in caplog.messages


def test_a_failing_answer_does_not_end_the_next_one(driver, ana):
    driver.api.fail_next("answerInlineQuery", 400, "Bad Request: query is too old")
    ana.types_inline("AI-1")
    driver.settle()
    assert typing(driver, ana, "AI-1799").results[0].title == TITLE


TEXTS = st.lists(
    st.one_of(
        st.text(max_size=20),
        st.sampled_from(
            ["AI-1799", "ABC-1", "<b>", "&amp;", "%2F", "/top", "\u202e", "\ud83d", "%%/"]
        ),
        st.from_regex(r"[A-Z]{1,12}-[0-9]{1,6}", fullmatch=True),
    ),
    max_size=12,
).map(lambda pieces: " ".join(pieces).encode(errors="ignore").decode()[:256])


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(text=TEXTS)
def test_any_text_is_answered_by_its_issues_and_not_logged(without_linear, log, text):
    ana = without_linear.api.user("Ana Canary", id=1001)
    answer = typing(without_linear, ana, text)
    keys = without_linear.bot.recorder.keys.found_in(text)
    assert [result.text for result in answer.results] == keys[:5]
    assert bool(answer.line) is not bool(keys)
    assert without_linear.recorded(ana) == {}
    assert "ABC-1" not in log.getvalue()


# --- chosen results ------------------------------------------------------------------------------


def test_a_chosen_result_is_a_mention_once(driver, ana):
    chosen = choose(driver, ana, "AI-1799")
    for _ in range(2):
        driver.api.queue_raw({"chosen_inline_result": chosen["chosen_inline_result"]})
    assert driver.recorded(ana) == {("AI-1799", "mention"): 1}


def test_a_result_without_buttons_counts_once_too(without_linear):
    ana = without_linear.api.user("Ana Canary", id=1001)
    chosen = choose(without_linear, ana, "AI-1799")
    assert "inline_message_id" not in chosen["chosen_inline_result"]
    without_linear.api.queue_raw({"chosen_inline_result": chosen["chosen_inline_result"]})
    assert without_linear.recorded(ana) == {("AI-1799", "mention"): 1}


def test_a_chosen_result_counts_only_if_linear_shows_its_issue(driver, ana):
    for key in ("AI-9999", "OPS-3", "NOPE-3"):
        choose(driver, ana, key)
    assert driver.recorded(ana) == {}


def test_two_chosen_results_are_two_mentions(driver, ana):
    typed = ana.types_inline("AI-1799 AI-1800")
    answer_to(driver, typed)
    ana.chooses(typed, 0)
    ana.chooses(typed, 0)  # two posted messages
    ana.chooses(typed, 1)
    choose(driver, ana, "AI-1799")
    assert driver.recorded(ana) == {("AI-1799", "mention"): 3, ("AI-1800", "mention"): 1}


def test_the_same_result_of_two_queries_or_users_is_two_mentions(without_linear):
    ana, ben = (without_linear.api.user(name, id=1001 + i) for i, name in enumerate(("Ana", "Ben")))
    for user in (ana, ana, ben):
        choose(without_linear, user, "AI-1799")
    assert without_linear.recorded(ana) == {("AI-1799", "mention"): 2}
    assert without_linear.recorded(ben) == {("AI-1799", "mention"): 1}


def test_the_message_that_a_chosen_result_posts_is_not_counted_beside_it(driver, ana):
    group = driver.api.supergroup("Team", [ana])
    typed = ana.types_inline("AI-1799")
    answer_to(driver, typed)
    ana.chooses(typed, in_=group)
    assert driver.recorded(ana) == {("AI-1799", "mention"): 1}
    assert driver.answers(group) == []


@pytest.mark.parametrize("result_id", ["AI-1800:1", "guest", "", ":", "AI-1799", "AI-1799:"])
def test_a_result_that_the_query_does_not_name_is_not_counted(driver, ana, result_id):
    forged = {"result_id": result_id, "from": ana.payload, "query": "AI-1799 x"}
    driver.api.queue_raw({"chosen_inline_result": forged})
    expected = {("AI-1799", "mention"): 1} if result_id == "AI-1799:" else {}
    assert driver.recorded(ana) == expected


def test_who_opted_out_is_answered_and_not_recorded(driver, ana):
    ana.says("/optout")
    choose(driver, ana, "AI-1799")
    assert driver.recorded(ana) == {}


def test_a_result_that_cannot_be_recorded_is_not_acknowledged(driver, ana, monkeypatch):
    typed = ana.types_inline("AI-1799")
    answer_to(driver, typed)
    keep, failures = driver.bot.recorder.keeper.keep, iter([True])

    async def failing(*how: object) -> None:
        if next(failures, False):
            raise RuntimeError("no disk")
        await keep(*how)

    monkeypatch.setattr(driver.bot.recorder.keeper, "keep", failing)
    chosen = ana.chooses(typed)
    assert driver.recorded(ana) == {("AI-1799", "mention"): 1}
    assert driver.api.queue.delivered[chosen["update_id"]] == 2


# --- guest messages ------------------------------------------------------------------------------


def test_a_guest_message_is_answered_by_cards_and_is_a_query_once(driver, ana):
    chat = elsewhere(driver)
    answer = guest_answer(driver, ana, "AI-1799 OPS-3", chat)
    assert answer.text == f"{CARD}\n\nOPS-3: not found in Linear, or I may not see it"
    assert driver.recorded(ana) == {("AI-1799", "query"): 1}


def test_a_guest_message_counts_once_beside_a_message_with_the_same_ids(driver, ana):
    group = driver.api.supergroup("Team", [ana])
    said = ana.says("AI-1799", in_=group)["message"]
    driver.settle()
    guest = said | {"guest_query_id": "77"}
    for _ in range(2):
        driver.api.queue_raw({"guest_message": guest})
    assert driver.recorded(ana) == {("AI-1799", "mention"): 1, ("AI-1799", "query"): 1}


def test_the_words_of_a_guest_message_are_not_kept(driver, ana):
    guest_answer(driver, ana, "AI-1799 is late", elsewhere(driver))
    driver.settle()
    page = driver.engagements.questions.page("1001", "AI-1799", limit=1, latest=True)
    (entry,) = page.entries
    assert entry.origin.context is None


def test_a_guest_message_without_issues_gets_a_hint(driver, ana):
    assert guest_answer(driver, ana, "hello", elsewhere(driver)).text == words.NO_ISSUE_NAMED


def test_a_guest_message_without_linear_leads_into_the_private_chat(without_linear):
    ana = without_linear.api.user("Ana Canary", id=1001)
    answer = guest_answer(without_linear, ana, "AI-1799", elsewhere(without_linear))
    assert answer.text == words.GUEST_WITHOUT_FACTS.format(issue="AI-1799")


def test_a_strangers_guest_message_gets_one_line(start_driver, linear):
    driver = start_driver(ENGAGEMENT_CHATS="-100123", ENGAGEMENT_TEAM_KEYS="AI", **linear.settings)
    eve = driver.api.user("Eve Stranger", id=1009)
    answer = guest_answer(driver, eve, "AI-1799", elsewhere(driver))
    assert (answer.text, answer.buttons) == (words.INLINE_REFUSED, [])
    assert driver.recorded(eve) == {}


@pytest.mark.parametrize("how", ["in the chat's name", "forwarded"])
def test_a_guest_message_that_is_not_a_persons_own_is_ignored(driver, ana, how):
    chat = elsewhere(driver)
    origin = {"type": "user", "date": driver.api.seconds(), "sender_user": ana.payload}
    extra = {"forward_origin": origin} if how == "forwarded" else {"sender_chat": chat.shown()}
    ana.calls_guest("AI-1799", chat, **extra)
    driver.settle()
    assert driver.api.guest_answers == {}
    assert driver.recorded(ana) == {}


@pytest.mark.parametrize("title", NASTY)
def test_what_is_posted_of_any_issues_fits_into_one_message_without_markup(title):
    answers = hostile([title] * 5, title, title, "started")
    cards = [inline_answers._article("1", key, answer, AT) for key, answer in answers.items()]
    together = Reply("\n\n".join(inline_answers._for_guest(*each, AT) for each in answers.items()))
    for result in (*cards, inline_answers._posted("guest", together)):
        content = result.input_message_content
        assert isinstance(content, telegram.InputTextMessageContent)
        assert 1 <= utf16(content.message_text) <= TEXT_LIMIT
        parsed = parse_html(content.message_text)
        assert parsed.ampersands_escaped
        assert {each["type"] for each in parsed.entities} == {"bold"}
        assert result.title.startswith("AI-0") or result in cards
        result.to_json().encode()
