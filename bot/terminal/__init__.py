"""The terminal: the same bot, with a keyboard and a screen in Telegram's place."""

from bot.extras import extra

with extra("telegram"):
    from bot.terminal.chat import chat

__all__ = ["chat"]
