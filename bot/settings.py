"""Settings: what the environment says, checked at the start."""

from collections.abc import Mapping
from urllib.parse import quote
from zoneinfo import ZoneInfo

import msgspec

from ledger.errors import LedgerError

PREFIX = "ENGAGEMENT_"
LOG_LEVELS = ("debug", "info", "warning", "error")


class SettingsError(LedgerError):
    """A setting that is unknown or cannot be meant."""


class Settings(msgspec.Struct, frozen=True):
    """The checked settings; each is an environment variable, ENGAGEMENT_ and its name."""

    database_url: str
    """An SQLAlchemy URL; without one, an SQLite file in `home`."""
    home: str = "./engagement-data"
    """The folder of everything that is kept."""
    timezone: str = "UTC"
    """The zone, by its name in the tz database, in which a bare date is a day."""
    log_level: str = "warning"
    """How much is logged to stderr: debug, info, warning or error."""

    @property
    def zone(self) -> ZoneInfo:
        """The zone that `timezone` names."""
        return ZoneInfo(self.timezone)


def settings_of(environment: Mapping[str, str]) -> Settings:
    """Return the settings that `environment` holds; an empty value counts as none.

    Raises SettingsError for an unknown ENGAGEMENT_ name or a value that cannot be meant.
    """
    given = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(PREFIX) and value
    }
    for name in given.keys() - set(Settings.__struct_fields__):
        known = ", ".join(PREFIX + field.upper() for field in Settings.__struct_fields__)
        message = f"{PREFIX}{name.upper()} is no setting; there are {known}"
        raise SettingsError(message)
    home = given.setdefault("home", "./engagement-data")
    given.setdefault("database_url", f"sqlite:///{quote(home)}/ledger.db")
    settings = Settings(**given)
    _check(settings)
    return settings


def _check(settings: Settings) -> None:
    if settings.log_level not in LOG_LEVELS:
        message = f"{PREFIX}LOG_LEVEL must be one of {', '.join(LOG_LEVELS)}"
        raise SettingsError(message)
    try:
        ZoneInfo(settings.timezone)
    except (LookupError, ValueError, OSError):
        message = f"{PREFIX}TIMEZONE is {settings.timezone!r}, which is no zone of the tz database"
        raise SettingsError(message) from None
