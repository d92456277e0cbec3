"""Probes, metrics and hosts: what machines and operators ask."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from arena.core.overview import Overview
from arena.core.ports import LedgerFault, Readiness
from arena.metrics import Metrics
from arena.web.api import Operable, health
from tests.playing import Table
from tests.web.calling import MAKERS, A, called, opened, problem, voting


def test_ready_is_only_who_can_have_a_battle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        async def ready() -> tuple[int, str]:
            assert (await client.get("/healthz")).json() == {"status": "alive"}
            return problem(await client.get("/readyz"))

        assert (await client.get("/readyz")).json() == {"status": "ready"}
        assert (await client.get(f"{A}/status")).json()["ready"] is True
        at.referee.readiness = lambda: Readiness(False, "Warming up.", "Model 2 of 3.")
        assert await ready() == (503, "Warming up. Model 2 of 3.")
        assert (await client.get(f"{A}/status")).json()["detail"] == "Model 2 of 3."

        async def broken() -> None:
            raise LedgerFault("The disk is full.")

        monkeypatch.setattr(at.referee, "health", broken)
        assert await ready() == (503, "The disk is full.")
        monkeypatch.setattr(at.referee, "health", asyncio.Event().wait)
        monkeypatch.setattr(health, "PATIENCE_S", 0.01)
        assert (await ready())[0] == 503

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


def everybody(at: Table) -> Operable:
    async def text() -> bytes:
        return b"arena 1\n"

    return Operable(metrics=text, metrics_for_all=True)


@pytest.mark.parametrize(("operable", "status"), [(counting, 403), (everybody, 200)])
def test_metrics_are_for_operators_unless_they_are_for_all(
    tmp_path: Path, operable: Callable[[Table], Operable], status: int
) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        through_proxy = {"x-forwarded-for": "203.0.113.9"}
        assert (await client.get("/metrics", headers=through_proxy)).status_code == status

    called(tmp_path, scene, operable=operable)


def seen(at: Table) -> Operable:
    async def overview() -> Overview:
        return Overview("somewhere", at.pool.reports(), {}, 1.0, (), False)

    return Operable(overview=overview)


@pytest.mark.parametrize("operable", [seen, lambda at: Operable()])
def test_hosts_are_told_to_operators_alone(
    tmp_path: Path, operable: Callable[[Table], Operable]
) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        mine = await client.get(f"{A}/hosts")
        if operable is seen:
            assert [host["up"] for host in mine.json()["hosts"]] == [True]
        else:
            assert problem(mine)[0] == 403
        status, detail = problem(await client.get(f"{A}/hosts", headers={"host": "arena.example"}))
        assert status == 403 and "ARENA_BIND" in detail
        assert problem(await client.get("/metrics"))[0] == 403

    called(tmp_path, scene, operable=operable)
