"""Verifying a ledger: the checks, one module for each kind of thing that can be damaged."""
