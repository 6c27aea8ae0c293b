"""Answers of the bot, as values that any interface can show."""
