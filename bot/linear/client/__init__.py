"""The client: asks Linear over the network, and remembers what it said."""

from collections.abc import Callable

from bot.extras import extra
from bot.linear.issue import Issue
from bot.settings import Settings
from ledger.application import Clock, utc_now

with extra("linear"):
    from bot.linear.client.connection import Connection
from bot.linear.client.linear import Linear, ignore
from bot.linear.client.team_keys import TeamKeys

__all__ = ["Connection", "Linear", "TeamKeys", "linear_of"]


def linear_of(
    settings: Settings,
    clock: Clock = utc_now,
    observe: Callable[[Issue], object] = ignore,
    miss: Callable[[str], object] = ignore,
) -> Linear | None:
    """A client by these settings, or None without a key; `observe` and `miss` as for `Linear`."""
    key = settings.linear_api_key
    if key is None:
        return None
    connection = Connection(settings.linear_url, key)
    allowed = settings.linear_teams
    return Linear(connection, clock, observe=observe, miss=miss, allowed=allowed)
