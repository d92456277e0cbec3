"""Live battles in Redis: each as one record under its version, with who lets it be written.

It does not know the rules of a battle, only its id, version and phase.
"""

import logging
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable

from arena.adapters.redis.connection import RedisStore
from arena.core.battle.entities import Battle, Phase
from arena.core.codec import line, read_line
from arena.core.errors import StaleVote, StoreFault, UnknownBattle

log = logging.getLogger(__name__)

KEEP_S = 24 * 3600
OWNER_S = 6.0
"""How long a claim holds that is not renewed."""


class RedisBattles:
    """`core.ports.Battles` for all replicas. keep_s: what is not touched for so long is
    forgotten. owner_s: how long a claim holds. forgotten: called with the id of each battle that
    passed through this replica, once it is not kept any more."""

    def __init__(
        self,
        store: RedisStore,
        *,
        keep_s: float = KEEP_S,
        owner_s: float = OWNER_S,
        forgotten: Callable[[str], None] = lambda battle_id: None,
    ) -> None:
        self._store = store
        self._keep_ms = round(keep_s * 1000)
        self._owner_ms = round(owner_s * 1000)
        self._forgotten = forgotten
        self._touched: OrderedDict[str, float] = OrderedDict()

    async def load(self, battle_id: str) -> Battle:
        text = await self._store.ask("load", [self._store.key("battle", battle_id)])
        if text is None:
            raise UnknownBattle(
                "This battle is no longer kept: it is older than a day, or never was here. The "
                "votes already cast are kept. Start a new battle."
            )
        self._touch(battle_id)
        try:
            battle: Battle = read_line(text, Battle)
            return battle
        except ValueError as error:
            log.error("battle %s cannot be read: %s", battle_id, error)
            raise StoreFault(
                "This battle is played by a newer version of the arena than the one that answers "
                "here. Please try again in a minute."
            ) from error

    async def save(self, battle: Battle) -> None:
        key = self._store.key
        saved = await self._store.ask(
            "save",
            [key("battle", battle.id), *map(key, ("under_way", "answering", "unrevealed"))],
            battle.version,
            line(battle, Battle),
            uuid.uuid4().hex,
            self._keep_ms,
            battle.id,
            int(battle.phase not in (Phase.DECIDED, Phase.VOID)),
            int(battle.phase is Phase.ANSWERING),
            int(battle.phase is not Phase.DECIDED),
        )
        if not saved:
            raise StaleVote("The battle has moved on. The page shows where it is now.")
        self._touch(battle.id)

    async def under_way(self) -> frozenset[str]:
        return await self._in("under_way")

    async def unrevealed(self) -> frozenset[str]:
        return await self._in("unrevealed")

    async def _in(self, name: str) -> frozenset[str]:
        return frozenset(await self._store.ask("under_way", [self._store.key(name)], self._keep_ms))

    async def claim(self, battle_id: str) -> bool:
        key = self._store.key("owner", battle_id)
        return bool(await self._store.ask("claim", [key], self._store.replica, self._owner_ms))

    async def release(self, battle_id: str) -> None:
        key = self._store.key("owner", battle_id)
        await self._store.ask("let_go", [key], self._store.replica)

    async def orphans(self) -> tuple[str, ...]:
        """They are claimed by this replica then. One that was just saved is left for a while to
        whoever saved it."""
        return tuple(
            await self._store.ask(
                "orphans",
                [self._store.key("answering")],
                self._keep_ms,
                self._owner_ms,
                self._store.key("owner", ""),
                self._store.replica,
                self._store.key("battle", ""),
            )
        )

    async def first(self, key: str, battle_id: str) -> str:
        place = self._store.key("key", key)
        return str(await self._store.ask("first", [place], battle_id, self._keep_ms))

    async def unkey(self, key: str, battle_id: str) -> None:
        places = [self._store.key("key", key), self._store.key("battle", battle_id)]
        await self._store.ask("unkey", places, battle_id)

    async def name(self, name: str, battle_id: str) -> None:
        await self._store.ask("name", [self._store.key("name", name)], battle_id, self._keep_ms)

    async def named(self, name: str) -> str:
        return str(await self._store.ask("named", [self._store.key("name", name)]))

    def _touch(self, battle_id: str) -> None:
        """Remember that it passed through here, and forget those that did so long ago."""
        now = time.monotonic()
        self._touched[battle_id] = now
        self._touched.move_to_end(battle_id)
        while now - next(iter(self._touched.values())) > self._keep_ms / 1000:
            self._forgotten(self._touched.popitem(last=False)[0])
