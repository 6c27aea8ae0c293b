"""Other processes that take a part of the work."""
