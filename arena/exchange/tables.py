"""Tables of a study, row by row: prompts and replies from CSV, JSON lines, Parquet, or a folder
of texts; told apart by their names.

It does not know what the rows mean, nor which columns there have to be.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from arena.core.errors import BadInput
from arena.core.study.file import Row

TEXTS = (".txt", ".md")
LARGEST_CELL = 1 << 24


def rows_of(place: Path) -> Iterator[Row]:
    """Raises BadInput where it cannot be read at all."""
    kinds = {".jsonl": _json_lines, ".ndjson": _json_lines, ".parquet": _parquet, ".csv": _csv}
    try:
        if place.is_dir():
            yield from _folder(place)
        elif read := kinds.get(place.suffix.lower()):
            yield from read(place)
        else:
            raise BadInput(
                f"{place} is of no known kind. Name a .csv, .jsonl or .parquet file, or a folder "
                "of .txt files."
            )
    except FileNotFoundError:
        raise BadInput(f"There is no file {place}. Check its name and folder.") from None
    except UnicodeDecodeError:
        raise BadInput(f"{place} is not UTF-8. Save it again as UTF-8.") from None
    except (OSError, csv.Error, pa.ArrowException) as error:
        raise BadInput(f"{place} cannot be read ({error}).") from None


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
            yield file.name, {"id": file.stem, "prompt": file.read_text("utf-8")}, ""


def _csv(place: Path) -> Iterator[Row]:
    csv.field_size_limit(LARGEST_CELL)
    with place.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline()
        file.seek(0)
        rows = csv.DictReader(file, delimiter=max(",;\t", key=first.count), strict=True)
        before = 1
        for row in rows:
            # Of the row's first line: a text may have several.
            number, before = before + 1, rows.line_num
            where = f"{place.name}, line {number}"
            whole = None not in row and None not in row.values()
            yield where, row if whole else None, "The row has not as many cells as the first line."


def _json_lines(place: Path) -> Iterator[Row]:
    with place.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            where = f"{place.name}, line {number}"
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield where, None, f"This is no JSON ({error})."
            else:
                yield where, row if isinstance(row, dict) else None, "This is no object."


def _parquet(place: Path) -> Iterator[Row]:
    for number, row in enumerate(parquet.read_table(place).to_pylist(), start=1):
        yield f"{place.name}, row {number}", row, ""
