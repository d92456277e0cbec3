"""The bench of an idle arena: which processes it measures, and that ours does next to nothing."""

from __future__ import annotations

import json
import time

import httpx
import psutil
import pytest

from arena.bench.idle import ARENA, CLOSED, OPEN, VOTING, Arena
from arena.cli import main
from tests.fake_ollama import LLAMA, MISTRAL, PHI, FakeOllama

MOST = 0.015
"""A third of what looking a thousand times a second takes, and three times what is promised: over
so short a time a tick of the clock that CPU is counted by is much."""


@pytest.mark.slow
@pytest.mark.usefixtures("forking")
def test_an_idle_arena_costs_next_to_nothing_whether_pages_are_open_or_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with FakeOllama.in_thread([LLAMA, MISTRAL, PHI], speed=50, warm=True) as host:
        monkeypatch.setenv("OLLAMA_HOST", host.url)
        assert main(["bench", "idle", "--seconds", "4", "--pages", "2", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    scenes = [(row["program"], row["scene"], row["pages"]) for row in rows]
    assert scenes == [(ARENA, CLOSED, 0), (ARENA, OPEN, 2), (ARENA, VOTING, 2)]
    assert all(row["cpu"] < MOST for row in rows), rows


def test_a_process_that_works_is_seen_to_do_so() -> None:
    arena = Arena(psutil.Process(), httpx.AsyncClient())
    before = arena.cpu()[ARENA]
    deadline = time.process_time() + 0.2
    while time.process_time() < deadline:
        pass
    assert arena.cpu()[ARENA] - before > 0.1
