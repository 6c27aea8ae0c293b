"""What must hold of any ledger at any moment, looked at from outside: by SQL and by replay.

Every check is a complaint when it is broken, so that a trial can also show that it would complain.
"""

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.support.command_line import CommandLine

_NONE_EXPECTED = {
    "positions with a hole": """
        SELECT position FROM (SELECT position, row_number() OVER (ORDER BY position) AS place
        FROM events) WHERE position <> place""",
    "events beyond the head": """
        SELECT position FROM events WHERE position > (SELECT position FROM head)""",
    "a head beyond the events": """
        SELECT position FROM head
        WHERE position <> (SELECT coalesce(max(position), 0) FROM events)""",
    "versions with a hole": """
        SELECT stream, version FROM (SELECT stream, version, row_number() OVER
        (PARTITION BY stream ORDER BY position) - 1 AS place FROM events) WHERE version <> place""",
    "streams whose version is beyond their last event's": """
        SELECT id FROM streams WHERE version >
        (SELECT coalesce(max(version), -1) FROM events WHERE stream = streams.id)""",
    "streams of nobody": "SELECT id FROM streams WHERE id NOT IN (SELECT stream FROM accounts)",
    "source keys without their event": """
        SELECT position FROM sources WHERE position NOT IN (SELECT position FROM events)""",
    "events with two source keys": """
        SELECT position FROM sources GROUP BY position HAVING count(*) > 1""",
    "source keys without the readable source": """
        SELECT position FROM sources WHERE position NOT IN
        (SELECT position FROM origins WHERE source IS NOT NULL)""",
    "readable sources without their source key": """
        SELECT position FROM origins WHERE source IS NOT NULL AND
        position NOT IN (SELECT position FROM sources)""",
    "origins without their event": """
        SELECT position FROM origins WHERE position NOT IN (SELECT position FROM events)""",
    "events without the origin that they are bound to": """
        SELECT position FROM events WHERE commitment IS NOT NULL AND
        position NOT IN (SELECT position FROM origins)""",
    "origins to which no event is bound": """
        SELECT position FROM origins WHERE position IN
        (SELECT position FROM events WHERE commitment IS NULL)""",
    "engagements without their first event": """
        SELECT id FROM engagements WHERE id NOT IN (SELECT position FROM events)""",
    "engagements that count otherwise than the events": """
        SELECT stream, issue_id, count(kind) AS times FROM events
        WHERE position <= (SELECT position FROM read_models WHERE name = 'live')
        GROUP BY stream, issue_id
        EXCEPT SELECT stream, issue_id, mentions + views + queries FROM engagements""",
    "a view that counts otherwise than the events": """
        SELECT user_id, issue_id, count(kind) AS times FROM events JOIN accounts USING (stream)
        WHERE issue_id IS NOT NULL GROUP BY user_id, issue_id
        EXCEPT SELECT user_id, issue_id, interaction_count FROM issue_engagements""",
    "damage": "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
    "rows that point nowhere": "SELECT * FROM pragma_foreign_key_check",
}


def complaints(cli: CommandLine) -> list[str]:
    """What is wrong with the ledger in itself; the program opens it first, unaided."""
    return [*_of_replay(cli), *_of_tables(cli.ledger)]


def _of_replay(cli: CommandLine) -> Iterator[str]:
    done = cli("replay", "--json")
    if done.code or not done.json["identical"]:
        yield f"replay: {done.err.strip()}"


def _of_tables(ledger: Path) -> Iterator[str]:
    with opened(ledger) as connection:
        for what, query in _NONE_EXPECTED.items():
            found = connection.execute(query).fetchmany(3)
            if found:
                yield f"{what}: {found}"


def miscounts(ledger: Path, acknowledged: Iterable[str], possible: Iterable[str]) -> list[str]:
    """Which acknowledged source keys are missing, which count twice, and which nobody recorded."""
    times = keys(ledger)
    missing = [key for key in acknowledged if not times[key]]
    twice = [key for key, count in times.items() if count > 1]
    invented = times.keys() - set(possible)
    return [
        f"{what}: {sorted(wrong)[:5]}"
        for what, wrong in (("missing", missing), ("twice", twice), ("invented", invented))
        if wrong
    ]


def keys(ledger: Path) -> Counter[str]:
    """How many events name each source."""
    with opened(ledger) as connection:
        rows = connection.execute("SELECT source, count(*) FROM origins GROUP BY source")
        return Counter(dict(rows.fetchall()))


def totals(ledger: Path) -> Counter[tuple[str, str]]:
    """How often each user has touched each issue, by the events."""
    with opened(ledger) as connection:
        rows = connection.execute(
            "SELECT user_id, issue_id, count(*) FROM events JOIN accounts USING (stream)"
            " WHERE kind IS NOT NULL GROUP BY user_id, issue_id"
        )
        return Counter({(user, issue): count for user, issue, count in rows})


@contextlib.contextmanager
def opened(ledger: Path) -> Iterator[sqlite3.Connection]:
    """Read the ledger's file without the program."""
    with contextlib.closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as connection:
        yield connection
