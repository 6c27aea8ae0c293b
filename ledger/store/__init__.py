"""The store: PERSISTENCE_MODULE for the eventsourcing package, on SQLAlchemy Core."""

from ledger.store.factory import StoreFactory

__all__ = ["StoreFactory"]
