"""Telegram: what comes in is recorded before it is acknowledged, what goes out is sent in turn."""

from bot.extras import extra

with extra("telegram"):
    from bot.telegram.recording import Recorder, install

__all__ = ["Recorder", "install"]
