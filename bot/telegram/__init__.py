"""Telegram: updates are recorded before they are acknowledged, replies are sent in turn."""

from bot.extras import extra

with extra("telegram"):
    from bot.telegram.recording import Recorder, install

__all__ = ["Recorder", "install"]
