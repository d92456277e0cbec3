"""Memory of a process that serves goes back to the machine."""

import asyncio
import ctypes
from pathlib import Path

import pytest

from arena.server import memory

PIECES, BYTES = 40_000, 1_000
"""Too large for Python's own pools."""


def resident() -> int:
    """In bytes."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * 4096


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="not GNU's C library")
def test_what_is_free_between_pieces_that_stay_is_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "GIVEN_BACK_S", 0.01)
    before = resident()
    pieces = [bytearray(BYTES) for _ in range(PIECES)]
    kept = pieces[::100]
    del pieces
    gaps = resident() - before

    async def scene() -> None:
        giving_back = asyncio.create_task(memory.give_back())
        async with asyncio.timeout(30):
            while resident() - before > gaps / 2:
                await asyncio.sleep(0.01)
        giving_back.cancel()

    asyncio.run(scene())
    assert gaps > PIECES * BYTES / 2
    assert len(kept) == PIECES / 100
