"""How much one caller may do, counted in the memory of this process.

It does not know what is counted, nor who calls.
"""

import time
from collections import OrderedDict, deque


class MemoryLimits:
    """`core.ports.RateLimits` as the times of what was allowed, for each key."""

    def __init__(self) -> None:
        self._taken: OrderedDict[str, tuple[float, deque[float]]] = OrderedDict()
        """Key → until when it counts, and the times. Those used longest ago stand first."""

    async def take(self, key: str, limit: int, window_s: float) -> float:
        now = time.monotonic()
        _, times = self._taken.pop(key, (now, deque[float]()))
        while times and times[0] <= now - window_s:
            times.popleft()
        wait_s = times[-limit] + window_s - now if len(times) >= limit else 0.0
        if not wait_s:
            times.append(now)
        self._taken[key] = now + window_s, times
        while next(iter(self._taken.values()))[0] <= now:
            self._taken.popitem(last=False)
        return wait_s
