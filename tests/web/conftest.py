"""One arena for all tests of the API that need none of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from tests.playing import Table
from tests.web.calling import Play, arena


@pytest.fixture(scope="session")
def play(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    """Runs a scene in it. There are battles of other scenes in it too."""
    folder = tmp_path_factory.mktemp("arena")
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        there: asyncio.Future[tuple[httpx.AsyncClient, Table]] = loop.create_future()
        over = asyncio.Event()

        async def life() -> None:
            async with arena(folder) as inside:
                there.set_result(inside)
                await over.wait()

        async def first() -> tuple[httpx.AsyncClient, Table]:
            await asyncio.wait({living, there}, return_when=asyncio.FIRST_COMPLETED)
            return there.result() if there.done() else await living  # type: ignore[func-returns-value]

        async def last() -> None:
            over.set()
            await living

        living = loop.create_task(life())
        client, at = runner.run(first())
        yield lambda scene: runner.run(scene(client, at))
        runner.run(last())
