"""What a fake host has seen and done, and a way to wait for the next change of it without sleeping.

Only records; decides nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal[
    "received",
    "pending",
    "loading",
    "queued",
    "prefill",
    "streaming",
    "done",
    "cancelled",
    "cut",
    "failed",
]

_TOLD = ("number", "method", "path", "model", "options", "keep_alive", "state", "tokens", "fault")


@dataclass(eq=False)
class Call:
    """One request as it was received, and how far it got.

    `state` ends as `done`, `cancelled` (the client left), `cut` (the fake hung up) or `failed` (an error was
    answered). `was` is the state before that end. `frames` and `tokens` are those that were sent. `fault` is
    the kind that was played on it, if any.
    """

    number: int
    connection: int
    method: str
    path: str
    headers: Mapping[str, str]
    raw_body: bytes
    body: dict[str, Any] = field(default_factory=dict)
    """The JSON object that was sent; empty when it was none."""
    state: State = "received"
    was: State = "received"
    frames: int = 0
    tokens: int = 0
    fault: str | None = None

    @property
    def model(self) -> str | None:
        """The model's name as the client spelled it."""
        return self.body.get("model") or self.body.get("name")

    @property
    def options(self) -> dict[str, Any]:
        return self.body.get("options") or {}

    @property
    def keep_alive(self) -> Any:
        return self.body.get("keep_alive")

    @property
    def messages(self) -> list[dict[str, Any]]:
        return self.body.get("messages") or []

    @property
    def kind(self) -> str:
        """`answer`, `preload`, or the path of any other endpoint."""
        if self.path not in ("/api/chat", "/api/generate"):
            return self.path
        return "answer" if self.messages or self.body.get("prompt") else "preload"


@dataclass
class Stats:
    """Counters and logs of one host; they survive its restarts."""

    requests: list[Call] = field(default_factory=list)
    log: list[tuple[str, str]] = field(default_factory=list)
    """(what, model) in order; what is loading, loaded, load aborted, evicted, reloaded, expired or unloaded."""
    connections_open: int = 0
    connections_made: int = 0
    tokens_sent: int = 0
    held: int = 0
    """Calls that a fault holds at this moment."""
    crashes: list[BaseException] = field(default_factory=list)
    _change: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def answers(self, model: str | None = None) -> list[Call]:
        """Calls that asked for text, of one model or of all."""
        return [
            call for call in self.requests if call.kind == "answer" and model in (None, call.model)
        ]

    def in_state(self, *states: State) -> list[Call]:
        return [call for call in self.requests if call.state in states]

    def _logged(self, what: str) -> list[str]:
        return [model for event, model in self.log if event == what]

    @property
    def active_streams(self) -> int:
        return len(self.in_state("streaming"))

    @property
    def cancelled(self) -> list[Call]:
        """Calls whose client left before the end."""
        return self.in_state("cancelled")

    @property
    def loads(self) -> list[str]:
        return self._logged("loaded")

    @property
    def evictions(self) -> list[str]:
        return self._logged("evicted")

    def move(self, call: Call, state: State) -> None:
        """Notes that `call` is in `state` now. An end is an end: what follows it is not noted."""
        if call.state in ("done", "cancelled", "cut", "failed"):
            return
        call.was, call.state = call.state, state
        self.changed()

    def count_token(self, call: Call) -> None:
        call.tokens += 1
        self.tokens_sent += 1
        self.changed()

    def hold(self, change: int) -> None:
        self.held += change
        self.changed()

    def note(self, what: str, model: str) -> None:
        self.log.append((what, model))
        self.changed()

    def changed(self) -> None:
        self._change.set()
        self._change = asyncio.Event()

    async def until(self, met: Callable[[], object], timeout_s: float) -> None:
        """Returns when `met()` is true; it is asked at once and after every change.

        Raises:
            TimeoutError: not within `timeout_s` seconds; the text tells the state of every call.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while not met():
                    await self._change.wait()
        except TimeoutError:
            calls = ", ".join(
                f"{call.path} {call.model or ''} {call.state}" for call in self.requests
            )
            raise TimeoutError(
                f"not met in {timeout_s} s. Calls: {calls or 'none'}. Log: {self.log}"
            ) from None

    def summary(self) -> dict[str, Any]:
        """The whole as plain JSON, for the control port."""
        return {
            "connections_open": self.connections_open,
            "connections_made": self.connections_made,
            "active_streams": self.active_streams,
            "tokens_sent": self.tokens_sent,
            "held": self.held,
            "cancelled": len(self.cancelled),
            "log": [list(entry) for entry in self.log],
            "requests": [{name: getattr(call, name) for name in _TOLD} for call in self.requests],
        }
