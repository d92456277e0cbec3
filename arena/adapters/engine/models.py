"""Which models the engine offers: their names, files and what their GGUF headers say.

It resolves names as Ollama does and writes what `/api/tags`, `/api/ps` and `/api/show` tell of one.
It does not know how a model is run or where its file came from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from arena.adapters.engine.gguf import read_info
from arena.adapters.engine.wire import WireError, rfc3339

# A Go duration ends after 292 years, and so does Ollama's "never unload".
_NEVER = "2318-01-01T00:00:00.000000000Z"
_SIGNS_OF_THINKING = ("<think>", "</think>", "enable_thinking", "reasoning_")


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """One model on disk. `context` is what it was trained for, in tokens, 0 if unknown; `tags` and
    `shown` are its entry in `/api/tags` and its `/api/show`."""

    name: str
    path: Path
    context: int
    thinks: bool
    tags: dict[str, Any]
    shown: dict[str, Any]

    def ps(self, context_length: int) -> dict[str, Any]:
        """Its entry in `/api/ps`. `size_vram` is 0: the engine runs on the CPU."""
        same = {key: self.tags[key] for key in ("name", "model", "size", "digest", "details")}
        return same | {"expires_at": _NEVER, "size_vram": 0, "context_length": context_length}


def install(name: str, path: Path, digest: str) -> InstalledModel:
    """Read what is to be known of a file whose sha256 is `digest`. Raises NotGguf or OSError."""
    stat, info, name = path.stat(), read_info(path), canonical(name)
    thinks = any(sign in info.chat_template for sign in _SIGNS_OF_THINKING)
    about = {
        "modified_at": rfc3339(datetime.fromtimestamp(stat.st_mtime, UTC)),
        "details": {
            "parent_model": "",
            "format": "gguf",
            "family": info.family,
            "families": [info.family],
            "parameter_size": info.parameter_size,
            "quantization_level": info.quantization,
            "context_length": info.context_length,
            "embedding_length": info.embedding_length,
        },
        "capabilities": ["completion", "thinking"] if thinks else ["completion"],
    }
    shown = {
        "license": info.license,
        "modelfile": f"FROM sha256-{digest}\n",
        "template": info.chat_template,
        "model_info": info.metadata,
    }
    tags = {"name": name, "model": name, "size": stat.st_size, "digest": digest}
    return InstalledModel(name, path, info.context_length, thinks, tags | about, shown | about)


def canonical(name: str) -> str:
    """The name with its tag: `smollm2` is `smollm2:latest`."""
    name = name.strip().removeprefix("registry.ollama.ai/").removeprefix("library/")
    return name if ":" in name.rsplit("/", 1)[-1] else f"{name}:latest"


class Shelf:
    """The installed models, newest first."""

    def __init__(self, models: Sequence[InstalledModel]) -> None:
        self.models = sorted(models, key=lambda model: model.tags["modified_at"], reverse=True)

    def find(self, name: str) -> InstalledModel:
        """By exact name, ignoring case, `:latest` added when no tag is given.
        Raises WireError 404."""
        wanted = canonical(name).lower()
        for model in self.models:
            if model.name.lower() == wanted:
                return model
        raise WireError(404, f"model '{name}' not found")
