"""What Ollama refuses before it schedules anything: names, options, `think`, `keep_alive`, images.

Raises `Refused` with the status and the words of the server's version. Knows nothing of sockets or of loads.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .models import FakeModel, tagged
from .stats import Call

_NAME = re.compile(
    r"(?:[\w][\w.:-]{0,349}/)?(?:[\w][\w-]{0,79}/)?[\w][\w.-]{0,79}(?::[\w][\w.-]{0,79})?", re.ASCII
)
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_LEVELS = ("low", "medium", "high", "max")
_INTEGERS = (
    "seed",
    "top_k",
    "num_ctx",
    "num_batch",
    "num_gpu",
    "main_gpu",
    "num_thread",
    "num_predict",
    "num_keep",
    "repeat_last_n",
    "draft_num_predict",
)
_FLOATS = (
    "temperature",
    "top_p",
    "min_p",
    "typical_p",
    "repeat_penalty",
    "presence_penalty",
    "frequency_penalty",
)


class Refused(Exception):
    """An HTTP error before the first frame."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def seconds(keep_alive: Any) -> float | None:
    """`keep_alive` in seconds: None when not given, infinity for anything negative."""
    if keep_alive is None:
        return None
    if isinstance(keep_alive, (int, float)) and not isinstance(keep_alive, bool):
        return math.inf if keep_alive < 0 else float(keep_alive)
    if not isinstance(keep_alive, str):
        raise Refused(400, f"invalid keep_alive: {keep_alive!r}")
    digits = keep_alive.removeprefix("-").removeprefix("+")
    if digits == "0":
        return 0.0
    parts = _DURATION.findall(digits)
    if not parts or "".join(number + unit for number, unit in parts) != digits:
        why = "missing unit in" if re.fullmatch(r"[\d.]+", digits) else "invalid"
        raise Refused(400, f'time: {why} duration "{keep_alive}"')
    return (
        math.inf
        if keep_alive.startswith("-")
        else sum(float(number) * _SECONDS[unit] for number, unit in parts)
    )


def installed(models: Mapping[str, FakeModel], call: Call, old: bool) -> FakeModel:
    """The model that the call names."""
    name = (call.model or "").strip()
    generate = call.path == "/api/generate"
    if not name:
        raise Refused(404, "model '' not found") if generate else Refused(400, "model is required")
    if not _NAME.fullmatch(name):
        raise Refused(400, "invalid model name")
    if not old and name.endswith((":cloud", "-cloud")):
        raise Refused(403, "ollama cloud is disabled: remote inference is unavailable")
    short = name.removeprefix("registry.ollama.ai/").removeprefix("library/")
    model = models.get(tagged(short).lower())
    if model is None and old and call.path == "/api/chat":
        raise Refused(404, f'model "{name}" not found, try pulling it first')
    if model is None:
        raise Refused(404, f"model '{name}' not found")
    return model


def check_cloud(model: FakeModel, cloud: bool, what: str) -> None:
    if model.remote and not cloud:
        raise Refused(403, f"ollama cloud is disabled: {what}")


def check_abilities(model: FakeModel, call: Call, old: bool) -> bool:
    """Refuses what the model cannot do; returns whether it is to think aloud."""
    name = f"registry.ollama.ai/library/{call.model}" if old else f'"{call.model}"'
    if "completion" not in model.capabilities:
        raise Refused(400, f'"{call.model}" does not support {call.path.rpartition("/")[2]}')
    if call.body.get("tools") and "tools" not in model.capabilities:
        raise Refused(400, f"registry.ollama.ai/library/{call.model} does not support tools")
    pictures = call.body.get("images") or any(message.get("images") for message in call.messages)
    if pictures and "vision" not in model.capabilities and not old:
        text = "Multimodal data provided, but model does not support multimodal requests."
        raise Refused(400, _nested({"message": text, "type": "invalid_request_error"}))
    think = call.body.get("think")
    if think not in (None, True, False, *_LEVELS):
        must = 'must be "high", "medium", "low", "max", true, or false'
        raise Refused(400, f"invalid think value: {json.dumps(think)} ({must})")
    thinks = "thinking" in model.capabilities
    if think and not thinks:
        raise Refused(400, f"{name} does not support thinking")
    if model.always_thinks:
        return True
    return thinks and (not old if think is None else bool(think))


def fitting(model: FakeModel, call: Call, prompt: Sequence[Mapping[str, Any]], old: bool) -> int:
    """Tokens of the prompt that are evaluated; a prompt that does not fit is cut or, if the call says so, refused."""
    text = "".join(str(message.get("content", "")) for message in prompt)
    tokens = max(1, int(len(text) * model.tokens_per_character)) + 8
    context = int(call.options.get("num_ctx") or 4096)
    if tokens <= context:
        return tokens
    if not old and call.body.get("truncate") is False:
        told = {
            "message": f"request ({tokens} tokens) exceeds the available context size ({context} tokens), try increasing it",
            "type": "exceed_context_size_error",
            "n_prompt_tokens": tokens,
            "n_ctx": context,
        }
        raise Refused(400, _nested(told))
    return context // 2 + 2


def _nested(told: Mapping[str, Any]) -> str:
    """The runner's own answer, as its host hands it on."""
    return json.dumps({"error": {"code": 400, **told}}, separators=(",", ":"))


def check_options(options: Any) -> None:
    """A wrong type is an HTTP 500 in Ollama, not a 400; an unknown option is let pass."""
    if not isinstance(options, dict):
        raise Refused(
            400,
            "json: cannot unmarshal options into Go struct field of type map[string]interface {}",
        )
    for name, value in options.items():
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if name in _INTEGERS and not number:
            raise Refused(500, f'option "{name}" must be of type integer')
        if name in _FLOATS and not number:
            raise Refused(500, f'option "{name}" must be of type float32')
        if name == "use_mmap" and not isinstance(value, bool):
            raise Refused(500, f'option "{name}" must be of type boolean')
        if name == "stop" and not isinstance(value, list):
            raise Refused(500, f'option "{name}" must be of type array')
