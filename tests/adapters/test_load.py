"""How busy the reading thread is, and how often it then looks at a reply."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from itertools import pairwise

import pytest

from arena.adapters.hosts.host import Ended, HostPiece, Request
from arena.adapters.hosts.load import HEAVY, LIGHT, LOOK_S, Load
from arena.adapters.hosts.ollama import OllamaHost
from arena.core.ticks import TICK_S
from tests.fake_ollama import FakeModel, FakeOllama


class Worker:
    """A thread, told how it went on."""

    def __init__(self) -> None:
        self.now = self.used = 100.0
        self.load = Load(lambda: self.now, lambda: self.used)

    def works(self, share: float, seconds: float = LOOK_S) -> bool:
        self.now += seconds
        self.used += share * seconds
        return self.load.heavy


def test_a_load_is_heavy_above_one_share_and_stays_so_until_below_another() -> None:
    worker, between = Worker(), (HEAVY + LIGHT) / 2
    shares = (0.1, between, HEAVY + 0.01, between, LIGHT - 0.01, between)
    assert [worker.works(share) for share in shares] == [False, False, True, True, False, False]


def test_a_moment_of_work_is_no_load() -> None:
    worker = Worker()
    assert not worker.works(1.0, LOOK_S / 10)
    assert not worker.works(0.0)


@pytest.mark.parametrize("busy", [False, True])
def test_who_is_busy_looks_at_a_reply_half_as_often(busy: bool) -> None:
    text = " ".join(map(str, range(60)))
    writing = FakeModel("a:1", load_s=0.0, ttft_s=0.0, tokens_per_s=100.0, text=text)

    async def looks() -> list[float]:
        worker = Worker()
        worker.works(float(busy))
        async with FakeOllama([writing], warm=True) as fake:
            host = OllamaHost(fake.url, load=worker.load)
            request = Request("a:1", [{"role": "user", "content": "Count."}])
            clock = asyncio.get_running_loop().time
            async with aclosing(host.chat(request)) as chat:
                at = [clock() async for _ in chat]
            await host.close()
        return at

    at = asyncio.run(looks())
    # A look that came late is followed by the next one the sooner, but never at once.
    shortest = min(later - earlier for earlier, later in pairwise(at[1:-1]))
    assert (shortest > 1.1 * TICK_S) is busy


def test_who_is_busy_sees_the_end_of_a_reply_at_the_next_tick(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("arena.adapters.hosts.ollama.until_tick", lambda *_: 1.0)
    monkeypatch.setattr("arena.adapters.hosts.ollama.TICK_S", 60.0)
    writing = FakeModel("a:1", load_s=0.0, ttft_s=0.0, tokens_per_s=10.0, text="one two three four")

    async def pieces() -> list[Sequence[HostPiece]]:
        worker = Worker()
        worker.works(1.0)
        async with FakeOllama([writing], warm=True) as fake, asyncio.timeout(30):
            host = OllamaHost(fake.url, load=worker.load)
            request = Request("a:1", [{"role": "user", "content": "Count."}])
            async with aclosing(host.chat(request)) as chat:
                looks = [each async for each in chat]
            await host.close()
        return looks

    looks = asyncio.run(pieces())
    assert len(looks) == 2 and isinstance(looks[-1][-1], Ended)
