"""What the engine's face costs: its replies beside those of llama.cpp's own server within it, one
after the other in one run; and three at once, beside an Ollama on the same machine.

All are read by the same few lines, so that no client is measured. It does not know how the engine
came about, nor how figures are drawn.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import httpx

from arena.bench import Figure, Told
from arena.bench.launched import NotStarted

LEAST, TIMES = 0.95, 4.0
AT_ONCE = 3
PROMPT = "Tell a long story about a lighthouse."


@dataclass(frozen=True, slots=True)
class Server:
    """key: of llama.cpp's own server, whose way of speaking is another."""

    url: str
    models: tuple[str, ...]
    key: str = ""


async def offered(url: str) -> Server:
    """A host of Ollama's kind with the models that can chat."""
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        tags = (await http.get(f"{url}/api/tags")).json()["models"]
    names = [tag["name"] for tag in tags if "completion" in tag.get("capabilities", ["completion"])]
    if not names:
        raise NotStarted(f"{url} has no model that can chat.")
    return Server(url, tuple(sorted(names)))


async def measured(
    engine: Server, bare: Server, other: Server | None, tokens: int, repeat: int, told: Told
) -> list[Figure]:
    """bare: the server of the engine's first model. other: an Ollama, if there is one to compare."""
    single: dict[str, list[float]] = {bare.url: [], engine.url: []}
    for turn in range(repeat):
        told("One reply at a time", turn / repeat / 2)
        # Each comes first as often as last: a machine that gets slower meanwhile does so to both.
        for each in (bare, engine) if turn % 2 else (engine, bare):
            single[each.url].append(await _together(each, 1, tokens))
    ratio = median(a / b for a, b in zip(single[engine.url], single[bare.url], strict=True))
    figures = [
        Figure("one reply, llama.cpp's own server", median(single[bare.url]), "tokens/s"),
        Figure("one reply, the engine", median(single[engine.url]), "tokens/s"),
        Figure("the engine against that server", ratio, "×", least=LEAST),
    ]
    hosts = [engine, *([other] if other else [])]
    three: dict[str, list[float]] = {host.url: [] for host in hosts}
    for turn in range(repeat):
        told(f"{AT_ONCE} at once", 0.5 + turn / repeat / 2)
        for host in hosts[:: 1 if turn % 2 else -1]:
            three[host.url].append(await _together(host, AT_ONCE, tokens))
    figures.append(Figure(f"{AT_ONCE} at once, the engine", median(three[engine.url]), "tokens/s"))
    if other:
        times = median(a / b for a, b in zip(three[engine.url], three[other.url], strict=True))
        figures += [
            Figure(f"{AT_ONCE} at once, {other.url}", median(three[other.url]), "tokens/s"),
            Figure("the engine against that host", times, "×", least=TIMES),
        ]
    return figures


async def warm(server: Server) -> None:
    """Whatever is asked of it later is loaded, and its prompt was read."""
    await _together(server, AT_ONCE, 1)


async def _together(server: Server, many: int, tokens: int) -> float:
    """Tokens/s of so many replies at once, all together: each of another model if there are."""
    begun = time.monotonic()
    models = [server.models[n % len(server.models)] for n in range(many)]
    written = await asyncio.gather(*(_reply(server, model, tokens) for model in models))
    return sum(written) / (time.monotonic() - begun)


async def _reply(server: Server, model: str, tokens: int) -> int:
    """How many tokens it has."""
    said: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": PROMPT}]}
    if server.key:
        path = "/v1/chat/completions"
        said |= {"stream": True, "stream_options": {"include_usage": True}}
        said |= {"max_tokens": tokens, "temperature": 0}
    else:
        path = "/api/chat"
        said |= {"options": {"num_predict": tokens, "temperature": 0}}
    lines = await _lines(server, path, json.dumps(said).encode())
    if server.key:
        usage = next((line for line in reversed(lines) if b'"usage":{' in line), None)
        told = json.loads(usage[6:])["usage"]["completion_tokens"] if usage else 0
    else:
        told = json.loads(lines[-1]).get("eval_count", 0) if lines else 0
    if not told:
        raise NotStarted(f"{server.url} did not reply: {b''.join(lines[-1:])[:200]!r}")
    return int(told)


async def _lines(server: Server, path: str, body: bytes) -> Sequence[bytes]:
    address = urlsplit(server.url)
    head = (
        f"POST {path} HTTP/1.0\r\nHost: {address.netloc}\r\nAuthorization: Bearer {server.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write(head.encode() + body)
        return [line async for line in reader if line.startswith((b"data: {", b"{"))]
    finally:
        writer.close()
