"""How fast a host answers: each contender alone, in pairs, all together, and many users at once.

Replies are asked for through the port that battles use, so options, limits and queue are theirs.
It does not know how a host is reached, nor how the figures are drawn.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import combinations

from arena.bench import Told
from arena.core.battle.entities import Contender, Finished, Text
from arena.core.errors import ArenaError
from arena.core.hosts.report import Spread
from arena.core.ports import Hosts

PROMPTS = (
    "Explain in one paragraph why the sky is blue.",
    "Write a Python function that returns the n-th Fibonacci number without recursion.",
    "Give three reasons to keep a diary, each in one sentence.",
    "A bat and a ball cost 1.10 together, the bat 1.00 more than the ball. What costs the ball?",
    "Describe how bread is baked, step by step, to somebody who has never cooked.",
)
"""Different ones, since a host keeps the work on a prompt that it has just seen."""

HOUR_S = 3600.0
USERS, ALL = "users", "all"

Unload = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Plan:
    """repeat: replies for each figure. users: how many at once, one after the other. price: for
    an hour of the host, 0 where it has none. unload: makes the host forget a model; None leaves
    loading out."""

    repeat: int
    users: tuple[int, ...]
    price: float
    unload: Unload | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One reply. Seconds from asking; `fault` says in a word why it failed."""

    contender: str
    ttft_s: float = 0.0
    total_s: float = 0.0
    tokens: int = 0
    tokens_per_s: float | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `scene` is cold, alone, pair, together or users; `with_` names who wrote at
    the same time. Speeds in tokens/s: of a reply, and of all replies of the scene together.
    `cost` is that of a query, in the currency of the price."""

    host: str
    version: str
    scene: str
    contender: str
    with_: str
    users: int
    replies: int
    failed: int
    ttft_s: Spread
    total_s: Spread
    tokens_per_s: Spread
    throughput: float
    cost: float | None
    load_s: float | None = None
    faults: str = ""


class HostBench:
    """Measures one host, of which `hosts` has no other."""

    def __init__(self, hosts: Hosts, url: str, version: str, plan: Plan, told: Told) -> None:
        self._hosts = hosts
        self._url = url
        self._version = version
        self._plan = plan
        self._told = told
        self._asked = 0

    async def run(self) -> list[Row]:
        """Every figure of the plan. Faults of the host are counted, not raised."""
        everybody = self._hosts.contenders()
        scenes: list[tuple[str, tuple[Contender, ...], int]] = [
            *(("alone", (contender,), 1) for contender in everybody),
            *(("pair", pair, 1) for pair in combinations(everybody, 2)),
            *([("together", everybody, 1)] if len(everybody) > 2 else []),
            *((USERS, everybody, users) for users in self._plan.users),
        ]
        loads = everybody if self._plan.unload else ()
        steps, rows = len(scenes) + len(loads), []
        for done, (scene, group, users) in enumerate(scenes):
            names = ", ".join(c.name for c in group)
            at_once = f"{users} user{'s' if users > 1 else ''} at once"
            self._told(at_once if scene == USERS else f"{scene}: {names}", done / steps)
            rows += await self._scene(scene, group, users)
        warm = {r.contender: r.ttft_s.p50 or 0.0 for r in rows if r.scene == "alone"}
        for done, contender in enumerate(loads, start=len(scenes)):
            self._told(f"loading {contender.model}", done / steps)
            rows.append(await self._cold(contender, warm[contender.name]))
        return rows

    async def _scene(self, scene: str, group: Sequence[Contender], users: int) -> list[Row]:
        """These contenders at once, several times one after the other, or for so many people at
        once, whose query is a prompt with all of its replies: a row for each, and for all."""
        started = time.monotonic()
        if scene == USERS:
            played = await asyncio.gather(*(self._at_once(group) for _ in range(users)))
        else:
            played = [await self._at_once(group) for _ in range(self._plan.repeat)]
        wall = time.monotonic() - started
        samples = [sample for battle in played for sample in battle]
        names = [contender.name for contender in group]
        rows = []
        for name in names:
            others = "" if scene == USERS else ", ".join(other for other in names if other != name)
            own = [s for s in samples if s.contender == name]
            rows.append(self._row(scene, name, others, users, own, samples, wall))
        if scene == USERS:
            rows.append(self._row(scene, ALL, "", users, samples, samples, wall))
        return rows

    async def _cold(self, contender: Contender, warm_s: float) -> Row:
        assert self._plan.unload
        try:
            await self._plan.unload(contender.model)
        except ArenaError as error:
            sample = Sample(contender.name, fault=_kind(error))
        else:
            (sample,) = await self._at_once((contender,))
        row = self._row("cold", contender.name, "", 1, [sample], [sample], sample.total_s)
        if sample.fault:
            return row
        return replace(row, load_s=max(0.0, sample.ttft_s - warm_s))

    async def _at_once(self, group: Sequence[Contender]) -> list[Sample]:
        """The same prompt to all of them."""
        self._asked += 1
        prompt = PROMPTS[self._asked % len(PROMPTS)]
        return await asyncio.gather(*(self._ask(c, prompt, self._asked) for c in group))

    async def _ask(self, contender: Contender, prompt: str, seed: int) -> Sample:
        messages = [{"role": "user", "content": prompt}]
        if contender.system:
            messages.insert(0, {"role": "system", "content": contender.system})
        started = time.monotonic()
        first: float | None = None
        stream = self._hosts.reply(contender, messages, seed=seed)
        try:
            async with aclosing(stream) as events:
                async for event in events:
                    if isinstance(event, Text):
                        first = first or time.monotonic()
                    elif isinstance(event, Finished):
                        now = time.monotonic()
                        return Sample(
                            contender.name,
                            (first or now) - started,
                            now - started,
                            event.output_tokens or 0,
                            event.tokens_per_s,
                        )
        except ArenaError as error:
            return Sample(contender.name, fault=_kind(error))
        return Sample(contender.name, fault="cut off")

    def _row(
        self,
        scene: str,
        contender: str,
        with_: str,
        users: int,
        own: Sequence[Sample],
        everything: Sequence[Sample],
        wall_s: float,
    ) -> Row:
        """own: the samples of this row; everything: all that were taken meanwhile, which share
        the host's time and price."""
        good = [s for s in own if not s.fault]
        complete = [s for s in everything if not s.fault]
        # A person's prompt is one query, however many replies it gets.
        queries = users if scene == USERS else len(complete)
        spent = wall_s / HOUR_S * self._plan.price
        return Row(
            host=self._url,
            version=self._version,
            scene=scene,
            contender=contender,
            with_=with_,
            users=users,
            replies=len(good),
            failed=len(own) - len(good),
            ttft_s=Spread.of(s.ttft_s for s in good),
            total_s=Spread.of(s.total_s for s in good),
            tokens_per_s=Spread.of(s.tokens_per_s for s in good if s.tokens_per_s is not None),
            throughput=sum(s.tokens for s in complete) / wall_s if wall_s else 0.0,
            cost=spent / queries if complete and spent else None,
            faults=", ".join(sorted({s.fault for s in own if s.fault})),
        )


def _kind(error: ArenaError) -> str:
    return str(getattr(error, "kind", error.title.lower()))


@dataclass(frozen=True, slots=True)
class Ratio:
    """One figure on two hosts: how many times more tokens/s, and how many times less waiting for
    the first token, the second has."""

    scene: str
    contender: str
    with_: str
    users: int
    speed: float | None
    first_token: float | None


def ratios(rows: Sequence[Row], first: str, second: str) -> list[Ratio]:
    """The figures that both hosts (by URL) have. Many users are compared by throughput."""
    of_second = {_key(r): r for r in rows if r.host == second}
    pairs = [(r, of_second[_key(r)]) for r in rows if r.host == first and _key(r) in of_second]
    return [
        Ratio(*_key(a), _over(_speed(b), _speed(a)), _over(a.ttft_s.p50, b.ttft_s.p50))
        for a, b in pairs
    ]


def _key(row: Row) -> tuple[str, str, str, int]:
    return row.scene, row.contender, row.with_, row.users


def _speed(row: Row) -> float | None:
    return row.throughput if row.contender == ALL else row.tokens_per_s.p50


def _over(value: float | None, by: float | None) -> float | None:
    return value / by if value and by else None
