"""What a battle costs an arena: CPU of its process from the host to the socket, and a profile.

The profile is of further battles, since taking one makes everything slower. It does not know how
figures are drawn.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from arena.bench import Told, launched
from arena.bench.browser import Plan
from arena.bench.crowd import Crowd, percentile
from arena.core.errors import BadInput
from arena.settings import ROOT


@dataclass(frozen=True, slots=True)
class Row:
    """`cpu`: seconds for each battle. `token_us`: microseconds for each token."""

    at_once: int
    battles: int
    cpu: float
    token_us: float
    gap: float


class CpuBench:
    """at_once: how many are played at once, one figure after the other. profile: a file."""

    def __init__(
        self,
        plan: Plan,
        *,
        battles: int,
        at_once: Sequence[int],
        profile: Path | None,
        checkout: Path = ROOT,
        told: Told,
    ) -> None:
        self._plan, self._battles, self._at_once = plan, battles, at_once
        self._profile, self._checkout, self._told = profile, checkout, told

    async def run(self) -> list[Row]:
        rows = []
        async with AsyncExitStack() as stack:
            host = await stack.enter_async_context(
                launched.host(self._plan.tokens, self._plan.rate)
            )
            folder = stack.enter_context(TemporaryDirectory(prefix="arena-bench-"))
            serving = launched.arena(folder, [host.url], checkout=self._checkout)
            arena = await stack.enter_async_context(serving)
            crowd = await Crowd.of(arena, host, self._plan)
            self._told("The first battle of each tab", 0.0)
            await crowd.battles(max(self._at_once), max(self._at_once))
            for turn, at_once in enumerate(self._at_once):
                number = max(self._battles, at_once)
                self._told(f"{number} battles, {at_once} at once", turn / len(self._at_once))
                before = arena.cpu()
                watched = await crowd.battles(number, at_once)
                cpu = (arena.cpu() - before) / number
                token_us = cpu / (3 * self._plan.tokens) * 1e6
                gaps = [gap for battle in watched for gap in battle.gaps]
                rows.append(Row(at_once, number, cpu, token_us, percentile(gaps, 95)))
        if self._profile:
            await self._profiled(self._profile.resolve())
        return rows

    async def _profiled(self, file: Path) -> None:
        if not hasattr(signal, "SIGUSR1"):
            raise BadInput("A profile cannot be taken on this system, which has no SIGUSR1.")
        most = max(self._at_once)
        self._told(f"A profile of {most} battles at once", 1.0)
        async with AsyncExitStack() as stack:
            host = await stack.enter_async_context(
                launched.host(self._plan.tokens, self._plan.rate)
            )
            folder = stack.enter_context(TemporaryDirectory(prefix="arena-bench-"))
            module = ("arena.bench.profiled", str(file))
            serving = launched.arena(folder, [host.url], module=module)
            arena = await stack.enter_async_context(serving)
            crowd = await Crowd.of(arena, host, self._plan)
            await crowd.battles(most, most)
            arena.process.send_signal(signal.SIGUSR1)
            await crowd.battles(max(self._battles, most), most)
            arena.process.send_signal(signal.SIGUSR2)
