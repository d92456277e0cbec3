"""A host that speaks Ollama's frames and writes at a steady rate, in a process of its own:
`python -m arena.bench.steady PORT TOKENS COLD_S RATE…`, a rate in tokens/s for each of its models.
It is cold where COLD_S is not 0: then it never has a model loaded, and loading takes so long.

It tells its address in one line, ends with its standard input, and says itself how late it was.
It knows no memory and no queue: everybody is answered at once.
"""

import asyncio
import heapq
import json
import random
import sys
import time
from bisect import bisect_left
from collections.abc import Iterator
from functools import cache, partial
from http import HTTPStatus
from itertools import accumulate, count
from socket import create_server
from typing import Any, cast

from httptools import HttpRequestParser

from arena.bench.launched import MODELS, fast

DIGESTS = {model: f"{number:064x}" for number, model in enumerate(MODELS, 1)}
STEP_S = 0.002
"""One timer looks so often for what is due."""
LONGEST_MS = 1000
SIZE = 5_000_000_000

PIECES = (
    " the| of| a| to| in| and|ing|er|ed|s|.|,| is| on| it| as|ly| we| at| by| or| so| an| be|al"
    "| old| new| sea| air| one| two| red| day|en|ion| it|fore|ent| sun| light| water| my|est| am"
    "| then| with| that| up|able| more| go| no| he| us|y|n't| if| me| do"
).split("|")
"""Tokens of about 3 characters, so that 40 of them are well below 150 characters."""


@cache
def _written(model: str, tokens: int) -> tuple[str, ...]:
    """The same tokens from each model, in another order, so that all replies are as long."""
    pieces = [PIECES[number % len(PIECES)] for number in range(tokens - 1)]
    random.Random(model).shuffle(pieces)  # noqa: S311 -- no secret
    return tuple(pieces)


def text_of(model: str, mark: str, tokens: int) -> str:
    """What a model answers to a prompt whose last word is the mark."""
    return mark + "".join(_written(model, tokens))


def _chunk(body: dict[str, Any]) -> bytes:
    line = json.dumps(body, separators=(",", ":")).encode() + b"\n"
    return b"%x\r\n%s\r\n" % (len(line), line)


def _frame(model: str, text: str, **more: Any) -> bytes:
    made = {"model": model, "created_at": "2026-03-01T12:00:00.123456789Z"}
    message = {"role": "assistant", "content": text}
    return _chunk({**made, "message": message, "done": False, **more})


@cache
def _chunks(model: str, tokens: int, rate: float) -> tuple[bytes, ...]:
    """All but the first."""
    spent = int(tokens / rate * 1e9)
    ended = {"done": True, "done_reason": "stop", "total_duration": spent, "load_duration": 1}
    told = {"prompt_eval_count": 20, "prompt_eval_duration": 1, "eval_count": tokens}
    last = _frame(model, "", **ended, **told, eval_duration=spent) + b"0\r\n\r\n"
    words = [_frame(model, word) for word in _written(model, tokens)]
    return (*words[:-1], words[-1] + last)


class Host:
    """rates: by model. One heap of what is due, one timer for all of it."""

    def __init__(self, tokens: int, cold_s: float, rates: dict[str, float]) -> None:
        self.tokens, self.cold_s, self.rates = tokens, cold_s, rates
        self._due: list[tuple[float, int, asyncio.Transport, Iterator[bytes], float]] = []
        self._number = count()
        self._waiting = False
        self._late = [0] * (LONGEST_MS + 1)
        self._last = 0.0

    def write(self, transport: asyncio.Transport, model: str, mark: str) -> None:
        """Begin a reply: its first token comes after as long as any other."""
        rate = self.rates[model]
        rest = iter((_frame(model, mark), *_chunks(model, self.tokens, rate)))
        due = time.monotonic() + self.cold_s + 1 / rate
        heapq.heappush(self._due, (due, next(self._number), transport, rest, 1 / rate))
        if not self._waiting:
            self._step()

    def _step(self) -> None:
        now, due = time.monotonic(), self._due
        while due and due[0][0] <= now:
            at, number, transport, rest, period = due[0]
            frame = None if transport.is_closing() else next(rest, None)
            if frame is None:
                heapq.heappop(due)
                continue
            transport.write(frame)
            self._last = now
            self._late[min(int((now - at) * 1000), LONGEST_MS)] += 1
            heapq.heapreplace(due, (at + period, number, transport, rest, period))
        self._waiting = bool(due)
        if due:
            asyncio.get_running_loop().call_later(STEP_S, self._step)

    def lateness(self) -> dict[str, float]:
        """Of the tokens since it was last asked: how many, by how many ms late at p95 and at
        most; and when the last was written, by the clock that all processes have."""
        late, self._late = self._late, [0] * (LONGEST_MS + 1)
        sofar = list(accumulate(late))
        tokens = sofar[-1]
        p95 = bisect_left(sofar, 0.95 * tokens)
        most = bisect_left(sofar, tokens)
        return {"tokens": tokens, "p95_ms": p95, "most_ms": most, "last": self._last}


class Asked(asyncio.Protocol):
    """One connection; requests come one after the other, as HTTP clients send them."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._parser = HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._path, self._body = url.decode(), b""

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self._answer(self._path, json.loads(self._body or b"{}"))

    def _answer(self, path: str, body: dict[str, Any]) -> None:
        if path == "/api/chat" and body["messages"]:
            kind = b"Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
            self._transport.write(b"HTTP/1.1 200 OK\r\n" + kind)
            mark = body["messages"][-1]["content"].split()[-1]
            self._host.write(self._transport, body["model"], mark)
            return
        made, answer = {"created_at": "2026-03-01T12:00:00Z"}, self._listing(path, body)
        if path in ("/api/chat", "/api/generate"):
            message = {"role": "assistant", "content": ""}
            answer = made | {"model": body["model"], "message": message, "response": ""}
            answer |= {"done": True, "done_reason": "load"}
        status = HTTPStatus.OK if answer is not None else HTTPStatus.NOT_FOUND
        told = json.dumps(answer or {"error": "not here"}).encode()
        head = f"HTTP/1.1 {status} {status.phrase}\r\nContent-Type: application/json\r\n"
        self._transport.write(f"{head}Content-Length: {len(told)}\r\n\r\n".encode() + told)

    def _listing(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        details = {"format": "gguf", "family": "llama", "families": ["llama"]}
        details |= {"parameter_size": "8.0B", "quantization_level": "Q4_K_M", "parent_model": ""}
        listed = [
            {"name": m, "model": m, "size": SIZE, "digest": DIGESTS[m], "details": details}
            for m in self._host.rates
        ]
        running = {"size_vram": SIZE, "context_length": 4096, "expires_at": "2318-01-01T00:00:00Z"}
        told: dict[str, dict[str, Any]] = {
            "/api/version": {"version": "0.12.6"},
            "/api/tags": {"models": listed},
            "/api/ps": {"models": [m | running for m in listed if not self._host.cold_s]},
            "/lateness": self._host.lateness() if path == "/lateness" else {},
        }
        if path == "/api/show":
            return {
                "modelfile": f"FROM /models/blobs/sha256-{DIGESTS[body['model']]}\n",
                "template": "{{ range .Messages }}{{ .Content }}{{ end }}",
                "details": details,
                "model_info": {"general.architecture": "llama", "llama.context_length": 131072},
                "capabilities": ["completion"],
            }
        return told.get(path)


async def _serve(port: int, host: Host) -> None:
    loop = asyncio.get_running_loop()
    sock = create_server(("127.0.0.1", port), backlog=2048)
    await loop.create_server(partial(Asked, host), sock=sock)
    sys.stdout.write(f"http://127.0.0.1:{sock.getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    port, tokens, cold_s, *rates = sys.argv[1:]
    each = dict(zip(MODELS, map(float, rates), strict=True))
    fast(_serve(int(port), Host(int(tokens), float(cold_s), each)))
