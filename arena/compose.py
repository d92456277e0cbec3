"""Settings → adapters → Referee, and the life of all of them.

The only module that knows every part. The page is served at once; hosts, weights and warm-up
follow in the background while `House.readiness` tells how far they are.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from arena.adapters.battles import MemoryBattles, MemoryFeed
from arena.adapters.engine import SMOLLM2, Engine, EngineModel, fetch_weights
from arena.adapters.hosts import HostPool, HostTimeouts, OllamaHost
from arena.adapters.ledger import MIGRATIONS, SqlLedger
from arena.core import overview as overviews
from arena.core import roster as rosters
from arena.core.battle import Contender
from arena.core.naming import Installed, line_up
from arena.core.overview import Overview
from arena.core.ports import ArenaError, ConfigError, HostFault, Readiness
from arena.referee import Referee, RefereeRules
from arena.settings import OLLAMA_PORT, ModelSource, Settings
from arena.stage import StageRules

log = logging.getLogger(__name__)

LOCAL_OLLAMA = f"http://127.0.0.1:{OLLAMA_PORT}"
RETRY_S, WATCH_S = 10.0, 5.0
ENGINE_SLOTS = 3
NEWEST_SCHEMA = len(MIGRATIONS)
Told = Callable[[Readiness, str], None]
"""Called with how far the house is and, for the operator, which hosts and models it uses."""


def _nobody(readiness: Readiness, report: str) -> None:
    """Nobody is told."""


class House:
    """Everything that lives as long as the app. `open` returns at once; `readiness` says how
    far it is, and `told` is called at each change of it."""

    def __init__(
        self, settings: Settings, told: Told = _nobody, *, local_ollama: str = LOCAL_OLLAMA
    ) -> None:
        self.settings = settings
        self._local_ollama = local_ollama
        self.readiness = Readiness(False, "Starting.")
        self.source = ""
        """Which hosts are used and why, in words for the terminal."""
        self._told = told
        self.hosts = HostPool(
            options=_options(settings),
            timeouts=_timeouts(settings),
            tls=tls_of(settings),
            longest_queue=settings.queue,
        )
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
        self._passed_over = ""
        self._engine: Engine | None = None
        self._engine_roster: tuple[Contender, ...] = ()
        self._roster = _named_roster(settings)
        self._task: asyncio.Task[None] | None = None

    def check(self) -> None:
        """What has to be right before anything is served: the ledger. Raises ConfigError or
        LedgerFault."""
        # In a thread of its own: a notebook has a running event loop in this one.
        with ThreadPoolExecutor(max_workers=1) as thread:
            thread.submit(lambda: asyncio.run(self.ledger.open())).result()

    async def open(self) -> None:
        """Begin to set up; everything slow goes on in the background."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self.referee.close()
        await self.hosts.close()
        if self._engine:
            await self._engine.stop()
        await self.ledger.close()

    @property
    def engine_pid(self) -> int | None:
        """The embedded engine's process, if there is one."""
        return self._engine.pid if self._engine else None

    # Setting up, then watching ----------------------------------------------------------------

    async def _run(self) -> None:
        while not await self._try_to_set_up():
            await asyncio.sleep(RETRY_S)
        while True:
            await asyncio.sleep(WATCH_S)
            try:
                await self._look_after()
            except ArenaError as error:
                self._tell(Readiness(False, f"{error.title}.", error.public, demo=self._demo))
            except Exception:
                log.exception("looking after the hosts failed")

    async def _try_to_set_up(self) -> bool:
        try:
            await self.find_hosts()
            await self.hosts.look()
            if not self.hosts.refusal():
                await self.hosts.warm(self._warming)
            self._settled()
            return True
        except ArenaError as error:
            self._tell(Readiness(False, f"{error.title}.", error.public))
            return False
        except Exception:
            log.exception("setting up failed in a way that nothing foresaw")
            self._tell(Readiness(False, "Setting up failed.", "The terminal says why."))
            return False

    async def _look_after(self) -> None:
        if self._engine and not self._engine.alive:
            self._tell(Readiness(False, "The engine stopped and is started again.", demo=True))
            await self._start_engine()
            await self.hosts.look()
            await self.hosts.warm(self._warming)
        else:
            await self.hosts.refresh()
        self._settled()

    async def find_hosts(self, *, engine: bool = True) -> None:
        """The hosts that are set, else a local Ollama that can be used, else the engine, or
        none if that is not wanted."""
        slots = self.settings.num_parallel
        asked_for = self.settings.hosts()
        if asked_for:
            roster = self._roster or rosters.of_models(self.settings.models)
            self.source = f"Ollama at {', '.join(a.url for a in asked_for)}"
            await self.hosts.use([(a.url, a.token) for a in asked_for], roster, slots)
        elif roster := await self._local_roster():
            self.source = f"Ollama at {self._local_ollama}, found on this machine"
            await self.hosts.use([(self._local_ollama, "")], roster, slots)
        elif engine:
            await self._start_engine()

    async def _local_roster(self) -> tuple[Contender, ...]:
        """The roster, if a local Ollama has at least two of it; else empty."""
        local = OllamaHost(self._local_ollama, timeouts=HostTimeouts(connect=0.5, listing=2.0))
        try:
            there = {m.name: Installed(m.digest) for m in await local.installed()}
        except HostFault:
            return ()
        finally:
            await local.close()
        roster = self._roster or rosters.of_models(self.settings.models)
        if len(line_up(roster, there).contenders) > 1:
            return roster
        self._passed_over = (
            f"Ollama at {self._local_ollama} has fewer than two models of the roster, so it is "
            "not used; ARENA_MODELS=auto takes what it has"
        )
        return ()

    async def _start_engine(self) -> None:
        """The embedded engine with the user's models or the demonstration model."""
        if not self._engine:
            wanted = [_engine_model(m) for m in self.settings.engine_models] or [SMOLLM2]
            models = await fetch_weights(wanted, self.settings.cache, self._loading)
            limits = {"slots": ENGINE_SLOTS, "context": self.settings.context}
            self._engine = Engine(models, limits=limits)
            self._engine_roster = _engine_roster([m.name for m in models])
        url = await self._engine.start()
        self.source = f"embedded engine at {url}, llama.cpp on this machine's CPU"
        roster = self._roster or self._engine_roster
        await self.hosts.use([(url, "")], roster, ENGINE_SLOTS)

    # Telling ----------------------------------------------------------------------------------

    async def overview(self) -> Overview:
        """What operators may see. An engine on this machine costs nothing by the hour."""
        price = self.settings.gpu_cost
        votes = await self.ledger.votes(overviews.COLUMNS)
        spent = {} if self._demo else await asyncio.to_thread(overviews.costs, votes, price)
        watched, notes = self.referee.watched(), self.hosts.problems
        return Overview(self.source, self.hosts.reports(), spent, price, notes, watched)

    @property
    def _demo(self) -> bool:
        return self._engine is not None

    def _loading(self, done: int, total: int) -> None:
        headline = "Downloading the demonstration models, once."
        megabytes = f"{done / 1e6:.0f} of {total / 1e6:.0f} MB" if total else f"{done / 1e6:.0f} MB"
        self._tell(Readiness(False, headline, megabytes, done / total if total else None, True))

    def _warming(self, done: int, total: int) -> None:
        if done < total:
            detail = f"Model {done + 1} of {total}."
            self._tell(Readiness(False, "Warming up.", detail, done / total, self._demo))

    def _settled(self) -> None:
        refusal = self.hosts.refusal()
        headline = "" if refusal else "Ready."
        self._tell(Readiness(not refusal, headline, refusal, demo=self._demo))

    def _tell(self, readiness: Readiness) -> None:
        if readiness != self.readiness:
            self.readiness = readiness
            self._told(readiness, self._report())

    def _report(self) -> str:
        """For the operator's eyes: which hosts and models are used, and what is amiss."""
        if not self.source:
            return ""
        names = ", ".join(c.name for c in self.hosts.contenders()) or "none"
        lines = [f"host    {self.source}", f"models  {names}"]
        notes = filter(None, (self._passed_over, *self.hosts.problems))
        lines += [f"note    {note}" for note in notes]
        return "\n".join(lines)

    def _forget(self, battle_id: str) -> None:
        self.feed.forget(battle_id)
        self.referee.forget(battle_id)


@asynccontextmanager
async def reaching(
    settings: Settings, told: Told = _nobody, *, engine: bool = True
) -> AsyncIterator[House]:
    """A house that has found and looked at its hosts, for commands: no page, no ledger, nothing
    loaded. engine: start it where there is no host. Raises ArenaError."""
    house = House(settings, told)
    try:
        await house.find_hosts(engine=engine)
        await house.hosts.look()
        yield house
    finally:
        await house.close()


def _named_roster(settings: Settings) -> tuple[Contender, ...]:
    """The contenders of ARENA_ROSTER; empty when none is set."""
    if not settings.roster:
        return ()
    try:
        text = settings.roster.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"ARENA_ROSTER={settings.roster}: cannot be read ({error.strerror})."
        ) from None
    return rosters.parse(text, str(settings.roster))


def _engine_model(source: ModelSource) -> EngineModel:
    return EngineModel(
        name=source.name,
        path=Path(source.path) if source.path else None,
        url=source.url or None,
        sha256=source.sha256 or None,
    )


def _engine_roster(models: list[str]) -> tuple[Contender, ...]:
    """One contender a model; of a single model three, so that there is something to decide."""
    return rosters.demo(models[0]) if len(models) == 1 else rosters.of_models(models)


def _timeouts(settings: Settings) -> HostTimeouts:
    return HostTimeouts(cold=settings.timeout_s)


def tls_of(settings: Settings) -> ssl.SSLContext | None:
    """For https hosts with certificates of one's own; None for the usual authorities."""
    if not (settings.ca_file or settings.cert_file):
        return None
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.cert_file:
            context.load_cert_chain(settings.cert_file)
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(
            f"OLLAMA_CA_FILE={settings.ca_file or ''} OLLAMA_CERT_FILE={settings.cert_file or ''}: "
            f"not usable ({error}). Allowed: PEM files with certificates."
        ) from None
    return context


def _options(settings: Settings) -> dict[str, Any]:
    """Pinned in full and sent on every call, since the defaults differ between versions of
    Ollama and a different num_ctx makes it load the model again."""
    return {
        "num_ctx": settings.context,
        "num_predict": settings.max_tokens,
        "temperature": settings.temperature,
        "top_k": 40,
        "top_p": 0.9,
        "min_p": 0.0,
        "repeat_last_n": 64,
        "repeat_penalty": 1.1,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
    }
