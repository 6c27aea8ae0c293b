"""Links: the Linear user that a user is, and the codes that prove it."""

import hashlib
import re
from uuid import UUID

import msgspec

from ledger.events import IssueObserved

PREFIX = "link-"
LETTERS = "abcdefghjkmnpqrstuvwxyz"
"""None that looks like another one, and no digit, which would make a code look like an issue."""
LENGTH = 24
"""With 23 letters there are 2**108 codes."""
VALID_FOR = 3_600_000_000

_CODE = re.compile(rf"(?<![\w-]){PREFIX}[{LETTERS}]{{{LENGTH}}}(?![\w-])", re.IGNORECASE)
_DIGEST_BYTES = 16
_CODES = b"link codes"  # keeps them apart from digests of users and source keys


def code_in(text: str) -> str | None:
    """Return the first code in a text; a phone may have capitalized it."""
    found = _CODE.search(text)
    return None if found is None else found[0].lower()


def code_digest(code: str, secret: bytes) -> bytes:
    """The 16 bytes that the ledger keeps of a code: keyed BLAKE2b with its own personalisation."""
    mac = hashlib.blake2b(code.encode(), digest_size=_DIGEST_BYTES, key=secret, person=_CODES)
    return mac.digest()


class LinearUser(msgspec.Struct, frozen=True):
    """A user of Linear: the id there, and the account and name here."""

    linear_id: str
    account: UUID
    name: str | None = None

    def did(self, event: IssueObserved) -> bool:
        """Whether this user caused what was observed."""
        return event.actor == self.account
