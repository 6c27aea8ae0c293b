"""Interactions and overrides: what breaks R1 or R6 is refused by name before it is recorded."""

import json
import math
import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ledger.commands import (
    EARLIEST,
    METADATA_LIMIT_BYTES,
    Hiding,
    Kind,
    check_not_future,
    checked_hiding,
    hiding_of,
    interaction_of,
    kind_of,
    occurred_at_of,
    override_of,
)
from ledger.errors import InvalidInteractionError, InvalidScoreError, LedgerError
from ledger.idempotency import SourceKey
from ledger.instants import DAY, instant_of
from ledger.validation import IssueId, UserId
from tests.support import strategies

LABELS = ["query", "view", "mention"]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
json_objects = st.dictionaries(st.text(max_size=10), json_values, max_size=5)
moments = st.datetimes(
    datetime(1990, 1, 1),  # noqa: DTZ001 - bounds have no zone
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5)), timezone(timedelta(hours=13))]),
)


# --- kinds ---------------------------------------------------------------------------------------


@given(strategies.hostile_texts)
@example("Query")
@example("query ")
@example("")
def test_any_other_word_than_the_three_is_an_invalid_interaction_type(text):
    assume(text not in LABELS)
    with pytest.raises(ValueError, match=r"^Invalid interaction_type: ") as refused:
        interaction_of("u", "AI-1", text)
    assert isinstance(refused.value, LedgerError)
    assert len(str(refused.value).splitlines()) == 1
    str(refused.value).encode()


@pytest.mark.parametrize("label", LABELS)
def test_a_kind_is_told_by_its_label(label):
    assert interaction_of("u", "AI-1", label).kind.label == label


def test_a_query_ranks_above_a_view_and_a_view_above_a_mention():
    assert kind_of("query") > kind_of("view") > kind_of("mention")
    assert sorted(Kind) == [Kind.MENTION, Kind.VIEW, Kind.QUERY]


@pytest.mark.parametrize("not_a_word", [None, 3, ["query"]], ids=["none", "rank", "list"])
def test_what_is_no_word_is_no_kind(not_a_word):
    with pytest.raises(InvalidInteractionError, match=r"^Invalid interaction_type: "):
        kind_of(not_a_word)


# --- the whole -----------------------------------------------------------------------------------


@given(
    user=strategies.user_ids | strategies.hostile_texts,
    issue=strategies.issue_ids | strategies.hostile_texts,
    kind=st.sampled_from(LABELS) | strategies.hostile_texts,
    linear=st.none() | strategies.hostile_texts,
    context=st.none() | strategies.hostile_texts,
    metadata=st.none() | json_objects | st.dictionaries(strategies.hostile_texts, json_values),
    key=st.none() | strategies.hostile_texts,
)
def test_hostile_words_make_a_clean_interaction_or_a_refusal(
    user, issue, kind, linear, context, metadata, key
):
    try:
        made = interaction_of(
            user,
            issue,
            kind,
            linear_id=linear,
            context=context,
            metadata=metadata,
            source_key=key,
        )
    except InvalidInteractionError as refusal:
        assert str(refusal) == f"Invalid {refusal.field}: {refusal.reason}"  # noqa: PT017 - it may be
        return
    assert made.user_id == user
    assert made.issue_id == issue.upper()
    assert made.kind == kind_of(kind)
    assert made.linear_id in (linear, None)
    assert unicodedata.is_normalized("NFC", made.context or "")
    assert (made.source_key and made.source_key.text) == key
    msgspec.json.encode(made)


@given(st.sampled_from(["user_id", "issue_id", "kind", "occurred_at", "source_key"]))
def test_a_refusal_names_the_field_that_is_wrong(field):
    words: dict[str, Any] = {"user_id": "u", "issue_id": "AI-1", "kind": "query"}
    wrong: object = {"occurred_at": datetime(1999, 1, 1, tzinfo=UTC)}.get(field, "")
    with pytest.raises(InvalidInteractionError) as refused:
        interaction_of(**{**words, field: wrong})
    assert refused.value.field == {"kind": "interaction_type"}.get(field, field)


def test_the_first_wrong_field_is_named_where_there_are_several():
    with pytest.raises(InvalidInteractionError, match=r"^Invalid user_id"):
        interaction_of("", "", "")
    with pytest.raises(InvalidInteractionError, match=r"^Invalid issue_id"):
        interaction_of("u", "", "")


def test_a_source_key_may_be_given_as_text():
    expected = SourceKey("chat:1:2")
    assert interaction_of("u", "AI-1", "query", source_key="chat:1:2").source_key == expected
    assert interaction_of("u", "AI-1", "query", source_key=expected).source_key == expected


# --- occurred_at ---------------------------------------------------------------------------------


@given(moments)
def test_nothing_occurred_before_2000(moment):
    if moment < datetime(2000, 1, 1, tzinfo=UTC):
        with pytest.raises(InvalidInteractionError, match=r"^Invalid occurred_at: .*2000"):
            occurred_at_of(moment)
    else:
        assert occurred_at_of(moment) == instant_of(moment)


@given(moments.map(lambda moment: moment.replace(tzinfo=None)))
def test_a_naive_occurred_at_is_refused(moment):
    with pytest.raises(InvalidInteractionError, match=r"^Invalid occurred_at: .*time zone"):
        interaction_of("u", "AI-1", "query", occurred_at=moment)


def test_without_an_occurred_at_none_stands_for_the_instant_of_recording():
    assert interaction_of("u", "AI-1", "query").occurred_at is None
    assert override_of("u", "AI-1", 0.5).occurred_at is None


def test_the_first_instant_of_2000_is_early_enough():
    assert occurred_at_of(datetime(2000, 1, 1, tzinfo=UTC)) == EARLIEST
    with pytest.raises(InvalidInteractionError):
        occurred_at_of(datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))


@given(
    st.integers(EARLIEST, EARLIEST + 100 * 365 * DAY),
    st.integers(-2 * DAY, 2 * DAY) | st.sampled_from([DAY, DAY + 1]),
)
@example(strategies.NOON, DAY)
@example(strategies.NOON, DAY + 1)
def test_nothing_occurs_more_than_a_day_after_it_is_recorded(recorded_at, later):
    occurred_at = recorded_at + later
    if later > DAY:
        with pytest.raises(InvalidInteractionError, match=r"^Invalid occurred_at: .*future"):
            check_not_future(occurred_at, recorded_at)
    else:
        check_not_future(occurred_at, recorded_at)


def test_the_end_of_the_calendar_is_refused_as_the_future_in_every_zone():
    last = datetime(9999, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-5)))
    with pytest.raises(InvalidInteractionError, match=r"^Invalid occurred_at: "):  # noqa: PT012 - whichever looks first
        occurred_at = occurred_at_of(last)
        check_not_future(occurred_at, strategies.NOON)


# --- metadata ------------------------------------------------------------------------------------


@given(json_objects)
def test_metadata_is_kept_in_canonical_bytes_that_say_the_same(metadata):
    stored = interaction_of("u", "AI-1", "query", metadata=metadata).metadata
    if not metadata:
        assert stored is None
    else:
        assert stored is not None
        assert json.loads(stored) == metadata
        shuffled = dict(reversed(metadata.items()))
        assert interaction_of("u", "AI-1", "query", metadata=shuffled).metadata == stored


@pytest.mark.parametrize(
    "metadata",
    [
        ["a", "list"],
        "text",
        5,
        {"a": object()},
        {"a": "\ud800"},
        {"\ud800": 1},
        {"a": "x" * METADATA_LIMIT_BYTES},
    ],
    ids=[
        "list",
        "text",
        "number",
        "object",
        "surrogate",
        "surrogate-key",
        "long",
    ],
)
def test_metadata_that_is_no_json_object_is_refused(metadata):
    with pytest.raises(InvalidInteractionError, match=r"^Invalid extra_metadata: "):
        interaction_of("u", "AI-1", "query", metadata=metadata)


def test_metadata_that_holds_itself_is_refused():
    metadata: dict[str, object] = {}
    metadata["a"] = metadata
    with pytest.raises(InvalidInteractionError, match=r"^Invalid extra_metadata: "):
        interaction_of("u", "AI-1", "query", metadata=metadata)


def test_metadata_may_be_as_long_as_its_limit():
    fits = {"a": "x" * (METADATA_LIMIT_BYTES - len('{"a":""}'))}
    stored = interaction_of("u", "AI-1", "query", metadata=fits).metadata
    assert stored is not None
    assert len(stored) == METADATA_LIMIT_BYTES


# --- overrides -----------------------------------------------------------------------------------


@given(st.floats())
@example(math.nan)
@example(math.inf)
@example(math.nextafter(1, 2))
@example(math.nextafter(0, -1))
def test_an_override_is_a_score_from_0_to_1_or_refused(score):
    if 0 <= score <= 1:
        assert override_of("u", "AI-1", score).value == score
    else:
        message = r"^Score must be between 0\.0 and 1\.0, "
        with pytest.raises(ValueError, match=message) as refused:
            override_of("u", "AI-1", score)
        assert isinstance(refused.value, InvalidScoreError)


@pytest.mark.parametrize("score", [None, "0.5", [0.5]], ids=["none", "text", "list"])
def test_what_is_no_number_is_no_score(score):
    with pytest.raises(InvalidScoreError):
        override_of("u", "AI-1", score)


def test_an_override_obeys_the_rules_of_ids_and_instants_too():
    assert override_of("u", "ai-1", 1).issue_id == "AI-1"
    for words in (("", "AI-1"), ("u", "")):
        with pytest.raises(InvalidInteractionError):
            override_of(*words, 0.5)
    with pytest.raises(InvalidInteractionError, match="2000"):
        override_of("u", "AI-1", 0.5, occurred_at=datetime(1999, 1, 1, tzinfo=UTC))


def test_what_was_checked_cannot_be_changed():
    with pytest.raises(AttributeError):
        interaction_of("u", "AI-1", "query").user_id = UserId("v")  # type: ignore[misc]
    with pytest.raises(AttributeError):
        override_of("u", "AI-1", 0.5).value = 2.0  # type: ignore[misc]


# --- hidings -------------------------------------------------------------------------------------


def test_a_hiding_obeys_the_rules_of_ids_and_instants():
    assert hiding_of("u", "ai-1", hidden=True) == Hiding(UserId("u"), IssueId("AI-1"), hidden=True)
    for words in (("", "AI-1"), ("u", ""), ("u", "\x00"), ("u\n", "AI-1")):
        with pytest.raises(InvalidInteractionError):
            hiding_of(*words, hidden=True)
    with pytest.raises(InvalidInteractionError):
        hiding_of("u", "AI-1", hidden=False, occurred_at=datetime(1999, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("change", [{"user_id": ""}, {"issue_id": "ß"}, {"occurred_at": -1}])
def test_a_hiding_that_was_read_is_checked_as_one_that_is_made(change):
    hiding = hiding_of("u", "AI-1", hidden=True, occurred_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert checked_hiding(hiding) == hiding
    with pytest.raises(InvalidInteractionError):
        checked_hiding(msgspec.structs.replace(hiding, **change))
