"""Probes, metrics and hosts: what machines and operators ask."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from arena.adapters.ledger import sql
from arena.core.errors import LedgerFault
from arena.core.hosts.overview import Overview
from arena.core.ports import Readiness
from arena.play.metrics import Metrics
from arena.web import api
from arena.web.api import Operable, health
from tests.adapters import ledger_rows, ledgers
from tests.playing import Table
from tests.web.calling import MAKERS, A, Play, called, opened, problem, voting


def test_ready_is_only_who_can_have_a_battle(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        async def ready(**headers: str) -> tuple[int, str]:
            assert (await client.get("/healthz")).json() == {"status": "alive"}
            answer = await client.get("/readyz", headers=headers)
            assert answer.headers["retry-after"] == "5"
            return problem(answer)

        assert (await client.get("/readyz")).json() == {"status": "ready"}
        assert (await client.get(f"{A}/status")).json()["ready"] is True
        warming = Readiness(False, "Warming up.", "Model 2 of 3.")
        monkeypatch.setattr(at.referee, "readiness", lambda: warming)
        assert await ready() == (503, "Warming up. Model 2 of 3.")
        assert (await client.get(f"{A}/status")).json()["detail"] == "Model 2 of 3."
        monkeypatch.undo()

        async def broken() -> None:
            raise LedgerFault("The ledger arena at db.example cannot be used.")

        monkeypatch.setattr(at.referee, "health", broken)
        assert await ready() == (503, "The ledger arena at db.example cannot be used.")
        status, told = await ready(via="a proxy")
        assert status == 503 and "ledger cannot be used" in told and "db.example" not in told
        now = (await client.get(f"{A}/status")).json()
        assert (now["ready"], now["detail"]) == (False, told)
        monkeypatch.setattr(at.referee, "health", asyncio.Event().wait)
        monkeypatch.setattr(health, "PATIENCE_S", 0.01)
        status, told = await ready()
        assert status == 503
        now = (await client.get(f"{A}/status")).json()
        assert (now["ready"], now["detail"]) == (False, told) and now["headline"]

    play(scene)


def test_without_its_ledger_no_battle_is_opened_and_with_it_all_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "FRESH_S", 0.0)
    file, kept = tmp_path / "arena.db", tmp_path / "kept.db"

    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        path = await opened(client)
        ballot = (await voting(client, path))["ballot"]
        assert (await client.get(f"{A}/statistics")).json()["votes"] == 0
        file.rename(kept)
        vote = {"round": 1, "judgement": "bad", "ballot": ballot}
        for call in (
            client.get("/readyz"),
            client.post(f"{A}/battles", json={"prompt": "Why?"}),
            client.post(f"{path}/votes", json=vote),
        ):
            status, said = problem(await call)
            assert status == 503 and "ledger" in said and "cannot be used" in said
        assert (await client.get(f"{A}/status")).json()["ready"] is False
        kept.rename(file)
        assert (await client.get("/readyz")).is_success
        assert (await client.post(f"{path}/votes", json=vote)).is_success
        assert (await client.get(f"{A}/statistics")).json()["votes"] == 3
        other = [replace(row, winner="tie") for row in ledger_rows.ballot("other")]
        await asyncio.to_thread(ledgers.append, f"sqlite:///{kept}", *other)
        kept.rename(file)
        assert (await client.get(f"{A}/statistics")).json()["votes"] == 2

    called(tmp_path, scene)


def counting(at: Table) -> Operable:
    metrics = Metrics()
    metrics.watch(at.referee, at.pool.reports)
    return Operable(metrics=metrics.text)


def test_metrics_count_and_name_nobody(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        path = await opened(client, size=2)
        await voting(client, path)
        live = (await client.get("/metrics")).text
        assert "arena_battles_under_way 1.0" in live
        await client.post(f"{path}/votes", json={"round": 1, "judgement": "tie"})
        answer = await client.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=")
        for line in (
            'arena_battles_total{event="decided"} 1.0',
            'arena_ballots_total{event="cast"} 1.0',
            "arena_battles_under_way 0.0",
            "arena_hosts_up 1.0",
        ):
            assert line in answer.text.splitlines()
        assert not [
            name for name in (*MAKERS, path[-36:], "127.0.0.1") if name in live + answer.text
        ]

    called(tmp_path, scene, operable=counting)


def asking(at: Table, operable: Operable) -> httpx.AsyncClient:
    """A client on this machine of an API on the same referee."""
    app = FastAPI()
    api.install(app, at.referee, operable)
    transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 5000))
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7860")


def test_metrics_are_for_operators_unless_they_are_for_all(play: Play) -> None:
    async def text(operator: bool) -> bytes:
        return b"arena 1\n" if operator else b"arena 0\n"

    async def scene(_: httpx.AsyncClient, at: Table) -> None:
        through_proxy = {"x-forwarded-for": "203.0.113.9"}
        async with asking(at, Operable(metrics=text)) as client:
            assert (await client.get("/metrics")).text == "arena 1\n"
            status, detail = problem(await client.get("/metrics", headers=through_proxy))
            assert status == 403 and "ARENA_METRICS" in detail
        async with asking(at, Operable(metrics=text, metrics_for_all=True)) as client:
            assert (await client.get("/metrics", headers=through_proxy)).text == "arena 0\n"

    play(scene)


def test_when_each_reply_ends_is_told_to_operators_alone(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        path = await opened(client, size=2)
        metrics = counting(at).metrics
        assert metrics
        changing = ("arena_replies_under_way", "arena_queue")
        told = (await metrics(True)).decode()
        assert all(f"\n{name} " in told for name in changing)
        to_all = (await metrics(False)).decode()
        assert not any(name in to_all for name in changing)
        assert "arena_rounds_under_way" in to_all and "arena_rounds_under_way" in told
        await voting(client, path)

    called(tmp_path, scene, operable=counting)


def test_hosts_are_told_to_operators_alone(play: Play) -> None:
    async def scene(_: httpx.AsyncClient, at: Table) -> None:
        async def overview() -> Overview:
            return Overview("somewhere", at.pool.reports(), {}, 1.0, (), False)

        async with asking(at, Operable(overview)) as client:
            mine = await client.get(f"{A}/hosts")
            assert [host["up"] for host in mine.json()["hosts"]] == [True]
            theirs = await client.get(f"{A}/hosts", headers={"host": "arena.example"})
            status, detail = problem(theirs)
            assert status == 403 and "ARENA_BIND" in detail
        async with asking(at, Operable()) as client:
            assert problem(await client.get(f"{A}/hosts"))[0] == 403

    play(scene)
