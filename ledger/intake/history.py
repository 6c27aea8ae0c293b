"""Recording of a history: one transaction per batch of entries, and one refusal per bad entry."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from ledger.commands import FOREVER, Interaction
from ledger.errors import LedgerError, OptedOutError
from ledger.instants import Instant

if TYPE_CHECKING:
    from ledger.store.append import Outcome

BATCH = 2_000
"""Entries per transaction: enough to share its cost, few enough not to keep others waiting."""


class UnreadableHistoryError(LedgerError):
    """A history that is unreadable, or becomes so; the message says where and why."""


class Entry(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The interactions of one entry of a history, and its place, as in "line 7".

    A row is one interaction; a message or a commit has one per issue. `names` are display names by
    user id. `left_out` are the interactions of automation, and of others whom a map of users leaves
    out.
    """

    place: str
    interactions: tuple[Interaction, ...]
    names: tuple[tuple[str, str], ...] = ()
    left_out: tuple[Interaction, ...] = ()


class Refusal(msgspec.Struct, frozen=True, tag=True):
    """An entry that is not recorded, with its place in the history and the reason."""

    place: str
    reason: str


class Window(msgspec.Struct, frozen=True):
    """The instants from `since` to `until`, inclusive; None is unlimited."""

    since: Instant | None = None
    until: Instant | None = None

    def holds(self, interaction: Interaction) -> bool:
        """Whether the interaction occurred within the window."""
        occurred_at = interaction.occurred_at
        if occurred_at is None:  # recorded now, which is not history
            return False
        return (self.since or 0) <= occurred_at <= (FOREVER if self.until is None else self.until)

    @property
    def is_always(self) -> bool:
        """Whether the window is unlimited."""
        return self.since is None and self.until is None


class ImportReport(msgspec.Struct):
    """Counts of the entries that were read, and of the outcomes of their interactions.

    Not recorded are those `outside` the window, those of users who `opted_out`, and those
    `left_out` because automation made them. `refused` counts invalid entries, and interactions that
    the ledger refused.
    """

    read: int = 0
    recorded: int = 0
    duplicates: int = 0
    outside: int = 0
    opted_out: int = 0
    left_out: int = 0
    refused: int = 0


class Recorder(Protocol):
    """The target of a history: the ledger, or a preview of it."""

    def record_bulk(self, interactions: Sequence[Interaction], /) -> Mapping[int, "Outcome"]:
        """Record in one transaction; return by number the outcomes of those not surely counted."""

    def name_users(self, names: Mapping[str, str]) -> None:
        """Store the names of users who have an account."""


def within(
    window: Window, entries: Iterable[Entry | Refusal], report: ImportReport
) -> Iterable[Entry | Refusal]:
    """Yield `entries` without interactions outside the window, which are counted in `report`."""
    return entries if window.is_always else _within(window, entries, report)


def _within(
    window: Window, entries: Iterable[Entry | Refusal], report: ImportReport
) -> Iterator[Entry | Refusal]:
    for entry in entries:
        if isinstance(entry, Refusal):
            yield entry
            continue
        inside = tuple(each for each in entry.interactions if window.holds(each))
        report.outside += len(entry.interactions) - len(inside)
        left_out = tuple(each for each in entry.left_out if window.holds(each))
        yield Entry(entry.place, inside, entry.names, left_out)


def record_history(
    recorder: Recorder,
    entries: Iterable[Entry | Refusal],
    report: ImportReport,
    on_refusal: Callable[[Refusal], object],
    on_batch: Callable[[], object],
) -> None:
    """Record all valid `entries`, and count the outcomes in `report`.

    Each batch is recorded atomically, and `on_batch` is called once it is durable. Only users with
    recorded interactions get their names. Raises what `entries` and `recorder`
    raise; `report` then says what was recorded before.
    """
    source = iter(entries)
    failure: UnreadableHistoryError | None = None
    while failure is None:
        batch, failure = _batch(source)
        if not batch:
            break
        _record_batch(recorder, batch, report, on_refusal)
        on_batch()
    if failure is not None:
        raise failure


def _batch(
    source: Iterator[Entry | Refusal],
) -> tuple[list[Entry | Refusal], UnreadableHistoryError | None]:
    batch: list[Entry | Refusal] = []
    room = BATCH
    try:
        for entry in source:
            batch.append(entry)
            room -= max(1, len(entry.interactions)) if isinstance(entry, Entry) else 1
            if room <= 0:
                break
    except UnreadableHistoryError as failure:
        return batch, failure
    return batch, None


def _record_batch(
    recorder: Recorder,
    batch: list[Entry | Refusal],
    report: ImportReport,
    on_refusal: Callable[[Refusal], object],
) -> None:
    wanted = [each for entry in batch if isinstance(entry, Entry) for each in entry.interactions]
    outcomes = recorder.record_bulk(wanted) if wanted else {}
    report.read += len(batch)
    report.recorded += len(wanted) - len(outcomes)
    names: dict[str, str] = {}
    number = 0
    for entry in batch:
        if isinstance(entry, Refusal):
            report.refused += 1
            on_refusal(entry)
            continue
        report.left_out += len(entry.left_out)
        if entry.interactions:
            names.update(entry.names)
        for interaction in entry.interactions:
            outcome = outcomes.get(number)
            number += 1
            if outcome is None:
                continue
            _count(outcome, entry.place, report, on_refusal)
            if isinstance(outcome, LedgerError):
                names.pop(interaction.user_id, None)
    if names:
        recorder.name_users(names)


def _count(
    outcome: "Outcome",
    place: str,
    report: ImportReport,
    on_refusal: Callable[[Refusal], object],
) -> None:
    match outcome:
        case OptedOutError():
            report.opted_out += 1
        case LedgerError():
            report.refused += 1
            on_refusal(Refusal(place, str(outcome)))
        case receipt if receipt.counted:
            report.recorded += 1
        case _:
            report.duplicates += 1
