"""Explanations in sentences: what a score is made of, and why one issue stands before another.

Plain text, for the bot and the command line alike; words come from `bot.language`.
"""

from collections.abc import Callable, Iterator, Sequence

from bot.answers.reply import Reply, fill
from bot.answers.scores import marked, score_sentence, times, touches
from bot.dates.format import Time, since
from bot.language import words
from projections.explanation import (
    LOOKED_AHEAD_DAYS,
    Explanation,
    InteractionSeen,
    OrderExplanation,
    OverrideSeen,
)

SHOWN = 10
"""The number of latest events that are listed."""

Said = Callable[[int], str]
"""Formats an instant for the reader."""


def why(explanation: Explanation, time: Time) -> Reply:
    """Return the parts of a score as sentences, and the events that it comes from."""
    said = time.said_instant
    score = f"{explanation.value:.3f}"
    head = fill(words.WHY, issue=explanation.issue_id, score=score, moment=time.moment)
    lines = [fill("{line}", line=line) for line in sentences(explanation, said)]
    return Reply("\n".join([head, *lines, *_listed(explanation, said)]))


def sentences(explanation: Explanation, said: Said) -> Iterator[str]:
    """Yield a sentence for every part of the score, with numbers to three decimals."""
    if not explanation.interactions:
        yield words.WHY_UNTOUCHED.format(score=f"{explanation.value:g}")
    else:
        yield _touched(explanation, said)
        yield from _uncounted(explanation)
        yield from _late(explanation)
        if explanation.has_parts:
            yield from _parts(explanation, said)
        else:
            yield words.WHY_NOTHING_COUNTS
    yield _by_policy(explanation, said)


def _touched(explanation: Explanation, said: Said) -> str:
    engagement = explanation.ranked.engagement
    return words.WHY_TOUCHED.format(
        times=times(engagement.count),
        touches=touches(engagement),
        last=said(engagement.last_at or 0),
    )


def _uncounted(explanation: Explanation) -> Iterator[str]:
    count = len(explanation.interactions) - explanation.count
    if count:
        counted = ", ".join(words.KINDS[kind.label][1] for kind in explanation.policy.kinds)
        yield words.WHY_UNCOUNTED.format(count=count, counted=counted)


def _late(explanation: Explanation) -> Iterator[str]:
    count = sum(each.is_late for each in explanation.interactions)
    if count:
        yield words.WHY_LATE.format(count=count)


def _parts(explanation: Explanation, said: Said) -> Iterator[str]:
    policy, parts = explanation.policy, explanation.ranked.score
    yield words.WHY_FREQUENCY.format(
        frequency=f"{parts.frequency:.3f}",
        count=explanation.count,
        step=f"{policy.frequency_per_interaction:g}",
    )
    recency = words.WHY_RECENCY if parts.override is None else words.WHY_RECENCY_SET
    yield recency.format(
        recency=f"{parts.recency:.3f}",
        rate=f"{policy.recency_rate_per_day:g}",
        days=parts.idle_days,
        idle=since(parts.idle_days or 0),
    )
    yield from _base(explanation, said)
    yield _decay(explanation)
    yield words.WHY_SCORE.format(
        score=f"{explanation.value:.3f}",
        base=f"{explanation.base:.3f}",
        decay=f"{parts.decay:.3f}",
    )
    if parts.dormant:
        yield words.WHY_QUIET.format(
            days=policy.dormant_after_days, score=f"{policy.dormant_below_score:g}"
        )
    if explanation.ranked.pinned_at:
        yield words.WHY_PINNED.format(hours=f"{policy.pin_hours:g}")


def _base(explanation: Explanation, said: Said) -> Iterator[str]:
    policy, parts = explanation.policy, explanation.ranked.score
    weighted = words.SCORE_BASE.format(
        frequency_weight=f"{policy.frequency_weight:g}",
        frequency=f"{parts.frequency:.3f}",
        recency_weight=f"{policy.recency_weight:g}",
        recency=f"{parts.recency:.3f}",
    )
    for override in _decisive(explanation.overrides):
        yield _override(override, said)
    if parts.override is None:
        yield words.WHY_BASE.format(base=f"{explanation.base:.3f}", weighted=weighted)
    else:
        yield words.WHY_BASE_SET.format(base=f"{parts.override:g}")


def _decisive(overrides: Sequence[OverrideSeen]) -> Sequence[OverrideSeen]:
    """The override in force, else the last one; at equal instants the highest value is in force."""
    return [each for each in overrides if each.is_in_force] or overrides[-1:]


def _override(override: OverrideSeen, said: Said) -> str:
    value, when = f"{override.value:g}", said(override.occurred_at)
    if override.is_in_force:
        return words.WHY_SET.format(score=value, when=when)
    return words.WHY_SET_ENDED.format(score=value, when=when)


def _decay(explanation: Explanation) -> str:
    policy, days = explanation.policy, explanation.days_over
    if not days:
        return words.WHY_NO_DECAY.format(days=policy.decay_after_days)
    return words.WHY_DECAY.format(
        decay=f"{explanation.ranked.score.decay:.3f}",
        share=f"{policy.decay_rate_per_day:g}",
        days=days,
        free=policy.decay_after_days,
    )


def _by_policy(explanation: Explanation, said: Said) -> str:
    adopted = explanation.adopted
    if adopted.adopted_at is None:
        return words.WHY_FIRST_POLICY.format(version=adopted.version)
    return words.WHY_POLICY.format(version=adopted.version, when=said(adopted.adopted_at))


def _listed(explanation: Explanation, said: Said) -> Iterator[str]:
    events = explanation.events
    for each in reversed(events[-SHOWN:]):
        late = words.WHY_LATE_MARK if each.is_late else ""
        yield fill(words.WHY_LINE, when=said(each.occurred_at), kind=_kind(each), late=late)
    if len(events) > SHOWN:
        yield fill(words.HISTORY_MORE, count=len(events) - SHOWN)


def _kind(seen: InteractionSeen | OverrideSeen) -> str:
    if isinstance(seen, OverrideSeen):
        return words.HISTORY_SET.format(score=f"{seen.value:g}")
    return words.KINDS[seen.kind.label][0]


# --- the order of two ----------------------------------------------------------------------------


def order_sentences(order: OrderExplanation, said: Said) -> Iterator[str]:
    """Yield sentences on why the first ranks above the second, and what would swap them."""
    first, second = order.first, order.second
    yield words.ORDER_BY[order.by.value].format(
        first=first.issue_id,
        second=second.issue_id,
        score=f"{first.score.value:.3f}",
        other=f"{second.score.value:.3f}",
    )
    for each in (first, second):
        yield f"{marked(each)}: {score_sentence(each, order.adopted.policy)}"
    yield _by_touches(order, second.issue_id)
    yield _by_time(order, second.issue_id, said)


def _by_touches(order: OrderExplanation, second: str) -> str:
    if order.by_interactions is None:
        return words.ORDER_NO_TOUCHES.format(second=second)
    count = order.by_interactions.interactions
    if count == 1:
        return words.ORDER_ONE_TOUCH.format(second=second)
    return words.ORDER_TOUCHES.format(second=second, count=count)


def _by_time(order: OrderExplanation, second: str, said: Said) -> str:
    if order.by_time is not None:
        return words.ORDER_TIME.format(second=second, when=said(order.by_time.at))
    return words.ORDER_NO_TIME_SOON.format(days=LOOKED_AHEAD_DAYS)
