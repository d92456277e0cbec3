"""Tables of a study, row by row: prompts and replies from a file of rows, or a folder of texts.

It does not know what the rows mean, nor which columns there have to be.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from arena.core.errors import BadInput
from arena.core.study.file import Row
from arena.exchange.reading import EVERY, lines_of, readable

TEXTS = (".txt", ".md")


def rows_of(place: Path) -> Iterator[Row]:
    """Raises BadInput where it cannot be read at all."""
    if place.is_dir():
        yield from _folder(place)
        return
    for line in lines_of(place, EVERY):
        yield f"{place.name}, {line.place}", line.record, line.fault


def with_images(
    rows: Iterable[Row], folder: Path, cleaned: Callable[[bytes], bytes], kept: dict[str, bytes]
) -> Iterator[Row]:
    """The rows with digests where files of images are named, or held as data sets hold them.
    cleaned: makes an image anew from a file's bytes. kept: where what was made goes, by digest."""
    for place, row, wrong in rows:
        if not row or not row.get("image"):
            yield place, row, wrong
            continue
        try:
            made = [cleaned(_bytes(each, folder)) for each in _several(row["image"])]
        except (BadInput, OSError, ValueError) as error:
            yield place, None, f"image: {error}"
            continue
        kept |= {sha256(image).hexdigest(): image for image in made}
        yield place, {**row, "image": [sha256(image).hexdigest() for image in made]}, wrong


def _several(image: Any) -> list[Any]:
    """One, a list, or a list as JSON."""
    if isinstance(image, str) and image.lstrip().startswith("["):
        image = json.loads(image)
    return image if isinstance(image, list) else [image]


def _bytes(image: Any, folder: Path) -> bytes:
    if isinstance(image, dict) and isinstance(image.get("bytes"), bytes):
        return bytes(image["bytes"])
    if not isinstance(image, str):
        raise BadInput("Name a file, or a list of files.")
    try:
        return (folder / image).read_bytes()
    except OSError as error:
        raise BadInput(f"There is no file {image} to be read ({error.strerror}).") from None


def _folder(place: Path) -> Iterator[Row]:
    for file in sorted(place.iterdir()):
        if file.suffix.lower() in TEXTS:
            with readable(file):
                yield file.name, {"id": file.stem, "prompt": file.read_text("utf-8-sig")}, ""
