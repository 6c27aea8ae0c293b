"""The location of a ledger: the URL of its database, from environment variables."""

from collections.abc import Mapping
from urllib.parse import quote

from ledger.errors import SettingsError

DATABASE_URL, HOME = "ENGAGEMENT_DATABASE_URL", "ENGAGEMENT_HOME"
DEFAULT_HOME = "./engagement-data"


def url_of(environment: Mapping[str, str]) -> str:
    """Return the SQLAlchemy URL of the ledger; an empty value counts as unset.

    Without a URL it is an SQLite file in the home folder. Raises SettingsError for a value that is
    not in UTF-8.
    """
    url = utf_8(DATABASE_URL, environment.get(DATABASE_URL, ""))
    home = utf_8(HOME, environment.get(HOME, "")) or DEFAULT_HOME
    return url or f"sqlite:///{quote(home)}/ledger.db"


def utf_8(name: str, value: str) -> str:
    """Return the value of a variable; raises SettingsError if it is not in UTF-8."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise SettingsError(f"{name} is not in UTF-8") from None
    return value
