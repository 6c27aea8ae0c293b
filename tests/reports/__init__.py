"""Reports: one page, whose numbers are the ledger's answers and whose names are no markup."""
