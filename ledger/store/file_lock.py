"""The lock that keeps processes from writing at the same time."""

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from ledger.store.failures import StoreUnavailableError, explained

PATIENCE_SECONDS = 60.0

_FIRST_PAUSE_SECONDS = 0.000_1
_LONGEST_PAUSE_SECONDS = 0.005


class FileLock:
    """An exclusive lock between processes, on a file beside the database.

    The kernel releases it when the process that holds it ends, in any way.
    It does not exclude threads of one process, which share its descriptor.
    """

    def __init__(self, path: Path, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Guard the database at `path`; the lock's file is created when first needed."""
        self._path = path
        self._patience_seconds = patience_seconds
        self._descriptor: int | None = None

    def __enter__(self) -> None:
        """Take the lock, waiting at most for `patience_seconds`.

        Raises StoreUnavailableError after that, and if the file cannot be opened or locked.
        """
        pause = _FIRST_PAUSE_SECONDS
        deadline: float | None = None
        while not self._is_taken():
            deadline = deadline or time.monotonic() + self._patience_seconds
            if time.monotonic() > deadline:
                waited = f"{self._patience_seconds:g} seconds"
                message = f"another process has held the ledger for {waited}"
                raise StoreUnavailableError(message)
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    def __exit__(self, *_: object) -> None:
        """Release the lock."""
        try:
            fcntl.flock(self._opened(), fcntl.LOCK_UN)
        except OSError:
            self.close()  # which also releases the lock

    def close(self) -> None:
        """Close the file; it is opened again when the lock is."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):  # it may be closed because of an error
                os.close(descriptor)

    def _is_taken(self) -> bool:
        descriptor = self._opened()
        try:
            return _locked(descriptor)
        except OSError as error:
            self.close()  # the next attempt reopens the file
            message = f"cannot lock the file beside the ledger: {error.strerror}"
            raise StoreUnavailableError(message) from error

    def _opened(self) -> int:
        if self._descriptor is None:
            folder = self._path.parent
            with explained(f"cannot make the folder {folder}"):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            real = followed(self._path)  # one lock for one file, regardless of links
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            with explained("cannot write beside the ledger"):
                self._descriptor = os.open(real.with_name(real.name + ".lock"), flags, 0o600)
        return self._descriptor


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, InterruptedError):
        return False
    return True


def followed(path: Path) -> Path:
    """Return the target of a symbolic link, and any other path as it is.

    A link that cannot be resolved is returned as well: opening it raises the error.
    """
    try:
        return path.resolve() if path.is_symlink() else path
    except (OSError, RuntimeError):  # such as a name that is too long, or a link to itself
        return path
