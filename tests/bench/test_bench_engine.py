"""The bench of the engine: all servers are asked in one run, and those that do not reply are named."""

from __future__ import annotations

import asyncio
import json

import pytest

from arena.bench.engine import offered, warm
from arena.bench.launched import NotStarted
from arena.cli import main
from tests.fake_ollama import LLAMA, MISTRAL, FakeOllama


@pytest.mark.slow
@pytest.mark.usefixtures("engine_weights")
def test_the_engine_is_measured_beside_the_server_within_it_and_beside_an_ollama(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with FakeOllama.in_thread([LLAMA, MISTRAL], speed=200, warm=True) as host:
        asked = ["--tokens", "8", "--repeat", "1", "--ollama", host.url, "--json"]
        assert main(["bench", "engine", *asked]) == 0
    figures = {each["what"]: each for each in json.loads(capsys.readouterr().out)}
    assert len(figures) == 8 and all(each["value"] > 0 for each in figures.values())
    assert {what: each["least"] for what, each in figures.items() if each["least"]} == {
        "one reply, the engine against llama.cpp's own server": 0.95,
        f"one reply, the engine against {host.url}": 0.95,
        f"3 at once, the engine against {host.url}": 4.0,
    }


def test_a_host_that_does_not_reply_is_no_figure() -> None:
    async def measured(url: str) -> None:
        await warm(await offered(url))

    with FakeOllama.in_thread([LLAMA], warm=True) as host:
        host.fault("error_frame", times=None)
        with pytest.raises(NotStarted):
            asyncio.run(measured(host.url))
