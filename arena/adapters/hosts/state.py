"""What is known of one host: what it has and holds, how its replies went, and what is amiss.

It asks the host, but decides nothing: which host is used is for the pool and `core.hosts.placement`.
Models are named as the roster names them; `local` says what this host calls them.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf

from arena.adapters.hosts.client import InstalledModel, OllamaHost, ResidentModel
from arena.core.battle.entities import Finished
from arena.core.battle.splitter import Splitter
from arena.core.errors import HostFault
from arena.core.hosts.placement import HOST_BREAKER, LOAD_BREAKER, Breaker, Share
from arena.core.hosts.sharing import Change

CONNECTION_KINDS = frozenset({"unreachable", "silent", "dropped"})
LOAD_KINDS = frozenset({"load", "failed"})
BUSY_S = 1.0
REPLACED_S = 300.0
"""How long a host is not asked for a model for which it let another one answer."""
MEASURED = 200
"""So many of the newest replies of a model count for its figures."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a look at a host showed, for replicas that did not look themselves."""

    up: bool
    version: str = ""
    installed: tuple[InstalledModel, ...] = ()
    resident: tuple[ResidentModel, ...] = ()
    evicted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    last_fault: str = ""


class HostState:
    """slots: replies at once for each model. context: the num_ctx that models are loaded with.
    share: told of each change of the breaker, which holds here already."""

    def __init__(
        self,
        host: OllamaHost,
        slots: int,
        context: int,
        clock: Callable[[], float] = time.monotonic,
        share: Callable[[str, Change], None] = lambda url, change: None,
    ) -> None:
        self.host = host
        self.slots = slots
        self.up = False
        self.version = ""
        self.installed: dict[str, InstalledModel] = {}
        self.resident: tuple[ResidentModel, ...] = ()
        self.local: dict[str, str] = {}
        self.breaker = HOST_BREAKER
        self.loads: defaultdict[str, Breaker] = defaultdict(lambda: LOAD_BREAKER)
        self.busy_until = -inf
        self.faults: Counter[tuple[str, str]] = Counter()
        self.last_fault = ""
        self.unopened: set[str] = set()
        self._broken: dict[str, tuple[str, str]] = {}
        self.ttft_ms: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=MEASURED))
        self.speeds: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=MEASURED))
        self.failed_at = -inf
        self._context = context
        self._weights: Mapping[str, str] = {}
        self._clock = clock
        self._share = share
        self._looked_at = -inf
        self._misses = 0
        self.begin()

    def begin(self) -> None:
        """The host was (re)started: nothing that it held or failed at counts any more."""
        self.wedged_at = -inf
        self.wedged = False
        self.missing: set[str] = set()
        self._replaced: dict[str, float] = {}
        self.tried: dict[str, float] = {}
        self.evicted: dict[str, tuple[str, ...]] = {}
        self.fleeting: set[str] = set()
        self._seen: dict[str, ResidentModel] = {}
        self._contexts: dict[str, int] = {}
        self.loads.clear()

    @property
    def url(self) -> str:
        return self.host.url

    # Looking ----------------------------------------------------------------------------------

    async def look(self) -> None:
        """Ask what it is, has and holds. One silence may be chance, two are an outage."""
        try:
            version = await self.host.version()
            installed = await self.host.installed()
            resident = await self.host.resident()
        except HostFault as fault:
            self.last_fault = str(fault)
            self._misses += 1
            if fault.kind == "unreachable" or self._misses > 1:
                self.up, self.resident = False, ()
            return
        if not self.up:
            self._change_breaker(lambda breaker, now: breaker.reprieved(now))
        self._see(version, installed)
        self._hold(resident)

    def sighting(self) -> Sighting:
        """What is known now of what a look shows."""
        if not self.up:
            return Sighting(False, last_fault=self.last_fault)
        installed = tuple(self.installed.values())
        return Sighting(True, self.version, installed, self.resident, dict(self.evicted))

    def adopt(self, sighting: Sighting, age_s: float) -> None:
        """Take in what another replica saw so long ago."""
        if not sighting.up:
            self.up, self.resident, self.last_fault = False, (), sighting.last_fault
            return
        self._see(sighting.version, sighting.installed)
        self.evicted |= sighting.evicted
        at = self._clock() - age_s
        if at > self._looked_at:
            self._hold(sighting.resident, at)

    def _see(self, version: str, installed: tuple[InstalledModel, ...]) -> None:
        if not self.up:
            self.begin()
        self.up, self._misses, self.version = True, 0, version
        self.installed = {m.name: m for m in installed}
        self.missing.clear()

    async def look_again(self, older_than_s: float = 0.0) -> None:
        """Ask what it holds, if that is not known freshly. Raises HostFault."""
        if self._clock() - self._looked_at >= older_than_s:
            self._hold(await self.host.resident())

    def name_models(self, digests: Mapping[str, str], weights: Mapping[str, str]) -> None:
        """digests: of the roster's models, by name. A host may have one under another name.
        weights: digest of a model → that of its weights, as far as known."""
        self._weights = weights
        by_digest = {m.digest: m.name for m in self.installed.values() if m.digest}
        self.local = {}
        for model, digest in digests.items():
            known = self.installed.get(model)
            if known and (not digest or known.digest == digest):
                self.local[model] = model
            elif digest in by_digest:
                self.local[model] = by_digest[digest]
        self._remember()

    def _hold(self, resident: tuple[ResidentModel, ...], at: float | None = None) -> None:
        if self.resident and not resident:
            self.wedged = False
        self.resident = resident
        self._looked_at = self._clock() if at is None else at
        self._remember()

    def _remember(self) -> None:
        for model in self.local:
            if held := self.held(model):
                self._seen[model] = held

    # Residency --------------------------------------------------------------------------------

    def held(self, model: str) -> ResidentModel | None:
        """The model as it is loaded now, with the context it is asked with; under another name
        if that has the same weights."""
        name = self.local.get(model, "")
        context = self._contexts.get(model, self._context)
        for resident in self.resident:
            if self._same(resident, name) and resident.context_length in (0, context):
                return resident
        return None

    def _same(self, resident: ResidentModel, name: str) -> bool:
        digest = self._digest(name)
        if not (digest and resident.digest):
            return resident.name == name
        weights = self._weights.get(digest)
        return resident.digest == digest or bool(
            weights and self._weights.get(resident.digest) == weights
        )

    def ready(self, model: str) -> bool:
        """Loaded: a reply pays for no load."""
        return self.held(model) is not None

    def runner(self, model: str) -> str:
        """What answers for the model: Ollama loads weights once for all models made from them,
        lists them under the name that was loaded first, and shares their slots."""
        name = self.local.get(model, "")
        return self._weights.get(self._digest(name)) or model

    def _digest(self, name: str) -> str:
        return self.installed[name].digest if name in self.installed else ""

    def share(self, model: str) -> Share:
        """As last seen, now or before it was unloaded."""
        seen = self._seen.get(model)
        return Share.of(seen.size, seen.size_vram) if seen else Share.UNKNOWN

    def loaded(self, model: str, before: tuple[ResidentModel, ...]) -> None:
        """A load has just succeeded; `before` is what was resident until then."""
        self.wedged = False
        for resident in self.resident:
            if self._same(resident, self.local.get(model, "")):
                self._contexts[model] = resident.context_length
        self._remember()
        now = {r.name for r in self.resident}
        if gone := tuple(r.name for r in before if r.name not in now):
            self.evicted[model] = gone
        self.fleeting.discard(model)
        if not self.ready(model):
            self.fleeting.add(model)

    @property
    def crowded(self) -> bool:
        """Loading one of the roster's models here has unloaded another."""
        return bool(self.evicted)

    # What happened to replies -----------------------------------------------------------------

    def completed(self, model: str, facts: Finished, said: Splitter) -> None:
        (self.unopened.add if said.unopened else self.unopened.discard)(model)
        if said.token:
            self.faults[model, "template"] += 1
            self._broken[model] = self._digest(self.local.get(model, "")), said.token
        self._change_breaker(lambda breaker, now: breaker.succeeded())
        self.loads.pop(model, None)
        self.ttft_ms[model].append(facts.ttft_ms)
        if facts.tokens_per_s:
            self.speeds[model].append(facts.tokens_per_s)

    def speed(self, model: str) -> float | None:
        """Mean tokens/s of the newest replies."""
        newest = list(self.speeds[model])[-20:]
        return sum(newest) / len(newest) if newest else None

    def note(self, model: str, fault: HostFault) -> None:
        """Count a fault and draw the conclusions."""
        now = self._clock()
        self.faults[model, fault.kind] += 1
        self.last_fault = str(fault)
        if fault.kind == "missing":
            self.missing.add(model)
        elif fault.kind == "wrong model":
            self._replaced[model] = now
        elif fault.kind == "busy":
            self.busy_until = now + BUSY_S
        elif fault.kind in LOAD_KINDS:
            self.loads[model] = self.loads[model].failed(now)
        elif fault.kind in CONNECTION_KINDS:
            self._change_breaker(lambda breaker, now: breaker.failed(now))
        # Whatever it was, it may have unloaded models; out of memory unloads them all.
        self._looked_at = -inf
        self.failed_at = now

    def _change_breaker(self, change: Change) -> None:
        """Here at once, then for all replicas."""
        before, self.breaker = self.breaker, change(self.breaker, self._clock())
        if self.breaker != before:
            self._share(self.url, change)

    def unfit(self, model: str) -> str:
        """Why no reply of the model may be asked here, but for the breaker; empty if one may."""
        if not self.up:
            return "the host does not answer"
        if model not in self.local:
            return "not installed"
        if model in self.missing:
            return "the host says that it does not have it"
        if self._replaces(model):
            return "the host lets another model answer"
        if self.loads[model].shut(self._clock()):
            return "it could not be loaded"
        if self.wedged and not self.ready(model):
            return "the host loads no models any more"
        return ""

    def problems(self) -> list[str]:
        """What is amiss here and how to mend it, in words for the operator."""
        if not self.up:
            return [f"{self.url} does not answer. {self.last_fault}"]
        said = [f"{m} on {self.url}: {self._halved(m)}" for m in self.local if self._halved(m)]
        said += [
            f"{self.url}: loading {model} unloaded {', '.join(gone)}. They do not fit together: "
            "give the host fewer models, a smaller ARENA_CONTEXT or a higher "
            "OLLAMA_MAX_LOADED_MODELS."
            for model, gone in self.evicted.items()
        ]
        said += [
            f"{self.url} unloads {model} as soon as it is loaded. Set OLLAMA_KEEP_ALIVE=-1 there."
            for model in sorted(self.fleeting)
        ]
        said += [
            f"{self.url} lists {model} but says that it does not have it. "
            f"Run `ollama pull {model}` there."
            for model in sorted(self.missing)
        ]
        said += [
            f"{self.url} lets another model answer for {model}: a proxy in between? It is not "
            f"asked for {model} for {REPLACED_S / 60:.0f} minutes."
            for model in self._replaced
            if self._replaces(model)
        ]
        said += [
            f"{model} on {self.url} wrote {token}, so its chat template is broken. Its replies end "
            "there. Pull the model again or mend its TEMPLATE."
            for model, (digest, token) in self._broken.items()
            if self._digest(self.local.get(model, "")) == digest
        ]
        now = self._clock()
        if self.breaker.shut(now):
            said.append(
                f"{self.url} failed several times in a row and is left alone for "
                f"{self.breaker.open_until - now:.0f} s. {self.last_fault}"
            )
        said += [
            f"{model} could not be loaded on {self.url} and is tried again in a minute. "
            f"{self.last_fault}"
            for model, breaker in self.loads.items()
            if breaker.shut(now)
        ]
        if self.wedged:
            said.append(
                f"{self.url} answers but loads no models any more. It is used only for those it "
                "has loaded. Restart Ollama there, or raise ARENA_TIMEOUT if its disk is slow."
            )
        return said

    def _replaces(self, model: str) -> bool:
        return self._clock() - self._replaced.get(model, -inf) < REPLACED_S

    def _halved(self, model: str) -> str:
        if self.share(model) is not Share.PART:
            return ""
        seen = self._seen[model]
        return (
            f"only {seen.size_vram / 1e9:.1f} of {seen.size / 1e9:.1f} GB are on the GPU, so it "
            "takes no replies there. Give the host fewer models or a smaller ARENA_CONTEXT."
        )
