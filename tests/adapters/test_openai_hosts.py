"""Hosts that speak OpenAI's API, alone and beside Ollama's: streams, thought, refusals, faults."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest

from arena.adapters.hosts import HostPool, HostTimeouts
from arena.core.battle.entities import Contender, Finished, Text, Thought
from arena.core.errors import HostFault, NoCapacity
from arena.core.ports import HostEvent
from tests.adapters.test_hosts import ASK, CALM, model, run
from tests.fake_ollama import FakeOllama
from tests.fake_openai import FakeOpenAI, frame

BIG = "org/big-70b"
MODELS = {BIG: "one two three", "org/other-8b": "four five"}


@asynccontextmanager
async def pool_of(
    *hosts: FakeOpenAI,
    ollama: Sequence[FakeOllama] = (),
    roster: Sequence[Contender] = (),
    token: str = "",
    timeouts: HostTimeouts = CALM,
    **known: Any,
) -> AsyncIterator[HostPool]:
    options = {"num_ctx": 4096, "num_predict": 64}
    pool = HostPool(options=options, timeouts=timeouts, **known)
    roster = roster or [Contender(name, name) for name in MODELS]
    addresses = [(host.url, token) for host in hosts]
    await pool.use([(host.url, "") for host in ollama], roster, 1, openai=addresses)
    await pool.look()
    try:
        yield pool
    finally:
        await pool.close()


async def reply(pool: HostPool, name: str = BIG) -> list[HostEvent]:
    contender = next((c for c in pool.contenders() if c.name == name), Contender(name, name))
    return [event async for event in pool.reply(contender, ASK, seed=7)]


def text_of(events: Sequence[HostEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


def facts_of(events: Sequence[HostEvent]) -> Finished:
    assert isinstance(events[-1], Finished)
    return events[-1]


def test_an_arena_without_an_ollama_is_told_of_none() -> None:
    async def scene() -> None:
        unknown = [Contender(name, name) for name in ("a", "b")]
        async with FakeOpenAI(MODELS) as host, pool_of(host, roster=unknown) as pool:
            told = [pool.refusal(), *pool.problems]
        async with AsyncExitStack() as after:
            async with FakeOpenAI(MODELS) as host:
                pool = await after.enter_async_context(pool_of(host))
            for _ in range(3):
                with suppress(HostFault, NoCapacity):
                    await reply(pool)
            told.append(pool.refusal())
            assert "left alone" in told[-1]
            for _ in range(2):
                await pool.look()
            told.append(pool.refusal())
            assert "does not answer" in told[-1]
        assert len(told) > 3
        assert not [text for text in told if "Ollama" in text.replace("(with Ollama: ", "")]

    run(scene)


def test_a_prompt_that_a_server_cut_without_a_word_is_no_reply() -> None:
    async def scene() -> None:
        async with FakeOpenAI(MODELS, reads=1024) as host, pool_of(host) as pool:
            big = Contender(BIG, BIG)
            whole, signs = "Why is it dark? " * 200, "=" * 4000
            for long, cut in ((whole, False), (whole + "And then? " * 200, True), (signs, False)):
                asked = [{"role": "user", "content": long}]
                events = pool.reply(big, asked, seed=7)
                if not cut:
                    assert isinstance([event async for event in events][-1], Finished)
                    continue
                with pytest.raises(HostFault) as told:
                    async for _ in events:
                        pass
                assert told.value.kind == "too long"

    run(scene)


def test_a_reply_is_streamed_with_what_is_known_of_it_and_the_rest_stays_unknown() -> None:
    async def scene() -> None:
        async with FakeOpenAI(MODELS) as host, pool_of(host) as pool:
            events = await reply(pool)
            assert text_of(events) == "one two three "
            facts = facts_of(events)
            assert (facts.host, facts.host_kind) == (host.url, "openai")
            assert (facts.prompt_tokens, facts.output_tokens, facts.digest) == (9, 3, "")
            (asked,) = host.asked
            assert (asked["seed"], asked["max_tokens"], asked["model"]) == (7, 64, BIG)
            assert "num_ctx" not in asked and "num_predict" not in asked
            (report,) = pool.reports()
            assert (report.kind, report.version) == ("openai", "vllm")

    run(scene)


@pytest.mark.parametrize("spelt", ["reasoning_content", "reasoning"])
def test_what_is_thought_is_kept_apart_and_counted(spelt: str) -> None:
    async def scene() -> None:
        async with FakeOpenAI(MODELS, thinking="let me see", spelt=spelt) as host:
            async with pool_of(host) as pool:
                events = await reply(pool)
                assert text_of(events) == "one two three "
                assert [e.text for e in events if isinstance(e, Thought)] == ["let ", "me ", "see "]
                assert facts_of(events).thinking_tokens == 3

    run(scene)


@pytest.mark.parametrize(
    ("think", "sent"),
    [
        ("off", {"chat_template_kwargs": {"enable_thinking": False}}),
        ("on", {"chat_template_kwargs": {"enable_thinking": True}}),
        ("low", {"reasoning_effort": "low"}),
        ("max", {"reasoning_effort": "high"}),
    ],
)
def test_a_contender_says_how_it_thinks(think: str, sent: dict[str, Any]) -> None:
    async def scene() -> None:
        roster = [Contender("a", BIG, think=think), Contender("b", "org/other-8b")]
        async with FakeOpenAI(MODELS) as host, pool_of(host, roster=roster) as pool:
            assert text_of(await reply(pool, "a")) == "one two three "
            assert sent.items() <= host.asked[0].items()

    run(scene)


def test_fields_that_a_server_does_not_know_are_left_out_from_there_on() -> None:
    async def scene() -> None:
        unknown = ("chat_template_kwargs", "seed", "stream_options")
        async with FakeOpenAI(MODELS, refused=unknown) as host, pool_of(host) as pool:
            for _ in range(2):
                assert text_of(await reply(pool)) == "one two three "
            assert not set(unknown) & set(host.asked[-1])
            assert len(host.asked) == len(unknown) + 2

    run(scene)


async def fault_of(pool: HostPool, name: str = BIG) -> str:
    with pytest.raises(HostFault) as told:
        await reply(pool, name)
    return told.value.kind


def test_an_error_whose_words_do_not_come_is_not_waited_for() -> None:
    async def scene() -> None:
        hasty = replace(CALM, warm=0.3, cold=0.3)
        async with FakeOpenAI(MODELS) as host, pool_of(host, timeouts=hasty) as pool:
            host.answer, host.hold, host.script = (500, None), True, [""]
            async with asyncio.timeout(10):
                assert await fault_of(pool) == "silent"

    run(scene)


BROKEN: dict[str, tuple[list[Any], str]] = {
    "an error within the stream": (
        [frame(BIG, {"content": "on"}), {"error": {"message": "CUDA out of memory"}}],
        "crashed",
    ),
    "an event that is an error": (['event: error\ndata: {"message": "gone"}\n\n'], "crashed"),
    "no end": ([frame(BIG, {"content": "one"})], "cut off"),
    "only the mark of the end": ([frame(BIG, {"content": "one"}), "data: [DONE]\n\n"], "cut off"),
    "no JSON": (["data: }{\n\n"], "garbled"),
    "a list": (["data: [1]\n\n"], "garbled"),
    "nothing said": ([frame(BIG, {}, "stop"), "data: [DONE]\n\n"], "empty"),
    "another model": ([frame("innocent-1b", {"content": "one"})], "wrong model"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_stream_that_breaks_is_a_fault_of_its_kind(case: str) -> None:
    async def scene() -> None:
        script, kind = BROKEN[case]
        async with FakeOpenAI(MODELS) as host, pool_of(host) as pool:
            host.script = list(script)
            assert await fault_of(pool) == kind
            # A host that lets another model answer is not asked for that one for a while.
            again = BIG if kind != "wrong model" else "org/other-8b"
            assert text_of(await reply(pool, again)) == f"{MODELS[again]} "

    run(scene)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, {"error": {"message": "The model does not exist."}}, "missing"),
        (401, {"detail": "no"}, "forbidden"),
        (500, {"error": "boom"}, "failed"),
        (400, {"error": {"message": "This model's maximum context length is 8192"}}, "too long"),
        (502, "bad gateway", "unreachable"),
    ],
)
def test_a_refusal_is_a_fault_of_its_kind(status: int, body: Any, kind: str) -> None:
    async def scene() -> None:
        async with FakeOpenAI(MODELS) as host, pool_of(host) as pool:
            host.answer = status, body
            assert await fault_of(pool) == kind

    run(scene)


def test_a_host_that_asks_for_patience_is_asked_again() -> None:
    async def scene() -> None:
        async with FakeOpenAI(MODELS) as host, pool_of(host) as pool:
            host.answer = 429, {"error": {"message": "Rate limit reached"}}
            asking = asyncio.create_task(reply(pool))
            while not host.asked:
                await asyncio.sleep(0.005)
            host.answer = None
            assert text_of(await asking) == "one two three "

    run(scene)


def test_a_reply_that_nobody_wants_any_more_ends_on_the_host() -> None:
    async def scene() -> None:
        async with FakeOpenAI(MODELS) as host, pool_of(host) as pool:
            host.script, host.hold = [frame(BIG, {"content": "one "})], True
            events = pool.reply(Contender(BIG, BIG), ASK, seed=1)
            assert isinstance(await anext(events), Text)
            await events.aclose()
            async with asyncio.timeout(10):
                await host.hung_up.wait()

    run(scene)


def test_the_token_goes_with_every_request_and_a_wrong_one_is_told() -> None:
    async def scene() -> None:
        async with FakeOpenAI(MODELS, token="sesame") as host:
            async with pool_of(host, token="sesame") as pool:
                assert text_of(await reply(pool)) == "one two three "
            async with pool_of(host, token="nonsense") as pool:
                assert any("401" in problem for problem in pool.problems)

    run(scene)


def test_a_token_that_only_replies_want_makes_contenders_sit_out_with_the_reason() -> None:
    async def scene() -> None:
        async with FakeOpenAI(MODELS) as host, pool_of(host) as pool:
            host.answer = 401, {"error": {"message": "Invalid token"}}
            for _ in range(2):
                assert await fault_of(pool) == "forbidden"
            assert await fault_of(pool) == "nowhere"
            assert any("OPENAI_TOKENS" in problem for problem in pool.problems)

    run(scene)


def test_both_kinds_play_in_one_roster() -> None:
    async def scene() -> None:
        small = model("a:1")
        roster = [Contender("small", "a:1"), Contender("big", BIG)]
        async with FakeOpenAI(MODELS) as host, FakeOllama([small], warm=True) as ollama:
            async with pool_of(host, ollama=[ollama], roster=roster) as pool:
                await pool.warm()
                assert [c.name for c in pool.contenders()] == ["small", "big"]
                kinds = [facts_of(await reply(pool, name)).host_kind for name in ("small", "big")]
                assert kinds == ["ollama", "openai"]
                assert not pool.refusal()

    run(scene)
