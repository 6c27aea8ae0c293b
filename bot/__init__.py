"""The user interfaces: the Telegram bot, the terminal chat, the command line and scheduled jobs."""

from engagement_ledger import require_own

require_own("projections", "ledger")
