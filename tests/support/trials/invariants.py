"""Invariants of every ledger at every moment, checked from outside: by SQL and by replay.

A broken invariant is returned as a complaint, so that a trial can also show that it is noticed.
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
    "unowned streams": "SELECT id FROM streams WHERE id NOT IN (SELECT stream FROM accounts)",
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
    """The broken invariants of the ledger, which the program first opens without help."""
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
    """The acknowledged source keys that are missing, those counted twice, and unknown ones."""
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
    """The number of events of each source."""
    with opened(ledger) as connection:
        rows = connection.execute("SELECT source, count(*) FROM origins GROUP BY source")
        return Counter(dict(rows.fetchall()))


def totals(ledger: Path) -> Counter[tuple[str, str]]:
    """The number of touches of each issue by each user, according to the events."""
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
