"""Recording: people talk in every kind of chat, and the ledger has each interaction once."""

from collections import Counter

import pytest
import telegram

from ledger.instants import DAY, moment_of
from tests.support.telegram.conversation_driver import ConversationDriver


@pytest.fixture
def ana(driver: ConversationDriver):
    return driver.api.user("Ana Canary", id=1001)


@pytest.fixture
def bob(driver: ConversationDriver):
    return driver.api.user("Bob Canary", id=1002)


# --- in private ----------------------------------------------------------------------------------


def test_what_is_asked_in_private_is_a_query(driver, ana):
    ana.says("How are AI-1799 and DMD-480 today?")
    assert driver.recorded(ana) == {("AI-1799", "query"): 1, ("DMD-480", "query"): 1}


def test_a_caption_counts_as_text(driver, ana):
    ana.sends_photo("a screenshot of AI-1799")
    assert driver.recorded(ana) == {("AI-1799", "query"): 1}


def test_an_issue_behind_a_link_counts(driver, ana):
    ana.says("this issue", links={"issue": "https://linear.app/team/issue/AI-1799/fix-it"})
    assert driver.recorded(ana) == {("AI-1799", "query"): 1}


RICH = {"blocks": [{"type": "heading", "size": 1, "text": ["Plan for ", "AI-1799"]}]}
CHECKLIST = {"title": "Release AI-1799", "tasks": [{"id": 1, "text": "DMD-480 tests"}]}


def test_a_rich_message_counts_as_text_and_is_answered(driver, ana):
    ana.sends(rich_message=RICH)
    assert driver.recorded(ana) == {("AI-1799", "query"): 1}
    assert "AI-1799" in driver.answers(ana)[-1].text
    beyond_the_schema(driver, "rich_message")


def test_a_checklist_counts_as_text(driver, ana):
    ana.sends(checklist=CHECKLIST)
    assert driver.recorded(ana) == {("AI-1799", "query"): 1, ("DMD-480", "query"): 1}


def test_what_is_of_an_unknown_kind_is_counted_in_the_log_without_its_words(driver, ana, log):
    for _ in range(2):
        ana.sends(hologram={"text": "AI-1 canary"})
    driver.settle()
    counts = [line for line in log.getvalue().splitlines() if "content not read" in line]
    assert len(counts) == 2
    assert "2" in counts[-1]
    assert "canary" not in log.getvalue()
    beyond_the_schema(driver, "hologram")


@pytest.mark.parametrize("field", ["message", "edited_message"])
def test_it_is_the_recorder_that_counts_what_it_cannot_read(driver, ana, bob, log, field):
    """So it does in an application that only records, and for edits, which nothing answers."""
    chat = driver.api.supergroup("Team Canary", members=[ana, bob])
    message = {
        "message_id": 9,
        "date": int(driver.clock().timestamp()),
        "chat": {"id": chat.id, "type": "supergroup", "title": "Team Canary"},
        "from": {"id": ana.id, "is_bot": False, "first_name": "Ana"},
        "hologram": {"text": "AI-1 canary"},
    }
    told = telegram.Update.de_json({"update_id": 1, field: message}, driver.bot.application.bot)
    assert driver.run(driver.bot.recorder.record_update(told))
    assert log.getvalue().count('"event": "content not read"') == 1
    assert "canary" not in log.getvalue()
    forwarded = {"type": "hidden_user", "date": message["date"], "sender_user_name": "Zoe"}
    message |= {"forward_origin": forwarded}
    told = telegram.Update.de_json({"update_id": 2, field: message}, driver.bot.application.bot)
    assert driver.run(driver.bot.recorder.record_update(told))
    assert log.getvalue().count('"event": "content not read"') == 1


def beyond_the_schema(driver: ConversationDriver, field: str) -> None:
    """Nothing is wrong with the updates but a field that came after the schema."""
    assert all(field in complaint for complaint in driver.api.complaints)
    driver.api.complaints.clear()


def test_an_edit_records_only_what_is_new_in_it(driver, ana):
    message = ana.says("AI-1 needs a look")
    ana.edits(message, "AI-1 and AI-2 need a look")
    ana.edits(message, "AI-2 and AI-1 need a look")
    assert driver.recorded(ana) == {("AI-1", "query"): 1, ("AI-2", "query"): 1}
    assert len(driver.answers(ana)) == 1


def test_what_is_recorded_happened_when_the_message_was_sent(driver, ana):
    sent_at = driver.clock()
    message = ana.says("AI-1 needs a look")
    driver.settle()
    driver.clock.move(DAY)
    ana.edits(message, "AI-1 and AI-2 need a look")
    driver.settle()
    history = list(driver.engagements.questions.history("1001"))
    assert {moment_of(each.event.occurred_at) for each in history} == {sent_at}


@pytest.mark.parametrize(
    "command", ["/score AI-1", "/history AI-1", "/chart AI-1", "/top AI-1", "/start AI-1"]
)
def test_asking_what_the_ledger_thinks_is_no_interest_in_the_issue(driver, ana, command):
    ana.says(command)
    assert driver.recorded(ana) == {}


def test_another_command_that_names_an_issue_is_a_query(driver, ana):
    ana.says("/status_of AI-1")
    assert driver.recorded(ana) == {("AI-1", "query"): 1}


def test_only_the_first_twenty_issues_of_a_message_count(driver, ana, log):
    ana.says(" ".join(f"AI-{number}" for number in range(1, 31)))
    assert sum(driver.recorded(ana).values()) == 20
    assert '"left_out": 10' in log.getvalue()


def test_a_card_that_is_opened_from_a_list_is_a_view(driver, ana):
    ana.says("AI-1 needs a look")
    briefing = driver.answer(ana, "/briefing")
    ana.presses(briefing)
    assert driver.recorded(ana) == {("AI-1", "query"): 1, ("AI-1", "view"): 1}
    assert "1 query, 1 view" in driver.answers(ana)[-1].text


def test_appearing_in_a_list_is_no_view(driver, ana):
    ana.says("AI-1 needs a look")
    for command in ("/briefing", "/top", "/stats", "/history", "/chart"):
        ana.says(command)
    assert driver.recorded(ana) == {("AI-1", "query"): 1}


# --- in groups -----------------------------------------------------------------------------------


@pytest.fixture(params=["group", "supergroup", "forum"])
def chat(request, driver, ana, bob):
    return getattr(driver.api, request.param)("Team Canary", members=[ana, bob])


def test_what_colleagues_say_to_each_other_is_a_mention_and_is_not_answered(driver, ana, chat):
    assert driver.asks(ana, "AI-1799 blocks the release", chat) == []
    assert driver.recorded(ana) == {("AI-1799", "mention"): 1}


@pytest.mark.parametrize(
    "text",
    ["@ledger_bot AI-1799?", "AI-1799, @Ledger_Bot?", "/look AI-1799", "/look@ledger_bot AI-1799"],
)
def test_what_is_said_to_the_bot_is_a_query(driver, ana, chat, text):
    ana.says(text, in_=chat)
    assert driver.recorded(ana) == {("AI-1799", "query"): 1}


def test_a_command_for_another_bot_is_a_mention(driver, ana, chat):
    assert driver.asks(ana, "/look@other_bot AI-1799", chat) == []
    assert driver.recorded(ana) == {("AI-1799", "mention"): 1}


def test_a_reply_to_the_bot_is_a_query(driver, ana, chat):
    hello = driver.answer(ana, "/start@ledger_bot", chat)
    ana.says("and AI-1799?", in_=chat, reply_to=hello)
    assert driver.recorded(ana) == {("AI-1799", "query"): 1}


def test_a_reply_to_a_colleague_is_a_mention(driver, ana, bob, chat):
    said = bob.says("what blocks us?", in_=chat)
    ana.says("AI-1799", in_=chat, reply_to=said)
    assert driver.recorded(ana) == {("AI-1799", "mention"): 1}


def test_a_message_in_a_topic_that_the_bot_opened_is_no_reply_to_it(driver, ana):
    forum = driver.api.forum("Team Canary", members=[ana])
    topic = forum.creates_topic("Releases")
    ana.says("AI-1799 blocks the release", in_=forum, topic=topic)
    assert driver.recorded(ana) == {("AI-1799", "mention"): 1}


def test_a_message_in_two_groups_is_two(driver, ana):
    for name in ("Team", "Other team"):
        ana.says("AI-1799", in_=driver.api.supergroup(name, members=[ana]))
    assert driver.recorded(ana) == {("AI-1799", "mention"): 2}


# --- what does not count -------------------------------------------------------------------------


def test_forwards_record_nothing(driver, ana, bob, chat):
    said = bob.says("AI-1799 blocks us", in_=chat)
    ana.forwards(said, in_=chat)
    ana.forwards(said)
    assert driver.recorded(ana) == {}


def test_other_bots_record_nothing(driver, ana, chat):
    robot = driver.api.other_bot("Robot")
    chat.members[robot.id] = "member"
    robot.says("AI-1799 was closed", in_=chat)
    assert driver.recorded(robot) == {}


def test_no_user_is_recorded_for_what_a_group_or_a_channel_says(driver, ana):
    chat = driver.api.supergroup("Team Canary", members=[ana])
    channel = driver.api.channel("News Canary")
    ana.says_anonymously("AI-1 as the group", in_=chat)
    ana.says_as_channel("AI-2 as a channel", channel, in_=chat)
    post = channel.posts("AI-3 in the channel")
    channel.edits_post(post, "AI-3 and AI-4")
    chat.shows_post_of(channel, post)
    driver.settle()
    assert driver.engagements.ledger.database is not None
    assert events(driver) == 0


def test_service_messages_and_reactions_record_nothing(driver, ana, bob, chat):
    said = bob.says("hello", in_=chat)
    ana.joins(chat)
    ana.pins(said)
    ana.reacts(said)
    ana.leaves(chat)
    driver.settle()
    assert events(driver) == 0


# --- once ----------------------------------------------------------------------------------------


def test_an_update_that_comes_again_adds_nothing(driver, ana):
    update = ana.says("AI-1799 needs a look")
    driver.settle()
    driver.api.queue_raw({"message": update["message"]})
    assert driver.recorded(ana) == {("AI-1799", "query"): 1}


def test_a_group_that_becomes_a_supergroup_keeps_its_place(driver, ana):
    group = driver.api.group("Team Canary", members=[ana])
    first = ana.says("AI-1 in the group", in_=group)
    supergroup = group.becomes_supergroup()
    ana.says("AI-1 in the supergroup", in_=supergroup)
    driver.settle()
    driver.api.queue_raw({"message": first["message"]})
    assert driver.recorded(ana) == {("AI-1", "mention"): 2}
    places = {each.event.place for each in driver.engagements.questions.history("1001")}
    assert len(places) == 1


def events(driver: ConversationDriver) -> int:
    """How many events the ledger has."""
    return driver.engagements.ledger.size()[0]


def test_two_people_are_two(driver, ana, bob, chat):
    ana.says("AI-1799", in_=chat)
    bob.says("AI-1799", in_=chat)
    assert driver.recorded(ana) == driver.recorded(bob) == Counter({("AI-1799", "mention"): 1})
