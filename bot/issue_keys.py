"""Issue keys in what people write: AI-1799, in a sentence, a branch name or an address."""

from collections.abc import Collection
from contextlib import suppress

import regex

from ledger.errors import LedgerError
from ledger.text import ISSUE_ID_LIMIT

DEFAULT_PATTERN = r"[A-Z][A-Z0-9]{0,9}-\d{1,5}"
"""The client's `[A-Z]{1,4}-\\d{1,5}`, and the longer teams that there really are."""

STANDARDS = frozenset(
    """
    AES CVE CWE COVID ECMA GHSA GMT GPT HTTP HTTPS IEC IEEE ISO MPEG PEP RFC RSA SHA SSL TLS UCS
    UTC UTF WCAG
    """.split()  # noqa: SIM905 - a list to read, and to add to
)
"""What stands before the number in the names of standards, which are no issues."""

LOOKALIKES = frozenset(
    """
    ARM-32 ARM-64 BASE-16 BASE-32 BASE-64 CP-1252 H-264 H-265 MD-4 MD-5 MP-3 MP-4 WIN-32 WIN-64
    SHA2-224 SHA2-256 SHA2-384 SHA2-512 SHA3-224 SHA3-256 SHA3-384 SHA3-512 X-509 X86-32 X86-64
    """.split()  # noqa: SIM905 - as above
)
"""Single names that look like keys and are none."""

SEARCH_TIMEOUT_SECONDS = 0.1
"""No message takes the default pattern a hundredth of this; somebody's own might be careless."""


class InvalidIssuePatternError(LedgerError, ValueError):
    """A pattern that cannot find issue keys; the message says why."""


class IssueKeys:
    """Finds issue keys: whole words by ASCII letters, digits and underscores, ASCII digits only."""

    def __init__(self, pattern: str | None = None, team_keys: Collection[str] = ()) -> None:
        """Find what `pattern` matches, of the teams `team_keys` where there are any.

        With team keys nothing else decides; without them standards and lookalikes are no issues.
        Raises InvalidIssuePatternError for a pattern that is none, or that matches nothing at all.
        """
        self._teams = frozenset(team_keys)
        inner = pattern or DEFAULT_PATTERN
        try:
            # By itself first: within the parentheses below an unbalanced one could look balanced.
            matches_nothing = regex.compile(inner, regex.ASCII).fullmatch("")
            whole_words = rf"(?<![A-Za-z0-9_])(?:{inner})(?![A-Za-z0-9_])"
            self._pattern = regex.compile(whole_words, regex.ASCII)
        except regex.error as error:
            raise InvalidIssuePatternError(f"is no regular expression: {error}") from None
        if matches_nothing:
            raise InvalidIssuePatternError("matches the empty text")

    def found_in(self, text: str) -> list[str]:
        """Return the issue keys of `text`, each once, in the order in which they first stand.

        A careless pattern finds what it finds in SEARCH_TIMEOUT_SECONDS.
        """
        found: dict[str, None] = {}
        with suppress(TimeoutError):
            for match in self._pattern.finditer(text, timeout=SEARCH_TIMEOUT_SECONDS):
                if match[0].isascii():  # outside of it, changing case may make another word
                    found[match[0].upper()] = None
        return [key for key in found if self._is(key)]

    def named_by(self, word: str) -> str | None:
        """Return the issue that a word of a command names, in either case, or None.

        An address names the one issue that is in it.
        """
        if "/" in word:
            found = self.found_in(word)
            return found[0] if len(found) == 1 else None
        key = word.upper()
        written = (key, word, word.lower()) if word.isascii() else ()
        return key if any(self.found_in(each) == [key] for each in written) else None

    def _is(self, key: str) -> bool:
        team = key.rpartition("-")[0]
        if not 1 <= len(key) <= ISSUE_ID_LIMIT or not key.isprintable() or key != key.strip():
            return False
        if self._teams:
            return team in self._teams
        return team not in STANDARDS and key not in LOOKALIKES
