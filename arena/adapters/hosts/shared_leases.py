"""Leases of one replica among several: who gets which slot is agreed on with the others.

Tickets stay here; a task says to the others what they hold and wait for, whenever that changes
and every few seconds, and hears what was granted. It does not know how that is agreed on.
"""

import asyncio
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from arena.adapters.hosts.leases import CandidatesOf, Leases, Ticket
from arena.core.errors import StoreFault
from arena.core.hosts.placement import suitable
from arena.core.hosts.sharing import Agreement, Desk, Peers, Waiting

BEAT_S = 2.5
RETRY_S = 0.5


@dataclass(slots=True, eq=False)
class SharedTicket(Ticket):
    """A ticket that the other replicas know by `id`, another one for each time that it waits.
    `number` is 0 and `heard_of` open until they do."""

    id: str = ""
    heard_of: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class SharedLeases:
    """`Leases` over all replicas. agreed: told how things stand on all of them, each time."""

    def __init__(
        self,
        candidates_of: CandidatesOf,
        peers: Peers,
        *,
        agreed: Callable[[Agreement], None] = lambda agreement: None,
        beat_s: float = BEAT_S,
    ) -> None:
        self._candidates_of = candidates_of
        self._peers = peers
        self._agreed = agreed
        self._beat_s = beat_s
        self._tickets: dict[str, SharedTicket] = {}
        self._last: Agreement | None = None
        self._name = uuid.uuid4().hex[:12]
        self._turns = 0
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def held(self, host: str, runner: str | None = None) -> int:
        """Leases of all replicas on a host, for one runner or for all."""
        counts = self._last.held.items() if self._last else ()
        return sum(count for (at, by), count in counts if at == host and runner in (None, by))

    def waiting(self, model: str) -> int:
        """Replies that wait for the model on all replicas."""
        return sum(ticket.model == model for ticket in self._last.queue) if self._last else 0

    async def take(self, model: str, avoid: frozenset[str]) -> Ticket:
        """A ticket, with a lease at once if there is a free slot. Raises StoreFault when the
        queue of all replicas cannot be reached."""
        ticket = SharedTicket(model, avoid, 0)
        self._line_up(ticket)
        try:
            await ticket.heard_of
        except BaseException:
            self.give_back(ticket)
            raise
        return ticket

    def stand_again(self, ticket: Ticket) -> None:
        """Return the lease, and wait for another one at the ticket's old place."""
        assert isinstance(ticket, SharedTicket)
        del self._tickets[ticket.id]
        ticket.host = ""
        self._line_up(ticket)

    def give_back(self, ticket: Ticket) -> None:
        assert isinstance(ticket, SharedTicket)
        self._tickets.pop(ticket.id, None)
        ticket.host = ""
        self._woken.set()

    def serve(self) -> None:
        """What hosts can do has changed: those who wait here may be served otherwise now."""
        for ticket in self._tickets.values():
            ticket.moved.set()
        self._wake()

    async def close(self) -> None:
        """Tell the others that nothing is held here any more; the next `take` or `serve` begins
        anew."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
            with suppress(StoreFault):
                await self._peers.leave()

    def _line_up(self, ticket: SharedTicket) -> None:
        self._turns += 1
        ticket.id = f"{self._name}/{self._turns}"
        self._tickets[ticket.id] = ticket
        self._wake()

    def _wake(self) -> None:
        self._woken.set()
        if self._task is None:
            self._peers.heed(self._woken.set)
            self._task = asyncio.create_task(self._run())

    # Agreeing ---------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            pause_s = await self._agree()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._woken.wait()

    async def _agree(self) -> float:
        """Returns in how many seconds to do it again at the latest."""
        asked = list(self._tickets.values())
        try:
            agreement = await self._peers.agree(self._desk())
        except StoreFault as fault:
            # Those who came meanwhile wait for another attempt, those who waited before go on.
            for ticket in asked:
                if not ticket.heard_of.done():
                    ticket.heard_of.set_exception(fault)
            return RETRY_S
        self._hear(agreement)
        before, self._last = self._last, agreement
        self._agreed(agreement)
        if before and before.breakers != agreement.breakers:
            self.serve()
        return min(self._beat_s, agreement.again_s)

    def _desk(self) -> Desk:
        waiting, wishes = [], {}
        for id, ticket in self._tickets.items():
            if not ticket.host:
                wish = " ".join((ticket.model, *sorted(ticket.avoid)))
                waiting.append(Waiting(id, ticket.number, ticket.model, wish))
                if wish not in wishes:
                    candidates = self._candidates_of(ticket.model, ticket.avoid)
                    wishes[wish] = tuple(suitable(candidates))
        held = {id: (t.host, t.runner) for id, t in self._tickets.items() if t.host}
        return Desk(held, tuple(waiting), wishes, rejoined=self._last is not None)

    def _hear(self, agreement: Agreement) -> None:
        """What was granted, and who stands where."""
        for id, (spot, number) in agreement.granted.items():
            ticket = self._tickets.get(id)
            if ticket and not ticket.host:
                (ticket.host, ticket.runner), ticket.number, ticket.place = spot, number, 0
                self._tell(ticket)
        for place, waiting in enumerate(agreement.queue, start=1):
            ticket = self._tickets.get(waiting.id)
            if ticket and not ticket.host and place != ticket.place:
                ticket.place, ticket.number = place, waiting.number
                self._tell(ticket)

    def _tell(self, ticket: SharedTicket) -> None:
        ticket.moved.set()
        if not ticket.heard_of.done():
            ticket.heard_of.set_result(None)


AnyLeases = Leases | SharedLeases
