"""What all contenders of a battle are given alike: a system prompt, a temperature, images; over
HTTP to a fake host, and into the ledger."""

from __future__ import annotations

import io
import json
from base64 import b64decode, b64encode
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from tests.fake_ollama import LLAMA, MISTRAL, PHI
from tests.playing import Table
from tests.web.calling import MAKERS, A, called, opened, problem, voting

SEEING = tuple(replace(m, capabilities=("completion", "vision")) for m in (LLAMA, MISTRAL))
TERMS: dict[str, Any] = {"system": "Answer as a pirate.", "temperature": 0.3}


def png(colour: str = "red") -> str:
    made = io.BytesIO()
    Image.new("RGB", (40, 20), colour).save(made, "PNG")
    return b64encode(made.getvalue()).decode()


async def judged(client: httpx.AsyncClient, path: str) -> dict[str, Any]:
    """The state after each vote was `drop` of the last."""
    state = await voting(client, path)
    while state["phase"] == "voting":
        seat = [pane["seat"] for pane in state["panes"] if pane["state"] == "complete"][-1]
        vote = {"round": state["round"], "judgement": "drop", "seat": seat}
        state = (await client.post(f"{path}/votes", json=vote)).json()
        if state["phase"] == "answering":
            state = await voting(client, path)
    return state


def test_terms_reach_every_contender_and_the_ledger_and_no_other_battle(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        path = await opened(client, **TERMS)
        state = await judged(client, path)
        assert state["system"] == TERMS["system"] and state["temperature"] == 0.3
        calls = at.hosts[0].stats.answers()
        assert len(calls) == 3
        for call in calls:
            assert call.messages[0] == {"role": "system", "content": TERMS["system"]}
            assert call.options["temperature"] == 0.3
        votes = await at.ledger.votes()
        assert set(votes["system"]) == {TERMS["system"]} and set(votes["temperature"]) == {0.3}
        assert set(votes["excluded_reason"]) == {""}, "nobody had anything of its own"
        assert all(json.loads(sent)["temperature"] == 0.3 for sent in votes["options_a"])
        await voting(client, await opened(client))
        later = at.hosts[0].stats.answers()[3:]
        assert all(call.messages[0]["role"] == "user" for call in later)
        assert not [call for call in later if "temperature" in call.options]

    called(tmp_path, scene)


def test_terms_that_cannot_be_are_refused_with_a_word_on_why(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        async def refused(**terms: Any) -> tuple[int, str]:
            return problem(await client.post(f"{A}/battles", json={"prompt": "Why?", **terms}))

        longest = at.referee.rules.max_prompt
        status, said = await refused(system="x" * longest)
        assert status == 400 and f"{longest:,} fit" in said
        assert (await refused(temperature=2.1))[0] == 422
        assert (await refused(images=["https://example.org/a.png"]))[0] == 422
        assert "base64" in (await refused(images=["abc"]))[1]
        assert "can see images" in (await refused(images=[png()]))[1]
        assert (await refused(images=[png()] * 4))[0] == 422

    called(tmp_path, scene)


def test_an_image_reaches_only_those_that_see_also_in_a_follow_up(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        path = await opened(client, images=[png()])
        state = await voting(client, path)
        assert (state["images"], len(state["panes"])) == (1, 2)
        assert (await client.post(f"{path}/follow_up", json={"prompt": "And now?"})).is_success
        state = await voting(client, path)
        shown = await client.get(f"{path}/images/1")
        assert shown.headers["content-type"] == "image/jpeg"
        assert Image.open(io.BytesIO(shown.content)).size == (40, 20)
        assert problem(await client.get(f"{path}/images/2"))[0] == 404
        wire = json.dumps(state) + str(shown.headers)
        assert not [name for name in MAKERS if name in wire]
        calls = at.hosts[0].stats.answers()
        assert {call.model for call in calls} == {LLAMA.name, MISTRAL.name} and len(calls) == 4
        for call in calls:
            (image,) = call.messages[0]["images"]
            assert b64decode(image) == shown.content
            assert not [m for m in call.messages[1:] if "images" in m]
        await judged(client, path)
        votes = await at.ledger.votes()
        (digest,) = votes["images"][0]
        assert (await at.ledger.images([digest]))[digest] == shown.content

    called(tmp_path, scene, hosted=(*SEEING, PHI))


def test_a_shared_battle_shows_its_image_or_keeps_it(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, _: Table) -> None:
        path = await opened(client, images=[png()], **TERMS)
        assert (await client.get(f"{path}/link")).status_code == 404
        await judged(client, path)
        told = (await client.put(f"{path}/link", json={})).json()
        assert len(told["images"]) == 1 and told["system"] == TERMS["system"]
        told = (await client.put(f"{path}/link", json={"prompts": False})).json()
        assert not told["images"] and not told["system"]

    called(tmp_path, scene, hosted=(*SEEING, PHI))


def test_the_votes_of_a_changed_contender_are_kept_and_not_ranked(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        roster = at.pool.contenders()
        own = replace(roster[0], system="Be brief.")
        await at.pool.use([(at.hosts[0].url, "")], (own, *roster[1:]), 1)
        await at.pool.look()
        path = await opened(client, system="Be long.")
        await judged(client, path)
        assert set((await at.ledger.votes())["excluded_reason"]) == {"altered"}
        reveal = (await client.get(f"{path}/reveal")).json()
        assert reveal["altered"] and not reveal["counted"]

    called(tmp_path, scene)
