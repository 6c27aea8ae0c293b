"""When the tail is folded: once it is long, and not while records keep coming, up to a length."""

from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from ledger.store.projection import BURST_AT_MOST, TAIL_AT_MOST, BackgroundFold


@given(
    st.integers(TAIL_AT_MOST + 1, BURST_AT_MOST - 1),
    st.lists(st.integers(0, 300), max_size=20),
)
def test_a_burst_is_folded_when_it_pauses_or_is_as_long_as_it_may_become(tail, grown_each_pause):
    growths, folded_at = iter(grown_each_pause), list[int]()
    length = tail

    def advance() -> bool:
        folded_at.append(length)
        return True

    def wait(_: float) -> bool:
        nonlocal length
        length += next(growths, 0)
        folding.notice(length)
        return False

    folding = BackgroundFold(advance, lambda _: True)
    with mock.patch.object(folding._closed, "wait", wait):
        folding.notice(tail)
        folding._thread.shutdown(wait=True)
    expected = tail
    for grown in grown_each_pause:
        if grown == 0 or expected >= BURST_AT_MOST:
            break
        expected += grown
    assert folded_at == [expected]
