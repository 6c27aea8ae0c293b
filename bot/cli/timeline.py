"""The command that shows scores over time."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from bot.answers.scores import counted, score_note
from bot.charts import score_chart
from bot.cli.context import Session, UserCommand, Word, json_option
from bot.cli.output import printable, show_csv, show_json, write_file
from bot.cli.suggestions import suggest_issue
from bot.cli.text_tables import show_table
from bot.cli.users import user_of
from bot.dates.parse import Edge
from bot.dates.zones import PERIODS, ends_of
from bot.language import words
from ledger.events import EventRow
from ledger.instants import DAY, Instant, instant_of, iso, moment_of
from ledger.validation import issue_id_of
from projections.engagement import COUNTS
from projections.policy import ScoringPolicy
from projections.timeline import Step, score_series, steps

if TYPE_CHECKING:
    from projections.application import Engagements

ISSUES_SHOWN = 5
SHOWN_DAYS = 90

COLUMNS = ("at", "issue_id", "score", "count", *COUNTS, "late", "overrides")


class Span(NamedTuple):
    """The span that is shown, as the ends of its steps."""

    start: Instant
    ends: list[Instant]

    @property
    def end(self) -> Instant:
        """The last instant."""
        return self.ends[-1]


@click.command(cls=UserCommand)
@click.argument("user", type=Word())
@click.argument("issue", type=Word(), required=False)
@click.option("--from", "start", metavar="MOMENT", help="Default: the first event or 90 days ago.")
@click.option(
    "--to",
    "end",
    metavar="MOMENT",
    help="Default: now, or the moment of --known-at. A bare date means its end.",
)
@click.option("--every", type=click.Choice(PERIODS), default="day", show_default=True)
@click.option("--known-at", metavar="MOMENT", help="Use what the ledger knew at this moment.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV on stdout.")
@click.option("--png", metavar="FILE", help="Instead draw a chart of ISSUE into FILE.")
@json_option
@click.pass_obj
def timeline(
    session: Session,
    user: str,
    issue: str | None,
    start: str | None,
    end: str | None,
    every: str,
    known_at: str | None,
    as_csv: bool,  # noqa: FBT001 - click passes a flag so
    png: str | None,
) -> None:
    """Show USER's score of ISSUE over time, or the five highest.

    Without ISSUE: the five issues with the highest scores at the end that are not hidden. Each line
    is the last instant of its period, by the calendar of the configured zone.
    """
    if sum((session.as_json, as_csv, png is not None)) > 1:
        raise click.UsageError("--json, --csv and --png exclude each other")
    if png is not None and issue is None:
        raise click.UsageError("--png draws one issue: name an ISSUE")
    known = session.moment(known_at)
    until = instant_of(session.moment(end) or known or session.clock())
    with session.engagements() as engagements:
        user = user_of(engagements, user)
        issues = (
            _highest(engagements, user, until, known) if issue is None else [issue_id_of(issue)]
        )
        rows = {each: engagements.questions.known(user, each, known)[0] for each in issues}
        policy = engagements.policies.known_at(known).policy
        if issue is not None and not rows[issues[0]]:
            suggest_issue(issue)
        first = engagements.questions.page(user, known_at=known, limit=1, latest=False).entries
    since = first[0].event.occurred_at if first else until
    with session.calendar():
        span = _span(session, since, start, until, every)
        if png is not None:
            _draw(session, Path(png), rows, span, policy)
            return
    found = {each: steps(rows[each], span.start, span.ends, policy) for each in issues}
    if session.as_json or as_csv:
        _print(found, as_csv=as_csv)
    elif issue is None:
        _show_scores(found, span.ends)
    else:
        _show_steps(found[issues[0]])


def _span(
    session: Session, first_at: Instant, start: str | None, until: Instant, every: str
) -> Span:
    """The span from `start`, or else from the first event or 90 days before the end."""
    since = session.moment(start, Edge.START)
    if since is not None:
        begin = instant_of(since)
    else:
        begin = Instant(min(until, max(first_at, until - SHOWN_DAYS * DAY)))
    return Span(begin, ends_of(every, begin, until, session.settings.zone))


def _highest(
    engagements: "Engagements", user: str, until: Instant, known: dt.datetime | None
) -> list[str]:
    ranked = engagements.questions.top(user, ISSUES_SHOWN, moment_of(until), known)
    return [each.issue_id for each in ranked]


def _draw(
    session: Session,
    path: Path,
    rows: dict[str, list[EventRow]],
    span: Span,
    policy: ScoringPolicy,
) -> None:
    ((issue, own),) = rows.items()
    series = score_series(issue, own, span.start, span.end, policy)
    write_file(path, score_chart(series, session.settings.zone, words.CHART))
    click.echo(f"drawn: {printable(str(path))}")


def _print(found: dict[str, list[Step]], *, as_csv: bool) -> None:
    documents = [_document(issue, step) for issue, series in found.items() for step in series]
    if not as_csv:
        show_json(documents)
        return
    for document in documents:
        document["overrides"] = " ".join(map(repr, document["overrides"]))
    show_csv(COLUMNS, [list(document.values()) for document in documents])


def _document(issue: str, step: Step) -> dict[str, Any]:
    value = None if step.score is None else step.score.value
    facts = (step.count, *step.counts, step.late, step.overrides)
    return dict(zip(COLUMNS, (iso(step.at), issue, value, *facts), strict=True))


def _show_steps(series: Sequence[Step]) -> None:
    rows = [
        (iso(step.at), None if step.score is None else step.score.value, step.count, _what(step))
        for step in series
    ]
    show_table(("at", "score", "count", "what happened"), rows, "no steps")


def _what(step: Step) -> str:
    parts = counted(step.counts)
    if step.late:
        parts.append(f"{step.late} known late")
    parts += [f"set to {value:g}" for value in step.overrides]
    return ", ".join(parts)


def _show_scores(found: dict[str, list[Step]], ends: Sequence[Instant]) -> None:
    if not found:
        click.echo("no engagements at the end of that span")
        return
    values = [[step.score and step.score.value for step in series] for series in found.values()]
    if all(_is_quiet(series[-1]) for series in found.values()):
        click.echo("all of these are long inactive")
    heads = [_head(issue, series[-1]) for issue, series in found.items()]
    show_table(("at", *heads), list(zip(map(iso, ends), *values, strict=True)), "")


def _head(issue: str, step: Step) -> str:
    said = "" if step.score is None else score_note(step.score)
    return f"{issue} ({said})" if said else issue


def _is_quiet(step: Step) -> bool:
    parts = step.score
    return parts is not None and parts.dormant and parts.idle_days is not None
