"""The language of the bot: the one module of words that all others read."""

from bot import english as words

__all__ = ["words"]
