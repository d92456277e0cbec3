"""Ollama's wire format: bodies, frames, options, durations and error texts, as in Ollama 0.32.

Pure translation between JSON of the API (docs/api.md of Ollama) and values of our own. It does not
know HTTP, llama.cpp or which models there are.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

VERSION = "0.32.15"
"""The Ollama version whose behaviour is spoken."""

FOREVER_S = (2**63 - 1) / 1e9
"""Go's longest duration, which Ollama uses for "never unload": about 292 years."""


class WireError(Exception):
    """A refusal with its HTTP status and the text Ollama sends for it."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def model_not_found(name: str) -> WireError:
    return WireError(404, f"model '{name}' not found")


def server_busy() -> WireError:
    return WireError(503, "server busy, please try again.  maximum pending requests exceeded")


def runner_stopped(reason: str) -> WireError:
    return WireError(500, f"an error was encountered while running the model: {reason}")


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
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WireError(400, f"invalid request body: {error}") from error
    if not isinstance(value, dict):
        raise WireError(400, "json: cannot unmarshal a value that is not an object into a request")
    return value


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
        raise WireError(400, f"json: cannot unmarshal {_json_type(value)} into field {name} of type {_GO_TYPES[kind]}")
    # Half a surrogate pair is legal JSON but no text: llama.cpp cannot take it.
    return value.encode("utf-8", errors="replace").decode() if kind is str else value


_GO_TYPES = {str: "string", list: "array", dict: "object", bool: "bool"}


def _json_type(value: object) -> str:
    names = {bool: "bool", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "number")


def _request(
    body: Mapping[str, Any], model: str, messages: tuple[dict[str, Any], ...], raw_prompt: str | None = None
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
        raise WireError(400, f"json: cannot unmarshal {_json_type(message)} into field messages of type object")
    _refuse_images(message)
    role = field(message, "role", str, "").lower()
    if role not in {"system", "user", "assistant", "tool"}:
        raise WireError(400, f"invalid role {role!r}: use system, user, assistant or tool")
    return {"role": role, "content": field(message, "content", str, "")}


def _refuse_images(body: Mapping[str, Any]) -> None:
    if body.get("images"):
        raise WireError(400, "Multimodal data provided, but model does not support multimodal requests.")


def _parse_think(value: object) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    if value in {"low", "medium", "high", "max"}:
        return True
    raise WireError(400, f'invalid think value: {json.dumps(value)} (must be "high", "medium", "low", "max", true, or false)')


def _parse_format(value: object) -> dict[str, Any] | None:
    """`"json"` or a JSON schema, as llama.cpp's `response_format`."""
    if value is None or value == "":
        return None
    if value == "json":
        return {"type": "json_object"}
    if isinstance(value, dict):
        return {"type": "json_object", "schema": value}
    raise WireError(400, f'invalid format: {json.dumps(value)}; expected "json" or a valid JSON Schema object')


# Options --------------------------------------------------------------------------------------

# Ollama's option -> (its Go type, llama.cpp's field). None: accepted and checked, without effect
# here, because a slot's context and threads are fixed when the model is loaded.
_OPTIONS: dict[str, tuple[str, str | None]] = {
    "temperature": ("float32", "temperature"),
    "top_k": ("integer", "top_k"),
    "top_p": ("float32", "top_p"),
    "min_p": ("float32", "min_p"),
    "typical_p": ("float32", "typical_p"),
    "repeat_last_n": ("integer", "repeat_last_n"),
    "repeat_penalty": ("float32", "repeat_penalty"),
    "presence_penalty": ("float32", "presence_penalty"),
    "frequency_penalty": ("float32", "frequency_penalty"),
    "seed": ("integer", "seed"),
    "num_predict": ("integer", "max_tokens"),
    "num_keep": ("integer", None),
    "num_ctx": ("integer", None),
    "num_batch": ("integer", None),
    "num_gpu": ("integer", None),
    "main_gpu": ("integer", None),
    "num_thread": ("integer", None),
}

_INT32_MAX = 2**31 - 1

# Sent in full, so that nothing depends on llama.cpp's own defaults, which differ.
_DEFAULTS: dict[str, Any] = {
    "temperature": 0.8,
    "top_k": 40,
    "top_p": 0.9,
    "min_p": 0.0,
    "typical_p": 1.0,
    "repeat_last_n": 64,
    "repeat_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
}


def parse_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Ollama's options as fields of llama.cpp, defaults filled in. `max_tokens` and `seed` are
    absent when the caller set no limit and no seed. Unknown keys are ignored; a wrong type is
    WireError 500, as in Ollama."""
    fields = dict(_DEFAULTS)
    for name, value in options.items():
        if value is None:
            continue
        if name == "stop":
            fields["stop"] = _parse_stop(value)
        elif name in _OPTIONS:
            kind, target = _OPTIONS[name]
            number = _parse_number(value)
            if number is None:
                raise WireError(500, f'option "{name}" must be of type {kind}')
            if target is not None:
                fields[target] = int(number) if kind == "integer" else number
    if fields.get("max_tokens", 0) <= 0:
        fields.pop("max_tokens", None)
    if fields.get("seed", 0) < 0:
        del fields["seed"]
    return fields


def _parse_number(value: object) -> float | None:
    """A number within the range of llama.cpp's 32-bit integers, or None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return max(-_INT32_MAX, min(_INT32_MAX, value))


def _parse_stop(value: object) -> list[str]:
    if not isinstance(value, list):
        raise WireError(500, 'option "stop" must be of type array')
    if not all(isinstance(item, str) for item in value):
        raise WireError(500, 'option "stop" must be of an array of strings')
    return value


# Durations ------------------------------------------------------------------------------------

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")


def parse_keep_alive(value: object) -> float | None:
    """Seconds; negative means for ever. A number is seconds, a string a Go duration."""
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, str):
        raise WireError(400, f"invalid keep_alive: cannot use {_json_type(value)} as a duration")
    text = value.lstrip("+-")
    parts = _DURATION.findall(text)
    if text == "0":
        return 0.0
    if not parts:
        raise WireError(400, f'time: missing unit in duration "{value}"' if text else f'time: invalid duration "{value}"')
    if "".join(number + unit for number, unit in parts) != text:
        raise WireError(400, f'time: invalid duration "{value}"')
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    return -seconds if value.startswith("-") else seconds
