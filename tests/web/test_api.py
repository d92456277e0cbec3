"""The routes under /api: whole battles over HTTP, and problem JSON for whatever goes wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from arena.core.ports import HostFault, Readiness
from arena.web import api
from tests.fake_ollama import LLAMA, MISTRAL, PHI, FakeOllama
from tests.playing import MODELS, Table, Viewer, table

Scene = Callable[[httpx.AsyncClient, Table], Coroutine[Any, Any, None]]


@asynccontextmanager
async def client_of(at: Table) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    api.install(app, at.referee, None)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


def served(folder: Path, scene: Scene) -> None:
    """Run the scene against the routes, with a referee on one warm fake host."""

    async def run() -> None:
        async with FakeOllama([LLAMA, MISTRAL, PHI], speed=20, warm=True) as host:
            async with table(folder, [host]) as at, client_of(at) as client:
                await scene(client, at)

    asyncio.run(run())


def problem(response: httpx.Response) -> tuple[int, str]:
    """Status and detail; asserts that it is problem JSON."""
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == response.status_code and body["type"] == "about:blank" and body["title"]
    return response.status_code, body["detail"]


def test_a_battle_is_opened_voted_on_and_unmasked(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        opened = await client.post("/api/battles", json={"prompt": "Why?"})
        assert opened.status_code == 201 and opened.json()["format"] == "elimination"
        battle = opened.json()["battle"]
        path = f"/api/battles/{battle}"
        async with Viewer(at.referee, battle) as seen:
            await seen.voting()
            assert problem(await client.get(f"{path}/reveal"))[0] == 409
            early = {"round": 2, "judgement": "tie"}
            assert problem(await client.post(f"{path}/votes", json=early))[0] == 409
            first = {"round": 1, "judgement": "drop", "seat": "B"}
            voted = await client.post(f"{path}/votes", json=first)
            assert voted.json()["panes"][1]["state"] == "eliminated"
            again = await client.post(f"{path}/votes", json={**first, "seat": "C"})
            assert again.json()["version"] == voted.json()["version"]
            public = json.dumps([opened.json(), voted.json(), (await client.get(path)).json()])
            assert not [name for name in MODELS if name.split(":")[0] in public]
            await client.post(f"{path}/votes", json={"round": 2, "judgement": "tie", "rater": "r"})
        revealed = (await client.get(f"{path}/reveal")).json()
        assert {seat["name"] for seat in revealed["seats"]} == set(MODELS)
        assert {row["contender"] for row in revealed["standings"]} == set(MODELS)
        votes = await at.ledger.votes()
        assert set(votes["channel"]) == {"api"} and set(votes["study"]) == {""}
        assert set(votes["excluded_reason"]) == {""} and votes["rater"].tolist() == ["", "", "r"]

    served(tmp_path, scene)


def test_a_rehearsal_is_kept_and_moves_no_standing(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        battle = (await client.post("/api/battles", json={"prompt": "Why?"})).json()["battle"]
        async with Viewer(at.referee, battle) as seen:
            await seen.voting()
            vote = {"round": 1, "judgement": "bad", "study": "smoke"}
            assert (await client.post(f"/api/battles/{battle}/votes", json=vote)).is_success
        votes = await at.ledger.votes()
        assert votes["excluded_reason"].tolist() == ["rehearsal"] * 3
        assert (await at.referee.standings())["votes"].sum() == 0

    served(tmp_path, scene)


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/api/battles", b"{", 400, "not valid JSON"),
        ("/api/battles", b"[]", 422, "body"),
        ("/api/battles", b"", 422, "body"),
        ("/api/battles", b"{}", 422, "prompt: Field required"),
        ("/api/battles", b'{"prompt": 7}', 422, "prompt: "),
        ("/api/battles", b'{"prompt": "x", "model": "y"}', 422, "model: "),
        ("/api/battles", b'{"prompt": " "}', 400, "The prompt is empty"),
        ("/api/battles", b'{"prompt": "x", "format": "duel"}', 400, "no format duel"),
        ("/api/battles/no/votes", b'{"round": 0, "judgement": "tie"}', 422, "round: "),
        ("/api/battles/no/votes", b'{"round": true, "judgement": "tie"}', 422, "round: "),
        ("/api/battles/no/votes", b'{"round": 1, "judgement": "praise"}', 400, "A vote is one of"),
        ("/api/battles/no/votes", b'{"round": 1, "judgement": "tie"}', 404, "no longer on the server"),
    ],
)
def test_what_cannot_be_used_is_a_problem(
    tmp_path: Path, path: str, body: bytes, status: int, said: str
) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        headers = {"content-type": "application/json"}
        found, detail = problem(await client.post(path, content=body, headers=headers))
        assert found == status and said in detail

    served(tmp_path, scene)


@pytest.mark.parametrize("path", ["", "/reveal", "/events"])
def test_a_battle_that_is_not_there_is_a_problem(tmp_path: Path, path: str) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        assert problem(await client.get(f"/api/battles/nowhere{path}"))[0] == 404

    served(tmp_path, scene)


def test_hosts_are_not_told_where_nobody_is_an_operator(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        status, detail = problem(await client.get("/api/hosts"))
        assert status == 403 and "ARENA_BIND" in detail

    served(tmp_path, scene)


def test_without_capacity_no_battle_is_opened(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        at.referee.readiness = lambda: Readiness(False, "Warming up.")
        assert problem(await client.post("/api/battles", json={"prompt": "x"})) == (503, "Warming up.")

    served(tmp_path, scene)


def test_a_hosts_failure_is_told_without_its_names(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        def fail() -> Readiness:
            raise HostFault("http://10.0.0.5 dropped phi3:mini", kind="dropped")

        at.referee.readiness = fail
        status, detail = problem(await client.post("/api/battles", json={"prompt": "x"}))
        assert status == 502 and "phi3" not in detail and "10.0.0.5" not in detail

    served(tmp_path, scene)
