"""The environment of this process, and the ledger that it names."""

import os
from pathlib import Path

from ledger.errors import SettingsError
from ledger.location import url_of

_DOTENV = ".env"


def environment() -> dict[str, str]:
    """Return the environment of this process, with the values of `.env` as defaults.

    Raises SettingsError if `.env` is not in UTF-8.
    """
    if not Path(_DOTENV).exists():
        return dict(os.environ)
    from dotenv import dotenv_values  # noqa: PLC0415 - most ledgers are configured without

    try:
        from_file = {name: value for name, value in dotenv_values(_DOTENV).items() if value}
    except UnicodeDecodeError:
        raise SettingsError(".env is not in UTF-8") from None
    return from_file | os.environ


def configured_url() -> str:
    """Return the SQLAlchemy URL of the ledger that the environment or `.env` names."""
    return url_of(environment())
