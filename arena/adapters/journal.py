"""Every move of a battle on the disk before it is acknowledged, for an arena that keeps its battles
in memory and may be killed; the next start finds them.

A process has a file of its own, locked as long as it lives; what a process left that is gone is
taken up by whoever comes first. It is not waited for the disk itself, so a machine that loses
its power may lose the last moves, but never a vote. It does not know what a move is.
"""

import errno
import logging
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from glob import escape
from pathlib import Path

from arena.core.battle.entities import Battle
from arena.core.codec import line, read_line
from arena.core.errors import StoreFault

if sys.platform != "win32":
    import fcntl

log = logging.getLogger(__name__)

LARGEST = 16 * 1024**2
"""Bytes after which what is over is left out."""


class Journal:
    """path: what the files' names begin with, beside the ledger. kept: the battles to go on with
    when the file is written anew, each as a line, with when it was moved last."""

    def __init__(self, path: Path, kept: Callable[[], Iterable[tuple[float, str]]]) -> None:
        self._path = path
        self._kept = kept
        self._file: int | None = None
        self._own = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(3)}")
        self._size = 0
        self._largest = LARGEST
        self._growing = False

    def appear(self) -> None:
        """Be seen by others before there is a move."""
        try:
            self._begin()
        except (OSError, StoreFault) as error:
            self._lost(error)

    def keep(self, moved: float, battle: Battle) -> bool:
        """What cannot be written is told in the log: the battle goes on while the process lives."""
        told = _ended(moved, line(battle, Battle))
        try:
            full = self._size + len(told) > self._largest and not self._growing
            if self._file is None or full:
                self._begin()
            if self._file is not None:
                self._size = _added(self._file, told, self._size)
        except (OSError, StoreFault) as error:
            self._lost(error)
            return False
        return True

    @contextmanager
    def growing(self) -> Iterator[None]:
        """The file is not written anew meanwhile: while battles are taken up, those to go on with
        are not all there yet, and whatever they were in before is gone soon."""
        self._growing = True
        try:
            yield
        finally:
            self._growing, self._largest = False, max(LARGEST, 2 * self._size)

    def _lost(self, error: Exception) -> None:
        log.warning("a battle would not survive a crash: %s (%s)", self._own, error)

    def take_up(self, *older: Path) -> list[tuple[float, Battle]]:
        """The battles that were left by processes that are gone, as they were after their last
        move, and when that was. Their files are gone then, once all is kept here: this process may
        be killed too. older: what the names of other files begin with, beside these."""
        found: dict[str, tuple[float, Battle]] = {}
        read: list[Path] = []
        with ExitStack() as held:
            names = (self._path, *older)
            for left in sorted(f for n in names for f in n.parent.glob(f"{escape(n.name)}.*-*")):
                try:
                    file = held.enter_context(left.open("r+b"))
                except OSError:
                    continue
                if left == self._own or not _is_ours(file.fileno()):
                    continue
                read.append(left)
                for moved, battle in filter(None, map(_read, file)):
                    known = found.get(battle.id)
                    # The same may be told anew, with its name.
                    if known is None or known[1].version <= battle.version:
                        found[battle.id] = moved, battle
            if all(self.keep(*each) for each in found.values()):
                for left in read:
                    left.unlink(missing_ok=True)
        return list(found.values())

    def close(self, *, found_again: bool = False) -> None:
        """found_again: by the next start, as after a crash; else there is nothing to be found."""
        if self._file is not None:
            if not found_again:
                self._own.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None

    def _begin(self) -> None:
        """A new file, with what goes on. The old one's name is taken last of all."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._own.with_name(f"{self._own.name}.new")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        try:
            _is_ours(handle)
            size = 0
            for each in self._kept():
                size = _added(handle, _ended(*each), size)
            draft.replace(self._own)
        except BaseException:
            # Once it is closed it is nobody's, and another process would take up what is in it.
            draft.unlink(missing_ok=True)
            os.close(handle)
            raise
        if self._file is not None:
            os.close(self._file)
        self._file, self._size, self._largest = handle, size, max(LARGEST, 2 * size)


def living(path: Path) -> int:
    """How many processes keep their moves where a journal of this path does."""
    there = [f for f in path.parent.glob(f"{escape(path.name)}.*-*") if f.suffix != ".new"]
    if len(there) < 2:
        return len(there)  # A look takes the lock of what is gone for a moment, as a start does.
    count = 0
    for each in there:
        with suppress(OSError), each.open("r+b") as file:
            count += not _is_ours(file.fileno())
    return count


def _added(file: int, told: bytes, size: int) -> int:
    """The size of the file with the line at its end, whole or not at all: half of one would spoil
    the next. size: before that. Raises OSError."""
    if os.write(file, told) < len(told):
        os.ftruncate(file, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return size + len(told)


def _ended(moved: float, told: str) -> bytes:
    return f"{moved}\t{told}\n".encode()


def _read(told: bytes) -> tuple[float, Battle] | None:
    """None for one that was being written, or that this arena cannot read."""
    moved, _, battle = told.rpartition(b"\t")
    try:
        # An older arena wrote no time.
        return float(moved) if moved else time.time(), read_line(battle, Battle)
    except ValueError:
        return None


def _is_ours(file: int) -> bool:
    """Nobody else has it open who lives. On Windows others are only trusted to come at other times."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
