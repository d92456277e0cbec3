"""Where live battles, their events and limits are kept: in this process, or shared by replicas.

It does not know what is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from sqlalchemy import make_url

from arena.adapters.battles import MemoryBattles
from arena.adapters.feed import MemoryFeed
from arena.adapters.journal import Journal, living
from arena.adapters.limits import MemoryLimits
from arena.adapters.parking import Parked, park, unpark
from arena.compose.ledgers import ledger_key
from arena.core.battle import rules
from arena.core.battle.entities import Battle, Phase
from arena.core.errors import NotInstalled, StoreFault
from arena.core.keyed import digest
from arena.core.ports import Condition
from arena.play.writer import FAULT
from arena.settings import Settings

APART = (
    "another arena runs on this ledger: each counts votes of the other's battles before the reveal",
    "Give both the same REDIS_URL, or each a ledger of its own.",
)
"""What to tell of it, and what to do."""

Forgotten = Callable[[str], None]


def stores_of(settings: Settings, forgotten: Forgotten) -> MemoryStores | SharedStores:
    """forgotten: told of each battle that is let go."""
    if settings.redis_url:
        return SharedStores(settings, forgotten)
    return MemoryStores(settings, forgotten)


class MemoryStores:
    """One process."""

    peers = None

    def __init__(self, settings: Settings, forgotten: Forgotten) -> None:
        self._settings = settings
        self._forgotten = forgotten
        self.feed = MemoryFeed()
        self.battles = MemoryBattles(
            forgotten=self._forget,
            kept=self._keep,
            found=self.feed.found_again,
            viewers=self.feed.viewers,
        )
        self._keep_in(*_parking(settings))
        self.limits = MemoryLimits()

    @property
    def apart(self) -> bool:
        """Whether another process keeps its battles of the same ledger to itself, now."""
        return living(_moves(self._parking)) > 1

    async def check(self, key: bytes) -> None:
        """Memory can always be used."""
        self._keep_in(*_parking(self._settings, key))

    def _keep_in(self, parking: Path, *older: Path) -> None:
        """parking: the file in which battles under way wait for the next process; beside it stands
        what is found again after a crash. older: such files of before."""
        self._parking, self._older = parking, older
        self._journal = Journal(_moves(parking), self.battles.lines)

    def take_up(self) -> None:
        """Go on with what the process before left."""
        self._journal.appear()
        with self._journal.growing():
            self._take_up()

    def _take_up(self) -> None:
        for moved, left in self._journal.take_up(*map(_moves, self._older)):
            # Nobody knows what was shown of a round that was being written.
            writing = left.phase is Phase.ANSWERING
            battle = rules.void(left, FAULT) if writing else left
            self.battles.take_up(battle, moved)
            self.feed.found_again(battle)
        for parking in (self._parking, *self._older):
            for parked in unpark(parking, self._journal.keep):
                self.battles.take_up(parked.battle, parked.moved)
                if parked.events:
                    self.feed.take_up(parked.battle.id, parked.events, parked.last)
                else:
                    self.feed.found_again(parked.battle)

    async def close(self) -> None:
        told, last = self.feed.told, self.feed.last
        parked, whole = [], False
        # Those that cannot be read now are found again by their moves.
        with suppress(StoreFault):
            for moved, each in self.battles.undecided():
                parked.append(Parked(each, told(each.id), last(each.id), moved))
            whole = True
        put_aside = park(self._parking, parked)
        self._journal.close(found_again=not (whole and put_aside))
        self.battles.close()

    def _keep(self, moved: float, battle: Battle) -> None:
        self._journal.keep(moved, battle)

    def _forget(self, battle_id: str) -> None:
        self.feed.forget(battle_id)
        self._forgotten(battle_id)


class SharedStores:
    """All replicas on one Redis. `peers`: the others that use the same hosts; where each has an
    engine of its own they share none."""

    apart = False

    def __init__(self, settings: Settings, forgotten: Forgotten) -> None:
        try:
            from arena.adapters import redis
        except ImportError as error:
            raise NotInstalled("REDIS_URL", error) from error
        self._settings = settings
        self._forgotten = forgotten
        self._store = redis.RedisStore(settings.redis_url)
        self.feed = redis.RedisFeed(self._store)
        self.battles = redis.RedisBattles(self._store, forgotten=self._forget)
        self.limits = redis.RedisLimits(self._store)
        hosts = settings.hosts() or settings.others()
        self.peers = redis.RedisPeers(self._store) if hosts else None

    async def check(self, key: bytes) -> None:
        """Raises ConfigError or StoreFault where they cannot be used. key: the ledger's."""
        self._store.prefix = f"arena:{_named(self._settings, key)}:"
        await self._store.open()

    async def condition(self) -> Condition:
        return await self._store.inspect()

    def take_up(self) -> None:
        """Orphans are looked for all the time."""

    async def close(self) -> None:
        await self._store.close()

    def _forget(self, battle_id: str) -> None:
        self.feed.forget(battle_id)
        self._forgotten(battle_id)


async def arenas_on(settings: Settings) -> int:
    """How many processes keep battles of this ledger, each to itself; on this machine. Raises
    ConfigError and LedgerFault."""
    if settings.redis_url:
        return 0
    key = b"" if settings.ledger_file else await ledger_key(settings)
    return living(_moves(_parking(settings, key)[0]))


def _parking(settings: Settings, key: bytes = b"") -> tuple[Path, ...]:
    """Beside a ledger that is a file, else in the cache folder, by the ledger, as arenas on several
    may share the folder; then those of older versions. key: the ledger's, once it is known."""
    if file := settings.ledger_file:
        named = Path(settings.database_url.removeprefix("sqlite:///"))
        return tuple(dict.fromkeys(f.with_name(f"{f.name}.parked") for f in (file, named)))
    database = re.sub(r":[^/@]*@", "@", settings.database_url, count=1)
    names = [*([_named(settings, key)] if key else ()), sha256(database.encode()).hexdigest()[:12]]
    there = [settings.cache / f"battles-{name}.parked" for name in names]
    return (*there, settings.cache / "battles.parked")


def _named(settings: Settings, key: bytes) -> str:
    """Of a ledger, however it is reached; what was made of its copy has its key, too."""
    return digest(key, str(settings.ledger_file or make_url(settings.database_url).database))


def _moves(parking: Path) -> Path:
    return parking.with_name(f"{parking.stem}.moves")
