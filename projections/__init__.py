"""What it means: engagements, scores and rankings, computed from the ledger's events."""
