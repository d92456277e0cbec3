"""Names that people type for models, matched to what is installed on a host.

Exact, then `:latest`, then squeezed (`llama3.1-8b` = `llama3.1:8b`), then a base name that only
one installed tag has. Never a download. Facts on names: Ollama's types/model/name.go.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence

from arena.core.ports import ConfigError, UnknownModel

CLOUD = re.compile(r"[:-]cloud$")


def match(typed: str, installed: Sequence[str]) -> str:
    """The installed name that is meant. Raises UnknownModel with suggestions, or ConfigError
    for a cloud name (those leave the machine) and for a name that fits several."""
    wanted = _plain(typed)
    if CLOUD.search(wanted):
        raise ConfigError(
            f"{typed!r} is a cloud model: its prompts would leave your machines. "
            "Name a model that is installed on the host."
        )
    names = {_plain(name): name for name in installed}
    for candidate in (wanted, wanted if ":" in wanted.rsplit("/", 1)[-1] else f"{wanted}:latest"):
        if candidate in names:
            return names[candidate]
    by_key = [n for n in installed if _squeeze(n) == _squeeze(typed)]
    if len(by_key) == 1:
        return by_key[0]
    if ":" not in wanted:
        by_base = [n for n in installed if _plain(n).split(":")[0] == wanted]
        if len(by_base) == 1:
            return by_base[0]
        if by_base:
            raise ConfigError(f"{typed!r} fits several models: {', '.join(by_base)}. Name one.")
    raise UnknownModel(_unknown(typed, wanted, names))


def _unknown(typed: str, wanted: str, names: dict[str, str]) -> str:
    near: Iterable[str] = difflib.get_close_matches(wanted, names, n=3, cutoff=0.5)
    hint = ", ".join(names[n] for n in near) or ", ".join(list(names.values())[:5]) or "nothing"
    return (
        f"The model {typed!r} is not installed. Near it: {hint}. "
        f"Install it with `ollama pull {typed}` or change ARENA_MODELS."
    )


def _plain(name: str) -> str:
    name = unicodedata.normalize("NFKC", name).strip().lower()
    for prefix in ("https://", "http://", "registry.ollama.ai/", "library/"):
        name = name.removeprefix(prefix)
    return name


def _squeeze(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", _plain(name)).removesuffix("latest")
