"""Every public way to write to a ledger, one function each, and a history that goes through all."""

import datetime as dt
from collections.abc import Callable
from random import Random
from unittest import mock
from uuid import UUID

from eventsourcing.persistence import StoredEvent, Tracking

from ledger.commands import FOREVER, OptOut, hiding_of, interaction_of
from ledger.idempotency import SourceKey
from ledger.instants import DAY
from ledger.observations import Person, Text
from ledger.store.eventsourcing_adapter import StoreAggregateRecorder, StoreProcessRecorder
from ledger.validation import UserId
from projections.application import Engagements
from projections.policy import changed
from tests.support.observations import observation, uuid
from tests.support.sealed_ledgers import small_segments
from tests.support.strategies import HOUR, Clock

USERS = ("ana", "ben", "4711", "Zoë")
CHATS = ("-100", "-200", "4711", None)
KINDS = ("query", "view", "mention")

Write = Callable[[Engagements, Clock, Random], object]


def record(engagements: Engagements, clock: Clock, dice: Random) -> None:
    """Some interactions in one transaction, with and without an origin, one of them twice."""
    number = dice.randrange(10**9)
    entries = [
        interaction_of(
            dice.choice(USERS),
            f"AI-{dice.randrange(9)}",
            dice.choice(KINDS),
            linear_id=dice.choice([None, "lin"]),
            context=dice.choice([None, "what of it?"]),
            metadata=dice.choice([None, {"n": 1}]),
            source_key=dice.choice([None, f"key {number} {each}"]),
            chat_id=dice.choice(CHATS),
        )
        for each in range(dice.randint(1, 9))
    ]
    engagements.ledger.record_many([*entries, entries[0]])


def override(engagements: Engagements, clock: Clock, dice: Random) -> None:
    engagements.ledger.record(interaction_of("ana", "AI-1", "view"))
    engagements.adjustments.override("ana", "AI-1", dice.choice([0, 0.25, 1]))


def hide(engagements: Engagements, clock: Clock, dice: Random) -> None:
    """An issue is hidden, or shown again, by a command that is delivered twice."""
    number, _ = engagements.ledger.size()
    touch = interaction_of("ana", f"AI-{number % 3}", "view")
    key = SourceKey(f"hiding {number}")
    hiding = hiding_of("ana", touch.issue_id, hidden=number % 4 > 0, source_key=key)
    engagements.ledger.record_many([touch, hiding, hiding])


def observe(engagements: Engagements, clock: Clock, dice: Random) -> None:
    """Linear describes some issues, one of them twice and with other titles."""
    titled = [
        observation(
            number := dice.randrange(4),
            updated_at=clock.at,
            said_at=clock.at + each,
            state_type=dice.choice(["backlog", "started"]),
            assignee=dice.choice([None, Person(uuid(200 + dice.randrange(3)), "Amara")]),
            texts=(Text(uuid(number), f"title {dice.randrange(9)}", "https://linear.app/i"),),
        )
        for each in range(dice.randint(1, 4))
    ]
    engagements.ledger.record_many([*titled, titled[0]])


def link(engagements: Engagements, clock: Clock, dice: Random) -> None:
    """A user gets a code, and an admin links the user or another one."""
    links = engagements.ledger.linear_links
    links.new_code(UserId("ana"))
    links.link(UserId(dice.choice(["ana", "linked"])), Person(uuid(200 + dice.randrange(3))))


def adopt(engagements: Engagements, clock: Clock, dice: Random) -> None:
    adopted = engagements.policies.known_at(None)
    policy = changed(adopted.policy, [f"pin_hours={dice.randrange(9)}"])
    engagements.policies.adopt(policy, adopted.version)


def opt_out_and_in(engagements: Engagements, clock: Clock, dice: Random) -> None:
    user = UserId(dice.choice(USERS[1:]))
    engagements.ledger.record(OptOut(user, FOREVER))
    engagements.ledger.record(OptOut(user, clock.at))


def name(engagements: Engagements, clock: Clock, dice: Random) -> None:
    engagements.ledger.name_users({user: f"name {dice.randrange(9)}" for user in USERS})


def migrate(engagements: Engagements, clock: Clock, dice: Random) -> None:
    chats = [*filter(None, CHATS), f"-{dice.randrange(300, 320)}"]
    engagements.ledger.migrate_chat(dice.choice(chats), dice.choice(chats))


def forget(engagements: Engagements, clock: Clock, dice: Random) -> None:
    engagements.ledger.erase(dice.choice(USERS[1:]))


def expire(engagements: Engagements, clock: Clock, dice: Random) -> None:
    engagements.ledger.expire_origins(clock.at)


def compact(engagements: Engagements, clock: Clock, dice: Random) -> None:
    with small_segments(150):
        compactor = engagements.ledger.compactor
        compactor.compact(max(0, engagements.ledger.size()[0] - dice.randrange(40)))


def merge(engagements: Engagements, clock: Clock, dice: Random) -> None:
    engagements.ledger.compactor.merge()


def refresh(engagements: Engagements, clock: Clock, dice: Random) -> None:
    engagements.maintenance.refresh_scores(30)


def note_days(engagements: Engagements, clock: Clock, dice: Random) -> None:
    days = [clock().date() - dt.timedelta(each) for each in range(dice.randint(1, 3))]
    engagements.ledger.job_runs.note("decay", days, clock.at, 3)


def correct_clock(engagements: Engagements, clock: Clock, dice: Random) -> None:
    """An event from ten hours ahead, and then a correction of the clock."""
    ahead = Clock()
    ahead.at = clock.at
    ahead.move(10 * HOUR)
    with mock.patch.object(engagements.ledger._appender, "_clock", ahead):
        engagements.ledger.record(interaction_of("ana", "AI-1", "view"))
    engagements.ledger.correct_clock("it was ahead")


def save_others(engagements: Engagements, clock: Clock, dice: Random) -> None:
    """Events, snapshots and the progress of other applications in the same store."""
    database, originator = engagements.ledger.database, UUID(int=engagements.ledger.size()[0] + 1)
    stored = StoredEvent(originator, 0, "another", b"state")
    StoreAggregateRecorder(database).insert_events([stored])
    recorder = StoreProcessRecorder(database, clock)
    last = recorder.max_tracking_id("upstream") or 0
    recorder.insert_events([stored], tracking=Tracking("upstream", last + 1))


WRITES: tuple[Write, ...] = (
    record,
    override,
    hide,
    observe,
    link,
    adopt,
    opt_out_and_in,
    name,
    migrate,
    forget,
    expire,
    compact,
    merge,
    refresh,
    note_days,
    correct_clock,
    save_others,
)
"""The most frequent calls come first, so that a shortened history has some of them."""


def write_everything(engagements: Engagements, clock: Clock, dice: Random) -> None:
    """Write in every way there is, so that no table of truth is empty at the end."""
    for each in (record, name, *WRITES, migrate, note_days, record, name):
        each(engagements, clock, dice)
        clock.move(DAY / 9)
