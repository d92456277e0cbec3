"""Work on what is kept counted: at once where it is brief, else in a thread, and to its end.

It does not know what is counted.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Answer = TypeVar("Answer")

ROWS, CONTENDERS = 1000, 64
"""Up to so many are reckoned with at once, which takes some milliseconds: to a thread beside a busy
loop the interpreter comes back late, and everybody waits in line for the counts meanwhile."""


async def reckoned(ask: Callable[[], Answer], *, brief: bool) -> Answer:
    """What it answers; it is asked in a thread unless it is brief."""
    return ask() if brief else await to_the_end(asyncio.to_thread(ask))


async def to_the_end(work: Coroutine[Any, Any, Answer]) -> Answer:
    """What the work returns. It is not broken off: where whoever asked goes away, its end is
    awaited all the same, since nobody else may touch the counts before."""
    doing = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait({doing})
        raise
