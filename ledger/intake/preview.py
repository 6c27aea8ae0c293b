"""Dry runs: the outcomes of recording a history, without recording it."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from ledger.clock import Clock
from ledger.commands import Interaction, Kind, check_not_future
from ledger.errors import InvalidInteractionError, OptedOutError
from ledger.idempotency import digest, former_digest
from ledger.instants import Instant, instant_of
from ledger.intake.history import Ordinals
from ledger.store.append import Outcome, Receipt
from ledger.store.database import Database
from ledger.store.opt_outs import OptOuts
from ledger.store.projection import IssueKeys
from ledger.store.sources import SEEN
from ledger.store.streams import Head


class _Known(NamedTuple):
    """A snapshot of the ledger's users, keys and opt-outs."""

    recorded_at: Instant
    find_source: Callable[[bytes], int | None]
    refuses: Callable[[str, Instant], bool]
    other_keys: Callable[[str, int], Sequence[str]]


class Preview:
    """A recorder that records nothing; `tally` counts, by user and kind, what it would have.

    It knows what was recorded before, in the ledger and in this preview, who opted out, and what
    lies in the future. The positions of its receipts mean nothing.
    """

    def __init__(
        self,
        clock: Clock,
        database: Database | None = None,
        secret: bytes = b"",
        issue_keys: Callable[[Connection], IssueKeys] | None = None,
    ) -> None:
        """Preview recording in `database` with the digest key `secret`; None is an empty ledger.

        `issue_keys` reads the keys of the issues that moved.
        """
        self._issue_keys = issue_keys
        self.tally: Counter[tuple[str, Kind]] = Counter()
        self._clock = clock
        self._database = database
        self._secret = secret
        self._repeated = Ordinals()

    def record_bulk(self, interactions: Sequence[Interaction], /) -> dict[int, Outcome]:
        """Return the outcomes of recording in one transaction."""
        now = instant_of(self._clock())
        if self._database is None:
            nothing = _Known(now, lambda _: None, lambda *_: False, lambda *_: ())
            return dict(enumerate(self._outcome(each, nothing) for each in interactions))
        with self._database.read() as connection:
            known = _known(connection, self._secret, now, self._issue_keys)
            return dict(enumerate(self._outcome(each, known) for each in interactions))

    def name_users(self, names: Mapping[str, str]) -> None:
        """Do nothing: names are not part of a preview."""

    def close(self) -> None:
        """Release the snapshot."""
        self._repeated.close()

    def _outcome(self, entry: Interaction, known: _Known) -> Outcome:
        occurred_at = known.recorded_at if entry.occurred_at is None else entry.occurred_at
        try:
            check_not_future(occurred_at, known.recorded_at)
        except InvalidInteractionError as refusal:
            return refusal
        if known.refuses(entry.user_id, occurred_at):
            return OptedOutError()
        counted = not self._is_repeated(entry, occurred_at, known)
        if counted:
            self.tally[entry.user_id, entry.kind] += 1
        return Receipt(0, counted)

    def _is_repeated(self, entry: Interaction, occurred_at: Instant, known: _Known) -> bool:
        if entry.source_key is None:
            return False
        mark = digest(entry.source_key, self._secret)
        former = former_digest(entry.source_key, self._secret)
        others = known.other_keys(entry.issue_id, occurred_at)
        under = (entry.source_key.under(entry.issue_id, other) for other in others)
        marks = [mark, *(digest(each, self._secret) for each in under)]
        marks += [] if former is None else [former]
        is_again = self._repeated.next(mark) > 0
        return is_again or any(known.find_source(each) is not None for each in marks)


def _known(
    connection: Connection,
    secret: bytes,
    now: Instant,
    issue_keys: Callable[[Connection], IssueKeys] | None,
) -> _Known:
    head = Head.read(connection)
    head.advance(now)
    opt_outs = OptOuts(connection, secret, None)  # which is only read
    others = issue_keys(connection).others if issue_keys else lambda *_: ()
    return _Known(head.recorded_at, SEEN.finder(connection), opt_outs.refuses, others)
