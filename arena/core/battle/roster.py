"""The roster: which contenders there are, from model names, from a TOML text, or for a demo.

Pure: the TOML comes as text. It does not know which models a host has.
"""

import json
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from arena.core.battle.entities import THINK, Contender
from arena.core.errors import ConfigError

ALLOWED = {"name", "model", "system", "options", "topics", "think", "sees"}


def of_models(models: Iterable[str]) -> tuple[Contender, ...]:
    """One contender a model, named like it."""
    return tuple(Contender(name=m, model=m) for m in models)


def demo(model: str) -> tuple[Contender, ...]:
    """Three contenders of one model that differ in system prompt and temperature."""
    text = Path(__file__).with_name("demo.toml").read_text(encoding="utf-8")
    return parse(text.replace("{model}", model), "demo.toml")


def parse(text: str, source: str) -> tuple[Contender, ...]:
    """TOML with a [[contender]] table for each: name, model, and optionally system, options,
    topics, think, sees. Raises ConfigError with `source` and what is wrong."""
    try:
        tables = tomllib.loads(text).get("contender", [])
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"ARENA_ROSTER={source}: not valid TOML ({error}).") from None
    if not isinstance(tables, list) or len(tables) < 2:
        raise ConfigError(f"ARENA_ROSTER={source}: at least two [[contender]] tables are needed.")
    roster = tuple(_contender(table, source) for table in tables)
    names = [c.name for c in roster]
    if len(set(names)) < len(names):
        raise ConfigError(f"ARENA_ROSTER={source}: two contenders have the same name.")
    return roster


def _contender(table: Any, source: str) -> Contender:
    if not isinstance(table, dict) or table.keys() - ALLOWED:
        raise ConfigError(
            f"ARENA_ROSTER={source}: a contender has only {', '.join(sorted(ALLOWED))}."
        )
    name, model = table.get("name"), table.get("model")
    system, options = table.get("system", ""), table.get("options", {})
    topics = table.get("topics", [])
    if not (isinstance(name, str) and name and isinstance(model, str) and model):
        raise ConfigError(f"ARENA_ROSTER={source}: each contender needs a name and a model.")
    if not (isinstance(system, str) and isinstance(options, dict) and isinstance(topics, list)):
        raise ConfigError(
            f"ARENA_ROSTER={source}: {name}: system is a text, options a table, topics a list."
        )
    try:
        json.dumps(options, allow_nan=False)
    except (TypeError, ValueError):
        raise ConfigError(
            f"ARENA_ROSTER={source}: {name}: options are numbers, texts, true or false, or lists "
            "of them."
        ) from None
    for option in ("num_ctx", "num_predict"):
        if option in options and type(options[option]) is not int:
            raise ConfigError(f"ARENA_ROSTER={source}: {name}: {option} is a whole number.")
    think = table.get("think", "")
    if think not in (*THINK, ""):
        raise ConfigError(
            f"ARENA_ROSTER={source}: {name}: think is one of {', '.join(THINK)}, as a text."
        )
    sees = table.get("sees")
    if not isinstance(sees, bool | None):
        raise ConfigError(f"ARENA_ROSTER={source}: {name}: sees is true or false.")
    return Contender(name, model, system, options, tuple(map(str, topics)), think, sees)
