"""Idempotency: source keys, by which an interaction that is recorded again counts once (R2)."""

import hashlib
from functools import lru_cache
from typing import Self

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

    `text` is 1..500 characters. `dated_at` is a date of the source that never changes, such as a
    message's: it keeps keys that are near in time near in the index. `label` is the readable
    source, if it is not the key itself. `former` is the text that an earlier version used for the
    same interaction: a key counts as seen if either was.
    """

    text: str
    dated_at: Instant | None = None
    label: str | None = None
    former: str | None = None

    def __post_init__(self) -> None:
        """Refuse a key that is no text, empty, too long or cannot be encoded."""
        try:
            (self.text + (self.label or "") + (self.former or "")).encode()
        except TypeError:
            reason = "must be a string: use `str` for a number"
            raise InvalidInteractionError("source_key", reason) from None
        except UnicodeEncodeError:
            reason = "must not hold a lone surrogate"
            raise InvalidInteractionError("source_key", reason) from None
        if not 1 <= len(self.text) <= SOURCE_KEY_LIMIT:
            reason = f"must be 1 to {SOURCE_KEY_LIMIT} characters long"
            raise InvalidInteractionError("source_key", reason)
        if self.dated_at is not None and not isinstance(self.dated_at, int):
            raise InvalidInteractionError("source_key", "must be dated by `ledger.instant_of`")

    def under(self, issue_id: str, other: str) -> Self:
        """The key with the issue's other key: instead of each part between colons that is its own.

        That is this key itself if no part is.
        """
        parts = (other if part == issue_id else part for part in self.text.split(":"))
        return msgspec.structs.replace(self, text=":".join(parts), label=None, former=None)

    @property
    def shown(self) -> str:
        """The readable source."""
        return self.label or self.text


def digest(key: SourceKey, secret: bytes) -> bytes:
    """Return the 16 bytes that the ledger keeps of `key`.

    Four bytes are the source's date in whole seconds, big-endian (zero without one), and twelve are
    keyed BLAKE2b of the text: guesses cannot be tested without `secret`.
    """
    return _digest(key.text, key.dated_at, secret)


def former_digest(key: SourceKey, secret: bytes) -> bytes | None:
    """Return the digest of the former text of `key`, if it has one."""
    return None if key.former is None else _digest(key.former, key.dated_at, secret)


def _digest(text: str, dated_at: Instant | None, secret: bytes) -> bytes:
    seconds = 0 if dated_at is None else dated_at // 1_000_000
    seconds = min(max(seconds, 0), _LAST_SECOND)  # exactness does not matter for locality
    mac = _mac(secret).copy()
    mac.update(text.encode())
    return seconds.to_bytes(_PREFIX_BYTES, "big") + mac.digest()


@lru_cache(maxsize=16)
def _mac(secret: bytes) -> hashlib.blake2b:
    """The keyed state of every MAC, cached because it takes twice as long as the rest."""
    return hashlib.blake2b(digest_size=_MAC_BYTES, key=secret)


def user_digest(user_id: str, secret: bytes) -> bytes:
    """The 16 bytes that stand for a user who opted out or was forgotten.

    Keyed BLAKE2b with its own personalisation: guesses cannot be tested without `secret`.
    """
    mac = hashlib.blake2b(user_id.encode(), digest_size=_USER_BYTES, key=secret, person=_USERS)
    return mac.digest()


def pseudonym(address: str, secret: bytes) -> str:
    """The 16 hexadecimal digits that stand for the person with `address`; always the same.

    Keyed BLAKE2b with its own personalisation: guesses cannot be tested without `secret`.
    """
    mac = hashlib.blake2b(
        address.encode(), digest_size=_PSEUDONYM_BYTES, key=secret, person=_PSEUDONYMS
    )
    return mac.hexdigest()
