"""Standings, totals and files over HTTP: the same votes, and none of a battle under way."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from arena.play.release import Release
from arena.web import api
from tests.playing import MODELS, Table
from tests.web.calling import A, Play, called, client_of, opened, problem, voting

FIRST = {"round": 1, "judgement": "drop", "seat": "A"}


async def decided(client: httpx.AsyncClient, *, size: int = 2, **opening: str) -> None:
    """A battle in which the left one lost, again and again."""
    path = await opened(client, size=size, **opening)
    state = await voting(client, path)
    while state["phase"] == "voting":
        live = [pane["seat"] for pane in state["panes"] if pane["state"] == "complete"]
        vote = {"round": state["round"], "judgement": "drop", "seat": live[0]}
        state = (await client.post(f"{path}/votes", json=vote)).json()
    assert state["phase"] == "decided"


def test_the_leaderboard_is_the_same_as_json_csv_and_latex(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        await decided(client, size=3, study="formats")
        leaderboard = f"{A}/leaderboard?study=formats"
        board = (await client.get(leaderboard)).json()
        assert {row["contender"] for row in board["standings"]} == set(MODELS)
        assert board["votes"] == 3 and board["excluded"] == {}
        best = board["standings"][0]
        assert best["lower"] < best["rating"] < best["upper"]
        assert best["rank_best"] <= best["rank"] <= best["rank_worst"]
        assert best["few"] is True, "of three votes the prior says more"
        as_csv = await client.get(f"{leaderboard}&format=csv")
        assert as_csv.headers["content-type"].startswith("text/csv")
        assert "arena-standings.csv" in as_csv.headers["content-disposition"]
        rows = list(csv.DictReader(io.StringIO(as_csv.text)))
        assert [row["contender"] for row in rows] == [r["contender"] for r in board["standings"]]
        assert float(rows[0]["rating"]) == best["rating"] and list(rows[0]) == list(best)
        table = (await client.get(f"{leaderboard}&format=latex")).text
        exported = (await client.get(f"{A}/export?study=formats&format=latex")).text
        assert table == exported and r"\begin{tabular}" in table
        anchored = (await client.get(f"{leaderboard}&anchor={MODELS[0]}")).json()["standings"]
        assert {r["contender"]: r["rating"] for r in anchored}[MODELS[0]] == 1000
        corrected = (await client.get(f"{leaderboard}&order=true")).json()
        assert corrected["effects"]

    play(scene)


def test_votes_are_told_by_slice_and_held_back_while_their_battle_goes_on(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        await decided(client, study="pilot", topic="code")
        await decided(client)
        path = await opened(client)
        await voting(client, path)
        await client.post(f"{path}/votes", json=FIRST)

        async def votes(filters: str) -> tuple[int, int]:
            board = (await client.get(f"{A}/leaderboard{filters}")).json()
            rows = (await client.get(f"{A}/export{filters}")).text.splitlines()
            return board["votes"], len(rows) - 1

        assert await votes("") == (2, 2)
        assert await votes("?study=pilot") == await votes("?topic=code") == (1, 1)
        assert await votes("?channel=web") == await votes("?until=2020-01-01") == (0, 0)
        assert await votes("?since=2020-01-01T00:00:00Z&channel=api") == (2, 2)
        spoken = [await votes(f"?language={name}") for name in ("und", "unknown", "en", "English")]
        assert spoken[:2] == [(2, 2)] * 2 and spoken[2:] == [(0, 0)] * 2
        for path in ("leaderboard", "export"):
            told = problem(await client.get(f"{A}/{path}?channel=fax"))
            assert told == (
                400,
                "channel is 'fax'; it is web, api, notebook, share, import or judge.",
            )
            twice = problem(await client.get(f"{A}/{path}?topic=law&study=pilot&topic=code"))
            assert twice == (400, "'topic' is given twice. Give one.")
        totals = (await client.get(f"{A}/statistics")).json()
        assert (totals["battles"], totals["votes"], totals["held_back"]) == (2, 2, 2)
        assert totals["channel"] == {"api": 2}
        await client.delete(path)
        assert (await client.get(f"{A}/leaderboard")).json()["votes"] == 2, "half a battle waits"

    called(tmp_path, scene)


def test_an_anchor_that_no_vote_rates_is_told(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        await decided(client)
        status, detail = problem(await client.get(f"{A}/leaderboard?anchor=nobody"))
        assert status == 400 and "The anchor can be" in detail

    play(scene)


def test_votes_come_as_files_that_say_what_they_are(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        empty = await client.get(f"{A}/export?study=files&format=jsonl")
        assert empty.status_code == 200 and empty.content == b""
        await decided(client, study="files")
        for name, begins, suffix in (
            ("csv", b"id,model_a,", ".csv"),
            ("parquet", b"PAR1", ".parquet"),
            ("jsonl", b'{"id"', ".jsonl"),
            ("dpo", b'{"prompt"', ".dpo.jsonl"),
        ):
            file = await client.get(f"{A}/export?study=files&format={name}")
            assert file.content.startswith(begins), file.content[:40]
            assert (
                file.headers["content-disposition"] == f'attachment; filename="arena-votes{suffix}"'
            )
        full = json.loads((await client.get(f"{A}/export?study=files&format=jsonl")).text)
        strict = json.loads(
            (await client.get(f"{A}/export?study=files&format=jsonl&strict=true")).text
        )
        assert full["winner"] == strict["winner"] == "model_b"
        assert "rater" in full and "rater" not in strict

    play(scene)


def test_others_than_operators_get_what_the_arena_gives_away(tmp_path: Path) -> None:
    public = {"X-Forwarded-For": "203.0.113.9"}

    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        path = await opened(client, size=2)
        await voting(client, path)
        await client.post(f"{path}/votes", json={"round": 1, "judgement": "tie"})

        async def had(**asked: Any) -> list[dict[str, Any]]:
            answer = await client.get(f"{A}/export", params={"format": "jsonl"}, **asked)
            assert answer.is_success, answer.text
            return [json.loads(line) for line in answer.text.splitlines()]

        assert (await had())[0]["conversation_a"]
        assert await had(headers=public) == [], "none of today"
        rules = at.referee.rules
        object.__setattr__(rules, "release", Release("votes", after_h=0))
        app = FastAPI()
        api.install(app, at.referee)
        async with client_of(app) as other:
            answer = await other.get(f"{A}/export?format=jsonl", headers=public)
            (row,) = [json.loads(line) for line in answer.text.splitlines()]
            assert row["winner"] == "tie" and row["conversation_a"] == row["thinking_b"] == []
            ids = [value for name, value in row.items() if name.endswith("id") and value]
            assert len(ids) >= 4 and path.rpartition("/")[2] not in answer.text
            kept = [await other.get(f"{A}/battles/{id}", headers=public) for id in ids]
            assert {problem(answer)[0] for answer in kept} == {404}, "nor are they to be had by it"
            assert problem(await other.get(f"{A}/export?format=dpo", headers=public))[0] == 403
        object.__setattr__(rules, "release", Release("nothing"))
        app = FastAPI()
        api.install(app, at.referee)
        async with client_of(app) as other:
            for file in ("export", "export?format=latex", "leaderboard?format=csv"):
                assert problem(await other.get(f"{A}/{file}", headers=public))[0] == 403
            assert (await other.get(f"{A}/leaderboard", headers=public)).is_success

    called(tmp_path, scene)
