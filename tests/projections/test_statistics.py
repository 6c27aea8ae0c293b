"""Statistics: what a user's engagements add up to, dormant ones too."""

from fractions import Fraction

from hypothesis import given

from ledger.commands import Kind
from ledger.instants import DAY
from projections.engagement import fold
from projections.ranking import ranking
from projections.statistics import Statistics
from tests.support import strategies
from tests.support.event_rows import event_row
from tests.support.reference_statistics import statistics_of

NOON = strategies.NOON


def ranked(*touches: tuple[str, int, int]):
    """A ranking at noon of issues touched so often, that many days before."""
    return ranking(
        (
            (
                issue,
                fold(
                    event_row(n, 1, issue, int(Kind.QUERY), NOON - days * DAY, None, None, NOON)
                    for n in range(count)
                ),
            )
            for issue, count, days in touches
        ),
        NOON,
    )


@given(strategies.engagements_by_issue(), strategies.moments_of_asking)
def test_totals_are_over_all_engagements(engagements, at):
    totals = statistics_of(ranking(engagements.items(), at))
    assert totals.total_interactions == sum(sum(each.counts) for each in engagements.values())
    assert totals.unique_issues == len(engagements)
    assert totals.last_interaction == max(
        (each.last_at for each in engagements.values()), default=None
    )


@given(strategies.engagements_by_issue(), strategies.moments_of_asking)
def test_the_average_is_the_quotient_to_two_decimals(engagements, at):
    totals = statistics_of(ranking(engagements.items(), at))
    average = totals.avg_interactions_per_issue
    assert average == round(average, 2)
    if engagements:
        exact = Fraction(totals.total_interactions, len(engagements))
        assert abs(Fraction(average) - exact) <= Fraction(5001, 1_000_000)
    else:
        assert average == 0.0


@given(strategies.engagements_by_issue(), strategies.moments_of_asking)
def test_the_most_engaged_issues_are_the_first_five_of_the_ranking(engagements, at):
    order = ranking(engagements.items(), at)
    assert statistics_of(order).most_engaged_issues == [each.issue_id for each in order][:5]


def test_nothing_adds_up_to_zeros_an_empty_list_and_none():
    assert statistics_of([]) == Statistics(0, 0, 0.0, [], None)


def test_four_interactions_on_three_issues_are_1_33_on_average():
    totals = statistics_of(ranked(("AI-1", 2, 0), ("AI-2", 1, 1), ("AI-3", 1, 2)))
    assert totals.total_interactions == 4
    assert totals.unique_issues == 3
    assert totals.avg_interactions_per_issue == 1.33
    assert totals.most_engaged_issues == ["AI-1", "AI-2", "AI-3"]
    assert totals.last_interaction == NOON


def test_what_is_dormant_counts_in_the_totals_and_is_the_last_of_the_most_engaged():
    totals = statistics_of(ranked(("AI-1", 3, 400), ("AI-2", 1, 0)))
    assert totals.total_interactions == 4
    assert totals.unique_issues == 2
    assert totals.avg_interactions_per_issue == 2.0
    assert totals.most_engaged_issues == ["AI-2", "AI-1"]


def test_an_override_is_not_the_last_interaction():
    at = NOON - 5 * DAY
    rows = [
        event_row(1, 1, "AI-1", int(Kind.VIEW), at, None, None, at),
        event_row(2, 1, "AI-1", None, NOON, None, 0.9, NOON),
    ]
    assert statistics_of(ranking([("AI-1", fold(rows))], NOON)).last_interaction == at
