"""Where live battles, their events and limits are kept: in this process, or shared by replicas.

It does not know what is kept.
"""

from __future__ import annotations

from collections.abc import Callable

from arena.adapters.battles import MemoryBattles, MemoryFeed
from arena.adapters.limits import MemoryLimits


class MemoryStores:
    """One process: kept as long as it runs. forgotten: told of each battle that is let go."""

    def __init__(self, forgotten: Callable[[str], None]) -> None:
        self._forgotten = forgotten
        self.feed = MemoryFeed()
        self.battles = MemoryBattles(forgotten=self._forget)
        self.limits = MemoryLimits()

    def _forget(self, battle_id: str) -> None:
        self.feed.forget(battle_id)
        self._forgotten(battle_id)
