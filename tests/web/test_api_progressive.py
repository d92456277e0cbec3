"""Battles under the ancestor's names: start, get the responses, submit a choice, to the names."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from arena.web.api import progressive
from tests.playing import MODELS, Table, eventually
from tests.web.calling import MAKERS, A, Play, called, opened, problem, voting


async def start(client: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    answer = await client.post(f"{A}/start_progressive", json={"message": "Why?", **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def responses(client: httpx.AsyncClient, battle: str) -> dict[str, Any]:
    answer = await client.post(f"{A}/get_progressive_responses", json={"battle_id": battle})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def submit(
    client: httpx.AsyncClient, battle: str, choice: str, ballot: str
) -> httpx.Response:
    body = {"battle_id": battle, "choice": choice, "ballot": ballot}
    return await client.post(f"{A}/submit_progressive_choice", json=body)


def test_a_battle_is_played_to_its_end_and_only_then_has_names(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        started = await start(client, session_id="mine", num_models=8)
        assert set(started) == {"battle_id", "status", "total_models", "current_round", "message"}
        assert (started["total_models"], started["current_round"]) == (3, 1)
        battle = started["battle_id"]
        first = await responses(client, battle)
        assert (first["model_a"], first["model_b"], first["model_c"]) == (
            "Model A",
            "Model B",
            None,
        )
        assert first["response_a"] and first["response_b"] and first["latency_a"] is None
        assert (first["remaining_comparisons"], first["status"]) == (2, "in_progress")
        led = (await submit(client, battle, "right", first["ballot"])).json()
        assert (led["status"], led["current_round"]) == ("in_progress", 2)
        assert (led["model_a"], led["model_b"]) == ("Model B", "Model C")
        assert led["eliminated"] == ["Model A"] and led["remaining_comparisons"] == 1
        second = await responses(client, battle)
        assert (second["model_a"], second["model_b"]) == ("Model B", "Model C")
        assert second["response_a"] == first["response_b"]
        blind = json.dumps([started, first, led, second])
        assert not [name for name in MAKERS if name in blind]
        end = (await submit(client, battle, "left", second["ballot"])).json()
        assert (end["status"], end["total_rounds"]) == ("completed", 2)
        ranking = [place["model"] for place in end["final_ranking"]]
        assert sorted(ranking) == sorted(MODELS) and ranking[0] == end["winner"]
        assert [c["choice"] for c in end["comparison_history"]] == ["right", "left"]
        assert end["comparison_history"][1]["models"] == [ranking[0], ranking[1]]
        assert {seat["name"] for seat in end["reveal"]["seats"]} == set(MODELS)
        last = await responses(client, battle)
        assert [last["model_a"], last["model_b"]] == ranking[:2] and last["latency_a"] > 0
        votes = await at.ledger.votes()
        votes = votes[votes["battle_id"] == battle]
        assert votes["winner"].tolist() == ["model_b", "model_a"] and set(votes["channel"]) == {
            "api"
        }

    play(scene)


def test_the_same_ballot_gets_the_same_answer_however_late(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        battle = (await start(client))["battle_id"]
        first = (await responses(client, battle))["ballot"]
        twice = await asyncio.gather(*(submit(client, battle, "left", first) for _ in range(2)))
        second = (await responses(client, battle))["ballot"]
        status, said = problem(await submit(client, battle, "both_bad", first))
        assert status == 409 and "Model B was voted out" in said
        end = await submit(client, battle, "tie", second)
        twice.append(await submit(client, battle, "left", first))
        assert len({answer.content for answer in twice}) == 1 and twice[0].status_code == 200
        assert (await submit(client, battle, "tie", second)).content == end.content
        assert "all were called equal" in problem(await submit(client, battle, "left", second))[1]
        assert end.json()["winner"] is None and end.json()["final_ranking"][1]["rank"] == 1
        assert len(await at.ledger.votes_on(battle)) == 2

    play(scene)


def test_the_latest_battle_of_a_session_answers_to_the_session_too(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        earlier = (await start(client, session_id="mine"))["battle_id"]
        battle = (await start(client, session_id="mine", num_models=2))["battle_id"]
        await start(client, session_id="another")
        shown = await responses(client, "mine")
        assert shown["battle_id"] == battle != earlier
        end = (await submit(client, "mine", "left", shown["ballot"])).json()
        assert (end["battle_id"], end["status"]) == (battle, "completed")
        body = {"battle_id": "mine", "winner": "model_a", "ballot": shown["ballot"]}
        assert (await client.post(f"{A}/vote", json=body)).json() == end
        asked = await client.post(f"{A}/get_progressive_responses", json={"battle_id": "nobody's"})
        assert problem(asked)[0] == 404

    play(scene)


def test_a_session_id_means_the_same_with_the_session_that_it_began(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        async def asked(path: str, headers: dict[str, str], **body: Any) -> httpx.Response:
            client.cookies.clear()
            return await client.post(f"{A}/{path}", json=body, headers=headers)

        opening = {"message": "Why?", "session_id": "own", "num_models": 2}
        began = await asked("start_progressive", {}, **opening)
        session = {"Arena-Session": began.headers["arena-session"]}
        for opened_with, asked_with in (({}, session), (session, {}), (session, session)):
            battle = (await asked("start_progressive", opened_with, **opening)).json()["battle_id"]
            shown = await asked("get_progressive_responses", asked_with, battle_id="own")
            assert shown.is_success and shown.json()["battle_id"] == battle
        other = {"Arena-Session": (await client.post(f"{A}/session")).json()["session"]}
        shown = await asked("get_progressive_responses", other, battle_id="own")
        assert problem(shown)[0] == 404

    play(scene)


def test_an_opening_that_is_repeated_does_not_bring_an_earlier_battle_back(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        body, key = {"message": "Why?", "session_id": "mine"}, {"Idempotency-Key": "one"}
        for headers in (key, {}, key):
            await client.post(f"{A}/start_progressive", json=body, headers=headers)
        first = (await client.post(f"{A}/start_progressive", json=body, headers=key)).json()
        assert (await responses(client, "mine"))["battle_id"] != first["battle_id"]

    play(scene)


def test_a_ballot_that_is_not_the_rounds_is_refused(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        battle = (await start(client))["battle_id"]
        assert problem(await submit(client, battle, "left", "early"))[0] == 409
        ballot = (await responses(client, battle))["ballot"]
        assert problem(await submit(client, battle, "left", "forged"))[0] == 409
        assert (await submit(client, battle, "left", ballot)).is_success
        await responses(client, battle)
        assert (await client.post(f"{A}/battles/{battle}/undo")).is_success
        assert problem(await submit(client, battle, "left", ballot))[0] == 409
        again = (await responses(client, battle))["ballot"]
        assert again != ballot and (await submit(client, battle, "right", again)).is_success
        assert problem(await submit(client, "no-battle", "left", again))[0] == 404

    play(scene)


def test_a_vote_names_the_winner_or_the_choice(play: Play) -> None:
    said = (
        ("winner", "model_a", "model_a"),
        ("choice", "right", "model_b"),
        ("vote", "model_b", "model_b"),
        ("winner", "both_bad", "both_bad"),
    )

    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        async def cast(name: str, spelling: str, meant: str) -> None:
            battle = (await start(client, num_models=2))["battle_id"]
            ballot = (await responses(client, battle))["ballot"]
            body = {"battle_id": battle, name: spelling, "ballot": ballot}
            end = (await client.post(f"{A}/vote", json=body)).json()
            assert end["status"] == "completed"
            assert [vote.winner for vote in await at.ledger.votes_on(battle)] == [meant]

        await asyncio.gather(*(cast(*one) for one in said))
        for wrong in ({"winner": "A"}, {"winner": "tie", "vote": "tie"}, {}):
            body = {"battle_id": "mine", "ballot": "any", **wrong}
            assert problem(await client.post(f"{A}/vote", json=body))[0] == 422

    play(scene)


def test_both_bad_lets_the_next_two_meet(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        battle = (await start(client))["battle_id"]
        ballot = (await responses(client, battle))["ballot"]
        end = (await submit(client, battle, "both_bad", ballot)).json()
        assert end["status"] == "completed" and end["final_ranking"][0]["seat"] == "C"
        assert end["comparison_history"][0]["choice"] == "both_bad"
        last = await responses(client, battle)
        assert {last["model_a"], last["model_b"]} == set(end["comparison_history"][0]["models"])

    play(scene)


def test_with_three_in_play_left_and_right_say_too_little(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        battle = (await start(client, format="elimination"))["battle_id"]
        seen = await responses(client, battle)
        assert seen["model_c"] == "Model C" and seen["response_c"]
        assert problem(await submit(client, battle, "left", seen["ballot"]))[0] == 400
        led = (await submit(client, battle, "tie", seen["ballot"])).json()
        assert led["current_round"] == 2 and len(led["eliminated"]) == 1

    play(scene)


def test_a_void_battle_has_no_responses(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        path = await opened(client)
        await client.delete(path)
        body = {"battle_id": path.split("/")[-1]}
        assert problem(await client.post(f"{A}/get_progressive_responses", json=body))[0] == 410

    play(scene)


def test_a_round_that_takes_too_long_is_to_be_asked_for_again(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progressive, "WAIT_S", 0.001)

    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        battle = (await start(client))["battle_id"]
        asked = await client.post(f"{A}/get_progressive_responses", json={"battle_id": battle})
        assert problem(asked)[0] == 504 and asked.headers["retry-after"] == "1"
        monkeypatch.setattr(progressive, "WAIT_S", 20)
        assert (await responses(client, battle))["response_a"]

    play(scene)


def test_who_hangs_up_while_waiting_is_let_go_and_the_models_write_on(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        battle = (await start(client))["battle_id"]
        waiting = asyncio.create_task(responses(client, battle))
        await eventually(lambda: at.feed.viewers(battle) == 1)
        waiting.cancel()
        await eventually(lambda: at.feed.viewers(battle) == 0)
        assert (await voting(client, f"{A}/battles/{battle}"))["ballot"]

    called(tmp_path, scene, speed=5)
