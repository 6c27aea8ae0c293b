"""Detection of ids that a spreadsheet has rewritten, so that different ones may be equal now."""

import re
from functools import lru_cache

from ledger.errors import InvalidInteractionError

_NUMBER = re.compile(r"-?[0-9]+(?:[.,][0-9]+)?[Ee]\+[0-9]+|-?[0-9]+[.,][0-9]+[Ee]-?[0-9]+")
"""7.01235E+09, also with a decimal comma; but not 2E-10, which can be an issue's key."""

_DECIMAL = re.compile(r"-?[0-9]+[.,]0+")
_NO_VALUE = re.compile(r"#(?:N/A|REF!|VALUE!|NAME\?|NUM!|NULL!|DIV/0!)|###+")
_FORMULA = re.compile(r'="[^"]*"')

_MONTHS = (
    "jan|janv|gen|ene|feb|febr|févr|fev|mar|mars|mär|mrz|mrt|apr|avr|abr|may|mai|mei|mag|jun|juin|giu"
    "|jul|juil|lug|aug|août|ago|sep|sept|set|oct|okt|ott|out|nov|dec|déc|dez|dic"
)
_DATE = re.compile(
    rf"[0-9]{{1,2}}[-. /]{{1,2}}(?:{_MONTHS})\.?(?:[-. /][0-9]{{2,4}})?"
    r"|[0-9]{1,4}([-./])[0-9]{1,2}\1[0-9]{1,4}(?:[ T][0-9:.]+)?",
    re.IGNORECASE,
)
_MONTH = re.compile(r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)-[0-9]{2}")
"""In this case only: MAR-15 and mar-15 are issues."""

_HINTS = (
    (_NUMBER, "a number that a spreadsheet has shortened, as in 7.01E+09 for 7012345678"),
    (_DECIMAL, "a number to which a program has added decimals, as in 7012345678.0"),
    (_NO_VALUE, "an error of a spreadsheet instead of a value"),
    (_FORMULA, "a formula of a spreadsheet instead of a value"),
)
_ISSUE_HINTS = (
    *_HINTS,
    (_DATE, "a date that a spreadsheet has made of an issue, as in 15-Mar for MAR-15"),
    (_MONTH, "a month that a spreadsheet has made of an issue, as in Mar-15 for MAR-2015"),
)
_ADVICE = "export the column as text from the source, where it is still whole"


@lru_cache(maxsize=65_536)
def check_user(text: str) -> None:
    """Raise InvalidInteractionError if a spreadsheet has rewritten a user id."""
    _check("user_id", text, _HINTS)


@lru_cache(maxsize=65_536)
def check_issue(text: str) -> None:
    """Raise InvalidInteractionError if a spreadsheet has rewritten an issue id."""
    _check("issue_id", text, _ISSUE_HINTS)


def _check(field: str, text: str, hints: tuple[tuple[re.Pattern[str], str], ...]) -> None:
    for pattern, hint in hints:
        if pattern.fullmatch(text):
            raise InvalidInteractionError(field, f"looks like {hint}; {_ADVICE}")
