"""Battles under way, put aside in a file when a process ends and taken up by the next one.

For an arena that keeps its battles in memory. The file names contenders, so only its owner may
read it. It does not know what a battle is, beyond the form in which it is written.
"""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from arena.core.battle.entities import Battle
from arena.core.codec import line, read_line
from arena.core.ports import Event

if sys.platform != "win32":
    import fcntl

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parked:
    """A battle with all that its viewers were told, and the number of the last of it. moved: when
    it was moved last, in seconds since 1970; an older arena did not say that."""

    battle: Battle
    events: tuple[Event, ...]
    last: int = 0
    moved: float = field(default_factory=time.time)


def park(path: Path, battles: Sequence[Parked]) -> bool:
    """Write them, one a line, beside those that another process left there. False where they cannot
    be written, which is told in the log: the votes are safe."""
    if not battles:
        return True
    lines = [line(parked, Parked).encode() for parked in battles]
    draft = path.with_name(f"{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path.parent):
            there = [path.read_bytes()] if path.exists() else []
            _write(draft, there + lines)
            draft.replace(path)
    except OSError as error:
        told = "%d battles under way could not be put aside: %s (%s)"
        log.warning(told, len(lines), path, error.strerror)
        return False
    return True


def unpark(
    path: Path, kept: Callable[[float, Battle], bool] = lambda moved, battle: True
) -> list[Parked]:
    """What was put aside, once: the file is gone then, after `kept` was called with each battle;
    and again with those that it had no room for before. What cannot be read of it is left beside it
    under another name."""
    try:
        with _alone(path.parent):
            return _taken(path, kept)
    except FileNotFoundError:
        return []
    except OSError:
        log.warning("battles put aside in %s cannot be read", path)
        return []


def _taken(path: Path, kept: Callable[[float, Battle], bool]) -> list[Parked]:
    battles: list[Parked] = []
    unreadable: list[bytes] = []
    for told in path.read_bytes().split(b"\n"):
        try:
            battles.append(read_line(told, Parked))
        except ValueError:
            unreadable.append(told)
    if unreadable:
        aside = path.with_name(f"{path.name}.unreadable")
        _write(aside, unreadable)
        log.warning("%d battles put aside cannot be read; they are in %s", len(unreadable), aside)
    crowded_out = [parked for parked in battles if not kept(parked.moved, parked.battle)]
    path.unlink()
    for parked in crowded_out:
        kept(parked.moved, parked.battle)
    return battles


def _write(path: Path, lines: Sequence[bytes]) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(b"\n".join(lines))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No other process is in here with the same folder: those on one ledger share the file. On
    Windows, which opens no folders, the others are only trusted to come at other times."""
    if sys.platform == "win32":
        yield
        return
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)
