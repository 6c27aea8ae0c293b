"""The language of the bot: `words` is the module of texts that all others use."""

from bot import english as words

__all__ = ["words"]
