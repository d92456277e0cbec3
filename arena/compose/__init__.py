"""The only part that knows every other: adapters are chosen by the settings and put together.

It does not know what is done with the whole.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from arena.adapters.images import cleaned
from arena.compose.asking import reply_tokens, tls_of
from arena.compose.house import House, Told, nobody
from arena.compose.ledgers import (
    Absent,
    backed_up,
    ledger_condition,
    ledger_key,
    ledger_of,
    restored,
    verified,
)
from arena.compose.stores import APART, SharedStores, arenas_on
from arena.compose.supply import roster_of
from arena.core.ports import Condition
from arena.settings import Settings

__all__ = [
    "APART",
    "Absent",
    "House",
    "arenas_on",
    "backed_up",
    "cleaned",
    "ledger_condition",
    "ledger_key",
    "ledger_of",
    "reaching",
    "reply_tokens",
    "restored",
    "roster_of",
    "store_condition",
    "tls_of",
    "verified",
]


@asynccontextmanager
async def reaching(
    settings: Settings, told: Told = nobody, *, engine: bool = True
) -> AsyncIterator[House]:
    """A house that has found and looked at its hosts, for commands: no page, no ledger, nothing
    loaded. engine: start it where there is no host. Raises ArenaError."""
    # A command is no replica: it would take part in who looks at the hosts, and who holds slots.
    house = House(replace(settings, redis_url=""), told)
    try:
        await house.supply.find(house.loading, engine=engine)
        await house.hosts.look()
        yield house
    finally:
        await house.close()


async def store_condition(settings: Settings) -> Condition:
    """Of the Redis that replicas share. Raises ConfigError and StoreFault."""
    stores = SharedStores(settings, lambda _: None)
    try:
        return await stores.condition()
    finally:
        await stores.close()
