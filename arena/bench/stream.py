"""What the way from a host to a page adds: to the first text and the whole of a reply, beside the
official client on the same host, and from the last token until the vote is open.

One battle at a time. It does not know how figures are drawn.
"""

import asyncio
import time
from functools import partial
from statistics import median

from ollama import AsyncClient

from arena.bench import Figure, Told, launched
from arena.bench.browser import Plan, Tab
from arena.bench.crowd import staged
from arena.core.ticks import TICK_S

RATES = {"alike": (100.0,) * 3, "unlike": (20.0, 40.0, 80.0), "one fast": (30.0, 30.0, 200.0)}
"""Tokens/s of the three models; 100 are 300 characters."""


async def overhead(plan: Plan, repeat: int, told: Told) -> list[Figure]:
    """Medians; battles and the bare client take turns."""
    async with staged(plan) as crowd:
        await crowd.battles(1, 1)
        bare, battles = [], []
        for number in range(repeat):
            told(f"Turn {number + 1} of {repeat}", number / repeat)
            bare.append(await _bare(crowd.host.url, plan))
            battles += await crowd.battles(1, 1)
    gate, total = (median(taken) for taken in zip(*bare, strict=True))
    first = median(b.updates[0] - b.asked for b in battles)
    whole = median(b.updates[-1] - b.asked for b in battles)
    return [
        Figure("First token of the last model, bare client", gate),
        Figure("First text on the page", first),
        Figure("First text past that", first - gate, most=TICK_S),
        Figure("All three replies, bare client", total),
        Figure("All three replies on the page", whole),
        Figure("Rate on the page against the bare client's", total / whole, "", least=0.98),
    ]


async def _bare(url: str, plan: Plan) -> tuple[float, float]:
    """Seconds until each of the models has begun, and until all of them have ended."""
    client = AsyncClient(host=url, trust_env=False)
    asked = time.monotonic()

    async def one(model: str) -> tuple[float, float]:
        first, text = 0.0, ""
        said = {"role": "user", "content": "Tell me of bare"}
        async for part in await client.chat(model, [said], stream=True):
            first = first or time.monotonic() - asked
            text += part.message.content or ""
        texts.append(text)
        return first, time.monotonic() - asked

    texts: list[str] = []
    firsts, totals = zip(*await asyncio.gather(*map(one, launched.MODELS)), strict=True)
    await client.close()  # type: ignore[no-untyped-call]
    plan.check("bare", texts)
    return max(firsts), max(totals)


async def wait(tokens: int, repeat: int, reading_s: float, told: Told) -> list[Figure]:
    """The longest of each."""
    figures = []
    for turn, (name, rates) in enumerate(RATES.items()):
        told(f"Models {name}", turn / (len(RATES) + 1))
        async with staged(Plan(tokens, min(rates)), rates=rates) as crowd:
            waits = []
            await crowd.battles(1, 1)
            for _ in range(repeat):
                (battle,) = await crowd.battles(1, 1)
                last = (await launched.written(crowd.host))["last"]
                waits.append(battle.voting[0] - last)
        what = f"Last token to voting, models {name}"
        figures.append(Figure(what, max(waits), most=2 * TICK_S))
    told("Knockout", len(RATES) / (len(RATES) + 1))
    reader = partial(Tab, format="knockout", reading_s=reading_s)
    async with staged(Plan(tokens, 100), tab=reader) as crowd:
        battles = await crowd.battles(repeat, repeat)
    second = max(b.voting[1] - b.voted[0] - b.acknowledged[0] for b in battles)
    what = f"Knockout's second round after {reading_s:g} s of reading"
    return [*figures, Figure(what, max(0.0, second), most=TICK_S)]
