"""The collector of cycles, which rests while very many objects are made."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_lock = Lock()
_resting, _was_on = 0, True
"""How many blocks are in `without_collecting`, and how it was before; guarded by the lock."""


@contextmanager
def without_collecting() -> Iterator[None]:
    """Let the collector of cycles rest while rows become objects: they hold no cycles.

    It would look through all of them time and again, for a fourth of what a fold takes. Only for
    work of a second or so: it rests for the whole process.
    """
    global _resting, _was_on  # noqa: PLW0603 - the collector is the process's, too
    with _lock:
        _was_on = _was_on if _resting else gc.isenabled()
        _resting += 1
        gc.disable()
    try:
        yield
    finally:
        with _lock:
            _resting -= 1
            if _was_on and not _resting:
                gc.enable()
