"""Everything that the ledger refuses or fails at, one small tree under `LedgerError`.

A message names the broken fact in one line, and never repeats a person's words or ids.
"""

from ledger.segment import Segment


class LedgerError(Exception):
    """The base of every error that the ledger raises on purpose."""


class InvalidInteractionError(LedgerError, ValueError):
    """A field of an interaction breaks R1; `field` names it, `reason` says how."""

    def __init__(self, field: str, reason: str) -> None:
        """Keep the field's name and the reason apart for callers that report rows."""
        super().__init__(f"Invalid {field}: {reason}")
        self.field = field
        self.reason = reason


class FutureInteractionError(InvalidInteractionError):
    """An interaction that is said to occur more than a day from now: one of two clocks is wrong.

    `ahead` says by how many microseconds.
    """

    def __init__(self, reason: str, ahead: int) -> None:
        """Name the instant, and keep how far off it is."""
        super().__init__("occurred_at", reason)
        self.ahead = ahead


class InvalidScoreError(LedgerError, ValueError):
    """A score outside 0.0..1.0."""

    def __init__(self, score: object) -> None:
        """Say the allowed range and what was given."""
        super().__init__(f"Score must be between 0.0 and 1.0, not {score!r}")
        self.score = score


class InvalidPolicyError(LedgerError, ValueError):
    """A field of a scoring policy that cannot be meant; `field` names it."""

    def __init__(self, field: str, reason: str) -> None:
        """Name the field and say what it must be."""
        super().__init__(f"{field} {reason}")
        self.field = field


class PolicyConflictError(LedgerError):
    """Another policy was adopted meanwhile; nothing was adopted now."""

    def __init__(self, version: int) -> None:
        """Name the version that is in force."""
        super().__init__(f"policy {version} was adopted meanwhile; look at it and try again")
        self.version = version


class UnknownEngagementError(LedgerError, LookupError):
    """An override (R6) or a hiding of an engagement that has no interaction."""

    def __init__(self, issue_id: str) -> None:
        """Name the issue; the user stays unnamed."""
        super().__init__(f"this user has no interaction with {issue_id}")
        self.issue_id = issue_id


class OptedOutError(LedgerError):
    """An entry that its user does not want recorded: an opt-out or a deletion is in force."""

    def __init__(self) -> None:
        """Name nobody."""
        super().__init__("the user does not want this to be recorded")


class UnknownTopicError(LedgerError, ValueError):
    """A stored event of a topic that is not on the ledger's list."""


class InvalidReplayError(LedgerError, ValueError):
    """A name that no replay can have."""

    def __init__(self, reason: str) -> None:
        """Say what a name is."""
        super().__init__(f"the name of a replay {reason}")


class UnknownReplayError(LedgerError, LookupError):
    """A name that no replay has."""

    def __init__(self, name: str) -> None:
        """Repeat the name."""
        super().__init__(f"there is no replay called {name}; `engagement replay list` shows all")
        self.name = name


class ReplayRefusedError(LedgerError):
    """A switch of read models that would not be safe, or that leads nowhere."""


class ClockBehindError(LedgerError):
    """The clock stands more than a day before the ledger's last event (R8)."""


class ClockNotAheadError(LedgerError):
    """A correction of the clock although the ledger is not ahead of it."""


class InvalidReasonError(LedgerError, ValueError):
    """A reason that cannot be kept in an event."""

    def __init__(self, reason: str) -> None:
        """Name what the reason must be."""
        super().__init__(f"the reason {reason}")


class LedgerUnavailableError(LedgerError):
    """The ledger could not be opened, read or written; nothing is known to be recorded."""


class TracesLeftError(LedgerUnavailableError):
    """What was to be deleted is, but copies may be left in the database's files."""

    def __init__(self, reason: str) -> None:
        """Say why they could not be removed yet, and that trying again does it."""
        super().__init__(
            f"deleted, but copies may still be in the ledger's files ({reason}); "
            "erasing again removes them"
        )


class LedgerDamagedError(LedgerUnavailableError):
    """Something in the ledger's file is not what was written there."""

    def __init__(self, what: str) -> None:
        """Name what is damaged, and the command that lists all damage."""
        super().__init__(f"the ledger is damaged: {what} (`engagement verify` lists all damage)")


class DiskFullError(LedgerUnavailableError):
    """There is no space left for the ledger; it works again once there is."""


class ArchiveUnavailableError(LedgerUnavailableError):
    """A segment could not be written or read; the hot store is as it was."""


class MissingSegmentError(ArchiveUnavailableError):
    """A segment's file is not where it belongs; what does not need it can still be asked."""

    def __init__(self, segment: Segment) -> None:
        """Name the file and say what it held."""
        super().__init__(f"the archive's file {segment.name} is missing; it {_held(segment)}")
        self.segment = segment


class DamagedSegmentError(ArchiveUnavailableError):
    """A segment's file does not hold what was written; what does not need it can still be asked."""

    def __init__(self, segment: Segment, reason: str) -> None:
        """Name the file, say what is wrong with it and what it held."""
        super().__init__(f"the archive's file {segment.name} {reason}; it {_held(segment)}")
        self.segment = segment


class CertificateError(LedgerError):
    """What is sealed and what is hot do not add up to the same engagements as all events do."""


def _held(segment: Segment) -> str:
    first, last = segment.first_position, segment.last_position
    held = f"held {segment.events} events at the positions {first} to {last}"
    return f"{held}; `engagement archive recover` looks for them in the other files"


class SettingsError(LedgerError):
    """A setting that is unknown or cannot be meant."""


class LedgerMissingError(LedgerUnavailableError):
    """There is no ledger at the address that the settings name."""


class LedgerLostError(LedgerMissingError):
    """The ledger's file is missing or empty, but files that belong to it are still there."""

    def __init__(self, ledger: str, beside: str) -> None:
        """Name the missing file and what is left of the ledger."""
        super().__init__(
            f"the ledger {ledger} is missing or empty, but {beside} lies beside it: restore a "
            "backup (docs/how-to/back-up-and-restore.md), or move that away to start a new ledger"
        )
