"""A loopback server that speaks OpenAI's API as vLLM and its kin do, and misbehaves on demand.

async with FakeOpenAI({"big:70b": "one two three"}) as host:
    host.script = [...]        # what the next streams send instead: objects, texts, None
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from arena.server.serving import listen


class FakeOpenAI:
    """models: name → what it answers. refused: fields of a request that are not known here.
    thinking: what is thought before each answer, sent in the field that `spelt` names.
    reads: tokens of a prompt at most; what goes beyond is cut, to half of that, without a word."""

    def __init__(
        self,
        models: Mapping[str, str],
        *,
        token: str = "",
        refused: tuple[str, ...] = (),
        thinking: str = "",
        spelt: str = "reasoning_content",
        reads: int = 4096,
    ) -> None:
        self.models = dict(models)
        self.refused = refused
        self.thinking = thinking
        self.asked: list[dict[str, Any]] = []
        self.script: list[Any] = []
        self.answer: tuple[int, Any] | None = None
        self.hung_up = asyncio.Event()
        self.hold = False
        self._reads = reads
        self._spelt = spelt
        self._token = token
        self._sock = listen("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._sock.getsockname()[1]}"

    async def __aenter__(self) -> Self:
        routes = [
            Route("/v1/models", self._list),
            Route("/v1/chat/completions", self._chat, methods=["POST"]),
        ]
        config = uvicorn.Config(Starlette(routes=routes), log_level="critical", lifespan="off")
        self._server = uvicorn.Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[self._sock]))
        while not self._server.started:
            await asyncio.sleep(0.005)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        await self._task

    async def _list(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        data = [
            {"id": name, "object": "model", "owned_by": "vllm", "max_model_len": 8192}
            for name in self.models
        ]
        return JSONResponse({"object": "list", "data": data})

    async def _chat(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append(body)
        if refusal := self._refusal(request):
            return refusal
        if self.answer and self.hold:
            return StreamingResponse(self._stream(request, body), self.answer[0])
        if self.answer:
            return JSONResponse(self.answer[1], self.answer[0])
        if unknown := [field for field in self.refused if field in body]:
            told = {"error": {"message": f"Unrecognized request argument supplied: {unknown[0]}"}}
            return JSONResponse(told, 400)
        if body["model"] not in self.models:
            told = {"error": {"message": f"The model `{body['model']}` does not exist."}}
            return JSONResponse(told, 404)
        if not body.get("stream"):
            message = {"role": "assistant", "content": self.models[body["model"]]}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            return JSONResponse({"choices": [choice], "usage": self._usage(body, 1)})
        return StreamingResponse(self._stream(request, body), media_type="text/event-stream")

    def _refusal(self, request: Request) -> Response | None:
        if not self._token or request.headers.get("authorization") == f"Bearer {self._token}":
            return None
        return JSONResponse({"error": {"message": "Invalid token"}}, 401)

    async def _stream(self, request: Request, body: Mapping[str, Any]) -> AsyncIterator[str]:
        script, self.script = self.script, []
        for sent in script or self._frames(body):
            yield sent if isinstance(sent, str) else f"data: {json.dumps(sent)}\n\n"
        while self.hold:
            with suppress(TimeoutError):
                async with asyncio.timeout(0.02):
                    if (await request.receive())["type"] == "http.disconnect":
                        self.hung_up.set()
                        return

    def _frames(self, body: Mapping[str, Any]) -> list[Any]:
        model = body["model"]
        thoughts = [{self._spelt: word + " "} for word in self.thinking.split()]
        words = [{"content": word + " "} for word in self.models[model].split()]
        deltas = (thoughts + words)[: body.get("max_tokens") or None]
        cut = len(deltas) < len(thoughts + words)
        frames: list[Any] = [frame(model, delta) for delta in [{"role": "assistant"}, *deltas]]
        frames.append(frame(model, {}, "length" if cut else "stop"))
        if (body.get("stream_options") or {}).get("include_usage"):
            frames.append({"model": model, "choices": [], "usage": self._usage(body, len(deltas))})
        return [*frames, "data: [DONE]\n\n"]

    def _usage(self, body: Mapping[str, Any], written: int) -> dict[str, int]:
        """Of one sign many times eight are a token, of other texts four."""
        sent = "".join(str(message["content"]) for message in body["messages"])
        tokens = 8 + len(sent) // (8 if len(set(sent)) == 1 else 4)
        read = tokens if tokens <= self._reads else self._reads // 2
        return {"prompt_tokens": read, "completion_tokens": written}


def frame(model: str, delta: Mapping[str, Any], reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": dict(delta), "finish_reason": reason}
    return {"object": "chat.completion.chunk", "model": model, "choices": [choice]}
