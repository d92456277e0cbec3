"""Settings → adapters → Referee → app, and the life of all of them.

The only module that knows every part. The page is served at once; hosts, weights and warm-up
follow in the background while `House.readiness` tells how far they are.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

from fastapi import FastAPI

from arena.adapters.battles import MemoryBattles, MemoryFeed
from arena.adapters.engine import Engine, EngineModel, demo_weights, user_models
from arena.adapters.hosts import HostPool, HostTimeouts, OllamaHost
from arena.adapters.ledger import SqlLedger
from arena.core import roster as rosters
from arena.core.battle import Contender
from arena.core.naming import match
from arena.core.ports import ArenaError, ConfigError, HostFault, Readiness
from arena.referee import Referee, RefereeRules
from arena.settings import OLLAMA_PORT, Settings
from arena.stage import StageRules

log = logging.getLogger(__name__)

LOCAL_OLLAMA = f"http://127.0.0.1:{OLLAMA_PORT}"
Told = Callable[[Readiness], None]


class House:
    """Everything that lives as long as the app. `open` returns at once; `ready` is set when
    the first battle can be fought or setting up has failed for good."""

    def __init__(self, settings: Settings, told: Told = lambda readiness: None) -> None:
        self.settings = settings
        self.readiness = Readiness(False, "Starting.")
        self.set_up = asyncio.Event()
        self.source = ""
        """Which hosts are used and why, in words for the terminal."""
        self._told = told
        self.hosts = HostPool(options=_options(settings), timeouts=_timeouts(settings))
        self.ledger = SqlLedger(settings.database_url)
        self.feed = MemoryFeed()
        self.battles = MemoryBattles(forgotten=self._forget)
        self.referee = Referee(
            hosts=self.hosts,
            battles=self.battles,
            feed=self.feed,
            ledger=self.ledger,
            rules=RefereeRules(
                battle_size=settings.battle_size,
                max_prompt=settings.max_prompt,
                stage=StageRules(pace=settings.pace, grace_s=settings.grace_s),
            ),
            readiness=lambda: self.readiness,
        )
        self._engine: Engine | None = None
        self._roster = _named_roster(settings)
        self._task: asyncio.Task[None] | None = None
