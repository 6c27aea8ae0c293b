"""Findings of `doctor` about Linear: the owner of the key, its teams, and its quota."""

import asyncio

from bot.cli.context import Session
from bot.cli.output import BAD, NOTE, OK, DoctorFinding, counted
from bot.extras import MissingExtraError
from bot.linear.decoding import Failed, Reason, Setup
from bot.linear.issue import may_be_shown
from bot.linear.quota import Limit, Quota
from bot.settings import Settings, variable_of
from ledger.errors import LedgerError
from ledger.instants import Instant, iso

CHECK, KEYS_CHECK, WEBHOOK_CHECK = "linear", "linear keys", "linear webhooks"

_TO_BE_CHANGED = {
    Reason.KEY_REFUSED: (
        f"make another in Linear's settings, and set {variable_of('linear_api_key')} to it"
    ),
    Reason.REFUSED: "`engagement linear check-schema` says what has changed there",
}
"""Remedies for failures that do not pass by themselves."""


def linear_findings(session: Session) -> list[DoctorFinding]:
    """Return what was found about the key, by asking Linear once, recorded keys, and webhooks."""
    return [*_of_key(session), *_of_recorded_keys(session), *_of_webhooks(session)]


def _of_key(session: Session) -> list[DoctorFinding]:
    if session.settings.linear_api_key is None:
        return []
    try:
        from bot.cli.issue import linear_for  # noqa: PLC0415 - loads httpx

        linear = linear_for(session)
    except MissingExtraError as error:
        return [DoctorFinding(CHECK, BAD, str(error))]

    async def ask() -> tuple[Setup | Failed, Quota]:
        try:
            return await linear.setup()
        finally:
            await linear.close()

    setup, quota = asyncio.run(ask())
    if isinstance(setup, Failed):
        return [_failure(setup)]
    return [_state(setup, quota, session.settings.linear_teams), *_audience(session.settings)]


def _of_recorded_keys(session: Session) -> list[DoctorFinding]:
    if session.settings.linear_api_key is None or not session.has_ledger():
        return []
    try:
        from bot.linear.intake.resolution import round_of  # noqa: PLC0415 - loads httpx

        with session.engagements() as engagements:
            keys, day = round_of(engagements).keys(), round_of(engagements).ends_on()
    except (LedgerError, MissingExtraError):
        return []  # other checks report it
    pending = sum(each.key not in keys.former for each in keys.pending)
    found = keys.found + len(keys.pending) - pending
    detail = f"{counted(found, 'recorded key')} found"
    if keys.not_found:
        detail += f"; {keys.not_found:,} not found, asked for again from {day} on"
    if not pending:
        return [DoctorFinding(KEYS_CHECK, OK, detail)]
    left = f"Linear is still to be asked for {pending:,}"
    remedy = "the bot does that once a day, `engagement linear resolve` now"
    return [DoctorFinding(KEYS_CHECK, NOTE, f"{detail}; {left}: {remedy}")]


def _of_webhooks(session: Session) -> list[DoctorFinding]:
    if session.settings.linear_webhook_secret is None:
        return []
    last = _last_webhook(session)
    if last is None:
        detail = "no webhook has come yet; `engagement webhook test` tries the door"
        return [DoctorFinding(WEBHOOK_CHECK, NOTE, detail)]
    return [DoctorFinding(WEBHOOK_CHECK, OK, f"the last one came at {iso(last)}")]


def _last_webhook(session: Session) -> Instant | None:
    try:
        with session.engagements() as engagements:
            return engagements.issues.last_webhook_at()
    except LedgerError:
        return None  # other checks report it


def _failure(failed: Failed) -> DoctorFinding:
    what = f"Linear {failed.reason.value}"
    if failed.reason in _TO_BE_CHANGED:
        return DoctorFinding(CHECK, BAD, f"{what}: {_TO_BE_CHANGED[failed.reason]}")
    detail = (
        f"{what}: cards say nothing of issues until that is over; everything else works as usual"
    )
    return DoctorFinding(CHECK, NOTE, detail)


def _state(setup: Setup, quota: Quota, allowed: tuple[str, ...]) -> DoctorFinding:
    seen = [team.key for team in setup.teams if may_be_shown(team, allowed)]
    hidden = len(setup.teams) - len(seen)
    teams = f"cards show teams {', '.join(seen) or 'none'}{' and more' * setup.has_more_teams}"
    others = f", and not {counted(hidden, 'other')}" if hidden else ""
    detail = (
        f"key of {setup.person or 'a person without a name'} in "
        f"{setup.workspace or 'a workspace without a name'}; {teams}{others}; left of the quota: "
        f"{_left('requests', quota.requests)}, {_left('points', quota.complexity)}"
    )
    return DoctorFinding(CHECK, OK, detail)


def _audience(settings: Settings) -> list[DoctorFinding]:
    """Return a note if strangers can see cards."""
    if settings.telegram_bot_token is None or settings.chats:
        return []
    detail = (
        f"{variable_of('chats')} is not set, so all who find the bot on Telegram see these teams' "
        "issues: set it to the chats of the people who may"
    )
    return [DoctorFinding(CHECK, NOTE, detail)]


def _left(what: str, limit: Limit) -> str:
    if limit.left is None:
        return f"unknown {what}"
    return f"{limit.left:,}{'' if limit.allowed is None else f' of {limit.allowed:,}'} {what}"
