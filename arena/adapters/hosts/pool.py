"""All hosts as one: the roster resolved against them, the choice, the leases, the watch.

`core.ports.Hosts` over any number of Ollama hosts. It does not know battles, and it never
tells a contender's name to anything but its own log of faults for the operator.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from arena.adapters.hosts.client import HostTimeouts, InstalledModel, OllamaHost, ResidentModel
from arena.adapters.hosts.leases import Leases, Ticket
from arena.core.battle import Contender
from arena.core.naming import match
from arena.core.placement import Breaker, Candidate
from arena.core.ports import (
    ArenaError, Finished, HostEvent, HostFault, NoCapacity, Queued, Text, UnknownModel, Warming,
)  # fmt: skip

log = logging.getLogger(__name__)

LONGEST_QUEUE = 64
SMOOTHING = 0.3
CONNECTION_KINDS = frozenset({"unreachable", "silent", "dropped"})

Warmed = Callable[[int, int], None]


@dataclass(slots=True)
class HostState:
    """What is known of a host now. `speed` is an average in tokens/s, by model."""

    host: OllamaHost
    slots: int
    up: bool = False
    version: str = ""
    installed: dict[str, InstalledModel] = field(default_factory=dict)
    resident: dict[str, ResidentModel] = field(default_factory=dict)
    thinking: dict[str, bool] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    speed: dict[str, float] = field(default_factory=dict)
    breaker: Breaker = Breaker()
    last_fault: str = ""


class HostPool:
    """Built empty, so that the page can be served before there is a host; `use` gives it hosts
    and a roster."""

    def __init__(
        self,
        *,
        options: Mapping[str, Any],
        timeouts: HostTimeouts = HostTimeouts(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options = dict(options)
        self._timeouts = timeouts
        self._clock = clock
        self._states: dict[str, HostState] = {}
        self._roster: tuple[Contender, ...] = ()
        self._playable: tuple[Contender, ...] = ()
        self._leases = Leases(self._candidates, longest=LONGEST_QUEUE)
        self.problems: tuple[str, ...] = ()
        """What is wrong with the roster on these hosts, for the operator."""
        self.faults: Counter[tuple[str, str]] = Counter()
        """(model, kind of fault) → count, for the operator."""

    async def use(
        self, hosts: Sequence[tuple[str, str]], roster: Sequence[Contender], slots: int
    ) -> None:
        """Work with these hosts from now on. hosts: (URL, bearer token or ""). slots: replies
        at once for each model on each host."""
        await self.close()
        for url, token in hosts:
            host = OllamaHost(url, token=token, timeouts=self._timeouts)
            self._states[url] = HostState(host, slots)
        self._roster = tuple(roster)

    async def close(self) -> None:
        for state in self._states.values():
            await state.host.close()
        self._states.clear()

    def states(self) -> tuple[HostState, ...]:
        return tuple(self._states.values())

    def under_way(self) -> int:
        """How many replies are being written now."""
        return self._leases.total

    def contenders(self) -> tuple[Contender, ...]:
        return self._playable

    def refusal(self) -> str:
        now = self._clock()
        if not any(s.up and s.breaker.allows(now) for s in self._states.values()):
            return (
                "The Ollama host does not answer. Check that it runs and that OLLAMA_HOST points "
                "to it; battles open by themselves as soon as it is there."
            )
        if len(self._playable) < 2:
            return (
                "The Ollama host has fewer than two models of the roster. Install them on the "
                "host (`ollama pull …`) or change ARENA_MODELS; battles open by themselves then."
            )
        return ""

    async def look(self) -> None:
        """Ask every host what it is, has and holds; then see which contenders can play."""
        await asyncio.gather(*(self._look_at(s) for s in self._states.values()))
        self._resolve()
        await asyncio.gather(*(self._learn(s) for s in self._states.values() if s.up))
        self._leases.serve()

    async def warm(self, progress: Warmed = lambda done, total: None) -> None:
        """Load every model of the roster where it is installed, one after the other on each
        host, since Ollama loads serially anyway. progress(done, total) before and after each."""
        models = sorted({c.model for c in self._playable})
        jobs = [(s, m) for s in self._states.values() for m in models if s.up and m in s.installed]
        for done, (state, model) in enumerate(jobs):
            progress(done, len(jobs))
            try:
                await state.host.preload(model, self._options)
            except HostFault as fault:
                self._note(state, model, fault)
            await self._look_at(state)
        progress(len(jobs), len(jobs))

    async def refresh(self) -> bool:
        """Look again; warm what came back or became playable. True if anything changed."""
        before = self._up(), self._playable
        await self.look()
        after = self._up(), self._playable
        if after[0] - before[0] or len(after[1]) > len(before[1]):
            await self.warm()
        return before != after

    def _up(self) -> frozenset[str]:
        return frozenset(url for url, s in self._states.items() if s.up)

    async def reply(
        self,
        contender: Contender,
        messages: Sequence[Mapping[str, str]],
        *,
        seed: int,
        avoid: frozenset[str] = frozenset(),
    ) -> AsyncIterator[HostEvent]:
        ticket = self._leases.take(contender.model, avoid)
        try:
            while not ticket.host:
                if refusal := self.refusal():
                    raise NoCapacity(refusal)
                ticket.moved.clear()
                yield Queued(ticket.place)
                await ticket.moved.wait()
            async with aclosing(self._ask(ticket, contender, messages, seed)) as events:
                async for event in events:
                    yield event
        finally:
            self._leases.give_back(ticket)

    async def _ask(
        self, ticket: Ticket, contender: Contender, messages: Sequence[Mapping[str, str]], seed: int
    ) -> AsyncIterator[HostEvent]:
        state, model = self._states[ticket.host], contender.model
        options = {**self._options, "seed": seed, **contender.options}
        cold = model not in state.resident
        if cold:
            yield Warming()
        try:
            chat = state.host.chat(
                model, messages, options, cold=cold, thinks=state.thinking.get(model, False)
            )
            async with aclosing(chat) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Text):
                        yield piece
                    else:
                        yield self._completed(state, model, piece)
        except HostFault as fault:
            self._note(state, model, fault)
            raise

    def _completed(self, state: HostState, model: str, facts: Finished) -> Finished:
        state.breaker = state.breaker.succeeded()
        if facts.tokens_per_s:
            before = state.speed.get(model, facts.tokens_per_s)
            state.speed[model] = before + SMOOTHING * (facts.tokens_per_s - before)
        known = state.installed.get(model)
        return replace(
            facts,
            digest=known.digest if known else "",
            quantization=known.quantization if known else "",
            ollama_version=state.version,
        )

    def _note(self, state: HostState, model: str, fault: HostFault) -> None:
        self.faults[model, fault.kind] += 1
        state.last_fault = str(fault)
        log.warning("host fault (%s): %s", fault.kind, fault)
        if isinstance(fault, UnknownModel):
            state.missing.add(model)
        elif fault.kind in CONNECTION_KINDS:
            state.breaker = state.breaker.failed(self._clock())

    def _candidates(self, model: str, avoid: frozenset[str]) -> Iterable[Candidate]:
        now = self._clock()
        fit = [
            s
            for s in self._states.values()
            if s.up and s.breaker.allows(now) and model in s.installed and model not in s.missing
        ]
        for state in [s for s in fit if s.host.url not in avoid] or fit:
            held = state.resident.get(model)
            yield Candidate(
                host=state.host.url,
                resident=held is not None,
                on_gpu=held is not None and held.size_vram >= held.size > 0,
                leases=self._leases.held(state.host.url, model),
                slots=state.slots,
                speed=state.speed.get(model),
            )

    async def _look_at(self, state: HostState) -> None:
        try:
            state.version = await state.host.version()
            state.installed = {m.name: m for m in await state.host.installed()}
            state.resident = {m.name: m for m in await state.host.resident()}
        except HostFault as fault:
            state.up, state.resident, state.last_fault = False, {}, str(fault)
            return
        state.up = True
        state.missing.clear()

    async def _learn(self, state: HostState) -> None:
        """Which models of the roster can think, asked once."""
        models = {c.model for c in self._playable} & state.installed.keys()
        for model in models - state.thinking.keys():
            try:
                state.thinking[model] = "thinking" in await state.host.capabilities(model)
            except HostFault as fault:
                state.last_fault = str(fault)

    def _resolve(self) -> None:
        installed = [name for s in self._states.values() if s.up for name in s.installed]
        installed = list(dict.fromkeys(installed))
        playable, problems = [], []
        for contender in self._roster:
            try:
                playable.append(replace(contender, model=match(contender.model, installed)))
            except ArenaError as error:
                problems.append(str(error))
        self._playable, self.problems = tuple(playable), tuple(problems)
