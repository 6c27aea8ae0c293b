"""Ids that spreadsheets have rewritten are refused; ids that merely look odd are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.csv_format import check_issue, check_user
from ledger.errors import InvalidInteractionError

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
BOTH = [
    *("7.01E+09", "7.01235E+09", "7,01235E+09", "7E+09", "7.01e+09", "-1.00123E+12", "1.5E-07"),
    *("7012345678.0", "7012345678,00", "1799.0", "-100123.0"),
    *("#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "########"),
    '="7012345678"',
]
ISSUES = [
    *("15-Mar", "15-MAR", "1-Dec", "15-Mar-26", "15-Mar-2026", "15. Mrz", "15. Mär", "15-mars"),
    *("2026-03-15", "15/03/2026", "3/15/26", "15.03.2026", "2026-03-15 00:00:00", "Mar-15"),
]


@pytest.mark.parametrize("text", BOTH)
def test_a_damaged_user_id_is_refused_without_repeating_it(text):
    with pytest.raises(InvalidInteractionError) as caught:
        check_user(f"{text}")
    assert caught.value.field == "user_id"
    assert "export the column as text" in str(caught.value)


@pytest.mark.parametrize("text", [*BOTH, *ISSUES])
def test_a_damaged_issue_is_refused(text):
    with pytest.raises(InvalidInteractionError, match="issue_id"):
        check_issue(text)


@given(st.integers(10**9, 10**13), st.integers(0, 12), st.sampled_from(["", "-"]))
def test_whatever_a_spreadsheet_makes_of_a_large_number_is_refused(number, digits, sign):
    for written in (f"{sign}{number:.{digits}E}", f"{sign}{number}.0"):
        with pytest.raises(InvalidInteractionError):
            check_user(written)


@given(st.sampled_from(MONTHS), st.integers(1, 28))
def test_whatever_a_spreadsheet_makes_of_a_key_that_is_a_date_is_refused(month, number):
    check_issue(f"{month.upper()}-{number}")
    for written in (f"{number}-{month}", f"{number:02}-{month}", f"{month}-{number:02}"):
        with pytest.raises(InvalidInteractionError):
            check_issue(written)


@given(st.integers(-(10**14), 10**14))
def test_a_number_that_is_whole_is_a_user_id(number):
    check_user(str(number))


@pytest.mark.parametrize(
    "text",
    [
        "AI-1799",
        "ai-1799",
        "MAR-15",
        "mar-15",
        "2E-10",
        "4U-12",
        "2ENG-123",
        "601F-7",
        "1799",
        "#12",
    ],
)
def test_an_issue_that_is_whole_is_taken(text):
    check_issue(text)


@pytest.mark.parametrize(
    "text", ["ana", "15-Mar", "1e5", "4711", "-100123", "a.b@c.d", "v1.0", "#ana"]
)
def test_a_user_id_that_is_whole_is_taken(text):
    check_user(text)
