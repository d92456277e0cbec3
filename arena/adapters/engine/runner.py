"""One loaded model: llama.cpp behind three methods, `load`, `complete` and `close`.

`complete` blocks the thread that calls it and may be called from as many threads as there are
slots; llama.cpp batches them. It does not know HTTP, queues or Ollama's wire format.

llama.cpp comes as `xllamacpp`, whose calls are those of llama.cpp's own server
(tools/server/README.md there): a request is a dict, an answer a sequence of chunks.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# A request is cancelled between batches while its prompt is read, so small ones answer sooner.
_PROMPT_BATCH = 128
_MOST_USEFUL_CORES = 8


@dataclass(frozen=True, slots=True)
class Piece:
    """Some more text, of the answer or of the thinking before it."""

    content: str
    thinking: str = ""


@dataclass(frozen=True, slots=True)
class Completed:
    """The reply has ended. Durations in nanoseconds, counts in tokens; `prompt_tokens` counts
    the whole prompt, `prompt_ns` only the part that was not cached."""

    reason: str
    prompt_tokens: int
    prompt_ns: int
    tokens: int
    tokens_ns: int


@dataclass(frozen=True, slots=True)
class Refused:
    """llama.cpp would not do it. `too_long`: the prompt does not fit into a slot's context."""

    status: int
    message: str
    too_long: bool


Event = Piece | Completed | Refused


class LoadError(Exception):
    """The file could not be loaded; llama.cpp tells no more than that."""


class Runner:
    """A model in memory, with `slots` places of `context` tokens each."""

    def __init__(self, path: Path, *, slots: int, context: int, cores: int) -> None:
        """Loads the model, which takes seconds and stops every other Python thread meanwhile."""
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_parallel = slots
        params.n_ctx = context * slots
        params.n_batch = params.n_ubatch = _PROMPT_BATCH
        # With every core busy, decoding on all cores stalls at its barriers; half of them does not.
        params.cpuparams.n_threads = max(1, cores // 2)
        params.cpuparams_batch.n_threads = max(1, cores // 2)
        params.cache_ram_mib = 0
        params.fit_params = False
        params.warmup = False
        params.verbosity = -1
        # It opens a port of its own that nobody needs: nobody can use it.
        params.api_keys = [secrets.token_hex(32)]
        params.cors_origins = ""
        params.ui = False
        params.n_threads_http = 1
        try:
            self._server: Any = xllamacpp.Server(params)
        except RuntimeError as error:
            raise LoadError(
                f"{path.name} could not be loaded; is it a whole GGUF file, and "
                "is there enough memory?"
            ) from error
        self.context = context
        # The destructor deadlocks if the server was never asked anything; this also warms it up.
        self.complete(
            {"messages": [{"role": "user", "content": "a"}], "max_tokens": 1}, lambda event: True
        )

    def complete(self, fields: Mapping[str, Any], on_event: Callable[[Event], bool]) -> None:
        """Answer a request, one event at a time, until `on_event` returns False, the reply has
        ended or it was refused. `fields` are llama.cpp's, with `messages` or a raw `prompt`."""
        request = dict(fields) | {
            "stream": True,
            "stream_options": {"include_usage": True},
            "return_progress": True,
        }
        translate = _Translation()

        def on_chunk(chunk: dict[str, Any]) -> bool:
            # An exception here would be swallowed by the library and the reply go on unheard.
            try:
                return not on_event(translate(chunk))
            except Exception as error:
                on_event(Refused(500, f"{type(error).__name__}: {error}", too_long=False))
                return True

        if "messages" in request:
            self._server.handle_chat_completions(request, on_chunk)
        else:
            self._server.handle_completions(request, on_chunk)

    def close(self) -> None:
        """Free the memory. No request may be running."""
        self._server = None


class _Translation:
    """Chunks of one reply to events. The reason of the end may come a chunk before the counts."""

    def __init__(self) -> None:
        self._reason = "stop"

    def __call__(self, chunk: dict[str, Any]) -> Event:
        if error := chunk.get("error"):
            kind = error.get("type", "")
            return Refused(
                int(error.get("code", 500)),
                str(error.get("message", "")),
                kind == "exceed_context_size_error",
            )
        content = thinking = ""
        for choice in chunk.get("choices", ()):
            self._reason = choice.get("finish_reason") or self._reason
            delta = choice.get("delta") or {}
            content += delta.get("content") or choice.get("text") or ""
            thinking += delta.get("reasoning_content") or ""
        if "usage" not in chunk:
            return Piece(content, thinking)
        timings = chunk["timings"]
        return Completed(
            reason="length" if self._reason == "length" else "stop",
            prompt_tokens=int(chunk["usage"]["prompt_tokens"]),
            prompt_ns=int(timings["prompt_ms"] * 1e6),
            tokens=int(chunk["usage"]["completion_tokens"]),
            tokens_ns=int(timings["predicted_ms"] * 1e6),
        )


def usable_cores() -> int:
    """The cores this process may run on, but no more than small models can make use of."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    return min(cores, _MOST_USEFUL_CORES)
