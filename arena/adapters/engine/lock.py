"""A lock between processes that ends with its holder, whatever ends it.

It knows files only; what is guarded is up to the caller.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

_POLL_S = 0.1

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _try_lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@asynccontextmanager
async def only_one(path: Path) -> AsyncIterator[None]:
    """Wait until no other process holds the lock file `path`, and hold it. OSError when the file
    cannot be created."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        while True:
            try:
                _try_lock(descriptor)
                break
            except (BlockingIOError, PermissionError):
                await asyncio.sleep(_POLL_S)
        yield
    finally:
        # Closing releases the lock; the file stays, since removing it would split its holders.
        os.close(descriptor)
