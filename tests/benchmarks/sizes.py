"""How much each benchmark does: the full run, the quick one, and a tiny one for the smoke test."""

import msgspec


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """Counts for one run; a round measures ours and the peer once each."""

    rounds: int = 5
    slow_rounds: int = 2
    users: int = 400
    prefilled_events: int = 32_000
    single_records: int = 1_000
    shared_records: int = 6_400
    starts: int = 9
    imported_events: int = 200_000
    stored_events: int = 50_000
    ranked_engagements: int = 100_000
    top_calls: int = 200
    replayed_events: int = 200_000
    repeated_events: int = 20_000
    few_events: int = 200_000
    many_events: int = 800_000
    archived_events: int = 2_000_000
    compacted_events: tuple[int, ...] = (100_000, 1_000_000)
    beside_events: int = 100_000
    observations: int = 50_000
    asked_calls: int = 20
    heavy_events: int = 1_000_000
    talk_seconds: float = 10.0


FULL = Sizes()

QUICK = Sizes(
    rounds=3,
    slow_rounds=2,
    single_records=300,
    shared_records=1_920,
    imported_events=10_000,
    stored_events=10_000,
    ranked_engagements=20_000,
    replayed_events=30_000,
    few_events=160_000,
    many_events=320_000,
    archived_events=400_000,
    starts=2,
    compacted_events=(5_000, 10_000),
    beside_events=5_000,
    observations=10_000,
    asked_calls=5,
    talk_seconds=5.0,
)

TINY = Sizes(
    rounds=1,
    slow_rounds=1,
    users=60,
    prefilled_events=200,
    single_records=10,
    shared_records=128,
    imported_events=500,
    stored_events=500,
    ranked_engagements=300,
    top_calls=2,
    replayed_events=600,
    repeated_events=300,
    few_events=600,
    many_events=900,
    archived_events=6_000,
    starts=1,
    compacted_events=(250, 500),
    beside_events=500,
    observations=200,
    asked_calls=1,
    heavy_events=300,
    talk_seconds=0.5,
)
