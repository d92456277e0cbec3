"""Sampling options and durations: what Ollama's mean, in llama.cpp's terms.

The options are those of Ollama's Modelfile reference; wrong types are refused in Ollama's words.
It does not know requests or frames.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from arena.adapters.engine.refusals import WireError, json_type

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
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return max(-_INT32_MAX, min(_INT32_MAX, value))


def _parse_stop(value: object) -> list[str]:
    if not isinstance(value, list):
        raise WireError(500, 'option "stop" must be of type array')
    if not all(isinstance(item, str) for item in value):
        raise WireError(500, 'option "stop" must be of an array of strings')
    return value


# Durations ------------------------------------------------------------------------------------

_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_DURATION_PART = re.compile(r"(\d+\.?\d*|\.\d+)([^\d.]*)")


def parse_keep_alive(value: object) -> float | None:
    """Seconds; negative means for ever. A number is seconds, a string a Go duration."""
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, str):
        raise WireError(400, f"invalid keep_alive: cannot use {json_type(value)} as a duration")
    text = value[1:] if value[:1] in ("+", "-") else value
    if text == "0":
        return 0.0
    parts = _DURATION_PART.findall(text)
    if not text or "".join(number + unit for number, unit in parts) != text:
        raise WireError(400, f'time: invalid duration "{value}"')
    for _, unit in parts:
        if unit not in _UNITS:
            problem = f'unknown unit "{unit}"' if unit else "missing unit"
            raise WireError(400, f'time: {problem} in duration "{value}"')
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    return -seconds if value.startswith("-") else seconds
