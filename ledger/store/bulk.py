"""Appending many interactions of a history by columns.

Nearly all of them are new, and that is certain before anything is written. Those go in by columns,
in tight loops. Any other is judged as a single record is, in its place in the order.
"""

import secrets
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import repeat

from ledger.codec import commitment, origin_of
from ledger.commands import Interaction
from ledger.events import INTERACTION
from ledger.idempotency import digest, former_digest
from ledger.instants import DAY
from ledger.store.append import SALT_BYTES, Appender, Batch, Outcome
from ledger.store.rows import event_rows

_NO_KEY = b""


def append_bulk(appender: Appender, interactions: Sequence[Interaction]) -> dict[int, Outcome]:
    """Append `interactions` in their order, in one transaction, as `appender.append` does.

    Returns the outcomes of those that were judged one by one, by their numbers; all others were
    counted.
    """
    return appender.transact(_Bulk, lambda batch: batch.add_all(interactions))


class _Bulk(Batch):
    """The rows that one transaction will write, most of them added by columns."""

    def add_all(self, interactions: Sequence[Interaction]) -> dict[int, Outcome]:
        marks = [_mark(each, self._known.secret) for each in interactions]
        outcomes: dict[int, Outcome] = {}
        begun = 0
        for number in self._doubtful(interactions, marks):
            self._add_new(interactions[begun:number], marks[begun:number])
            outcomes[number] = self.add(interactions[number])
            begun = number + 1
        self._add_new(interactions[begun:], marks[begun:])
        return outcomes

    def _doubtful(self, interactions: Sequence[Interaction], marks: Sequence[bytes]) -> list[int]:
        """Return the numbers of those that may be refused or known already."""
        latest = self.head.recorded_at + DAY
        users = {each.user_id for each in interactions}
        barred = {user for user in users if self._opt_outs.knows(user)}
        seen = {_NO_KEY} | repeated(marks) | self._sources.seen_among(marks)
        formers = [_former_mark(each, self._known.secret) for each in interactions]
        seen_formers = self._sources.seen_among([mark for mark in formers if mark is not None])
        return [
            number
            for number, (each, mark, former) in enumerate(
                zip(interactions, marks, formers, strict=True)
            )
            if mark in seen
            or former in seen_formers
            or each.user_id in barred
            or each.occurred_at is None
            or each.occurred_at > latest
        ]

    def _add_new(self, new: Sequence[Interaction], marks: Sequence[bytes]) -> None:
        """Add interactions that are certainly counted, as `add` does one by one."""
        if not new:
            return
        positions = range(self.head.position + 1, self.head.position + 1 + len(new))
        self.head.position = positions[-1]
        self._sources.add(zip(marks, positions, strict=True))
        streams, versions = self._next_versions([each.user_id for each in new])
        commitments = self._commitments(positions, new)
        places = map(self._places.of_chat, [each.chat_id for each in new])
        issues, kinds = [each.issue_id for each in new], [int(each.kind) for each in new]
        occurred, linear = [each.occurred_at for each in new], [each.linear_id for each in new]
        recorded, none = repeat(self.head.recorded_at), repeat(None)
        head = (positions, streams, versions, repeat(INTERACTION), recorded)
        facts = (issues, kinds, occurred, linear, none)
        self.events += event_rows(zip(*head, *facts, places, commitments, none, strict=False))

    def _next_versions(self, users: Sequence[str]) -> tuple[list[int], list[int]]:
        """Return the stream of each user, and the version that is next in it each time."""
        by_user = {user: self._streams.of_user(user) for user in dict.fromkeys(users)}
        streams = [by_user[user] for user in users]
        versions = []
        for stream in streams:
            stream.version += 1
            versions.append(stream.version)
        return [stream.id for stream in streams], versions

    def _commitments(self, positions: range, new: Sequence[Interaction]) -> list[bytes]:
        """Add the origins of interactions, each of which has a key, and return what binds them."""
        random = secrets.token_bytes(SALT_BYTES * len(new))
        salts = [random[at : at + SALT_BYTES] for at in range(0, len(random), SALT_BYTES)]
        contexts, metadata = [each.context for each in new], [each.metadata for each in new]
        shown = [each.source_key.shown for each in new if each.source_key]
        self._origins += zip(positions, salts, contexts, metadata, shown, strict=True)
        return list(map(commitment, salts, map(origin_of, contexts, metadata, shown)))


def repeated(marks: Iterable[bytes]) -> set[bytes]:
    """Return those that are among `marks` more than once."""
    return {mark for mark, times in Counter(marks).items() if times > 1}


def _mark(interaction: Interaction, secret: bytes) -> bytes:
    key = interaction.source_key
    return _NO_KEY if key is None else digest(key, secret)


def _former_mark(interaction: Interaction, secret: bytes) -> bytes | None:
    key = interaction.source_key
    return None if key is None else former_digest(key, secret)
