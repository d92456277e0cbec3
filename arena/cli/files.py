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

ANYBODY = 0o666


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


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
