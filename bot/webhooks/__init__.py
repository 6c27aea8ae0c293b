"""Webhooks: the HTTP server through which Telegram and Linear deliver."""
