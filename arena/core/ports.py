"""What the core needs from outside, as Protocols, with the typed events and the error tree.

It does not know who stands behind a port: an Ollama host or the embedded engine, SQLite or
PostgreSQL, memory or Redis.

    ArenaError
    ├── BadInput        what a person typed or clicked cannot be used         (400)
    ├── ConfigError     a setting has a wrong value                           (500)
    ├── UnknownBattle   no such battle here (any more)                        (404)
    ├── StaleVote       the battle has moved on since the page was drawn      (409)
    ├── NotYet          the move is not open in this phase                    (409)
    ├── NoCapacity      no host can take a battle now                         (503)
    ├── HostFault       a host failed while it was asked                      (502)
    │   └── UnknownModel    it does not have the model that was named         (502)
    ├── EngineFault     the embedded engine or its weights cannot be had      (503)
    └── LedgerFault     a vote could not be made durable                      (503)
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pandas as pd

    from arena.core.battle import Battle, Contender
    from arena.core.record import VoteRow


class ArenaError(Exception):
    """Anything the arena says no to. The text says what happened and what to do next; it is
    shown to people as it is, so it never names a contender, a model or a secret.

    `status` is the HTTP status, `title` the short name used in problem JSON (RFC 9457)."""

    status = 500
    title = "The arena failed"

    @property
    def public(self) -> str:
        """What anyone may read of it."""
        return str(self)


class BadInput(ArenaError):
    status = 400
    title = "That cannot be used"


class ConfigError(ArenaError):
    status = 500
    title = "A setting is wrong"


class UnknownBattle(ArenaError):
    status = 404
    title = "No such battle"


class StaleVote(ArenaError):
    status = 409
    title = "The battle has moved on"


class NotYet(ArenaError):
    status = 409
    title = "Not yet"


class NoCapacity(ArenaError):
    status = 503
    title = "No capacity"


class HostFault(ArenaError):
    """A host failed. `kind` is a word for the operator's counts; the text may name hosts and
    models and is therefore for the operator only, never for the page: that gets `public`."""

    status = 502
    title = "A host failed"

    def __init__(self, message: str, *, kind: str, host: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.host = host

    @property
    def public(self) -> str:
        return "A machine behind the arena failed. Please try again in a moment."


class UnknownModel(HostFault):
    title = "Model not installed"

    def __init__(self, message: str, *, host: str = "") -> None:
        super().__init__(message, kind="missing", host=host)


class EngineFault(ArenaError):
    status = 503
    title = "The embedded engine cannot run"


class LedgerFault(ArenaError):
    status = 503
    title = "The vote was not saved"


# What a host tells while it writes one reply -------------------------------------------------


@dataclass(frozen=True, slots=True)
class Queued:
    """All slots are taken; `place` counts from 1."""

    place: int


@dataclass(frozen=True, slots=True)
class Warming:
    """The model is being loaded; the first token will take longer."""


@dataclass(frozen=True, slots=True)
class Text:
    """The next piece of the reply."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The reply is complete. Times in milliseconds, speed in tokens per second."""

    host: str
    done_reason: str
    ttft_ms: float
    total_ms: float
    load_ms: float | None = None
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    tokens_per_s: float | None = None
    digest: str = ""
    quantization: str = ""
    ollama_version: str = ""


HostEvent = Queued | Warming | Text | Finished


class Hosts(Protocol):
    """One or many Ollama hosts."""

    def reply(
        self,
        contender: Contender,
        messages: Sequence[Mapping[str, str]],
        *,
        seed: int,
        avoid: frozenset[str] = frozenset(),
    ) -> AsyncIterator[HostEvent]:
        """Stream one reply; ends after `Finished`, or raises `HostFault`/`UnknownModel`.

        messages: [{"role": "system"|"user"|"assistant", "content": str}, …]. `avoid` names
        hosts that failed this reply already; they are used only if there is no other.
        `seed` is the same for all contenders of a battle."""
        ...

    def contenders(self) -> tuple[Contender, ...]:
        """The roster as far as it can play now, with the models' exact names."""
        ...

    def refusal(self) -> str:
        """Why no battle can be had now, in words for the page; empty when one can."""
        ...


# What the page is told -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pane:
    """One seat as anybody may see it. `state` is one of waiting, queued, warming, writing,
    complete, eliminated, champion, void; `turns` the texts shown so far, one a prompt."""

    seat: str
    state: str
    flagged: bool = False
    cut: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """Everything that may be known of a battle before the reveal, but for the texts."""

    battle: str
    version: int
    format: str
    phase: str
    round: int
    final: bool
    panes: tuple[Pane, ...]
    prompts: tuple[str, ...]
    to_come: int
    follow_up: bool
    notice: str = ""
    place: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """Text to append to the reply of `seat` to prompt number `turn` (from 0)."""

    seat: str
    turn: int
    text: str


@dataclass(frozen=True, slots=True)
class Delta:
    """What one tick adds to the panes."""

    pieces: tuple[Piece, ...]


Event = State | Delta


class Feed(Protocol):
    """The events of a battle, in order, kept from its first to its last."""

    async def publish(self, battle_id: str, event: Event) -> int:
        """Append the event; returns its number, from 1."""
        ...

    def follow(self, battle_id: str, after: int = 0) -> AsyncIterator[list[tuple[int, Event]]]:
        """All events numbered above `after`, then those to come, in batches that are never
        empty. An empty list is a sign of life each few seconds. Whoever follows is a viewer."""
        ...

    def viewers(self, battle_id: str) -> int:
        """How many follow the battle now."""
        ...


class Battles(Protocol):
    """The live battles. They survive a page reload, and in memory not a restart."""

    async def load(self, battle_id: str) -> Battle:
        """Raises `UnknownBattle`."""
        ...

    async def save(self, battle: Battle) -> None:
        """Store version n only over version n − 1 (or nothing); else raise `StaleVote`."""
        ...


class Ledger(Protocol):
    """Votes, append-only."""

    async def append(self, rows: Sequence[VoteRow]) -> bool:
        """Durable when it returns. False when this ballot was recorded before: nothing is
        written then. Raises `LedgerFault`, and then nothing is written either."""
        ...

    async def votes(self, columns: Sequence[str] = ()) -> pd.DataFrame:
        """One row a pair judged, in the order written; columns are those of `VoteRow`, or only
        the ones named, which spares reading every conversation."""
        ...

    async def count_by_contender(self) -> dict[str, int]:
        """Contender name → pairs judged so far that are ranked."""
        ...

    async def of_battle(self, battle_id: str) -> int:
        """How many rows the battle has."""
        ...


@dataclass(frozen=True, slots=True)
class Readiness:
    """How far the house is: shown on the page and on the terminal. `progress` is 0…1, or
    None where it cannot be told. Names no model."""

    ready: bool
    headline: str
    detail: str = ""
    progress: float | None = None
    demo: bool = False

    def as_json(self) -> dict[str, Any]:
        return {
            "ready": self.ready,
            "headline": self.headline,
            "detail": self.detail,
            "progress": self.progress,
            "demo": self.demo,
        }
