"""Models as people run them now: they think, answer from elsewhere, cut prompts, take one reply at
a time, fail again and again. What the pool makes of each, on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from arena.adapters.hosts import HostPool, OllamaHost
from arena.core.battle.entities import Contender, Finished, Text, Thought
from arena.core.errors import HostFault
from arena.core.ports import HostEvent
from tests.adapters.test_hosts import CALM, Clock, model, pool_of, reply, run
from tests.certificates import self_signed
from tests.fake_ollama import OLD, FakeOllama

A = model("a:1")
THAI = "ข้อความภาษาไทยยาวมาก" * 300


def text_of(events: list[HostEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


def facts_of(events: list[HostEvent]) -> Finished:
    assert isinstance(events[-1], Finished)
    return events[-1]


async def fault_of(pool: HostPool, name: str, **asked: Any) -> HostFault:
    with pytest.raises(HostFault) as told:
        await reply(pool, name, **asked)
    return told.value


# Thinking ----------------------------------------------------------------------------------------


def test_a_model_that_thinks_whatever_it_is_told_is_heard_out_and_asked_for_its_least_then() -> (
    None
):
    async def scene() -> None:
        stubborn = model("b:1", thinking="hmm, let me see", always_thinks=True)
        async with FakeOllama([A, stubborn], warm=True) as host, pool_of(host) as pool:
            events = await reply(pool, "b:1")
            assert text_of(events) == "one two three"
            assert "".join(e.text for e in events if isinstance(e, Thought)) == "hmm, let me see"
            facts = facts_of(events)
            assert (facts.think, facts.thinking_tokens) == ("off", 4)
            assert facts.thinking_ms is not None and 0 < facts.thinking_ms < facts.total_ms
            assert facts_of(await reply(pool, "b:1")).think == "low"
            assert [call.body["think"] for call in host.stats.answers()] == [False, "low"]

    run(scene)


@pytest.mark.parametrize(
    ("think", "sent"), [("", False), ("off", False), ("on", True), ("medium", "medium")]
)
def test_a_contender_says_how_it_thinks(think: str, sent: bool | str) -> None:
    async def scene() -> None:
        thinker = model("b:1", thinking="hmm")
        roster = [Contender("a", "a:1"), Contender("b", "b:1", think=think)]
        async with FakeOllama([A, thinker], warm=True) as host:
            async with pool_of(host, roster=roster) as pool:
                facts = facts_of(await reply(pool, "b"))
                assert host.stats.answers()[0].body["think"] == sent
                assert facts.think == (think or "off")
                assert bool(facts.thinking_tokens) == bool(sent)

    run(scene)


def test_two_ways_of_thinking_of_one_model_can_meet_and_one_that_cannot_think_is_left_out() -> None:
    async def scene() -> None:
        thinker = model("b:1", thinking="hmm")
        roster = [
            Contender("quick", "b:1", think="off"),
            Contender("deep", "b:1", think="high"),
            Contender("never", "a:1", think="low"),
        ]
        async with FakeOllama([A, thinker], warm=True) as host:
            async with pool_of(host, roster=roster) as pool:
                assert [c.name for c in pool.contenders()] == ["quick", "deep"]
                assert any("never is to think (low), but a:1 cannot" in p for p in pool.problems)

    run(scene)


@pytest.mark.slow
def test_thought_has_a_budget_of_its_own_and_using_it_up_is_told_as_that() -> None:
    async def scene() -> None:
        dreamer = model("b:1", thinking="on and on " * 40, always_thinks=True, tokens_per_s=60.0)
        async with FakeOllama([A, dreamer], warm=True) as host:
            async with pool_of(host, thought_tokens=20) as pool:
                fault = await fault_of(pool, "b:1")
                assert fault.kind == "overthought"
                assert "20 tokens of thought" in str(fault) and "ARENA_THINK_TOKENS" in str(fault)
                await host.wait_for(lambda: host.stats.cancelled)
            async with pool_of(host, thought_tokens=500) as pool:
                assert text_of(await reply(pool, "b:1")) == "one two three"

    run(scene)


def test_what_is_left_of_the_thoughts_budget_does_not_lengthen_the_reply() -> None:
    async def scene() -> None:
        thinker = model("b:1", thinking="hmm", text="word " * 200)
        roster = [Contender("a", "a:1"), Contender("b", "b:1", think="on")]
        async with FakeOllama([A, thinker], warm=True) as host:
            async with pool_of(host, roster=roster, thought_tokens=500) as pool:
                events = await reply(pool, "b")
                assert facts_of(events).done_reason == "length"
                assert text_of(events).split() == ["word"] * 64
                assert host.stats.answers()[0].options["num_predict"] == 64 + 500

    run(scene)


@pytest.mark.parametrize(
    ("name", "template"),
    [
        ("hf.co/x/deepseek-r1-distill:1.5b", "{{ .Prompt }}"),
        ("b:1", "<|user|>{{ .Prompt }}<think>\n"),
    ],
)
def test_thinking_that_nothing_opened_is_none_of_the_first_reply_either(
    name: str, template: str
) -> None:
    async def scene() -> None:
        closes = model(name, text="I think it over. </think> It is night.", template=template)
        async with FakeOllama([A, closes], warm=True) as host:
            async with pool_of(host, names=["a:1", name]) as pool:
                events = await reply(pool, name)
                assert text_of(events).strip() == "It is night."
                assert not any(isinstance(e, Thought) and e.earlier for e in events)

    run(scene)


def test_a_reply_that_goes_on_beyond_its_end_is_not_waited_for() -> None:
    async def scene() -> None:
        drains = model("b:1", text="It is night.<|im_end|>" + " more" * 900, tokens_per_s=60.0)
        async with FakeOllama([A, drains], warm=True) as host, pool_of(host) as pool:
            events = await reply(pool, "b:1")
            assert text_of(events) == "It is night."
            assert facts_of(events).done_reason == "stop"
            await host.wait_for(lambda: host.stats.cancelled)

    run(scene)


ALPACA = "### Instruction:\n{{ .Prompt }}\n\n### Response:\n"
HEADED = "**Thinking:** 7 by 13.\n\n**Answer:** No."


def test_what_ends_a_reply_and_what_is_thought_hangs_on_what_is_known_of_the_model() -> None:
    async def scene() -> None:
        text = "It is night.\n\n### Instruction:\nMix flour."
        models = [
            model("a:1", text=text, weights_gib=0.5),
            model("b:1", text=text, weights_gib=0.5, template=ALPACA),
            model("c:1", text=text, weights_gib=0.5, template="{{ .Prompt }}"),
            model("d:1", text=HEADED, weights_gib=0.5),
            model("e:1", text=HEADED, weights_gib=0.5, capabilities=("completion", "thinking")),
        ]
        names = [m.name for m in models]
        async with FakeOllama(models, warm=True, max_loaded=5) as host:
            async with pool_of(host, names=names) as pool:
                said = [text_of(await reply(pool, name)).strip() for name in names]
                assert said == [text, "It is night.", text, HEADED, "No."]
                told = [p for p in pool.problems if "template is broken" in p]
                assert len(told) == 1 and "b:1" in told[0] and "### Instruction:" in told[0]

    run(scene)


# Models from elsewhere ---------------------------------------------------------------------------

REMOTE = model("innocent:8b", remote="http://elsewhere.example:11434")


def test_models_that_are_served_from_elsewhere_take_part_only_if_they_are_named() -> None:
    async def scene() -> None:
        async with FakeOllama([A, model("b:1"), REMOTE], warm=True) as host:
            async with pool_of(host, names=["auto"]) as pool:
                assert [c.name for c in pool.contenders()] == ["a:1", "b:1"]
            async with pool_of(host, names=["a:1", "b:1", "innocent:8b"]) as pool:
                assert [c.name for c in pool.contenders()] == ["a:1", "b:1"]
                assert any("elsewhere.example" in problem for problem in pool.problems)
            named = ["a:1", "innocent:8b"]
            async with pool_of(host, names=named, remote=["innocent:8b"]) as pool:
                assert text_of(await reply(pool, "innocent:8b")) == "one two three"

    run(scene)


def test_a_frame_that_says_it_came_from_elsewhere_is_refused() -> None:
    """Hosts before 0.12 do not tell it in their lists."""

    async def scene() -> None:
        async with FakeOllama([A, REMOTE], warm=True, version=OLD) as host:
            async with pool_of(host, names=["a:1", "innocent:8b"]) as pool:
                fault = await fault_of(pool, "innocent:8b")
                assert fault.kind == "remote" and "ARENA_REMOTE_MODELS" in str(fault)
                assert [c.name for c in pool.contenders()] == ["a:1"]

    run(scene)


def test_a_name_that_ends_in_local_is_a_name() -> None:
    async def scene() -> None:
        async with FakeOllama([A, model("b:local")], warm=True) as host:
            async with pool_of(host, names=["a:1", "b:local"]) as pool:
                assert text_of(await reply(pool, "b:local")) == "one two three"

    run(scene)


# Prompts that do not fit -------------------------------------------------------------------------


@pytest.mark.parametrize("version", [None, OLD], ids=["refuses", "cuts in silence"])
def test_a_prompt_that_the_model_would_see_a_part_of_is_never_answered(version: Any) -> None:
    async def scene() -> None:
        wordy = model("b:1", tokens_per_character=1.9)
        known = {} if version is None else {"version": version}
        async with FakeOllama([A, wordy], warm=True, **known) as host, pool_of(host) as pool:
            ask = [{"role": "user", "content": THAI}]
            contender = Contender("b:1", "b:1")
            with pytest.raises(HostFault) as told:
                [event async for event in pool.reply(contender, ask, seed=1)]
            assert told.value.kind == "too long"
            short = [{"role": "user", "content": THAI[:1000]}]
            events = [event async for event in pool.reply(contender, short, seed=1)]
            assert text_of(events) == "one two three"

    run(scene)


def test_a_host_that_does_not_say_how_long_a_prompt_is_is_not_waited_for() -> None:
    async def scene() -> None:
        small = Contender("b:1", "b:1", options={"num_ctx": 256})
        async with FakeOllama([A, model("b:1")], warm=True, version=OLD) as host:
            async with pool_of(host, timeouts=replace(CALM, warm=0.3)) as pool:
                host.fault("no_first_frame")
                ask = [{"role": "user", "content": THAI[:50]}]
                with pytest.raises(HostFault) as told:
                    async with asyncio.timeout(10):
                        [event async for event in pool.reply(small, ask, seed=1)]
                assert told.value.kind == "silent"

    run(scene)


# Hosts and slots ---------------------------------------------------------------------------------


def test_a_family_that_answers_one_at_a_time_gets_one_slot() -> None:
    async def scene() -> None:
        single = model("b:1", family="qwen35", text="word " * 30, tokens_per_s=200.0)
        async with FakeOllama([A, single], warm=True, num_parallel=2) as host:
            async with pool_of(host, slots=2) as pool:
                three = [asyncio.create_task(reply(pool, "b:1")) for _ in range(3)]
                while not all(task.done() for task in three):
                    assert len(host.stats.in_state("queued", "prefill", "streaming")) <= 1
                    await asyncio.sleep(0.005)
                assert [text_of(task.result()) for task in three] == ["word " * 30] * 3
                assert any("one reply of b:1 at a time" in p for p in pool.problems)

    run(scene)


@pytest.mark.slow
def test_a_runner_that_was_silent_beside_another_reply_is_asked_for_one_at_a_time() -> None:
    async def scene() -> None:
        slow = model("b:1", text="word " * 60, tokens_per_s=40.0)
        # Two slots are promised and one is there, as with a family that nobody knew of.
        async with FakeOllama([A, slow], warm=True, num_parallel=1) as host:
            hasty, clock = replace(CALM, warm=0.4), Clock()
            async with pool_of(host, slots=2, timeouts=hasty, clock=clock) as pool:
                first, second = await asyncio.gather(
                    reply(pool, "b:1"), reply(pool, "b:1"), return_exceptions=True
                )
                faults = [r for r in (first, second) if isinstance(r, HostFault)]
                assert [fault.kind for fault in faults] == ["silent"]
                await asyncio.gather(reply(pool, "b:1"), reply(pool, "b:1"))
                assert pool.refusal() == ""
                assert any("one reply of b:1 at a time" in p for p in pool.problems)
                clock.now += 300
                assert not pool.problems, "it may have been chance"

    run(scene)


@pytest.mark.parametrize(("replies", "stalled"), [(2, 1), (3, 3)])
def test_replies_that_stall_beside_another_tell_nothing_of_slots_nor_of_the_host(
    replies: int, stalled: int
) -> None:
    async def scene() -> None:
        slow = model("b:1", text="word " * 60, tokens_per_s=100.0)
        async with FakeOllama([A, slow], warm=True, num_parallel=4) as host:
            async with pool_of(host, slots=4, timeouts=replace(CALM, gap=0.3)) as pool:
                host.fault("stall", frame=2, times=stalled)
                asked = [reply(pool, "b:1") for _ in range(replies)]
                said = await asyncio.gather(*asked, return_exceptions=True)
                faults = [r.kind for r in said if isinstance(r, HostFault)]
                assert faults == ["silent"] * stalled
                assert not pool.problems
                assert isinstance((await reply(pool, "a:1"))[-1], Finished)

    run(scene)


@pytest.mark.parametrize("options", [{}, {"num_thread": 1}])
def test_models_that_fight_for_the_cores_are_told_how_not_to(options: dict[str, int]) -> None:
    async def scene() -> None:
        roster = [Contender(name, name, options=options) for name in ("a:1", "b:1")]
        async with FakeOllama([A, model("b:1")], warm=True) as host:
            for runner in host.scheduler.resident.values():
                runner.size_vram = 0
            async with pool_of(host, roster=roster, warm=False) as pool:
                assert any("num_thread = 1" in p for p in pool.problems) == (not options)

    run(scene)


def test_a_load_that_fails_is_told_with_its_cause() -> None:
    async def scene() -> None:
        async with FakeOllama([A, model("b:1")]) as host:
            host.fault("out_of_memory", variant="load", on="preload", model="b:1", times=None)
            async with pool_of(host, warm=False) as pool:
                await pool.warm()
                await pool.warm()
                (told,) = [m.unfit for r in pool.reports() for m in r.models if m.name == "b:1"]
                assert "cudaMalloc failed: out of memory" in told

    run(scene)


def test_a_contender_that_fails_again_and_again_sits_out_and_comes_back() -> None:
    async def scene() -> None:
        clock = Clock()
        async with FakeOllama([A, model("b:1"), model("c:1")], warm=True) as host:
            async with pool_of(host, names=["a:1", "b:1", "c:1"], clock=clock) as pool:
                host.fault("empty", model="b:1", times=2)
                for _ in range(2):
                    assert (await fault_of(pool, "b:1")).kind == "empty"
                assert [c.name for c in pool.contenders()] == ["a:1", "c:1"]
                assert any("b:1 failed again and again" in p for p in pool.problems)
                assert (await fault_of(pool, "b:1")).kind == "nowhere"
                clock.now += 61
                assert text_of(await reply(pool, "b:1")) == "one two three"
                assert len(pool.contenders()) == 3

    run(scene)


# Why a host is not reached -----------------------------------------------------------------------


@asynccontextmanager
async def speaks_plainly() -> AsyncIterator[str]:
    """A server that answers whatever is not HTTP as Go's does."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n400 Bad Request")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"


async def why(url: str) -> HostFault:
    host = OllamaHost(url, timeouts=CALM)
    try:
        with pytest.raises(HostFault) as told:
            await host.version()
        return told.value
    finally:
        await host.close()


def test_each_cause_of_a_host_that_is_not_reached_is_named_with_its_setting(tmp_path: Path) -> None:
    async def scene() -> None:
        _, server = self_signed(tmp_path)
        async with FakeOllama([A], tls=server) as secured, speaks_plainly() as plain:
            untrusted = await why(secured.url)
            assert "certificate is not trusted" in untrusted.hint
            assert "OLLAMA_CA_FILE" in untrusted.hint
            assert "write http://" in (await why(plain.replace("http:", "https:"))).hint
        refused = await why(plain)
        assert "Nothing listens at that port" in refused.hint and "OLLAMA_PORT" in refused.hint
        assert "name is not known" in (await why("http://no-such-host.invalid:11434")).hint

    run(scene)


def test_the_page_is_told_the_cause_and_no_address() -> None:
    async def scene() -> None:
        async with FakeOllama([A]) as host:
            url = host.url
        pool = HostPool(options={}, timeouts=CALM)
        await pool.use([(url, "")], [Contender("a", "a:1")], 1)
        await pool.look()
        assert "Nothing listens at that port" in pool.refusal()
        assert "127.0.0.1" not in pool.refusal()
        await pool.close()

    run(scene)
