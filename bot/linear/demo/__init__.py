"""A local Linear: our part of its schema, executed over a small invented workspace."""

from bot.extras import extra

with extra("linear-demo"):
    from bot.linear.demo.execution import Executor
    from bot.linear.demo.server import LocalLinear, Scripted
    from bot.linear.demo.webhooks import SECRET, Webhooks, sender
    from bot.linear.demo.workspace import KEY, Workspace, invented

__all__ = [
    "KEY",
    "SECRET",
    "Executor",
    "LocalLinear",
    "Scripted",
    "Webhooks",
    "Workspace",
    "invented",
    "sender",
]
