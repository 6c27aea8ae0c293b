"""Audit reports: an audit in, one self-contained HTML page out.

Every value is escaped by the template. Without the extra `reports` MissingExtraError is raised.
"""

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from bot import english as words
from bot.answers.report_figures import HEIGHT, WIDTH, late_days, score_line, stacked, years_of
from bot.answers.scores import NO_TITLES, Titles, all_quiet, marked, note
from bot.extras import extra
from ledger.commands import LISTED_KINDS, Kind
from ledger.instants import Instant, iso, moment_of
from projections.policy import fields_of

if TYPE_CHECKING:
    from projections.application import Audited

SHOWN = 20
"""The most lines of a list; below them the page says how many more there are."""

KIND_COLOURS = ("violet", "teal", "blue")
"""By rank, and again from the first one; the page's style says what they are."""

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def issues_named(audited: "Audited") -> list[str]:
    """The issues on the page, each once, the most touched first."""
    activity, portraits = audited.audit.activity, audited.audit.portraits
    named = [each.issue_id for each in activity.issues[:SHOWN]]
    named += [story.explanation.issue_id for each in portraits for story in each.stories]
    for rows in (activity.late, activity.overrides):
        named += [each.issue_id for each in rows[::-1][:SHOWN]]
    return list(dict.fromkeys(map(str, named)))


def report_page(
    audited: "Audited",
    made_at: Instant,
    zone: ZoneInfo,
    of_user: str | None,
    titles: Titles = NO_TITLES,
) -> str:
    """Render the page with times of `zone`; `of_user` is set if it covers only one user."""
    audit = audited.audit
    activity = audit.activity
    calendar = _Calendar(zone)
    html: str = _template().render(
        audit=audit,
        activity=activity,
        uncounted=audited.uncounted,
        of_user=of_user,
        made_at=made_at,
        zone=zone.key,
        fields=fields_of(audit.adopted.policy),
        weekdays=WEEKDAYS,
        kinds=[(kind.count_name, kind - 1, words.KINDS[kind.label][1]) for kind in reversed(Kind)],
        colours=KIND_COLOURS,
        listed_kinds=LISTED_KINDS,
        shown=SHOWN,
        years=years_of(activity.weeks),
        late_days=late_days(activity.late, zone),
        stacked=stacked,
        score_line=score_line,
        marked=marked,
        titles=titles,
        note=note,
        all_quiet=all_quiet,
        width=WIDTH,
        height=HEIGHT,
        date=calendar.date,
        time=calendar.time,
        iso=iso,
    )
    return html


class _Calendar:
    """Formats instants by the calendar and clock of a zone."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone

    def date(self, at: int) -> str:
        return f"{self._local(at):%Y-%m-%d}"

    def time(self, at: int) -> str:
        return f"{self._local(at):%Y-%m-%d %H:%M}"

    def _local(self, at: int) -> dt.datetime:
        return moment_of(Instant(at)).astimezone(self._zone)


def _template() -> Any:  # noqa: ANN401 - a Jinja template is called with any names
    with extra("reports"):
        from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = "{:,}".format
    environment.filters["score"] = "{:.3f}".format
    environment.filters["exact"] = "{:.12g}".format
    return environment.get_template("report.html.j2")
