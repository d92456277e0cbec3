"""What the engine's face costs: its replies beside those of llama.cpp's own server within it, one
after the other in one run; and those beside an Ollama's on the same machine, one and three at once.

All are read by the same few lines, so that no client is measured. It does not know how the engine
came about, nor how figures are drawn.
"""

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
    ollama = [other] if other else []
    names = {engine.url: "the engine", bare.url: "llama.cpp's own server"}
    parts = (
        ("one reply", 1, [bare, *ollama], LEAST),
        (f"{AT_ONCE} at once", AT_ONCE, ollama, TIMES),
    )
    figures: list[Figure] = []
    for part, (what, many, rivals, least) in enumerate(parts):
        hosts = [engine, *rivals]
        speeds: dict[str, list[float]] = {host.url: [] for host in hosts}
        for turn in range(repeat):
            told(what, (part + turn / repeat) / 2)
            # Each comes first as often as last: a machine that gets slower does so to all.
            for host in hosts[:: 1 if turn % 2 else -1]:
                speeds[host.url].append(await _together(host, many, tokens))
        for url, each in speeds.items():
            name = names.get(url, url)
            figures.append(Figure(f"{what}, {name}", median(each), "tokens/s"))
            if url != engine.url:
                ratio = median(a / b for a, b in zip(speeds[engine.url], each, strict=True))
                figures.append(Figure(f"{what}, the engine against {name}", ratio, "×", least))
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
