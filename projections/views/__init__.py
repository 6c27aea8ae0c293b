"""Projections kept in the ledger's database, all of them derived: replay brings them back."""
