"""A host as the pool sees it, whatever it speaks: what it has, what it holds, and one reply.

`ollama` and `openai` are the two kinds. It does not know other hosts, leases or battles.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from arena.core.battle.entities import Text, Thought

LENGTH = "length"
"""The done_reason of a reply that was cut."""

LOADING_OPTIONS = ("num_ctx", "num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread")
"""Those that Ollama loads a model anew for, where they differ; servers that speak OpenAI's API are
started with them."""

PREFILL_CHARACTERS_PER_S = 100
"""At least so many characters of a prompt are read in a second, also by a CPU that is shared."""

AN_IMAGE = 4000
"""Characters that take as long to read as an image, about."""

ONE_AT_A_TIME = frozenset(
    {
        "mllama",
        "qwen3vl",
        "qwen3vlmoe",
        "qwen35",
        "qwen35moe",
        "qwen3next",
        "lfm2",
        "lfm2moe",
        "nemotron_h",
        "nemotron_h_moe",
        "nemotron_h_omni",
    }
)
"""Families to which Ollama gives one slot whatever OLLAMA_NUM_PARALLEL says (server/sched.go)."""


@dataclass(frozen=True, slots=True)
class HostTimeouts:
    """Seconds. `cold` is for loading a model, `warm` for the first frame of one that is loaded,
    beside the time that its prompt takes; `gap` for each frame after it, `total` for a reply
    from its first word to its last."""

    connect: float = 3.0
    cold: float = 180.0
    warm: float = 30.0
    gap: float = 20.0
    total: float = 300.0
    listing: float = 5.0

    def first(self, messages: Sequence[Mapping[str, Any]], *, cold: bool) -> float:
        """For the first frame of a reply to these messages."""
        seen = sum(len(message.get("images", ())) for message in messages)
        characters = sum(len(message["content"]) for message in messages) + seen * AN_IMAGE
        return (self.cold if cold else self.warm) + characters / PREFILL_CHARACTERS_PER_S


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model that a host lists. Size in bytes, 0 where it is not told; `context_length` in
    tokens, likewise. remote: where its answers come from, if not from this host itself; barred:
    the host lets no prompt go there.
    families: words of the host's own for what it descends from. capabilities: completion,
    thinking, vision, …; None where the list does not tell."""

    name: str
    digest: str = ""
    size: int = 0
    quantization: str = ""
    remote: str = ""
    barred: bool = False
    families: tuple[str, ...] = ()
    capabilities: frozenset[str] | None = None
    context_length: int = 0


@dataclass(frozen=True, slots=True)
class ResidentModel:
    """A model that a host has loaded. Sizes in bytes; `size_vram` below `size` means partly on
    the CPU."""

    name: str
    digest: str
    size: int
    size_vram: int
    context_length: int


@dataclass(frozen=True, slots=True)
class ShownModel:
    """What a host tells of one model when asked. weights: the digest of the weights file, which
    models made FROM one another share; empty where it is not told. template: it has one of its
    own; marks: the marks and labels in that, None where they are not told; opens_thinking: it ends
    within thinking; told_how: it hears how to think, whatever the host knows of the model. remote:
    as in ListedModel. The card is for people: parameters, licence."""

    capabilities: frozenset[str] = frozenset()
    weights: str = ""
    template: bool = True
    marks: frozenset[str] | None = None
    opens_thinking: bool = False
    told_how: bool = False
    remote: str = ""
    families: tuple[str, ...] = ()
    context_length: int = 0
    parameter_size: str = ""
    license: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """One reply that is asked for. model: as the host calls it. think: one of
    core.battle.entities.THINK, or empty for no word about it. thought_tokens: what it may think
    beside its reply; reply_tokens: 0 for no limit. cold: the model may have to be loaded first.
    remote: its answers may come from elsewhere. phase: seconds after the common tick at which it
    is looked at, as whoever shows it does."""

    model: str
    messages: Sequence[Mapping[str, Any]]
    options: Mapping[str, Any] = field(default_factory=dict)
    think: str = ""
    reply_tokens: int = 0
    thought_tokens: int = 0
    cold: bool = False
    remote: bool = False
    phase: float = 0.0


@dataclass(frozen=True, slots=True)
class Ended:
    """The last piece of a reply, with what the host tells of it; None where it does not."""

    done_reason: str
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    tokens_per_s: float | None = None
    load_ms: float | None = None


HostPiece = Text | Thought | Ended


class Host(Protocol):
    """Everything that goes wrong is raised as core.errors.HostFault, with its kind."""

    url: str
    kind: str

    async def version(self) -> str: ...

    async def installed(self) -> tuple[ListedModel, ...]: ...

    async def resident(self) -> tuple[ResidentModel, ...] | None:
        """None where the host does not tell: its models are taken to be loaded."""

    async def show(self, model: str) -> ShownModel: ...

    async def preload(self, model: str, options: Mapping[str, Any]) -> None:
        """Load the model and return when it is resident."""

    async def unload(self, model: str) -> None:
        """Let the host forget the model, and return when it has."""

    def chat(self, request: Request) -> AsyncGenerator[Sequence[HostPiece], None]:
        """One reply as it comes, a piece for each of the host's frames; what came together is told
        together. The last piece is Ended. Close the generator to stop the generation."""

    async def close(self) -> None: ...
