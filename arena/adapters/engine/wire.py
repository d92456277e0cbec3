"""Ollama's wire format as in Ollama 0.33: its JSON, its refusals, and what a chat means to llama.cpp.

Pure translation between the API (docs/api.md of Ollama) and requests of llama.cpp's server. Two
things are simpler: a prompt longer than the context is refused, as where `truncate` is false, and
`keep_alive` is either 0, which unloads, or for ever. It does not know HTTP or which models there are.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

LIKE_OLLAMA = "0.33.0"
"""The version whose behaviour is followed. What is reported says that this is not Ollama, since
it is recorded with every vote."""

_INT32_MAX = 2**31 - 1

# Ollama's options -> their Go types. All but num_predict are llama.cpp's under the same name.
_OPTIONS = dict.fromkeys(
    "temperature top_p min_p typical_p repeat_penalty presence_penalty frequency_penalty".split(),
    "float32",
) | dict.fromkeys("top_k repeat_last_n seed num_predict".split(), "integer")


class WireError(Exception):
    """A refusal with its HTTP status and the text Ollama sends for it."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


# Go's encoder escapes all of these but U+0085, which clients that split lines the Unicode way
# would break at.
_ESCAPES = {char.encode(): b"\\u%04x" % ord(char) for char in "<>&\u2028\u2029\x85"}


def encode(body: Mapping[str, Any]) -> bytes:
    """Compact JSON, escaped so that it is one line for every reader of lines."""
    try:
        line = orjson.dumps(body)
    except TypeError:
        # Half a surrogate pair is legal JSON but no text: neither side can take it.
        line = json.dumps(body, ensure_ascii=False).encode(errors="replace")
    for char, escape in _ESCAPES.items():
        line = line.replace(char, escape)
    return line


def rfc3339(moment: datetime | None = None) -> str:
    """UTC with nine digits of fraction; `moment` defaults to now."""
    moment = moment or datetime.now(UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "000Z")


@dataclass(frozen=True, slots=True)
class Call:
    """What was asked of a model. `fields` are llama.cpp's. Where nothing is `prompted`, only
    loading or, if `unload`, unloading is meant."""

    model: str
    prompted: bool
    stream: bool
    think: bool | str | None
    unload: bool
    fields: dict[str, Any]


def parse_call(data: bytes) -> Call:
    """The body of a request for a model. WireError 400 or, for an option, 500."""
    if not data.strip():
        raise WireError(400, "missing request body")
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise WireError(400, f"invalid request body: {error}") from error
    if not isinstance(body, dict):
        raise WireError(400, "json: cannot unmarshal the request, which is no object")
    model = _field(body, "model", str, "") or _field(body, "name", str, "")
    if not model:
        raise WireError(400, "model is required")
    if body.get("tools"):
        raise WireError(400, f"registry.ollama.ai/library/{model} does not support tools")
    think = body.get("think")
    if think not in (None, True, False, "low", "medium", "high", "max"):
        raise WireError(
            400,
            f"invalid think value: {json.dumps(think)} "
            '(must be "high", "medium", "low", "max", true, or false)',
        )
    fields = _parse_options(_field(body, "options", dict, {}))
    fields["messages"] = [_parse_message(each) for each in _field(body, "messages", list, [])]
    if wanted := body.get("format"):
        schema = {"schema": wanted} if isinstance(wanted, dict) else {}
        fields["response_format"] = {"type": "json_object"} | schema
    return Call(
        model=model,
        prompted=bool(fields["messages"] or body.get("prompt")),
        stream=_field(body, "stream", bool, True),
        think=think,
        unload=str(body.get("keep_alive")) in ("0", "0.0", "0s"),
        fields=fields,
    )


def _field(body: Mapping[str, Any], name: str, kind: type, default: Any) -> Any:
    """A field of the given JSON type; absent and null give `default`. WireError 400 otherwise."""
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, kind):
        raise WireError(400, f"json: cannot unmarshal field {name}: it is no {kind.__name__}")
    return value


def _parse_message(message: object) -> dict[str, str]:
    if not isinstance(message, dict):
        raise WireError(400, "json: cannot unmarshal field messages: one of them is no object")
    if message.get("images"):
        told = "Multimodal data provided, but model does not support multimodal requests."
        raise WireError(
            400, f'{{"error":{{"code":400,"message":"{told}","type":"invalid_request_error"}}}}'
        )
    return {
        "role": _field(message, "role", str, "").lower(),
        "content": _field(message, "content", str, ""),
        "reasoning_content": _field(message, "thinking", str, ""),
    }


def _parse_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Ollama's options as fields of llama.cpp. `max_tokens` and `seed` are absent when the caller
    set no limit and no seed. Unknown keys are ignored, and those of loading a model, which is
    loaded in one way only; a wrong type is WireError 500, as in Ollama."""
    # Where Ollama's defaults differ from llama.cpp's.
    fields: dict[str, Any] = {"top_p": 0.9, "min_p": 0.0}
    for name, value in options.items():
        if value is None:
            continue
        if name == "stop":
            if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
                raise WireError(500, 'option "stop" must be of type array of strings')
            fields["stop"] = value
        elif kind := _OPTIONS.get(name):
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise WireError(500, f'option "{name}" must be of type {kind}')
            number = max(-_INT32_MAX, min(_INT32_MAX, value))
            fields[name] = int(number) if kind == "integer" else number
    if (limit := fields.pop("num_predict", 0)) > 0:
        fields["max_tokens"] = limit
    if fields.get("seed", 0) < 0:
        del fields["seed"]
    return fields
