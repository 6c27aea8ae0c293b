"""Source keys: what makes an interaction the same interaction again, counted once (R2)."""

import hashlib
from functools import lru_cache

import msgspec

from ledger.errors import InvalidInteractionError
from ledger.instants import Instant

SOURCE_KEY_LIMIT = 500
DIGEST_KEY_BYTES = 32

_PREFIX_BYTES = 4
_MAC_BYTES = 12
_USER_BYTES = 16
_PSEUDONYM_BYTES = 8
_PSEUDONYMS = b"pseudonyms"
_USERS = b"users"  # keeps digests of users apart from those of source keys with the same text
_LAST_SECOND: int = 2 ** (8 * _PREFIX_BYTES) - 1


class SourceKey(msgspec.Struct, frozen=True, gc=False):
    """The identity of an interaction at its source.

    `text` is 1..500 characters. `dated_at` is the source's own date where the key has one that
    never changes (a message's date, say): it keeps neighbours in time neighbours in the index.
    `label` is what a person reads as the source, where that is not the key itself. `former` is the
    text by which an earlier version knew the same interaction: a key is seen if either is.
    """

    text: str
    dated_at: Instant | None = None
    label: str | None = None
    former: str | None = None

    def __post_init__(self) -> None:
        """Refuse a key that could not be told apart from others or encoded."""
        if not 1 <= len(self.text) <= SOURCE_KEY_LIMIT:
            reason = f"must be 1 to {SOURCE_KEY_LIMIT} characters long"
            raise InvalidInteractionError("source_key", reason)
        try:
            (self.text + (self.label or "")).encode()
        except UnicodeEncodeError:
            reason = "must not hold a lone surrogate"
            raise InvalidInteractionError("source_key", reason) from None

    @property
    def shown(self) -> str:
        """What a person reads as the source."""
        return self.label or self.text


def digest(key: SourceKey, secret: bytes) -> bytes:
    """Return the 16 bytes that the ledger keeps of `key`.

    Four bytes are the source's date in whole seconds, big-endian (zero without one), and twelve are
    keyed BLAKE2b of the text: without `secret` nobody can test a guess.
    """
    return _digest(key.text, key.dated_at, secret)


def former_digest(key: SourceKey, secret: bytes) -> bytes | None:
    """Return the digest of the former text of `key`, if it has one."""
    return None if key.former is None else _digest(key.former, key.dated_at, secret)


def _digest(text: str, dated_at: Instant | None, secret: bytes) -> bytes:
    seconds = 0 if dated_at is None else dated_at // 1_000_000
    seconds = min(max(seconds, 0), _LAST_SECOND)  # it only has to keep neighbours together
    mac = _mac(secret).copy()
    mac.update(text.encode())
    return seconds.to_bytes(_PREFIX_BYTES, "big") + mac.digest()


@lru_cache(maxsize=16)
def _mac(secret: bytes) -> hashlib.blake2b:
    """Return the beginning of every MAC, which takes twice as long as the rest."""
    return hashlib.blake2b(digest_size=_MAC_BYTES, key=secret)


def user_digest(user_id: str, secret: bytes) -> bytes:
    """Return the 16 bytes that stand for a user who opted out or was forgotten.

    Keyed BLAKE2b with a personalisation of its own: without `secret` nobody can test a guess.
    """
    mac = hashlib.blake2b(user_id.encode(), digest_size=_USER_BYTES, key=secret, person=_USERS)
    return mac.digest()


def pseudonym(address: str, secret: bytes) -> str:
    """Return 16 hexadecimal digits that stand for whoever has `address`, always the same ones.

    Keyed BLAKE2b with a personalisation of its own: without `secret` nobody can test a guess.
    """
    mac = hashlib.blake2b(
        address.encode(), digest_size=_PSEUDONYM_BYTES, key=secret, person=_PSEUDONYMS
    )
    return mac.hexdigest()
