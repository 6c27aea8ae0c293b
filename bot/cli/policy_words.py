"""Policies and their trials as text and table rows."""

from heapq import nlargest
from typing import TYPE_CHECKING, Any

from bot.replies import score_note
from ledger.instants import iso
from projections.evaluation import Figures, Move
from projections.policy import Adopted, FieldChange

if TYPE_CHECKING:
    from projections.read_model.past_queries import Affected, PolicyTrial

MOST_SHOWN = 10
"""The most users and moves that are shown; --json has them all."""

_NOTICED = 0.005
"""Figures that differ by less count as about the same."""

_ASKED = {
    "hit_at_1": "naming first what users return to (hit@1)",
    "mean_reciprocal_rank": "ranking it high (MRR)",
    "recall_at_10": "briefing the week on Monday (recall@10)",
}

Row = tuple[Any, ...]


def value_text(value: object) -> str:
    """A field's value as in an assignment, with all digits."""
    if isinstance(value, list):
        return ",".join(map(str, value))
    return repr(value).removesuffix(".0")


def change_text(change: FieldChange) -> str:
    """A field's name and its values before and after."""
    return f"{change.name}: {value_text(change.before)} → {value_text(change.after)}"


def since_text(adopted: Adopted) -> str:
    """The policy's version, and since when it is in force."""
    if adopted.adopted_at is None:
        return f"policy {adopted.version}, the default, in force from the beginning"
    since = iso(adopted.adopted_at)
    return f"policy {adopted.version}, in force since {since}, position {adopted.position}"


def verdict(found: "PolicyTrial", *, is_another: bool) -> str:
    """One sentence on whether the tried policy is better, and by which figures."""
    if found.tried.returns == 0:
        return "No user has returned to a known issue yet, so there is nothing to compare them by."
    if is_another:
        told = _told(found.tried.figures, found.in_force.figures)
        return f"Against the policy in force, the tried one is {told}."
    told = _told(found.in_force.figures, found.most_recent_first.figures)
    return f"Against the most recent first, the policy in force is {told}."


def _told(figures: Figures, others: Figures) -> str:
    parts: dict[str, list[str]] = {"better": [], "worse": [], "about the same": []}
    for name, asked in _ASKED.items():
        mine, other = getattr(figures, name), getattr(others, name)
        if mine is not None and other is not None:
            parts[_compared(other, mine)].append(f"{asked}, {mine:.3f} for {other:.3f}")
    return "; ".join(f"{how} at {', '.join(which)}" for how, which in parts.items() if which)


def _compared(before: float, after: float) -> str:
    if abs(after - before) < _NOTICED:
        return "about the same"
    return "better" if after > before else "worse"


def figures_rows(found: "PolicyTrial", *, is_another: bool) -> list[Row]:
    """The rows of the table of figures."""
    rankings = {
        "in force": found.in_force,
        "tried": found.tried,
        "most recent first": found.most_recent_first,
    }
    if not is_another:
        del rankings["tried"]
    return [(name, *_cells(quality.figures)) for name, quality in rankings.items()]


def _cells(figures: Figures) -> Row:
    return tuple(getattr(figures, name) for name in figures.__struct_fields__)


def affected_sentence(found: "PolicyTrial") -> str:
    """A sentence on how many users would see another top ten."""
    return f"The first ten would change for {len(found.affected):,} of {found.users:,} users."


def affected_rows(found: "PolicyTrial") -> list[Row]:
    """Rows for the users whose first ten change the most."""
    most = nlargest(MOST_SHOWN, found.affected, key=_extent)
    return [
        (
            _name(each),
            ", ".join(each.change.entered) or None,
            ", ".join(each.change.left) or None,
            "another" if each.change.reordered else "the same",
        )
        for each in most
    ]


def mover_rows(found: "PolicyTrial") -> list[Row]:
    """Rows for the largest moves of all users."""
    moves = [(move, each) for each in found.affected for move in each.change.moves]
    largest = nlargest(MOST_SHOWN, moves, key=lambda pair: pair[0].distance)
    return [
        (
            _name(each),
            move.issue_id,
            move.before.rank,
            move.after.rank,
            move.before.score.value,
            move.after.score.value,
            _note(move),
        )
        for move, each in largest
    ]


def _note(move: Move) -> str:
    before, after = score_note(move.before.score), score_note(move.after.score)
    return after if before == after else f"{before or '–'} → {after or '–'}"


def _extent(affected: "Affected") -> tuple[int, int]:
    furthest = max((move.distance for move in affected.change.moves), default=0)
    return len(affected.change.entered) + len(affected.change.left), furthest


def _name(affected: "Affected") -> str:
    return affected.display_name or affected.user_id
