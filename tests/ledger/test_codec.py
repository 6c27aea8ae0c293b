"""The codec: one event, one byte string, and nothing is read that is not on the ledger's list."""

import hashlib
import json
from uuid import UUID

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger import codec
from ledger.commands import Kind
from ledger.errors import UnknownTopicError
from ledger.events import (
    TOPICS,
    ClockCorrected,
    EngagementHidden,
    Event,
    HistorySealed,
    InteractionRecorded,
    IssueObserved,
    PolicyAdopted,
    ScoreOverridden,
)
from ledger.instants import Instant
from ledger.validation import IssueId
from tests.support import observations, strategies

ACCOUNT = UUID(int=7)
ISSUE, AT = observations.uuid(1), observations.DAY_ONE

texts = st.text(min_size=1, max_size=100)
issues = (strategies.issue_ids | st.text(st.characters(codec="ascii"), min_size=1)).map(IssueId)
versions = st.integers(0, 2**31)
digests = st.binary(min_size=32, max_size=32)

recorded = st.builds(
    InteractionRecorded,
    st.uuids(),
    versions,
    strategies.any_instants,
    issues,
    strategies.kinds,
    strategies.any_instants,
    linear_id=st.none() | texts,
    place=st.none() | st.uuids(),
    commitment=st.none() | digests,
)
overridden = st.builds(
    ScoreOverridden,
    st.uuids(),
    versions,
    strategies.any_instants,
    issues,
    strategies.any_instants,
    strategies.scores,
)
hidden = st.builds(
    EngagementHidden,
    st.uuids(),
    versions,
    strategies.any_instants,
    issues,
    strategies.any_instants,
    st.booleans(),
)
corrected = st.builds(ClockCorrected, st.uuids(), versions, strategies.any_instants, texts)
observed = observations.events()
events = recorded | overridden | hidden | corrected | observed


def decode(event: Event, state: bytes) -> Event:
    topic = codec.topic_of(event)
    return codec.decode(topic, event.originator_id, event.originator_version, state)


# --- there and back ------------------------------------------------------------------------------


@given(events)
def test_an_event_comes_back_from_its_bytes(event):
    back = decode(event, codec.encode(event))
    assert back == event
    assert type(back) is type(event)
    assert all(
        type(was) is type(is_)
        for was, is_ in zip(
            msgspec.structs.astuple(event), msgspec.structs.astuple(back), strict=True
        )
    )


@given(events)
def test_bytes_come_back_from_their_event(event):
    state = codec.encode(event)
    assert codec.encode(decode(event, state)) == state


@given(events)
def test_the_keys_are_in_order(event):
    said = json.loads(codec.encode(event))
    assert list(said) == sorted(said)


@given(recorded)
def test_the_bytes_are_compact_json_in_utf_8(event):
    state = codec.encode(event)
    again = json.dumps(json.loads(state), ensure_ascii=False, separators=(",", ":"))
    assert state == again.encode()


@given(events)
def test_the_bytes_leave_out_whose_event_it_is(event):
    said = json.loads(codec.encode(event))
    fields = {
        name for name in type(event).__struct_fields__ if getattr(event, name) is not msgspec.UNSET
    }
    assert set(said) == fields - {"originator_id", "originator_version"}


@given(events, st.uuids(), versions)
def test_the_bytes_do_not_depend_on_whose_event_it_is(event, account, version):
    moved = msgspec.structs.replace(event, originator_id=account, originator_version=version)
    assert codec.encode(moved) == codec.encode(event)
    assert decode(moved, codec.encode(event)) == moved


@given(events, events)
def test_different_events_have_different_bytes(one, other):
    header = {"originator_id": ACCOUNT, "originator_version": 1}
    one, other = (msgspec.structs.replace(each, **header) for each in (one, other))
    assert (codec.encode(one) == codec.encode(other)) == (one == other)


def test_the_canonical_bytes_of_known_events_never_change():
    interaction = InteractionRecorded(
        ACCOUNT, 3, Instant(20), IssueId("AI-1799"), Kind.QUERY, Instant(10), None, None, bytes(32)
    )
    assert codec.encode(interaction) == (
        b'{"commitment":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","issue_id":"AI-1799",'
        b'"kind":3,"linear_id":null,"occurred_at":10,"place":null,"recorded_at":20}'
    )
    override = ScoreOverridden(ACCOUNT, 4, Instant(20), IssueId("AI-1799"), Instant(10), 0.8)
    assert codec.encode(override) == (
        b'{"issue_id":"AI-1799","occurred_at":10,"recorded_at":20,"score":0.8}'
    )
    hiding = EngagementHidden(ACCOUNT, 5, Instant(20), IssueId("AI-1799"), Instant(10), True)
    assert codec.encode(hiding) == (
        b'{"hidden":true,"issue_id":"AI-1799","occurred_at":10,"recorded_at":20}'
    )
    said = observations.observation(7, assignee=None, estimate=2, labels=(ISSUE,), said_at=AT)
    assert codec.encode(observations.event(said, AT)) == (
        b'{"assignee":null,"estimate":2.0,"identifier":"AI-7",'
        b'"issue":"00000000-0000-4000-8000-000000000007",'
        b'"labels":["00000000-0000-4000-8000-000000000001"],"origin":"webhook",'
        b'"recorded_at":1772442000000000,"removed":false,"said_at":1772442000000000,'
        b'"state_id":null,"state_type":"started","team":"AI","updated_at":1772442000000000}'
    )


# --- what is not read ----------------------------------------------------------------------------


def test_the_topics_are_short_and_stable():
    assert dict(TOPICS) == {
        "interaction": InteractionRecorded,
        "override": ScoreOverridden,
        "hiding": EngagementHidden,
        "policy": PolicyAdopted,
        "sealing": HistorySealed,
        "clock": ClockCorrected,
        "observation": IssueObserved,
    }
    assert [codec.topic_of(each) for each in _examples()] == list(TOPICS)


def _examples() -> list[Event]:
    at = Instant(1)
    return [
        InteractionRecorded(ACCOUNT, 1, at, IssueId("AI-1"), Kind.VIEW, at),
        ScoreOverridden(ACCOUNT, 1, at, IssueId("AI-1"), at, 0.5),
        EngagementHidden(ACCOUNT, 1, at, IssueId("AI-1"), at, hidden=True),
        PolicyAdopted(ACCOUNT, 1, at, 2, {"pin_hours": 8.0, "kinds": ["query"]}),
        HistorySealed(ACCOUNT, 1, at, 1, 9, 8, "00" * 32),
        ClockCorrected(ACCOUNT, 1, at, "it was ahead"),
        observations.event(observations.observation()),
    ]


@given(strategies.hostile_texts.filter(lambda text: text not in TOPICS), st.binary())
@example("builtins:eval", b"{}")
@example("ledger.events:InteractionRecorded", b"{}")
@example("", b"")
def test_an_unknown_topic_is_refused_whatever_it_says(topic, state):
    with pytest.raises(UnknownTopicError):
        codec.decode(topic, ACCOUNT, 1, state)


def test_what_is_no_event_has_no_topic():
    with pytest.raises(UnknownTopicError):
        codec.topic_of(codec.Origin())  # type: ignore[arg-type]


@given(st.sampled_from(sorted(TOPICS)), st.binary() | st.text().map(str.encode))
@example("override", b"null")
@example("override", b"[]")
@example("override", b"{}")
@example("override", b'{"issue_id":"\xff"}')
def test_a_state_that_is_not_the_topics_is_refused(topic, state):
    with pytest.raises(UnknownTopicError):
        codec.decode(topic, ACCOUNT, 1, state)


def test_a_state_that_is_nested_without_end_is_refused():
    with pytest.raises(UnknownTopicError):
        codec.decode("override", ACCOUNT, 1, b"[" * 100_000)


def _required(event: Event) -> set[str]:
    """The fields without a default in the event's state."""
    fields = msgspec.structs.fields(type(event))
    return {each.name for each in fields if each.required} - {"originator_id", "originator_version"}


@given(events, st.data())
def test_a_state_with_a_field_missing_or_of_another_type_is_refused(event, data):
    said = json.loads(codec.encode(event))
    required = sorted(_required(event))
    field = data.draw(st.sampled_from(required))
    if data.draw(st.booleans()):
        del said[field]
    else:
        said[field] = {"of": "another type"}
    with pytest.raises(UnknownTopicError):
        decode(event, json.dumps(said).encode())


def test_a_state_cannot_smuggle_in_another_account():
    event = _examples()[1]
    said = json.loads(codec.encode(event)) | {"originator_id": str(UUID(int=8))}
    assert decode(event, json.dumps(said).encode()) == event


# --- commitments ---------------------------------------------------------------------------------

raws = st.none() | st.dictionaries(texts, st.integers(0, 9), max_size=2).map(
    lambda value: msgspec.Raw(msgspec.json.encode(value, order="sorted"))
)
origins = st.builds(codec.Origin, st.none() | texts, raws, st.none() | texts)
salts = st.binary(min_size=16, max_size=16)


@given(origins, salts)
def test_a_commitment_is_the_sha256_of_the_salt_and_the_canonical_origin(origin, salt):
    said = {
        "context": origin.context,
        "metadata": None if origin.metadata is None else json.loads(bytes(origin.metadata)),
        "source": origin.source,
    }
    canonical = msgspec.json.encode(said, order="sorted")
    assert codec.commitment(salt, origin) == hashlib.sha256(salt + canonical).digest()


@given(origins, origins, salts)
@example(codec.Origin(context="a"), codec.Origin(source="a"), bytes(16))
@example(codec.Origin(context="null"), codec.Origin(), bytes(16))
def test_another_origin_has_another_commitment(one, other, salt):
    def said(origin: codec.Origin) -> tuple[object, ...]:
        raw = origin.metadata
        return (origin.context, None if raw is None else bytes(raw), origin.source)

    same = codec.commitment(salt, one) == codec.commitment(salt, other)
    assert same == (said(one) == said(other))


@given(origins, salts, salts)
def test_another_salt_makes_another_commitment(origin, salt, other):
    same = codec.commitment(salt, origin) == codec.commitment(other, origin)
    assert same == (salt == other)
