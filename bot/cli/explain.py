"""The command that explains a score."""

from typing import Any

import click

from bot.answers.explanations import order_sentences, sentences
from bot.cli.context import Session, UserCommand, Word, as_of_options, json_option
from bot.cli.output import iso_or_none, show_json, show_text
from bot.cli.suggestions import suggest_issue
from bot.cli.text_tables import show_table
from bot.cli.users import user_of
from bot.language import words
from ledger.instants import Instant, iso
from projections.explanation import (
    Explanation,
    InteractionSeen,
    OrderExplanation,
    OverrideSeen,
    Swap,
)
from projections.policy import fields_of
from projections.ranking import Ranked

SHOWN = 20


@click.command(cls=UserCommand)
@click.argument("user", type=Word())
@click.argument("issue", type=Word(), required=False)
@click.option("--top", is_flag=True, help="Explain why USER's first issue ranks above the second.")
@click.option("--all", "everything", is_flag=True, help="List every event, not only the last 20.")
@as_of_options
@json_option
@click.pass_obj
def explain(
    session: Session,
    user: str,
    issue: str | None,
    top: bool,  # noqa: FBT001 - click passes a flag so
    everything: bool,  # noqa: FBT001 - as above
    at: str | None,
    known_at: str | None,
) -> None:
    """Explain USER's score of ISSUE, down to the events.

    With --top: why the first issue ranks above the second, and what would swap them.
    """
    if top == (issue is not None):
        raise click.UsageError("name an ISSUE, or give --top for the order of the first two")
    moments = session.moments(at, known_at)
    with session.engagements() as engagements:
        user = user_of(engagements, user)
        if issue is None:
            _show_order(session, engagements.questions.explain_order(user, *moments))
        else:
            explanation = engagements.questions.explain(user, issue, *moments)
            if not explanation.events:
                suggest_issue(issue)
            _show(session, user, explanation, None if everything else SHOWN)


def _show(session: Session, user: str, explanation: Explanation, limit: int | None) -> None:
    if session.as_json:
        show_json(_document(user, explanation))
        return
    at = iso(explanation.at)
    show_text(f"{explanation.issue_id} scores {explanation.value:.3f} for {user}, {at}")
    for line in sentences(explanation, _said):
        show_text(f"  {line}")
    if explanation.has_parts:
        click.echo()
        show_table(("number", "value", "is"), _numbers(explanation), "")
    if explanation.events:
        _show_events(explanation.events, limit)


def _show_events(events: list[InteractionSeen | OverrideSeen], limit: int | None) -> None:
    shown = [_event(each) for each in (events if limit is None else events[-limit:])]
    columns = ("position", "occurred_at", "kind", "score", "counts", "late", "source")
    rows = [[_cell(event[column]) for column in columns] for event in shown]
    click.echo()
    show_table([column.replace("_", " ") for column in columns], rows, "")
    if len(events) > len(shown):
        click.echo(f"… and {len(events) - len(shown):,} earlier; --all lists them")


def _cell(value: object) -> object:
    return ("no", "yes")[value] if isinstance(value, bool) else value


def _numbers(explanation: Explanation) -> list[tuple[str, str, str]]:
    """Each number with all digits, and a Python expression that computes it."""
    policy, parts = explanation.policy, explanation.ranked.score
    step, rate = policy.frequency_per_interaction, policy.recency_rate_per_day
    frequency, recency = parts.frequency, parts.recency
    base = (
        f"{policy.frequency_weight!r} * {frequency!r} + {policy.recency_weight!r} * {recency!r}"
        if parts.override is None
        else "set by hand"
    )
    decay = f"(1 - {policy.decay_rate_per_day!r}) ** {explanation.days_over}"
    return [
        ("frequency", repr(frequency), f"min(1, {step!r} * {explanation.count})"),
        ("recency", repr(recency), f"exp(-{rate!r} * {parts.idle_days})"),
        ("base", repr(explanation.base), base),
        ("decay", repr(parts.decay), decay),
        ("score", repr(explanation.value), f"round({explanation.base!r} * {parts.decay!r}, 12)"),
    ]


def _said(instant: int) -> str:
    return iso(Instant(instant))


def _show_order(session: Session, order: OrderExplanation | None) -> None:
    if session.as_json:
        show_json(None if order is None else _order_document(order))
        return
    for line in [words.ORDER_NONE] if order is None else order_sentences(order, _said):
        show_text(line)


def _document(user: str, explanation: Explanation) -> dict[str, Any]:
    parts, as_of = explanation.ranked.score, explanation.as_of
    return {
        "user_id": user,
        "issue_id": explanation.issue_id,
        "at": iso(explanation.at),
        "known_at": iso_or_none(as_of.known_at),
        "score": explanation.value,
        "count": explanation.count,
        "frequency": parts.frequency,
        "idle_since": iso_or_none(explanation.ranked.idle_since if explanation.has_parts else None),
        "idle_days": parts.idle_days,
        "recency": parts.recency,
        "base": explanation.base,
        "override": parts.override,
        "days_over": explanation.days_over,
        "decay": parts.decay,
        "dormant": parts.dormant,
        "pinned": bool(explanation.ranked.pinned_at),
        "policy_version": explanation.adopted.version,
        "policy_adopted_at": iso_or_none(explanation.adopted.adopted_at),
        "policy": fields_of(explanation.policy),
        "events": [_event(each) for each in explanation.events],
    }


def _event(seen: InteractionSeen | OverrideSeen) -> dict[str, Any]:
    if isinstance(seen, OverrideSeen):
        kind, counts, value, source = "override", seen.is_in_force, seen.value, None
        ended_by = seen.ended_by
    else:
        kind, counts, value, source = seen.kind.label, seen.counts, None, seen.source
        ended_by = None
    return {
        "position": seen.position,
        "occurred_at": iso(seen.occurred_at),
        "recorded_at": iso(seen.recorded_at),
        "kind": kind,
        "score": value,
        "counts": counts,
        "ended_by": ended_by,
        "late": seen.is_late,
        "source": source,
    }


def _order_document(order: OrderExplanation) -> dict[str, Any]:
    return {
        "at": iso(order.at),
        "policy_version": order.adopted.version,
        "by": order.by.value,
        "first": _ranked_document(order.first),
        "second": _ranked_document(order.second),
        "swapped_by_interactions": _swap_document(order.by_interactions),
        "swapped_by_time": _swap_document(order.by_time),
    }


def _ranked_document(ranked: Ranked) -> dict[str, Any]:
    return {
        "issue_id": ranked.issue_id,
        "score": ranked.score.value,
        "dormant": ranked.score.dormant,
        "override": ranked.score.override,
    }


def _swap_document(swap: Swap | None) -> dict[str, Any] | None:
    if swap is None:
        return None
    return {
        "at": iso(swap.at),
        "interactions": swap.interactions,
        "first": _ranked_document(swap.first),
        "second": _ranked_document(swap.second),
    }
