"""The client: asks Linear over the network, and remembers what it said."""

from bot.extras import extra
from bot.settings import Settings
from ledger.application import Clock, utc_now

with extra("linear"):
    from bot.linear.client.connection import Connection
from bot.linear.client.linear import Linear
from bot.linear.client.team_keys import TeamKeys

__all__ = ["Connection", "Linear", "TeamKeys", "linear_of"]


def linear_of(settings: Settings, clock: Clock = utc_now) -> Linear | None:
    """Return a client by these settings, or None without a key."""
    key = settings.linear_api_key
    if key is None:
        return None
    return Linear(Connection(settings.linear_url, key), clock, allowed=settings.linear_teams)
