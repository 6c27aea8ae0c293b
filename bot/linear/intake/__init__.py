"""The intake of changes at Linear: webhooks, and a look-up of those that were missed."""
