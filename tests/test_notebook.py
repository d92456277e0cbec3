"""The arena from Python, as a notebook starts it: inside a running event loop."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

import arena
from arena.compose import APART
from arena.core.errors import ConfigError
from tests.fake_ollama import FakeOllama
from tests.running import fetch, wait_until


def test_launch_serves_from_a_thread_until_it_is_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def cell(url: str) -> arena.Page:
        return arena.launch(OLLAMA_HOST=url, DATABASE_URL=f"sqlite:///{tmp_path / 'a.db'}")

    with FakeOllama.in_thread(speed=50, warm=True) as host:
        page = asyncio.run(cell(host.url))
        try:
            wait_until(lambda: fetch(f"{page.url}/api/arena/status")["ready"], "the arena is ready")
            assert page.url in repr(page)
            with pytest.warns(UserWarning, match=r"page\.votes"):
                arena.votes(["id"])
            assert page.votes(["id"]).empty
            assert APART[0] not in capsys.readouterr().out
            asyncio.run(cell(host.url)).stop()
            assert APART[0] in capsys.readouterr().out
        finally:
            page.stop()
        with pytest.raises(OSError, match="refused"):
            fetch(f"{page.url}/api/arena/status")
        page.stop()


def test_a_log_of_whoever_launches_the_arena_goes_on(tmp_path: Path) -> None:
    async def cell() -> arena.Page:
        return arena.launch(DATABASE_URL=f"sqlite:///{tmp_path / 'a.db'}")

    handler = logging.FileHandler(tmp_path / "mine.log", mode="w")
    mine = logging.getLogger("somebody's own")
    mine.addHandler(handler)
    try:
        mine.warning("before")
        asyncio.run(cell()).stop()
        mine.warning("after")
    finally:
        mine.removeHandler(handler)
        handler.close()
    assert (tmp_path / "mine.log").read_text() == "before\nafter\n"


def test_a_wrong_setting_is_told_where_it_is_made() -> None:
    with pytest.raises(ConfigError, match="ARENA_PACE"):
        arena.launch(ARENA_PACE="fast")
    with pytest.raises(ConfigError, match="ARENA_PORT"):
        arena.launch(ARENA_PORT="many")
