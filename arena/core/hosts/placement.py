"""Which host takes the next reply, and which hosts are left alone for a while.

Pure: the state of the hosts and the time (seconds, monotonic) are passed in. It does not know
how a host is asked.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self


@dataclass(frozen=True, slots=True)
class Breaker:
    """So many failures within the window leave a host alone for a while, doubling up to the
    longest. Then it is on trial: one request at a time, until one success closes the breaker
    or one failure opens it for longer."""

    limit: int = 3
    window_s: float = 30.0
    first_s: float = 10.0
    longest_s: float = 120.0
    failures: tuple[float, ...] = ()
    open_until: float = 0.0
    open_s: float = 0.0

    def shut(self, now: float) -> bool:
        """Nothing may be asked of it now."""
        return bool(self.open_s) and now < self.open_until

    def on_trial(self, now: float) -> bool:
        """It was left alone long enough; a single request may try it."""
        return bool(self.open_s) and now >= self.open_until

    def failed(self, now: float) -> Self:
        if self.shut(now):
            return self
        recent = (*(t for t in self.failures if now - t < self.window_s), now)
        if len(recent) < self.limit and not self.open_s:
            return replace(self, failures=recent)
        open_s = min(self.open_s * 2 or self.first_s, self.longest_s)
        return replace(self, failures=(), open_until=now + open_s, open_s=open_s)

    def succeeded(self) -> Self:
        return replace(self, failures=(), open_until=0.0, open_s=0.0)

    def reprieved(self, now: float) -> Self:
        """The host was seen to come back: on trial at once."""
        return replace(self, open_until=min(self.open_until, now))

    def shifted(self, by: float) -> Self:
        """The same by a clock that is ahead by so much."""
        failures = tuple(t + by for t in self.failures)
        open_until = self.open_until + by if self.open_s else 0.0
        return replace(self, failures=failures, open_until=open_until)


HOST_BREAKER = Breaker()
LOAD_BREAKER = Breaker(limit=2, window_s=60.0, first_s=60.0, longest_s=60.0)
"""For one model on one host, by failures to load it."""

CONTENDER_BREAKER = Breaker(limit=2, window_s=600.0, first_s=60.0, longest_s=900.0)
"""For one contender on one host, by replies of its own that failed."""


class Share(StrEnum):
    """How much of a resident model is on the GPU; unknown where it is not resident."""

    FULL = "full"
    PART = "part"
    NONE = "none"
    UNKNOWN = ""

    @classmethod
    def of(cls, size: int, size_vram: int) -> Self:
        """Sizes in bytes, as /api/ps tells them."""
        if size_vram <= 0:
            return cls.NONE
        return cls.FULL if size_vram >= size else cls.PART


def fit(shares: Mapping[tuple[str, str], Share]) -> frozenset[tuple[str, str]]:
    """The (host, model) pairs that may play, so that all contenders meet on one class of host.

    Where any model is wholly on a GPU, those seen partly or wholly on a CPU are left out. Where
    none is, hosts are used that have all of their models on the CPU; a host with a model half
    on the GPU is left out."""
    on_gpu = Share.FULL in shares.values()
    halved = {host for (host, _), share in shares.items() if share is Share.PART}
    return frozenset(
        (host, model)
        for (host, model), share in shares.items()
        if (share in (Share.FULL, Share.UNKNOWN) if on_gpu else host not in halved)
    )


@dataclass(frozen=True, slots=True)
class Candidate:
    """A host as seen by one request for one model. `crowded`: loading a model there unloads
    another. `speed` in tokens/s as measured, or None. `runner`: whose slots they are, since
    models of the same weights share them. `on_trial`: it takes one request at a time, and has
    `on_host` now."""

    host: str
    resident: bool
    on_gpu: bool
    leases: int
    slots: int
    speed: float | None = None
    crowded: bool = False
    runner: str = ""
    on_trial: bool = False
    on_host: int = 0

    @property
    def rank(self) -> int:
        """What counts first: the model resident and fully on the GPU, then resident."""
        return self.resident + (self.resident and self.on_gpu)

    @property
    def free(self) -> bool:
        return self.leases < self.slots and not (self.on_trial and self.on_host)


def suitable(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Those that may be waited for: a crowded host does not load a model that is resident
    elsewhere, even if that is busy."""
    known = list(candidates)
    held = any(c.resident for c in known)
    return [c for c in known if c.resident or not (held and c.crowded)]


def choose(candidates: Iterable[Candidate]) -> Candidate | None:
    """The best suitable host with a free slot: by rank, then most free slots, then fastest.
    None when every slot is taken."""
    return max(
        (c for c in suitable(candidates) if c.free),
        key=lambda c: (c.rank, c.slots - c.leases, c.speed or 0.0),
        default=None,
    )
