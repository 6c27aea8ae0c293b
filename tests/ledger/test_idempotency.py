"""Source keys: one key, one digest in one ledger, which others cannot guess (R2)."""

import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ledger.commands import hiding_of, interaction_of
from ledger.errors import InvalidInteractionError
from ledger.idempotency import SOURCE_KEY_LIMIT, SourceKey, digest
from ledger.instants import Instant
from tests.support import strategies

texts = st.text(min_size=1, max_size=60)
secrets = st.binary(min_size=32, max_size=32)
dates = st.none() | strategies.any_instants.map(lambda at: Instant(at % (2**32 * 1_000_000)))
keys = st.builds(SourceKey, texts, dates)
parts = st.integers(0, 999_999)

SECRET = bytes(range(32))


@given(keys, secrets)
def test_the_same_key_has_the_same_digest_of_16_bytes(key, secret):
    again = SourceKey(key.text, key.dated_at)
    assert digest(key, secret) == digest(again, secret)
    assert len(digest(key, secret)) == 16


@given(keys, keys, secrets)
@example(SourceKey("chat:1:23"), SourceKey("chat:12:3"), SECRET)
@example(SourceKey("é"), SourceKey("e\u0301"), SECRET)
@example(SourceKey("a"), SourceKey("a\0"), SECRET)
def test_another_text_has_another_digest(one, other, secret):
    assume(one.text != other.text)
    assert digest(one, secret)[4:] != digest(other, secret)[4:]


@given(keys, secrets, secrets)
def test_another_ledger_has_another_digest_of_the_same_key(key, secret, other):
    assume(secret != other)
    assert digest(key, secret)[4:] != digest(key, other)[4:]


@given(texts, dates, st.none() | texts, secrets)
def test_what_a_person_reads_as_the_source_is_no_part_of_the_identity(text, date, label, secret):
    assert digest(SourceKey(text, date, label), secret) == digest(SourceKey(text, date), secret)


@given(keys, secrets)
def test_a_digest_begins_with_the_date_in_seconds(key, secret):
    seconds = 0 if key.dated_at is None else key.dated_at // 1_000_000
    assert int.from_bytes(digest(key, secret)[:4], "big") == seconds


@given(texts, st.integers(0, 2**32 - 2), st.integers(1, 2**32 - 1), parts, parts, secrets)
def test_digests_come_in_the_order_of_their_dates(text, second, seconds, part, other, secret):
    one = Instant(second * 1_000_000 + part)
    later = Instant(min(second + seconds, 2**32 - 1) * 1_000_000 + other)
    assert digest(SourceKey(text, one), secret) < digest(SourceKey(text, later), secret)
    assert digest(SourceKey(text), secret) < digest(SourceKey(text, later), secret)


@given(keys, secrets)
def test_a_digest_does_not_show_an_unkeyed_hash_of_the_text(key, secret):
    text = key.text.encode()
    guesses = [
        hashlib.blake2b(text, digest_size=12).digest(),
        hashlib.blake2b(text).digest()[:12],
        hashlib.sha256(text).digest()[:12],
        hmac.digest(bytes(32), text, "sha256")[:12],
    ]
    assert digest(key, secret)[4:] not in guesses


@given(strategies.hostile_texts)
@example("")
@example("k" * SOURCE_KEY_LIMIT)
@example("k" * (SOURCE_KEY_LIMIT + 1))
@example("\ud800")
def test_a_key_is_1_to_500_characters_that_can_be_encoded(text):
    lone_surrogate = any("\ud800" <= each <= "\udfff" for each in text)
    if 1 <= len(text) <= 500 and not lone_surrogate:
        assert len(digest(SourceKey(text), SECRET)) == 16
    else:
        with pytest.raises(InvalidInteractionError, match=r"^Invalid source_key: "):
            SourceKey(text)


@given(
    strategies.hostile_texts | texts,
    st.none() | st.integers(-(2**63), 2**63).map(Instant),
    st.none() | strategies.hostile_texts,
)
@example("chat:1:2", Instant(-1), None)
@example("chat:1:2", Instant(2**32 * 1_000_000), None)
@example("chat:1:2", None, "\ud800")
def test_a_key_is_refused_when_it_is_made_or_never(text, date, label):
    try:
        key = SourceKey(text, date, label)
    except InvalidInteractionError as refusal:
        assert refusal.field == "source_key"  # noqa: PT017 - it may be refused, not must
        return
    assert len(digest(key, SECRET)) == 16
    (key.label or key.text).encode()


def test_the_digest_of_a_known_key_never_changes():
    key = SourceKey("chat:-100123:45:AI-1799", strategies.NOON)
    assert digest(key, SECRET).hex() == "695661c0ffb50048dda8e9df5b2bec23"


@pytest.mark.parametrize(
    "fields",
    [
        {"text": 7},
        {"text": b"chat:1:2"},
        {"text": None},
        {"text": "k", "dated_at": 1.5},
        {"text": "k", "label": 7},
        {"text": "k", "former": 7},
        {"text": "k", "former": "\ud800"},
    ],
    ids=repr,
)
def test_a_key_of_another_type_is_refused_where_it_is_made(fields: dict[str, Any]):
    """Within a commit it would fail those who share it."""
    with pytest.raises(InvalidInteractionError) as refused:
        SourceKey(**fields)
    assert refused.value.field == "source_key"


@pytest.mark.parametrize("key", [7, 1.5, b"chat:1:2", ("chat", 1), True])
def test_what_is_no_key_is_refused_by_an_interaction_and_a_hiding(key: Any):
    with pytest.raises(InvalidInteractionError):
        interaction_of("1001", "AI-1", "query", source_key=key)
    with pytest.raises(InvalidInteractionError):
        hiding_of("1001", "AI-1", hidden=True, source_key=key)
