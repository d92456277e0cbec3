"""All hosts as one: the choice of a host for each reply, its lease, its load, its faults.

`core.ports.Hosts` over any number of hosts, of any kind. It does not know battles, and it tells which
model did what only to the operator.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import (
    AsyncGenerator,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import aclosing, contextmanager
from dataclasses import replace
from typing import Any

from arena.adapters.hosts.account import Account
from arena.adapters.hosts.fleet import Fleet
from arena.adapters.hosts.hearing import heard
from arena.adapters.hosts.host import Host, HostTimeouts, Request
from arena.adapters.hosts.leases import Leases, Ticket
from arena.adapters.hosts.ollama import OllamaHost
from arena.adapters.hosts.openai import OpenAIHost
from arena.adapters.hosts.preloads import Preloads
from arena.adapters.hosts.reports import report
from arena.adapters.hosts.shared_leases import AnyLeases, SharedLeases
from arena.adapters.hosts.state import BUSY_S, HostState
from arena.adapters.hosts.watch import Watch
from arena.core.battle.entities import Contender, Finished, Thought
from arena.core.battle.splitter import Splitter
from arena.core.errors import HostFault, NoCapacity
from arena.core.hosts.placement import Candidate, Share, choose
from arena.core.hosts.report import HostReport
from arena.core.hosts.sharing import Peers
from arena.core.ports import HostEvent, Queued, Warming

log = logging.getLogger(__name__)

WARM_AGAIN_S = 60.0
"""A model that no look found loaded since it was loaded last is not loaded again for so long."""
BUSY = "The host of the models is too busy to answer. Please try again in a minute."

Warmed = Callable[[int, int], None]


class HostPool:
    """Built empty, so that the page can be served before there is a host; `use` gives it hosts
    and a roster.

    options: sent with every reply, unless a contender has its own. thought_tokens: what a reply
    may think beside its num_predict. remote: models whose answers may come from elsewhere, by
    name. watts: what a host draws, if measured. tls: for https hosts, as OllamaHost takes it.
    peers: the other replicas that use the same hosts, if any; slots, queue and breakers are then
    those of all of them together."""

    def __init__(
        self,
        *,
        options: Mapping[str, Any],
        timeouts: HostTimeouts = HostTimeouts(),
        tls: ssl.SSLContext | None = None,
        thought_tokens: int = 2048,
        remote: Collection[str] = (),
        watts: float | None = None,
        peers: Peers | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options = dict(options)
        self._timeouts = timeouts
        self._asking: dict[str, Any] = {"timeouts": timeouts, "tls": tls}
        self._clock = clock
        self._fleet = fleet = Fleet(options, clock, remote, thought_tokens, watts)
        self.contenders, self.roster, self.seeing = fleet.contenders, fleet.roster, fleet.seeing
        self.families, self.refusal = fleet.families, fleet.refusal
        self.thinkers, self.doubts = fleet.thinkers, fleet.doubts
        self._watch = Watch(lambda: self._fleet.states, peers, clock=clock)
        self._leases: AnyLeases = (
            SharedLeases(self._candidates, peers, agreed=self._watch.heed)
            if peers
            else Leases(self._candidates)
        )
        self._preloads = Preloads(fleet.options_of, self._note, timeouts, clock)
        self._alarms: set[asyncio.TimerHandle] = set()

    # Hosts and roster -------------------------------------------------------------------------

    async def use(
        self,
        hosts: Sequence[tuple[str, str]],
        roster: Sequence[Contender],
        slots: int,
        *,
        openai: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Work with these hosts from now on. hosts: (URL, bearer token or "") of Ollama's kind,
        openai: of those that speak OpenAI's API. slots: replies at once for each model on each
        host. A contender whose model is `auto` stands for every installed model that can chat."""
        await self.close()
        context = int(self._options.get("num_ctx", 0))
        known: list[Host] = [
            *(OllamaHost(url, token=token, **self._asking) for url, token in hosts),
            *(OpenAIHost(url, token=token, **self._asking) for url, token in openai),
        ]
        states = [HostState(host, slots, context, self._clock, self._watch.share) for host in known]
        self._fleet.use(states, roster)

    async def close(self) -> None:
        for alarm in self._alarms:
            alarm.cancel()
        self._alarms.clear()
        await self._preloads.close()
        states = list(self._fleet.states.values())
        self._fleet.use((), ())
        await self._watch.close()
        for state in states:
            await state.host.close()
        self._leases.serve()
        await self._leases.close()

    async def look(self) -> None:
        """See what every host is, has and holds; then which contenders can play."""
        await self._watch.look()
        await self._fleet.learn()
        self._leases.serve()

    async def warm(self, progress: Warmed = lambda done, total: None) -> None:
        """Load every model of the roster where it is to live: on all hosts that have it, unless
        it unloads another one there. Hosts load side by side, models on a host one after the
        other. progress(done, total) before the first and after each."""
        plans = [(state, self._plan(state, turn)) for turn, state in enumerate(self._fleet.up())]
        total, done = sum(len(models) for _, models in plans), 0
        progress(done, total)

        async def one_host(state: HostState, models: Sequence[str]) -> None:
            nonlocal done
            for model in models:
                if not state.crowded:
                    await self._preloads.wait(state, model)
                done += 1
                progress(done, total)

        await asyncio.gather(*(one_host(state, models) for state, models in plans))
        self._leases.serve()

    async def unload(self, model: str) -> None:
        """Let every host forget the model; for measuring loads, never while people play."""
        for state in self._fleet.up():
            if model in state.local:
                await state.host.unload(state.local[model])
        await self.look()

    async def refresh(self) -> None:
        """Look again, and begin to load what is missing, if that is for this replica to do."""
        await self.look()
        now = self._clock()
        for state in self._fleet.up() if self._watch.leading else ():
            for model in () if state.crowded else state.local:
                due = now - state.tried.get(model, -WARM_AGAIN_S) >= WARM_AGAIN_S
                if due and not state.ready(model) and not state.loads[model].shut(now):
                    self._preloads.start(state, model)

    # What can be had --------------------------------------------------------------------------

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the roster and the hosts, in words for the operator."""
        return self._fleet.problems()

    def reports(self) -> tuple[HostReport, ...]:
        """Every host as it is now, for the operator."""
        pairs, now = self._fleet.fit(), self._clock()
        states = self._fleet.states.values()
        return tuple(report(state, self._leases, pairs, now) for state in states)

    # One reply --------------------------------------------------------------------------------

    async def reply(
        self,
        contender: Contender,
        messages: Sequence[Mapping[str, Any]],
        *,
        seed: int,
        avoid: frozenset[str] = frozenset(),
    ) -> AsyncGenerator[HostEvent, None]:
        self._fleet.check_there_is_hope(contender)
        out = {state.url for state in self._fleet.up() if state.sits_out(contender.name)}
        patience = self._clock() + self._timeouts.cold
        ticket = await self._leases.take(contender.model, avoid | out)
        try:
            while True:
                while not ticket.host:
                    self._fleet.check_there_is_hope(contender)
                    ticket.moved.clear()
                    yield Queued(ticket.place)
                    await ticket.moved.wait()
                request = self._fleet.request(contender, messages, seed)
                try:
                    async with aclosing(self._ask(ticket, contender, request)) as events:
                        async for event in events:
                            yield event
                            if isinstance(event, Finished):
                                return
                except HostFault as fault:
                    if fault.kind != "busy":
                        raise
                    if self._clock() > patience:
                        raise NoCapacity(BUSY) from fault
                self._leases.stand_again(ticket)
        finally:
            self._leases.give_back(ticket)

    async def _ask(
        self, ticket: Ticket, contender: Contender, request: Request
    ) -> AsyncGenerator[HostEvent, None]:
        """The reply from the ticket's host; nothing at all if another host is better now."""
        model = ticket.model
        state = self._fleet.states.get(ticket.host)
        if state is None:
            raise HostFault(f"{ticket.host} is no longer used.", kind="dropped", host=ticket.host)
        with self._noting(state, model, contender.name):
            await state.know_freshly()
        if not state.ready(model):
            if self._better_elsewhere(ticket):
                return
            yield Warming()
            if fault := await self._preloads.wait(state, model):
                raise fault
        with self._noting(state, model, contender.name):
            if (state.url, model) not in self._fleet.fit():
                text = f"{model} is partly on the CPU of {state.url}."
                raise HostFault(text, kind="offloaded", host=state.url)
            name = state.local.get(model, model)
            cold = state.resident is None or not state.ready(model)
            asked = replace(request, model=name, cold=cold)
            account = Account(state.url, asked, self._timeouts)
        with self._noting(state, model, contender.name, account):
            said = [m["content"] for m in request.messages if m["role"] == "user"]
            able = self._fleet.abilities(model)
            splitter = Splitter(
                said,
                thinks=state.unopened.get(model, able.may_close_unopened(request.think)),
                weighs=able.unopened or able.may_think(request.think),
                own=able.shown.marks,
            )
            # A name may be another model since the last look, and again before the reply ends.
            listing = self._watch.listing(state)
            chat = state.host.chat(asked)
            async with aclosing(chat), aclosing(heard(chat, splitter, account)) as events:
                async for event in events:
                    if isinstance(event, Thought) and request.think == "off":
                        self._fleet.seen_thinking(model)
                    if isinstance(event, Finished):
                        state.completed(contender, event, splitter)
                        listed = listing.result() if listing.done() else {}
                        yield self._fleet.told_of(state, name, event, listed)
                    else:
                        yield event

    @contextmanager
    def _noting(
        self, state: HostState, model: str, contender: str, account: Account | None = None
    ) -> Iterator[None]:
        """account: of the reply that is asked for."""
        try:
            yield
        except HostFault as fault:
            unheard = account is not None and not account.begun
            self._note(state, model, fault, contender, unheard=unheard)
            raise

    def _note(
        self,
        state: HostState,
        model: str,
        fault: HostFault,
        contender: str = "",
        *,
        unheard: bool = False,
    ) -> None:
        beside = self._leases.held(state.url, state.runner(model)) > 1
        state.note(model, fault, contender=contender, unheard=unheard if beside else None)
        # The text may name a model, which together with its time would unmask a contender.
        log.warning("a reply failed at %s: %s (see the Hosts tab)", state.url, fault.kind)
        if fault.kind == "busy":
            self._serve_in(BUSY_S)
        elif state.breaker.shut(now := self._clock()):
            self._serve_in(state.breaker.open_until - now)
        self._leases.serve()

    def _serve_in(self, seconds: float) -> None:
        """Those who wait may look again then; a little later, so that the time has come."""

        def serve() -> None:
            self._alarms.discard(alarm)
            self._leases.serve()

        alarm = asyncio.get_running_loop().call_later(seconds + 0.02, serve)
        self._alarms.add(alarm)

    # Choosing ---------------------------------------------------------------------------------

    def _candidates(self, model: str, avoid: frozenset[str]) -> Iterable[Candidate]:
        now, pairs = self._clock(), self._fleet.fit()
        able = [s for s in self._fleet.up() if (s.url, model) in pairs and not s.unfit(model)]
        for state in [s for s in able if s.url not in avoid] or able:
            if state.breaker.shut(now) or now < state.busy_until:
                continue
            yield Candidate(
                host=state.url,
                resident=state.ready(model),
                on_gpu=state.share(model) is Share.FULL,
                runner=state.runner(model),
                leases=self._leases.held(state.url, state.runner(model)),
                slots=state.slots_of(model),
                speed=state.speed(model),
                crowded=state.crowded,
                on_trial=state.breaker.on_trial(now),
                on_host=self._leases.held(state.url),
            )

    def _better_elsewhere(self, ticket: Ticket) -> bool:
        best = choose(self._candidates(ticket.model, ticket.avoid))
        return best is not None and best.resident and best.host != ticket.host

    def _plan(self, state: HostState, turn: int) -> list[str]:
        """In which order a host loads. Each begins elsewhere, so that where not all models fit,
        different ones are resident on different hosts."""
        models = list(state.local)
        start = turn % len(models) if models else 0
        return models[start:] + models[:start]
