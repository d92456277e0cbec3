"""One arena for all tests of the API that need none of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from arena.adapters.hosts import HostTimeouts
from tests.playing import Table, eventually
from tests.web.calling import Play, Scene, arena


@pytest.fixture(scope="session")
def play(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    """Runs a scene in it. There are battles of other scenes in it too."""
    folder = tmp_path_factory.mktemp("arena")
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        there: asyncio.Future[tuple[httpx.AsyncClient, Table]] = loop.create_future()
        over = asyncio.Event()

        async def life() -> None:
            async with arena(folder, timeouts=HostTimeouts()) as inside:
                there.set_result(inside)
                await over.wait()

        async def first() -> tuple[httpx.AsyncClient, Table]:
            await asyncio.wait({living, there}, return_when=asyncio.FIRST_COMPLETED)
            if not there.done():
                await living
            return there.result()

        async def last() -> None:
            over.set()
            await living

        living = loop.create_task(life())

        async def whole(scene: Scene) -> None:
            """Nobody is left writing: between scenes the loop stands still, and a host would be
            taken for dead."""
            await scene(client, at)
            await eventually(lambda: not any(r.leases or r.queue for r in at.pool.reports()))

        client, at = runner.run(first())
        yield lambda scene: runner.run(whole(scene))
        runner.run(last())
