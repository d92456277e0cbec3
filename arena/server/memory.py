"""What a process that serves does with its memory: heaps that threads share, a start that stays,
and pages given back. It does not know what is kept in it.
"""

import asyncio
import ctypes
import gc
from contextlib import suppress

M_ARENA_MAX = -8
"""Of `mallopt(3)`, as malloc.h has it."""
GIVEN_BACK_S = 60.0

NOT_GNU = AttributeError, OSError, TypeError
"""What another C library than GNU's leads to."""


def share_heaps() -> None:
    """Each thread would have a heap of its own, and Arrow one more, and none gives back what it
    needed once: 25 MB at the start, and as many in the first thousands of battles."""
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())
    with suppress(*NOT_GNU):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)


def settle() -> None:
    """What start-up built stays; without this, collecting it again stalls every stream. From here
    on garbage is collected where the start did without."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(5000, 20, 20)
    gc.enable()


async def give_back() -> None:
    """From now on, each minute: pages that are free between others that are not (`malloc_trim(3)`).
    Only the end of a heap goes back by itself, so that gaps would add up."""
    with suppress(*NOT_GNU):
        trim = ctypes.CDLL(None).malloc_trim
        while True:
            await asyncio.sleep(GIVEN_BACK_S)
            await asyncio.to_thread(trim, 0)
