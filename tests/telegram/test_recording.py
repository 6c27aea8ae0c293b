"""Recording: people talk in every kind of chat, and the ledger has each interaction once."""

from collections import Counter

import pytest
import telegram

from ledger.instants import DAY, moment_of
from tests.support.telegram.conversation_driver import Stage


@pytest.fixture
def ana(stage: Stage):
    return stage.api.person("Ana Canary", id=1001)


@pytest.fixture
def bob(stage: Stage):
    return stage.api.person("Bob Canary", id=1002)


# --- in private ----------------------------------------------------------------------------------


def test_what_is_asked_in_private_is_a_query(stage, ana):
    ana.says("How are AI-1799 and DMD-480 today?")
    assert stage.recorded(ana) == {("AI-1799", "query"): 1, ("DMD-480", "query"): 1}


def test_a_caption_counts_as_text(stage, ana):
    ana.sends_photo("a screenshot of AI-1799")
    assert stage.recorded(ana) == {("AI-1799", "query"): 1}


def test_an_issue_behind_a_link_counts(stage, ana):
    ana.says("this issue", links={"issue": "https://linear.app/team/issue/AI-1799/fix-it"})
    assert stage.recorded(ana) == {("AI-1799", "query"): 1}


RICH = {"blocks": [{"type": "heading", "size": 1, "text": ["Plan for ", "AI-1799"]}]}
CHECKLIST = {"title": "Release AI-1799", "tasks": [{"id": 1, "text": "DMD-480 tests"}]}


def test_a_rich_message_counts_as_text_and_is_answered(stage, ana):
    ana.sends(rich_message=RICH)
    assert stage.recorded(ana) == {("AI-1799", "query"): 1}
    assert "AI-1799" in stage.answers(ana)[-1].text
    beyond_the_schema(stage, "rich_message")


def test_a_checklist_counts_as_text(stage, ana):
    ana.sends(checklist=CHECKLIST)
    assert stage.recorded(ana) == {("AI-1799", "query"): 1, ("DMD-480", "query"): 1}


def test_what_is_of_an_unknown_kind_is_counted_in_the_log_without_its_words(stage, ana, log):
    for _ in range(2):
        ana.sends(hologram={"text": "AI-1 canary"})
    stage.settle()
    counts = [line for line in log.getvalue().splitlines() if "content not read" in line]
    assert len(counts) == 2
    assert "2" in counts[-1]
    assert "canary" not in log.getvalue()
    beyond_the_schema(stage, "hologram")


@pytest.mark.parametrize("field", ["message", "edited_message"])
def test_it_is_the_recorder_that_counts_what_it_cannot_read(stage, ana, bob, log, field):
    """So it does in an application that only records, and for edits, which nothing answers."""
    room = stage.api.supergroup("Team Canary", members=[ana, bob])
    message = {
        "message_id": 9,
        "date": int(stage.clock().timestamp()),
        "chat": {"id": room.id, "type": "supergroup", "title": "Team Canary"},
        "from": {"id": ana.id, "is_bot": False, "first_name": "Ana"},
        "hologram": {"text": "AI-1 canary"},
    }
    told = telegram.Update.de_json({"update_id": 1, field: message}, stage.bot.application.bot)
    assert stage.run(stage.bot.recorder.record_update(told))
    assert log.getvalue().count('"event": "content not read"') == 1
    assert "canary" not in log.getvalue()
    forwarded = {"type": "hidden_user", "date": message["date"], "sender_user_name": "Zoe"}
    message |= {"forward_origin": forwarded}
    told = telegram.Update.de_json({"update_id": 2, field: message}, stage.bot.application.bot)
    assert stage.run(stage.bot.recorder.record_update(told))
    assert log.getvalue().count('"event": "content not read"') == 1


def beyond_the_schema(stage: Stage, field: str) -> None:
    """Nothing is wrong with the updates but a field that came after the schema."""
    assert all(field in complaint for complaint in stage.api.complaints)
    stage.api.complaints.clear()


def test_an_edit_records_only_what_is_new_in_it(stage, ana):
    message = ana.says("AI-1 needs a look")
    ana.edits(message, "AI-1 and AI-2 need a look")
    ana.edits(message, "AI-2 and AI-1 need a look")
    assert stage.recorded(ana) == {("AI-1", "query"): 1, ("AI-2", "query"): 1}
    assert len(stage.answers(ana)) == 1


def test_what_is_recorded_happened_when_the_message_was_sent(stage, ana):
    sent_at = stage.clock()
    message = ana.says("AI-1 needs a look")
    stage.settle()
    stage.clock.move(DAY)
    ana.edits(message, "AI-1 and AI-2 need a look")
    stage.settle()
    history = list(stage.engagements.history("1001"))
    assert {moment_of(each.event.occurred_at) for each in history} == {sent_at}


@pytest.mark.parametrize(
    "command", ["/score AI-1", "/history AI-1", "/chart AI-1", "/top AI-1", "/start AI-1"]
)
def test_asking_what_the_ledger_thinks_is_no_interest_in_the_issue(stage, ana, command):
    ana.says(command)
    assert stage.recorded(ana) == {}


def test_another_command_that_names_an_issue_is_a_query(stage, ana):
    ana.says("/status_of AI-1")
    assert stage.recorded(ana) == {("AI-1", "query"): 1}


def test_only_the_first_twenty_issues_of_a_message_count(stage, ana, log):
    ana.says(" ".join(f"AI-{number}" for number in range(1, 31)))
    assert sum(stage.recorded(ana).values()) == 20
    assert '"left_out": 10' in log.getvalue()


def test_a_card_that_is_opened_from_a_list_is_a_view(stage, ana):
    ana.says("AI-1 needs a look")
    briefing = stage.answer(ana, "/briefing")
    ana.presses(briefing)
    assert stage.recorded(ana) == {("AI-1", "query"): 1, ("AI-1", "view"): 1}
    assert "1 query, 1 view" in stage.answers(ana)[-1].text


def test_appearing_in_a_list_is_no_view(stage, ana):
    ana.says("AI-1 needs a look")
    for command in ("/briefing", "/top", "/stats", "/history", "/chart"):
        ana.says(command)
    assert stage.recorded(ana) == {("AI-1", "query"): 1}


# --- in groups -----------------------------------------------------------------------------------


@pytest.fixture(params=["group", "supergroup", "forum"])
def room(request, stage, ana, bob):
    return getattr(stage.api, request.param)("Team Canary", members=[ana, bob])


def test_what_colleagues_say_to_each_other_is_a_mention_and_is_not_answered(stage, ana, room):
    assert stage.asks(ana, "AI-1799 blocks the release", room) == []
    assert stage.recorded(ana) == {("AI-1799", "mention"): 1}


@pytest.mark.parametrize(
    "text",
    ["@ledger_bot AI-1799?", "AI-1799, @Ledger_Bot?", "/look AI-1799", "/look@ledger_bot AI-1799"],
)
def test_what_is_said_to_the_bot_is_a_query(stage, ana, room, text):
    ana.says(text, in_=room)
    assert stage.recorded(ana) == {("AI-1799", "query"): 1}


def test_a_command_for_another_bot_is_a_mention(stage, ana, room):
    assert stage.asks(ana, "/look@other_bot AI-1799", room) == []
    assert stage.recorded(ana) == {("AI-1799", "mention"): 1}


def test_a_reply_to_the_bot_is_a_query(stage, ana, room):
    hello = stage.answer(ana, "/start@ledger_bot", room)
    ana.says("and AI-1799?", in_=room, reply_to=hello)
    assert stage.recorded(ana) == {("AI-1799", "query"): 1}


def test_a_reply_to_a_colleague_is_a_mention(stage, ana, bob, room):
    said = bob.says("what blocks us?", in_=room)
    ana.says("AI-1799", in_=room, reply_to=said)
    assert stage.recorded(ana) == {("AI-1799", "mention"): 1}


def test_a_message_in_a_topic_that_the_bot_opened_is_no_reply_to_it(stage, ana):
    forum = stage.api.forum("Team Canary", members=[ana])
    topic = forum.creates_topic("Releases")
    ana.says("AI-1799 blocks the release", in_=forum, topic=topic)
    assert stage.recorded(ana) == {("AI-1799", "mention"): 1}


def test_a_message_in_two_groups_is_two(stage, ana):
    for name in ("Team", "Other team"):
        ana.says("AI-1799", in_=stage.api.supergroup(name, members=[ana]))
    assert stage.recorded(ana) == {("AI-1799", "mention"): 2}


# --- what does not count -------------------------------------------------------------------------


def test_forwards_record_nothing(stage, ana, bob, room):
    said = bob.says("AI-1799 blocks us", in_=room)
    ana.forwards(said, in_=room)
    ana.forwards(said)
    assert stage.recorded(ana) == {}


def test_other_bots_record_nothing(stage, ana, room):
    robot = stage.api.other_bot("Robot")
    room.members[robot.id] = "member"
    robot.says("AI-1799 was closed", in_=room)
    assert stage.recorded(robot) == {}


def test_nobody_is_recorded_for_what_a_group_or_a_channel_says(stage, ana):
    room = stage.api.supergroup("Team Canary", members=[ana])
    channel = stage.api.channel("News Canary")
    ana.says_anonymously("AI-1 as the group", in_=room)
    ana.says_as_channel("AI-2 as a channel", channel, in_=room)
    post = channel.posts("AI-3 in the channel")
    channel.edits_post(post, "AI-3 and AI-4")
    room.shows_post_of(channel, post)
    stage.settle()
    assert stage.engagements.ledger.database is not None
    assert events(stage) == 0


def test_service_messages_and_reactions_record_nothing(stage, ana, bob, room):
    said = bob.says("hello", in_=room)
    ana.joins(room)
    ana.pins(said)
    ana.reacts(said)
    ana.leaves(room)
    stage.settle()
    assert events(stage) == 0


# --- once ----------------------------------------------------------------------------------------


def test_an_update_that_comes_again_adds_nothing(stage, ana):
    update = ana.says("AI-1799 needs a look")
    stage.settle()
    stage.api.queue_raw({"message": update["message"]})
    assert stage.recorded(ana) == {("AI-1799", "query"): 1}


def test_a_group_that_becomes_a_supergroup_keeps_its_place(stage, ana):
    group = stage.api.group("Team Canary", members=[ana])
    first = ana.says("AI-1 in the group", in_=group)
    supergroup = group.becomes_supergroup()
    ana.says("AI-1 in the supergroup", in_=supergroup)
    stage.settle()
    stage.api.queue_raw({"message": first["message"]})
    assert stage.recorded(ana) == {("AI-1", "mention"): 2}
    places = {each.event.place for each in stage.engagements.history("1001")}
    assert len(places) == 1


def events(stage: Stage) -> int:
    """How many events the ledger has."""
    return stage.engagements.ledger.size()[0]


def test_two_people_are_two(stage, ana, bob, room):
    ana.says("AI-1799", in_=room)
    bob.says("AI-1799", in_=room)
    assert stage.recorded(ana) == stage.recorded(bob) == Counter({("AI-1799", "mention"): 1})
