"""Commands about policies: show the current and former ones, try and adopt others."""

from typing import TYPE_CHECKING, Any

import click

from bot.cli.policy_words import (
    MOST_SHOWN,
    affected_rows,
    affected_sentence,
    change_text,
    figures_rows,
    mover_rows,
    since_text,
    value_text,
    verdict,
)
from bot.cli.progress import counting
from bot.cli.session import Session, json_option
from bot.cli.shown import iso_or_none, show_json, show_text
from bot.cli.tables import show_table
from ledger.errors import InvalidPolicyError
from ledger.instants import instant_of, iso
from projections.evaluation import Standing
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
    from projections.read_model.past_queries import Affected, PolicyTrial


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
        adopted = engagements.policy_known_at(session.moment(known_at))
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
        in_force = engagements.policy_known_at(None)
        after = changed(in_force.policy, assignments)
        changes = differences(in_force.policy, after)
        if not changes:
            raise InvalidPolicyError("policy", f"{in_force.version} already has these values")
        position = engagements.adopt(after, replaces=in_force.version).position
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
        adopted = engagements.policies()
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
        in_force = engagements.policy
        after = changed(in_force, assignments)
        total, _ = engagements.ledger.size()
        with counting("policy try", "events", total) as advance:
            found = engagements.try_policy(after, moment, session.settings.zone, advance)
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
