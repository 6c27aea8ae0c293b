"""The memory allocator of segments: threads pass tables to one another, and free each other's.

Allocators with a pool per thread, such as Arrow's default and glibc's, keep much unused memory
then.
"""

import ctypes
from contextlib import suppress

import pyarrow as pa

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # of malloc.h
_TRIMMED_FROM = 32 << 20  # free bytes at the heap's end; a page that comes back is zeroed again
_GIVEN_BACK_FROM = 1 << 19  # bytes that go back to the system as soon as they are freed

pa.set_memory_pool(pa.system_memory_pool())
with suppress(AttributeError, OSError):  # only glibc has it
    _libc = ctypes.CDLL(None)
    _libc.mallopt(_M_ARENA_MAX, 1)
    _libc.mallopt(_M_TRIM_THRESHOLD, _TRIMMED_FROM)
    _libc.mallopt(_M_MMAP_THRESHOLD, _GIVEN_BACK_FROM)


def release_memory() -> None:
    """Return freed memory to the system."""
    pa.default_memory_pool().release_unused()
