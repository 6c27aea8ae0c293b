"""Issue keys such as AI-1799 in sentences, branch names and addresses."""

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from string import ascii_lowercase, ascii_uppercase
from urllib.parse import unquote

import regex

from ledger.errors import InvalidInteractionError, LedgerError
from ledger.validation import ISSUE_ID_LIMIT, issue_id_of

DEFAULT_PATTERN = r"[A-Z][A-Z0-9]{0,9}-[1-9][0-9]{0,4}"
"""As `[A-Z]{1,4}-\\d{1,5}`, but with longer team keys, which exist, and without leading zeros."""

TEAMS_PATTERN = r"[A-Za-z0-9]++-[1-9][0-9]{0,4}"
"""Candidates in either case, if team keys are configured, which then decide."""

# A cased letter or a digit of any script, with its combining marks, belongs to a word; so do the
# few letters without case of Latin, Greek and Cyrillic. Other letters do not: Chinese, Japanese and
# Korean put no blank there, and Arabic and Hebrew attach particles. A variation selector makes an
# emoji of what stands before it, so it is no such mark.
_WORD = r"[\p{Cased}\p{Nd}\p{Latin}\p{Greek}\p{Cyrillic}]"
_MARK = r"(?:(?![\uFE00-\uFE0F\U000E0100-\U000E01EF])[\p{Mn}\p{Mc}])"
_NAME_GOES_ON = r"[\p{Lu}\p{Lt}\p{Nd}]_+"  # the underscores of MY_PROJECT-7
_BEGINS = rf"(?-i:(?<!{_WORD}{_MARK}*)(?<!{_NAME_GOES_ON}))"
_ENDS = rf"(?!{_WORD}|{_MARK})"

_BETWEEN_BLANKS = regex.compile(r"\S++")
_ENCODED_AT_MOST = 3
"""How often an address in a redirect to a redirect is encoded."""

_IN_CAPITALS = str.maketrans(ascii_lowercase, ascii_uppercase)
_IN_LOWER_CASE = str.maketrans(ascii_uppercase, ascii_lowercase)
_PUNCTUATION = regex.compile(r"^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$")

STANDARDS = frozenset(
    """
    AES CVE CWE COVID ECMA GHSA GMT GPT HTTP HTTPS IEC IEEE ISO MPEG PEP RFC RSA SHA SSL TLS UCS
    UTC UTF WCAG
    """.split()  # noqa: SIM905 - a list to read, and to add to
)
"""Prefixes of the names of standards, such as ISO-8601, which are not issues."""

LOOKALIKES = frozenset(
    """
    ARM-32 ARM-64 BASE-16 BASE-32 BASE-64 CP-1252 H-264 H-265 MD-4 MD-5 MP-3 MP-4 WIN-32 WIN-64
    SHA2-224 SHA2-256 SHA2-384 SHA2-512 SHA3-224 SHA3-256 SHA3-384 SHA3-512 X-509 X86-32 X86-64
    """.split()  # noqa: SIM905 - as above
)
"""Other names that look like keys but are not."""

SEARCH_TIMEOUT_SECONDS = 0.1
"""A limit for inefficient custom patterns; the default needs less than a hundredth of this."""


class InvalidIssuePatternError(LedgerError, ValueError):
    """A pattern that cannot find issue keys; the message says why."""


class IssueKeys:
    """Finds issue keys: whole words between borders of any script, ASCII digits only."""

    def __init__(self, pattern: str | None = None, team_keys: Collection[str] = ()) -> None:
        """Find what `pattern` matches, limited to `team_keys` if there are any.

        With team keys nothing else decides, and without a pattern they count in lower case too.
        Without team keys, names of standards and lookalikes are excluded. Raises
        InvalidIssuePatternError for an invalid pattern, or one that matches the empty text.
        """
        self.teams_in_linear: frozenset[str] | None = None
        """The teams that Linear names, once it has: their keys count in either case, and no other
        keys count."""
        self._teams = frozenset(team_keys)
        self._is_in_either_case = bool(self._teams) and pattern is None
        inner = pattern or (TEAMS_PATTERN if self._teams else DEFAULT_PATTERN)
        try:
            # On its own first: inside the parentheses below an unbalanced pattern could look
            # balanced.
            matches_nothing = regex.compile(inner, regex.ASCII).fullmatch("")
            self._pattern = regex.compile(rf"{_BEGINS}(?a:{inner}){_ENDS}")
        except regex.error as error:
            raise InvalidIssuePatternError(f"is not a regular expression: {error}") from None
        if matches_nothing:
            raise InvalidIssuePatternError("matches the empty text")

    def found_in(self, text: str) -> list[str]:
        """Return the issue keys of `text`, each once, in the order of their first occurrence.

        Percent-encoded addresses are decoded. A search is stopped after SEARCH_TIMEOUT_SECONDS and
        then returns the keys found so far.
        """
        return self._found(text, self._is)

    def named_in(self, text: str) -> list[str]:
        """Return what `found_in` does, and keys of other teams, which do not count.

        These are written in capitals, or are all of a text that consists of one word.
        """
        found = self._found(text, self._is_named) if self._teams else self.found_in(text)
        if found or not self.are_in_either_case:
            return found
        word = _PUNCTUATION.sub("", text).translate(_IN_CAPITALS)
        return [word] if _is_usual(word) else []

    @property
    def are_in_either_case(self) -> bool:
        """Whether keys count in lower case, too."""
        return self._is_in_either_case or bool(self.teams_in_linear)

    def counts(self, key: str) -> bool:
        """Whether a key that is named counts: not if the teams are named, and its is none."""
        named = (self._teams or None, self.teams_in_linear)
        return all(teams is None or _team_of(key) in teams for teams in named)

    def named_by(self, word: str) -> str | None:
        """Return the issue that an argument of a command names, or None.

        The word is read as in a sentence, or, without its punctuation, as a key in either case.
        """
        found = self.found_in(word)
        if found:
            return found[0] if len(found) == 1 else None
        bare = _PUNCTUATION.sub("", word)
        key = bare.translate(_IN_CAPITALS)
        named = (key, bare.translate(_IN_LOWER_CASE))
        return key if any(self.found_in(each) == [key] for each in named) else None

    def meant_by(self, word: str) -> str | None:
        """Return the issue that a word names, even if it is not a key now; None if it is no issue
        id.

        Issues that were imported, or recorded with other settings, may not match the pattern.
        """
        named = self.named_by(word)
        if named is not None:
            return named
        try:
            return issue_id_of(_PUNCTUATION.sub("", word))
        except InvalidInteractionError:
            return None

    def _found(self, text: str, is_key: Callable[[str], bool]) -> list[str]:
        text, teams = _decoded(text), self.teams_in_linear
        found = [each for each in _matches(self._pattern, text) if is_key(each[1])]
        if teams:
            found += [
                each for each in _matches(_OF_TEAMS, text) if _team_of(each[1].upper()) in teams
            ]
        return list(dict.fromkeys(written.upper() for _, written in sorted(found)))

    def _is_named(self, written: str) -> bool:
        return self._is(written) or _is_usual(written)

    def _is(self, written: str) -> bool:
        key = written.upper()
        team = _team_of(key)
        if not 1 <= len(key) <= ISSUE_ID_LIMIT or not key.isprintable() or key != key.strip():
            return False
        if self._teams:
            return team in self._teams
        return _is_no_lookalike(key)


_USUAL = regex.compile(DEFAULT_PATTERN, regex.ASCII)
_OF_TEAMS = regex.compile(rf"{_BEGINS}(?a:{TEAMS_PATTERN}){_ENDS}")


def _matches(pattern: regex.Pattern[str], text: str) -> Iterator[tuple[int, str]]:
    """Yield places in `text` and what is written there that matches."""
    with suppress(TimeoutError):
        for match in pattern.finditer(text, timeout=SEARCH_TIMEOUT_SECONDS):
            if match[0].isascii():  # elsewhere, changing case may make another word
                yield match.start(), match[0]


def _is_usual(word: str) -> bool:
    """Whether a word would be a key without team keys and a pattern."""
    return _USUAL.fullmatch(word) is not None and _is_no_lookalike(word)


def _is_no_lookalike(key: str) -> bool:
    return _team_of(key) not in STANDARDS and key not in LOOKALIKES


def _team_of(key: str) -> str:
    return key.rpartition("-")[0]


def _decoded(text: str) -> str:
    """Return `text` with percent-encoded addresses decoded."""
    return _BETWEEN_BLANKS.sub(_address_decoded, text) if "%" in text and "/" in text else text


def _address_decoded(word: regex.Match[str]) -> str:
    address = word[0]
    for _ in range(_ENCODED_AT_MOST if "/" in address else 0):
        address = unquote(address)
    return address
