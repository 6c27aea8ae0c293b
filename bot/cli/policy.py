"""Commands about policies: which one is in force, which there were, what one would be worth."""

from heapq import nlargest
from typing import TYPE_CHECKING, Any

import click

from bot.answers.scores import score_note
from bot.cli.context import Session, json_option
from bot.cli.output import iso_or_none, show_json, show_text
from bot.cli.progress import counting
from bot.cli.text_tables import show_table
from ledger.errors import InvalidPolicyError
from ledger.instants import instant_of, iso
from projections.evaluation import Figures, Move, Standing
from projections.policy import (
    DEFAULT_POLICY,
    Adopted,
    FieldChange,
    ScoringPolicy,
    changed,
    differences,
    fields_of,
)

if TYPE_CHECKING:
    from projections.application import Affected, PolicyTrial


# Policies and their trials as text and table rows.

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


# The commands.


@click.group()
def policy() -> None:
    """Show, try and adopt policies: the numbers of the formula.

    Policies are part of the history: questions about the past use the policy that was in force
    then.
    """


@policy.command()
@click.option(
    "--known-at", metavar="MOMENT", help="Show the policy that was in force at this moment."
)
@json_option
@click.pass_obj
def show(session: Session, known_at: str | None) -> None:
    """Show the policy in force, and its differences from the default."""
    with session.engagements() as engagements:
        adopted = engagements.policies.known_at(session.moment(known_at))
    if session.as_json:
        show_json(_adopted_document(adopted))
        return
    click.echo(since_text(adopted))
    defaults = fields_of(DEFAULT_POLICY)
    rows = [
        (name, value_text(value), "" if value == defaults[name] else value_text(defaults[name]))
        for name, value in fields_of(adopted.policy).items()
    ]
    show_table(("field", "value", "instead of"), rows, "")


@policy.command()
@click.argument("assignments", metavar="FIELD=VALUE...", nargs=-1, required=True)
@json_option
@click.pass_obj
def adopt(session: Session, assignments: tuple[str, ...]) -> None:
    """Compute scores with other numbers from now on.

    Earlier answers of the bot can still be reproduced with --known-at. Giving one of the two
    weights is enough. Kinds are written as in kinds=query,mention.
    """
    with session.engagements() as engagements:
        in_force = engagements.policies.known_at(None)
        after = changed(in_force.policy, assignments)
        changes = differences(in_force.policy, after)
        if not changes:
            raise InvalidPolicyError("policy", f"{in_force.version} already has these values")
        position = engagements.policies.adopt(after, replaces=in_force.version).position
    version = in_force.version + 1
    if session.as_json:
        show_json({"version": version, "position": position, "changes": _changes(changes)})
        return
    for change in changes:
        click.echo(change_text(change))
    click.echo(f"adopted: policy {version}, position {position}")


@policy.command()
@json_option
@click.pass_obj
def history(session: Session) -> None:
    """Show all policies that were ever in force, the oldest first."""
    with session.engagements() as engagements:
        adopted = engagements.policies.all()
    if session.as_json:
        show_json([_adopted_document(each) for each in adopted])
        return
    policies = [DEFAULT_POLICY, *(each.policy for each in adopted)]
    rows = [
        (
            each.version,
            iso_or_none(each.adopted_at),
            each.position,
            _what_changed(before, each.policy),
        )
        for before, each in zip(policies, adopted, strict=False)
    ]
    show_table(("version", "adopted at", "position", "what changed"), rows, "")


@policy.command("try")
@click.argument("assignments", metavar="[FIELD=VALUE...]", nargs=-1)
@click.option("--at", metavar="MOMENT", help="Try it on the events up to this moment.")
@json_option
@click.pass_obj
def try_(session: Session, assignments: tuple[str, ...], at: str | None) -> None:
    """Show what other numbers would change, and whether they are better.

    Nothing is written. Two measures are taken on the ledger's history. Whenever a user returned to
    a known issue, did it rank first, among the first five or ten, just before that (hit@1, @5, @10;
    MRR is the mean of 1 divided by its rank)? And which share of a week's known issues did Monday's
    briefing of ten show (recall@10)? Without FIELD=VALUE only the policy in force is measured.
    """
    moment = session.moment(at)
    with session.engagements() as engagements:
        in_force = engagements.policies.in_force
        after = changed(in_force, assignments)
        total, _ = engagements.ledger.size()
        with counting("policy try", "events", total) as advance:
            found = engagements.policies.try_out(after, moment, session.settings.zone, advance)
    changes = differences(in_force, after)
    if session.as_json:
        moment_asked = iso(instant_of(moment or session.clock()))
        show_json({"at": moment_asked, "changes": _changes(changes), **_trial_document(found)})
    else:
        _show_trial(found, changes)


def _show_trial(found: "PolicyTrial", changes: list[FieldChange]) -> None:
    for change in changes:
        click.echo(change_text(change))
    show_text(verdict(found, is_another=bool(changes)))
    columns = ("ranking", "returns", "hit@1", "hit@5", "hit@10", "MRR", "weeks", "recall@10")
    click.echo()
    show_table(columns, figures_rows(found, is_another=bool(changes)), "")
    if changes:
        click.echo(f"\n{affected_sentence(found)}")
    if found.affected:
        show_table(("user", "enter", "leave", "order"), affected_rows(found), "")
        click.echo(f"\nThe largest moves, up to {MOST_SHOWN}:")
        movers = ("user", "issue", "rank", "then", "score", "then", "note")
        show_table(movers, mover_rows(found), "")


def _adopted_document(adopted: Adopted) -> dict[str, Any]:
    return {
        "version": adopted.version,
        "position": adopted.position,
        "adopted_at": iso_or_none(adopted.adopted_at),
        "fields": fields_of(adopted.policy),
        "changes": _changes(differences(DEFAULT_POLICY, adopted.policy)),
    }


def _what_changed(before: ScoringPolicy, after: ScoringPolicy) -> str:
    return ", ".join(map(change_text, differences(before, after))) or "the default"


def _changes(changes: list[FieldChange]) -> dict[str, list[Any]]:
    return {each.name: [each.before, each.after] for each in changes}


def _trial_document(found: "PolicyTrial") -> dict[str, Any]:
    return {
        "events": found.events,
        "users": found.users,
        "affected": [_affected_document(each) for each in found.affected],
        "quality": {
            "in_force": found.in_force.figures,
            "tried": found.tried.figures,
            "most_recent_first": found.most_recent_first.figures,
        },
    }


def _affected_document(affected: "Affected") -> dict[str, Any]:
    moves = [
        {
            "issue_id": move.issue_id,
            "before": _standing(move.before),
            "after": _standing(move.after),
        }
        for move in affected.change.moves
    ]
    return {**affected._asdict(), "change": {**affected.change._asdict(), "moves": moves}}


def _standing(standing: Standing) -> dict[str, Any]:
    score = standing.score
    facts = {"score": score.value, "dormant": score.dormant, "override": score.override}
    return {"rank": standing.rank, **facts}
