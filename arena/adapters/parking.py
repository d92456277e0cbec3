"""Battles under way, put aside in a file when a process ends and taken up by the next one.

For an arena that keeps its battles in memory. The file names contenders, so only its owner may
read it. It does not know what a battle is, beyond the form in which it is written.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from arena.core.battle import Battle
from arena.core.codec import Unreadable, decode, encode
from arena.core.ports import Event

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parked:
    """A battle with all that its viewers were told."""

    battle: Battle
    events: tuple[Event, ...]


def park(path: Path, battles: Sequence[Parked]) -> None:
    """Write them, one a line. What cannot be written is told in the log: the votes are safe."""
    if not battles:
        return
    lines = [json.dumps(encode(parked, Parked)) for parked in battles]
    draft = path.with_name(f"{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write("\n".join(lines))
        draft.replace(path)
    except OSError as error:
        log.warning("%d battles under way are lost: %s (%s)", len(lines), path, error.strerror)


def unpark(path: Path) -> list[Parked]:
    """What was put aside, once: the file is gone then. One that cannot be read is left beside
    it under another name."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError):
        log.warning("battles put aside in %s cannot be read", path)
        return []
    try:
        battles = [decode(json.loads(line), Parked) for line in text.split("\n")]
    except (Unreadable, json.JSONDecodeError):
        aside = path.with_name(f"{path.name}.unreadable")
        path.replace(aside)
        log.warning("battles put aside cannot be read; the file is kept as %s", aside)
        return []
    path.unlink()
    return battles
