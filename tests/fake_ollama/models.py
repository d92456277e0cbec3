"""What is installed on a fake host: sizes, speeds, capabilities and the text that each model answers.

The same model, messages and seed always give the same text, and no text ever names its model. Knows nothing of
HTTP or of who is loaded.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

GIB = 2**30
KIB = 2**10

Messages = Sequence[Mapping[str, Any]]
Writer = Callable[[Messages, Mapping[str, Any]], str]

_OPENINGS = (
    "In short",
    "Put plainly",
    "At first glance",
    "Seen from afar",
    "As a rule of thumb",
    "On balance",
)
_SUBJECTS = (
    "a slow river",
    "the older method",
    "every careful reader",
    "a small sample",
    "the second measurement",
    "an honest estimate",
    "the warm side of the wall",
    "a crowded harbour",
    "the shortest proof",
    "a quiet engine",
)
_VERBS = (
    "explains",
    "outlasts",
    "depends on",
    "hides",
    "corrects",
    "borrows from",
    "agrees with",
    "replaces",
)
_OBJECTS = (
    "the pattern underneath",
    "what was counted twice",
    "a rough map of the town",
    "its own starting point",
    "the cost of being wrong",
    "two simpler steps",
    "the habits of the people who use it",
    "most of the noise",
)
_TAILS = (
    "",
    " in most cases",
    " after a while",
    ", which is easy to miss",
    " when nobody is in a hurry",
)


@dataclass(frozen=True)
class FakeModel:
    """One installed model.

    `weights_gib` and `kv_kib_per_token` decide what fits; `load_s`, `ttft_s` (seconds) and `tokens_per_s` are
    divided by, or multiplied with, the host's `speed`. `text` is a fixed answer or a function of (messages, options).
    `pieces` are the frames of a fixed answer, each as it is. `thinking` is what a thinking model thinks,
    `always_thinks` also when told not to. `remote` is the host that really answers. A prompt has
    `tokens_per_character`, and one beyond num_ctx is cut. Two models with one `digest` are aliases; two with one `blob` share
    their weights, and so one runner.
    """

    name: str
    weights_gib: float = 4.0
    kv_kib_per_token: float = 128.0
    load_s: float = 2.0
    tokens_per_s: float = 50.0
    capabilities: tuple[str, ...] = ("completion",)
    digest: str = ""
    ttft_s: float = 0.05
    text: str | Writer | None = None
    pieces: tuple[str, ...] = ()
    thinking: str | None = None
    max_ctx: int = 131072
    blob: str = ""
    family: str = "llama"
    parameter_size: str = "7.0B"
    quantization: str = "Q4_K_M"
    system: str = ""
    always_thinks: bool = False
    remote: str = ""
    tokens_per_character: float = 0.25
    template: str = (
        "{{ range .Messages }}<|{{ .Role }}|>{{ .Content }}<|end|>{{ end }}<|assistant|>"
    )
    licence: str = "Free to fake."

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", tagged(self.name))
        object.__setattr__(
            self, "digest", self.digest or hashlib.sha256(self.name.encode()).hexdigest()
        )
        object.__setattr__(self, "blob", self.blob or self.digest)
        if self.thinking is not None and "thinking" not in self.capabilities:
            object.__setattr__(self, "capabilities", (*self.capabilities, "thinking"))

    def alias(self, name: str) -> FakeModel:
        """The same model under a second name, as `ollama cp` makes it."""
        return dataclasses.replace(self, name=name)

    def variant(self, name: str, system: str) -> FakeModel:
        """A persona on the same weights, as `ollama create` makes it."""
        digest = hashlib.sha256(f"{self.digest} {name} {system}".encode()).hexdigest()
        return dataclasses.replace(self, name=name, digest=digest, blob=self.blob, system=system)

    @property
    def weights(self) -> int:
        """Bytes on disk."""
        return int(self.weights_gib * GIB)

    @property
    def details(self) -> dict[str, Any]:
        return {
            "parent_model": "",
            "format": "gguf",
            "family": self.family,
            "families": [self.family],
            "parameter_size": self.parameter_size,
            "quantization_level": self.quantization,
        }

    def answer(self, messages: Messages, options: Mapping[str, Any]) -> list[str]:
        """The frames of its answer."""
        if self.pieces:
            return list(self.pieces)
        return tokens_of(self._text(messages, options))

    def _text(self, messages: Messages, options: Mapping[str, Any]) -> str:
        if callable(self.text):
            return self.text(messages, options)
        if self.text is not None:
            return self.text
        said = json.dumps(
            [self.digest, list(messages), options.get("seed", -1)], sort_keys=True, default=str
        )
        return invented_text(random.Random(hashlib.sha256(said.encode()).digest()))


def tagged(name: str) -> str:
    """`name` with `:latest` added when it has no tag."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def tokens_of(text: str) -> list[str]:
    """`text` cut into pieces of about a token's size; joined they are `text` again."""
    return re.findall(r"\s*\S{1,6}|\s+", text)


def _sentence(rng: random.Random, opening: bool = False) -> str:
    subject = rng.choice(_SUBJECTS)
    start = f"{rng.choice(_OPENINGS)}, {subject}" if opening else subject[0].upper() + subject[1:]
    return f"{start} {rng.choice(_VERBS)} {rng.choice(_OBJECTS)}{rng.choice(_TAILS)}."


def invented_text(rng: random.Random) -> str:
    """A page of harmless Markdown: a paragraph, then now and then a heading, a list or a code block, then an end."""
    parts = [" ".join([_sentence(rng, opening=True), _sentence(rng)])]
    if rng.random() < 0.4:
        parts.append(f"### What {rng.choice(_VERBS)} what")
    if rng.random() < 0.6:
        parts.append(
            "\n".join(
                f"- **{rng.choice(_SUBJECTS)}**: {_sentence(rng)}" for _ in range(rng.randint(2, 4))
            )
        )
    if rng.random() < 0.3:
        low, high = sorted(rng.sample(range(2, 99), 2))
        parts.append(f"```python\nfor step in range({low}, {high}):\n    print(step * step)\n```")
    parts.append(_sentence(rng, opening=True))
    return "\n\n".join(parts)


LLAMA = FakeModel("llama3.1:8b", 4.58, 128, load_s=3.0, tokens_per_s=45, parameter_size="8.0B")
MISTRAL = FakeModel(
    "mistral:7b", 4.07, 128, load_s=2.7, tokens_per_s=50, max_ctx=32768, parameter_size="7.2B"
)
PHI = FakeModel(
    "phi3:mini",
    2.03,
    384,
    load_s=1.5,
    tokens_per_s=85,
    family="phi3",
    parameter_size="3.8B",
    quantization="Q4_0",
)
