"""Whoever plays on the page without a browser asks what a browser asks, byte for byte but for what
is new each time."""

from __future__ import annotations

import asyncio
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from arena.checks.page import Page
from arena.checks.playing import Player
from arena.checks.visitor import Visitor
from tests.fake_ollama import LLAMA, MISTRAL, PHI, FakeModel, FakeOllama
from tests.running import running

LIVE = ":not([disabled]):visible"
Asked = tuple[str, str, Any]


def told(method: str, url: str, body: str | None) -> Asked:
    """Without what is new each time, nor what the page's address asks for; of a move its function, and which fields of which kind."""
    path = re.sub(r"battles/[\w-]+", "battles/BATTLE", url.partition("?")[0])
    if not body:
        return method, path, None
    sent = json.loads(body)
    (fields,) = sent["data"]
    kinds = {name: type(value) for name, value in fields.items()}
    new = {"data": kinds, "session_hash": type(sent["session_hash"])}
    return method, path, sent | new


def is_play(url: str) -> bool:
    # Gradio sends along what the page's own address asks for.
    return url.partition("?")[0].endswith(("/run/predict", "/events"))


def by_browser(browser: Any, url: str) -> list[Asked]:
    page, asked = browser.new_context().new_page(), []
    page.on(
        "request", lambda r: is_play(r.url) and asked.append(told(r.method, r.url, r.post_data))
    )
    page.goto(url)
    page.wait_for_selector("#send:not([disabled])")
    page.fill("#prompt textarea", "Why?")
    page.press("#prompt textarea", "Enter")
    page.locator(f"[id^=vote-out-]{LIVE}").first.click()
    page.locator(f"[id^=better-]{LIVE}").first.click()
    page.wait_for_selector("#reveal table")
    page.context.close()
    return asked


async def by_us(url: str) -> list[Asked]:
    asked = []

    async def note(request: httpx.Request) -> None:
        if is_play(str(request.url)):
            asked.append(told(request.method, str(request.url), request.content.decode()))

    async with Visitor(url, browses=True) as visitor:
        visitor._http.event_hooks = {"request": [note]}
        await Player(await Page.opened(visitor), "").play("Why?")
    return asked


@pytest.mark.slow
def test_a_battle_is_played_by_the_calls_that_a_browser_makes(browser: Any, tmp_path: Path) -> None:
    quick = [FakeModel(model.name, ttft_s=0.01) for model in (LLAMA, MISTRAL, PHI)]
    with (
        FakeOllama.in_thread(quick, speed=30, warm=True) as host,
        running(tmp_path, OLLAMA_HOST=host.url, ARENA_PACE="5000") as app,
        # In a thread of its own: the browser holds an event loop in this one.
        ThreadPoolExecutor(max_workers=1) as thread,
    ):
        theirs = by_browser(browser, app.url)
        ours = thread.submit(lambda: asyncio.run(by_us(app.url))).result()
    assert len(theirs) == 5 and ours == theirs
