"""EngagementBot: assembles the bot, for Telegram and for the terminal."""

import asyncio
import logging
from collections.abc import Coroutine
from functools import partial
from typing import Any, NoReturn, Self, cast

from bot.answers import about_the_clock
from bot.answers.reply import Reply, say
from bot.clocks import ClockGuard
from bot.extras import extra
from bot.jobs import (
    EngagementJobs,
    add_engagement_jobs_to_scheduler,
    add_expiry_to_scheduler,
    add_resolution_to_scheduler,
)
from bot.language import words
from bot.linear.client import TeamKeys, linear_of
from bot.linear.intake.catch_up import CatchUp
from bot.linear.intake.recorder import Take, WebhookRecorder
from bot.linear.intake.resolution import Resolution, resolution_of
from bot.linear.issue import Issue
from bot.linear.observed import no_longer_public, observation_of
from bot.listening.access import Gate
from bot.listening.bot_commands import COMMANDS, Audience
from bot.settings import Settings
from bot.telegram.conversation import Conversation
from bot.telegram.inline_answers import InlineAnswers
from bot.telegram.key_check import KeyCheck
from bot.telegram.linking import Linking
from bot.telegram.look_ups import LookUps
from bot.telegram.recording import Outage, Recorder, RecordingQueue, install
from bot.telegram.sending import Address, Outbox, persistently, send
from ledger.errors import LedgerError
from ledger.instants import instant_of
from ledger.observations import Observation
from projections.application import Engagements, EngagementTracker

with extra("telegram"):
    import telegram
    from telegram.ext import AIORateLimiter, Application, ApplicationBuilder

_log = logging.getLogger(__name__)

DRAIN_SECONDS = 4.0
"""How long a stopping bot goes on delivering replies."""

AnyBuilder = ApplicationBuilder[Any, Any, Any, Any, Any, Any]
AnyApplication = Application[Any, Any, Any, Any, Any, Any]


class EngagementBot:
    """The application, its recorder and its outbox, on one opened ledger.

    An asynchronous context manager: entering starts the bot; leaving handles the updates that were
    received, delivers replies for some seconds, and stops.
    """

    def __init__(
        self,
        engagements: Engagements,
        settings: Settings,
        builder: AnyBuilder,
        clock: ClockGuard | None = None,
        **queue: Any,  # noqa: ANN401 - as `install` takes it
    ) -> None:
        """Build the application with `builder`, which says how to reach Telegram.

        `clock` guards irreversible work; unless it has another listener, its doubts go to the
        admins. `queue` is passed to `install`: it knows which update is the last of a poll.
        """
        self.engagements = engagements
        self._clock = clock or ClockGuard(engagements)
        self._loop: asyncio.AbstractEventLoop
        self._settings = settings
        self._gate = Gate(settings.chats, settings.admins, engagements.ledger.knows)
        self.application: AnyApplication = builder.build()
        self.recorder: Recorder = install(
            self.application, EngagementTracker(engagements), settings, gate=self._gate, **queue
        )
        self.recorder.tell_of = self._tell_of
        self.queue = cast("RecordingQueue", self.application.update_queue)
        self.outbox = Outbox()
        self._observing: set[asyncio.Task[None]] = set()
        self._linear = linear_of(settings, engagements.clock, self._observe, self._miss)
        linking = Linking(engagements.ledger, self.application.bot, self.outbox)
        self.webhooks = _webhooks_of(engagements, settings, self._take, linking)
        self._resolution = (
            None if self._linear is None else resolution_of(self._linear, engagements)
        )
        self._catching_up: asyncio.Task[None] | None = None
        self._team_keys = TeamKeys(self.recorder.keys, settings.linear_teams)
        self._following: asyncio.Task[NoReturn] | None = None
        look_ups = LookUps(self._linear, self.outbox, self._team_keys)
        if self._linear is not None:
            self.recorder.reception.key_check = KeyCheck(
                look_ups,
                engagements,
                settings.linear_teams,
                is_behind=lambda: self.recorder.keeper.is_behind,
            )
        Conversation(
            engagements, settings, self._gate, self.recorder, self.outbox, self._clock, look_ups
        ).join(self.application)
        InlineAnswers(
            self.recorder.reception, look_ups, self.outbox, engagements.clock, settings.zone
        ).join(self.application)
        if self.application.job_queue is not None:
            jobs = EngagementJobs(engagements, settings.zone, self._clock)
            jobs.on_damage = self._tell_of_damage
            add_engagement_jobs_to_scheduler(self.application.job_queue, jobs)
            add_expiry_to_scheduler(self.application.job_queue, jobs, settings.context_days)
            if self._resolution is not None:
                resolve = partial(self._resolve, self._resolution)
                add_resolution_to_scheduler(self.application.job_queue, jobs, resolve)

    async def __aenter__(self) -> Self:
        """Start handling updates; raises TelegramError where Telegram refuses."""
        self._loop = asyncio.get_running_loop()
        if self._clock.on_doubt is None:
            self._clock.on_doubt = lambda doubted: self._loop.call_soon_threadsafe(
                self._tell_admins, about_the_clock.doubt(doubted)
            )
        self._gate.migrate(await asyncio.to_thread(self._migrations))
        await self.recorder.keeper.reserve()
        await self.application.initialize()
        await self.application.start()
        if self._linear is not None and self.webhooks is not None:
            latest, clock = self.engagements.issues.latest_change, self.engagements.clock
            catch_up = CatchUp(self._linear, self._take, latest, clock)
            self._catching_up = asyncio.create_task(catch_up.run(), name="linear-catch-up")
        # Settings that say which keys count are not overruled.
        is_open = not (self._settings.team_keys or self._settings.issue_pattern)
        if self._linear is not None and is_open:
            self._following = asyncio.create_task(self._team_keys.follow(self._linear))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Handle what was received, deliver what can be, and stop."""
        if self._catching_up is not None:
            self._catching_up.cancel()
        if self._resolution is not None:
            self._resolution.end()
        await self.recorder.settle()
        await self.application.stop()
        await self.outbox.close(DRAIN_SECONDS)
        if self._following is not None:
            self._following.cancel()
        if self._linear is not None:
            await self._linear.close()
            await asyncio.gather(*self._observing)
        await self.recorder.close()
        await self.application.shutdown()

    async def show_commands(self) -> None:
        """Set the menus: all commands in private, fewer in groups, one more for the admins.

        A menu that Telegram rejects is logged and left as it was.
        """
        everybody, groups = _menu(in_group=False), _menu(in_group=True)
        await self._show(everybody, telegram.BotCommandScopeAllPrivateChats())
        await self._show(groups, telegram.BotCommandScopeAllGroupChats())
        for admin in sorted(self._settings.admins):
            menu = _menu(in_group=False, for_admins=True)
            await self._show(menu, telegram.BotCommandScopeChat(admin))

    def _observe(self, issue: Issue) -> None:
        """Record what Linear said of an issue, without waiting for it."""
        observation = observation_of(issue, instant_of(self.engagements.clock()))
        if observation is not None:
            self._begin(self._record(observation))

    def _miss(self, key: str) -> None:
        """Note that an issue may not be seen any more, if the ledger knows it, without waiting."""
        self._begin(self._record_missing(key))

    def _begin(self, recording: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(recording, name="linear-observation")
        self._observing.add(task)
        task.add_done_callback(self._observing.discard)

    async def _record_missing(self, key: str) -> None:
        now = instant_of(self.engagements.clock())
        try:
            known = await asyncio.to_thread(self.engagements.issues.issue, key)
        except LedgerError as error:
            _log.warning("observation not recorded", extra={"error": type(error).__name__})
            return
        if known is not None and known.now.is_public:
            await self._record(no_longer_public(known.now, known.updated_at, now))

    async def _record(self, observation: Observation) -> None:
        """Record an observation; one that the ledger cannot take is lost: Linear is asked again."""
        try:
            await self.engagements.ledger.record_async(observation)
        except LedgerError as error:
            _log.warning("observation not recorded", extra={"error": type(error).__name__})

    async def _take(self, observation: Observation) -> None:
        """Record a change that Linear reports; the next card of the issue shows it."""
        await self.engagements.ledger.record_async(observation)
        if self._linear is not None and not observation.commented:
            self._linear.outdate(observation.identifiers)

    def _resolve(self, resolution: Resolution) -> int:
        """Ask Linear which issues recorded keys name, and return how many were found.

        Called in a job's thread; raises NotResolvedError if keys are left.
        """
        resolving = asyncio.run_coroutine_threadsafe(resolution.resolve(), self._loop)
        return resolving.result().expect_none_pending().found

    def _tell_admins(self, reply: Reply) -> None:
        for admin in sorted(self._settings.admins):
            deliver = partial(send, self.application.bot, Address(admin), reply)
            self.outbox.post(admin, deliver, lasting=True)

    async def _show(self, menu: list[telegram.BotCommand], scope: telegram.BotCommandScope) -> None:
        try:
            await persistently(partial(self.application.bot.set_my_commands, menu, scope))
        except telegram.error.TelegramError as error:
            if isinstance(error, telegram.error.InvalidToken):
                raise
            _log.info("menu not shown", extra={"error": type(error).__name__})

    def _tell_of(self, outage: Outage) -> None:
        """Notify the admins when an outage of recording begins, and when it ends."""
        since = f"{outage.since.astimezone(self._settings.zone):%Y-%m-%d %H:%M %Z}"
        if outage.is_over:
            self._tell_admins(say(words.KEPT_AGAIN, since=since))
        else:
            self._tell_admins(say(words.NOT_KEPT, since=since, reason=outage.reason))

    def _tell_of_damage(self, finding: str) -> None:
        """Send the admins a description of the damage; called in a job's thread."""
        self._loop.call_soon_threadsafe(self._tell_admins, say(words.DAMAGED, finding=finding))

    def _migrations(self) -> dict[int, int]:
        try:
            known = self.engagements.ledger.migrations()
        except LedgerError as error:
            _log.warning("migrations unread", extra={"error": type(error).__name__})
            return {}
        return {int(old): int(new) for old, new in known.items()}


def _webhooks_of(
    engagements: Engagements, settings: Settings, take: Take, linking: Linking
) -> WebhookRecorder | None:
    """The recorder of Linear's webhooks, or None without their secret."""
    secret = settings.linear_webhook_secret
    if secret is None:
        return None
    return WebhookRecorder(take, secret, engagements.clock, linking.redeem)


def telegram_builder(settings: Settings) -> AnyBuilder:
    """A builder of applications that reach Telegram and respect its sending limits."""
    token = settings.telegram_bot_token
    if token is None:
        raise ValueError("there is no token")
    return (
        Application.builder()
        .token(token.reveal())
        # The limiter's own retries would delay every chat; `bot.telegram.sending` retries instead.
        .rate_limiter(AIORateLimiter(max_retries=0))
    )


def _menu(*, in_group: bool, for_admins: bool = False) -> list[telegram.BotCommand]:
    return [
        telegram.BotCommand(name, words.SUMMARIES[name])
        for name, command in COMMANDS.items()
        if (for_admins or not command.for_admins)
        and not (in_group and command.audience is Audience.PRIVATE_CHAT)
    ]
