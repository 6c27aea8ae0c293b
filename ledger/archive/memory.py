"""Where segments' memory comes from: threads hand tables to one another, and free each other's.

An allocator that has a store for each thread, as Arrow's own has and glibc's, keeps much that is
not used then.
"""

import ctypes
from contextlib import suppress

import pyarrow as pa

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # of malloc.h
_KEPT_AT_MOST = 32 << 20  # bytes that are free at the end: whatever goes back is filled anew
_GIVEN_BACK_FROM = 1 << 20  # bytes that go back to the system as soon as they are freed

pa.set_memory_pool(pa.system_memory_pool())
with suppress(AttributeError, OSError):  # of glibc alone
    libc = ctypes.CDLL(None)
    libc.mallopt(_M_ARENA_MAX, 1)
    libc.mallopt(_M_TRIM_THRESHOLD, _KEPT_AT_MOST)
    libc.mallopt(_M_MMAP_THRESHOLD, _GIVEN_BACK_FROM)


def release_memory() -> None:
    """Give what was freed back to the system."""
    pa.default_memory_pool().release_unused()
