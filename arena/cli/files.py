"""Files that commands write: whole or, if anything fails, as they were; and what is told then.

It does not know what is written.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_IMODE
from tempfile import NamedTemporaryFile
from typing import IO

from arena.core.errors import BadInput
from arena.settings import Settings

ANYBODY = 0o666
LEDGER = ("", "-wal", "-shm", "-journal")
"""How the files of a ledger end: its own, and what SQLite keeps beside it."""


def spare_ledger(settings: Settings, place: Path) -> None:
    """Raises BadInput where what is written would take the place of the ledger, or of a part."""
    if not (file := settings.ledger_file):
        return
    if any(_same(place, file.with_name(f"{file.name}{end}")) for end in LEDGER):
        raise BadInput(f"{place} is the ledger, or a part of it. Name another file.")


@contextmanager
def writable(place: Path) -> Iterator[None]:
    """A file or a folder. Raises BadInput for whatever the system says."""
    try:
        yield
    except OSError as error:
        raise BadInput(
            f"{place} cannot be written ({error.strerror}). Name a place that can be and has room."
        ) from None


@contextmanager
def replacing(place: Path) -> Iterator[IO[bytes]]:
    """A draft that takes the file's place, and its owner and rights, when all went well. A link
    stays one; a device or a pipe is written to, never replaced. Raises OSError."""
    place = place.resolve()
    if place.exists() and not place.is_file():
        with place.open("wb") as there:
            yield there
        return
    with NamedTemporaryFile(dir=place.parent, prefix=f"{place.name}.", delete=False) as file:
        draft = Path(file.name)
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            known = place.stat() if place.exists() else None
            # A temporary file is its owner's alone, any other new one as the umask says.
            draft.chmod(S_IMODE(known.st_mode) if known else ANYBODY & ~_umask())
            if known and hasattr(os, "chown"):
                with suppress(PermissionError):
                    os.chown(draft, known.st_uid, known.st_gid)
            draft.replace(place)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise


def _same(one: Path, other: Path) -> bool:
    """Also by a link of either kind."""
    with suppress(OSError):
        return one.samefile(other)
    return one.resolve() == other.resolve()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
