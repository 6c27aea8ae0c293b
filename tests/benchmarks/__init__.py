"""How fast and how small the ledger is, as ratios to peers measured beside it in the same run."""
