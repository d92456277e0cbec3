"""What operators are told of each host: state, models, speeds, faults.

Speeds and loads can unmask a contender, so none of this is for voters. It does not know how
any of it is measured or drawn.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from arena.core.hosts.placement import Share


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and 95th percentile of `count` measurements, the newest ones; None for none."""

    p50: float | None
    p95: float | None
    count: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """By the nearest rank, so that each figure is one that was measured."""
        ordered = sorted(values)
        if not ordered:
            return cls(None, None, 0)
        last = len(ordered) - 1
        return cls(ordered[round(0.5 * last)], ordered[round(0.95 * last)], len(ordered))


@dataclass(frozen=True, slots=True)
class ModelReport:
    """A model on one host. Sizes in bytes; `size` on disk, `vram` as loaded. `plays`: it is on
    the roster. `ttft_ms` and `tokens_per_s` as measured here, warm."""

    name: str
    digest: str
    size: int
    quantization: str
    plays: bool
    resident: bool
    share: Share
    vram: int
    leases: int
    ttft_ms: Spread
    tokens_per_s: Spread
    unfit: str = ""
    """Why it takes no replies here now, in words; empty when it does."""


@dataclass(frozen=True, slots=True)
class FaultCount:
    """`kind` is that of HostFault."""

    model: str
    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class HostReport:
    """A host now. `kind` is ollama or openai; `breaker` is closed, open or trial; `slots` are replies at once a model,
    `queue` the replies that wait for a model it has; `vram` the bytes all models use."""

    url: str
    kind: str
    up: bool
    breaker: str
    version: str
    slots: int
    leases: int
    queue: int
    vram: int
    models: tuple[ModelReport, ...]
    faults: tuple[FaultCount, ...]
    last_fault: str
    problems: tuple[str, ...]
