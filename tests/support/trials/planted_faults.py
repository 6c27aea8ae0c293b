"""Planted faults, which the trials must catch.

Most split one transaction into several, with enough time between them for a kill. Without a kill
they make no difference: the rows are the same in the end.
"""

import contextlib
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any
from unittest import mock

import msgspec
from sqlalchemy import bindparam, delete, insert, select, update

from bot.cli import import_telegram
from bot.intake.telegram_export import read_export
from ledger.application import EngagementLedger
from ledger.commands import Interaction
from ledger.errors import UnknownReplayError
from ledger.idempotency import SourceKey, digest
from ledger.intake import reading_ahead
from ledger.intake.csv_history import read_csv
from ledger.store import projection
from ledger.store.append import Appender, Outcome, Receipt
from ledger.store.streams import Head
from ledger.store.tables import head, sources
from ledger.store.tables import ledger as identity
from projections.read_model import catalog, model
from projections.read_model.rebuild import Replays
from tests.support.trials.compaction_faults import COMPACTION_FAULTS

Append = Callable[[Sequence[Interaction]], Sequence[Outcome]]
Wait = Callable[[], object]
Patch = contextlib.AbstractContextManager[object]
Rows = list[dict[str, object]]


@contextlib.contextmanager
def planted(name: str, window_seconds: float = 0.0) -> Iterator[None]:
    """Break the ledgers of this process; it waits at each point where a kill would do harm."""
    with contextlib.ExitStack() as patches:
        for patch in FAULTS[name](partial(time.sleep, window_seconds)):
            patches.enter_context(patch)
        yield


# --- the source key in a transaction of its own --------------------------------------------------


def key_first(wait: Wait) -> list[Patch]:
    """Commit the source keys before their events: a kill in between loses the events."""

    def fault(
        ledger: EngagementLedger, new: Sequence[Interaction], append: Append
    ) -> Sequence[Outcome]:
        decoys = [_decoy(each) for each in new]
        with ledger.database.write() as connection:
            first = 1 + connection.execute(select(head.c.position)).scalar_one()
            marks = enumerate(_marks(ledger, new), first)
            rows: Rows = [{"digest": mark, "position": position} for position, mark in marks]
            connection.execute(insert(sources), rows)
        wait()
        outcomes = append(decoys)
        with ledger.database.write() as connection:
            rows = [{"mark": mark} for mark in _marks(ledger, decoys)]
            connection.execute(delete(sources).where(sources.c.digest == bindparam("mark")), rows)
        return outcomes

    return _for_new_ones(fault)


def key_last(wait: Wait) -> list[Patch]:
    """Commit the events before their source keys: after a kill in between they count twice."""

    def fault(
        ledger: EngagementLedger, new: Sequence[Interaction], append: Append
    ) -> Sequence[Outcome]:
        decoys = [_decoy(each) for each in new]
        outcomes = append(decoys)
        wait()
        pairs = zip(_marks(ledger, decoys), _marks(ledger, new), strict=True)
        with ledger.database.write() as connection:
            connection.execute(
                update(sources)
                .where(sources.c.digest == bindparam("decoy"))
                .values(digest=bindparam("real")),
                [{"decoy": decoy, "real": real} for decoy, real in pairs],
            )
        return outcomes

    return _for_new_ones(fault)


Fault = Callable[[EngagementLedger, Sequence[Interaction], Append], Sequence[Outcome]]


def _for_new_ones(fault: Fault) -> list[Patch]:
    """Let the fault record all interactions whose source key was not counted before."""
    record_many = EngagementLedger.record_many

    def broken_many(self: EngagementLedger, interactions: Sequence[Interaction]) -> list[Outcome]:
        known = [_position(self, mark) for mark in _marks(self, interactions)]
        new = [each for each, at in zip(interactions, known, strict=True) if at is None]
        fresh = iter(fault(self, new, partial(record_many, self)) if new else [])
        return [next(fresh) if at is None else Receipt(at, counted=False) for at in known]

    def broken_bulk(
        self: EngagementLedger, interactions: Sequence[Interaction]
    ) -> dict[int, Outcome]:
        return dict(enumerate(broken_many(self, interactions)))

    def broken(self: EngagementLedger, interaction: Interaction) -> Outcome:
        return broken_many(self, [interaction])[0]

    return [
        mock.patch.object(EngagementLedger, "record_many", broken_many),
        mock.patch.object(EngagementLedger, "record_bulk", broken_bulk),
        mock.patch.object(EngagementLedger, "record", broken),
    ]


def _decoy(interaction: Interaction) -> Interaction:
    """The interaction under a source key that is new, but looks like its own."""
    key = interaction.source_key
    assert key is not None
    decoy = SourceKey(uuid.uuid4().hex, key.dated_at, key.label or key.text)
    return msgspec.structs.replace(interaction, source_key=decoy)


def _marks(ledger: EngagementLedger, interactions: Sequence[Interaction]) -> list[bytes]:
    with ledger.database.read() as connection:
        secret: bytes = connection.execute(select(identity.c.digest_key)).scalar_one()
    return [digest(each.source_key, secret) for each in interactions if each.source_key]


def _position(ledger: EngagementLedger, mark: bytes) -> int | None:
    with ledger.database.read() as connection:
        query = select(sources.c.position).where(sources.c.digest == mark)
        position: int | None = connection.execute(query).scalar_one_or_none()
    return position


# --- the watermark in a transaction of its own ---------------------------------------------------


def watermark_last(wait: Wait) -> list[Patch]:
    """Commit folded rows before the watermark: after a kill in between events are merged twice.

    Folding begins early, so that a few records suffice.
    """

    def advance(self: Appender) -> bool:
        with mock.patch.object(model, "note") as noted, self._database.write() as connection:
            is_at_head = self._projection.advance(connection, self._database.archive)
        wait()
        with self._database.write() as connection:
            for call in noted.call_args_list:
                catalog.note(connection, call.args[1])
        return is_at_head

    return [
        mock.patch.object(Appender, "_advance", advance),
        mock.patch.object(projection, "TAIL_AT_MOST", 3),
        mock.patch.object(projection, "PAUSE_SECONDS", 0),
    ]


# --- replays into another read model -------------------------------------------------------------


def position_apart(wait: Wait) -> list[Patch]:
    """Commit folded rows before the position: after a kill in between they are folded again."""

    def fold(self: Replays, name: str, progress: Callable[[int], object]) -> int:
        while True:
            with self._database.write() as connection:
                with mock.patch.object(model, "note") as noted:
                    is_at_head = self._model(name).advance(connection, self._database.archive)
                reached = catalog.known(connection, name)
            wait()
            for call in noted.call_args_list:
                reached = call.args[1]
                with self._database.write() as connection:
                    catalog.note(connection, reached)
            progress(reached.position)
            if is_at_head:
                return reached.position

    return [mock.patch.object(Replays, "fold", fold)]


def from_the_start(_: Wait) -> list[Patch]:
    """Start over instead of going on."""
    begin = Replays.begin

    def begin_anew(self: Replays, name: str) -> catalog.Watermark:
        with contextlib.suppress(UnknownReplayError):
            self.drop(name)
        return begin(self, name)

    return [mock.patch.object(Replays, "begin", begin_anew)]


def switch_at_once(_: Wait) -> list[Patch]:
    """Switch without catching up, but with the watermark at the head."""

    def switch(self: Replays, name: str) -> int:
        with self._database.write() as connection:
            position = Head.read(connection).position
            reached = catalog.known(connection, name)._replace(position=position)
            catalog.swap(connection, reached)
        return reached.position

    return [mock.patch.object(Replays, "_switch", switch)]


# --- the whole file in memory --------------------------------------------------------------------


def whole_file(_: Wait) -> list[Patch]:
    """Read a history to its end before the first row is recorded."""

    def read_all(*arguments: Any) -> Iterator[Any]:
        return iter(list(read_csv(*arguments)))

    return [
        mock.patch.object(reading_ahead, "read_csv", read_all),
        mock.patch.object(reading_ahead, "SHARED_FROM", sys.maxsize),  # read in this process
    ]


def whole_export(_: Wait) -> list[Patch]:
    """Read an export to its end before the first message is heard."""

    def read_all(*arguments: Any) -> Iterator[Any]:
        return iter(list(read_export(*arguments)))

    return [mock.patch.object(import_telegram, "read_export", read_all)]


FAULTS: dict[str, Callable[[Wait], list[Patch]]] = {
    "key-first": key_first,
    "key-last": key_last,
    "watermark-last": watermark_last,
    "position-apart": position_apart,
    "from-the-start": from_the_start,
    "switch-at-once": switch_at_once,
    "whole-file": whole_file,
    "whole-export": whole_export,
    **COMPACTION_FAULTS,
}
SPLIT_TRANSACTIONS = ("key-first", "key-last", "watermark-last")
