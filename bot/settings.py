"""Settings from the environment, validated at the start."""

import re
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec

from ledger.errors import SettingsError
from ledger.location import DEFAULT_HOME, url_of, utf_8
from ledger.validation import ISSUE_ID_LIMIT

if TYPE_CHECKING:
    from bot.listening.issue_keys import IssueKeys

PREFIX = "ENGAGEMENT_"
LOG_LEVELS = ("debug", "info", "warning", "error")
SECRET_AT_LEAST = 32
"""The least characters of a webhook's secret; Telegram itself accepts a single one."""
CONTEXT_DAYS_AT_MOST = 36_500
LINEAR = "https://api.linear.app/graphql"
LINEAR_PATH = "/linear"
"""The path of Linear's webhooks."""

_TOKEN_NAME = "TELEGRAM_BOT_TOKEN"  # noqa: S105 - a name, no token
_TOKEN = re.compile(r"[0-9]{1,16}:[A-Za-z0-9_-]{1,100}")
_SECRET = re.compile(rf"[A-Za-z0-9_-]{{{SECRET_AT_LEAST},256}}")
_LINEAR_KEY = re.compile(r"[!-~]{8,256}")
_LINEAR_SECRET = re.compile(r"[!-~]{16,256}")
_TEAM_KEY = re.compile(rf"(?=.*[A-Z])[A-Z0-9]{{1,{ISSUE_ID_LIMIT - 2}}}")
_ID = re.compile(r"-?[0-9]{1,19}")
_DAYS = re.compile(r"[0-9]{1,5}")


class Secret:
    """A text that only `reveal` returns, so that no log or error prints it."""

    def __init__(self, text: str) -> None:
        """Wrap `text`."""
        self._text = text

    def reveal(self) -> str:
        """Return the secret text."""
        return self._text

    def __repr__(self) -> str:
        """Return a placeholder."""
        return "Secret(…)"


class Settings(msgspec.Struct, frozen=True):
    """Validated settings; each has an environment variable, ENGAGEMENT_ and its name."""

    database_url: str
    """An SQLAlchemy URL; without one, an SQLite file in `home`."""
    home: str = DEFAULT_HOME
    """The folder of all data."""
    timezone: str = "UTC"
    """The zone, by its name in the tz database, in which a bare date is a day."""
    log_level: str = "warning"
    """The least severe level that is logged to stderr: debug, info, warning or error."""
    telegram_bot_token: Secret | None = None
    """The token from BotFather; without one the bot works in the terminal only."""
    issue_pattern: str | None = None
    """A regular expression for issue keys as whole words, which replaces the built-in one."""
    team_keys: tuple[str, ...] = ()
    """Team keys, as in `AI,4U`: only these teams' issues count, in lower case too.

    Without them, and without `issue_pattern`, those that Linear names, if it is configured.
    """
    context_days: int = 90
    """The days for which the text of a message, and where it was sent, are kept."""
    chats: frozenset[int] = frozenset()
    """Chat ids, separated by commas: the bot listens only there, and in private to their members.
    """
    admins: frozenset[int] = frozenset()
    """User ids, separated by commas: admins may always talk to the bot, and use `/status`."""
    webhook_secret: Secret | None = None
    """The secret that comes with each webhook update: 32 to 256 of A-Z, a-z, 0-9, _ and -."""
    linear_api_key: Secret | None = None
    """A personal API key from Linear, which may be read-only: cards then describe the issues."""
    linear_teams: tuple[str, ...] = ()
    """Team keys, as in `AI,4U`: the teams whose issues are shown, instead of all public ones."""
    linear_url: str = LINEAR
    """The address of the Linear API; `http` only on this machine, for `engagement linear-demo`."""

    linear_webhook_secret: Secret | None = None
    """The signing secret of a webhook in Linear: the bot then listens for it at the path `/linear`.
    """

    @property
    def zone(self) -> ZoneInfo:
        """`timezone` as a ZoneInfo."""
        return ZoneInfo(self.timezone)

    @property
    def issue_keys(self) -> "IssueKeys":
        """A finder of issue keys, configured by these settings."""
        from bot.listening.issue_keys import IssueKeys  # noqa: PLC0415 - loads regex

        return IssueKeys(self.issue_pattern, self.team_keys)


def variable_of(field: str) -> str:
    """The environment variable of the setting `field`."""
    return _TOKEN_NAME if field == _TOKEN_NAME.lower() else PREFIX + field.upper()


VARIABLES = {variable_of(field): field for field in Settings.__struct_fields__}
"""Setting names by environment variable."""


def settings_of(environment: Mapping[str, str]) -> Settings:
    """Read the settings from `environment`; an empty value counts as unset.

    Raises SettingsError for an unknown ENGAGEMENT_ name or an invalid value; the message never
    contains a secret.
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


def _linear_key(name: str, value: str) -> Secret:
    if not _LINEAR_KEY.fullmatch(value.strip()):
        raise SettingsError(f"{name} is not a key such as Linear gives: 8 to 256 letters and signs")
    return Secret(value.strip())


def _linear_webhook_secret(name: str, value: str) -> Secret:
    if not _LINEAR_SECRET.fullmatch(value.strip()):
        raise SettingsError(
            f"{name} is not a signing secret such as Linear shows: 16 to 256 letters and signs"
        )
    return Secret(value.strip())


def _linear_url(name: str, value: str) -> str:
    try:
        url = urlsplit(value)
        is_usable = bool(url.hostname) and url.port != 0 and not url.username and not url.fragment
    except ValueError:
        is_usable = False
    if not (is_usable and value.isascii() and value.isprintable() and " " not in value):
        raise SettingsError(f"{name} is not an address such as {LINEAR}")
    if url.scheme != "https" and not (url.scheme == "http" and _is_loopback(url.hostname or "")):
        raise SettingsError(f"{name} must begin with https://, except on this machine")
    return value


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _pattern(name: str, value: str) -> str:
    from bot.listening.issue_keys import InvalidIssuePatternError, IssueKeys  # noqa: PLC0415 - loads regex

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
    "linear_api_key": _linear_key,
    "linear_url": _linear_url,
    "linear_webhook_secret": _linear_webhook_secret,
    "issue_pattern": _pattern,
    "team_keys": _team_keys,
    "linear_teams": _team_keys,
    "chats": _ids,
    "admins": _ids,
    "context_days": _days,
}
