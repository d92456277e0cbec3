"""Ollama's wire format: request bodies, frames and their encoding, as in Ollama 0.32.

Pure translation between JSON of the API (docs/api.md of Ollama) and values of our own. It does not
know HTTP, llama.cpp or which models there are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from arena.adapters.engine.options import parse_keep_alive, parse_options
from arena.adapters.engine.refusals import WireError, json_type, model_not_found

LIKE_OLLAMA = "0.32.15"
"""The version whose behaviour is followed. What is reported says that this is not Ollama, since
it is recorded with every vote."""
"""The Ollama version whose behaviour is spoken."""

FOREVER_S = (2**63 - 1) / 1e9
"""Go's longest duration, which Ollama uses for "never unload": about 292 years."""


# Encoding -------------------------------------------------------------------------------------

# Go's encoder escapes all of these but U+0085, which clients that split lines the Unicode way
# would break at.
_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029\x85"}


def encode(body: Mapping[str, Any]) -> bytes:
    """Compact JSON, escaped so that it is one line for every reader of lines."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return text.translate(_ESCAPES).encode("utf-8", errors="replace")


def encode_frame(body: Mapping[str, Any]) -> bytes:
    return encode(body) + b"\n"


def rfc3339(moment: datetime | None = None) -> str:
    """UTC with nine digits of fraction; `moment` defaults to now."""
    moment = moment or datetime.now(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"


def without_zeros(metrics: Mapping[str, int]) -> dict[str, int]:
    """Go's `omitempty`: a metric of zero is not sent."""
    return {name: value for name, value in metrics.items() if value}


# Requests -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Request:
    """A chat or generate call. `keep_alive_s` is None when the call leaves it alone, negative for
    ever. `preload` asks for no text: only to load the model, or to unload it."""

    model: str
    messages: tuple[dict[str, Any], ...]
    raw_prompt: str | None
    stream: bool
    options: dict[str, Any]
    response_format: dict[str, Any] | None
    think: bool | None
    keep_alive_s: float | None

    @property
    def preload(self) -> bool:
        return not self.messages and not self.raw_prompt


def parse_body(body: bytes) -> dict[str, Any]:
    """A JSON object, or WireError 400."""
    if not body.strip():
        raise WireError(400, "missing request body")
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise WireError(400, f"invalid request body: {error}") from error
    if not isinstance(value, dict):
        raise WireError(400, "json: cannot unmarshal a value that is not an object into a request")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def parse_chat(body: Mapping[str, Any]) -> Request:
    model = field(body, "model", str, "")
    if not model:
        raise WireError(400, "model is required")
    messages = field(body, "messages", list, [])
    if body.get("tools"):
        raise WireError(400, f"registry.ollama.ai/library/{model} does not support tools")
    return _request(body, model, tuple(_parse_message(message) for message in messages))


def parse_generate(body: Mapping[str, Any]) -> Request:
    model = field(body, "model", str, "")
    if not model:
        raise model_not_found(model)
    prompt = field(body, "prompt", str, "")
    system = field(body, "system", str, "")
    if field(body, "suffix", str, ""):
        raise WireError(400, f"registry.ollama.ai/library/{model} does not support insert")
    if field(body, "raw", bool, False):
        return _request(body, model, (), raw_prompt=prompt)
    if not prompt:
        return _request(body, model, ())
    _refuse_images(body)
    turns = [("system", system), ("user", prompt)] if system else [("user", prompt)]
    return _request(body, model, tuple({"role": role, "content": text} for role, text in turns))


def field(body: Mapping[str, Any], name: str, kind: type, default: Any) -> Any:
    """A field of the given JSON type; absent and null give `default`. WireError 400 otherwise."""
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, kind):
        raise WireError(
            400,
            f"json: cannot unmarshal {json_type(value)} into field {name} "
            f"of type {_GO_TYPES[kind]}",
        )
    return _whole_text(value) if isinstance(value, str) else value


def _whole_text(text: str) -> str:
    """Half a surrogate pair is legal JSON but no text: llama.cpp cannot take it."""
    return text.encode("utf-8", errors="replace").decode()


_GO_TYPES = {str: "string", list: "array", dict: "object", bool: "bool"}


def _request(
    body: Mapping[str, Any],
    model: str,
    messages: tuple[dict[str, Any], ...],
    raw_prompt: str | None = None,
) -> Request:
    return Request(
        model=model,
        messages=messages,
        raw_prompt=raw_prompt,
        stream=field(body, "stream", bool, True),
        options=parse_options(field(body, "options", dict, {})),
        response_format=_parse_format(body.get("format")),
        think=_parse_think(body.get("think")),
        keep_alive_s=parse_keep_alive(body.get("keep_alive")),
    )


def _parse_message(message: object) -> dict[str, Any]:
    if not isinstance(message, dict):
        raise WireError(
            400, f"json: cannot unmarshal {json_type(message)} into field messages of type object"
        )
    _refuse_images(message)
    role = field(message, "role", str, "").lower()
    if role not in {"system", "user", "assistant", "tool"}:
        raise WireError(400, f"invalid role {role!r}: use system, user, assistant or tool")
    return {"role": role, "content": field(message, "content", str, "")}


def _refuse_images(body: Mapping[str, Any]) -> None:
    if body.get("images"):
        raise WireError(
            400, "Multimodal data provided, but model does not support multimodal requests."
        )


def _parse_think(value: object) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    if value in {"low", "medium", "high", "max"}:
        return True
    raise WireError(
        400,
        f"invalid think value: {json.dumps(value)} "
        '(must be "high", "medium", "low", "max", true, or false)',
    )


def _parse_format(value: object) -> dict[str, Any] | None:
    """`"json"` or a JSON schema, as llama.cpp's `response_format`."""
    if value is None or value == "":
        return None
    if value == "json":
        return {"type": "json_object"}
    if isinstance(value, dict):
        return {"type": "json_object", "schema": value}
    raise WireError(
        400, f'invalid format: {json.dumps(value)}; expected "json" or a valid JSON Schema object'
    )
