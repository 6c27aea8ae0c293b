"""Settings: what the environment says, checked at the start."""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec

from ledger.errors import SettingsError
from ledger.location import DEFAULT_HOME, url_of, utf_8
from ledger.text import ISSUE_ID_LIMIT

if TYPE_CHECKING:
    from bot.issue_keys import IssueKeys

PREFIX = "ENGAGEMENT_"
LOG_LEVELS = ("debug", "info", "warning", "error")
SECRET_AT_LEAST = 32
"""Characters of a webhook's secret; Telegram itself would take one."""
CONTEXT_DAYS_AT_MOST = 36_500

_TOKEN_NAME = "TELEGRAM_BOT_TOKEN"  # noqa: S105 - a name, no token
_TOKEN = re.compile(r"[0-9]{1,16}:[A-Za-z0-9_-]{1,100}")
_SECRET = re.compile(rf"[A-Za-z0-9_-]{{{SECRET_AT_LEAST},256}}")
_TEAM_KEY = re.compile(rf"(?=.*[A-Z])[A-Z0-9]{{1,{ISSUE_ID_LIMIT - 2}}}")
_ID = re.compile(r"-?[0-9]{1,19}")
_DAYS = re.compile(r"[0-9]{1,5}")


class Secret:
    """A text that is shown only to whoever asks for it by name: no log and no error prints it."""

    def __init__(self, text: str) -> None:
        """Keep `text`."""
        self._text = text

    def reveal(self) -> str:
        """Return the text."""
        return self._text

    def __repr__(self) -> str:
        """Return something that tells nothing."""
        return "Secret(…)"


class Settings(msgspec.Struct, frozen=True):
    """The checked settings; each is an environment variable, ENGAGEMENT_ and its name."""

    database_url: str
    """An SQLAlchemy URL; without one, an SQLite file in `home`."""
    home: str = DEFAULT_HOME
    """The folder of everything that is kept."""
    timezone: str = "UTC"
    """The zone, by its name in the tz database, in which a bare date is a day."""
    log_level: str = "warning"
    """How much is logged to stderr: debug, info, warning or error."""
    telegram_bot_token: Secret | None = None
    """The token that BotFather gives; without one the bot talks in the terminal only."""
    issue_pattern: str | None = None
    """A regular expression that finds issue keys in place of the built-in one, as whole words."""
    team_keys: tuple[str, ...] = ()
    """Team keys, as in `AI,4U`: only these teams' issues count, in lower case too."""
    context_days: int = 90
    """For how many days the words of a message, and where it stood, are kept."""
    chats: frozenset[int] = frozenset()
    """Ids of chats, by commas: the bot listens only there, and in private with who wrote there."""
    admins: frozenset[int] = frozenset()
    """User ids, by commas: they may talk to the bot anyway, and ask `/status`; see the how-to."""
    webhook_secret: Secret | None = None
    """What Telegram must say with each update of a webhook: 32 to 256 of A-Z, a-z, 0-9, _ and -."""

    @property
    def zone(self) -> ZoneInfo:
        """The zone that `timezone` names."""
        return ZoneInfo(self.timezone)

    @property
    def issue_keys(self) -> "IssueKeys":
        """What finds issue keys by these settings."""
        from bot.issue_keys import IssueKeys  # noqa: PLC0415 - loads regex

        return IssueKeys(self.issue_pattern, self.team_keys)


def variable_of(field: str) -> str:
    """Return the environment variable that says the setting `field`."""
    return _TOKEN_NAME if field == _TOKEN_NAME.lower() else PREFIX + field.upper()


VARIABLES = {variable_of(field): field for field in Settings.__struct_fields__}
"""The settings by their variables."""


def settings_of(environment: Mapping[str, str]) -> Settings:
    """Return the settings that `environment` holds; an empty value counts as none.

    Raises SettingsError for an unknown ENGAGEMENT_ name or a value that cannot be meant; the
    message never repeats a secret.
    """
    given: dict[str, Any] = {}
    for name, value in environment.items():
        if value and name in VARIABLES:
            field = VARIABLES[name]
            given[field] = _READ.get(field, utf_8)(name, value)
        elif value and name.startswith(PREFIX):
            message = f"{name} is not a setting; the settings are {', '.join(VARIABLES)}"
            raise SettingsError(message)
    given["database_url"] = url_of(environment)
    return Settings(**given)


def _log_level(name: str, value: str) -> str:
    if value not in LOG_LEVELS:
        raise SettingsError(f"{name} must be one of {', '.join(LOG_LEVELS)}")
    return value


def _zone(name: str, value: str) -> str:
    try:
        ZoneInfo(value)
    except (LookupError, ValueError, OSError):
        raise SettingsError(
            f"{name} is {value!r}, which is not a zone of the tz database"
        ) from None
    return value


def _token(name: str, value: str) -> Secret:
    if not _TOKEN.fullmatch(value.strip()):
        raise SettingsError(
            f"{name} is not a token such as BotFather gives: a number, a colon, text"
        )
    return Secret(value.strip())


def _webhook_secret(name: str, value: str) -> Secret:
    if not _SECRET.fullmatch(value):
        raise SettingsError(f"{name} must be {SECRET_AT_LEAST} to 256 of A-Z, a-z, 0-9, _ and -")
    return Secret(value)


def _pattern(name: str, value: str) -> str:
    from bot.issue_keys import InvalidIssuePatternError, IssueKeys  # noqa: PLC0415 - loads regex

    try:
        IssueKeys(value)
    except InvalidIssuePatternError as error:
        raise SettingsError(f"{name} {error}") from None
    return value


def _team_keys(name: str, value: str) -> tuple[str, ...]:
    keys = tuple(_listed(value))
    for key in keys:
        if not _TEAM_KEY.fullmatch(key):
            raise SettingsError(f"{name} holds {key!r}, which is not a team key such as AI or 4U")
    return keys


def _ids(name: str, value: str) -> frozenset[int]:
    ids = _listed(value)
    if not all(_ID.fullmatch(each) for each in ids):
        raise SettingsError(f"{name} must be numeric ids, by commas")
    return frozenset(int(each) for each in ids)


def _days(name: str, value: str) -> int:
    if not (_DAYS.fullmatch(value) and int(value) <= CONTEXT_DAYS_AT_MOST):
        raise SettingsError(f"{name} must be a number of days, 0 to {CONTEXT_DAYS_AT_MOST}")
    return int(value)


def _listed(value: str) -> list[str]:
    return [each.strip() for each in value.split(",") if each.strip()]


_READ: dict[str, Callable[[str, str], Any]] = {
    "log_level": _log_level,
    "timezone": _zone,
    "telegram_bot_token": _token,
    "webhook_secret": _webhook_secret,
    "issue_pattern": _pattern,
    "team_keys": _team_keys,
    "chats": _ids,
    "admins": _ids,
    "context_days": _days,
}
