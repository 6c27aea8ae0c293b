"""Recording a history: entries in, a batch a transaction, refusals told one by one."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import msgspec

from ledger.errors import LedgerError
from ledger.interaction import Interaction
from ledger.store.append import Outcome

BATCH = 2_000
"""Entries a transaction: enough to share its cost, few enough that others need not wait long."""

RecordMany = Callable[[Sequence[Interaction]], Sequence[Outcome]]
"""Records interactions in one transaction: EngagementLedger.record_many."""


class UnreadableHistoryError(LedgerError):
    """A history that cannot be read, or not from here on; the message says where and why."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """An interaction and where it stands in its history, as in "line 7"."""

    place: str
    interaction: Interaction


class Refusal(msgspec.Struct, frozen=True):
    """An entry that is not recorded, where it stands in its history, and why."""

    place: str
    reason: str


class ImportReport(msgspec.Struct):
    """How many entries were read, and what became of them."""

    read: int = 0
    recorded: int = 0
    duplicates: int = 0
    refused: int = 0


def record_history(
    record_many: RecordMany,
    entries: Iterable[Entry | Refusal],
    report: ImportReport,
    on_refusal: Callable[[Refusal], object],
    on_batch: Callable[[], object],
) -> None:
    """Record all of `entries` that are good, counting in `report` what becomes of them.

    Each batch is recorded whole or not at all, and `on_batch` is called once it is durable. Raises
    what `entries` and `record_many` raise; `report` then says what was recorded before.
    """
    source = iter(entries)
    failure: UnreadableHistoryError | None = None
    while failure is None:
        batch, failure = _batch(source)
        if not batch:
            break
        _record_batch(record_many, batch, report, on_refusal)
        on_batch()
    if failure is not None:
        raise failure


def _batch(
    source: Iterator[Entry | Refusal],
) -> tuple[list[Entry | Refusal], UnreadableHistoryError | None]:
    batch: list[Entry | Refusal] = []
    try:
        batch.extend(islice(source, BATCH))  # keeps what came before an error
    except UnreadableHistoryError as failure:
        return batch, failure
    return batch, None


def _record_batch(
    record_many: RecordMany,
    batch: list[Entry | Refusal],
    report: ImportReport,
    on_refusal: Callable[[Refusal], object],
) -> None:
    good = [entry for entry in batch if isinstance(entry, Entry)]
    outcomes = iter(record_many([entry.interaction for entry in good]))
    for entry in batch:
        report.read += 1
        outcome = entry if isinstance(entry, Refusal) else next(outcomes)
        if isinstance(outcome, Refusal | LedgerError):
            report.refused += 1
            on_refusal(_refusal(entry.place, outcome))
        elif outcome.counted:
            report.recorded += 1
        else:
            report.duplicates += 1


def _refusal(place: str, outcome: Refusal | LedgerError) -> Refusal:
    return outcome if isinstance(outcome, Refusal) else Refusal(place, str(outcome))
