"""How busy the thread is that reads all hosts, so that it looks at them less often where it is.

It does not know what is read.
"""

import time
from collections.abc import Callable

LOOK_S = 1.0
HEAVY, LIGHT = 0.5, 0.4
"""Parts of one core: above the first the load is heavy, until it is below the second."""


class Load:
    """Of the thread that asks. clock: seconds; cpu: seconds of a core that the thread has used."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.thread_time,
    ) -> None:
        self._clock, self._cpu = clock, cpu
        self._since, self._used = clock(), cpu()
        self._heavy = False

    @property
    def heavy(self) -> bool:
        """As of the last whole second in which anybody asked."""
        passed = self._clock() - self._since
        if passed >= LOOK_S:
            used = self._cpu() - self._used
            self._since, self._used = self._since + passed, self._used + used
            self._heavy = used > passed * (LIGHT if self._heavy else HEAVY)
        return self._heavy
