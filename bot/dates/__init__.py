"""Dates and times as people write and read them, in a time zone."""
