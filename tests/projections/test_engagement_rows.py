"""Rows of the read model: what cannot be an engagement is damage, whichever field it is in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import LedgerDamagedError
from projections.engagement import VALUE_NAMES, values_of
from projections.read_model.engagement_rows import stored_engagement
from tests.support.strategies import engagements


@given(engagements())
def test_what_was_stored_is_read_back(engagement):
    assert stored_engagement(values_of(engagement)) == engagement


@pytest.mark.parametrize("name", VALUE_NAMES)
@given(engagement=engagements(), other=st.sampled_from([b"\x07", [], {}]))
def test_a_value_of_another_type_is_damage(name, engagement, other):
    row = list(values_of(engagement))
    row[VALUE_NAMES.index(name)] = other
    with pytest.raises(LedgerDamagedError, match="an engagement cannot be read"):
        stored_engagement(tuple(row))
