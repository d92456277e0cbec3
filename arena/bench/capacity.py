"""How many battles at once an arena carries: more and more, until a criterion breaks.

Each program that is compared takes its turn at every step, on a host of its own that writes
steadily, so that whatever else the machine does slows all of them down alike. It does not know
how figures are drawn.
"""

import math
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from arena.bench import Told, launched
from arena.bench.browser import Plan
from arena.bench.crowd import Crowd, Seen, staged
from arena.bench.plain import PlainTab
from arena.core.ticks import TICK_S
from arena.settings import ROOT

HERE, PLAIN = "arena", "plain Gradio"
LIMITS = {"opening": 0.5, "first": 0.5, "gap": 2 * TICK_S, "late": 0.05}
"""At p95; what is above breaks."""
PRECISE = 1.1
"""The search ends when the least that broke is at most so much more than the most that held."""


@dataclass(frozen=True, slots=True)
class Step:
    program: str
    seen: Seen
    broke: tuple[str, ...]


@dataclass(slots=True)
class Search:
    """Doubles what holds until it breaks, then halves the distance. most: where it stops."""

    most: int
    held: int = 0
    broke: int = 0
    failed_once: bool = False

    def following(self, start: int) -> int:
        """The next number of battles to try; 0 when it is known."""
        if self.held >= self.most or self.broke == 1:
            return 0
        if not self.broke:
            return min(self.most, 2 * self.held or start)
        if self.broke <= max(self.held * PRECISE, self.held + 1):
            return 0
        return round(math.sqrt(self.held * self.broke)) if self.held else max(1, self.broke // 2)

    def learned(self, tabs: int, well: bool) -> None:
        """What breaks is tried twice: something else on the machine may have been it."""
        if well:
            self.held = tabs
        elif self.failed_once:
            self.broke = tabs
        self.failed_once = not (well or self.failed_once)


async def capacity(
    plan: Plan,
    *,
    start: int,
    most: int,
    seconds: float,
    against: Sequence[Path],
    plain: bool,
    told: Told,
) -> tuple[dict[str, int], list[Step]]:
    """What each program holds, and every step on the way there. against: other checkouts of the
    project. plain: also measure a plain Gradio app."""
    async with AsyncExitStack() as stack:
        crowds = {}
        for name, checkout in {HERE: ROOT, **{str(path): path for path in against}}.items():
            crowds[name] = await stack.enter_async_context(staged(plan, checkout=checkout))
        if plain:
            crowds[PLAIN] = await _plain(plan, stack)
        searches = {name: Search(most) for name in crowds}
        steps: list[Step] = []
        while trying := {n: t for n, s in searches.items() if (t := s.following(start))}:
            for name, tabs in trying.items():
                told(f"{name}: {tabs} battles at once", len(steps) / (len(steps) + 5))
                seen = await crowds[name].seen(tabs, seconds)
                steps.append(Step(name, seen, broken(seen)))
                searches[name].learned(tabs, not steps[-1].broke)
    return {name: search.held for name, search in searches.items()}, steps


async def _plain(plan: Plan, stack: AsyncExitStack) -> Crowd:
    host = await stack.enter_async_context(launched.host(plan.tokens, plan.rate))
    words = ("-m", "arena.bench.served", "tokens", host.url)
    plain = await stack.enter_async_context(launched.launched(*words, on=launched.cores()[0]))
    return Crowd(plain, host, plan, lambda: PlainTab(plain.url, plan))


def broken(seen: Seen) -> tuple[str, ...]:
    """The criteria that do not hold; one that could not be measured does not either."""
    known: dict[str, Any] = asdict(seen)
    limits = [name for name, limit in LIMITS.items() if not known[name] <= limit]
    return (*limits, *(["fault"] if seen.fault else []))
