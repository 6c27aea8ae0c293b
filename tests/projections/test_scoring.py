"""Scores: the formula, its overrides, dormancy and what a policy may be (R4, R6, R7).

The formula is computed a second time with fifty decimal digits.
"""

import math
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.commands import Kind
from ledger.events import EventRow
from ledger.instants import DAY, Instant
from projections.engagement import NONE, Engagement, fold, of_kinds
from projections.engagement import touches as touches_at
from projections.policy import DEFAULT_POLICY, ScoringPolicy
from projections.scoring import NEVER_COUNTED, Score, idle_days, score
from tests.support import strategies
from tests.support.event_rows import event_row

NOW = strategies.NOON
NUMBERS = sorted({*ScoringPolicy.__struct_fields__} - {"kinds"})
HALF_A_UNIT = Decimal("0.5e-12")
"""The tolerance of rounding to twelve decimals; floats add less than a thousandth of it."""


def touches(count: int, at: int = NOW, kind: Kind = Kind.QUERY) -> list[EventRow]:
    """That many interactions at one instant."""
    return [event_row(n, 1, "AI-1", int(kind), at, None, None, at) for n in range(1, count + 1)]


def override(value: float, at: int) -> EventRow:
    """An override at one instant."""
    return event_row(99, 1, "AI-1", None, at, None, value, at)


def later(days: float) -> Instant:
    return Instant(int(NOW + days * DAY))


def exactly(engagement: Engagement, at: Instant, policy: ScoringPolicy) -> Decimal:
    """R4 and R6 in fifty digits, from the policy's numbers as they are."""
    with localcontext(prec=50):
        number = {name: Decimal(getattr(policy, name)) for name in NUMBERS}
        touched = list(zip(Kind, engagement.counts, engagement.lasts, strict=True))
        counted = [(count, at) for kind, count, at in touched if kind in policy.kinds]
        instants = [
            t for t in (*(at for _, at in counted), engagement.override_at) if t is not None
        ]
        if not instants:
            return Decimal(0)
        days = max(0, math.floor((at - max(instants)) / DAY))
        if engagement.override_at == max(instants):
            base = Decimal(engagement.override or 0)
        else:
            steps = sum(times for times, _ in counted)
            frequency = min(Decimal(1), number["frequency_per_interaction"] * steps)
            recency = (-number["recency_rate_per_day"] * days).exp()
            base = number["frequency_weight"] * frequency + number["recency_weight"] * recency
        overdue = max(0, days - policy.decay_after_days)
        kept = (1 - number["decay_rate_per_day"]) ** overdue if overdue else Decimal(1)
        return base * kept


# --- the formula ---------------------------------------------------------------------------------


@given(strategies.engagements(), strategies.moments_of_asking, strategies.policies())
def test_a_score_is_the_formula_to_twelve_decimals(engagement, at, policy):
    value = score(engagement, at, policy).value
    assert abs(Decimal(value) - exactly(engagement, at, policy)) < HALF_A_UNIT * Decimal("1.01")
    assert value == round(value, 12)


@pytest.mark.parametrize(
    ("count", "days", "expected"),
    [
        (1, 0, "0.68"),
        (2, 0, "0.76"),
        (3, 0, "0.84"),
        (4, 0, "0.92"),
        (5, 0, "1"),
        (6, 0, "1"),
        (1000, 0, "1"),
        (5, 30, "0.533878096089"),  # 0.4 + 0.6 exp(-1.5)
        (5, 31, "0.474613905866"),  # (0.4 + 0.6 exp(-1.55)) 0.9
        (1, 60, "0.004657611559"),  # (0.08 + 0.6 exp(-3)) 0.9 ** 30
    ],
)
def test_scores_of_the_default_policy_by_example(count, days, expected):
    value = score(fold(touches(count)), later(days)).value
    assert Decimal(repr(value)) == Decimal(expected)


@pytest.mark.parametrize(
    ("days", "expected"), [(0, 1.0), (7, 0.7047), (14, 0.4966), (30, 0.2231), (60, 0.0498)]
)
def test_recency_fades_by_a_twentieth_a_day(days, expected):
    recency = score(fold(touches(1)), later(days)).recency
    assert recency == pytest.approx(expected, abs=5e-5)
    assert recency == pytest.approx(float((Decimal("-0.05") * days).exp()), abs=1e-15)


@given(strategies.engagements(), strategies.moments_of_asking, strategies.policies())
def test_the_parts_of_a_score_explain_it(engagement, at, policy):
    parts = score(engagement, at, policy)
    counted = of_kinds(engagement, policy.kinds)
    if counted.idle_since < 0:
        assert parts == NEVER_COUNTED
        return
    base = parts.override
    if base is None:
        assert parts.frequency is not None
        assert parts.recency is not None
        base = policy.frequency_weight * parts.frequency + policy.recency_weight * parts.recency
    assert parts.decay is not None
    assert parts.value == round(base * parts.decay, 12)
    assert parts.idle_days == idle_days(counted, at)


@given(strategies.engagements(), strategies.moments_of_asking, strategies.policies())
def test_a_score_is_between_0_and_1(engagement, at, policy):
    assert 0.0 <= score(engagement, at, policy).value <= 1.0


@given(
    strategies.engagements(),
    strategies.moments_of_asking,
    st.integers(0, 200 * DAY),
    strategies.policies(),
)
def test_time_that_passes_without_events_never_raises_a_score(engagement, at, passed, policy):
    soon, late = (score(engagement, Instant(t), policy) for t in (at, at + passed))
    assert late.value <= soon.value
    assert late.dormant >= soon.dormant


@given(strategies.engagements(), strategies.moments_of_asking)
def test_a_score_changes_only_once_a_whole_day_has_passed(engagement, at):
    begun = Instant(engagement.idle_since + idle_days(engagement, at) * DAY)
    last = Instant(begun + DAY - 1)
    assert score(engagement, begun) == score(engagement, last)
    assert idle_days(engagement, Instant(last + 1)) == idle_days(engagement, begun) + 1


@given(strategies.engagements(), st.integers(0, 400 * DAY))
def test_an_age_is_never_negative(engagement, before):
    at = Instant(engagement.idle_since - before)
    assert idle_days(engagement, at) == 0
    assert score(engagement, at) == score(engagement, Instant(engagement.idle_since))


# --- never touched -------------------------------------------------------------------------------


@given(strategies.moments_of_asking, strategies.policies())
def test_what_was_never_touched_has_the_default_score_and_nothing_else(at, policy):
    assert score(NONE, at, policy) == Score(policy.default_score)


def test_the_default_score_is_one_half():
    assert score(NONE, NOW).value == 0.5


def test_an_override_without_any_interaction_is_no_engagement():
    assert score(fold([override(0.9, NOW)]), NOW) == Score(0.5)


# --- overrides -----------------------------------------------------------------------------------


@given(strategies.engagements(), strategies.scores, st.integers(0, 100 * DAY))
def test_an_override_is_the_score_at_its_instant_and_after_any_interaction(engagement, value, on):
    at = Instant(engagement.idle_since + on)
    changed = fold_with(engagement, at, max(value, engagement.override or 0))
    assert score(changed, at).value == round(changed.override or 0, 12)
    assert score(changed, at).override == changed.override


def fold_with(engagement: Engagement, at: Instant, value: float) -> Engagement:
    """The engagement once an override has been added to it."""
    fields = {name: getattr(engagement, name) for name in Engagement.__struct_fields__}
    return Engagement(**fields | {"override_at": at, "override": value})


def test_an_override_wins_over_an_interaction_at_the_same_instant():
    assert score(fold([*touches(1), override(0.3, NOW)]), NOW).value == 0.3


def test_a_later_interaction_ends_an_override():
    rows = [*touches(1), override(0.3, NOW), *touches(1, NOW + 1)]
    assert score(fold(rows), Instant(NOW + 1)).value == 0.76


def test_an_interaction_that_occurred_before_an_override_does_not_end_it_however_late_it_comes():
    rows = [*touches(1), override(0.3, NOW), *touches(4, NOW - DAY)]
    assert score(fold(rows), NOW).value == 0.3


def test_the_latest_override_counts_and_at_equal_instants_the_greatest():
    early, late = override(0.9, NOW), override(0.2, NOW + 1)
    assert score(fold([*touches(1), late, early]), Instant(NOW + 1)).value == 0.2
    both = [*touches(1), override(0.2, NOW), override(0.9, NOW), override(0.5, NOW)]
    assert score(fold(both), NOW).value == 0.9


def test_an_override_restarts_the_days_of_idleness():
    rows = [*touches(1, later(-200)), override(0.8, NOW)]
    assert score(fold(rows), later(30)).value == 0.8
    assert score(fold(rows), later(30)).idle_days == 30


def test_0_8_set_and_31_idle_days_later_is_0_72():
    engagement = fold([*touches(1), override(0.8, NOW)])
    assert score(engagement, later(31)).value == 0.72
    assert score(engagement, later(30.999)).value == 0.8
    assert score(engagement, later(32)).value == 0.648


# --- dormancy ------------------------------------------------------------------------------------


@given(strategies.engagements(), strategies.moments_of_asking, strategies.policies())
def test_dormant_is_idle_for_longer_than_the_days_with_a_score_below_the_threshold(
    engagement, at, policy
):
    exact = exactly(engagement, at, policy)
    threshold = Decimal(policy.dormant_below_score)
    counted, found = of_kinds(engagement, policy.kinds), score(engagement, at, policy)
    if counted.idle_since < 0:  # nothing counts, so it was always idle
        assert found.dormant
        return
    days = max(0, (at - counted.idle_since) // DAY)
    is_sure = abs(exact - threshold) > HALF_A_UNIT * 2
    is_below = exact < threshold if is_sure else found.value < threshold
    assert found.dormant == (days > policy.dormant_after_days and is_below)


@pytest.mark.parametrize(
    ("rows", "days", "dormant"),
    [
        (touches(1), 90, False),
        (touches(1), 91, True),
        (touches(5), 90, False),
        (touches(5), 91, True),
        ([*touches(1), override(1.0, NOW)], 95, False),  # 0.9 ** 65 = 0.00106
        ([*touches(1), override(1.0, NOW)], 96, True),  # 0.9 ** 66 = 0.00096
        ([*touches(1), override(0.0, NOW)], 90, False),
        ([*touches(1), override(0.0, NOW)], 91, True),
    ],
    ids=str,
)
def test_dormancy_of_the_default_policy_by_example(rows, days, dormant):
    assert score(fold(rows), later(days)).dormant is dormant


def test_an_engagement_that_wakes_up_goes_on_from_its_full_count():
    asleep = touches(4)
    assert score(fold(asleep), later(200)).dormant
    awake = score(fold([*asleep, *touches(1, later(200))]), later(200))
    assert (awake.value, awake.dormant) == (1.0, False)


# --- policies ------------------------------------------------------------------------------------


def test_the_defaults_are_the_clients_numbers():
    assert {name: getattr(DEFAULT_POLICY, name) for name in NUMBERS} == {
        "frequency_weight": 0.4,
        "recency_weight": 0.6,
        "frequency_per_interaction": 0.2,
        "recency_rate_per_day": 0.05,
        "decay_rate_per_day": 0.1,
        "decay_after_days": 30,
        "default_score": 0.5,
        "dormant_after_days": 90,
        "dormant_below_score": 0.001,
        "pin_hours": 0.0,
    }
    assert DEFAULT_POLICY.kinds == tuple(Kind)
    assert DEFAULT_POLICY.frequency_bands == 5


def changed(name: str, number: Any) -> ScoringPolicy:
    """The client's policy but for one number."""
    return ScoringPolicy(**{name: number})


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    "number", [-1, -1e-9, math.nan, math.inf, -math.inf], ids=lambda number: f"{number:g}"
)
def test_a_policy_of_negative_or_endless_numbers_is_refused(name, number):
    with pytest.raises(ValueError, match=name):
        changed(name, number)


@given(st.floats(0, 1), st.floats(0, 1))
@example(0.5, 0.5000000009)
@example(0.5, 0.51)
@example(0.0, 0.0)
@example(1.0, 1.0)
def test_weights_that_would_let_a_score_leave_0_to_1_are_refused(frequency, recency):
    try:
        policy = ScoringPolicy(frequency_weight=frequency, recency_weight=recency)
    except ValueError:
        assert abs(Decimal(frequency) + Decimal(recency) - 1) > Decimal("1e-12")
    else:
        assert 0.0 <= score(fold(touches(5)), NOW, policy).value <= 1.0


@pytest.mark.parametrize("name", ["decay_rate_per_day", "default_score"])
def test_numbers_that_must_be_at_most_1_are(name):
    assert getattr(changed(name, 1.0), name) == 1.0
    with pytest.raises(ValueError, match=name):
        changed(name, math.nextafter(1, 2))


def test_a_policy_is_never_changed():
    with pytest.raises(AttributeError):
        DEFAULT_POLICY.default_score = 1.0  # type: ignore[misc]


# --- bands ---------------------------------------------------------------------------------------


@given(strategies.policies(strategies.few_bands | strategies.many_bands | st.floats(2e-4, 1e308)))
@example(ScoringPolicy(frequency_per_interaction=1e-310))
@example(ScoringPolicy(frequency_per_interaction=1e13))
def test_more_interactions_than_there_are_bands_no_longer_count(policy):
    bands = policy.frequency_bands
    assert bands >= 1
    bands = min(bands, 10_000)  # beyond, a float no longer tells one count from the next
    enough, more = (
        score(touches_at(Kind.QUERY, count, at=0), Instant(0), policy)
        for count in (bands, bands + 1)
    )
    assert enough.value == more.value


@given(strategies.policies(strategies.few_bands | strategies.many_bands))
def test_there_are_no_more_bands_than_counts_that_differ(policy):
    bands = policy.frequency_bands
    assert policy.frequency_per_interaction * (bands - 1) < 1


@pytest.mark.parametrize(
    ("per_interaction", "bands"),
    [(0.2, 5), (0.0, 1), (1.0, 1), (2.0, 1), (0.3, 4), (1 / 3, 3), (0.05, 20), (0.04, 25)],
)
def test_bands_by_example(per_interaction, bands):
    assert ScoringPolicy(frequency_per_interaction=per_interaction).frequency_bands == bands
