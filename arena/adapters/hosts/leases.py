"""Leases: at most so many replies at once for each runner on each host, first come first served.

Ollama queues for a loaded model and never says how long, so the queue is kept here, where the place
in it can be shown. Nobody is refused: whoever comes is of a battle that has begun. It does not know
hosts, only Candidates.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from arena.core.hosts.placement import Candidate, choose

CandidatesOf = Callable[[str, frozenset[str]], Iterable[Candidate]]


@dataclass(slots=True, eq=False)
class Ticket:
    """A place in the queue for a model; `host` and `runner` are set once a lease is held.
    `moved` is set whenever it is worth another look: at a change of place, or of what hosts can
    do."""

    model: str
    avoid: frozenset[str]
    number: int
    host: str = ""
    runner: str = ""
    place: int = 0
    moved: asyncio.Event = field(default_factory=asyncio.Event)


class Leases:
    """The queue of tickets over all hosts, of one process on its own. Call `serve` whenever a
    host changes."""

    def __init__(self, candidates_of: CandidatesOf) -> None:
        self._candidates_of = candidates_of
        self._held: Counter[tuple[str, str]] = Counter()
        self._waiting: list[Ticket] = []
        self._taken = 0

    def held(self, host: str, runner: str | None = None) -> int:
        """Leases on a host, for one runner or for all."""
        if runner is not None:
            return self._held[host, runner]
        return sum(count for (at, _), count in self._held.items() if at == host)

    def waiting(self, model: str) -> int:
        return sum(ticket.model == model for ticket in self._waiting)

    async def take(self, model: str, avoid: frozenset[str]) -> Ticket:
        """A ticket, with a lease at once if there is a free slot."""
        self._taken += 1
        ticket = Ticket(model, avoid, self._taken)
        self._waiting.append(ticket)
        self.serve()
        return ticket

    def stand_again(self, ticket: Ticket) -> None:
        """Return the lease, and wait for another one at the ticket's old place."""
        self._return(ticket)
        self._waiting.append(ticket)
        self._waiting.sort(key=lambda waiting: waiting.number)
        self.serve()

    def give_back(self, ticket: Ticket) -> None:
        """Leave the queue or return the lease."""
        if ticket.host:
            self._return(ticket)
        elif ticket in self._waiting:
            self._waiting.remove(ticket)
        self.serve()

    def serve(self) -> None:
        """Give free slots to those who wait, in their order, and let the others look again."""
        still_waiting = []
        for ticket in self._waiting:
            best = choose(self._candidates_of(ticket.model, ticket.avoid))
            if best:
                ticket.host = best.host
                ticket.runner = best.runner
                self._held[best.host, best.runner] += 1
                ticket.place = 0
            else:
                still_waiting.append(ticket)
            ticket.moved.set()
        self._waiting = still_waiting
        for place, ticket in enumerate(still_waiting, start=1):
            ticket.place = place

    async def close(self) -> None:
        """Nobody else is waiting for what is held here."""

    def _return(self, ticket: Ticket) -> None:
        self._held[ticket.host, ticket.runner] -= 1
        ticket.host = ""
