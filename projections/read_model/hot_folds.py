"""Hot events of a range folded by SQLite: the second way of a certificate.

It only shares the rules with the fold by columns: no file, no Arrow, no NumPy. To find the latest
of several values, instant and value are joined to a text that sorts as they do: numbers of equal
length, followed by the other value.
"""

from sqlalchemy import Connection

from ledger.events import Corrections
from ledger.instants import DAY
from ledger.store.clock_corrections import corrections
from ledger.store.collecting import without_collecting
from projections.read_model.partial_rows import Row

_T, _P = 2 * 10**18, 10**18  # added to instants and positions, so that all have equally many digits
_T_DIGITS = len(str(_T))

_EVENTS = """
    SELECT stream, issue_id, position, kind, linear_id, score, recorded_at, occurred_at AS at
    FROM events WHERE position BETWEEN :first AND :last AND issue_id IS NOT NULL"""

_CORRECTED = """
    SELECT stream, issue_id, position, kind, linear_id, score, recorded_at,
        CASE WHEN at > recorded_at + {day} THEN recorded_at ELSE at END AS at
    FROM (
        SELECT stream, issue_id, position, kind, linear_id, score, at,
            min(recorded_at, CASE {cases} ELSE recorded_at END) AS recorded_at
        FROM ({events})
    )"""

_FOLD = """
    SELECT stream, issue_id, id, mentions, views, queries,
        first_at, mentioned_at, viewed_at, queried_at,
        CAST(substr(linear, 1, {digits}) AS INTEGER) - {t} AS linear_at,
        substr(linear, {digits} + 1) AS linear_id,
        override_at, NULL AS override,
        CAST(substr(last, {digits} + 1) AS INTEGER) - {p} AS last_position,
        scored_at
    FROM (
        SELECT stream, issue_id, min(position) AS id,
            count(CASE kind WHEN 1 THEN 1 END) AS mentions,
            count(CASE kind WHEN 2 THEN 1 END) AS views,
            count(CASE kind WHEN 3 THEN 1 END) AS queries,
            min(CASE WHEN kind IS NOT NULL THEN at END) AS first_at,
            max(CASE kind WHEN 1 THEN at END) AS mentioned_at,
            max(CASE kind WHEN 2 THEN at END) AS viewed_at,
            max(CASE kind WHEN 3 THEN at END) AS queried_at,
            max(({t} + at) || linear_id) AS linear,
            max(CASE WHEN kind IS NULL THEN at END) AS override_at,
            max(({t} + at * 4 + kind) || ({p} + position)) AS last,
            max(recorded_at) AS scored_at
        FROM ({events}) GROUP BY stream, issue_id
    )
    ORDER BY stream, issue_id"""

_OVERRIDES = """
    SELECT stream, issue_id, at, max(score)
    FROM ({events}) WHERE kind IS NULL GROUP BY stream, issue_id, at"""


@without_collecting()
def hot_folds(connection: Connection, first: int, last: int) -> list[Row]:
    """The engagements of the hot events at the positions `first` to `last`.

    They have the columns of `sealed_engagements`, are sorted by stream and issue, and include those
    of forgotten users.
    """
    events = _effective(corrections(connection))
    fold = _FOLD.format(events=events, t=_T, p=_P, digits=_T_DIGITS)
    cursor, span = connection.connection.cursor(), {"first": first, "last": last}
    rows: list[Row] = cursor.execute(fold, span).fetchall()
    found = cursor.execute(_OVERRIDES.format(events=events), span)
    overrides = {tuple(place): score for *place, score in found}
    return [_overridden(row, overrides) for row in rows] if overrides else rows


def _overridden(row: Row, overrides: dict[Row, float]) -> Row:
    stream, issue_id, *fold, override_at, _, last_position, scored_at = row
    override = overrides.get((stream, issue_id, override_at))
    return stream, issue_id, *fold, override_at, override, last_position, scored_at


def _effective(known: Corrections) -> str:
    """A query of the events with effective instants (R8)."""
    following = zip(known.positions, known.bounds, strict=True)
    cases = [f"WHEN position < {each} THEN {bound}" for each, bound in following]
    if not cases:
        return _EVENTS
    return _CORRECTED.format(events=_EVENTS, cases=" ".join(cases), day=DAY)
