"""What replicas agree on about the hosts, through Redis: slots, breakers, and who looks.

It does not know how a host is asked, nor what a sighting says.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from arena.adapters.redis.connection import RedisStore
from arena.core.codec import Unreadable, decode, line
from arena.core.errors import StoreFault
from arena.core.hosts.placement import Breaker
from arena.core.hosts.sharing import Agreement, Change, Desk, Waiting

DESK_S = 10.0
"""A desk that is not heard of for so long is cleared."""
PAUSE_S = 1.5
"""How long nothing is granted after Redis was away, so that all can say what they hold."""
LEAD_S = 6.0
TRIES = 20


class RedisPeers:
    """`core.hosts.sharing.Peers`. desk_s, pause_s, lead_s: how long a desk lasts that is not heard of,
    how long nothing is granted after Redis was away, and how long a lead is kept."""

    def __init__(
        self,
        store: RedisStore,
        *,
        desk_s: float = DESK_S,
        pause_s: float = PAUSE_S,
        lead_s: float = LEAD_S,
    ) -> None:
        self._store = store
        self._desk_ms = round(desk_s * 1000)
        self._pause_ms = round(pause_s * 1000)
        self._lead_ms = round(lead_s * 1000)

    async def agree(self, desk: Desk) -> Agreement:
        key = self._store.key
        answer = await self._store.ask(
            "agree",
            [key("desks"), key("agreed"), key("breakers")],
            self._store.replica,
            _said(desk),
            self._desk_ms,
            self._pause_ms,
            key("hosts"),
        )
        return _heard(json.loads(answer))

    async def leave(self) -> None:
        keys = [self._store.key("desks"), self._store.key("leader")]
        await self._store.ask("leave", keys, self._store.replica, self._store.key("hosts"))

    def heed(self, told: Callable[[], None]) -> None:
        def heard(replica: str) -> None:
            if replica != self._store.replica:
                told()

        self._store.ear.listen(self._store.key("hosts"), heard, told)

    async def amend(self, host: str, change: Change) -> None:
        key, channel = map(self._store.key, ("breakers", "hosts"))
        for _ in range(TRIES):
            before, now = await self._store.ask("breaker", [key], host)
            breaker = change(_breaker(json.loads(before or "{}")), now / 1000)
            after = line(breaker, Breaker)
            if await self._store.ask("amend", [key], host, before, after, channel):
                return
        raise StoreFault("Too many failures at once to keep count of them.")

    async def lead(self) -> bool:
        key = self._store.key("leader")
        return bool(await self._store.ask("claim", [key], self._store.replica, self._lead_ms))

    async def post(self, sightings: Mapping[str, Any]) -> None:
        said = [word for host, seen in sightings.items() for word in (host, json.dumps(seen))]
        if said:
            await self._store.ask("post", [self._store.key("sightings")], *said)

    async def posted(self) -> Mapping[str, tuple[float, Any]]:
        now, said = await self._store.ask("posted", [self._store.key("sightings")])
        seen = {}
        for host, words in zip(said[::2], said[1::2], strict=True):
            at, text = words.split(" ", 1)
            seen[host] = (now - int(at)) / 1000, json.loads(text)
        return seen


def _said(desk: Desk) -> str:
    return json.dumps(
        {
            "held": desk.held,
            "waiting": [(w.id, w.number, w.model, w.wish) for w in desk.waiting],
            "wishes": {
                wish: [(c.host, c.runner, c.slots, c.rank, c.speed or 0.0) for c in candidates]
                for wish, candidates in desk.wishes.items()
            },
            "rejoined": desk.rejoined,
        }
    )


def _heard(said: Mapping[str, Any]) -> Agreement:
    """Lua's empty tables are objects in JSON, also where a list is meant."""
    return Agreement(
        granted={
            id: ((host, runner), number) for id, (host, runner, number) in said["granted"].items()
        },
        queue=tuple(Waiting(*entry) for entry in said["queue"]),
        held={(host, runner): count for host, runner, count in said["held"]},
        breakers={host: _breaker(data) for host, data in said["breakers"].items()},
        now=said["now"] / 1000,
        again_s=said["again"] / 1000,
    )


def _breaker(data: Any) -> Breaker:
    """A closed one if it cannot be read, as a newer arena wrote it."""
    try:
        breaker: Breaker = decode(data, Breaker)
    except Unreadable:
        return Breaker()
    return breaker
