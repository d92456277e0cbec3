"""What models can do, by the digest of their files: told by the hosts, or seen in their replies.

It asks each host once for each model. It does not know contenders' settings beyond how they are
to think.
"""

import logging
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from arena.adapters.hosts.host import ListedModel, ShownModel
from arena.adapters.hosts.state import HostState
from arena.core.battle.entities import Card, Contender
from arena.core.errors import HostFault

log = logging.getLogger(__name__)

CANNOT_STOP = frozenset({"gptoss", "gpt-oss"})
"""Families that think whatever they are told."""

LONGEST_LICENSE = 80
"""Characters of a licence's name."""

THINKS_BY_NAME = re.compile(
    r"(?:^|[-_/:.])(?:r1|qwq|think\w*|reason\w*)(?:$|[-_/:.\d])", re.IGNORECASE
)
"""Such models often close what their template has opened, where the host does not part it."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """Of one model. sees: it takes images. thinks: None where no host tells. always_thinks: also when told not
    to. unopened: its replies may close thinking that nothing in them opened."""

    chats: bool = True
    sees: bool = False
    thinks: bool | None = None
    always_thinks: bool = False
    unopened: bool = False
    shown: ShownModel = ShownModel()

    def way_of_thinking(self, contender: Contender) -> str:
        """What is sent for it: off where the model can, else its lowest."""
        if contender.think:
            return contender.think
        return "low" if self.always_thinks and self.thinks else "off"

    def may_think(self, think: str) -> bool:
        """Whether a reply needs a budget of thought."""
        return think not in ("", "off") or bool(self.thinks) or self.always_thinks

    def may_close_unopened(self, think: str) -> bool:
        """Whether a reply may close thinking that nothing in it opened: not where the template
        itself is told that nobody is to think."""
        return self.unopened and not (self.shown.told_how and think == "off")


def key_of(model: ListedModel) -> str:
    """Models of one digest are the same; where a host tells none, its name has to do."""
    return model.digest or model.name


class Knowledge:
    """The abilities of all models of all hosts."""

    def __init__(self) -> None:
        self._known: dict[str, Abilities] = {}

    def of(self, model: ListedModel | None) -> Abilities:
        return self._known.get(key_of(model), Abilities()) if model else Abilities()

    async def learn(self, states: Iterable[HostState], meant: Collection[str]) -> None:
        """Ask what the models of these names can do, once for each digest; and those that are
        loaded, since one of these may have the weights of another."""
        for state in states:
            wanted = {*meant, *(resident.name for resident in state.resident or ())}
            for model in state.installed.values():
                if model.name not in wanted or key_of(model) in self._known:
                    continue
                try:
                    shown = await state.host.show(model.name)
                except HostFault as fault:
                    log.info("what a model of %s can do is not known: %s", state.url, fault.kind)
                    continue
                self._known[key_of(model)] = _abilities(model, shown)

    def seen_thinking(self, model: ListedModel | None) -> None:
        """It thought though it was told not to."""
        if model:
            self._known[key_of(model)] = replace(self.of(model), always_thinks=True)

    def weights(self) -> dict[str, str]:
        """Digest of a model → that of its weights, as far as known."""
        return {key: able.shown.weights for key, able in self._known.items()}


def card_of(listed: ListedModel | None, shown: ShownModel) -> Card:
    size, families, context = 0, shown.families, shown.context_length
    if listed:
        size, families = listed.size, (*families, *listed.families)
        context = context or listed.context_length
    on_disk = f"{size / 1e9:.1f} GB" if size else ""
    family = families[0] if families else ""
    return Card(shown.parameter_size or on_disk, family, _license(shown.license), context)


def _license(text: str) -> str:
    """Its name: the first line, with the version that may stand below it."""
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    dated = lines[1:] and lines[1].lower().startswith("version")
    return ", ".join(lines[: 2 if dated else 1])[:LONGEST_LICENSE]


def _abilities(model: ListedModel, shown: ShownModel) -> Abilities:
    named = shown.capabilities or model.capabilities or frozenset()
    families = {word.lower() for word in (*model.families, *shown.families)}
    stubborn = not families.isdisjoint(CANNOT_STOP)
    unopened = shown.opens_thinking or bool(THINKS_BY_NAME.search(model.name))
    # Hosts from before 0.6.4, and those of other kinds, name no capabilities.
    if not named:
        return Abilities(always_thinks=stubborn, unopened=unopened, shown=shown)
    thinks = "thinking" in named
    return Abilities(
        chats="completion" in named,
        sees="vision" in named,
        thinks=thinks,
        always_thinks=stubborn,
        # A host that knows how it thinks parts it itself.
        unopened=unopened and not thinks,
        shown=shown,
    )
