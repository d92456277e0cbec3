"""What Ollama said, request by request: heard by the hosts' clients, and told by who stands in for it.

`tests/reference/ollama-0.33.jsonl` was recorded from a real one; `ollama-0.11.jsonl` was written
down from its source. Whoever records a newer one beside them sees here what has changed.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from arena.adapters.engine import Engine
from arena.adapters.hosts import OllamaHost
from arena.adapters.hosts.host import Ended, Host, Request
from arena.adapters.hosts.openai import OpenAIHost
from arena.core.battle.entities import Text, Thought
from arena.core.errors import HostFault
from tests.adapters.test_hosts import model, pool_of, run
from tests.fake_ollama import FakeModel, FakeOllama

REFERENCE = Path(__file__).parents[1] / "reference"
OLD, NEW = "0.11", "0.33"


def _read(version: str) -> dict[str, dict[str, Any]]:
    lines = (REFERENCE / f"ollama-{version}.jsonl").read_text("utf-8").splitlines()
    return {exchange["name"]: exchange for exchange in map(json.loads, lines)}


SAID = {version: _read(version) for version in (OLD, NEW)}


@asynccontextmanager
async def playing(version: str, *names: str) -> AsyncIterator[str]:
    """A server that answers as recorded: by the named exchanges, one after the other, and whatever
    else is asked by the first with its method and path."""
    said, named = SAID[version], list(names)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
        await reader.readexactly(int(length[1]) if length else 0)
        asked = tuple(head.split()[:2])
        first = next(e for e in said.values() if (e["method"], e["path"]) == asked)
        at = named and said[named[0]]
        told = said[named.pop(0)] if at and (at["method"], at["path"]) == asked else first
        writer.write(
            f"HTTP/1.1 {told['status']} Said\r\nContent-Type: {told['type']}\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        # Events end with an empty line.
        end = "\n\n" if "event-stream" in told["type"] else "\n"
        writer.write("".join(line + end for line in told["lines"]).encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def host_of(version: str, *names: str) -> AsyncIterator[Host]:
    openai = any(name.startswith("v1") for name in names)
    async with playing(version, *names) as url:
        host = OpenAIHost(url) if openai else OllamaHost(url)
        try:
            await host.version()
            yield host
        finally:
            await host.close()


# Heard ------------------------------------------------------------------------------------------


def test_a_list_tells_what_models_can_do_and_whose_they_are() -> None:
    async def scene() -> None:
        async with host_of(NEW) as host:
            models = {m.name: m for m in await host.installed()}
            able = {name: m.capabilities for name, m in models.items()}
            assert able["thinktpl:1"] == {"completion", "thinking"}
            assert able["nomic-like:latest"] == {"embedding"} and able["innocent2:8b"] is None
            assert {name for name, m in models.items() if m.remote} == {
                "innocent2:8b",
                "innocent:8b",
            }
            assert {name for name, m in models.items() if m.barred} == {
                "innocent2:8b",
                "innocent:8b",
            }
            phi = models["phi3:mini"]
            assert (phi.context_length, phi.quantization, phi.families) == (
                8192,
                "Q4_1",
                ("llama",),
            )
        async with host_of(OLD) as host:
            (phi,) = await host.installed()
            assert (phi.capabilities, phi.context_length, phi.families) == (None, 0, ("phi3",))

    run(scene)


def test_what_is_loaded_and_what_one_model_is_are_read() -> None:
    async def scene() -> None:
        async with host_of(NEW, "ps, one loaded", "show thinktpl:1") as host:
            assert [
                (m.name, m.size_vram, m.context_length) for m in await host.resident() or ()
            ] == [("phi3:mini", 0, 4096)]
            shown = await host.show("thinktpl:1")
            assert shown.capabilities == {"completion", "thinking"} and shown.template
            marks = shown.marks or frozenset()
            assert {"<|im_start|>", "<|im_end|>", "<think>"} <= marks and "USER:" not in marks
            assert shown.weights.startswith("b179c952") and shown.context_length == 8192
            assert (shown.families, shown.parameter_size) == (("llama", "llama"), "134.52M")
        async with host_of(NEW, "show innocent2:8b") as host:
            with pytest.raises(HostFault, match="cloud is disabled") as told:
                await host.show("innocent2:8b")
            assert told.value.kind == "forbidden"

    run(scene)


async def asked(host: Host, body: Mapping[str, Any], **more: Any) -> list[Any]:
    think = {False: "off", True: "on", None: ""}.get(body.get("think"), body.get("think"))
    request = Request(body["model"], body["messages"], body.get("options", {}), think, **more)
    return [piece async for pieces in host.chat(request) for piece in pieces]


@pytest.mark.parametrize(
    ("version", "name", "text", "thought", "ended"),
    [
        (NEW, "chat stream", "There are", "", ("length", 24, 24)),
        (NEW, "chat cut by length", "The story", "", ("length", 25, 5)),
        (NEW, "thinker:latest think=False", "", "", ("stop", 38, 1)),
        (NEW, "thinktpl:1 think=False", "1.", "", ("stop", 13, 11)),
        (NEW, "thinktpl:1 think=True", "", "In Java", ("length", 17, 24)),
        (NEW, "thinktpl:1 think=low", "", "In Java", ("length", 17, 24)),
        (NEW, "unknown option", "There are", "", ("length", 24, 3)),
        (NEW, "bad role", "The task", "", ("length", 22, 3)),
        (NEW, "logprobs", "There", "", ("length", 24, 3)),
        (NEW, "v1 chat stream", "Two colours", "", ("length", 24, 8)),
        (OLD, "chat stream", "Red", "", ("stop", 24, 2)),
    ],
)
def test_a_stream_is_heard_as_it_was_meant(
    version: str, name: str, text: str, thought: str, ended: tuple[str, int, int]
) -> None:
    async def scene() -> None:
        async with host_of(version, name) as host:
            *pieces, last = await asked(host, SAID[version][name]["body"])
            assert "".join(p.text for p in pieces if isinstance(p, Text)) == text
            assert "".join(p.text for p in pieces if isinstance(p, Thought)) == thought
            assert isinstance(last, Ended)
            assert (last.done_reason, last.prompt_tokens, last.output_tokens) == ended
            assert (last.tokens_per_s or 0) > 1 or name.startswith("v1")

    run(scene)


@pytest.mark.parametrize(
    ("version", "names", "kind"),
    [
        (NEW, ["think true without the capability"], "refused"),
        (NEW, ["think level without the capability"], "refused"),
        (NEW, ["think nonsense"], "refused"),
        (NEW, ["prompt beyond the context, truncate false"], "too long"),
        (NEW, ["unknown model"], "missing"),
        (NEW, ["bad option"], "failed"),
        (NEW, ["image for a model that sees nothing"], "refused"),
        (NEW, ["remote model asked to chat"], "forbidden"),
        (OLD, ["unknown model"], "missing"),
        (OLD, ["think true without the capability"], "refused"),
        (OLD, ["runner gone before the first frame"], "crashed"),
        # The sample that is counted first tells how long all of it is.
        (OLD, ["chat whole", "prompt beyond the context"], "too long"),
    ],
)
def test_a_refusal_is_a_fault_of_its_kind(version: str, names: list[str], kind: str) -> None:
    async def scene() -> None:
        async with host_of(version, *names) as host:
            body = dict(SAID[version][names[-1]]["body"])
            if len(names) > 1:
                body["messages"] = [{"role": "user", "content": "colours " * 62}]
            with pytest.raises(HostFault) as told:
                await asked(host, body)
            assert told.value.kind == kind

    run(scene)


def test_loading_and_unloading_are_understood() -> None:
    async def scene() -> None:
        async with host_of(NEW, "load") as host:
            await host.preload("phi3:mini", {})
        async with host_of(NEW, "unload") as host:
            await host.unload("phi3:mini")

    run(scene)


def test_the_list_of_its_openai_face_is_read() -> None:
    async def scene() -> None:
        async with host_of(NEW, "v1 models", "v1 models") as host:
            names = [m.name for m in await host.installed()]
            assert names == ["thinktpl:1", "phi3:mini", "llama3.1:8b"]

    run(scene)


def test_a_remote_model_takes_no_part_where_the_host_lets_nothing_out() -> None:
    remote = model("far:8b", remote="https://elsewhere.example")

    async def scene() -> None:
        names = ["a:1", "far:8b"]
        async with FakeOllama([model("a:1"), remote], warm=["a:1"], cloud=False) as host:
            async with pool_of(host, names=names, remote=["far:8b"], warm=False) as pool:
                assert [c.name for c in pool.contenders()] == ["a:1"]
                assert any("OLLAMA_NO_CLOUD" in p and "far:8b" in p for p in pool.problems)

    run(scene)


# Told by who stands in for it -------------------------------------------------------------------

LISTINGS = ["version", "status", "tags", "show thinktpl:1", "show innocent2:8b", "ps, one loaded"]
TALK = [
    "load",
    "chat stream",
    "chat whole",
    "think true without the capability",
    "think level without the capability",
    "think nonsense",
    "prompt beyond the context, truncate false",
    "unknown model",
    "no model",
    "not JSON",
    "bad option",
    "unknown option",
    "image for a model that sees nothing",
    "unload",
]
WRONG = ["wrong method", "wrong path"]
THOUGHT = ["thinktpl:1 think=False", "thinktpl:1 think=True", "thinktpl:1 think=low"]


def shape(text: str) -> Any:
    """Which fields there are, and of which kind; the words of an error but for its numbers."""

    def kind(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: v if k == "error" else kind(v) for k, v in sorted(value.items())}
        if isinstance(value, list):
            return [kind(value[-1])] if value else []
        return "number" if isinstance(value, int | float) else type(value).__name__

    try:
        shaped = kind(json.loads(text))
    except ValueError:
        return text
    error = shaped.get("error")
    return {"error": re.sub(r"\d+", "#", error)} if error else shaped


def same(url: str, name: str, instead: Mapping[str, str]) -> None:
    """The server answers the recorded request with the recorded status and shape. instead: names
    of its own for the models that were asked."""
    exchange = SAID[NEW][name]
    body, recorded = json.dumps(exchange["body"]), "\n".join(exchange["lines"])
    body = body.replace("500 times a Thai phrase", "ข้อความภาษาไทยยาวมาก" * 900)
    for theirs, ours in instead.items():
        body, recorded = body.replace(theirs, ours), recorded.replace(theirs, ours)
    content = b"" if exchange["body"] is None else body.encode()
    reply = httpx.request(
        exchange["method"], f"{url}{exchange['path']}", content=content, trust_env=False, timeout=60
    )
    assert reply.status_code == exchange["status"], reply.text
    lines, told = recorded.split("\n"), reply.text.strip().split("\n")
    assert shape(told[0]) == shape(lines[0])
    assert shape(told[-1]) == shape(lines[-1])


@pytest.fixture(scope="module")
def fake() -> Any:
    models = [
        FakeModel("llama3.1:8b"),
        FakeModel("innocent2:8b", remote="http://elsewhere.example"),
        FakeModel("thinktpl:1", thinking="hmm " * 60, ttft_s=0.01, licence=""),
        FakeModel("phi3:mini", tokens_per_character=1.9, ttft_s=0.01, text="word " * 40),
    ]
    with FakeOllama.in_thread(models, cloud=False, speed=100, warm=["phi3:mini"]) as host:
        yield host


@pytest.mark.parametrize("name", LISTINGS + TALK + THOUGHT + WRONG)
def test_the_fake_host_answers_as_ollama_did(fake: Any, name: str) -> None:
    same(fake.url, name, {})


@pytest.mark.parametrize("name", ["version", "tags", *TALK])
def test_the_embedded_engine_answers_as_ollama_did(engine: Engine, name: str) -> None:
    same(engine.url, name, {"phi3:mini": "smollm2:135m"})
