"""Planted faults in a compaction: each makes it delete what is not safe yet."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa

from ledger.archive import segment_store
from ledger.segment import Segment
from ledger.store import compaction, segment_rows
from ledger.store.compaction import Compactor
from projections.columnar import NO
from projections.read_model import certificate, columnar_fold, snapshots

Wait = Callable[[], object]

SEALED = "rows are deleted"


def rows_first(wait: Wait) -> list[Any]:
    """Delete the rows before the file gets its name: a kill in between loses them."""
    seal = Compactor._seal

    def broken(self: Compactor, segment: Segment, certificate: dict[str, Any]) -> None:
        path = Path(self._archive.folder / segment.name)
        unnamed = path.with_name(f"{path.name}.unfinished")

        def record(*arguments: Any) -> None:
            path.rename(unnamed)
            segment_rows.seal(*arguments)

        with mock.patch.object(compaction, "seal", record):
            seal(self, segment, certificate)
        wait()
        unnamed.rename(path)

    return [mock.patch.object(Compactor, "_seal", broken)]


def folder_not_synced(wait: Wait) -> list[Any]:
    """Take a name for durable before its folder is synced, and report when rows are deleted."""
    seal = Compactor._seal

    def slow(self: Compactor, *arguments: Any) -> None:
        seal(self, *arguments)
        sys.stderr.write(f"{SEALED}\n")
        sys.stderr.flush()
        wait()

    return [
        mock.patch.object(segment_store, "sync"),
        mock.patch.object(Compactor, "_seal", slow),
    ]


def last_query_lost(_: Wait) -> list[Any]:
    """Seal without the instant of the last query, and so with a wrong last kind."""

    partial_of = columnar_fold.partial_of

    def broken(events: pa.Table) -> pa.Table:
        partial = partial_of(events)
        at, lost = partial.column_names.index("queried_at"), pa.array([NO] * len(partial))
        return partial.set_column(at, "queried_at", lost)

    return [
        mock.patch.object(module, "partial_of", broken) for module in (snapshots, columnar_fold)
    ]


def uncertified(_: Wait) -> list[Any]:
    """Delete the rows of what is sealed wrong, without the certificate that would refuse it."""
    checks = ((certificate, "_expect_equal"), (snapshots, "_expect_merged"))
    return [*last_query_lost(_), *(mock.patch.object(*each) for each in checks)]


COMPACTION_FAULTS: dict[str, Callable[[Wait], list[Any]]] = {
    "rows-first": rows_first,
    "folder-not-synced": folder_not_synced,
    "last-query-lost": last_query_lost,
    "uncertified": uncertified,
}
