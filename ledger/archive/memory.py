"""Where segments' memory comes from: threads hand tables to one another, and free each other's.

An allocator that has a store for each thread, as Arrow's own has and glibc's, keeps much that is
not used then.
"""

import ctypes
from contextlib import suppress

import pyarrow as pa

_M_ARENA_MAX = -8  # of malloc.h

pa.set_memory_pool(pa.system_memory_pool())
with suppress(AttributeError, OSError):  # of glibc alone
    ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def release_memory() -> None:
    """Give what was freed back to the system."""
    pa.default_memory_pool().release_unused()
