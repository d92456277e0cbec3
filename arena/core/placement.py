"""Which host takes the next reply, and which hosts are left alone for a while.

Pure: the state of the hosts and the time (seconds, monotonic) are passed in. It does not know
how a host is asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

FAILURES_TO_OPEN = 3
WINDOW_S = 30.0
FIRST_OPEN_S, LONGEST_OPEN_S = 10.0, 120.0


@dataclass(frozen=True, slots=True)
class Breaker:
    """Three connection failures within 30 s leave a host alone for 10 s, doubling to 120 s;
    after that one success closes it again, one failure opens it longer."""

    failures: tuple[float, ...] = ()
    open_until: float = 0.0
    open_s: float = 0.0

    def allows(self, now: float) -> bool:
        return now >= self.open_until

    def failed(self, now: float) -> Breaker:
        recent = (*(t for t in self.failures if now - t < WINDOW_S), now)
        if len(recent) < FAILURES_TO_OPEN and not self.open_s:
            return replace(self, failures=recent)
        if not self.allows(now):
            return replace(self, failures=recent)
        open_s = min(self.open_s * 2 or FIRST_OPEN_S, LONGEST_OPEN_S)
        return Breaker(failures=(), open_until=now + open_s, open_s=open_s)

    def succeeded(self) -> Breaker:
        return Breaker()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A host as seen by one request for one model. `speed` in tokens/s as measured, or None."""

    host: str
    resident: bool
    on_gpu: bool
    leases: int
    slots: int
    speed: float | None = None


def choose(candidates: Iterable[Candidate]) -> Candidate | None:
    """The best host with a free slot: the model resident and fully on the GPU, then resident,
    then most free slots, then fastest. None when every slot is taken."""
    free = [c for c in candidates if c.leases < c.slots]
    return max(
        free,
        key=lambda c: (c.resident and c.on_gpu, c.resident, c.slots - c.leases, c.speed or 0.0),
        default=None,
    )
