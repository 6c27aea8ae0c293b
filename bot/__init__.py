"""Who asks and who hears: the command line, settings, and what people read."""

from engagement_ledger import require_own

require_own("projections", "ledger")
