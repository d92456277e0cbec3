"""What the replicas of an arena agree on about the hosts: who holds which slot, who waits in
which order, which hosts are left alone, and who looks at them.

Each replica has a desk with the leases it holds and the replies that wait there. An agreement
gives free slots to those who wait, over all desks in one order. It does not know how replicas
reach each other, nor how a host is asked.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from arena.core.hosts.placement import Breaker, Candidate

Spot = tuple[str, str]
"""A host, and the runner there."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A reply that waits for one of the candidates of its wish. `number` is its place in the order
    of all replicas; 0 as long as it has none."""

    id: str
    number: int
    model: str
    wish: str


@dataclass(frozen=True, slots=True)
class Desk:
    """One replica's part: its leases by ticket, what waits, and the wishes that are named there.
    The candidates are suitable ones, whatever leases they have. `rejoined`: this replica was
    there before."""

    held: Mapping[str, Spot]
    waiting: tuple[Waiting, ...]
    wishes: Mapping[str, tuple[Candidate, ...]]
    rejoined: bool = False


@dataclass(frozen=True, slots=True)
class Agreement:
    """How things stand on all desks. `granted` are this desk's tickets, each with its number as
    well. `held` counts leases, `queue` is in order. `now` is the time that the breakers' times are
    meant by; `again_s`: when the passing of time changes something."""

    granted: Mapping[str, tuple[Spot, int]]
    queue: tuple[Waiting, ...]
    held: Mapping[Spot, int]
    breakers: Mapping[str, Breaker]
    now: float
    again_s: float


Change = Callable[[Breaker, float], Breaker]
"""From a breaker and the time to the breaker after what happened."""


class Peers(Protocol):
    """The other replicas. Every method but `heed` raises `StoreFault` if they cannot be reached."""

    async def agree(self, desk: Desk) -> Agreement:
        """Say what is on this replica's desk, and hear what comes of it. A desk that is not
        heard of for some seconds is cleared; whoever was granted something on it loses that."""

    async def leave(self) -> None:
        """Clear the desk, and lead no more."""

    def heed(self, told: Callable[[], None]) -> None:
        """Call it whenever it is worth another agreement: another replica changed something
        that matters here, or a breaker was amended."""

    async def amend(self, host: str, change: Change) -> None:
        """Change a host's breaker for all replicas."""

    async def lead(self) -> bool:
        """Become, or stay, the one replica that looks at the hosts."""

    async def post(self, sightings: Mapping[str, Any]) -> None:
        """Tell all replicas what was seen of hosts, as data that JSON can hold."""

    async def posted(self) -> Mapping[str, tuple[float, Any]]:
        """What was seen last of each host, and how many seconds ago."""
