"""The doors at one address: Linear's is open also where the bot polls Telegram."""

import asyncio

from bot.linear.demo import SECRET, Webhooks, sender
from bot.linear.demo.webhooks import issue_body
from bot.linear.demo.workspace import invented
from bot.telegram.doors import Webhook
from ledger.clock import utc_now
from projections.application import Engagements
from tests.support.linear_door import HOST, free_port
from tests.support.telegram.bot_process import BotProcess
from tests.support.telegram.fake_server import FakeBotApi

LINEARS = {"ENGAGEMENT_LINEAR_WEBHOOK_SECRET": SECRET}


def test_a_polling_bot_takes_linears_webhooks_and_names_nothing_of_them(tmp_path):
    port = free_port()
    with FakeBotApi() as api:
        bot = BotProcess(api, tmp_path, webhook=Webhook(None, HOST, port), settings=LINEARS)
        api.wait_until(lambda: api.asked("getUpdates"), 20)
        world = invented(utc_now())
        send = sender(f"http://{HOST}:{port}/linear")
        webhooks = Webhooks(send, utc_now)
        issue, before = world.change("AI-1799", "state", "Done", utc_now())
        for _ in range(2):
            webhooks.add("Issue", "update", updatedFrom=before, **issue_body(world, issue))
        forged = Webhooks(send, utc_now, secret="x" * 20)
        forged.add("Issue", "update", **issue_body(world, world.issues[1]))
        asyncio.run(webhooks.deliver())
        asyncio.run(forged.deliver())
        assert webhooks.waiting == []
        assert len(forged.waiting) == 1
        bot.kill()
    with Engagements(f"sqlite:///{tmp_path}/ledger.db") as engagements:
        known = engagements.issues.issue("AI-1799")
        assert known is not None
        assert (known.at.state_type, known.at.removed) == ("completed", False)
        assert engagements.issues.issue("AI-1800") is None
        assert engagements.issues.last_webhook_at() is not None
        assert engagements.issues.latest_change() is not None
        events, _ = engagements.ledger.size()
        assert events == 1
    for word in (SECRET, "amara", "Answers cite", issue["assignee"]["id"]):
        assert word not in bot.log
