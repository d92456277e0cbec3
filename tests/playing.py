"""A referee on fake hosts, and a viewer that watches a battle and remembers all it was shown."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from arena.adapters.battles import MemoryBattles
from arena.adapters.feed import MemoryFeed
from arena.adapters.hosts import HostPool, HostTimeouts
from arena.adapters.images import cleaned
from arena.adapters.ledger import SqlLedger
from arena.adapters.limits import MemoryLimits
from arena.core.battle import roster
from arena.core.battle.view import State
from arena.core.ports import Battles, Delta, Feed
from arena.play.admission import RefereeRules
from arena.play.referee import Referee
from arena.play.stage import StageRules
from tests.fake_ollama import FakeOllama

MODELS = ("llama3.1:8b", "mistral:7b", "phi3:mini")
QUICK = StageRules(pace=5000, grace_s=5.0, total_s=20.0)
CALM = HostTimeouts(connect=10.0, cold=30.0, warm=20.0, gap=20.0, listing=10.0)


async def eventually(met: Callable[[], object], timeout_s: float = 30.0) -> None:
    """Wait for what no event tells, looking again at each turn of the loop."""
    async with asyncio.timeout(timeout_s):
        while not met():
            await asyncio.sleep(0.005)


def writing(pool: HostPool) -> int:
    """How many replies are being written now."""
    return sum(report.leases for report in pool.reports())


def faults(pool: HostPool) -> dict[tuple[str, str], int]:
    """(model, kind) → how often the operator is told of it, over all hosts."""
    told: Counter[tuple[str, str]] = Counter()
    for report in pool.reports():
        told.update({(fault.model, fault.kind): fault.count for fault in report.faults})
    return dict(told)


@dataclass
class Viewer:
    """What one person saw of a battle, in the order it came."""

    referee: Referee
    battle: str
    states: list[State] = field(default_factory=list)
    deltas: list[Delta] = field(default_factory=list)
    lengths: list[dict[str, int]] = field(default_factory=list)
    """Characters shown of each seat's newest reply after each delta."""
    _task: asyncio.Task[None] | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.leave()

    async def leave(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        async for batch in self.referee.follow(self.battle):
            for _, event in batch:
                if isinstance(event, State):
                    self.states.append(event)
                else:
                    self.deltas.append(event)
                    self._count(event)
            self._news.set()

    def _count(self, delta: Delta) -> None:
        now = dict(self.lengths[-1]) if self.lengths else {}
        for piece in delta.pieces:
            key = f"{piece.seat}{piece.turn}"
            now[key] = now.get(key, 0) + len(piece.text)
        self.lengths.append(now)

    @property
    def now(self) -> State:
        return self.states[-1]

    def text(self, seat: str, turn: int = 0) -> str:
        pieces = [p for d in self.deltas for p in d.pieces]
        return "".join(p.text for p in pieces if (p.seat, p.turn) == (seat, turn))

    async def until(self, met: Callable[[], object], timeout_s: float = 30.0) -> None:
        """Wait for the next events until `met`."""
        async with asyncio.timeout(timeout_s):
            while not (self.states and met()):
                self._news.clear()
                await self._news.wait()

    async def phase(self, *phases: str) -> State:
        await self.until(lambda: self.now.phase in phases)
        return self.now

    async def voting(self) -> State:
        state = await self.phase("voting", "void", "decided")
        assert state.phase == "voting", state.notice
        return state

    @property
    def live(self) -> list[str]:
        return [p.seat for p in self.now.panes if p.state == "complete"]


@dataclass
class Table:
    """A referee with what is around it."""

    referee: Referee
    pool: HostPool
    ledger: SqlLedger
    battles: Battles
    feed: Feed
    hosts: Sequence[FakeOllama]

    @asynccontextmanager
    async def battle(
        self, prompt: str = "Why?", format: str = "elimination"
    ) -> AsyncIterator[Viewer]:
        """Open a battle and watch it."""
        state = await self.referee.open(prompt, format)
        async with Viewer(self.referee, state.battle) as viewer:
            yield viewer


@asynccontextmanager
async def table(
    folder: Path,
    hosts: Sequence[FakeOllama],
    *,
    models: Sequence[str] = MODELS,
    rules: RefereeRules = RefereeRules(stage=QUICK),
    timeouts: HostTimeouts = CALM,
    slots: int = 1,
    warm: bool = True,
    battles: Battles | None = None,
    feed: Feed | None = None,
    database: str = "",
) -> AsyncIterator[Table]:
    """A referee on these hosts, warm unless told otherwise, with the ledger in the folder, which
    is new unless another table used it before. battles, feed: instead of new ones in memory.
    database: instead of one in the folder."""
    pool = HostPool(options={"num_ctx": 4096, "num_predict": 256}, timeouts=timeouts)
    await pool.use([(host.url, "") for host in hosts], roster.of_models(models), slots)
    await pool.look()
    if warm:
        await pool.warm()
    ledger = SqlLedger(database or f"sqlite:///{folder / 'arena.db'}", busy_timeout_s=0.5)
    await ledger.open()
    battles, feed = battles or MemoryBattles(), feed or MemoryFeed()
    referee = Referee(
        hosts=pool,
        battles=battles,
        feed=feed,
        limits=MemoryLimits(),
        ledger=ledger,
        rules=rules,
        cleaned=cleaned,
    )
    try:
        yield Table(referee, pool, ledger, battles, feed, hosts)
    finally:
        await referee.close()
        await pool.close()
        await ledger.close()
