"""The archive: sealed ranges of the ledger's events, as Parquet files beside the database."""
