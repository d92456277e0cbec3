"""The embedded engine as its users meet it: over the wire, as a process, and when they leave."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import ollama
import pytest

from arena.adapters.engine import Engine, LocalModel
from arena.core.errors import EngineFault
from tests.engine_fixtures import LlamaServer

MODEL = "smollm2:135m"
STORY = [{"role": "user", "content": "Write a long story about a fox."}]
SUM = [
    {"role": "system", "content": "You are good at arithmetic."},
    {"role": "user", "content": "What is 5 + 7? Answer with the number."},
]
ROOT = Path(__file__).resolve().parents[2]


@asynccontextmanager
async def client_of(engine: Engine) -> AsyncIterator[ollama.AsyncClient]:
    client = ollama.AsyncClient(engine.url, trust_env=False, timeout=60)
    try:
        yield client
    finally:
        await client.close()


def post(engine: Engine, path: str, body: object, **headers: str) -> httpx.Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(
        f"{engine.url}{path}", content=data, headers=headers, trust_env=False, timeout=60
    )


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


def talk(engine: Engine, play: Callable[[ollama.AsyncClient], Awaitable[Any]]) -> Any:
    """Run one conversation with the official client."""

    async def run() -> Any:
        async with client_of(engine) as client:
            return await play(client)

    return asyncio.run(run())


# What there is --------------------------------------------------------------------------------


def test_it_says_what_it_is(engine: Engine) -> None:
    assert httpx.get(engine.url, trust_env=False).text == "Ollama is running"
    assert httpx.head(engine.url, trust_env=False).status_code == 200
    assert httpx.head(f"{engine.url}/api/tags", trust_env=False).status_code == 200
    version = httpx.get(f"{engine.url}/api/version", trust_env=False).json()["version"]
    assert re.fullmatch(r"0\.33\.\d+\+xllamacpp\.[\d.]+", version), "it is not taken for Ollama"
    assert httpx.get(f"{engine.url}/nowhere", trust_env=False).status_code == 404
    assert httpx.get(f"{engine.url}/api/chat", trust_env=False).status_code == 405


def test_list_names_the_model_as_ollama_would(engine: Engine, engine_weights: LocalModel) -> None:
    (model,) = talk(engine, lambda client: client.list()).models
    assert model.model == MODEL
    assert model.digest == engine_weights.sha256
    assert model.size == engine_weights.path.stat().st_size
    assert (model.details.format, model.details.family) == ("gguf", "llama")
    assert (model.details.parameter_size, model.details.quantization_level) == ("134.52M", "Q4_1")


@pytest.mark.parametrize("name", [MODEL, "SmolLM2:135M", " smollm2:135m"])
def test_show_finds_the_model_whatever_the_case(engine: Engine, name: str) -> None:
    shown = talk(engine, lambda client: client.show(name))
    assert shown.capabilities == ["completion"]
    assert shown.modelinfo["llama.context_length"] == 8192
    assert shown.license == "apache-2.0"
    assert "<|im_start|>" in shown.template


def test_preload_and_unload_show_in_ps(engine: Engine) -> None:
    async def play(client: ollama.AsyncClient) -> None:
        loaded = await client.chat(MODEL)
        assert (loaded.done, loaded.done_reason) == (True, "load")
        (running,) = (await client.ps()).models
        assert (running.name, running.context_length, running.size_vram) == (MODEL, 4096, 0)
        assert running.expires_at is not None
        assert running.expires_at.year > 2300
        unloaded = await client.generate(MODEL, keep_alive=0)
        assert unloaded.done_reason == "unload"
        await until_async(client.ps, lambda listed: not listed.models)

    talk(engine, play)


async def until_async(
    ask: Callable[[], Awaitable[Any]], good: Callable[[Any], bool], seconds: float = 20
) -> None:
    deadline = time.monotonic() + seconds
    while not good(await ask()):
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


@pytest.mark.slow
def test_keep_alive_of_nothing_unloads_after_the_reply(engine: Engine) -> None:
    async def play(client: ollama.AsyncClient) -> None:
        reply = await client.chat(MODEL, SUM, options={"num_predict": 2}, keep_alive=0)
        assert reply.eval_count == 2
        await until_async(client.ps, lambda listed: not listed.models)
        await client.chat(MODEL)

    talk(engine, play)


# Answers --------------------------------------------------------------------------------------


def test_chat_streams_pieces_and_ends_with_metrics(engine: Engine) -> None:
    async def play(client: ollama.AsyncClient) -> list[ollama.ChatResponse]:
        options = {"seed": 1, "num_predict": 24}
        return [
            part async for part in await client.chat(MODEL, STORY, stream=True, options=options)
        ]

    *pieces, last = talk(engine, play)
    assert len(pieces) > 10
    assert all(
        not piece.done and piece.message.content and piece.done_reason is None for piece in pieces
    )
    assert all(piece.eval_count is None for piece in pieces)
    assert (last.done, last.done_reason, last.message.content, last.eval_count) == (
        True,
        "length",
        "",
        24,
    )
    assert last.prompt_eval_count > 10
    assert last.total_duration >= last.prompt_eval_duration + last.eval_duration > 0


@pytest.mark.slow
def test_same_seed_gives_the_same_text_streamed_or_not(engine: Engine) -> None:
    async def play(client: ollama.AsyncClient) -> None:
        options = {"seed": 7, "num_predict": 30, "temperature": 1.0}
        await client.chat(MODEL, STORY, options=options)
        whole = await client.chat(MODEL, STORY, options=options)
        pieces = [
            part async for part in await client.chat(MODEL, STORY, options=options, stream=True)
        ]
        assert "".join(piece.message.content or "" for piece in pieces) == whole.message.content
        other = await client.chat(MODEL, STORY, options=options | {"seed": 8})
        assert other.message.content != whole.message.content

    talk(engine, play)


def test_greedy_chat_answers_sensibly_and_stops_by_itself(engine: Engine) -> None:
    reply = talk(engine, lambda client: client.chat(MODEL, SUM, options={"temperature": 0}))
    assert "12" in reply.message.content
    assert reply.done_reason == "stop"


@pytest.mark.slow
def test_stop_words_end_the_reply_and_are_not_in_it(engine: Engine) -> None:
    counting = [{"role": "user", "content": "Count: one, two, three, four, five."}]
    options = {"temperature": 0, "num_predict": 60}
    free = talk(
        engine, lambda client: client.chat(MODEL, counting, options=options)
    ).message.content
    word = free.split()[3]
    stopped = talk(
        engine, lambda client: client.chat(MODEL, counting, options=options | {"stop": [word]})
    )
    assert stopped.message.content == free[: free.index(word)]
    assert stopped.done_reason == "stop"


def test_format_json_gives_json(engine: Engine) -> None:
    schema = {"type": "object", "properties": {"sum": {"type": "integer"}}, "required": ["sum"]}
    reply = talk(
        engine, lambda client: client.chat(MODEL, SUM, format=schema, options={"temperature": 0})
    )
    assert isinstance(json.loads(reply.message.content)["sum"], int)


@pytest.mark.slow
def test_reply_without_a_limit_is_capped(engine_weights: LocalModel) -> None:
    engine = Engine([engine_weights], limits={"max_tokens": 12})

    async def play() -> ollama.ChatResponse:
        await engine.start()
        try:
            async with client_of(engine) as client:
                return await client.chat(MODEL, STORY)
        finally:
            await engine.stop()

    reply = asyncio.run(play())
    assert (reply.eval_count, reply.done_reason) == (12, "length")


@pytest.mark.slow
def test_what_a_thinking_model_thinks_is_no_part_of_its_content(
    thinking_weights: LocalModel,
) -> None:
    engine = Engine([thinking_weights])
    name, options = thinking_weights.name, {"num_predict": 6, "temperature": 0}

    async def play() -> None:
        await engine.start()
        try:
            async with client_of(engine) as client:
                assert (await client.show(name)).capabilities == ["completion", "thinking"]
                for think in (None, True, "low"):
                    reply = await client.chat(name, SUM, think=think, options=options)
                    assert reply.message.thinking and not reply.message.content
                    assert (reply.eval_count, reply.done_reason) == (6, "length")
                parts = [
                    part
                    async for part in await client.chat(name, SUM, stream=True, options=options)
                ]
                assert all(part.message.thinking for part in parts[:-1])
                reply = await client.chat(name, SUM, think=False, options=options)
                assert reply.message.content and not reply.message.thinking
        finally:
            await engine.stop()

    asyncio.run(play())


def test_frames_are_lines_of_escaped_json_and_nothing_is_sent_before_the_first(
    engine: Engine,
) -> None:
    body = {"model": "SMOLLM2:135m", "messages": STORY, "options": {"num_predict": 3}}
    reply = post(engine, "/api/chat", body)
    assert reply.headers["content-type"] == "application/x-ndjson"
    assert "content-length" not in reply.headers
    frames = [json.loads(line) for line in reply.content.split(b"\n")[:-1]]
    assert {frame["model"] for frame in frames} == {"SMOLLM2:135m"}
    assert all(
        frame["created_at"].endswith("Z") and len(frame["created_at"]) == 30 for frame in frames
    )
    assert [frame["done"] for frame in frames] == [False] * (len(frames) - 1) + [True]


# Refusals -------------------------------------------------------------------------------------

USER = {"model": MODEL, "messages": STORY}


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        ("/api/chat", b"", 400, "missing request body"),
        ("/api/chat", b"{", 400, "invalid request body"),
        ("/api/chat", [], 400, "unmarshal"),
        ("/api/chat", {"messages": STORY}, 400, "model is required"),
        ("/api/show", {"model": ""}, 400, "model is required"),
        ("/api/generate", {"prompt": "x"}, 400, "model is required"),
        ("/api/generate", {"model": MODEL, "prompt": "x"}, 400, "/api/chat"),
        ("/api/chat", USER | {"model": "mistral"}, 404, "model 'mistral' not found"),
        ("/api/generate", {"model": "smollm2"}, 404, "model 'smollm2' not found"),
        ("/api/show", {"model": "no"}, 404, "model 'no' not found"),
        ("/api/chat", USER | {"messages": "hello"}, 400, "messages"),
        ("/api/chat", USER | {"messages": [{"role": "user", "content": 1}]}, 400, "content"),
        ("/api/chat", USER | {"messages": ["hello"]}, 400, "messages"),
        (
            "/api/chat",
            USER | {"options": {"temperature": "hot"}},
            500,
            'option "temperature" must be of type float32',
        ),
        (
            "/api/chat",
            USER | {"options": {"seed": True}},
            500,
            'option "seed" must be of type integer',
        ),
        (
            "/api/chat",
            USER | {"options": {"stop": "x"}},
            500,
            'option "stop" must be of type array',
        ),
        ("/api/chat", USER | {"think": True}, 400, f'"{MODEL}" does not support thinking'),
        ("/api/chat", USER | {"think": "much"}, 400, "invalid think value"),
        ("/api/chat", USER | {"tools": [{"type": "function"}]}, 400, "does not support tools"),
        ("/api/chat", USER | {"messages": [STORY[0] | {"images": ["AA=="]}]}, 400, "multimodal"),
        (
            "/api/chat",
            USER | {"messages": [{"role": "user", "content": "word " * 9000}]},
            400,
            "exceed_context_size_error",
        ),
    ],
)
def test_refusals_have_ollamas_status_and_text(
    engine: Engine, path: str, body: object, status: int, text: str
) -> None:
    reply = post(engine, path, body)
    assert reply.status_code == status
    assert text in reply.json()["error"]


def test_refusals_reach_the_client_as_response_errors(engine: Engine) -> None:
    async def play(client: ollama.AsyncClient) -> None:
        with pytest.raises(ollama.ResponseError, match="not found") as whole:
            await client.chat("absent", STORY)
        assert whole.value.status_code == 404
        with pytest.raises(ollama.ResponseError, match="not found") as streamed:
            async for _ in await client.chat("absent", STORY, stream=True):
                pass
        assert streamed.value.status_code == 404

    talk(engine, play)


def test_unusual_but_legal_requests_are_answered(engine: Engine) -> None:
    odd = {
        "seed": 10**400,
        "top_k": 1e300,
        "num_predict": 2,
        "unknown": 1,
        "num_ctx": 8192,
        "min_p": None,
    }
    body = USER | {"options": odd, "think": False, "stream": False, "format": None}
    body["messages"] = [{"role": "USER", "content": "half a pair: \ud800, nothing: \x00"}]
    assert post(engine, "/api/chat", body).json()["done"] is True


def test_web_pages_of_other_origins_are_refused(engine: Engine) -> None:
    assert post(engine, "/api/chat", USER, origin="https://example.org").status_code == 403
    assert post(engine, "/api/show", {"model": MODEL}, host="example.org").status_code == 403
    assert (
        post(engine, "/api/show", {"model": MODEL}, origin="http://localhost:7860").status_code
        == 200
    )


# Slots, the queue and closed connections ------------------------------------------------------

# At temperature 0 and without a penalty this model counts in a circle and never stops.
ENDLESS = {"num_predict": 3500, "temperature": 0, "repeat_penalty": 1.0}
LONG = [{"role": "user", "content": "Write down numbers from one to a thousand, each in words."}]
SHORT = {"num_predict": 3}


@asynccontextmanager
async def writing(client: ollama.AsyncClient, count: int) -> AsyncIterator[list[Any]]:
    """`count` replies, each of which has begun; closed at the end."""
    streams = [await client.chat(MODEL, LONG, stream=True, options=ENDLESS) for _ in range(count)]
    try:
        await asyncio.wait_for(asyncio.gather(*(anext(stream) for stream in streams)), 60)
        yield streams
    finally:
        for stream in streams:
            await stream.aclose()


async def go_on(streams: list[Any]) -> None:
    """Each of them writes more than a short reply."""
    for stream in streams:
        for _ in range(3 * SHORT["num_predict"]):
            assert not (await asyncio.wait_for(anext(stream), 60)).done


@pytest.mark.slow
def test_three_write_at_once_and_the_fourth_waits_for_a_slot(engine: Engine) -> None:
    async def play(client: ollama.AsyncClient) -> None:
        async with writing(client, 3) as streams:
            fourth = asyncio.create_task(client.chat(MODEL, SUM, options=SHORT))
            await go_on(streams)
            assert not fourth.done()
        reply = await asyncio.wait_for(fourth, 60)
        assert (reply.done, reply.eval_count) == (True, 3)

    talk(engine, play)


@pytest.mark.slow
@pytest.mark.parametrize("streamed", [True, False])
def test_who_leaves_gives_the_slot_to_the_next(engine: Engine, streamed: bool) -> None:
    async def leaver(client: ollama.AsyncClient) -> None:
        if streamed:
            async for _ in await client.chat(MODEL, LONG, stream=True, options=ENDLESS):
                pass
        await client.chat(MODEL, LONG, options=ENDLESS)

    async def play(client: ollama.AsyncClient) -> None:
        leaving = asyncio.create_task(leaver(client))
        async with writing(client, 2) as streams:
            next_one = asyncio.create_task(client.chat(MODEL, SUM, options=SHORT))
            await go_on(streams)
            assert not next_one.done(), "all slots are taken"
            leaving.cancel()
            await asyncio.wait_for(next_one, 60)
            await go_on(streams)
        await asyncio.gather(leaving, return_exceptions=True)

    talk(engine, play)


@pytest.mark.slow
def test_full_queue_is_refused_and_who_leaves_it_makes_room(engine_weights: LocalModel) -> None:
    engine = Engine([engine_weights], limits={"slots": 1, "max_pending": 1})

    async def refusal(client: ollama.AsyncClient) -> ollama.ResponseError | None:
        """What one more request is told; None for one that may wait, and then leaves."""
        try:
            await asyncio.wait_for(client.chat(MODEL, SUM), 1)
        except ollama.ResponseError as refused:
            return refused
        except TimeoutError:
            return None
        raise AssertionError("it was answered though the only slot is taken")

    async def play() -> None:
        await engine.start()
        try:
            async with client_of(engine) as client, writing(client, 1):
                assert await refusal(client) is None
                # Until it is noticed that the former left, the next one is refused.
                waiting = asyncio.create_task(client.chat(MODEL, SUM))
                while (await asyncio.wait([waiting], timeout=1))[0]:
                    assert isinstance(waiting.exception(), ollama.ResponseError)
                    waiting = asyncio.create_task(client.chat(MODEL, SUM))
                while (refused := await refusal(client)) is None:
                    pass
                assert "maximum pending requests exceeded" in refused.error
                assert refused.status_code == 503
                assert not waiting.done()
                waiting.cancel()
                while await refusal(client) is not None:
                    pass
        finally:
            await engine.stop()

    asyncio.run(play())


@pytest.mark.slow
def test_leaving_while_the_prompt_is_read_stops_soon(engine_weights: LocalModel) -> None:
    engine = Engine([engine_weights], limits={"slots": 1, "context": 8192})
    tokens = 7500
    prompt = [{"role": "user", "content": "fox " * tokens}]

    async def play() -> None:
        await engine.start()
        try:
            async with client_of(engine) as client:
                await client.chat(MODEL)
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(client.chat(MODEL, prompt), 0.5)
                left = time.monotonic()
                reply = await client.chat(MODEL, LONG, options={"num_predict": 1})
                waited = time.monotonic() - left
        finally:
            await engine.stop()
        a_token_s = reply.prompt_eval_duration / reply.prompt_eval_count / 1e9
        assert waited < tokens * a_token_s / 2

    asyncio.run(play())


# Several models -------------------------------------------------------------------------------


@pytest.mark.slow
def test_models_are_loaded_side_by_side_and_the_engine_answers_meanwhile(
    engine_weights: LocalModel, tmp_path: Path
) -> None:
    copies = [
        LocalModel(f"{name}:1", shutil.copy(engine_weights.path, tmp_path / name), "0" * 64)
        for name in ("other", "idle")
    ]
    same = replace(engine_weights, name="same:1")
    engine = Engine([engine_weights, same, *copies])
    both = {MODEL, "same:1"}

    async def play() -> None:
        await engine.start()
        try:
            async with client_of(engine) as client:
                loading = asyncio.create_task(client.chat(MODEL))
                assert len((await client.list()).models) == 4
                assert not loading.done()
                await loading
                replies = await asyncio.gather(
                    *(client.chat(name, SUM, options=SHORT) for name in (MODEL, "other:1"))
                )
                assert [reply.eval_count for reply in replies] == [3, 3]
                assert {model.name for model in (await client.ps()).models} == both | {"other:1"}
                await client.chat("other:1", keep_alive=0)
                assert {model.name for model in (await client.ps()).models} == both
        finally:
            await engine.stop()

    asyncio.run(play())


@pytest.mark.slow
def test_model_that_cannot_be_loaded_is_an_error_and_the_engine_lives_on(
    engine_weights: LocalModel, tmp_path: Path
) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(engine_weights.path.read_bytes()[:20_000_000])
    engine = Engine([LocalModel("cut", cut, "0" * 64), engine_weights])

    async def play() -> None:
        await engine.start()
        try:
            async with client_of(engine) as client:
                with pytest.raises(
                    ollama.ResponseError, match=r"cut\.gguf could not be loaded"
                ) as failed:
                    await client.chat("cut", SUM)
                assert failed.value.status_code == 500
                assert (await client.chat(MODEL, SUM, options=SHORT)).done
        finally:
            await engine.stop()

    asyncio.run(play())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
def test_model_whose_process_dies_is_said_and_loaded_again(engine_weights: LocalModel) -> None:
    engine = Engine([engine_weights])

    async def play() -> None:
        await engine.start()
        try:
            async with client_of(engine) as client:
                others = children(os.getpid())
                async with writing(client, 1) as (stream,):
                    (runner,) = children(os.getpid()) - others
                    os.kill(runner, signal.SIGKILL)
                    with pytest.raises(ollama.ResponseError, match="unexpected"):
                        [frame async for frame in stream]
                assert (await client.chat(MODEL, SUM, options=SHORT)).done
        finally:
            await engine.stop()

    asyncio.run(play())


# The process ----------------------------------------------------------------------------------


def exists(pid: int) -> bool:
    """Whether the process lives; one that has ended and was not yet collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def children(pid: int) -> set[int]:
    return {
        int(folder.name)
        for folder in Path("/proc").glob("[0-9]*")
        if exists(int(folder.name))
        and (folder / "stat").read_text().rsplit(")", 1)[1].split()[1] == str(pid)
    }


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
@pytest.mark.parametrize("loaded", [False, True])
def test_it_stops_at_once_also_while_it_loads(engine_weights: LocalModel, loaded: bool) -> None:
    engine = Engine([engine_weights])
    others = children(os.getpid())

    async def play() -> float:
        assert await engine.start() == await engine.start() == engine.url
        async with client_of(engine) as client:
            loading = asyncio.create_task(client.chat(MODEL))
            await until(lambda: bool(children(os.getpid()) - others))
            if loaded:
                await loading
            begun = time.monotonic()
            await engine.stop()
            took = time.monotonic() - begun
            await asyncio.gather(loading, return_exceptions=True)
            return took

    assert asyncio.run(play()) < 5
    assert children(os.getpid()) == others
    with pytest.raises(EngineFault, match="not been started"):
        _ = engine.url
    asyncio.run(engine.start())
    asyncio.run(engine.stop())


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals of POSIX")
@pytest.mark.parametrize(
    ("library", "said"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "AVX2"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "memory"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGABRT)", "SIGABRT"),
        ("import os; os.write(2, b'dear me'); os._exit(3)", "exit status 3, saying: dear me"),
        ("raise ImportError('libgomp.so.1: cannot open shared object file')", "libgomp1"),
        ("raise ImportError('symbol not found')", "cannot be loaded on this system"),
        ("import no_such_module", "pip install -r requirements.txt"),
    ],
)
def test_what_keeps_the_engine_from_starting_is_said_in_words(
    engine_weights: LocalModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    library: str,
    said: str,
) -> None:
    (tmp_path / "xllamacpp.py").write_text(library)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    engine = Engine([engine_weights])
    with pytest.raises(EngineFault, match="OLLAMA_HOST") as fault:
        asyncio.run(engine.start())
    assert said in str(fault.value)


def test_file_that_is_no_model_is_said_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(b"GGUF\x03\x00\x00")
    engine = Engine([LocalModel("bad", path, "0" * 64)])
    with pytest.raises(EngineFault, match=r"bad\.gguf"):
        asyncio.run(engine.start())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
def test_models_die_with_the_app(engine_weights: LocalModel) -> None:
    program = (
        "import asyncio, time; from pathlib import *\n"
        "import ollama\n"
        "from arena.adapters.engine import Engine, LocalModel\n"
        f"engine = Engine([{engine_weights!r}])\n"
        "asyncio.run(engine.start())\n"
        f"ollama.Client(engine.url, trust_env=False).chat({MODEL!r})\n"
        "print('loaded', flush=True)\n"
        "time.sleep(60)\n"
    )
    app = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert app.stdout is not None
    with app.stdout as printed:
        assert printed.readline() == "loaded\n"
        (runner,) = children(app.pid)
        app.kill()
        app.wait()
        asyncio.run(until(lambda: not exists(runner), 30))


def test_engine_outlives_the_thread_that_started_it(engine_weights: LocalModel) -> None:
    engine = Engine([engine_weights])

    async def play() -> None:
        await asyncio.to_thread(lambda: asyncio.run(engine.start()))

    asyncio.run(play())  # the pool's threads end with the loop
    try:
        assert httpx.get(f"{engine.url}/api/version", trust_env=False).status_code == 200
    finally:
        asyncio.run(engine.stop())


# llama.cpp's server alone ---------------------------------------------------------------------


def test_the_server_inside_answers_only_with_its_key(llama_server: LlamaServer) -> None:
    body = {"messages": SUM, "max_tokens": 2}
    asked = f"{llama_server.url}/v1/chat/completions"
    assert httpx.post(asked, json=body, trust_env=False).status_code == 401
    headers = {"Authorization": f"Bearer {llama_server.key}"}
    reply = httpx.post(asked, json=body, headers=headers, trust_env=False, timeout=60).json()
    assert reply["usage"]["completion_tokens"] == 2
    slots = httpx.get(f"{llama_server.url}/slots", headers=headers, trust_env=False).json()
    assert [slot["is_processing"] for slot in slots] == [False] * 3
