"""Every fault that the fake host can play, and what the official client raises or sees when it meets it.

The expected classes are those the client raises against any Ollama; nothing here knows the arena.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import ollama
import pydantic
import pytest

from tests.fake_ollama import (
    FAULTS,
    NEW,
    OLD,
    ControlPort,
    FakeModel,
    FakeOllama,
    Fault,
    parse_fault,
)

MESSAGES = [{"role": "user", "content": "Say something."}]
MODEL = FakeModel("phi3:mini", 2.03, 384, text="one two three four five six seven eight")
OTHER = FakeModel("mistral:7b", text="nine ten eleven twelve thirteen")
PATIENT, IMPATIENT = httpx.Timeout(10), httpx.Timeout(10, connect=0.25, read=0.25)
ResponseError = ollama.ResponseError


def client_of(host: FakeOllama, **settings: Any) -> ollama.AsyncClient:
    settings = {"timeout": PATIENT, "trust_env": False, "follow_redirects": False, **settings}
    return ollama.AsyncClient(host.url, **settings)


def a_host(**settings: Any) -> FakeOllama:
    return FakeOllama([MODEL, OTHER], **{"speed": 100, "warm": True, **settings})


async def streamed(
    client: ollama.AsyncClient, model: str = "phi3:mini", **call: Any
) -> list[ollama.ChatResponse]:
    return [part async for part in await client.chat(model, MESSAGES, stream=True, **call)]


async def outcome(call: Awaitable[Any]) -> Any:
    """What came back, or the exception."""
    try:
        return await call
    except Exception as raised:  # noqa: BLE001 -- the point is to see whichever class it is
        return raised


def text_of(parts: list[ollama.ChatResponse]) -> str:
    return "".join(part.message.content or "" for part in parts)


def play(
    scene: Callable[[FakeOllama, ollama.AsyncClient], Awaitable[None]],
    timeout: httpx.Timeout = PATIENT,
    **settings: Any,
) -> None:
    """Runs `scene` on a fresh host, and sees that it leaves no connection and no task behind."""

    async def scenario() -> None:
        async with a_host(**settings) as host:
            async with client_of(host, timeout=timeout) as client:
                await scene(host, client)
            await host.wait_for(lambda: host.stats.connections_open == 0)
        if left := asyncio.all_tasks() - {asyncio.current_task()}:
            _, running = await asyncio.wait(left, timeout=10)
            assert not running

    asyncio.run(scenario())


STREAMED: list[tuple[str, dict[str, Any], type[Exception], int | None]] = [
    ("refused", {}, httpx.RemoteProtocolError, None),
    ("busy", {}, ResponseError, 503),
    ("missing_model", {}, ResponseError, 404),
    ("bad_request", {"variant": "think"}, ResponseError, 400),
    ("bad_request", {"variant": "vision"}, ResponseError, 400),
    ("bad_request", {"variant": "option"}, ResponseError, 500),
    ("out_of_memory", {"variant": "runtime"}, ResponseError, 500),
    ("out_of_memory", {"variant": "load"}, ResponseError, 500),
    ("out_of_memory", {"variant": "stopped"}, ResponseError, 500),
    ("out_of_memory", {"frame": 3}, ResponseError, -1),
    ("no_first_frame", {}, httpx.ReadTimeout, None),
    ("drop_before_first", {}, httpx.ReadError, None),
    ("drop", {}, httpx.ReadError, None),
    ("drop", {"variant": "close"}, httpx.RemoteProtocolError, None),
    ("stall", {}, httpx.ReadTimeout, None),
    ("garbage", {"variant": "text"}, json.JSONDecodeError, None),
    ("garbage", {"variant": "blank"}, json.JSONDecodeError, None),
    ("garbage", {"variant": "torn"}, json.JSONDecodeError, None),
    ("garbage", {"variant": "list"}, AttributeError, None),
    ("garbage", {"variant": "number"}, AttributeError, None),
    ("garbage", {"variant": "null"}, AttributeError, None),
    ("garbage", {"variant": "no_message"}, pydantic.ValidationError, None),
    ("error_frame", {"variant": "text"}, ResponseError, -1),
    ("error_frame", {"variant": "nested"}, ResponseError, -1),
    ("error_frame", {"variant": "object"}, ResponseError, -1),
    ("error_frame", {"variant": "number"}, AttributeError, None),
    ("error_frame", {"variant": "dict"}, TypeError, None),
    ("restart", {"frame": 3}, httpx.RemoteProtocolError, None),
    ("next_line", {}, json.JSONDecodeError, None),
    ("proxy_error", {"variant": "html"}, ResponseError, 502),
    ("proxy_error", {"variant": "empty"}, ResponseError, 500),
    ("proxy_error", {"variant": "object"}, ResponseError, 500),
    ("proxy_error", {"variant": "list"}, AttributeError, None),
    ("proxy_error", {"variant": "string"}, AttributeError, None),
    ("proxy_error", {"variant": "null"}, AttributeError, None),
    ("redirect", {}, ResponseError, 302),
]


@pytest.mark.parametrize(("kind", "rule", "raised", "status"), STREAMED)
def test_a_fault_in_a_stream_raises_what_the_client_raises_on_the_real_server(
    kind: str, rule: dict[str, Any], raised: type[Exception], status: int | None
) -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        host.fault(kind, **rule)
        seen = await outcome(streamed(client))
        assert type(seen) is raised
        assert getattr(seen, "status_code", None) == status
        assert host.stats.answers()[0].fault == kind
        assert not host.faults

    play(scene, IMPATIENT if raised is httpx.ReadTimeout else PATIENT)


WHOLE: list[tuple[str, dict[str, Any], type[Exception], int | None]] = [
    ("busy", {}, ResponseError, 503),
    ("out_of_memory", {}, ResponseError, 500),
    ("no_first_frame", {}, httpx.ReadTimeout, None),
    ("stall", {}, httpx.ReadTimeout, None),
    ("drop", {}, httpx.ReadError, None),
    ("garbage", {}, json.JSONDecodeError, None),
    ("error_frame", {}, ResponseError, 500),
    ("proxy_error", {"variant": "html"}, ResponseError, 502),
    ("proxy_error", {"variant": "list"}, AttributeError, None),
    ("redirect", {}, ResponseError, 302),
]


@pytest.mark.parametrize(("kind", "rule", "raised", "status"), WHOLE)
def test_a_fault_without_streaming_raises_what_the_client_raises_on_the_real_server(
    kind: str, rule: dict[str, Any], raised: type[Exception], status: int | None
) -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        host.fault(kind, **rule)
        seen = await outcome(client.chat("phi3:mini", MESSAGES))
        assert type(seen) is raised
        assert getattr(seen, "status_code", None) == status

    play(scene, IMPATIENT if raised is httpx.ReadTimeout else PATIENT)


def test_a_host_that_is_down_refuses_and_comes_back_on_its_port_with_nothing_resident() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        port = host.port
        assert len((await client.ps()).models) == 2
        await host.stop()
        assert type(await outcome(streamed(client))) is httpx.ConnectError
        assert type(await outcome(client.chat("phi3:mini", MESSAGES))) is ConnectionError
        await host.start()
        assert host.port == port
        assert not (await client.ps()).models
        assert text_of(await streamed(client)) == MODEL.text

    play(scene)


def test_a_pooled_connection_of_before_a_restart_recovers_by_itself() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        await streamed(client)
        await host.stop()
        await host.start()
        assert text_of(await streamed(client)) == MODEL.text
        assert host.stats.loads.count("phi3:mini") == 2

    play(scene)


def test_a_name_that_does_not_resolve_is_a_connect_error() -> None:
    async def scenario() -> None:
        async with ollama.AsyncClient(
            "http://arena.invalid:11434", trust_env=False, timeout=IMPATIENT
        ) as client:
            assert type(await outcome(streamed(client))) in (
                httpx.ConnectError,
                httpx.ConnectTimeout,
            )

    asyncio.run(scenario())


def test_a_full_backlog_is_a_connect_timeout_until_the_host_starts_again() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        await host.freeze()
        async with client_of(host, timeout=IMPATIENT) as hasty:
            assert type(await outcome(streamed(hasty))) is httpx.ConnectTimeout
            assert type(await outcome(hasty.chat("phi3:mini", MESSAGES))) is httpx.ConnectTimeout
        await host.start()
        assert text_of(await streamed(client)) == MODEL.text
        host.fault("slow_accept", frame=3)
        assert type(await outcome(streamed(client))) is httpx.RemoteProtocolError
        async with client_of(host, timeout=IMPATIENT) as hasty:
            assert type(await outcome(streamed(hasty))) is httpx.ConnectTimeout

    play(scene)


def test_an_old_server_says_a_runners_death_in_a_200_and_a_new_one_in_a_500() -> None:
    async def seen(version: str) -> ResponseError:
        async with a_host(version=version) as host, client_of(host) as client:
            host.fault("out_of_memory", variant="stopped")
            return await outcome(streamed(client))

    old, new = asyncio.run(seen(OLD)), asyncio.run(seen(NEW))
    assert (old.status_code, new.status_code) == (-1, 500)
    assert old.error == new.error
    assert "unexpectedly stopped" in old.error


def test_running_out_of_memory_empties_the_vram_of_all_models() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        host.fault("out_of_memory", model="phi3:mini")
        await outcome(streamed(client))
        assert not (await client.ps()).models

    play(scene)


def test_frames_before_the_faults_frame_arrive_and_nothing_after_it() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        for kind in ("drop", "garbage", "error_frame", "next_line"):
            host.fault(kind, frame=4)
            arrived = []
            with pytest.raises((httpx.HTTPError, ValueError, ResponseError)):  # noqa: PT012
                async for part in await client.chat("phi3:mini", MESSAGES, stream=True):
                    arrived.append(part)  # noqa: PERF401 -- what came before the fault
            assert text_of(arrived) == "one two three", kind

    play(scene)


def test_a_stream_without_a_done_frame_ends_normally() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        host.fault("no_done")
        parts = await streamed(client)
        assert text_of(parts) == "one two three"
        assert not parts[-1].done
        host.fault("no_done")
        whole = await client.chat("phi3:mini", MESSAGES)
        assert (whole.message.content, whole.done) == ("one two three", False)

    play(scene)


def test_an_empty_answer_is_done_at_once_and_leaves_its_zeros_out() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        host.fault("empty")
        (only,) = await streamed(client)
        assert (only.done, only.done_reason, only.message.content) == (True, "stop", "")
        assert only.eval_count is None
        assert only.eval_duration is None

    play(scene)


def test_a_length_cut_is_done_with_its_reason() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        host.fault("length", frame=3)
        parts = await streamed(client)
        assert (text_of(parts), parts[-1].done_reason) == ("one two", "length")
        parts = await streamed(client, options={"num_predict": 5})
        assert (parts[-1].eval_count, parts[-1].done_reason) == (5, "length")

    play(scene)


def test_an_evicted_model_is_cold_and_a_deleted_one_is_not_found() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        host.fault("evicted")
        assert text_of(await streamed(client)) == MODEL.text
        assert host.stats.loads.count("phi3:mini") == 2
        host.fault("evicted", variant="deleted")
        seen = await outcome(streamed(client))
        assert seen.status_code == 404
        assert [model.model for model in (await client.list()).models] == ["mistral:7b"]

    play(scene)


def test_a_slow_stream_keeps_the_rate_it_was_given() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        host.fault("slow", rate=40, model="phi3:mini")
        slow = (await streamed(client))[-1]
        assert 0 < slow.eval_count / slow.eval_duration * 1e9 < 42

    play(scene)


def test_a_substituted_model_answers_under_another_name() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        host.fault("wrong_model", to="tinyllama:1b")
        assert {part.model for part in await streamed(client)} == {"tinyllama:1b"}
        assert {part.model for part in await streamed(client)} == {"phi3:mini"}

    play(scene)


def test_a_redirect_turns_the_post_into_a_get_only_for_a_client_that_follows() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        host.fault("redirect")
        async with client_of(host, follow_redirects=True) as follower:
            assert (await outcome(streamed(follower))).status_code == 404
        assert [(call.method, call.path) for call in host.stats.requests][-1] == ("GET", "/moved")

    play(scene)


def test_a_model_half_on_the_cpu_shows_it_and_is_slow() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        runner = host.scheduler.resident[MODEL.blob]
        full = host.scheduler.tokens_per_s(runner)
        host.fault("cpu_offload", model="phi3:mini")
        last = (await streamed(client))[-1]
        states = {
            model.model: model.size_vram == model.size for model in (await client.ps()).models
        }
        assert states == {"phi3:mini": False, "mistral:7b": True}
        assert host.scheduler.tokens_per_s(runner) == full / 5
        assert last.eval_count / last.eval_duration * 1e9 < 1.1 * full / 5

    play(scene, speed=2)


def test_a_wedged_scheduler_serves_warm_models_and_hangs_cold_ones() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        host.fault("wedged")
        assert text_of(await streamed(client)) == MODEL.text
        async with client_of(host, timeout=IMPATIENT) as hasty:
            assert type(await outcome(streamed(hasty, "mistral:7b"))) is httpx.ReadTimeout
        assert len((await client.list()).models) == 2
        cold = asyncio.create_task(streamed(client, "mistral:7b"))
        await host.wait_for(lambda: host.stats.in_state("pending"))
        host.clear_faults()
        assert text_of(await cold) == OTHER.text

    play(scene, warm=["phi3:mini"])


def test_a_held_call_goes_on_when_it_is_released() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        host.fault("no_first_frame", model="phi3:mini")
        host.fault("stall", model="mistral:7b", frame=3)
        calls = [
            asyncio.create_task(streamed(client, model)) for model in ("phi3:mini", "mistral:7b")
        ]
        await host.wait_for(lambda: host.stats.held == 2)
        assert host.stats.tokens_sent == 2
        host.release()
        assert [text_of(parts) for parts in await asyncio.gather(*calls)] == [
            MODEL.text,
            OTHER.text,
        ]

    play(scene)


@pytest.mark.parametrize("leave", ["aclose", "cancel"])
def test_a_client_that_leaves_is_noticed_at_once_and_gets_no_more_tokens(leave: str) -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        stream = await client.chat("phi3:mini", MESSAGES, stream=True)
        await anext(stream)
        if leave == "aclose":
            await stream.aclose()
        else:
            stuck = asyncio.create_task(_drain(stream))
            await host.wait_for(lambda: host.stats.tokens_sent >= 2)
            stuck.cancel()
        await host.wait_for(lambda: host.stats.cancelled)
        (call,) = host.stats.cancelled
        assert call.was == "streaming"
        assert 0 < call.tokens < 8
        assert host.stats.active_streams == 0
        assert host.scheduler.resident[MODEL.blob].users == 0

    play(scene, speed=0.5)


async def _drain(stream: Any) -> None:
    async for _ in stream:
        pass


def test_the_same_call_twice_gets_the_same_text_twice() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        first, second = await asyncio.gather(streamed(client), streamed(client))
        assert text_of(first) == text_of(second)
        assert len(host.stats.answers("phi3:mini")) == 2

    play(scene)


def test_a_rule_strikes_the_call_it_names_and_no_other() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        host.fault("busy", model="phi3:mini", call=2)
        host.fault("missing_model", model="phi3:mini", times=2)
        statuses = [
            getattr(await outcome(streamed(client, model)), "status_code", 200)
            for model in ("mistral:7b", "phi3:mini", "phi3:mini", "phi3:mini", "phi3:mini")
        ]
        assert statuses == [200, 404, 503, 404, 200]

    play(scene)


def test_rules_reach_preloads_listings_and_single_calls_by_header() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        host.fault("busy", on="preload", times=None)
        host.fault("proxy_error", on="/api/ps")
        assert (await outcome(client.chat("phi3:mini"))).status_code == 503
        assert (await outcome(client.ps())).status_code == 502
        assert text_of(await streamed(client)) == MODEL.text
        assert len((await client.ps()).models) == 2
        async with client_of(host, headers={"X-Fake-Fault": "error_frame,frame=2"}) as marked:
            assert (await outcome(streamed(marked))).status_code == -1

    play(scene)


def test_every_row_is_a_rule_or_says_what_to_do_instead() -> None:
    for row, kind in FAULTS.items():
        if kind in ("dns", "user_leaves", "duplicate"):
            with pytest.raises(ValueError, match="No server can play"):
                Fault(str(row))
        else:
            assert Fault(str(row)).kind == kind
    tested = {kind for kind, *_ in STREAMED}
    assert list(FAULTS) == list(range(1, 28))
    assert tested < set(FAULTS.values())


def test_a_rule_is_read_from_text() -> None:
    assert parse_fault("10,model=phi3:mini,call=2,frame=5,times=all") == Fault(
        "drop", model="phi3:mini", call=2, frame=5, times=None
    )
    for wrong in ("28", "nonsense", "drop,colour=red", "garbage,variant=green", "slow,on=preload"):
        with pytest.raises(ValueError, match=r"\w"):
            parse_fault(wrong)


def test_the_control_port_adds_lists_and_clears_rules_and_is_not_on_ollamas_port() -> None:
    async def scenario() -> None:
        async with a_host() as host, ControlPort(host) as control, client_of(host) as client:
            async with httpx.AsyncClient(trust_env=False) as http:
                assert (await http.get(f"{host.url}/__fake__")).status_code == 404
                assert (
                    await http.post(f"{control.url}/faults", content="busy,times=all")
                ).status_code == 200
                assert (
                    await http.post(f"{control.url}/faults", content="nonsense")
                ).status_code == 400
                assert (await outcome(streamed(client))).status_code == 503
                state = (await http.get(control.url)).json()
                assert [rule["kind"] for rule in state["faults"]] == ["busy"]
                assert [call["fault"] for call in state["requests"] if call["model"]] == ["busy"]
                await http.delete(f"{control.url}/faults")
                assert text_of(await streamed(client)) == MODEL.text
                await http.post(f"{control.url}/stop")
                assert type(await outcome(streamed(client))) is httpx.ConnectError
                await http.post(f"{control.url}/start")
                assert text_of(await streamed(client)) == MODEL.text

    asyncio.run(scenario())
