"""Progress: whoever compacts or merges is told how far it came, and at the end of everything."""

from ledger.store.compaction import STAGES
from tests.archive.ledgers import EVENTS, fill, opened, record
from tests.strategies import Clock


def test_each_stage_of_a_compaction_tells_of_all_that_is_sealed(tmp_path):
    told: list[int] = []
    clock = Clock()
    with opened(tmp_path, clock) as engagements:
        fill(engagements, clock)  # the last part stays hot
        record(engagements, 4)
        compactor, last = engagements.ledger.compactor, engagements.ledger.size()[0] - EVENTS
        events = compactor.sealable(last)
        assert compactor.compact(last, told.append).events == events == EVENTS
        assert (sum(told), min(told) >= 0) == (STAGES * events, True)


def test_a_merge_tells_of_all_that_is_merged(tmp_path):
    told: list[int] = []
    clock = Clock()
    with opened(tmp_path, clock) as engagements:
        fill(engagements, clock)
        engagements.ledger.compactor.merge(told.append)
        assert sum(told) == 2 * EVENTS
