"""The fake host behaves as Ollama does when nothing is wrong: frames, listings, refusals, and the scheduler's rules.

Driven by the official client, and by bare HTTP where the client hides the wire. Its faults are tested beside this.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import ssl
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import ollama
import pytest

from tests.certificates import self_signed
from tests.fake_ollama import LLAMA, MISTRAL, NEW, OLD, PHI, FakeModel, FakeOllama

ResponseError = ollama.ResponseError
ASK = [{"role": "user", "content": "Why is the sky blue?"}]
LONG = "word " * 400


def client_of(host: FakeOllama, **settings: Any) -> ollama.AsyncClient:
    return ollama.AsyncClient(host.url, **{"timeout": 10, "trust_env": False, **settings})


def play(
    scene: Callable[[FakeOllama, ollama.AsyncClient], Awaitable[None]],
    *models: FakeModel | str,
    **settings: Any,
) -> None:
    async def scenario() -> None:
        async with FakeOllama(
            models or (LLAMA, MISTRAL, PHI), **{"speed": 100, **settings}
        ) as host:
            async with client_of(host) as client:
                await scene(host, client)

    asyncio.run(scenario())


async def streamed(
    client: ollama.AsyncClient, model: str, **call: Any
) -> list[ollama.ChatResponse]:
    return [part async for part in await client.chat(model, ASK, stream=True, **call)]


async def refusal(call: Awaitable[Any]) -> tuple[int, str]:
    with pytest.raises(ResponseError) as caught:
        await call
    return caught.value.status_code, caught.value.error


async def opened(client: ollama.AsyncClient, model: str, **call: Any) -> Any:
    """A stream that has shown its first token and is still going on."""
    stream = await client.chat(model, ASK, stream=True, **call)
    await anext(stream)
    return stream


async def resident(client: ollama.AsyncClient) -> list[str | None]:
    return [model.model for model in (await client.ps()).models]


# Frames


def test_a_stream_is_content_frames_and_one_done_frame_with_metrics() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        *parts, last = await streamed(client, "phi3:mini")
        assert len(parts) > 10
        assert all(
            part.message.content and not part.done and part.done_reason is None for part in parts
        )
        assert (last.done, last.done_reason, last.message.content) == (True, "stop", "")
        assert last.eval_count == len(parts)
        spent = last.load_duration + last.prompt_eval_duration + last.eval_duration
        assert 0 < spent <= last.total_duration
        assert last.load_duration >= PHI.load_s / 100 * 1e9
        whole = await client.chat("phi3:mini", ASK)
        assert whole.message.content == "".join(part.message.content for part in parts)
        said = await client.generate("phi3:mini", ASK[0]["content"])
        assert (said.response, said.done) == (whole.message.content, True)
        assert said.context

    play(scene)


def test_text_depends_on_model_messages_and_seed_alone_and_names_no_model() -> None:
    async def texts() -> list[str]:
        async with FakeOllama(speed=1000) as host, client_of(host) as client:
            asked = [("phi3:mini", 1), ("phi3:mini", 2), ("mistral:7b", 1), ("PHI3:mini", 1)]
            replies = [
                await client.chat(model, ASK, options={"seed": seed}) for model, seed in asked
            ]
            return [reply.message.content or "" for reply in replies]

    first, second = asyncio.run(texts()), asyncio.run(texts())
    assert first == second
    assert len(set(first)) == 3
    assert first[0] == first[3]
    assert not any(name in text.lower() for text in first for name in ("phi", "mistral", "llama"))


def test_bytes_are_as_go_writes_them_and_no_header_comes_before_the_first_frame() -> None:
    odd = FakeModel("odd:1b", text='<b>&"\u2028\u2029 "')

    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        host.fault("no_first_frame")
        async with httpx.AsyncClient(base_url=host.url, trust_env=False) as http:
            body = {"model": "odd:1b", "messages": ASK}
            async with asyncio.TaskGroup() as group:
                held = group.create_task(http.post("/api/chat", json=body))
                await host.wait_for(lambda: host.stats.held)
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(held), 0.05)
                host.release()
            answer = held.result()
            assert answer.headers["content-type"] == "application/x-ndjson"
            assert answer.headers["transfer-encoding"] == "chunked"
            lines = answer.content.splitlines()
            assert b"\\u003cb\\u003e\\u0026" in answer.content
            assert b"\\u2028\\u2029" in answer.content
            assert [json.loads(line)["done"] for line in lines] == [False] * (len(lines) - 1) + [
                True
            ]

    play(scene, odd)


def test_a_proxy_that_speaks_http_1_0_gets_bare_lines_and_a_close() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        body = json.dumps({"model": "phi3:mini", "messages": ASK}).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", host.port)
        writer.write(b"POST /api/chat HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        head, _, lines = (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n\r\n")
        writer.close()
        assert b"chunked" not in head
        assert json.loads(lines.splitlines()[-1])["done"]

    play(scene)


def test_connections_are_kept_alive() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        for _ in range(3):
            await streamed(client, "phi3:mini")
        await client.list()
        assert host.stats.connections_made == 1
        assert {call.connection for call in host.stats.requests} == {1}

    play(scene)


def test_thinking_comes_before_content_and_is_on_by_default_only_on_a_new_server() -> None:
    thinker = FakeModel("qwen3:4b", thinking="hmm, let me see", text="Done.")

    async def said(version: str, think: Any) -> tuple[str, str]:
        async with (
            FakeOllama([thinker], speed=100, version=version) as host,
            client_of(host) as client,
        ):
            reply = (await client.chat("qwen3:4b", ASK, think=think)).message
            return reply.thinking or "", reply.content or ""

    assert asyncio.run(said(NEW, None)) == ("hmm, let me see", "Done.")
    assert asyncio.run(said(OLD, None)) == ("", "Done.")
    assert asyncio.run(said(NEW, False)) == ("", "Done.")
    assert asyncio.run(said(OLD, True)) == ("hmm, let me see", "Done.")


# Listings and refusals


def test_listings_say_what_is_installed_and_what_is_resident() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        await client.chat("mistral:7b")
        installed = (await client.list()).models
        assert {model.model for model in installed} == {"llama3.1:8b", "mistral:7b", "phi3:mini"}
        assert all(len(model.digest or "") == 64 for model in installed)
        (running,) = (await client.ps()).models
        assert (running.model, running.context_length) == ("mistral:7b", 4096)
        assert running.size_vram == running.size
        shown = await client.show("phi3:mini")
        assert shown.capabilities == ["completion"]
        assert shown.modelinfo["phi3.context_length"] == PHI.max_ctx
        async with httpx.AsyncClient(base_url=host.url, trust_env=False) as http:
            assert (await http.get("/api/version")).json() == {"version": NEW}
            assert (await http.head("/")).status_code == 200
            assert (await http.get("/")).text == "Ollama is running"
            assert (await http.get("/nowhere")).status_code == 404
            assert (await http.get("/api/chat")).status_code == 405
            assert "capabilities" in (await http.get("/api/tags")).json()["models"][0]

    play(scene)


def test_what_the_server_refuses_has_its_status_and_its_words() -> None:
    embedder = FakeModel("embed:1b", capabilities=("embedding",))

    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        ask = client.chat
        assert await refusal(ask("nobody", ASK)) == (404, "model 'nobody' not found")
        assert await refusal(ask("bad name!", ASK)) == (400, "invalid model name")
        assert (await refusal(ask("gpt:120b-cloud", ASK)))[0] == 403
        assert await refusal(ask("phi3:mini", ASK, think=True)) == (
            400,
            '"phi3:mini" does not support thinking',
        )
        assert await refusal(ask("embed:1b", ASK)) == (400, '"embed:1b" does not support chat')
        assert await refusal(ask("phi3:mini", ASK, options={"seed": "x"})) == (
            500,
            'option "seed" must be of type integer',
        )
        assert await refusal(ask("phi3:mini", ASK, keep_alive="300")) == (
            400,
            'time: missing unit in duration "300"',
        )
        picture = [{"role": "user", "content": "What?", "images": [b"\x89PNG"]}]
        assert (await refusal(ask("phi3:mini", picture)))[0] == 400
        async with httpx.AsyncClient(base_url=host.url, trust_env=False) as http:
            assert (await http.post("/api/chat")).json() == {"error": "missing request body"}
            assert (await http.post("/api/chat", json={"model": ""})).json() == {
                "error": "model is required"
            }
            assert (await http.post("/api/chat", content=b"{")).status_code == 400
            assert (await http.post("/api/chat", json={"model": 3})).status_code == 400
            assert (await http.get("/", headers={"Host": "example.com"})).status_code == 403

    play(scene, PHI, embedder)


def test_an_old_server_refuses_in_its_own_words() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        assert await refusal(client.chat("nobody", ASK)) == (
            404,
            'model "nobody" not found, try pulling it first',
        )
        assert (await refusal(client.generate("nobody", "x")))[1] == "model 'nobody' not found"
        picture = [{"role": "user", "content": "What?", "images": [b"\x89PNG"]}]
        assert (await client.chat("phi3:mini", picture)).done

    play(scene, PHI, version=OLD)


def test_models_are_pulled_created_copied_and_deleted() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        stream = await client.pull("mistral:7b", stream=True)
        for _ in range(4):
            begun = await anext(stream)
        await stream.aclose()
        await host.wait_for(lambda: host.stats.cancelled)
        frames = [frame async for frame in await client.pull("mistral:7b", stream=True)]
        assert frames[1].completed >= begun.completed > 0
        assert frames[-1].status == "success"
        with pytest.raises(ResponseError, match="file does not exist"):
            await client.pull("nobody:1b")
        await client.create("pirate", from_="phi3:mini", system="Arr.")
        await client.copy("phi3:mini", "twin:mini")
        digests = {model.model: model.digest for model in (await client.list()).models}
        assert set(digests) == {"phi3:mini", "mistral:7b", "pirate:latest", "twin:mini"}
        assert digests["twin:mini"] == digests["phi3:mini"] != digests["pirate:latest"]
        for name in ("phi3:mini", "pirate", "twin:mini"):
            await client.chat(name, ASK)
        assert host.stats.loads == ["phi3:mini"]
        await client.delete("twin:mini")
        assert (await refusal(client.chat("twin:mini", ASK)))[0] == 404

    play(scene, PHI, registry=[MISTRAL])


def test_a_token_is_demanded_and_seen() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        assert await refusal(client.chat("phi3:mini", ASK)) == (401, "unauthorized")
        async with client_of(host, headers={"Authorization": "Bearer s3cret"}) as known:
            assert (await known.chat("phi3:mini", ASK, options={"seed": 7}, keep_alive=60)).done
        call = host.stats.answers()[-1]
        assert call.headers["authorization"] == "Bearer s3cret"
        assert (call.options, call.keep_alive, call.messages) == ({"seed": 7}, 60, ASK)

    play(scene, token="s3cret")


# The scheduler


def test_the_fourth_call_waits_for_one_of_three_slots_first_come_first_served() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        streams = [await opened(client, "m:1b") for _ in range(3)]
        fourth = asyncio.create_task(opened(client, "m:1b"))
        await host.wait_for(lambda: len(host.stats.in_state("queued")) == 1)
        fifth = asyncio.create_task(opened(client, "m:1b"))
        await host.wait_for(lambda: len(host.stats.in_state("queued")) == 2)
        assert host.stats.active_streams == 3
        await streams[1].aclose()
        await (await fourth).aclose()
        await (await fifth).aclose()
        await host.wait_for(lambda: [call.number for call in host.stats.cancelled] == [2, 4, 5])
        for stream in streams:
            await stream.aclose()

    play(scene, FakeModel("m:1b", text=LONG), num_parallel=3, speed=10, warm=True)


def test_warm_calls_queue_without_bound_and_only_calls_that_need_a_load_are_shed() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        warm = [asyncio.create_task(streamed(client, "a:1b")) for _ in range(8)]
        await host.wait_for(lambda: len(host.stats.answers("a:1b")) == 8)
        host.scheduler.wedge()
        cold = [asyncio.create_task(client.chat("b:1b"))]
        await host.wait_for(lambda: len(host.stats.in_state("pending")) == 1)
        cold += [asyncio.create_task(client.chat("b:1b")) for _ in range(2)]
        await host.wait_for(lambda: len(host.stats.in_state("pending")) == 3)
        status, text = await refusal(client.chat("b:1b"))
        assert (status, text) == (
            503,
            "server busy, please try again.  maximum pending requests exceeded",
        )
        host.clear_faults()
        assert all(parts[-1].done for parts in await asyncio.gather(*warm))
        assert all(reply.done for reply in await asyncio.gather(*cold))

    play(scene, FakeModel("a:1b"), FakeModel("b:1b"), warm=["a:1b"], max_queue=2, speed=500)


def test_loads_are_serial_in_order_of_arrival() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        names = ["phi3:mini", "llama3.1:8b", "mistral:7b"]
        calls = []
        for name in names:
            calls.append(asyncio.create_task(client.chat(name)))
            await host.wait_for(
                lambda name=name: any(call.model == name for call in host.stats.requests)
            )
        assert all(reply.done_reason == "load" for reply in await asyncio.gather(*calls))
        assert host.stats.log == [(what, name) for name in names for what in ("loading", "loaded")]

    play(scene)


@pytest.mark.parametrize(
    ("num_ctx", "parallel", "fits"),
    [(4096, 1, 3), (4096, 2, 3), (8192, 1, 3), (4096, 3, 3), (4096, 4, 2), (8192, 2, 2)],
)
@pytest.mark.parametrize(
    "order", [(LLAMA, MISTRAL, PHI), (PHI, MISTRAL, LLAMA), (MISTRAL, PHI, LLAMA)]
)
def test_three_models_share_an_a10g_or_evict_one_another(
    num_ctx: int, parallel: int, fits: int, order: tuple[FakeModel, ...]
) -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        for model in order:
            await client.chat(model.name, options={"num_ctx": num_ctx})
        assert len(await resident(client)) == fits
        assert len(host.stats.evictions) == 3 - fits

    play(scene, num_parallel=parallel, speed=2000)


def test_the_victim_is_idle_then_has_the_least_keep_alive_then_the_first_blob() -> None:
    models = [
        FakeModel(f"{name}:1b", weights_gib=0.5, blob=name * 64, text=LONG) for name in "abcd"
    ]

    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        for name, keep_alive in (("c:1b", None), ("b:1b", None), ("a:1b", "1h")):
            await client.chat(name, keep_alive=keep_alive)
        await client.chat("d:1b")
        assert host.stats.evictions == ["b:1b"]
        busy = await opened(client, "c:1b")
        await client.chat("b:1b")
        assert host.stats.evictions == ["b:1b", "d:1b"]
        await busy.aclose()

    play(scene, *models)


def test_a_busy_victim_is_waited_for() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        busy = await opened(client, "a:1b")
        other = asyncio.create_task(client.chat("b:1b"))
        await host.wait_for(lambda: host.stats.in_state("pending"))
        assert host.stats.evictions == []
        await busy.aclose()
        await other
        assert host.stats.evictions == ["a:1b"]
        assert await resident(client) == ["b:1b"]

    play(scene, FakeModel("a:1b", text=LONG), FakeModel("b:1b"), max_loaded=1)


def test_a_victim_revived_by_a_keep_alive_blocks_every_load() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        busy = await opened(client, "a:1b")
        blocked = asyncio.create_task(client.chat("b:1b"))
        await host.wait_for(lambda: host.scheduler.resident["a" * 64].keep_alive_s == 0)
        joined = asyncio.create_task(client.chat("a:1b", keep_alive=-1))
        await joined
        await busy.aclose()
        await host.wait_for(lambda: host.scheduler.resident["a" * 64].users == 0)
        assert await resident(client) == ["a:1b"]
        assert not blocked.done()
        await client.chat("a:1b", keep_alive=0)
        await blocked

    models = FakeModel("a:1b", text=LONG, blob="a" * 64), FakeModel("b:1b")
    play(scene, *models, max_loaded=1, num_parallel=2)


def test_other_load_options_reload_the_model_and_sampling_options_do_not() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        for options in (
            {},
            {"temperature": 0.1, "seed": 3},
            {"num_ctx": 4096},
            {"num_ctx": 2048},
            {"num_gpu": 0},
        ):
            await client.chat("phi3:mini", ASK, options=options)
        assert host.stats.log.count(("reloaded", "phi3:mini")) == 2
        (running,) = (await client.ps()).models
        assert running.size_vram == 0

    play(scene, speed=500)


def test_the_last_keep_alive_wins() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        await client.chat("phi3:mini", keep_alive=-1)
        (forever,) = (await client.ps()).models
        assert forever.expires_at.year == 2318
        await client.chat("phi3:mini", ASK)
        assert (await client.ps()).models[0].expires_at.year == 2318
        await client.chat("phi3:mini", ASK, keep_alive="20ms")
        await host.wait_for(lambda: ("expired", "phi3:mini") in host.stats.log)
        assert await resident(client) == []
        assert (await client.chat("phi3:mini")).done_reason == "load"
        assert (await client.chat("phi3:mini", keep_alive=0)).done_reason == "unload"
        assert await resident(client) == []

    play(scene)


def test_leaving_during_a_load_aborts_it_and_the_next_in_line_starts_over() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        first = asyncio.create_task(streamed(client, "phi3:mini"))
        await host.wait_for(lambda: host.stats.in_state("loading"))
        second = asyncio.create_task(streamed(client, "phi3:mini"))
        await host.wait_for(lambda: host.stats.in_state("pending"))
        first.cancel()
        assert (await second)[-1].done
        assert [what for what, _ in host.stats.log] == [
            "loading",
            "load aborted",
            "loading",
            "loaded",
        ]
        assert [call.was for call in host.stats.cancelled] == ["loading"]

    play(scene, speed=10)


def test_a_model_too_big_for_the_gpu_is_partly_on_the_cpu() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        await client.chat("big:70b")
        (running,) = (await client.ps()).models
        assert 0 < running.size_vram < running.size

    play(scene, FakeModel("big:70b", weights_gib=40))


def test_models_that_decode_together_share_the_gpu() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        rate = host.scheduler.tokens_per_s
        first = host.scheduler.resident[models[0].blob]
        one = await opened(client, "a:1b")
        assert rate(first) == 50
        other = await opened(client, "b:1b")
        assert rate(first) == 25
        await other.aclose()
        await host.wait_for(lambda: rate(first) == 50)
        await one.aclose()

    models = [FakeModel(name, text=LONG, tokens_per_s=50) for name in ("a:1b", "b:1b")]
    play(scene, *models, speed=1, warm=True, share_gpu=True)


def test_the_default_context_follows_the_version_and_the_vram() -> None:
    async def context(version: str, vram_gib: float) -> int | None:
        host = FakeOllama(
            [FakeModel("m:1b", 0.1, 1, max_ctx=10**6)],
            version=version,
            vram_gib=vram_gib,
            speed=500,
        )
        async with host, client_of(host) as client:
            await client.chat("m:1b")
            return (await client.ps()).models[0].context_length

    seen = [
        asyncio.run(context(version, vram))
        for version, vram in ((OLD, 80), (NEW, 21.7), (NEW, 24), (NEW, 80))
    ]
    assert seen == [4096, 4096, 32768, 262144]


# Other doors


def test_it_serves_from_a_thread_to_code_without_a_loop() -> None:
    with FakeOllama.in_thread([dataclasses.replace(PHI, text="Hello.")], speed=100) as host:
        with ollama.Client(host.url, trust_env=False, timeout=5) as client:
            assert client.chat("phi3:mini", ASK).message.content == "Hello."
            host.fault("busy")
            with pytest.raises(ResponseError):
                client.chat("phi3:mini", ASK)
            host.stop()
            with pytest.raises(ConnectionError):
                client.chat("phi3:mini", ASK)
            host.start()
            assert client.chat("phi3:mini", ASK).done
        host.wait_for(lambda: host.stats.connections_open == 0)


def test_it_serves_over_tls(tmp_path: Path) -> None:
    certificate, server = self_signed(tmp_path)

    async def scenario() -> None:
        async with FakeOllama([PHI], speed=100, tls=server) as host:
            trusting = ssl.create_default_context(cafile=certificate)
            async with client_of(host, verify=trusting) as client:
                assert (await streamed(client, "phi3:mini"))[-1].done
                host.fault("drop", frame=2)
                with pytest.raises(httpx.TransportError):
                    await streamed(client, "phi3:mini")
            async with client_of(host) as stranger:
                with pytest.raises(httpx.ConnectError):
                    await streamed(stranger, "phi3:mini")

    asyncio.run(scenario())


def test_two_fakes_never_share_a_port() -> None:
    async def scene(host: FakeOllama, client: ollama.AsyncClient) -> None:
        with pytest.raises(OSError, match="in use"):
            async with FakeOllama(port=host.port):
                pass

    play(scene)


def test_it_is_started_by_hand() -> None:
    command = [
        sys.executable,
        "-m",
        "tests.fake_ollama",
        "--port",
        "0",
        "--speed",
        "100",
        "--fault",
        "4,times=1",
    ]
    root = Path(__file__).parents[1]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().split(" at ")[1].split(",")[0]
            with ollama.Client(url, trust_env=False, timeout=5) as client:
                assert len(client.list().models) == 3
                with pytest.raises(ResponseError, match="server busy"):
                    client.chat("phi3:mini", ASK)
                assert client.chat("phi3:mini", ASK).done
        finally:
            server.terminate()
