"""Cyclic garbage collection, paused while very many objects are made."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_lock = Lock()
_resting, _was_on = 0, True
"""The number of threads in `without_collecting`, and whether the collector was on before the first.

`_lock` guards both. Invariant: while `_resting` is not 0, the collector is off.
"""


@contextmanager
def without_collecting() -> Iterator[None]:
    """Pause cyclic garbage collection while rows become objects, which form no cycles.

    It would traverse all of them repeatedly, for a fourth of a fold's time. Only for work of a
    second or so, because it is paused for the whole process.
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
