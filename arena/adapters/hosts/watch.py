"""Who looks at the hosts, and which are left alone, where several replicas use the same ones.

One replica looks and tells the others; a failure at a host is every replica's. Alone, or while
the others cannot be reached, each looks for itself. It does not know how a host is asked, nor
how replicas reach each other.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from math import inf

from arena.adapters.hosts.host import ListedModel
from arena.adapters.hosts.state import FRESH_S, HostState, Sighting
from arena.core.codec import Unreadable, decode, encode
from arena.core.errors import HostFault, StoreFault
from arena.core.hosts.placement import HOST_BREAKER
from arena.core.hosts.sharing import Agreement, Change, Peers

log = logging.getLogger(__name__)

SEEN_S = 12.0
"""What another replica saw holds for so long: a little more than two looks."""

Models = Mapping[str, ListedModel]
"""What a host has, by name."""


class Watch:
    """states: of the hosts that are used now, by URL. peers: None for a process on its own."""

    def __init__(
        self,
        states: Callable[[], Mapping[str, HostState]],
        peers: Peers | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.leading = True
        """This replica looks at the hosts for all, and loads what is missing there."""
        self._states = states
        self._peers = peers
        self._clock = clock
        self._untold: Counter[str] = Counter()
        self._listings: dict[str, tuple[float, asyncio.Task[Models]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def look(self) -> None:
        """See every host, through the replica that looks or by a look of one's own."""
        states = list(self._states().values())
        seen = await self._seen_by_others()
        unseen = [state for state in states if not self._adopt(state, seen)]
        await asyncio.gather(*(state.look() for state in unseen))
        if self._peers and unseen:
            try:
                await self._peers.post(
                    {state.url: encode(state.sighting(), Sighting) for state in unseen}
                )
            except StoreFault:
                log.info("what was seen of the hosts could not be told to the other replicas")

    async def _seen_by_others(self) -> Mapping[str, tuple[float, object]]:
        """When, by this clock, and what."""
        self.leading = True
        if self._peers:
            try:
                self.leading = await self._peers.lead()
                now = self._clock()  # Before it is asked, so that nothing seems newer than it is.
                posted = {} if self.leading else await self._peers.posted()
                return {url: (now - age_s, seen) for url, (age_s, seen) in posted.items()}
            except StoreFault:
                log.info("the other replicas cannot be reached, so this one looks for itself")
        return {}

    def _adopt(self, state: HostState, seen: Mapping[str, tuple[float, object]]) -> bool:
        """Take in what another replica saw of the host; False if that is not enough."""
        at, data = seen.get(state.url, (-inf, None))
        if at <= max(self._clock() - SEEN_S, state.failed_at):
            return False
        try:
            state.adopt(decode(data, Sighting), at)
        except Unreadable:
            return False
        return True

    def listing(self, state: HostState) -> asyncio.Task[Models]:
        """What the host has now, for a reply that does not wait for it; those of a second share it.
        Nothing where the host tells no digests, or does not answer."""
        at, listing = self._listings.get(state.url, (-inf, None))
        if listing is None or (listing.done() and self._clock() - at >= FRESH_S):
            listing = asyncio.create_task(_listed(state))
            self._listings[state.url] = self._clock(), listing
        return listing

    # Breakers ---------------------------------------------------------------------------------

    def share(self, url: str, change: Change) -> None:
        """Let what happened to a host's breaker here happen to that of all replicas."""
        if self._peers:
            self._untold[url] += 1
            task = asyncio.create_task(self._tell(url, change))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _tell(self, url: str, change: Change) -> None:
        assert self._peers
        try:
            await self._peers.amend(url, change)
        except StoreFault:
            log.info("a failure of a host could not be told to the other replicas")
        finally:
            self._untold[url] -= 1

    def heed(self, agreement: Agreement) -> None:
        """Leave alone the hosts that failed for any replica."""
        by = self._clock() - agreement.now
        for url, state in self._states().items():
            if not self._untold[url]:
                state.breaker = agreement.breakers.get(url, HOST_BREAKER).shifted(by)

    async def close(self) -> None:
        tasks = [*self._tasks, *(listing for _, listing in self._listings.values())]
        self._listings.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _listed(state: HostState) -> Models:
    if any(map(state.digest, state.installed)):
        with suppress(HostFault):
            return {model.name: model for model in await state.host.installed()}
    return {}
