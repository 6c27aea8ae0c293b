"""Inline queries, chosen results and guest messages: the ids of results, and interactions."""

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from bot.listening.inline import (
    Chosen,
    InlineQuery,
    chosen_key,
    counted_inline,
    heard_inline,
    issues_of_query,
    result_id_of,
)
from bot.listening.issue_keys import IssueKeys
from ledger.commands import Interaction

NOW = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
RESULT_ID_BYTES = 64
KEYS = IssueKeys(r"[A-Z:]{1,44}-[1-9][0-9]{0,4}")

QUERY_IDS = st.integers(0, 2**63 - 1).map(str)
ISSUES = st.from_regex(r"[A-Z]{1,20}(:[A-Z]{1,20})?-[1-9][0-9]{0,4}", fullmatch=True)


def chosen(query: str, result_id: str, inline_message_id: str | None = None) -> Chosen:
    return Chosen(7, 1001, query, result_id, inline_message_id, NOW)


def counted(result: Chosen) -> list[Interaction]:
    entries = heard_inline(result, counted_inline(result, KEYS)).entries
    return [each for each in entries if isinstance(each, Interaction)]


@given(issues=st.lists(ISSUES, min_size=1, max_size=8, unique=True), query_id=QUERY_IDS)
def test_each_result_has_an_id_of_its_own_that_counts_for_its_issue(issues, query_id):
    query = " ".join(issues)
    found = issues_of_query(query, KEYS)
    assert list(found) == issues[:5]
    ids = [result_id_of(query_id, issue) for issue in found]
    assert len(set(ids)) == len(ids)
    for issue, result_id in zip(found, ids, strict=True):
        assert 1 <= len(result_id.encode()) <= RESULT_ID_BYTES
        (mention,) = counted(chosen(query, result_id))
        assert (mention.issue_id, mention.kind.label) == (issue, "mention")
        assert mention.context is None


@given(query=st.text(max_size=256), result_id=st.text(max_size=64))
def test_no_result_counts_for_an_issue_that_its_query_does_not_name(query, result_id):
    entries = counted(chosen(query, result_id))
    assert {each.issue_id for each in entries} <= set(issues_of_query(query, KEYS))


@given(issue=ISSUES, query_ids=st.lists(st.integers(0, 10**13 - 1), min_size=2, unique=True))
def test_results_of_different_queries_have_different_keys(issue, query_ids):
    of_queries = [chosen(issue, result_id_of(str(each), issue)) for each in query_ids]
    posted_twice = chosen(issue, of_queries[0].result_id, "posted")
    texts = {chosen_key(each).text for each in (*of_queries, posted_twice)}
    assert len(texts) == len(query_ids) + 1


def test_an_inline_query_and_an_issue_of_an_unknown_team_count_for_nothing():
    assert counted_inline(InlineQuery("1", 1001, ("AI-1",)), KEYS) == ()
    keys = IssueKeys()
    keys.teams_in_linear = frozenset({"WEB"})
    assert counted_inline(chosen("AI-1", "AI-1:1"), keys) == ()
    assert counted_inline(chosen("web-1", "WEB-1:1"), keys) == ("WEB-1",)
