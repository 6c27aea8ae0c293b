"""What it means: engagements, scores and rankings, computed from the ledger's events."""

from engagement_ledger import require_own

require_own("ledger")
