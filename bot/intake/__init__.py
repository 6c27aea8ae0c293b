"""Telegram's exports of chats, read from files."""
