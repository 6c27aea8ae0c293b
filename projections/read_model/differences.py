"""The first difference of a read model from the folds of its events."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from projections.engagement import Engagement
from projections.policy import Adopted
from projections.read_model.engagement_rows import COLUMNS
from projections.read_model.model import values
from projections.read_model.stored import Stored

Row = Sequence[Any]
"""A whole row of a table of engagements."""

Place = tuple[Any, str]
"""The stream and the issue of an engagement, by which both sides are sorted."""

_STREAM, _ISSUE, _SCORED_AT, _LAST_POSITION = (
    COLUMNS.index(name) for name in ("stream", "issue_id", "scored_at", "last_position")
)
_FOLD = slice(3, 3 + len(Engagement.__struct_fields__))


def first_difference(
    fresh: Iterable[tuple[Place, Stored]], kept: Iterable[tuple[Place, Row]], adopted: Adopted
) -> str | None:
    """A sentence on the first difference of the rows `kept` from the `fresh` folds, or None.

    Both are sorted by their places. A score may have been brought up to date since it was folded;
    it must be right for its own instant. Both are only read up to the difference.
    """
    rows = iter(kept)
    for each in fresh:
        difference = _difference(each, next(rows, None), adopted)
        if difference is not None:
            return difference
    left = next(rows, None)
    return None if left is None else needless_row(left[1])


def first_difference_of_rows(
    rows: Sequence[Row], kept: Sequence[Row], adopted: Adopted
) -> str | None:
    """A sentence on the first difference of the rows `kept` from those of another read model, or
    None.

    Scores were brought up to date at different instants; each must be right for its own.
    """
    folds = [(place_of(row), _stored(row)) for row in rows]
    return first_difference(folds, _placed(kept), adopted) or first_difference(
        folds, _placed(rows), adopted
    )


def place_of(row: Row) -> tuple[int, str]:
    """The sort key of a row: stream and issue."""
    return row[_STREAM], row[_ISSUE]


def _placed(rows: Iterable[Row]) -> Iterator[tuple[Place, Row]]:
    return ((place_of(row), row) for row in rows)


def _stored(row: Row) -> Stored:
    return Stored(row[0], *place_of(row), Engagement(*row[_FOLD]), row[_LAST_POSITION], 0)


def _difference(
    placed: tuple[Place, Stored], kept: tuple[Place, Row] | None, adopted: Adopted
) -> str | None:
    place, fresh = placed
    if kept is None:
        return _missing(fresh)
    stored_place, stored = kept
    expected = values(fresh, adopted, stored[_SCORED_AT])
    if expected == stored:
        return None
    if stored_place > place:
        return _missing(fresh)
    if stored_place < place:
        return needless_row(stored)
    columns = zip(COLUMNS, stored, expected, strict=True)
    column, is_, was = next(each for each in columns if each[1] != each[2])
    return f"{_name(stored)}: {column} is {is_!r}, the events say {was!r}"


def _missing(fresh: Stored) -> str:
    return f"engagement {fresh.id} ({fresh.issue_id}): not in the read model"


def needless_row(stored: Row) -> str:
    """A sentence on a row of the read model without events."""
    return f"{_name(stored)}: in the read model, but in no event"


def _name(stored: Row) -> str:
    return f"engagement {stored[0]} ({stored[_ISSUE]})"
