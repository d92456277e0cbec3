"""Where replies come from: the hosts that are set, else a local Ollama, else the embedded engine.

It does not know battles, nor who is told how far it is.
"""

from dataclasses import asdict

from arena.adapters.engine import SMOLLM2, Engine, EngineModel, fetch_weights
from arena.adapters.engine.download import Progress
from arena.adapters.hosts import HostPool, HostTimeouts, OllamaHost
from arena.addresses import OLLAMA_PORT
from arena.core.battle import roster as rosters
from arena.core.battle.entities import Contender
from arena.core.battle.naming import Installed, line_up
from arena.core.errors import ConfigError, HostFault, NotThere, line_of
from arena.settings import Settings

LOCAL_OLLAMA = f"http://127.0.0.1:{OLLAMA_PORT}"
ENGINE_SLOTS = 3


class Supply:
    """The hosts of one house. `find` gives the pool its hosts; `source` says in words for the
    terminal which they are and why. roster: empty where none is set."""

    def __init__(
        self,
        settings: Settings,
        roster: tuple[Contender, ...],
        hosts: HostPool,
        *,
        local_ollama: str,
    ) -> None:
        self.source = ""
        self.passed_over = ""
        self._settings = settings
        self._hosts = hosts
        self._local_ollama = local_ollama
        self._engine: Engine | None = None
        self._roster = roster

    @property
    def demo(self) -> bool:
        """The engine is used: what it plays with is for demonstration."""
        return self._engine is not None

    async def close(self) -> None:
        if self._engine:
            await self._engine.stop()

    async def find(self, loading: Progress, *, engine: bool = True) -> None:
        """The hosts that are set, else a local Ollama that can be used, else the engine, or
        none if that is not wanted. loading(done, total): bytes of weights that are fetched."""
        slots = self._settings.num_parallel
        asked_for, others = self._settings.hosts(), self._settings.others()
        if asked_for or others:
            roster = self._roster or rosters.of_models(self._settings.models)
            kinds = (("Ollama", asked_for), ("OpenAI-compatible hosts", others))
            self.source = "; ".join(
                f"{kind} at {', '.join(a.url for a in named)}" for kind, named in kinds if named
            )
            await self._hosts.use(
                [(a.url, a.token) for a in asked_for],
                roster,
                slots,
                openai=[(a.url, a.token) for a in others],
            )
        elif roster := await self._local_roster():
            self.source = f"Ollama at {self._local_ollama}, found on this machine"
            await self._hosts.use([(self._local_ollama, "")], roster, slots)
        elif engine:
            await self._start_engine(loading)

    async def _local_roster(self) -> tuple[Contender, ...]:
        """The roster, if a local Ollama has at least two of it; else empty."""
        local = OllamaHost(self._local_ollama, timeouts=HostTimeouts(connect=0.5, listing=2.0))
        try:
            there = {m.name: Installed(m.digest, remote=m.remote) for m in await local.installed()}
        except HostFault:
            return ()
        finally:
            await local.close()
        roster = self._roster or rosters.of_models(self._settings.models)
        if len(line_up(roster, there, self._settings.remote_models).contenders) > 1:
            return roster
        self.passed_over = (
            f"Ollama at {self._local_ollama} has fewer than two models of the roster, so it is "
            "not used; ARENA_MODELS=auto takes what it has"
        )
        return ()

    async def _start_engine(self, loading: Progress) -> None:
        """The embedded engine, with the user's models or the demonstration model."""
        if not self._engine:
            self._engine = await engine_of(self._settings, loading)
        url = await self._engine.start()
        self.source = f"embedded engine at {url}, llama.cpp on this machine's CPU"
        roster = self._roster or _engine_roster(self._engine.models)
        await self._hosts.use([(url, "")], roster, ENGINE_SLOTS)


async def engine_of(settings: Settings, loading: Progress) -> Engine:
    """The engine of these settings, not started, with its weights on the disk. Raises ArenaError."""
    wanted = [EngineModel(**asdict(source)) for source in settings.engine_models] or [SMOLLM2]
    models = await fetch_weights(wanted, settings.cache, loading)
    return Engine(models, limits={"slots": ENGINE_SLOTS, "context": settings.context})


def roster_of(settings: Settings) -> tuple[Contender, ...]:
    """The contenders of ARENA_ROSTER; empty when none is set. Raises ConfigError."""
    if not settings.roster:
        return ()
    try:
        text = settings.roster.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise NotThere(
            f"ARENA_ROSTER={settings.roster}: cannot be read ({error.strerror})."
        ) from None
    except UnicodeDecodeError as error:
        line = line_of(error)
        raise ConfigError(
            f"ARENA_ROSTER={settings.roster}: line {line} is not UTF-8. Save it again as UTF-8."
        ) from None
    return rosters.parse(text, str(settings.roster))


def _engine_roster(models: list[str]) -> tuple[Contender, ...]:
    """One contender a model; of a single model three, so that there is something to decide."""
    return rosters.demo(models[0]) if len(models) == 1 else rosters.of_models(models)
