"""Histories from elsewhere, read as interactions one entry at a time."""
