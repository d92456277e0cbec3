"""Images as files: those that votes name, beside a table of them as DIGEST.jpg, as the ledger keeps
them; and those that are named to open a battle with.

It knows the ledger as a port; it does not know what an image shows.
"""

import asyncio
import hashlib
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from arena.core.errors import BadInput
from arena.core.ports import Ledger

AT_ONCE = 20
DIGEST = re.compile("[0-9a-f]{64}")
JPEG = b"\xff\xd8\xff"

File = bytes | str | Path
"""Its content, or where it is."""


def contents(files: Sequence[File]) -> list[bytes]:
    """Raises BadInput."""
    if isinstance(files, File):
        raise BadInput("images is one file. Give a list of files, such as ['one.png'].")
    return [_content(file) for file in files]


def _content(file: File) -> bytes:
    if isinstance(file, bytes):
        return file
    try:
        return Path(file).read_bytes()
    except TypeError:
        raise BadInput("images is no list of files: give their paths, or bytes.") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise BadInput(f"There is no file {file!s:.200} to be read ({why}).") from None


async def write(ledger: Ledger, digests: Collection[str], folder: Path) -> int:
    """Returns how many of them are no longer kept. Raises OSError."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    gone = 0
    named = sorted(digests)
    for at in range(0, len(named), AT_ONCE):
        some = named[at : at + AT_ONCE]
        kept = await ledger.images(some)
        gone += len(some) - len(kept)
        for digest, image in kept.items():
            _place(folder, digest).write_bytes(image)
    return gone


def there(folder: Path, digests: Collection[str]) -> tuple[str, ...]:
    """Those that the folder has. Raises BadInput where a file is not what its name says."""
    if not folder.is_dir():
        raise BadInput(f"{folder} is no folder. Name the one that `arena export --images` wrote.")
    return tuple(digest for digest, _ in _read(folder, digests))


async def keep(ledger: Ledger, digests: Collection[str], folder: Path) -> None:
    """Into the ledger, one by one and for good, as votes name them."""
    for digest, image in _read(folder, digests):
        await ledger.keep_images({digest: image})
        await ledger.hold_images([digest])


def _read(folder: Path, digests: Collection[str]) -> Iterator[tuple[str, bytes]]:
    for digest in sorted(digests):
        # Votes may name anything, also a path.
        if not DIGEST.fullmatch(digest) or not _place(folder, digest).is_file():
            continue
        image = _place(folder, digest).read_bytes()
        if not image.startswith(JPEG) or hashlib.sha256(image).hexdigest() != digest:
            raise BadInput(
                f"{_place(folder, digest)} is not the image that votes name so. Copy it again, or "
                "take it away to import without it."
            )
        yield digest, image


def _place(folder: Path, digest: str) -> Path:
    return folder / f"{digest}.jpg"
