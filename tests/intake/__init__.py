"""Histories from elsewhere."""
