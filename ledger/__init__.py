"""The ledger: immutable events of users touching issues, and the store that keeps them."""
