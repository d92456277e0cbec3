"""What is known of one host: what it has and holds, how its replies went, and what is amiss.

It asks the host, but decides nothing: which host is used is for the pool and `core.hosts.placement`.
Models are named as the roster names them; `local` says what this host calls them.
"""

import asyncio
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf

from arena.adapters.hosts.host import ONE_AT_A_TIME, Host, ListedModel, ResidentModel
from arena.core.battle.entities import Contender, Finished
from arena.core.battle.splitter import Splitter
from arena.core.errors import HostFault
from arena.core.hosts.placement import CONTENDER_BREAKER, HOST_BREAKER, LOAD_BREAKER, Breaker, Share
from arena.core.hosts.sharing import Change

CONNECTION_KINDS = frozenset({"unreachable", "silent", "dropped"})
LOAD_KINDS = frozenset({"load", "failed"})
_ITS = {"empty", "template", "overthought", "thinks", "crashed"}
CONTENDER_KINDS = frozenset(_ITS | {"cut off", "garbled", "failed", "refused", "forbidden"})
"""Kinds of fault that, again and again, are the contender's own."""
BUSY_S = 1.0
FRESH_S = 1.0
"""What a host holds is asked again before a reply if it was not asked for so long."""
LATELY_S = 300.0
"""How long it counts that a host let another model answer, or was silent beside another reply."""
MEASURED = 200
"""So many of the newest replies of a model count for its figures."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a look at a host showed, for replicas that did not look themselves."""

    up: bool
    version: str = ""
    installed: tuple[ListedModel, ...] = ()
    resident: tuple[ResidentModel, ...] | None = ()
    evicted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    last_fault: str = ""


class HostState:
    """slots: replies at once for each model. context: the num_ctx that models are loaded with.
    share: told of each change of the breaker, which holds here already."""

    def __init__(
        self,
        host: Host,
        slots: int,
        context: int,
        clock: Callable[[], float] = time.monotonic,
        share: Callable[[str, Change], None] = lambda url, change: None,
    ) -> None:
        self.host = host
        self.slots = slots
        self.up = False
        self.version = ""
        self.installed: dict[str, ListedModel] = {}
        self.resident: tuple[ResidentModel, ...] | None = ()
        self.local: dict[str, str] = {}
        self.breaker = HOST_BREAKER
        self.loads: defaultdict[str, Breaker] = defaultdict(lambda: LOAD_BREAKER)
        self.load_faults: dict[str, str] = {}
        self.contenders: defaultdict[str, Breaker] = defaultdict(lambda: CONTENDER_BREAKER)
        self.failed_with: dict[str, str] = {}
        self.hint = ""
        self.busy_until = -inf
        self.faults: Counter[tuple[str, str]] = Counter()
        self.last_fault = ""
        self.unopened: dict[str, bool] = {}
        self.broken: dict[str, tuple[str, str]] = {}
        self.ttft_ms: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=MEASURED))
        self.speeds: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=MEASURED))
        self.failed_at = -inf
        self._context = context
        self._weights: Mapping[str, str] = {}
        self._clock = clock
        self._share = share
        self._looked_at = -inf
        self._looking: asyncio.Task[None] | None = None
        self._misses = 0
        self.begin()

    def begin(self) -> None:
        """The host was (re)started: nothing that it held or failed at counts any more."""
        self.wedged_at = -inf
        self.wedged = False
        self.missing: set[str] = set()
        self.replaced: dict[str, float] = {}
        self.tried: dict[str, float] = {}
        self.evicted: dict[str, tuple[str, ...]] = {}
        self.fleeting: set[str] = set()
        self.remote: set[str] = set()
        self.single: dict[str, float] = {}
        self.seen: dict[str, ResidentModel] = {}
        self._contexts: dict[str, int] = {}
        self.loads.clear()
        self.contenders.clear()

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
            self.last_fault, self.hint = str(fault), fault.hint
            self._misses += 1
            if fault.kind == "unreachable" or self._misses > 1:
                self.up, self.resident = False, ()
            return
        if not self.up:
            self._change_breaker(lambda breaker, now: breaker.reprieved(now))
        self._see(version, installed)
        self._hold(resident)
        # What stays is loaded again at once when it is gone; what does not, once in a while.
        for model in [model for model in self.tried if self.held(model)]:
            del self.tried[model]

    def sighting(self) -> Sighting:
        """What is known now of what a look shows."""
        if not self.up:
            return Sighting(False, last_fault=self.last_fault)
        installed = tuple(self.installed.values())
        return Sighting(True, self.version, installed, self.resident, dict(self.evicted))

    def adopt(self, sighting: Sighting, at: float) -> None:
        """Take in what another replica saw then."""
        if not sighting.up:
            self.up, self.resident, self.last_fault = False, (), sighting.last_fault
            return
        self._see(sighting.version, sighting.installed)
        self.evicted |= sighting.evicted
        if at > self._looked_at:
            self._hold(sighting.resident, at)

    def _see(self, version: str, installed: tuple[ListedModel, ...]) -> None:
        if not self.up:
            self.begin()
        self.up, self._misses, self.version = True, 0, version
        self.installed = {m.name: m for m in installed}
        self.missing.clear()

    async def look_again(self) -> None:
        """Ask what it holds. Raises HostFault."""
        self._hold(await self.host.resident())

    async def know_freshly(self) -> None:
        """As `look_again`, if that is not known freshly; many who ask at once share a look."""
        if self._clock() - self._looked_at < FRESH_S:
            return
        if self._looking is None or self._looking.done():
            self._looking = asyncio.ensure_future(self.look_again())
            # All who wait may give up, and then nobody hears of a fault.
            self._looking.add_done_callback(lambda look: look.cancelled() or look.exception())
        await asyncio.shield(self._looking)

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

    def _hold(self, resident: tuple[ResidentModel, ...] | None, at: float | None = None) -> None:
        if self.resident and not resident:
            self.wedged = False
        self.resident = resident
        self._looked_at = self._clock() if at is None else at
        self._remember()

    def _remember(self) -> None:
        for model in self.local:
            if held := self.held(model):
                self.seen[model] = held

    # Residency --------------------------------------------------------------------------------

    def held(self, model: str) -> ResidentModel | None:
        """The model as it is loaded now, with the context it is asked with; under another name
        if that has the same weights."""
        name = self.local.get(model, "")
        context = self._contexts.get(model, self._context)
        for resident in self.resident or ():
            if self._same(resident, name) and resident.context_length in (0, context):
                return resident
        return None

    def _same(self, resident: ResidentModel, name: str) -> bool:
        digest = self.digest(name)
        if not (digest and resident.digest):
            return resident.name == name
        weights = self._weights.get(digest)
        return resident.digest == digest or bool(
            weights and self._weights.get(resident.digest) == weights
        )

    def ready(self, model: str) -> bool:
        """Loaded, as far as the host tells: a reply pays for no load."""
        return self.resident is None or self.held(model) is not None

    def slots_of(self, model: str) -> int:
        """Replies at once for the model's runner, as far as is known or was seen."""
        name = self.local.get(model, "")
        families = self.installed[name].families if name in self.installed else ()
        since = self._clock() - self.single.get(self.runner(model), -inf)
        return 1 if since < LATELY_S or not ONE_AT_A_TIME.isdisjoint(families) else self.slots

    def runner(self, model: str) -> str:
        """What answers for the model: Ollama loads weights once for all models made from them,
        lists them under the name that was loaded first, and shares their slots."""
        name = self.local.get(model, "")
        return self._weights.get(self.digest(name)) or model

    def digest(self, name: str) -> str:
        return self.installed[name].digest if name in self.installed else ""

    def share(self, model: str) -> Share:
        """As last seen, now or before it was unloaded."""
        seen = self.seen.get(model)
        return Share.of(seen.size, seen.size_vram) if seen else Share.UNKNOWN

    def loaded(self, model: str, before: tuple[ResidentModel, ...] | None) -> None:
        """A load has just succeeded; `before` is what was resident until then."""
        self.wedged = False
        self.load_faults.pop(model, None)
        for resident in self.resident or ():
            if self._same(resident, self.local.get(model, "")):
                self._contexts[model] = resident.context_length
        self._remember()
        now = {r.name for r in self.resident or ()}
        if gone := tuple(r.name for r in before or () if r.name not in now):
            self.evicted[model] = gone
        self.fleeting.discard(model)
        if not self.ready(model):
            self.fleeting.add(model)

    @property
    def crowded(self) -> bool:
        """Loading one of the roster's models here has unloaded another."""
        return bool(self.evicted)

    # What happened to replies -----------------------------------------------------------------

    def completed(self, contender: Contender, facts: Finished, said: Splitter) -> None:
        model = contender.model
        self.unopened[model] = said.unopened
        if said.token:
            self.faults[model, "template"] += 1
            self.broken[model] = self.digest(self.local.get(model, "")), said.token
        self._change_breaker(lambda breaker, now: breaker.succeeded())
        self.loads.pop(model, None)
        self.contenders.pop(contender.name, None)
        if facts.ttft_ms is not None:
            self.ttft_ms[model].append(facts.ttft_ms)
        if facts.tokens_per_s:
            self.speeds[model].append(facts.tokens_per_s)

    def speed(self, model: str) -> float | None:
        """Mean tokens/s of the newest replies."""
        newest = list(self.speeds[model])[-20:]
        return sum(newest) / len(newest) if newest else None

    def note(
        self, model: str, fault: HostFault, *, contender: str = "", unheard: bool | None = None
    ) -> None:
        """Count a fault and draw the conclusions. contender: whose reply it was, if one's.
        unheard: nothing of it had come; None where no other was written by the same runner."""
        now = self._clock()
        if contender and fault.kind in CONTENDER_KINDS:
            self.contenders[contender] = self.contenders[contender].failed(now)
            self.failed_with[contender] = str(fault)
        self.faults[model, fault.kind] += 1
        self.last_fault = str(fault)
        if fault.kind == "missing":
            self.missing.add(model)
        elif fault.kind == "wrong model":
            self.replaced[model] = now
        elif fault.kind == "remote":
            self.remote.add(model)
        elif fault.kind == "busy":
            self.busy_until = now + BUSY_S
        elif fault.kind == "silent" and unheard is not None:  # No fault of the whole host.
            self.single |= {self.runner(model): now} if unheard else {}
        elif fault.kind in LOAD_KINDS:
            self.loads[model] = self.loads[model].failed(now)
            self.load_faults[model] = str(fault)
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
        if self.replaces(model):
            return "the host lets another model answer"
        if model in self.remote:
            return "its answers come from elsewhere"
        if self.barred(model):
            return "its answers come from elsewhere, and the host's cloud is off"
        if self.loads[model].shut(self._clock()):
            return f"it could not be loaded: {self.load_faults.get(model, '')}"
        if self.wedged and not self.ready(model):
            return "the host loads no models any more"
        return ""

    def barred(self, model: str) -> bool:
        """Its answers come from elsewhere, where the host lets no prompt go."""
        known = self.installed.get(self.local.get(model, ""))
        return bool(known and known.barred)

    def sits_out(self, contender: str) -> str:
        """Why the contender is asked for nothing here for a while; empty where it is."""
        shut = self.contenders[contender].shut(self._clock())
        return self.failed_with.get(contender, "") if shut else ""

    def replaces(self, model: str) -> bool:
        """The host let another model answer for it lately."""
        return self._clock() - self.replaced.get(model, -inf) < LATELY_S
