"""Who may open a battle and with what: capacity, limits, the prompt, and the draw.

It does not know how a battle goes on once it is open.
"""

import asyncio
import logging
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from arena.core.battle.entities import (
    LETTERS,
    LONGEST_LABEL,
    MIN_CONTENDERS,
    Battle,
    Format,
    Origin,
    Terms,
)
from arena.core.battle.matchup import Policy, draw, eligible
from arena.core.battle.rules import open_battle
from arena.core.errors import BadInput, KeyTaken, NoCapacity, RateLimited, UnknownBattle
from arena.core.ports import Battles, Hosts, RateLimits, Readiness
from arena.core.signs import unseen
from arena.core.ticks import TRIES
from arena.play.images import seeing
from arena.play.line import Line
from arena.play.release import Release
from arena.play.scoreboard import Scoreboard
from arena.play.stage import StageRules

log = logging.getLogger(__name__)

_HALF = re.compile("[\ud800-\udfff]")
_NO_LABEL = re.compile("[\0-\x1f\x7f\ud800-\udfff]")

HOTTEST = 2
"""The highest temperature that hosts of all kinds take."""
IMAGED_PER_HOUR = 120
"""Battles with images that one rater, or one network, may open where openings are limited."""
SEEDS = 2**31
OPENING_LOOKS, OPENING_LOOK_S = 100, 0.05


@dataclass(frozen=True, slots=True)
class RefereeRules:
    """battle_size: contenders a battle; max_prompt: characters a prompt may have; policy: who
    is drawn. longest_line: battles that may wait for room. opens_per_minute: battles that one
    rater, or one network, may open; ballots_per_hour: those of one rater that are ranked, the
    others are kept as abuse; ballots_per_network: those of one network, None for as many; 0 is no
    limit. release: what others than operators may download."""

    battle_size: int = 3
    max_prompt: int = 6000
    policy: Policy = Policy.FEWEST
    longest_line: int = 128
    opens_per_minute: int = 0
    ballots_per_hour: int = 0
    ballots_per_network: int | None = None
    release: Release = Release()
    stage: StageRules = StageRules()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, by what the server signed and saw. rater: whom the session names. network: where
    the request comes from, by a name for a day; place: the same, by one that stays. Empty where
    it is not known. begun: the session is new. link: the study and the rater whose link they brought."""

    rater: str = ""
    network: str = ""
    place: str = ""
    begun: bool = False
    link: str = ""


@dataclass(eq=False)
class Admission:
    """readiness: how far the house is. `closed` once no more battles are to be opened."""

    _hosts: Hosts
    _battles: Battles
    _limits: RateLimits
    _scoreboard: Scoreboard
    _line: Line
    _rules: RefereeRules
    _readiness: Callable[[], Readiness]
    _rng: random.Random
    closed: bool = False

    def prompt(self, text: str) -> str:
        """The prompt as it is sent. Raises BadInput."""
        text, longest = text.strip(), self._rules.max_prompt
        if _no_text(text):
            raise BadInput(
                "The prompt has a sign that is no text (NUL, or half a character). Please remove it."
            )
        if all(map(unseen, text)):
            raise BadInput("The prompt is empty. Type a question or a task, then send it.")
        if len(text) > longest:
            raise BadInput(
                f"The prompt has {len(text):,} characters; at most {longest:,} fit. Please "
                "shorten it."
            )
        return text

    def terms(self, terms: Terms, prompt: str) -> Terms:
        """The terms as they hold for this prompt, with which the system prompt shares the room.
        Raises BadInput."""
        system, warmth = terms.system.strip(), terms.temperature
        length, longest = len(prompt + system), self._rules.max_prompt
        if _no_text(system):
            raise BadInput(
                "The system prompt has a sign that is no text (NUL, or half a character). Please "
                "remove it."
            )
        if length > longest:
            raise BadInput(
                f"Prompt and system prompt have {length:,} characters together; at most "
                f"{longest:,} fit. Please shorten one of them."
            )
        if warmth is not None and not 0 <= warmth <= HOTTEST:
            raise BadInput(f"The temperature has to be from 0 to {HOTTEST}.")
        return replace(terms, system=system)

    def labels(self, **labels: str) -> None:
        """Labels stand in lines of their own, in files and on the page. Raises BadInput."""
        for name, label in labels.items():
            if len(label) > LONGEST_LABEL:
                raise BadInput(f"The {name} is too long; {LONGEST_LABEL} characters fit.")
            if _NO_LABEL.search(label):
                raise BadInput(
                    f"The {name} has a sign that no label has (a line break, a tab, NUL, or half a "
                    "character). Please remove it."
                )

    async def opened(self, key: str, battle_id: str, asked: str) -> Battle | None:
        """The battle that another request opens under this key, or has opened; None where the
        key names this one. One that does not appear was given up, and loses the key. asked: a
        digest of what the battle is to be. Raises KeyTaken where the other is not that, and
        NoCapacity."""
        for _ in range(2):
            if (first := await self._battles.first(key, battle_id)) == battle_id:
                return None
            for _ in range(OPENING_LOOKS):
                try:
                    there = await self._battles.load(first)
                    break
                except UnknownBattle:
                    await asyncio.sleep(OPENING_LOOK_S)
            else:
                await self._battles.unkey(key, first)
                continue
            if there.origin.asked != asked:
                raise KeyTaken(
                    "This Idempotency-Key has opened a battle with another body. Send a new key "
                    "with each battle, and the old one only to repeat a call as it was."
                )
            return there
        raise NoCapacity("This battle is still being opened. Please try again in a moment.")

    async def admit(self, caller: Caller, images: int) -> None:
        """Raises NoCapacity when no battle can be had now, RateLimited; BadInput where there are
        images that too few can see."""
        ready = self._readiness()
        if self.closed:
            raise NoCapacity("The arena is being restarted. Please try again in a minute.")
        if not ready.ready:
            raise NoCapacity(f"{ready.headline} {ready.detail}".strip())
        if refusal := self._hosts.refusal():
            raise NoCapacity(refusal)
        if (waiting := self._line.waiting) >= self._rules.longest_line:
            raise NoCapacity(
                f"{waiting} battles are waiting in line. Please try again in a minute."
            )
        await self.limited(caller, images)
        if images and len(self._hosts.seeing()) < MIN_CONTENDERS:
            raise BadInput(
                "Fewer than two of the models here can see images. Please ask without one."
            )

    async def limited(self, caller: Caller, images: int = 0) -> None:
        """Count an opening. Raises RateLimited."""
        limit = self._rules.opens_per_minute
        for who in filter(None, (caller.rater, caller.network)) if limit else ():
            if wait := await self._limits.take(f"open/{who}", limit, 60.0):
                raise RateLimited(
                    f"At most {limit} battles a minute can be opened from one place. Please try "
                    f"again in {wait:.0f} s.",
                    retry_after_s=wait,
                )
            if images and (wait := await self._limits.take(f"see/{who}", IMAGED_PER_HOUR, 3600.0)):
                raise RateLimited(
                    f"At most {IMAGED_PER_HOUR} battles an hour can be opened with images from one "
                    f"place. Please try again in {wait:.0f} s, or ask without one.",
                    retry_after_s=wait,
                )

    async def battle(
        self, battle_id: str, format: str, prompt: str, size: int | None, origin: Origin
    ) -> Battle:
        """A battle of contenders that were drawn for it. Raises BadInput."""
        chosen = _format(format)
        policy = self._rules.policy
        drawn = draw(
            eligible(seeing(self._hosts, origin.terms), origin.topic),
            size or self._rules.battle_size,
            await self._scoreboard.votes(),
            self._rng,
            policy=policy,
            belief=await self._scoreboard.fit() if policy is Policy.BEST else None,
        )
        seats = zip(LETTERS, drawn.contenders, strict=False)
        origin = replace(
            origin,
            policy=drawn.policy,
            probability=drawn.probability,
            taking_part={letter: drawn.taking_part[c.name] for letter, c in seats},
            secret=self._rng.randbytes(16).hex(),
        )
        seed = self._rng.randrange(0, SEEDS, TRIES)
        return open_battle(battle_id, chosen, drawn.contenders, prompt, seed, origin)

    async def too_many(self, caller: Caller) -> bool:
        """More ballots than a person casts, or a network; where that cannot be told now, no abuse
        is claimed."""
        each, together = self._rules.ballots_per_hour, self._rules.ballots_per_network
        limits = {caller.rater: each, caller.network: each if together is None else together}
        try:
            waits = [
                await self._limits.take(f"ballot/{who}", limit, 3600.0)
                for who, limit in limits.items()
                if who and limit
            ]
        except Exception:
            log.exception("ballots cannot be counted")
            return False
        return any(waits)


def _no_text(text: str) -> bool:
    return "\0" in text or bool(not text.isascii() and _HALF.search(text))


def _format(text: str) -> Format:
    try:
        return Format(text)
    except ValueError:
        allowed = " or ".join(Format)
        raise BadInput(f"There is no format {text!s:.20}. Choose {allowed}.") from None
