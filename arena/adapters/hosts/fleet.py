"""The hosts together: which are up, what the roster is on them, and who can play where.

It judges what was seen; it asks for no reply and holds no lease. What it says in `problems` is for
the operator, what it says in `refusal` for anybody.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from arena.adapters.hosts.abilities import Abilities, Knowledge, card_of
from arena.adapters.hosts.host import LOADING_OPTIONS, ListedModel, Request
from arena.adapters.hosts.problems import problems_of
from arena.adapters.hosts.state import HostState
from arena.core.battle.entities import Contender, Finished
from arena.core.battle.names import families_of
from arena.core.battle.naming import Installed, LineUp, line_up
from arena.core.errors import HostFault, NoCapacity
from arena.core.hosts.placement import Share, fit
from arena.core.ticks import phase_of


class Fleet:
    """options: those that every reply is asked with, unless a contender has its own. remote:
    the models whose answers may come from elsewhere, by name. thought_tokens: what a reply may
    think. watts: what a host draws while it writes, if that was measured."""

    def __init__(
        self,
        options: Mapping[str, Any],
        clock: Callable[[], float] = time.monotonic,
        remote: Collection[str] = (),
        thought_tokens: int = 0,
        watts: float | None = None,
    ) -> None:
        self.states: dict[str, HostState] = {}
        self._options = dict(options)
        self._clock = clock
        self._remote = frozenset(remote)
        self._thought_tokens = thought_tokens
        self._watts = watts
        self._knowledge = Knowledge()
        self._roster: tuple[Contender, ...] = ()
        self._playable: tuple[Contender, ...] = ()
        self._notes: tuple[str, ...] = ()

    def use(self, states: Sequence[HostState], roster: Sequence[Contender]) -> None:
        self.states = {state.url: state for state in states}
        self._roster = tuple(roster)

    async def learn(self) -> None:
        """See which contenders can play, by what was seen of the hosts last."""
        meant = {c.model for c in self._line_up().contenders}
        await self._knowledge.learn(self.up(), meant)
        found = self._line_up()
        self._playable, self._notes = found.contenders, found.notes
        digests = self._digests()
        for state in self.states.values():
            state.name_models(digests, self._knowledge.weights())

    def up(self) -> list[HostState]:
        return [state for state in self.states.values() if state.up]

    def fit(self) -> frozenset[tuple[str, str]]:
        """The (host, model) pairs that may play; see core.hosts.placement.fit."""
        return fit({(s.url, m): s.share(m) for s in self.up() for m in s.local})

    def contenders(self) -> tuple[Contender, ...]:
        """Those that a host can take now; without any host, those it could take before."""
        if not self.up():
            return self._playable
        return tuple(c for c in self._playable if self.homes(c))

    def roster(self) -> tuple[Contender, ...]:
        return self._playable

    def homes(self, contender: Contender) -> list[HostState]:
        """The hosts that take the contender now, but for breakers and free slots."""
        pairs = self.fit()
        return [
            s
            for s in self.up()
            if (s.url, contender.model) in pairs
            and not s.unfit(contender.model)
            and not s.sits_out(contender.name)
        ]

    def seeing(self) -> frozenset[str]:
        def sees(contender: Contender) -> bool:
            told = self.abilities(contender.model).sees
            return told if contender.sees is None else contender.sees

        return frozenset(c.name for c in self.contenders() if sees(c))

    def families(self) -> frozenset[str]:
        models = [
            name
            for state in self.states.values()
            for known in map(state.installed.get, state.local.values())
            for name in (known.families if known else ())
        ]
        models += [contender.model for contender in (*self._roster, *self._playable)]
        return families_of(models, [contender.name for contender in self._roster])

    def refusal(self) -> str:
        now = self._clock()
        if not self.up():
            hint = next((s.hint for s in self.states.values() if s.hint), "") or (
                "Check that it runs and that OLLAMA_HOST or OPENAI_HOSTS points to it."
            )
            return (
                f"The host of the models does not answer. {hint} Battles open by themselves as "
                "soon as it is there."
            )
        waits = [state.breaker.open_until - now for state in self.up() if state.breaker.shut(now)]
        if len(waits) == len(self.up()):
            return (
                "The host of the models failed several times in a row and is left alone for "
                f"{min(waits):.0f} s; battles open by themselves after that."
            )
        if len(self._playable) < 2:
            return (
                "The host of the models has fewer than two of the roster. Install them there "
                "(with Ollama: `ollama pull …`) or change ARENA_MODELS; battles open by themselves "
                "then."
            )
        if len(self.contenders()) < 2:
            return (
                "The host has the models of the roster, but fewer than two of them can be used now: the "
                "operator finds the reasons on the terminal. Battles open by themselves then."
            )
        return ""

    def check_there_is_hope(self, contender: Contender) -> None:
        """Raise if waiting for a slot is in vain."""
        if not self.up() or all(s.breaker.shut(self._clock()) for s in self.up()):
            raise NoCapacity(self.refusal())
        if not self.homes(contender):
            raise HostFault(f"No host can take {contender.name} now.", kind="nowhere")

    def thinkers(self) -> dict[str, str]:
        """Contenders that think before they reply → how they are told to."""
        found = {}
        for contender in self._playable:
            able = self.abilities(contender.model)
            way = able.way_of_thinking(contender)
            if way != "off" or able.always_thinks:
                found[contender.name] = way
        return found

    def doubts(self) -> tuple[str, ...]:
        """What is odd about the models of the roster, though they can play."""
        said = []
        for model in dict.fromkeys(c.model for c in self._playable):
            shown, known = self.abilities(model).shown, self._found(model)
            longest = shown.context_length or (known.context_length if known else 0)
            context = int(self.options_of(model).get("num_ctx") or 0)
            if not shown.template:
                said.append(
                    f"{model} has no chat template, so it may write control tokens or never end. "
                    "Give it a TEMPLATE (`ollama create`), or name another model."
                )
            if 0 < longest < context:
                said.append(
                    f"{model} was made for {longest} tokens of context, and is asked for {context}. "
                    "Give ARENA_CONTEXT a smaller value, or name another model."
                )
            here = [s for s in self.up() if model in s.local]
            if one := [s.url for s in here if s.slots > 1 == s.slots_of(model)]:
                said.append(
                    f"{model} writes one reply at a time on {', '.join(one)}, whatever "
                    "OLLAMA_NUM_PARALLEL says there: who draws it meanwhile waits."
                )
            if known and known.remote:
                said.append(
                    f"{model} is served by {known.remote}, as ARENA_REMOTE_MODELS allows: its "
                    "prompts leave your machines."
                )
        return tuple(said)

    def problems(self) -> tuple[str, ...]:
        """What is wrong with the roster and the hosts, in words for the operator."""
        states = list(self.states.values())
        versions = {s.url: s.version for s in states if s.version and s.host.kind == "ollama"}
        now = self._clock()
        notes = self._notes if self.up() else ()
        said = [*notes, *(said for s in states for said in problems_of(s, now))]
        if len(set(versions.values())) > 1:
            listed = ", ".join(f"{url} {version}" for url, version in versions.items())
            said.append(f"Ollama's version differs ({listed}): one model may answer differently.")
        for model, digest in self._digests().items():
            others = [s.url for s in self.up() if model in s.installed and model not in s.local]
            if others:
                said.append(
                    f"{model} is another model on {', '.join(others)} than elsewhere (digest "
                    f"{digest[:12]} is used). Run `ollama pull {model}` on all hosts."
                )
        said += [
            f"{c.model} is loaded again for each of its contenders, since they differ in "
            f"{', '.join(LOADING_OPTIONS)}. Give them the same values."
            for c in self._playable
            if self._loading_options(c) != self.options_of(c.model)
        ]
        said += [
            f"{s.url} runs its models on its CPU, where several at once fight for the cores. "
            "`options = { num_thread = 1 }` for each contender may make them several times faster."
            for s in self.up()
            if sum(s.share(model) is Share.NONE for model in s.local) > 1
            and not any("num_thread" in self.options_of(model) for model in s.local)
            # The embedded engine shares the cores out itself.
            and "xllamacpp" not in s.version
        ]
        return tuple(said)

    def abilities(self, model: str) -> Abilities:
        return self._knowledge.of(self._found(model))

    def seen_thinking(self, model: str) -> None:
        """It thought though it was told not to."""
        self._knowledge.seen_thinking(self._found(model))

    def request(
        self, contender: Contender, messages: Sequence[Mapping[str, Any]], seed: int
    ) -> Request:
        """As the contender is asked, but for what is the host's own."""
        options = {**self._options, "seed": seed, **contender.options}
        able = self.abilities(contender.model)
        think = able.way_of_thinking(contender)
        return Request(
            model=contender.model,
            messages=messages,
            options=options,
            think=think,
            reply_tokens=max(0, int(options.get("num_predict") or 0)),
            thought_tokens=self._thought_tokens if able.may_think(think) else 0,
            remote=contender.model in self._remote,
            phase=phase_of(seed),
        )

    def told_of(
        self, state: HostState, name: str, facts: Finished, listed: Mapping[str, ListedModel]
    ) -> Finished:
        """The facts of a reply with what is known of its host and model. name: as the host calls it.
        listed: what the host had when it was asked, as far as it has told."""
        known = listed.get(name) or state.installed.get(name)
        return replace(
            facts,
            digest=known.digest if known else "",
            quantization=known.quantization if known else "",
            ollama_version=state.version,
            host_kind=state.host.kind,
            card=card_of(known, self._knowledge.of(known).shown),
            watts=self._watts,
        )

    def _found(self, model: str) -> ListedModel | None:
        return next((s.installed[model] for s in self.up() if model in s.installed), None)

    def _line_up(self) -> LineUp:
        return line_up(self._roster, self._installed(), self._remote)

    def _installed(self) -> dict[str, Installed]:
        """Everything installed anywhere, as last seen; of two models of one name the first."""
        return {
            model.name: Installed(model.digest, able.chats, able.thinks, model.remote)
            for state in reversed(self.states.values())
            for model in state.installed.values()
            for able in (self._knowledge.of(model),)
        }

    def _digests(self) -> dict[str, str]:
        installed = self._installed()
        # While hosts are looked at, what one has just been seen to lack is playable still.
        return {c.model: installed[c.model].digest for c in self._playable if c.model in installed}

    def options_of(self, model: str) -> dict[str, Any]:
        """What a model is loaded with: as its first contender is asked."""
        return next(
            (self._loading_options(c) for c in self._playable if c.model == model), self._options
        )

    def _loading_options(self, contender: Contender) -> dict[str, Any]:
        own = {k: v for k, v in contender.options.items() if k in LOADING_OPTIONS}
        return {**self._options, **own}
