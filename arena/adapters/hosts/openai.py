"""One host that speaks OpenAI's API: vLLM, llama-server, llama-swap, LM Studio, gateways.

What such a host does not tell stays unknown: digests, what is loaded, memory. It does not know
other hosts, leases or battles. API: https://platform.openai.com/docs/api-reference/chat
"""

import asyncio
import json
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx
from httpx_sse import EventSource, ServerSentEvent

from arena.adapters.hosts import lengths
from arena.adapters.hosts.faults import refused, translated
from arena.adapters.hosts.host import (
    LOADING_OPTIONS,
    Ended,
    HostPiece,
    HostTimeouts,
    ListedModel,
    Request,
    ResidentModel,
    ShownModel,
)
from arena.core.battle.entities import Text, Thought
from arena.core.errors import HostFault

OWN_NAMES = {"num_predict": "max_tokens", "repeat_penalty": "repetition_penalty"}
"""Options of a roster as Ollama calls them → what they are called here, and by llama.cpp's server."""
LLAMA_CPP_NAMES = {"repeat_penalty": "repeat_penalty"}

MAY_BE_UNKNOWN = ("chat_template_kwargs", "reasoning_effort", "stream_options", "seed")
"""Fields that some servers refuse; they are then left out from there on."""

DONE = "[DONE]"

LONG = 2000
"""Bytes of a prompt from which on it is told whether a server cut it."""
A_TOKEN = 6
"""Bytes that a token stands for at most in most texts."""


class OpenAIHost:
    """A host by its URL, without `/v1`. tls: as OllamaHost takes it."""

    kind = "openai"

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        timeouts: HostTimeouts = HostTimeouts(),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.url = url
        self._timeouts = timeouts
        self._unknown: set[str] = set()
        self._own_names = OWN_NAMES
        self._client = httpx.AsyncClient(
            base_url=f"{url}/v1",
            timeout=httpx.Timeout(None, connect=timeouts.connect, pool=timeouts.connect),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
            trust_env=False,
            verify=tls or True,
            headers={"Authorization": f"Bearer {token}"} if token else {},
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def version(self) -> str:
        """Which server it is, as far as its list of models tells."""
        listed = await self._models()
        version = str(listed[0].get("owned_by") or "") if listed else ""
        self._own_names = OWN_NAMES | (LLAMA_CPP_NAMES if version == "llamacpp" else {})
        return version

    async def installed(self) -> tuple[ListedModel, ...]:
        with translated(self.url):
            return tuple(_installed(model) for model in await self._models())

    async def resident(self) -> tuple[ResidentModel, ...] | None:
        return None

    async def show(self, model: str) -> ShownModel:  # noqa: ARG002 -- it tells of none
        return ShownModel(told_how=True)

    async def preload(self, model: str, options: Mapping[str, Any]) -> None:
        """These hosts load what they are asked for, and do not say what they hold."""

    async def unload(self, model: str) -> None:  # noqa: ARG002 -- nor lets go of one
        raise HostFault(f"{self.url} cannot be told to unload.", kind="refused", host=self.url)

    async def chat(self, request: Request) -> AsyncGenerator[Sequence[HostPiece], None]:
        limit = self._timeouts.first(request.messages, cold=request.cold)
        told: dict[str, Any] = {}
        with translated(self.url):
            async with self._asked(_asked(request, self._own_names), limit) as events:
                while not told.get("finish_reason") or not told.get("usage"):
                    chunk = await self._next(events, limit)
                    limit = self._timeouts.gap
                    if chunk is None:
                        break
                    self._check(chunk, request)
                    told |= _told(chunk)
                    yield list(_pieces(chunk))
            if not told.get("finish_reason"):
                raise self._fault("cut off", "ended a reply without saying so")
            if read := (told.get("usage") or {}).get("prompt_tokens"):
                await self._check_length(request, read)
            yield [_ended(told)]

    # Asking -------------------------------------------------------------------------------------

    async def _models(self) -> list[dict[str, Any]]:
        with translated(self.url):
            async with asyncio.timeout(self._timeouts.listing):
                response = await self._client.get("/models")
            if response.is_error or response.is_redirect:
                raise refused(self.url, response.status_code, _words(response.text))
            return [dict(model) for model in response.json()["data"]]

    @asynccontextmanager
    async def _asked(
        self, body: dict[str, Any], limit: float
    ) -> AsyncGenerator[AsyncIterator[ServerSentEvent], None]:
        """The events of the answer. A field that the server does not know is left out, and it is
        asked again."""
        while True:
            sent = {name: value for name, value in body.items() if name not in self._unknown}
            call = self._client.build_request("POST", "/chat/completions", json=sent)
            async with asyncio.timeout(limit):
                response = await self._client.send(call, stream=True)
            try:
                if response.is_success:
                    async with aclosing(EventSource(response).aiter_sse()) as events:
                        yield events
                    return
                async with asyncio.timeout(limit):
                    text = _words((await response.aread()).decode(errors="replace"))
            finally:
                await response.aclose()
            named = {field for field in MAY_BE_UNKNOWN if field in text and field in sent}
            if response.status_code not in (400, 422) or not named:
                raise refused(self.url, response.status_code, text)
            self._unknown |= named

    async def _next(
        self, events: AsyncIterator[ServerSentEvent], limit: float
    ) -> dict[str, Any] | None:
        """None at the end."""
        try:
            async with asyncio.timeout(limit):
                event = await anext(events)
        except StopAsyncIteration:
            return None
        if event.data == DONE:
            return None
        chunk: dict[str, Any] = json.loads(event.data)
        if event.event == "error" or chunk.get("error"):
            raise self._fault("crashed", f"broke off a reply: {_words(event.data)}")
        return chunk

    async def _check_length(self, request: Request, read: int) -> None:
        """Some servers cut what does not fit, and say so by this number alone. Where it is low, the
        tokens of a sample are counted."""
        size = lengths.size(request.messages)
        if size < LONG or read * A_TOKEN >= size:
            return
        sample = {"messages": lengths.sampled(request.messages), "max_tokens": 1}
        async with asyncio.timeout(self._timeouts.warm):
            call = {"model": request.model, **sample}
            response = await self._client.post("/chat/completions", json=call)
        if not response.is_success:
            raise refused(self.url, response.status_code, _words(response.text))
        counted = (response.json().get("usage") or {}).get("prompt_tokens") or 0
        length = lengths.estimated(request.messages, counted)
        if read < lengths.LEAST * length:
            raise self._fault("too long", f"read {read} of about {length} tokens of a prompt")

    def _check(self, chunk: Mapping[str, Any], request: Request) -> None:
        """Gateways lengthen names (a date, a maker); another name is another model."""
        said = str(chunk.get("model") or request.model)
        a, b = (re.sub(r"[^a-z0-9]", "", name.lower()) for name in (said, request.model))
        if a not in b and b not in a:
            raise self._fault(
                "wrong model", f"answered with the model {said!r} where {request.model!r} was asked"
            )

    def _fault(self, kind: str, what: str) -> HostFault:
        return HostFault(f"{self.url} {what}.", kind=kind, host=self.url)


def _asked(request: Request, own_names: Mapping[str, str]) -> dict[str, Any]:
    options = {
        own_names.get(name, name): value
        for name, value in request.options.items()
        if name not in LOADING_OPTIONS
    }
    if request.reply_tokens:
        options["max_tokens"] = request.reply_tokens + request.thought_tokens
    thinking: dict[str, Any] = {}
    if request.think in ("on", "off"):
        thinking = {"chat_template_kwargs": {"enable_thinking": request.think == "on"}}
    elif request.think:
        thinking = {"reasoning_effort": "high" if request.think == "max" else request.think}
    return {
        "model": request.model,
        "messages": [_message(message) for message in request.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
        **options,
        **thinking,
    }


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    """Images stand beside the text, as parts of what is said."""
    said, images = message["content"], message.get("images")
    if not images:
        return dict(message)
    urls = [{"url": f"data:image/jpeg;base64,{image}"} for image in images]
    parts = [{"type": "image_url", "image_url": url} for url in urls]
    return {"role": message["role"], "content": [*parts, {"type": "text", "text": said}]}


def _pieces(chunk: Mapping[str, Any]) -> Iterator[Text | Thought]:
    for choice in (chunk.get("choices") or [])[:1]:
        delta = choice.get("delta") or {}
        if thought := delta.get("reasoning_content") or delta.get("reasoning"):
            yield Thought(thought)
        if text := delta.get("content"):
            yield Text(text)


def _told(chunk: Mapping[str, Any]) -> dict[str, Any]:
    """What it says of the reply beside its text."""
    reason = next((c.get("finish_reason") for c in chunk.get("choices") or []), None)
    told = {"finish_reason": reason, "usage": chunk.get("usage"), "timings": chunk.get("timings")}
    return {name: value for name, value in told.items() if value}


def _ended(told: Mapping[str, Any]) -> Ended:
    usage, timings = told.get("usage") or {}, told.get("timings") or {}
    return Ended(
        done_reason=told["finish_reason"],
        prompt_tokens=usage.get("prompt_tokens"),
        output_tokens=usage.get("completion_tokens"),
        tokens_per_s=timings.get("predicted_per_second"),
    )


def _installed(model: Mapping[str, Any]) -> ListedModel:
    meta = model.get("meta") or {}
    return ListedModel(
        name=str(model["id"]),
        size=int(meta.get("size") or 0),
        context_length=int(
            model.get("max_model_len") or meta.get("n_ctx") or meta.get("n_ctx_train") or 0
        ),
    )


def _words(text: str) -> str:
    """What an error says, out of the shapes that it comes in."""
    try:
        found = json.loads(text)
    except ValueError:
        return text
    for name in ("error", "message", "detail"):
        if isinstance(found, dict) and found.get(name):
            found = found[name]
    return found if isinstance(found, str) else json.dumps(found)
