"""The command that tries Linear's webhook: it knocks at the bot's door as Linear does."""

import json
from http import HTTPStatus
from typing import NamedTuple
from uuid import uuid4

import click

from bot.cli.context import Session
from bot.extras import extra
from bot.settings import LINEAR_PATH, variable_of
from ledger.errors import LedgerError, SettingsError
from ledger.instants import instant_of

URL = f"http://127.0.0.1:8080{LINEAR_PATH}"
ANSWER_SECONDS = 5.0
"""As long as Linear waits."""


class WebhookTestError(LedgerError):
    """The bot does not accept webhooks as it should; the message says why, and what to do."""


class _Answer(NamedTuple):
    status: int
    milliseconds: float


@click.group()
def webhook() -> None:
    """Try the webhook by which Linear reports changes."""


@webhook.command("test")
@click.option(
    "--url",
    default=URL,
    show_default=True,
    help="Where the bot, or a proxy in front of it, accepts Linear's webhooks.",
)
@click.pass_obj
def test(session: Session, url: str) -> None:
    """Send a signed webhook to the running bot, and say what happens.

    Then a forged one, which the bot must refuse. Nothing is recorded. Needs
    ENGAGEMENT_LINEAR_WEBHOOK_SECRET, the same as the bot's.
    """
    secret = session.settings.linear_webhook_secret
    if secret is None:
        message = (
            f"{variable_of('linear_webhook_secret')} is not set: make a webhook in Linear's "
            "settings, and set it to the signing secret there, for this command and for the bot"
        )
        raise SettingsError(message)
    body = _body(session)
    answer = _sent(url, body, body, secret.reveal())
    if answer.status != HTTPStatus.OK:
        raise WebhookTestError(_explained(answer.status, url))
    if _sent(url, body + b" ", body, secret.reveal()).status == HTTPStatus.OK:
        message = f"{url} accepts a forged webhook, too: the program there is not this bot"
        raise WebhookTestError(message)
    click.echo(f"accepted in {answer.milliseconds:.0f} ms; a forged one was refused")


def _body(session: Session) -> bytes:
    from bot.linear.webhooks import TEST_TYPE  # noqa: PLC0415 - loads hashes

    stamp = instant_of(session.clock()) // 1_000
    fields = {"type": TEST_TYPE, "action": "create", "webhookTimestamp": stamp, "data": {}}
    return json.dumps(fields).encode()


def _sent(url: str, body: bytes, signed: bytes, secret: str) -> _Answer:
    """Post `body` with the signature of `signed`."""
    from bot.linear.webhooks import (  # noqa: PLC0415 - loads hashes
        DELIVERY_HEADER,
        EVENT_HEADER,
        SIGNATURE_HEADER,
        TEST_TYPE,
        signature_of,
    )

    with extra("linear"):
        import httpx  # noqa: PLC0415 - loads much

    headers = {
        DELIVERY_HEADER: str(uuid4()),
        EVENT_HEADER: TEST_TYPE,
        SIGNATURE_HEADER: signature_of(signed, secret),
        "Content-Type": "application/json",
    }
    try:
        answer = httpx.post(
            url, content=body, headers=headers, timeout=ANSWER_SECONDS, trust_env=False
        )
    except httpx.TimeoutException:
        message = f"{url} does not answer within {ANSWER_SECONDS:.0f} seconds; Linear would retry"
        raise WebhookTestError(message) from None
    except httpx.ConnectError:
        message = (
            f"nothing listens at {url}: start `engagement run` or `engagement chat` with "
            f"{variable_of('linear_webhook_secret')}, or name its address by --url"
        )
        raise WebhookTestError(message) from None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise WebhookTestError(f"{url} cannot be asked: {type(error).__name__}") from None
    return _Answer(answer.status_code, answer.elapsed.total_seconds() * 1_000)


_MEANINGS: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "the bot there has another secret, or was not restarted since it was "
    f"set; {variable_of('linear_webhook_secret')} must be the same for both",
    HTTPStatus.FORBIDDEN: "the clocks of the bot and of this command differ by hours",
    HTTPStatus.NOT_FOUND: f"there is no door at this path; the bot's is {LINEAR_PATH}, and open "
    f"only with {variable_of('linear_webhook_secret')}",
    HTTPStatus.SERVICE_UNAVAILABLE: "the bot cannot record now; `engagement doctor` may say why",
}


def _explained(status: int, url: str) -> str:
    meaning = _MEANINGS.get(status, "the program there may not be this bot")
    return f"{url} answers {status}: {meaning}"
