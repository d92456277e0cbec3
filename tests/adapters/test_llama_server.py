"""Hosts that speak OpenAI's API, on a real one: llama.cpp's own server, with a key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from arena.adapters.engine import LocalModel
from arena.adapters.engine.child import Child
from arena.adapters.hosts import HostPool
from arena.core.battle.entities import Contender, Finished, Text, Thought
from arena.core.errors import HostFault, NoCapacity
from arena.core.ports import HostEvent
from tests.adapters.test_hosts import CALM, run
from tests.engine_fixtures import LlamaServer

ROSTER = [Contender("plain", "smollm2:135m"), Contender("terse", "smollm2:135m", system="Briefly.")]
STORY = "Tell a long story about a fox."


@asynccontextmanager
async def pool_of(
    server: LlamaServer, *, key: str = "", roster: list[Contender] = ROSTER, **options: Any
) -> AsyncIterator[HostPool]:
    options = {"num_ctx": 4096, "num_predict": 12, "temperature": 0, **options}
    pool = HostPool(options=options, timeouts=CALM, thought_tokens=20)
    await pool.use([], roster, 3, openai=[(server.url, key or server.key)])
    await pool.look()
    try:
        yield pool
    finally:
        await pool.close()


async def reply(pool: HostPool, prompt: str = STORY, name: str = "plain") -> list[HostEvent]:
    (contender,) = [c for c in pool.contenders() if c.name == name]
    ask = [{"role": "user", "content": prompt}]
    return [event async for event in pool.reply(contender, ask, seed=7)]


def text_of(events: list[HostEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


async def busy_slots(server: LlamaServer) -> int:
    headers = {"Authorization": f"Bearer {server.key}"}
    async with httpx.AsyncClient(trust_env=False, headers=headers) as client:
        slots = (await client.get(f"{server.url}/slots")).json()
        return sum(slot["is_processing"] for slot in slots)


def test_it_lists_its_model_and_what_is_not_told_stays_unknown(llama_server: LlamaServer) -> None:
    async def scene() -> None:
        async with pool_of(llama_server, num_ctx=9000) as pool:
            (report,) = pool.reports()
            (model,) = report.models
            assert (report.kind, report.version, model.name) == (
                "openai",
                "llamacpp",
                "smollm2:135m",
            )
            assert model.size > 90_000_000 and not model.digest
            assert [c.name for c in pool.contenders()] == ["plain", "terse"]
            assert any("4096 tokens of context, and is asked for 9000" in d for d in pool.doubts())

    run(scene)


def test_replies_stream_with_their_usage_and_a_seed_repeats_them(llama_server: LlamaServer) -> None:
    async def scene() -> None:
        async with pool_of(llama_server) as pool:
            events = await reply(pool)
            assert sum(isinstance(event, Text) for event in events) > 5
            facts = events[-1]
            assert isinstance(facts, Finished)
            assert (facts.done_reason, facts.output_tokens) == ("length", 12)
            assert (facts.prompt_tokens or 0) > 10 and (facts.tokens_per_s or 0) > 1
            assert (facts.host_kind, facts.digest, facts.load_ms) == ("openai", "", None)
        async with pool_of(llama_server, temperature=1.0) as pool:
            assert text_of(await reply(pool)) == text_of(await reply(pool))
        plain = Contender("plain", "smollm2:135m")
        lively = Contender("lively", "smollm2:135m", options={"repeat_penalty": 1.9})
        async with pool_of(llama_server, roster=[plain, lively], num_predict=40) as pool:
            texts = [text_of(await reply(pool, "Say a a a a a.", n)) for n in ("plain", "lively")]
            assert texts[0] != texts[1], "the penalty had no effect"

    run(scene)


def test_what_a_model_thinks_is_no_part_of_its_reply(thinking_weights: LocalModel) -> None:
    child = Child({"path": str(thinking_weights.path), "name": thinking_weights.name})
    told = asyncio.run(child.report())
    server = LlamaServer(f"http://127.0.0.1:{told['port']}", told["key"], thinking_weights.name)
    roster = [Contender(way, thinking_weights.name, think=way) for way in ("off", "on")]

    async def scene() -> None:
        async with pool_of(server, roster=roster) as pool:
            events = await reply(pool, name="off")
            assert text_of(events) and not [e for e in events if isinstance(e, Thought)]
            with pytest.raises(HostFault) as fault:
                await reply(pool, name="on")
            assert fault.value.kind == "overthought"

    try:
        run(scene)
    finally:
        child.end()


def test_a_wrong_key_is_told_with_what_to_do(llama_server: LlamaServer) -> None:
    async def scene() -> None:
        async with pool_of(llama_server, key="nonsense") as pool:
            assert any("401" in p and "OPENAI_TOKENS" in p for p in pool.problems)
            assert "OPENAI_TOKENS" in pool.refusal()
            with pytest.raises(NoCapacity):
                async for _ in pool.reply(ROSTER[0], [{"role": "user", "content": "Hi"}], seed=1):
                    pass

    run(scene)


def test_who_leaves_frees_the_slot(llama_server: LlamaServer) -> None:
    async def scene() -> None:
        async with pool_of(llama_server, num_predict=3500, repeat_penalty=1.0) as pool:
            ask = [{"role": "user", "content": "Write down numbers from one to a thousand."}]
            events = pool.reply(ROSTER[0], ask, seed=1)
            while not isinstance(await anext(events), Text):
                pass
            assert await busy_slots(llama_server) == 1
            await events.aclose()
            async with asyncio.timeout(20):
                while await busy_slots(llama_server):
                    pass

    run(scene)


def test_a_prompt_that_does_not_fit_is_too_long(llama_server: LlamaServer) -> None:
    async def scene() -> None:
        async with pool_of(llama_server) as pool:
            with pytest.raises(HostFault) as fault:
                await reply(pool, "fox " * 5000)
            assert fault.value.kind == "too long"

    run(scene)
