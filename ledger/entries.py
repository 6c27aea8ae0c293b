"""Entries of a history to import: their interactions, refusals, and what became of them."""

from collections.abc import Iterable, Iterator

import msgspec

from ledger.commands import FOREVER, Interaction
from ledger.instants import Instant


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
