"""All errors of the ledger, in one tree under `LedgerError`.

A message states the problem in one line, and never contains a person's text or ids.
"""

from ledger.segment import Segment


class LedgerError(Exception):
    """The base of every error that the ledger raises on purpose."""


class InvalidInteractionError(LedgerError, ValueError):
    """A field of an interaction violates R1; `field` is its name, `reason` the violation."""

    def __init__(self, field: str, reason: str) -> None:
        """Keep the field's name and the reason apart for callers that report rows."""
        super().__init__(f"Invalid {field}: {reason}")
        self.field = field
        self.reason = reason


class FutureInteractionError(InvalidInteractionError):
    """An interaction dated more than a day from now, by `ahead` microseconds: a clock is wrong."""

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
    """An invalid field of a scoring policy; `field` is its name."""

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
    """An override (R6) or hiding of an engagement without an interaction."""

    def __init__(self, issue_id: str) -> None:
        """Name the issue; the user stays unnamed."""
        super().__init__(f"this user has no interaction with {issue_id}")
        self.issue_id = issue_id


class OptedOutError(LedgerError):
    """An entry that must not be recorded, because its user has opted out or was forgotten."""

    def __init__(self) -> None:
        """Do not name the user."""
        super().__init__("the user does not want this to be recorded")


class UnreadableHistoryError(LedgerError):
    """A history that is unreadable, or becomes so; the message says where and why."""


class UnknownTopicError(LedgerError, ValueError):
    """A stored event with a topic that the ledger does not know."""


class InvalidReplayError(LedgerError, ValueError):
    """An invalid name of a replay."""

    def __init__(self, reason: str) -> None:
        """Give the rule that the name breaks."""
        super().__init__(f"the name of a replay {reason}")


class UnknownReplayError(LedgerError, LookupError):
    """A replay that does not exist."""

    def __init__(self, name: str) -> None:
        """Repeat the name."""
        super().__init__(f"there is no replay called {name}; `engagement replay list` shows all")
        self.name = name


class ReplayRefusedError(LedgerError):
    """A switch of read models that would be unsafe, or has no target."""


class ClockBehindError(LedgerError):
    """The clock is more than a day behind the ledger's last event (R8)."""


class ClockNotAheadError(LedgerError):
    """A correction of the clock although the ledger is not ahead of it."""


class InvalidReasonError(LedgerError, ValueError):
    """An invalid reason for a correction of the clock."""

    def __init__(self, reason: str) -> None:
        """Give the rule that the reason breaks."""
        super().__init__(f"the reason {reason}")


class LedgerUnavailableError(LedgerError):
    """The ledger could not be opened, read or written; nothing is known to be recorded."""


class TracesLeftError(LedgerUnavailableError):
    """The rows were deleted, but copies of them may be left in the database's files."""

    def __init__(self, reason: str) -> None:
        """Say why they could not be removed yet, and that trying again does it."""
        super().__init__(
            f"deleted, but copies may still be in the ledger's files ({reason}); "
            "erasing again removes them"
        )


class LedgerDamagedError(LedgerUnavailableError):
    """Data in the ledger's file are not what was written there."""

    def __init__(self, what: str) -> None:
        """Name what is damaged, and the command that lists all damage."""
        super().__init__(f"the ledger is damaged: {what} (`engagement verify` lists all damage)")


class DiskFullError(LedgerUnavailableError):
    """No space is left for the ledger; it works again once there is."""


class ArchiveUnavailableError(LedgerUnavailableError):
    """A segment could not be written or read; the hot store is as it was."""


class MissingSegmentError(ArchiveUnavailableError):
    """A segment's file is missing; questions that do not need it still work."""

    def __init__(self, segment: Segment) -> None:
        """Name the file and say what it held."""
        super().__init__(f"the archive's file {segment.name} is missing; it {_held(segment)}")
        self.segment = segment


class DamagedSegmentError(ArchiveUnavailableError):
    """A segment's file is damaged; questions that do not need it still work."""

    def __init__(self, segment: Segment, reason: str) -> None:
        """Name the file, say what is wrong with it and what it held."""
        super().__init__(f"the archive's file {segment.name} {reason}; it {_held(segment)}")
        self.segment = segment


class CertificateError(LedgerError):
    """The sealed and the hot events do not add up to the same engagements as all events do."""


def _held(segment: Segment) -> str:
    first, last = segment.first_position, segment.last_position
    held = f"held {segment.events} events at the positions {first} to {last}"
    return f"{held}; `engagement archive recover` looks for them in the other files"


class SettingsError(LedgerError):
    """A setting that is unknown or invalid."""


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
