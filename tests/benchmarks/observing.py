"""How many bytes an observation of Linear's takes, before and after it is sealed."""

import datetime as dt
import random
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from uuid import UUID

import msgspec

from ledger.instants import Instant, instant_of
from ledger.observations import Observation, Person, checked_observation
from tests.benchmarks.histories import LAST_DAY
from tests.benchmarks.ledgers import open_ledger
from tests.benchmarks.report import Row, limit
from tests.benchmarks.sizes import Sizes
from tests.benchmarks.storage import bytes_of

MINUTE = 60_000_000
AT_ONCE = 20
TICK = dt.timedelta(microseconds=60_123_457)
CHANGES_OF_AN_ISSUE = 8
MOST_HOT_BYTES, MOST_SEALED_BYTES = 1_000, 100


def rows(folder: Path, sizes: Sizes) -> list[Row]:
    """Measure what look-ups for cards become; `left` stays in the database for ever."""
    told = list(changes(sizes.observations))
    path = folder / "ledger.db"
    ticks = count()
    with open_ledger(path, lambda: LAST_DAY + next(ticks) * TICK) as ours:
        for begin in range(0, len(told), AT_ONCE):
            ours.ledger.record_many(told[begin : begin + AT_ONCE])
    hot = _bytes_of(path)
    with open_ledger(path, lambda: LAST_DAY + next(ticks) * TICK) as ours:
        sealed = ours.ledger.compactor.compact(ours.ledger.size()[0]).archived_bytes
    work, most = f"{len(told):,} observations", MOST_SEALED_BYTES
    return [
        limit(f"{work}, hot", "B each", hot / len(told), MOST_HOT_BYTES),
        limit(f"{work}, sealed", "B each", sealed / len(told), most),
        limit(f"{work}, left hot", "B each", _bytes_of(path) / len(told), most),
    ]


def _bytes_of(path: Path) -> int:
    return bytes_of(path, ("events", "sources", "issue_keys"))


def changes(number: int) -> Iterator[Observation]:
    """Descriptions of issues with all fields of a card, one field of which changed each time.

    UUIDs are random, as Linear's are, and a workspace has few states, people and labels.
    """
    dice = random.Random(1)
    ids = {name: [_uuid(dice) for _ in range(many)] for name, many in _COUNTS.items()}
    known: dict[int, Observation] = {}
    for at in range(number):
        issue = dice.randrange(max(1, number // CHANGES_OF_AN_ISSUE))
        updated_at = Instant(instant_of(LAST_DAY) - (number - at) * MINUTE + dice.randrange(MINUTE))
        said = known.get(issue) or _described(issue, ids, dice)
        field = dice.choice(["state_id", "priority", "labels", "assignee"])
        new = {field: getattr(_described(issue, ids, dice), field), "updated_at": updated_at}
        known[issue] = msgspec.structs.replace(said, **new)
        yield checked_observation(known[issue])


_COUNTS = {"state": 12, "person": 30, "label": 40, "project": 20, "cycle": 10}


def _described(issue: int, ids: dict[str, list[str]], dice: random.Random) -> Observation:
    team = ("AI", "DMD", "OPS")[issue % 3]
    return Observation(
        issue=_uuid(random.Random(issue)),
        identifier=f"{team}-{issue}",
        team=team,
        updated_at=instant_of(LAST_DAY),
        state_id=dice.choice(ids["state"]),
        state_type=dice.choice(["unstarted", "started", "completed"]),
        former_identifiers=(),
        priority=dice.randrange(5),
        assignee=Person(dice.choice(ids["person"])),
        due_date=None,
        cycle=dice.choice(ids["cycle"]),
        project=dice.choice(ids["project"]),
        labels=tuple(dice.sample(ids["label"], 2)),
        estimate=float(dice.randrange(6)),
        blockers=(),
        archived=False,
        trashed=False,
        public_team=team,
        origin="look-up",
    )


def _uuid(dice: random.Random) -> str:
    return str(UUID(int=dice.getrandbits(128), version=4))
