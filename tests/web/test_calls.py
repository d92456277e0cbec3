"""A move of the page goes to Gradio's endpoint without waiting for anything that is none of its
business, and what cannot be used is refused as everywhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest

from arena.checks.page import Page
from arena.checks.playing import Player
from arena.checks.visitor import Visitor
from tests.checks.replicas import replicas_of

MOVES = "/gradio_api/run/predict"


@asynccontextmanager
async def mounted(folder: Path) -> AsyncIterator[str]:
    """The address of an arena with the page."""
    async with replicas_of(folder, replicas=1) as ((address,), _):
        yield f"http://{address}"


def test_no_move_waits_for_a_thread_of_gradio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    threads = import_module("anyio.to_thread")
    run_sync = threads.run_sync

    async def seen(work: Any, *args: Any, **how: Any) -> Any:
        asked.append(repr(work))
        return await run_sync(work, *args, **how)

    async def scene() -> None:
        async with mounted(tmp_path) as url, Visitor(url) as visitor:
            page = await Page.opened(visitor)
            assert asked, "Gradio's own routes are seen to ask for threads"
            asked.clear()
            player = Player(page, "")
            await player.play("Why?")
            assert player.timing.rows == 3 and asked == []

    monkeypatch.setattr(threads, "run_sync", seen)
    asyncio.run(scene())


def test_a_move_is_answered_as_gradio_would_answer_it(tmp_path: Path) -> None:
    async def scene() -> None:
        async with mounted(tmp_path) as url, Visitor(url) as visitor:
            page = await Page.opened(visitor)
            async with httpx.AsyncClient(trust_env=False) as client:
                for name in ("vote", "unmask"):
                    body = json.dumps(page.body(name, battle="none"))
                    told = []
                    for kind in ("application/json", "application/json; charset=utf-8"):
                        head = {"Content-Type": kind}
                        answer = await client.post(page.moves, content=body, headers=head)
                        assert answer.status_code == 200
                        told.append({**answer.json(), "duration": 0, "average_duration": 0})
                    ours, gradios = told
                    assert ours == gradios and "error" in ours["data"][0]

    asyncio.run(scene())


def test_a_call_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    plain = {"Content-Type": "application/json"}

    async def scene() -> None:
        async with (
            mounted(tmp_path) as url,
            httpx.AsyncClient(base_url=url, trust_env=False) as client,
        ):

            async def status(body: str, headers: dict[str, str] = plain) -> int:
                answer = await client.post(MOVES, content=body, headers=headers)
                assert answer.json()["status"] == answer.status_code
                return answer.status_code

            assert await status("{") == 400
            assert (
                await status('{"data": [], "fn_index": 0}', {"Content-Type": "text/plain"}) == 415
            )
            assert await status('{"fn_index": 0}') == 422
            assert await status('{"data": [], "fn_index": 10000}') == 400
            assert (await client.get(MOVES)).status_code == 405

    asyncio.run(scene())
