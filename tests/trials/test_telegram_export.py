"""An export and the same messages live are one history, whichever comes first; memory stays flat.

The expected touches are counted while the messages are made up, independently of the project. The
planted faults: ids of supergroups without the prefix that bots see, and an export that is read to
its end before the first message is recorded.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pytest
import telegram

from bot.intake import telegram_export
from bot.listening.issue_keys import IssueKeys
from bot.telegram.recording import Recorder
from ledger.commands import Kind
from projections.application import Engagements, EngagementTracker
from tests.support.command_line import CommandLine
from tests.support.telegram.desktop_exports import Line, full_export, line_of, supergroup_of
from tests.support.telegram.desktop_exports import written as packed
from tests.support.telegram.entities import detected
from tests.support.telegram.server_state import Message
from tests.support.trials.counts import chance, count, tell
from tests.support.trials.processes import PROGRAMS

pytestmark = pytest.mark.trial

BOT = {"id": 99, "is_bot": True, "first_name": "Ledger", "username": "ledger_bot"}
NAMED = ("--bot", "99", "--bot-name", "ledger_bot")
MESSAGES = count(full=40_000, small=600, more="EXPORTED_MESSAGES")
GROUPS = [-1_001_000_000_000 - number for number in range(1, 11)]
PEOPLE = [
    {"id": 1_000 + number, "is_bot": False, "first_name": f"Person {number}"}
    for number in range(40)
]
FIRST_SECOND = 1_704_067_200
AT_ONCE = 200

Touch = tuple[str, str, str, int]
"""A user, an issue, a kind and a second."""


# --- ten supergroups -----------------------------------------------------------------------------


class Said(NamedTuple):
    """Messages as bots get them, and their touches."""

    messages: list[Message]
    touches: Counter[Touch]

    def export(self, messages: Sequence[Message] | None = None) -> Line:
        """An export of all groups with the given messages, or with all."""
        chosen = self.messages if messages is None else messages
        in_group: dict[int, list[Message]] = {group: [] for group in GROUPS}
        for message in chosen:
            in_group[message["chat"]["id"]].append(message)
        return full_export(*(supergroup_of(group, told) for group, told in in_group.items()))


def said(dice: random.Random) -> Said:
    """Make up messages in ten groups: to people, to the bot and by the bot."""
    messages, touches = [], Counter[Touch]()
    latest: dict[int, list[Message]] = {group: [] for group in GROUPS}
    for number in range(MESSAGES):
        group, who = dice.choice(GROUPS), dice.choice(PEOPLE)
        issues = [f"AI-{dice.randrange(1, 300)}" for _ in range(dice.choice((0, 1, 1, 2)))]
        text = " and ".join(["word", *issues])
        message: Message = {
            "message_id": number + 1,
            "date": FIRST_SECOND + number * 30,
            "chat": {"id": group, "type": "supergroup", "title": "Team"},
            "from": who,
        }
        kind = _shape(dice, message, text, latest[group])
        if kind is not None:
            second = message["date"]
            touches.update({(str(who["id"]), issue, kind, second): 1 for issue in issues})
        messages.append(message)
        latest[group] = [*latest[group][-20:], message]
    return Said(messages, touches)


def _shape(dice: random.Random, message: Message, text: str, earlier: list[Message]) -> str | None:
    """Finish a message in one of many ways; return the kind of its touches, if any."""
    way = dice.randrange(10)
    kind: str | None = "mention"
    if way == 0:
        message["from"], kind = BOT, None
    elif way == 1:
        message["forward_origin"] = {
            "type": "hidden_user",
            "date": 1,
            "sender_user_name": "somebody",
        }
        kind = None
    elif way == 2:
        text, kind = f"@ledger_bot {text}", "query"
    elif way == 3:
        text, kind = f"/top@ledger_bot {text}", None
    elif way == 4:
        text, kind = f"/look@other_bot {text}", "mention"
    elif earlier:
        replied = dice.choice(earlier)
        kept = {name: replied[name] for name in ("message_id", "date", "chat", "from", "text")}
        message["reply_to_message"] = kept
        kind = "query" if replied["from"] is BOT else "mention"
    message |= {"text": text, "entities": detected(text)}
    return kind


# --- live ----------------------------------------------------------------------------------------


def play(cli: CommandLine, messages: Sequence[Message]) -> None:
    """Record the messages by the bot's own recorder."""
    bot = telegram.Bot(f"{BOT['id']}:token")
    bot._bot_user = telegram.User.de_json(BOT, None)
    with cli.session().engagements(create=True) as engagements:
        asyncio.run(_play(engagements, bot, cli.home / "spool", messages))


async def _play(
    engagements: Engagements, bot: telegram.Bot, spool: Path, messages: Sequence[Message]
) -> None:
    recorder = Recorder(bot, EngagementTracker(engagements), spool=spool, keys=IssueKeys())
    waiting = iter(enumerate(messages, 1))
    while batch := list(islice(waiting, AT_ONCE)):
        updates = [
            telegram.Update.de_json({"update_id": number, "message": message}, bot)
            for number, message in batch
        ]
        await asyncio.gather(*map(recorder.record_update, updates))
    await recorder.close()


def import_(cli: CommandLine, export: Line) -> dict[str, Any]:
    """Import an export, of which nothing is refused; return the report."""
    path = cli.home / "result.json"
    path.write_bytes(packed(export))
    done = cli("import", "telegram", str(path), *NAMED, "--json")
    path.unlink()
    assert (done.code, done.err) == (0, "")
    report: dict[str, Any] = done.json
    return report


def touches_in(cli: CommandLine) -> Counter[Touch]:
    """The recorded touches, from the histories of all users."""
    found = Counter[Touch]()
    with cli.session().engagements() as engagements:
        for user in (str(person["id"]) for person in PEOPLE):
            for entry in engagements.questions.history(user):
                event: Any = entry.event
                second = event.occurred_at // 1_000_000
                found[user, event.issue_id, Kind(event.kind).label, second] += 1
    return found


def answers(cli: CommandLine) -> list[object]:
    """All rankings, statistics and histories, without what depends on the order of arrival."""
    with cli.session().engagements() as engagements:
        told: list[object] = []
        for user in (str(person["id"]) for person in PEOPLE):
            events = [(entry.event, entry.origin) for entry in engagements.questions.history(user)]
            facts = sorted(
                (event.occurred_at, event.issue_id, int(event.kind), str(origin.context))  # type: ignore[union-attr]
                for event, origin in events
            )
            told += [
                engagements.questions.ranking(user),
                engagements.questions.statistics(user),
                facts,
            ]
        return told


@pytest.fixture(scope="module")
def made() -> Said:
    return said(chance())


ORDERS = ("live, export", "export, live", "half and half", "live alone", "export alone")


def arrive(cli: CommandLine, made: Said, order: str) -> None:
    """Let the messages arrive in one of `ORDERS`."""
    dice = chance()
    if order == "half and half":
        half = len(made.messages) // 2
        dice.shuffle(shuffled := list(made.messages))
        play(cli, shuffled[:half])
        import_(cli, made.export(made.messages[:half]))
        play(cli, shuffled[half:])
        import_(cli, made.export())
        return
    for way in order.removesuffix(" alone").split(", "):
        if way == "live":
            play(cli, made.messages)
        else:
            report = import_(cli, made.export())
            assert report["read"] == len(made.messages)


@pytest.mark.long
def test_live_and_exported_messages_are_one_history_in_any_order(tmp_path, made):
    expected: list[object] | None = None
    for order in ORDERS:
        cli = CommandLine(tmp_path / order)
        cli.home.mkdir()
        arrive(cli, made, order)
        assert touches_in(cli) == made.touches, order
        found = answers(cli)
        expected = expected or found
        assert found == expected, order
        tell(f"{order}: {sum(made.touches.values()):,} interactions")


def test_an_export_without_the_prefix_of_supergroups_is_caught(tmp_path, made):
    cli = CommandLine(tmp_path)
    few = Said(made.messages[:400], Counter())
    play(cli, few.messages)
    before = touches_in(cli)
    with mock.patch.object(telegram_export, "_bot_api_id", lambda _, chat_id: -chat_id):
        import_(cli, few.export())
    assert touches_in(cli) != before


# --- memory --------------------------------------------------------------------------------------

EXPORT_BYTES = count(full=250_000_000, small=8_000_000, more="EXPORT_BYTES")
LIMIT_KIB = 300 * 1024
ROOM_KIB = 4 * 1024

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="only Linux reports a program's peak memory"
)


def chatter() -> Iterator[bytes]:
    """Endless lines of an export: half are the bot's, and a sixth are people's with issues."""
    forms = [_form(number) for number in range(30)]
    for number in range(1, 100_000_000):
        line = forms[number % len(forms)].replace(b'"<id>"', b"%d" % number)
        line = line.replace(b"<second>", b"%d" % (FIRST_SECOND + number))
        line = line.replace(b'"<before>"', b"%d" % (number - 1))
        yield line.replace(b"<issue>", b"%d" % (number % 5_000 + 1))


def _form(number: int) -> bytes:
    """A line with placeholders, because encoding each line would take most of the time."""
    who = BOT if number % 2 else PEOPLE[number]
    issue = " AI-<issue>" if number % 3 == 0 else ""
    message: Message = {"message_id": 0, "date": 0, "from": who}
    if number % 6 == 0:
        message["reply_to_message"] = {"message_id": "<before>"}
    text = f"this message has{issue} @ledger_bot and some words more in it"
    line = line_of(message | {"text": text, "entities": detected(text)})
    return json.dumps(line | {"id": "<id>", "date_unixtime": "<second>"}, indent=1).encode()


def write_export(path: Path, size: int) -> int:
    """Write an export of one chat of about `size` bytes; return the number of its messages."""
    messages = 0
    with path.open("wb") as file:
        file.write(b'{"name": "Team", "type": "private_supergroup", "id": 5, "messages": [\n')
        for line in chatter():
            file.write(b",\n" * (messages > 0) + line)
            messages += 1
            if file.tell() > size:
                break
        file.write(b"\n]}")
    return messages


def peak_kib(cli: CommandLine, path: Path, fault: str | None = None) -> int:
    """The peak memory of a process that imported an export."""
    program = ("faulty", fault, "0", "peak") if fault else ("peak",)
    arguments = ("import", "telegram", str(path), *NAMED, "--json")
    done = cli.process(*program, *arguments, program=PROGRAMS)
    assert (done.code, done.err) == (0, "")
    peak = int(done.out.splitlines()[-1])
    report = json.loads(done.out.splitlines()[0])
    tell(f"{fault or 'as it is'}: {report['read']:,} messages, {report['recorded']:,} recorded")
    tell(f"{path.stat().st_size:,} bytes, peak {peak / 1024:.1f} MiB")
    return peak


@pytest.mark.long
@needs_proc
def test_memory_does_not_grow_with_an_export_unless_it_is_read_whole(tmp_path):
    path = tmp_path / "result.json"
    messages = write_export(path, EXPORT_BYTES)
    cli = CommandLine(tmp_path / "home")
    cli.home.mkdir()
    peak = peak_kib(cli, path)
    assert peak < LIMIT_KIB
    with cli.session().engagements() as engagements:
        recorded, _ = engagements.ledger.size()
    assert recorded == messages // 6
    write_export(path, min(EXPORT_BYTES, 100_000_000))
    other = CommandLine(tmp_path / "other")
    other.home.mkdir()
    assert peak_kib(other, path, "whole-export") > peak + ROOM_KIB
