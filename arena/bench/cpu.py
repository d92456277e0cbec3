"""What a battle costs an arena: CPU of its process from the host to the socket, and a profile.

The profile is of further battles, since taking one makes everything slower. It does not know how
figures are drawn.
"""

import signal
from collections.abc import Sequence
from pathlib import Path

from arena.bench import Figure, Told
from arena.bench.browser import Plan
from arena.bench.crowd import staged
from arena.core.errors import BadInput
from arena.settings import ROOT

MOST_S = 0.05


async def measured(
    plan: Plan, battles: int, at_once: Sequence[int], checkout: Path | None, told: Told
) -> list[Figure]:
    """So many battles for each figure, or more where more are played at once."""
    figures = []
    async with staged(plan, checkout=checkout or ROOT) as crowd:
        told("The first battle of each tab", 0.0)
        await crowd.battles(max(at_once), max(at_once))
        for turn, tabs in enumerate(at_once):
            number = max(battles, tabs)
            told(f"{number} battles, {tabs} at once", turn / len(at_once))
            before = crowd.arena.cpu()
            await crowd.battles(number, tabs)
            cpu = (crowd.arena.cpu() - before) / number
            figures.append(Figure(f"CPU of a battle, {tabs} at once", cpu, most=MOST_S))
            figures.append(Figure("of a token", cpu / (3 * plan.tokens) * 1e6, "µs"))
    return figures


async def profiled(plan: Plan, battles: int, at_once: int, file: Path) -> None:
    if not hasattr(signal, "SIGUSR1"):
        raise BadInput("A profile cannot be taken on this system, which has no SIGUSR1.")
    async with staged(plan, module=("arena.bench.inside", str(file))) as crowd:
        await crowd.battles(at_once, at_once)
        crowd.arena.process.send_signal(signal.SIGUSR1)
        await crowd.battles(max(battles, at_once), at_once)
        crowd.arena.process.send_signal(signal.SIGUSR2)
        await crowd.battles(1, 1)
