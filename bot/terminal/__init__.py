"""The terminal chat: the same bot, with a keyboard and a screen in place of Telegram."""

from bot.extras import extra

with extra("telegram"):
    from bot.terminal.chat import chat

__all__ = ["chat"]
