"""Cards with what Linear says: few words, no waiting, and nothing of what may not be seen."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from bot.charts import ranking_chart
from bot.dates.job_days import RESOLUTION
from bot.linear.client import Linear
from bot.linear.decoding import Failed, Reason
from bot.linear.demo import SECRET, Scripted
from bot.linear.demo.workspace import Invented
from bot.linear.documents import Request
from bot.listening.bot_commands import CARDS, Asked
from bot.telegram import handlers, look_ups
from bot.telegram.look_ups import LookUps
from bot.telegram.sending import Outbox
from ledger.application import EngagementLedger
from ledger.commands import interaction_of
from ledger.errors import LedgerUnavailableError
from ledger.events import InteractionRecorded
from ledger.instants import DAY, Instant, moment_of
from ledger.observations import Observation
from ledger.store.append import Entry, Receipt
from projections.application import Engagements, EngagementTracker, Issues, KnownIssue
from tests.support.linear_server import LinearServer
from tests.support.observations import observation
from tests.support.strategies import NOON
from tests.support.telegram.conversation_driver import ConversationDriver
from tests.support.telegram.fake_users import FakeUser

NOW = moment_of(NOON)
ENGAGEMENT = "Your score 0.680 · 1 query, today at 12:00"
WHOLE = (
    "AI-1799 Answers cite pages that have moved\n"
    "◐ In Progress for 3 days · amara\n"
    "high priority · 🔴 due tomorrow · cycle 14\n"
    "⛔ blocked by WEB-7\n"
    f"{ENGAGEMENT}"
)
BUTTONS = ["Open in Linear", "Why?", "Copy AI-1799", "Copy branch"]
HIDE, SHOW = "Hide AI-1799 from my lists", "Show AI-1799 in my lists again"


@pytest.fixture
def ana(driver: ConversationDriver) -> FakeUser:
    user = driver.api.user("Ana Canary", id=1001)
    user.starts()
    return user


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cards that wait for nothing: what has to come later comes later on every machine."""
    monkeypatch.setattr(look_ups, "CARD_SECONDS", 0.0)


def ask_held(
    driver: ConversationDriver, linear: LinearServer, ana: FakeUser, text: str, count: int = 1
) -> None:
    """Ask for a card that is sent before Linear has answered."""
    driver.settle()
    before = len(driver.api.sent_to(ana))
    linear.hold()
    ana.says(text)
    driver.api.wait_until(lambda: len(driver.api.sent_to(ana)) == before + count)


def test_a_card_says_what_the_issue_is(driver, ana):
    card = driver.answer(ana, "What's the status of AI-1799?")
    assert card.text == WHOLE
    assert card.buttons == [*BUTTONS, HIDE]
    assert card.rows[1][0]["copy_text"] == {"text": "AI-1799"}
    assert card.rows[1][1]["copy_text"] == (
        {"text": "amara/ai-1799-answers-cite-pages-that-have-moved"}
    )
    assert card.rows[0][0]["url"] == "https://linear.example/wattle/issue/AI-1799"
    assert card.entities[0] == {
        "type": "bold",
        "offset": 0,
        "length": len("AI-1799 Answers cite pages that have moved"),
    }
    assert card.edits == []


def test_what_linear_said_for_a_card_is_recorded_once(driver, ana):
    for _ in range(2):
        driver.answer(ana, "AI-1799 OPS-3 AI-9999")
    driver.settle()
    issue = driver.engagements.issues.issue("AI-1799")
    assert issue is not None
    assert issue.text(issue.at.issue) == "Answers cite pages that have moved"
    assert [person.name for person in issue.people.values()] == ["amara"]
    assert driver.engagements.issues.issue("OPS-3") is None
    assert driver.engagements.ledger.size()[0] == 2 + 1


@pytest.mark.parametrize("how", ["private", "unreadable"])
def test_an_issue_that_may_not_be_seen_any_more_is_not_public_in_the_ledger_either(
    driver, ana, linear, how
):
    workspace = linear.local.workspace
    before = known_after_asking(driver, ana)
    if how == "private":
        workspace.teams["AI"]["visibility"] = "private"
    else:
        workspace.unseen |= {"AI"}
    hidden = known_after_asking(driver, ana)
    assert (before.now.is_public, hidden.now.is_public) == (True, False)
    assert hidden.now == msgspec.structs.replace(before.now, public_team=None)
    assert (hidden.spans, hidden.updated_at) == (before.spans, before.updated_at)
    size = driver.engagements.ledger.size()[0]
    assert known_after_asking(driver, ana) == hidden
    assert driver.engagements.ledger.size()[0] == size + 1, "what is recorded is the query alone"
    workspace.teams["AI"]["visibility"], workspace.unseen = "public", frozenset()
    assert known_after_asking(driver, ana).now == before.now


def known_after_asking(driver: ConversationDriver, ana: FakeUser) -> KnownIssue:
    """The issue in the ledger, after a question that Linear answers."""
    assert driver.bot._linear is not None
    driver.bot._linear._remembered.clear()
    driver.clock.move(1_000_000)
    driver.answer(ana, "AI-1799")
    driver.settle()
    driver.api.wait_until(lambda: not driver.bot._observing)
    known = driver.engagements.issues.issue("AI-1799")
    assert known is not None
    return known


def test_a_card_does_not_depend_on_whether_it_can_be_recorded(driver, ana, monkeypatch, caplog):
    record = EngagementLedger.record_async

    async def failing(ledger: EngagementLedger, entry: Entry) -> Receipt:
        if isinstance(entry, Observation):
            raise LedgerUnavailableError("the disk is full")
        return await record(ledger, entry)

    monkeypatch.setattr(EngagementLedger, "record_async", failing)
    assert driver.answer(ana, "AI-1799").text == WHOLE
    driver.settle()
    assert "observation not recorded" in caplog.messages
    assert driver.recorded(ana) == {("AI-1799", "query"): 1}


def given_ids(driver: ConversationDriver, user: FakeUser) -> list[str | None]:
    """Linear's UUIDs in the events of a user, as they are recorded."""
    driver.settle()
    events = [each.event for each in driver.engagements.ledger.history(str(user.id))]
    return [each.linear_id for each in events if isinstance(each, InteractionRecorded)]


def test_once_an_issue_was_found_what_is_recorded_has_its_uuid(driver, ana, linear):
    for _ in range(2):
        driver.answer(ana, "AI-1799")
        driver.answer(ana, "OPS-3")
    (known,) = driver.engagements.issues.linear_ids([("AI-1799", None)])
    assert known == linear.local.workspace.find("AI-1799")["id"]
    # The first message is recorded while what Linear said of the issue is.
    assert given_ids(driver, ana)[1:] == [known]


def test_what_cannot_be_looked_up_in_the_ledger_is_recorded_without(driver, ana, monkeypatch):
    driver.answer(ana, "AI-1799")

    def failing(*_: object) -> None:
        raise LedgerUnavailableError("the disk is full")

    monkeypatch.setattr(Issues, "linear_ids", failing)
    assert driver.answer(ana, "AI-1799").text.startswith("AI-1799 Answers cite")
    assert given_ids(driver, ana)[1:] == [None]


def test_what_waited_in_the_spool_has_the_uuid_once_it_is_recorded(driver, ana, monkeypatch):
    driver.answer(ana, "AI-1799")

    async def failing(*_: object) -> None:
        raise LedgerUnavailableError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(EngagementTracker, "track_all", failing)
        driver.answer(ana, "AI-1799 again")
    driver.run(driver.bot.recorder.keeper.drain())
    assert given_ids(driver, ana)[-1] is not None


def test_keys_of_before_are_resolved_at_the_start(start_driver, tmp_path, linear):
    with Engagements(f"sqlite:///{tmp_path}/ledger.db", clock=lambda: NOW) as engagements:
        for key in ("DMD-480", "AI-1799", "OPS-3"):
            engagements.ledger.record(interaction_of("1001", key, "query"))
    driver = start_driver(**linear.settings)
    runs = driver.engagements.ledger.job_runs
    driver.api.wait_until(lambda: runs.last(RESOLUTION.job) is not None)
    assert runs.last(RESOLUTION.job).counted == 2
    (first, *_) = driver.engagements.questions.history("1001")
    assert (first.event.issue_id, first.name) == ("DMD-480", "AI-1803")


def test_a_bot_stops_while_linear_lets_it_wait_for_keys_of_before(tmp_path, linear, log):
    with Engagements(f"sqlite:///{tmp_path}/ledger.db", clock=lambda: NOW) as engagements:
        engagements.ledger.record(interaction_of("1001", "DMD-480", "query"))
    linear.hold()
    with ConversationDriver(tmp_path, ENGAGEMENT_TEAM_KEYS="AI", **linear.settings) as driver:
        driver.api.wait_until(lambda: bool(linear.local.asked))
    assert '"job": "linear_resolution"' in log.getvalue()
    assert "it was ended" in log.getvalue()


def test_several_issues_are_one_message_and_few_requests(driver, ana, linear):
    keys = ["AI-1799", "AI-1800", "DMD-480", "AI-9999", "OPS-3", "WEB-7"]
    card = driver.answer(ana, " ".join(keys))
    assert card.text.splitlines() == [
        "◐ AI-1799 Answers cite pages that h…",
        "In Progress for 3 days",
        "🔴 due tomorrow · amara",
        "⛔ blocked by WEB-7",
        "",
        "○ AI-1800 Measure recall on the new…",
        "Todo for 12 days · due 10 Jan · ben",
        "",
        "◌ DMD-480 One search box for all so…",
        "Backlog for 90 days · now AI-1803",
        "unassigned",
        "",
        "AI-9999: not found in Linear, or I may not see it",
        "",
        "OPS-3: not found in Linear, or I may not see it",
        "",
        "○ WEB-7 Pictures jump while the pag…",
        "Todo for 24 h · 🔴 due 3 Jan · ben",
    ]
    assert [[each["text"] for each in row] for row in card.rows] == (
        [["AI-1799", "AI-1800", "DMD-480"], ["WEB-7"]]
    )
    assert len(linear.local.asked) == 1 + 3  # DMD-480, AI-9999 and OPS-3 by themselves


def test_what_may_not_be_seen_is_answered_word_for_word_as_what_is_not_there(driver, ana):
    hidden, unseen, none = (driver.answer(ana, key) for key in ("OPS-3", "LAW-1", "AI-9999"))
    assert none.text == "AI-9999: not found in Linear, or I may not see it"
    assert hidden.text.replace("OPS-3", "AI-9999") == none.text
    assert unseen.text.replace("LAW-1", "AI-9999") == none.text
    assert none.buttons == hidden.buttons == unseen.buttons == []


def test_a_card_that_linear_keeps_waiting_is_sent_and_completed_in_place(
    driver, ana, linear, impatient
):
    ask_held(driver, linear, ana, "AI-1799")
    sent = driver.api.sent_to(ana)[-1]
    assert sent.text == f"AI-1799: asking Linear …\n{ENGAGEMENT}"
    assert sent.buttons == ["Why?", HIDE]
    linear.release()
    assert driver.answers(ana)[-1] is sent
    assert sent.text == WHOLE
    assert sent.buttons == [*BUTTONS, HIDE]
    assert len(sent.edits) == 1


def test_a_completed_card_does_not_undo_a_press(driver, ana, linear, impatient):
    ask_held(driver, linear, ana, "AI-1799")
    sent = driver.api.sent_to(ana)[-1]
    ana.presses(sent, "Hide AI-1799 from my lists")
    driver.api.wait_until(lambda: "hidden from your lists" in sent.text)
    linear.release()
    driver.settle()
    assert sent.text.startswith("AI-1799 Answers cite pages")
    assert "hidden from your lists" in sent.text
    assert sent.buttons == [*BUTTONS, SHOW]


def test_another_message_is_answered_while_a_card_waits_to_be_completed(
    driver, ana, linear, impatient
):
    ask_held(driver, linear, ana, "AI-1799")
    ana.says("/privacy")
    driver.api.wait_until(lambda: "What is kept" in driver.api.sent_to(ana)[-1].text)
    linear.release()
    driver.settle()
    assert driver.api.sent_to(ana)[-2].text == WHOLE


def test_two_people_who_ask_at_once_share_a_request(driver, ana, linear, impatient):
    bob = driver.api.user("Bob Canary", id=1002)
    bob.starts()
    ask_held(driver, linear, ana, "AI-1799")
    bob.says("AI-1799")
    driver.api.wait_until(lambda: "asking" in driver.api.sent_to(bob)[-1].text)
    linear.release()
    assert driver.answers(ana)[-1].text == driver.answers(bob)[-1].text == WHOLE
    assert len(linear.local.asked) == 1


def test_where_linear_is_down_the_rest_of_the_card_is_there(driver, ana, linear):
    linear.local.script.append(Scripted(503, b""))
    card = driver.answer(ana, "AI-1799")
    assert card.text == f"AI-1799: Linear does not answer now; ask again in a minute\n{ENGAGEMENT}"
    assert card.edits == []
    assert driver.recorded(ana) == {("AI-1799", "query"): 1}


def test_in_a_group_the_card_comes_in_private_and_is_completed_there(
    driver, ana, linear, impatient
):
    team = driver.api.supergroup("Team Canary", members=[ana])
    linear.hold()
    driver.settle()
    ana.says("@ledger_bot AI-1799", in_=team)
    driver.api.wait_until(lambda: bool(driver.api.sent_to(team)))
    linear.release()
    assert driver.answers(ana)[-1].text == WHOLE
    (note,) = driver.answers(team)
    assert note.text == "AI-1799: I have sent you what I know in private."


def test_a_card_that_is_opened_from_a_briefing_says_it_too(driver, ana):
    driver.answer(ana, "AI-1799")
    briefing = driver.answer(ana, "/briefing")
    ana.presses(briefing, briefing.buttons[0])
    assert driver.answers(ana)[-1].text.startswith("AI-1799 Answers cite pages that have moved\n")


def test_a_card_that_is_opened_from_a_list_is_whole_and_counts_as_a_view(driver, ana):
    several = driver.answer(ana, "AI-1799 and WEB-7")
    ana.presses(several, "AI-1799")
    card = driver.answers(ana)[-1]
    assert card.buttons == [*BUTTONS, HIDE]
    assert driver.recorded(ana)["AI-1799", "view"] == 1


def test_a_card_explains_its_score_which_counts_as_nothing(driver, ana):
    card = driver.answer(ana, "AI-1799")
    ana.presses(card, "Why?")
    why = driver.answers(ana)[-1].text
    assert why == driver.answer(ana, "/why AI-1799").text
    assert why.startswith("AI-1799 scores 0.680 now")
    assert driver.recorded(ana) == {("AI-1799", "query"): 1}


# --- team keys that Linear names -----------------------------------------------------------------


@pytest.fixture
def named(
    start_driver: Callable[..., ConversationDriver], linear: LinearServer
) -> ConversationDriver:
    """A bot without team keys in its settings, once Linear has named the teams."""
    driver = start_driver(**linear.settings)
    driver.api.wait_until(lambda: driver.bot.recorder.keys.teams_in_linear is not None)
    return driver


def test_only_keys_of_teams_that_linear_names_are_recorded_and_others_are_told(named):
    ana = named.api.user("Ana Canary", id=1001)
    ana.starts()
    told = named.answer(ana, "ai-1799, PS-5, OPS-3 and utf-8")
    assert told.text.split("\n\n")[1:] == [
        "PS-5: not found in Linear, or I may not see it",
        "OPS-3: not found in Linear, or I may not see it",
    ]
    assert named.recorded(ana) == {("AI-1799", "query"): 1}
    assert named.answer(ana, "PS-5").text == "PS-5: not found in Linear, or I may not see it"


def test_a_group_hears_the_keys_of_these_teams_in_either_case(named):
    ana = named.api.user("Ana Canary", id=1001)
    team = named.api.supergroup("Team Canary", members=[ana])
    named.asks(ana, "web-7 on PS-5, like AI-1799", in_=team)
    assert named.recorded(ana) == {("AI-1799", "mention"): 1, ("WEB-7", "mention"): 1}


def test_a_former_team_counts_once_a_moved_issue_was_seen(named):
    ana = named.api.user("Ana Canary", id=1001)
    ana.starts()
    assert "One search box" in named.answer(ana, "DMD-480").text
    assert named.recorded(ana) == {}
    named.answer(ana, "DMD-480")
    assert named.recorded(ana) == {("DMD-480", "query"): 1}


def test_what_a_message_teaches_counts_from_the_next_one_on(named):
    ana = named.api.user("Ana Canary", id=1001)
    ana.starts()
    told = named.answer(ana, "AI-1799, DMD-480 and DMD-99999").text
    assert "DMD-99999: not found in Linear" in told
    assert named.recorded(ana) == {("AI-1799", "query"): 1}
    named.answer(ana, "DMD-480 and DMD-99999")
    assert named.recorded(ana) == {("AI-1799", "query"): 1, ("DMD-480", "query"): 1}


def test_what_a_message_teaches_does_not_count_in_one_that_waited_for_it(named, linear):
    ana = named.api.user("Ana Canary", id=1001)
    ana.starts()
    linear.hold()
    ana.says("AI-1799 and DMD-480")
    ana.says("DMD-99999")
    linear.release()
    named.settle()
    assert named.recorded(ana) == {("AI-1799", "query"): 1}


def test_until_linear_has_named_its_teams_everything_counts_as_without_it(start_driver, linear):
    linear.hold()
    driver = start_driver(**linear.settings)
    ana = driver.api.user("Ana Canary", id=1001)
    team = driver.api.supergroup("Team Canary", members=[ana])
    driver.asks(ana, "PS-5, AI-1799 and web-7", in_=team)
    assert driver.recorded(ana) == {("PS-5", "mention"): 1, ("AI-1799", "mention"): 1}
    linear.release()


def test_what_was_recorded_before_stays(start_driver, linear):
    driver = start_driver(**linear.settings)
    ana = driver.api.user("Ana Canary", id=1001)
    driver.engagements.ledger.record(interaction_of("1001", "PS-5", "query"))
    ana.starts()
    driver.api.wait_until(lambda: driver.bot.recorder.keys.teams_in_linear is not None)
    driver.settle()
    briefing = driver.answer(ana, "/briefing")
    ana.presses(briefing, "PS-5 · 0.680")
    assert driver.answers(ana)[-1].text.startswith("PS-5: not found in Linear")
    assert driver.recorded(ana) == {("PS-5", "query"): 1, ("PS-5", "view"): 1}


# --- stagnant issues -----------------------------------------------------------------------------

UNMOVED = "⏳ no movement for 10 working days"


@pytest.fixture
def heard_of(linear, start_driver):
    """A bot that takes webhooks, by which it knows of two issues that were started 14 days ago."""
    began = Instant(NOON - 14 * DAY)
    driver = start_driver(
        ENGAGEMENT_TEAM_KEYS="AI,OPS", ENGAGEMENT_LINEAR_WEBHOOK_SECRET=SECRET, **linear.settings
    )
    for key in ("AI-1799", "OPS-3"):
        node = linear.local.workspace.find(key)
        node["stateHistory"]["nodes"][0]["startedAt"] = moment_of(began).isoformat()
        fields = {"identifier": key, "team": key.partition("-")[0], "state_id": node["state"]["id"]}
        said = observation(issue=node["id"], updated_at=began, said_at=began, **fields)
        driver.engagements.ledger.record(said)
    return driver


def test_a_card_and_a_briefing_say_that_an_issue_stagnates_and_ask_no_more_for_that(
    heard_of, linear
):
    ana = heard_of.api.user("Ana Canary", id=1001)
    ana.starts()
    assert UNMOVED in heard_of.answer(ana, "AI-1799").text.splitlines()
    assert "no movement" not in heard_of.answer(ana, "OPS-3").text
    before = len(linear.local.asked)
    briefing = heard_of.answer(ana, "/briefing")
    assert briefing.text.splitlines()[-1] == "⏳ No movement: AI-1799 for 10 working days"
    assert len(linear.local.asked) <= before + 1


def test_without_webhooks_nothing_is_said_to_stagnate(driver, ana, linear):
    began = moment_of(Instant(NOON - 90 * DAY)).isoformat()
    linear.local.workspace.find("AI-1799")["stateHistory"]["nodes"][0]["startedAt"] = began
    for _ in range(2):
        assert "no movement" not in driver.answer(ana, "AI-1799").text
        driver.settle()
    assert "No movement" not in driver.answer(ana, "/briefing").text


# --- titles in lists -----------------------------------------------------------------------------

TITLE = "Answers cite pages that have moved"


@pytest.fixture
def asked_before(driver, ana, linear):
    """Issues that Ana has asked about, of which Linear's answers are forgotten."""
    driver.answer(ana, "AI-1799 DMD-480")
    driver.engagements.ledger.record(interaction_of("1001", "OPS-3", "query"))
    driver.api.wait_until(lambda: not driver.bot._observing)
    driver.bot._linear._remembered.clear()
    linear.local.asked.clear()


@pytest.mark.usefixtures("asked_before")
def test_lists_say_titles_after_one_request(driver, ana, linear):
    assert driver.answer(ana, "/top").text.splitlines()[1:] == [
        f"1. AI-1799 {TITLE} · 0.680 · once · today at 12:00",
        "2. AI-1803 One search box for all sources · 0.680 · once · today at 12:00",
        "3. OPS-3 0.680 · once · today at 12:00",
    ]
    assert len(linear.local.asked) == 1
    briefing = driver.answer(ana, "/briefing")
    assert f"1. AI-1799 {TITLE} · 0.680" in briefing.text
    assert briefing.buttons[0] == "AI-1799 · 0.680"
    assert f"query · AI-1799 {TITLE}\n" in driver.answer(ana, "/history").text
    chart = driver.answer(ana, "/chart AI-1799")
    assert chart.text == f"AI-1799 {TITLE}: your score now: 0.680"


@pytest.mark.usefixtures("asked_before")
def test_a_chart_of_all_has_the_titles(driver, ana, monkeypatch):
    drawn = []

    def draw(bars, words, titles):
        drawn.append(list(titles))
        return ranking_chart(bars, words, titles)

    monkeypatch.setattr(handlers, "ranking_chart", draw)
    driver.answer(ana, "/chart")
    assert drawn == [[TITLE, "One search box for all sources", ""]]


@pytest.mark.usefixtures("asked_before", "impatient")
def test_a_list_is_sent_without_titles_where_linear_is_slow(driver, ana, linear):
    linear.hold()
    top = driver.answer(ana, "/top")
    assert top.text.splitlines()[1] == "1. AI-1799 0.680 · once · today at 12:00"
    linear.release()
    driver.settle()
    assert top.edits == []


def test_a_group_that_only_talks_asks_linear_nothing(driver, ana, linear):
    team = driver.api.supergroup("Team Canary", members=[ana])
    driver.asks(ana, "AI-1799 is done", in_=team)
    assert linear.local.asked == []


def test_many_hostile_titles_are_completed_in_as_many_messages_as_they_need(
    driver, ana, linear, impatient
):
    keys = [f"AI-{number}" for number in range(1, 21)]
    for key in keys:
        linear.local.workspace.add(Invented(key, '"' * 200, "In Progress", "amara"), NOW)
    ask_held(driver, linear, ana, " ".join(keys))
    first = driver.api.sent_to(ana)[-1]
    linear.release()
    sent = driver.answers(ana)
    completed = sent[sent.index(first) :]
    assert len(completed) > 1
    text = "\n".join(each.text for each in completed)
    assert text.count("In Progress for 1 min · amara") == 20
    assert text.count('"' * 25) == 20
    assert not first.buttons
    assert completed[-1].buttons == keys


def test_what_is_said_about_privacy_names_linear(driver, ana):
    assert "I ask Linear about the issues that I show you" in driver.answer(ana, "/privacy").text


def test_no_title_and_no_name_is_logged(driver, ana, log):
    driver.answer(ana, "AI-1799 AI-9999")
    for told in ("Answers cite", "amara", "In Progress", "lin_api_demo"):
        assert told not in log.getvalue()


def test_a_card_is_completed_in_the_turn_of_its_chat():
    """So it cannot come between a press and what the press changes."""

    async def steps() -> list[str]:
        outbox, done = Outbox(), []
        earlier = asyncio.Event()

        async def deliver_earlier() -> None:
            await earlier.wait()
            done.append("earlier")

        async def change(_: look_ups.Answers) -> None:
            done.append("completed")

        outbox.post(7, deliver_earlier)
        linear = Linear(Unreachable())
        LookUps(linear, outbox).complete(Asked(CARDS, ("AI-1",)), 7, change)
        for _ in range(50):  # all that can happen meanwhile does
            await asyncio.sleep(0)
        assert done == []
        earlier.set()
        await outbox.join()
        return done

    assert asyncio.run(steps()) == ["earlier", "completed"]


class Unreachable:
    """A Linear that cannot be reached."""

    async def send(self, _: Request) -> Failed:
        return Failed(Reason.UNREACHABLE)

    async def close(self) -> None:
        pass
