"""The Bot API's error responses, worded and coded as Telegram does."""

from typing import Any


class Refusal(Exception):  # noqa: N818  (an answer of the API, not a fault of it)
    """A request that is answered with an error: its code, description and parameters."""

    def __init__(self, code: int, description: str, **parameters: Any) -> None:
        """Answer `code` and `description`; `parameters` are Telegram's ResponseParameters."""
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters


def bad_request(what: str, **parameters: Any) -> Refusal:
    """A 400."""
    return Refusal(400, f"Bad Request: {what}", **parameters)


def forbidden(what: str) -> Refusal:
    """A 403."""
    return Refusal(403, f"Forbidden: {what}")


def too_many_requests(seconds: int) -> Refusal:
    """A 429 that says how long to wait."""
    return Refusal(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)


NOT_FOUND = (404, "Not Found")
UNAUTHORIZED = (401, "Unauthorized")
OTHER_POLL = (
    409,
    (
        "Conflict: terminated by other getUpdates request; "
        "make sure that only one bot instance is running"
    ),
)
WEBHOOK_ACTIVE = (
    409,
    (
        "Conflict: can't use getUpdates method while webhook is active; "
        "use deleteWebhook to delete the webhook first"
    ),
)
