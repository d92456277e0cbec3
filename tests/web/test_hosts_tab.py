"""The Hosts tab: what it shows to operators, what it keeps back in a blind battle, and from whom."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from starlette.testclient import TestClient

from arena import settings as config
from arena.compose import House
from arena.core.hosts.overview import BattleCost, Overview
from arena.core.hosts.placement import Share
from arena.core.hosts.report import FaultCount, HostReport, ModelReport, Spread
from arena.server.application import build_app
from arena.web import hosts_tab, operators
from tests.fake_ollama import LLAMA, MISTRAL, PHI, FakeOllama
from tests.playing import table

URL = "http://10.0.0.5:11434"
FAST = ModelReport(
    name="phi3:mini",
    digest="d",
    size=2_200_000_000,
    quantization="Q4_0",
    plays=True,
    resident=True,
    share=Share.FULL,
    vram=5_900_000_000,
    leases=1,
    ttft_ms=Spread(120.0, 340.0, 7),
    tokens_per_s=Spread(85.25, 90.0, 7),
)
COLD = replace(
    FAST,
    name="<b>mistral</b>",
    resident=False,
    share=Share.UNKNOWN,
    vram=0,
    ttft_ms=Spread(None, None, 0),
    tokens_per_s=Spread(None, None, 0),
    unfit="it could not be loaded",
)
HOST = HostReport(
    url=URL,
    kind="ollama",
    up=True,
    breaker="closed",
    version="0.32.15",
    slots=2,
    leases=3,
    queue=4,
    vram=5_900_000_000,
    models=(FAST, COLD),
    faults=(FaultCount("phi3:mini", "dropped", 6),),
    last_fault="phi3:mini dropped the connection",
    problems=(),
)
NOW = Overview(
    source=f"Ollama at {URL}",
    hosts=(HOST,),
    costs={URL: BattleCost(5.4, 0.0015, 9)},
    price=1.006,
    notes=("mistral could not be loaded",),
    watched=False,
)
MOVES = (
    "0.1 s",
    "85.2",
    "on the GPU",
    "dropped",
    "could not be loaded",
    "<dd>3</dd>",
    "<dd>4</dd>",
)
"""What moves with replies."""


def test_an_operator_sees_state_models_speeds_faults_and_cost() -> None:
    drawn = hosts_tab.draw(NOW)
    stays = (
        URL,
        ">up<",
        "0.32.15",
        "2.2 GB <bdi>Q4_0</bdi>",
        "2 for each model",
        "0.00150 (5.4 s)",
        "1.006",
    )
    assert [text for text in (*MOVES, *stays, "0.3 s", "dropped 6×") if text not in drawn] == []
    assert "<b>mistral" not in drawn and "&lt;b&gt;mistral" in drawn


def test_in_a_blind_battle_nothing_that_moves_with_a_reply_is_shown() -> None:
    drawn = hosts_tab.draw(replace(NOW, watched=True))
    assert [text for text in MOVES if text in drawn] == []
    assert "blind battle" in drawn and "phi3:mini" in drawn and "0.32.15" in drawn


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"up": False}, ">down<"),
        ({"breaker": "open"}, "left alone after faults"),
        ({"breaker": "trial"}, "on trial after faults"),
    ],
)
def test_a_host_in_trouble_is_marked(change: dict[str, Any], said: str) -> None:
    assert said in hosts_tab.draw(replace(NOW, hosts=(replace(HOST, **change),)))


# Who sees it -----------------------------------------------------------------------------------


@dataclass
class Request:
    headers: dict[str, str] = field(default_factory=lambda: {"host": "127.0.0.1:7860"})
    client: Any = field(default_factory=lambda: SimpleNamespace(host="127.0.0.1"))


@pytest.mark.parametrize(
    ("host", "client", "more", "allowed"),
    [
        ("127.0.0.1:7860", "127.0.0.1", {}, True),
        ("localhost:7860", "127.0.0.1", {}, True),
        ("[::1]:7860", "::1", {}, True),
        ("127.0.0.1:7860", "192.168.1.9", {}, False),
        ("arena.example.org", "127.0.0.1", {}, False),
        ("abc.gradio.live", "127.0.0.1", {}, False),
        ("", "127.0.0.1", {}, False),
        ("127.0.0.1:7860", "127.0.0.1", {"x-forwarded-for": "203.0.113.9"}, False),
        ("127.0.0.1:7860", "127.0.0.1", {"forwarded": "for=203.0.113.9"}, False),
    ],
)
def test_an_operator_is_who_sits_at_this_machine(
    host: str, client: str, more: dict[str, str], allowed: bool
) -> None:
    request = Request({"host": host, **more}, SimpleNamespace(host=client))
    assert operators.is_operator(request) is allowed


def opened(request: Request) -> str:
    """What opening the tab shows for this request."""

    async def show() -> str:
        async def overview() -> Overview:
            return NOW

        with gr.Blocks() as demo, gr.Tab("Hosts") as tab:
            hosts_tab.build(tab, overview)
        assert "phi3" not in json.dumps(demo.get_config_file(), default=str)
        (select,) = [fn for fn in demo.fns.values() if fn.targets[0][1] == "select"]
        return str(await select.fn(request))  # type: ignore[misc]

    return asyncio.run(show())


def test_nothing_is_in_the_page_before_the_tab_is_opened() -> None:
    assert "phi3:mini" in opened(Request())


def test_whoever_comes_through_a_tunnel_is_told_why_there_is_nothing() -> None:
    seen = opened(Request({"host": "abc.gradio.live"}))
    assert "operators" in seen and "phi3" not in seen and URL not in seen


@pytest.mark.parametrize(
    ("bind", "shared", "there"),
    [("127.0.0.1", False, True), ("127.0.0.1", True, False), ("0.0.0.0", False, False)],
)
def test_the_tab_and_the_route_are_only_on_a_private_loopback_page(
    tmp_path: Path, bind: str, shared: bool, there: bool
) -> None:
    async def status() -> tuple[int, Any]:
        database = f"sqlite:///{tmp_path / 'arena.db'}"
        house = House(config.load({}, None, ARENA_BIND=bind, DATABASE_URL=database))
        await house.ledger.open()
        app = build_app(house, shared=shared)
        local = TestClient(app, base_url="http://127.0.0.1:7860", client=("127.0.0.1", 5000))
        answer = await asyncio.to_thread(local.get, "/api/arena/hosts")
        page = await asyncio.to_thread(local.get, "/config")
        for button in ("hosts-refresh", "raters-audit"):
            assert (f'"{button}"' in page.text) is there
        file = {"files": ("x.html", b"<b>")}
        refused = await asyncio.to_thread(local.post, "/gradio_api/upload", files=file)
        assert refused.status_code == refused.json()["status"] == 403, "no file is taken"
        far = TestClient(app, base_url="http://127.0.0.1:7860", client=("192.168.1.9", 5000))
        assert (await asyncio.to_thread(far.get, "/api/arena/hosts")).status_code == 403
        await house.close()
        return answer.status_code, answer.json()

    code, body = asyncio.run(status())
    assert code == (200 if there else 403)
    assert body["hosts"] == [] if there else body["status"] == 403


def test_a_battle_is_watched_from_its_first_viewer_until_it_is_decided(tmp_path: Path) -> None:
    async def run() -> None:
        async with FakeOllama([LLAMA, MISTRAL, PHI], speed=20, warm=True) as host:
            async with table(tmp_path, [host]) as at:
                assert not await at.referee.rounds.watched()
                async with at.battle() as seen:
                    await seen.voting()
                    assert await at.referee.rounds.watched()
                assert not await at.referee.rounds.watched()

    asyncio.run(run())
