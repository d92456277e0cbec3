"""Battles over HTTP by their states: open, look, vote, take back, ask on, end, reveal."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from fastapi import FastAPI
from starlette.datastructures import Address

from arena.core.battle.record import REHEARSAL
from arena.play.admission import Caller, RefereeRules
from arena.web import api
from arena.web.callers import Callers
from arena.web.prefix import Prefix
from tests.playing import MODELS, QUICK, Table
from tests.web.calling import MAKERS, A, Play, called, client_of, key, opened, problem, voting


def test_a_battle_is_opened_voted_on_and_unmasked(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        asked = {"prompt": "Why?", "topic": "", "study": "s", "unattended": True}
        answer = await client.post(f"{A}/battles", json=asked)
        assert answer.status_code == 201 and answer.json()["format"] == "elimination"
        path = f"{A}/battles/{answer.json()['battle']}"
        state = await voting(client, path)
        assert {len(texts) for texts in state["replies"].values()} == {1}
        assert problem(await client.get(f"{path}/reveal"))[0] == 409
        early = {"round": 2, "judgement": "tie"}
        assert problem(await client.post(f"{path}/votes", json=early))[0] == 409
        first = {"round": 1, "judgement": "drop", "seat": "B", "ballot": state["ballot"]}
        voted = await client.post(f"{path}/votes", json=first)
        assert voted.json()["panes"][1]["state"] == "eliminated"
        again = await client.post(f"{path}/votes", json=first)
        assert again.json()["version"] == voted.json()["version"]
        status, said = problem(await client.post(f"{path}/votes", json={**first, "seat": "C"}))
        assert status == 409 and "Model B was voted out" in said
        seen = await client.get(path)
        assert seen.json()["history"] == [
            {
                "round": 1,
                "live": ["A", "B", "C"],
                "judgement": "drop",
                "dropped": ["B"],
                "coin": False,
            }
        ]
        wire = json.dumps([answer.json(), voted.json(), seen.json()]) + str(seen.headers)
        assert not [name for name in MAKERS if name in wire]
        await client.post(f"{path}/votes", json={"round": 2, "judgement": "tie", "rater": "r"})
        revealed = (await client.get(f"{path}/reveal")).json()
        assert {seat["name"] for seat in revealed["seats"]} == set(MODELS)
        assert {row["contender"] for row in revealed["standings"]} == set(MODELS)
        assert all(row["rating_after"] for row in revealed["standings"])
        (llama,) = [s for s in revealed["seats"] if s["model"] == "llama3.1:8b"]
        assert llama["card"]["size"] == "8.0B" and llama["card"]["context_length"] > 0
        assert llama["card"]["license"] == "Free to fake." and llama["quantization"]
        cost = revealed["cost"]
        assert cost["tokens"] > 0 and cost["seconds"] > 0 and cost["watt_hours"] is None
        votes = await at.ledger.votes()
        votes = votes[votes["battle_id"] == path.rpartition("/")[2]]
        assert set(votes["channel"]) == {"api"} and set(votes["study"]) == {"s"}
        assert set(votes["excluded_reason"]) == {""}
        whole, _, told_apart = votes["rater"].tolist()
        assert whole and told_apart == f"{whole}/r"

    play(scene)


def test_a_vote_is_taken_back_and_its_ballot_counts_no_more(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        path = await opened(client)
        ballot = (await voting(client, path))["ballot"]
        vote = {"round": 1, "judgement": "drop", "seat": "A", "ballot": ballot}
        voted = (await client.post(f"{path}/votes", json=vote)).json()
        assert voted["undo"]
        undone = (await client.post(f"{path}/undo")).json()
        assert (undone["round"], undone["phase"]) == (1, "voting") and undone["ballot"] != ballot
        assert problem(await client.post(f"{path}/votes", json=vote))[0] == 409
        again = {**vote, "seat": "C", "ballot": undone["ballot"]}
        state = (await client.post(f"{path}/votes", json=again)).json()
        assert [pane["state"] for pane in state["panes"]] == ["complete", "complete", "eliminated"]
        of_others = {"round": 2, "judgement": "tie", "ballot": voted["ballot"]}
        assert problem(await client.post(f"{path}/votes", json=of_others))[0] == 409

    play(scene)


def test_a_follow_up_is_answered_by_everyone_in_play(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        path = await opened(client, size=2)
        ballot = (await voting(client, path))["ballot"]
        asked = await client.post(f"{path}/follow_up", json={"prompt": "And then?"})
        assert asked.json()["prompts"] == ["Why?", "And then?"]
        state = await voting(client, path)
        early = {"round": 1, "judgement": "tie", "ballot": ballot}
        assert problem(await client.post(f"{path}/votes", json=early))[0] == 409
        assert [len(texts) for texts in state["replies"].values()] == [2, 2]

    play(scene)


def test_a_follow_up_that_is_sent_again_with_its_ballot_is_asked_once(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        path = await opened(client)
        ballot = (await voting(client, path))["ballot"]

        async def asked(prompt: str) -> httpx.Response:
            asking = {"prompt": prompt, "ballot": ballot}
            return await client.post(f"{path}/follow_up", json=asking)

        assert (await asked("And then?")).is_success
        assert (await asked("And then? ")).json()["prompts"] == ["Why?", "And then?"]
        ballot_then = (await voting(client, path))["ballot"]
        assert (await asked("And then?")).json()["prompts"] == ["Why?", "And then?"]
        assert problem(await asked("And now?"))[0] == 409, "that ballot is of before"
        dropped = {"round": 1, "judgement": "drop", "seat": "A", "ballot": ballot_then}
        assert (await client.post(f"{path}/votes", json=dropped)).is_success
        ballot = ballot_then
        assert problem(await asked("Of all three?"))[0] == 409, "it was asked of another round"
        assert (await voting(client, path))["undo"]

    play(scene)


def test_a_battle_that_is_ended_is_void_and_stays_so(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        path = await opened(client)
        ended = (await client.delete(path)).json()
        assert ended["phase"] == "void" and ended["notice"]
        again = await client.delete(path)
        assert problem(again)[0] == 409 and again.json()["title"] == "The battle is over"
        revealed = await client.get(f"{path}/reveal")
        assert problem(revealed) == (410, ended["notice"])
        assert problem(await client.put(f"{path}/link", json={})) == (410, ended["notice"])

    play(scene)


def test_a_battle_that_is_ended_half_way_tells_no_name_and_ranks_nobody(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        path = await opened(client)
        await voting(client, path)
        vote = {"round": 1, "judgement": "drop", "seat": "A"}
        assert (await client.post(f"{path}/votes", json=vote)).is_success
        assert (await client.delete(path)).is_success
        board = (await client.get(f"{A}/leaderboard")).json()
        assert (board["votes"], board["held_back"]) == (0, 2)
        for format in ("csv", "jsonl", "dpo"):
            told = (await client.get(f"{A}/export", params={"format": format})).text
            assert not [name for name in MODELS if name in told]
        assert problem(await client.get(f"{path}/reveal"))[0] == 410

    called(tmp_path, scene)


def test_only_the_same_key_gets_the_same_battle(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        async def start(key: str) -> str:
            headers = {"Idempotency-Key": key} if key else {}
            asked = {"message": "Why?", "session_id": "mine"}
            answer = await client.post(f"{A}/start_progressive", json=asked, headers=headers)
            return answer.json()["battle_id"]

        battles = await asyncio.gather(*(start(key) for key in ("k", "k", "other", "", "")))
        assert battles[0] == battles[1] and len(set(battles)) == 4

    play(scene)


def test_a_key_does_not_bring_a_battle_that_was_asked_for_otherwise(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        headers = {"Idempotency-Key": "once"}
        asked = {"prompt": "Why?", "study": "s", "unattended": True}
        first = await client.post(f"{A}/battles", json=asked, headers=headers)
        for other in ({"prompt": "How?"}, {"study": "t"}, {"size": 2}, {"format": "knockout"}):
            answer = await client.post(f"{A}/battles", json=asked | other, headers=headers)
            status, said = problem(answer)
            assert status == 409 and "Idempotency-Key" in said
        again = await client.post(f"{A}/battles", json=asked, headers=headers)
        assert again.json()["battle"] == first.json()["battle"]

    play(scene)


def test_whoever_opens_too_many_battles_is_told_when_to_come_back(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        await opened(client)
        refused = await client.post(f"{A}/battles", json={"prompt": "Why?"})
        assert problem(refused)[0] == 429 and 1 <= int(refused.headers["retry-after"]) <= 60

    called(tmp_path, scene, rules=RefereeRules(opens_per_minute=1, stage=QUICK))


def test_a_rehearsal_is_kept_and_moves_no_standing(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        path = await opened(client)
        await voting(client, path)
        vote = {"round": 1, "judgement": "bad", "study": REHEARSAL}
        assert (await client.post(f"{path}/votes", json=vote)).is_success
        votes = await at.ledger.votes_on(path.split("/")[-1])
        assert [vote.excluded_reason for vote in votes] == ["rehearsal"] * 3
        board = (await client.get(f"{A}/leaderboard?study={REHEARSAL}")).json()
        assert board["votes"] == 0 and board["excluded"] == {"rehearsal": 3}

    play(scene)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:203.0.113.7", "203.0.113.7", True),
        ("::ffff:203.0.113.7", "::ffff:203.0.113.8", False),
        ("testclient", "testclient", True),
    ],
)
def test_callers_are_told_apart_without_their_addresses(one: str, other: str, same: bool) -> None:
    def caller(address: str | None) -> Caller:
        client = Address(address, 1) if address else None
        return asyncio.run(Callers(key).of(SimpleNamespace(headers={}, client=client)))

    known = [caller(address) for address in (one, other)]
    for which in ("network", "place"):
        first, second = (getattr(found, which) for found in known)
        assert (first == second) is same and first and one not in first
    assert caller(None) == Caller()


def test_a_session_opens_battles_that_only_it_moves(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        mine = (await client.post(f"{A}/session")).json()["session"]
        me, other = {"Arena-Session": mine}, {"Arena-Session": f"{mine[:-1]}x"}
        named = {"Arena-Rater": mine.partition(".")[0]}
        asked = {"prompt": "Why?", "unattended": True, "size": 2}
        answer = await client.post(f"{A}/battles", json=asked, headers=me)
        assert "set-cookie" not in answer.headers
        path = f"{A}/battles/{answer.json()['battle']}"
        ballot = (await voting(client, path))["ballot"]
        vote = {"round": 1, "judgement": "tie", "ballot": ballot}
        for stranger in ({}, other, named):
            for call in (
                client.post(f"{path}/votes", json=vote, headers=stranger),
                client.post(f"{path}/undo", headers=stranger),
                client.post(f"{path}/follow_up", json={"prompt": "And?"}, headers=stranger),
                client.delete(path, headers=stranger),
            ):
                status, said = problem(await call)
                assert status == 403 and "Arena-Session" in said
        assert (await client.post(f"{path}/votes", json=vote, headers=me)).is_success
        again = (await client.post(f"{A}/session", headers=me)).json()
        assert again == {"session": mine}

    play(scene)


def test_a_program_without_a_session_gets_one_with_its_battle(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        key = {"Idempotency-Key": "lost"}
        asked = {"prompt": "Why?", "unattended": True}
        lost, answer = [
            await client.post(f"{A}/battles", json=asked, headers=key) for _ in range(2)
        ]
        assert answer.headers["arena-session"] == lost.headers["arena-session"]
        assert "HttpOnly" in answer.headers["set-cookie"]
        path = f"{A}/battles/{answer.json()['battle']}"
        ballot = (await voting(client, path))["ballot"]
        client.cookies.clear()
        bare = {"round": 1, "judgement": "drop", "seat": "A"}
        assert problem(await client.post(f"{path}/votes", json=bare))[0] == 403
        assert (await client.post(f"{path}/votes", json=bare | {"ballot": ballot})).is_success
        assert problem(await client.post(f"{path}/undo"))[0] == 403
        session = {"Arena-Session": answer.headers["arena-session"]}
        assert (await client.post(f"{path}/undo", headers=session)).is_success

    play(scene)


@pytest.mark.parametrize("session", ["", "mine"])
def test_a_key_means_the_same_with_the_session_that_its_first_answer_gave(
    play: Play, session: str
) -> None:
    async def scene(client: httpx.AsyncClient, _: Table) -> None:
        async def start(key: str, brought: str = "") -> tuple[str, str]:
            client.cookies.clear()
            headers = {"Idempotency-Key": f"{key}-{session}", "Arena-Session": brought}
            asked = {"prompt": "Why?", "session": session, "unattended": True}
            answer = await client.post(f"{A}/battles", json=asked, headers=headers)
            return answer.json()["battle"], answer.headers.get("arena-session", brought)

        first, given = await start("one")
        for brought in (given, "", given):
            assert await start("one", brought) == (first, given)
        assert (await start("another", given))[0] != first
        stranger = (await client.post(f"{A}/session")).json()["session"]
        assert (await start("one", stranger))[0] != first, "others have keys of their own"
        assert ((await start("another"))[1] == given) is bool(session)

    play(scene)


def test_a_program_that_keeps_cookies_moves_its_battle_below_a_path_too(play: Play) -> None:
    async def scene(_: httpx.AsyncClient, at: Table) -> None:
        app = FastAPI()
        api.install(app, at.referee)
        app.add_middleware(Prefix, root_path="/arena")
        async with client_of(app) as client:
            client.base_url = client.base_url.join("/arena")
            path = await opened(client)
            await voting(client, path)
            asked = await client.post(f"{path}/follow_up", json={"prompt": "And then?"})
            assert asked.is_success, asked.text
            await voting(client, path)
            bare = {"round": 1, "judgement": "tie"}
            assert (await client.post(f"{path}/votes", json=bare)).is_success
            assert (await client.post(f"{path}/undo")).is_success
            assert (await client.delete(path)).is_success
            (kept,) = client.cookies.jar
            assert kept.path == f"/arena{path}", "another battle's program is another one"

    play(scene)
