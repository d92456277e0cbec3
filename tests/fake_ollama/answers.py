"""/api/chat and /api/generate: the stream of frames, at the model's pace, and the faults that are played on it.

Asks the scheduler for a runner and the fault book's rule for mischief; knows nothing of listings or of lifecycles.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from . import checks
from .faults import BUSY, Fault
from .models import FakeModel, tokens_of
from .scheduler import QueueFull, Runner
from .stats import Call
from .wire import Reply

if TYPE_CHECKING:
    from .host import FakeOllama


def stamp() -> str:
    """Now, as Go writes a time: UTC, nanoseconds."""
    whole, part = divmod(time.time_ns(), 10**9)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{part:09d}Z"


class Sink:
    """Where an answer goes: frame by frame, or as one object when the caller asked for `stream: false`."""

    def __init__(self, host: FakeOllama, call: Call, reply: Reply) -> None:
        self.reply = reply
        self._host, self._call = host, call
        self._streams = call.body.get("stream", True) is not False
        self._whole: dict[str, Any] = {}

    async def frame(self, value: dict[str, Any]) -> None:
        self._call.frames += 1
        if self._streams:
            await self.reply.frame(value)
        else:
            self._merge(value)

    def _merge(self, value: dict[str, Any]) -> None:
        before, self._whole = self._whole, value
        for new, old in ((value, before), (value.get("message", {}), before.get("message", {}))):
            for key in ("content", "thinking", "response"):
                if key in old:
                    new[key] = old[key] + new.get(key, "")

    async def raw(self, line: bytes) -> bool:
        """Sends `line` as a frame; a stream goes on after it, a single object is answered by it. True if it is over."""
        if self._streams:
            await self.reply.chunk(line)
        else:
            await self.reply.body(200, line, "application/json; charset=utf-8")
        return not self._streams

    async def error(self, text: Any) -> None:
        """An error out of the runner: a status if nothing was sent yet, and otherwise (or if old) a last line."""
        self._host.stats.move(self._call, "failed")
        if self._streams and (self.reply.started or self._host.old):
            await self.reply.frame({"error": text})
            await self.reply.end()
        else:
            await self.reply.json(500, {"error": text})

    async def end(self) -> None:
        if self._streams:
            await self.reply.end()
        else:
            await self.reply.json(200, self._whole)


async def strike(host: FakeOllama, call: Call, sink: Sink, fault: Fault) -> bool:  # noqa: C901 -- a case a fault
    """Plays `fault` now. True when the call has been answered by it."""
    reply = sink.reply
    match fault.kind:
        case "refused" | "restart" | "slow_accept":
            await host.lose(fault.kind)
        case "drop_before_first" | "drop":
            reply.connection.close() if fault.variant == "close" else reply.connection.reset()
        case "no_first_frame" | "stall":
            await host.hold(fault.seconds)
        case "garbage":
            return await sink.raw(fault.payload)
        case "no_done":
            host.stats.move(call, "cut")
            await sink.end()
            return True
        case "error_frame":
            await sink.error(fault.payload)
            return True
        case "out_of_memory":
            host.scheduler.expire()
            if fault.variant == "load":
                raise checks.Refused(500, fault.payload)
            await sink.error(fault.payload)
            return True
        case "proxy_error":
            status, body = fault.payload
            media_type = "text/html" if fault.variant == "html" else "application/json"
            host.stats.move(call, "failed")
            await reply.body(status, body, media_type)
            return True
        case "redirect":
            host.stats.move(call, "failed")
            await reply.body(302, b"", "text/plain", {"Location": fault.to or "/moved"})
            return True
        case "busy":
            raise checks.Refused(503, BUSY)
        case "missing_model":
            raise checks.Refused(404, f"model '{call.model}' not found")
        case "bad_request":
            raise checks.Refused(
                500 if fault.variant == "option" else 400, fault.payload.format(model=call.model)
            )
        case "evicted":
            host.evict(call.model, deleted=fault.variant == "deleted")
        case "cpu_offload":
            host.offload(call.model)
        case "wedged":
            host.scheduler.wedge()
    return False


class Answer:
    """One call for text, from the request to its last frame."""

    def __init__(self, host: FakeOllama, call: Call, reply: Reply, fault: Fault | None) -> None:
        self._host, self._call, self._reply = host, call, reply
        self._chat = call.path == "/api/chat"
        self._fault = fault
        self._began = time.perf_counter_ns()
        self._marks: dict[str, int] = {}

    async def serve(self) -> None:
        host, call = self._host, self._call
        model = checks.installed(host.models, call, host.old)
        checks.check_cloud(model, host.cloud, "remote model is unavailable")
        checks.check_options(call.options)
        keep_alive_s = checks.seconds(call.keep_alive)
        thinks = checks.check_abilities(model, call, host.old)
        try:
            if call.kind == "preload":
                await self._preload(model, keep_alive_s)
            else:
                await self._answer(model, keep_alive_s, thinks)
        except QueueFull:
            raise checks.Refused(503, BUSY) from None

    async def _answer(self, model: FakeModel, keep_alive_s: float | None, thinks: bool) -> None:
        scheduler, call = self._host.scheduler, self._call
        async with scheduler.lease(call, model, call.options, keep_alive_s) as runner:
            self._marks["load_duration"] = time.perf_counter_ns() - self._began
            async with scheduler.slot(call, runner):
                await self._stream(model, runner, thinks)

    async def _preload(self, model: FakeModel, keep_alive_s: float | None) -> None:
        scheduler, reason = self._host.scheduler, "load"
        if keep_alive_s == 0:
            scheduler.expire(model.blob)
            reason = "unload"
        else:
            async with scheduler.lease(self._call, model, self._call.options, keep_alive_s):
                pass
        self._host.stats.move(self._call, "done")
        await self._reply.json(200, {**self._said(), "done": True, "done_reason": reason})

    async def _stream(self, model: FakeModel, runner: Runner, thinks: bool) -> None:
        sink, fault, number = Sink(self._host, self._call, self._reply), self._fault, 0
        self._host.stats.move(self._call, "prefill")
        async with contextlib.aclosing(self._frames(model, runner, thinks)) as frames:
            async for frame in frames:
                number += 1
                struck = fault and fault.strikes_in_place_of(number, last=frame["done"])
                if fault and struck and await strike(self._host, self._call, sink, fault):
                    return
                if frame["done"]:
                    self._host.stats.move(self._call, "done")
                elif number == 1:
                    self._host.stats.move(self._call, "streaming")
                await sink.frame(frame)
                if not frame["done"]:
                    self._host.stats.count_token(self._call)
        await sink.end()

    async def _frames(
        self, model: FakeModel, runner: Runner, thinks: bool
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Every frame when it is due, the last one with its metrics."""
        host, call, fault, loop = self._host, self._call, self._fault, asyncio.get_running_loop()
        kind, at = (fault.kind, fault.frame) if fault else ("", 0)
        prompt = self._prompt()
        prefill_began = time.perf_counter_ns()
        await asyncio.sleep(model.ttft_s / host.scheduler.limits.speed)
        self._marks["prompt_eval_count"] = checks.fitting(model, call, prompt, host.old)
        self._marks["prompt_eval_duration"] = time.perf_counter_ns() - prefill_began
        thoughts = tokens_of(model.thinking or "") if thinks else []
        pieces = [] if kind == "empty" else thoughts + model.answer(prompt, call.options)
        limit, reason = call.options.get("num_predict") or -1, "stop"
        generated = 0
        decode_began, due = time.perf_counter_ns(), loop.time()
        for index, token in enumerate(pieces):
            if index == limit or (kind == "length" and index + 1 == at):
                reason = "length"
                break
            slow = kind == "slow" and fault and index + 1 >= at
            # A stream that was held goes on at its pace; it does not catch up.
            due = max(due, loop.time() - 0.05) + 1 / (
                fault.rate if slow else host.scheduler.tokens_per_s(runner)
            )
            await asyncio.sleep(max(0.0, due - loop.time()))
            piece = f"{token}\x85" if kind == "next_line" and index + 1 == at else token
            generated = index + 1
            thinking = index < len(thoughts)
            yield {
                **self._said("" if thinking else piece, piece if thinking else ""),
                "done": False,
                **({"remote_host": model.remote} if model.remote else {}),
            }
        self._marks["eval_count"] = generated
        self._marks["eval_duration"] = time.perf_counter_ns() - decode_began if generated else 0
        self._marks["total_duration"] = time.perf_counter_ns() - self._began
        context = {} if self._chat else {"context": [1, 2, 3]}
        metrics = {name: value for name, value in self._marks.items() if value}
        yield {**self._said(), "done": True, "done_reason": reason, **context, **metrics}

    def _prompt(self) -> list[dict[str, Any]]:
        return (
            self._call.messages
            if self._chat
            else [{"role": "user", "content": self._call.body["prompt"]}]
        )

    def _said(self, content: str = "", thinking: str = "") -> dict[str, Any]:
        echo: Any = self._call.body.get("model")
        if self._fault and self._fault.kind == "wrong_model":
            echo = self._fault.to or "other:latest"
        thought = {"thinking": thinking} if thinking else {}
        said = {"message": {"role": "assistant", "content": content, **thought}}
        return {
            "model": echo,
            "created_at": stamp(),
            **(said if self._chat else {"response": content, **thought}),
        }
