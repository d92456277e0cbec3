"""The ways a host can misbehave, and the rules that say which call is hit by which.

A rule waits for its call; when that comes it is played at the rule's frame. Rows 2 (no such name), 22 (the user
leaves) and 23 (a duplicate, an app that crashes) happen outside of any server, so no rule can play them: use a
`.invalid` address, close the stream, send the call twice. Knows nothing of how a fault is put on the wire.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .models import tagged
from .stats import Call

FAULTS: dict[int, str] = {
    1: "refused",
    2: "dns",
    3: "slow_accept",
    4: "busy",
    5: "missing_model",
    6: "bad_request",
    7: "out_of_memory",
    8: "no_first_frame",
    9: "drop_before_first",
    10: "drop",
    11: "stall",
    12: "garbage",
    13: "error_frame",
    14: "no_done",
    15: "empty",
    16: "length",
    17: "restart",
    18: "evicted",
    19: "slow",
    20: "next_line",
    21: "proxy_error",
    22: "user_leaves",
    23: "duplicate",
    24: "wrong_model",
    25: "redirect",
    26: "cpu_offload",
    27: "wedged",
}
NOT_A_SERVERS = {
    "dns": "ask for a name under .invalid instead of the host's url",
    "user_leaves": "close the stream, then wait_for(lambda: host.stats.cancelled)",
    "duplicate": "send the same call twice",
}
MID_STREAM = {"drop", "stall", "garbage", "error_frame", "no_done", "length", "next_line"}
"""Kinds that let three frames through unless the rule says otherwise; all others strike at the first."""
SHAPES = {"empty", "length", "next_line", "wrong_model", "slow"}
"""Kinds that change the frames of an answer; all others strike in place of a frame."""

RUNNER_STOPPED = (
    "model runner has unexpectedly stopped, this may be due to resource limitations or an internal error, "
    "check ollama server logs for details"
)
LOAD_OUT_OF_MEMORY = (
    "llama-server process has terminated: exit status 1: cudaMalloc failed: out of memory"
)
BUSY = "server busy, please try again.  maximum pending requests exceeded"
_RUNNING = "an error was encountered while running the model: "

# The first variant of each kind is its default.
VARIANTS: dict[str, dict[str, Any]] = {
    "bad_request": {
        "think": '"{model}" does not support thinking',
        "option": 'option "num_ctx" must be of type integer',
        "vision": "Multimodal data provided, but model does not support multimodal requests.",
    },
    "out_of_memory": {
        "runtime": _RUNNING + "CUDA error: out of memory",
        "load": LOAD_OUT_OF_MEMORY,
        "stopped": RUNNER_STOPPED,
    },
    "drop": {"reset": None, "close": None},
    "garbage": {
        "text": b"}{ this is no JSON\n",
        "blank": b"\n",
        "list": b"[1,2,3]\n",
        "number": b"42\n",
        "null": b"null\n",
        "no_message": b'{"model":"x","done":false}\n',
        "torn": b'{"model":"x","message":{"role":"assis\n',
    },
    "error_frame": {
        "text": _RUNNING + "unexpected EOF",
        "nested": '{"error":{"code":500,"message":"slot unavailable","type":"server_error"}}',
        "object": '{"code":500,"message":"slot unavailable"}',
        "number": "42",
        "dict": {"code": 500, "message": "slot unavailable"},
    },
    "evicted": {"unloaded": None, "deleted": None},
    "proxy_error": {
        "html": (
            502,
            b"<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>",
        ),
        "empty": (500, b""),
        "list": (500, b'["upstream","gone"]'),
        "string": (500, b'"upstream gone"'),
        "null": (500, b"null"),
        "object": (500, b'{"error":{"code":500,"message":"upstream gone"}}'),
    },
}


@dataclass
class Fault:
    """One rule.

    kind: a name out of FAULTS. variant: a key of VARIANTS[kind]. model: which model's calls (any). on: `answer`,
    `preload` or a path such as `/api/ps`. call: which one of the calls that match, counted from when the rule was
    made. frame: the frame in whose place it strikes, 1 being before anything was sent or scheduled, 0 the kind's
    own; an answer that is shorter is struck at its end, and calls on other paths always at 1. times: how many calls
    in a row, None for all. seconds: how long a `no_first_frame` or `stall` lasts, None until the client leaves or
    the host releases it. rate: tokens/s of `slow`, which `speed` does not scale. to: the name that `wrong_model`
    answers under, or the target of `redirect`.
    """

    kind: str
    model: str | None = None
    call: int = 1
    frame: int = 0
    times: int | None = 1
    variant: str | None = None
    on: str = "answer"
    seconds: float | None = None
    rate: float = 2.0
    to: str | None = None
    seen: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        self.kind = kind_of(self.kind)
        if self.kind in NOT_A_SERVERS:
            raise ValueError(f"No server can play {self.kind!r}: {NOT_A_SERVERS[self.kind]}.")
        if self.kind in SHAPES and self.on != "answer":
            raise ValueError(f"{self.kind!r} can only be played on an answer.")
        variants = VARIANTS.get(self.kind, {})
        if self.variant is not None and self.variant not in variants:
            raise ValueError(
                f"{self.kind!r} has no variant {self.variant!r}; it has {', '.join(variants) or 'none'}."
            )
        if self.variant is None and variants:
            self.variant = next(iter(variants))
        if self.frame == 0:
            self.frame = 4 if self.kind in MID_STREAM else 1

    @property
    def payload(self) -> Any:
        """What the chosen variant says or does."""
        return VARIANTS[self.kind][self.variant] if self.variant is not None else None

    @property
    def strikes_first(self) -> bool:
        """Before the call is even looked at."""
        return self.kind not in SHAPES and (self.frame == 1 or self.on != "answer")

    def strikes_in_place_of(self, number: int, last: bool) -> bool:
        """Whether this is the frame."""
        if self.kind in SHAPES or self.strikes_first:
            return False
        return number == self.frame or (last and number < self.frame)

    def concerns(self, call: Call) -> bool:
        same_model = self.model is None or tagged(self.model) == tagged(call.model or "")
        return same_model and call.kind == self.on


class FaultBook:
    """The rules that wait, oldest first."""

    def __init__(self) -> None:
        self.rules: list[Fault] = []

    def take(self, call: Call) -> Fault | None:
        """The rule that strikes this call, used up by one; every rule that concerns the call counts it."""
        concerned = [rule for rule in self.rules if rule.concerns(call)]
        for rule in concerned:
            rule.seen += 1
        struck = next((rule for rule in concerned if rule.seen >= rule.call), None)
        if struck is not None and struck.times is not None:
            struck.times -= 1
            if struck.times == 0:
                self.rules.remove(struck)
        return struck


def kind_of(kind: str | int) -> str:
    """A fault's name, from its name or from its row number."""
    name = FAULTS.get(int(kind)) if str(kind).isdigit() else kind
    if name not in FAULTS.values():
        raise ValueError(f"There is no fault {kind!r}; there are {', '.join(FAULTS.values())}.")
    return str(name)


def parse_fault(spec: str) -> Fault:
    """A rule from text: `10`, `drop,model=phi3:mini,frame=3`, `busy,times=all`."""
    kind, *pairs = (part.strip() for part in spec.split(","))
    given: dict[str, Any] = {}
    for name, _, value in (pair.partition("=") for pair in pairs):
        if name in ("call", "frame"):
            given[name] = int(value)
        elif name == "times":
            given[name] = None if value == "all" else int(value)
        elif name in ("seconds", "rate"):
            given[name] = float(value)
        elif name in ("model", "variant", "on", "to"):
            given[name] = value
        else:
            raise ValueError(
                f"A fault has no {name!r}; write for example: drop,model=phi3:mini,call=2,frame=5."
            )
    return Fault(kind, **given)
