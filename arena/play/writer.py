"""One seat of a round, writing the replies it owes into memory.

A reply that fails is written again from the start as long as nothing of it was shown. It does
not know who looks, nor when anything is shown.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from arena.core.battle.entities import Finished, Reply, Seat, Terms, Text, Thought
from arena.core.battle.identity import names_itself
from arena.core.battle.pace import Track
from arena.core.battle.places import shown
from arena.core.errors import ArenaError, HostFault, NoCapacity, StoreFault
from arena.core.ports import HostEvent, Hosts, Piece, Queued, Warming

log = logging.getLogger(__name__)

BACKOFF_S = 0.5
RETRIES = 2
RETRIES_BY_KIND: Mapping[str, int] = {
    "refused": 0,
    "nowhere": 0,
    "empty": 1,
    "template": 1,
    "thinks": 1,
    "overthought": 0,
    "too long": 0,
}
"""How often a reply is written again, by kind of fault; RETRIES for the others. What was
refused is refused again, a second empty reply is the model's answer, and one that thinks though
it was not expected to gets a budget for that once."""

CONTENDERS_OWN = frozenset(
    {"nowhere", "missing", "remote", "refused", "empty", "template", "overthought"}
)
"""Kinds of fault after which another contender takes the seat, if nothing was shown."""

FAULT = (
    "Something went wrong while the models were writing, so this battle ends without a result. "
    "Any votes already cast are kept."
)
TOO_LONG = (
    "The conversation is longer than the models can read at once, so this battle ends without a "
    "result. Please shorten the prompt, or start anew instead of following up."
)
OVERTHOUGHT = (
    "A model used up what it may think before it had written anything, so this battle ends "
    "without a result. Any votes already cast are kept."
)
REASONS: Mapping[str, str] = {"too long": TOO_LONG, "overthought": OVERTHOUGHT}
"""What is told of a fault, by its kind; FAULT for the others."""


class Abandoned(Exception):
    """The round cannot be finished. `reason` is neutral and may be shown to anyone. `homeless`
    is the seat that no host can take, if nothing of the round was shown."""

    def __init__(self, reason: str, homeless: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.homeless = homeless


@dataclass(slots=True, eq=False)
class Writer:
    """One seat writing the replies it owes, into memory. `texts` are those replies so far, and
    `thoughts` what was thought before each; once `shown` they may not be written again. `level`:
    so many of their characters may have been seen; `spoilt`: some of these were no reply."""

    seat: Seat
    prompts: tuple[str, ...]
    families: frozenset[str] = frozenset()
    terms: Terms = Terms()
    stage: str = "waiting"
    place: int = 0
    shown: bool = False
    level: int = 0
    spoilt: bool = False
    ended: bool = False
    fault: ArenaError | None = None
    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    task: asyncio.Task[None] | None = None

    @property
    def track(self) -> Track:
        return Track(written=sum(map(len, self.texts)), ended=self.ended)

    def between(self, start: int, end: int) -> list[Piece]:
        """Characters start…end of all owed replies, as pieces of their turns."""
        offset, pieces = 0, []
        for turn, text in enumerate(self.texts, start=len(self.seat.replies)):
            part = text[max(0, start - offset) : max(0, end - offset)]
            if part:
                pieces.append(Piece(self.seat.letter, turn, part))
            offset += len(text)
        return pieces

    async def write(self, hosts: Hosts, seed: int) -> None:
        """All owed replies, from the start again after a fault as long as none is shown."""
        avoid: frozenset[str] = frozenset()
        for attempt in count():
            try:
                await self._attempt(hosts, seed, avoid, attempt)
                self.ended = True
                return
            except HostFault as fault:
                if self.shown or attempt >= RETRIES_BY_KIND.get(fault.kind, RETRIES):
                    self.fault = fault
                    return
                self.texts, self.thoughts, self.replies, self.stage = [], [], [], "waiting"
                avoid |= {fault.host}
                # The same seed would bring the same unreadable character again.
                seed += fault.kind == "garbled"
                await asyncio.sleep(BACKOFF_S * attempt)
            except ArenaError as fault:
                self.fault = fault
                return
            except Exception:
                log.exception("a writer failed in a way that no adapter foresaw")
                self.fault = HostFault("The writer failed.", kind="internal")
                return

    async def _attempt(self, hosts: Hosts, seed: int, avoid: frozenset[str], retries: int) -> None:
        contender = self.terms.given(self.seat.contender)
        messages: list[dict[str, Any]] = []
        if contender.system:
            messages.append({"role": "system", "content": contender.system})
        for turn, prompt in enumerate(self.prompts):
            images = {"images": self.terms.images} if self.terms.images and not turn else {}
            messages.append({"role": "user", "content": prompt, **images})
            if turn < len(self.seat.replies):
                text = self.seat.replies[turn].text
                messages.append({"role": "assistant", "content": text})
                continue
            self.texts.append("")
            self.thoughts.append("")
            stream = hosts.reply(contender, messages, seed=seed, avoid=avoid)
            async with aclosing(stream) as events:
                async for event in events:
                    self._hear(event, retries)
            messages.append({"role": "assistant", "content": self.texts[-1]})

    def abandoned(self) -> Abandoned:
        """What the writer's fault means for the round."""
        if isinstance(self.fault, (NoCapacity, StoreFault)):
            return Abandoned(self.fault.public)
        kind = self.fault.kind if isinstance(self.fault, HostFault) else ""
        own = kind in CONTENDERS_OWN and not self.shown
        return Abandoned(REASONS.get(kind, FAULT), self.seat.letter if own else "")

    def _hear(self, event: HostEvent, retries: int) -> None:
        match event:
            case Queued(place):
                self.stage, self.place = "queued", place
            case Warming():
                self.stage = "warming"
            case Text(text):
                self.texts[-1] += text
                self.stage = "writing"
            case Thought(text, earlier):
                if earlier:
                    self._take_back()
                self.thoughts[-1] += text
            case Finished() as facts:
                text, thought = self.texts[-1], self.thoughts[-1]
                said = (self.terms.system, *self.prompts)
                told = names_itself(text, said, self.families) or shown(text, said)
                self.replies.append(Reply(text, facts, retries, told or self.spoilt, thought))

    def _take_back(self) -> None:
        """The reply so far was thinking. What was seen of it stays, and spoils the reply."""
        text = self.texts[-1]
        seen = text[: max(0, self.level - sum(map(len, self.texts[:-1])))]
        self.thoughts[-1] += text
        self.spoilt = self.spoilt or bool(seen)
        self.texts[-1] = f"{seen}\n\n" if seen else ""
