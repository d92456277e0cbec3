"""Which models the engine offers: their names, files and what their GGUF headers say.

It resolves names as Ollama does and writes the entries of `/api/tags`, `/api/ps` and `/api/show`.
It does not know how a model is run or where its file came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from arena.adapters.engine import wire
from arena.adapters.engine.gguf import GgufInfo, read_info
from arena.adapters.engine.wire import WireError

_SIGNS_OF_THINKING = ("<think>", "</think>", "enable_thinking", "reasoning_")


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """One model on disk. `size` in bytes; `digest` is the file's sha256, 64 hex digits."""

    name: str
    path: Path
    digest: str
    size: int
    modified: datetime
    info: GgufInfo

    @property
    def thinks(self) -> bool:
        return any(sign in self.info.chat_template for sign in _SIGNS_OF_THINKING)

    @property
    def capabilities(self) -> list[str]:
        return ["completion", "thinking"] if self.thinks else ["completion"]

    @property
    def details(self) -> dict[str, Any]:
        return {
            "parent_model": "",
            "format": "gguf",
            "family": self.info.family,
            "families": [self.info.family],
            "parameter_size": self.info.parameter_size,
            "quantization_level": self.info.quantization,
            "context_length": self.info.context_length,
            "embedding_length": self.info.embedding_length,
        }

    def tags_entry(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "model": self.name,
            "modified_at": wire.rfc3339(self.modified),
            "size": self.size,
            "digest": self.digest,
            "details": self.details,
            "capabilities": self.capabilities,
        }

    def ps_entry(self, expires: datetime, context_length: int) -> dict[str, Any]:
        """`size_vram` is 0: the engine runs on the CPU."""
        return {
            "name": self.name,
            "model": self.name,
            "size": self.size,
            "digest": self.digest,
            "details": self.details,
            "expires_at": wire.rfc3339(expires),
            "size_vram": 0,
            "context_length": context_length,
        }

    def show_body(self) -> dict[str, Any]:
        return {
            "license": self.info.license,
            "modelfile": f"FROM sha256-{self.digest}\n",
            "template": self.info.chat_template,
            "details": self.details,
            "model_info": self.info.metadata,
            "capabilities": self.capabilities,
            "modified_at": wire.rfc3339(self.modified),
        }


def install(name: str, path: Path, digest: str) -> InstalledModel:
    """Read what is to be known of a file. Raises NotGguf or OSError."""
    stat = path.stat()
    modified = datetime.fromtimestamp(stat.st_mtime, UTC)
    return InstalledModel(canonical(name), path, digest, stat.st_size, modified, read_info(path))


def canonical(name: str) -> str:
    """The name with its tag: `smollm2` is `smollm2:latest`."""
    name = name.strip()
    for default in ("registry.ollama.ai/", "library/"):
        name = name.removeprefix(default)
    return name if ":" in name.rsplit("/", 1)[-1] else f"{name}:latest"


class Shelf:
    """The installed models, newest first."""

    def __init__(self, models: Sequence[InstalledModel]) -> None:
        self.models = sorted(models, key=lambda model: model.modified, reverse=True)

    def find(self, name: str) -> InstalledModel:
        """By exact name, ignoring case, `:latest` added when no tag is given.
        Raises WireError 404."""
        wanted = canonical(name).lower()
        for model in self.models:
            if model.name.lower() == wanted:
                return model
        raise WireError(404, f"model '{name}' not found")
