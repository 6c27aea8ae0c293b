"""Commands that ask about a user: score, top, stats, engagements, history."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from bot.answers.scores import Titles, all_quiet, note, score_sentence, scored
from bot.cli.context import Session, Share, UserCommand, Word, as_of_options, json_option
from bot.cli.output import iso_or_none, printable, show_json, show_text
from bot.cli.suggestions import suggest_issue
from bot.cli.text_tables import show_table
from bot.cli.titles import Described, described
from bot.cli.users import user_of
from ledger.events import ScoreOverridden, kind_label
from ledger.instants import Instant, instant_of, iso
from projections.policy import ScoringPolicy
from projections.ranking import Ranked

if TYPE_CHECKING:
    from ledger.application import HistoryEntry

NO_ENGAGEMENTS = "no engagements"
NONE_BUT_HIDDEN = "all issues of this user are hidden: `engagement unhide USER` lists them"

_SECONDS = len("2026-01-31T12:00:00")


@click.command(cls=UserCommand)
@click.argument("user", type=Word())
@click.argument("issue", type=Word())
@as_of_options
@json_option
@click.pass_obj
def score(session: Session, user: str, issue: str, at: str | None, known_at: str | None) -> None:
    """Show how USER's engagement with ISSUE scores, and why."""
    moments = session.moments(at, known_at)
    with session.engagements() as engagements:
        user = user_of(engagements, user)
        ranked = engagements.questions.ask(user, issue, *moments)
        policy = engagements.policies.known_at(moments[1]).policy
    if not ranked.engagement.count:
        suggest_issue(issue)
    instant = instant_of(moments[0] or moments[1] or session.clock())
    if session.as_json:
        show_json(_score_document(user, ranked, instant))
    else:
        show_text(_score_sentence(ranked, policy))


@click.command(cls=UserCommand)
@click.argument("user", type=Word())
@click.option("--limit", type=click.IntRange(min=1), default=10, show_default=True)
@as_of_options
@json_option
@click.pass_obj
def top(session: Session, user: str, limit: int, at: str | None, known_at: str | None) -> None:
    """Show the issues that USER is most engaged with, without the hidden ones."""
    moments = session.moments(at, known_at)
    with session.engagements() as engagements:
        user = user_of(engagements, user)
        ranked = engagements.questions.top(user, limit, *moments)
        hidden = () if ranked else engagements.questions.hidden(user, *moments)
    of_issues = described(session, (each.issue_id for each in ranked))
    _show_ranked(session, ranked, NONE_BUT_HIDDEN if hidden else NO_ENGAGEMENTS, of_issues)


@click.command(cls=UserCommand)
@click.argument("user", type=Word())
@click.option("--min-score", type=Share(), default=0.0, help="Leave out issues with a lower score.")
@as_of_options
@json_option
@click.pass_obj
def engagements(
    session: Session, user: str, min_score: float, at: str | None, known_at: str | None
) -> None:
    """Show all issues that USER ever touched, including hidden ones."""
    moments = session.moments(at, known_at)
    with session.engagements() as opened:
        ranked = opened.questions.ranking(user_of(opened, user), *moments)
    found = [each for each in ranked if each.score.value >= min_score]
    _show_ranked(session, found, NO_ENGAGEMENTS)


@click.command(cls=UserCommand)
@click.argument("user", type=Word())
@as_of_options
@json_option
@click.pass_obj
def stats(session: Session, user: str, at: str | None, known_at: str | None) -> None:
    """Show USER's totals."""
    from projections.application import engagement_stats  # noqa: PLC0415 - loads SQLAlchemy

    moments = session.moments(at, known_at)
    with session.engagements() as engagements:
        found = engagements.questions.statistics(user_of(engagements, user), *moments)
    totals = engagement_stats(found)
    if session.as_json:
        show_json(totals)
        return
    most = scored(found.most_engaged) or (NONE_BUT_HIDDEN if found.unique_issues else None)
    shown = {**totals, "most_engaged_issues": most}
    show_table(("", ""), [(name.replace("_", " "), _text(shown[name])) for name in shown], "")


@click.command(cls=UserCommand)
@click.argument("user", type=Word())
@click.argument("issue", type=Word(), required=False)
@click.option("--limit", type=click.IntRange(min=1), help="Show at most this many.")
@click.option("--latest", is_flag=True, help="Show the latest first.")
@as_of_options
@json_option
@click.pass_obj
def history(
    session: Session,
    user: str,
    issue: str | None,
    limit: int | None,
    latest: bool,  # noqa: FBT001 - click passes a flag so
    at: str | None,
    known_at: str | None,
) -> None:
    """Show the events of USER, with ISSUE or all, the oldest first.

    The JSON adds the source of each event, and instants to the microsecond.
    """
    moments = session.moments(at, known_at)
    with session.engagements() as engagements:
        user, most = user_of(engagements, user), limit or sys.maxsize
        page = engagements.questions.page(user, issue, *moments, limit=most, latest=latest)
    if issue is not None and not page.total:
        suggest_issue(issue)
    entries = [_history_document(each) for each in page.entries]
    of_issues = described(session, (each["issue_id"] for each in entries))
    if session.as_json:
        show_json([each | of_issues.document(each["issue_id"]) for each in entries])
        return
    columns = ("position", "occurred at", "issue id", "kind", "context")
    rows = [_history_row(entry) for entry in entries]
    show_table(*_with_titles(columns, rows, of_issues.titles, after=2), "no events")
    if page.total > len(entries):
        click.echo(f"… and {page.total - len(entries):,} {'earlier' if latest else 'later'}")


def _show_ranked(
    session: Session, ranked: list[Ranked], none: str, of_issues: Described | None = None
) -> None:
    of_issues = of_issues or Described({})
    documents = [_ranked_document(each) | of_issues.document(each.issue_id) for each in ranked]
    if session.as_json:
        show_json(documents)
        return
    if all_quiet(ranked):
        click.echo("all of these are long inactive")
    rows: list[tuple[object, ...]] = [
        (place, each["issue_id"], each["score"], each["count"], each["last_at"])
        for place, each in enumerate(documents, 1)
    ]
    columns: Sequence[str] = ("", "issue", "score", "count", "last")
    notes = [note(each) for each in ranked]
    if any(notes):
        rows = [(*row, said) for row, said in zip(rows, notes, strict=True)]
        columns = (*columns, "note")
    show_table(*_with_titles(columns, rows, of_issues.titles, after=1), none)


def _with_titles(
    columns: Sequence[str], rows: Sequence[tuple[object, ...]], titles: Titles, *, after: int
) -> tuple[Sequence[str], list[tuple[object, ...]]]:
    """Return a table with a column of titles `after` that of issues, if any title is known."""
    if not titles:
        return columns, list(rows)
    wider = [
        (*row[: after + 1], titles.get(str(row[after]), ""), *row[after + 1 :]) for row in rows
    ]
    return (*columns[: after + 1], "title", *columns[after + 1 :]), wider


def _ranked_document(ranked: Ranked) -> dict[str, Any]:
    return {
        "issue_id": ranked.issue_id,
        "score": ranked.score.value,
        "count": ranked.engagement.count,
        "last_at": iso_or_none(ranked.engagement.last_at),
        "dormant": ranked.score.dormant,
        "override": ranked.score.override,
    }


def _score_document(user: str, ranked: Ranked, at: Instant) -> dict[str, Any]:
    return {
        "user_id": user,
        "issue_id": ranked.issue_id,
        "at": iso(at),
        "score": ranked.score.value,
        "count": ranked.engagement.count,
        "first_at": iso_or_none(ranked.engagement.first_at),
        "last_at": iso_or_none(ranked.engagement.last_at),
        "frequency": ranked.score.frequency,
        "recency": ranked.score.recency,
        "decay": ranked.score.decay,
        "dormant": ranked.score.dormant,
        "override": ranked.score.override,
    }


def _history_document(entry: "HistoryEntry") -> dict[str, Any]:
    event, origin = entry.event, entry.origin
    return {
        "position": entry.position,
        "occurred_at": iso(event.occurred_at),
        "recorded_at": iso(event.recorded_at),
        "issue_id": event.issue_id,
        "present_issue_id": entry.name or event.issue_id,
        "kind": kind_label(event),
        "score": event.score if isinstance(event, ScoreOverridden) else None,
        "linear_id": entry.linear_id,
        "source": origin.source,
        "context": origin.context,
    }


def _history_row(entry: dict[str, Any]) -> tuple[object, ...]:
    set_to = entry["score"]
    kind = entry["kind"] if set_to is None else f"set to {set_to:g}"
    at = f"{entry['occurred_at'][:_SECONDS]}Z"
    issue, name = entry["issue_id"], entry["present_issue_id"]
    named = issue if name == issue else f"{issue} (now {name})"
    return entry["position"], at, named, kind, entry["context"]


def _score_sentence(ranked: Ranked, policy: ScoringPolicy) -> str:
    said = f", {noted}" if (noted := note(ranked)) else ""
    sentence = score_sentence(ranked, policy)
    return f"{ranked.issue_id} scores {ranked.score.value:.3f}{said}: {sentence}"


def _text(value: object) -> str:
    return "–" if value is None else printable(str(value))
