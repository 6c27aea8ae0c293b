"""The spool: entries wait in a file until the ledger can take them."""
