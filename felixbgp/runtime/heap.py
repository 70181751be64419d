"""Keep the C library from giving memory back in one long step.

When a table of a million routes goes, glibc holds a hundred free megabytes at the end of its heap, and
returns them to the system at once: 6 ms in which nothing else is done. Parts of tables are larger, too, than
what it asks the system for one by one, with a page fault for each page. docs/adr/0024 has the figures.
"""

import ctypes

_TRIM_THRESHOLD = -1
"""M_TRIM_THRESHOLD of mallopt(3): how much may lie at the end of the heap."""
_MMAP_THRESHOLD = -3
"""M_MMAP_THRESHOLD: from which size on a request is one to the system."""
_ALWAYS = 2**31 - 1
_LARGEST = 32 * 1024 * 1024
"""What glibc takes at most for it."""


def keep_heap() -> bool:
    """Have what was used once be used again; whether the C library understood (only glibc does)."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_TRIM_THRESHOLD, _ALWAYS)) and bool(mallopt(_MMAP_THRESHOLD, _LARGEST))
