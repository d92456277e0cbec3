"""Files of votes and other rows, one by one: CSV, JSON lines, a JSON array, Parquet; told apart by
what is in them, not by their names.

A file is never held whole. Rows come as they stand, with the number an editor shows; what they
mean is another's business.
"""

import csv
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from string import ascii_letters, digits
from typing import Any, TextIO

from arena.core.errors import BadInput
from arena.core.signs import unseen
from arena.exchange import lmarena, parquet
from arena.exchange.layouts import LAYOUTS, layout_of

NEEDED = ("model_a", "model_b", "winner")
WANTED = frozenset(
    {*lmarena.FIELDS, *lmarena.OLDER_NAMES, *lmarena.FLAGS, "anony", "turn", "prompt"}
    | {"response_a", "response_b", "response_1", "response_2"}
).union(*(layout.read | layout.known_by for layout in LAYOUTS))
"""Columns that are read; others are passed over."""

ROW = "row"
OURS = (
    frozenset(("prompt_id", "reply", "written_at")),
    frozenset(("prompt_id", "prompt", "turns")),
)
"""By which tables of studies that were exported here are known: their cells are guarded."""

LARGEST_CELL = 1 << 27
"""Characters; a quotation mark that is never closed would swallow the rest of the file."""

READ_AT_ONCE = 1 << 20
PLAIN = frozenset(("", *ascii_letters, *digits))
"""How most texts begin."""
SPACE = re.compile(r"\s*")
COMPRESSED = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
"""How files begin that have to be unpacked first."""


@dataclass(frozen=True, slots=True)
class Line:
    """A row: its number from 1, which in CSV and JSON lines is that of its first line; its
    columns, or what is wrong with it; and the part of the file that is read by then (0…1)."""

    number: int
    record: Mapping[str, Any] | None
    fault: str
    part: float
    counted: str = "line"

    @property
    def place(self) -> str:
        return f"{self.counted} {self.number}"


@dataclass(frozen=True, slots=True)
class Columns:
    """check: raises BadInput, by the file's name, where those that it has make no row. wanted: is
    one of this name read? record: what is kept of a line of CSV, by the names in its first."""

    check: Callable[[str, Iterable[Any]], None]
    wanted: Callable[[str], bool]
    record: Callable[[Sequence[str], Sequence[str]], dict[str, Any]]


def lines_of(path: Path, columns: Columns) -> Iterator[Line]:
    """Every row of a file. Raises BadInput where it cannot be read, is empty, or lacks the
    columns that make one."""
    with readable(path):
        size = path.stat().st_size
        if not path.is_file() and not path.is_dir():
            raise BadInput(
                f"{path} is no file but a pipe or a device, which cannot be read twice. Save what "
                "comes from it in a file, and name that."
            )
        with path.open("rb") as file:
            start = file.read(4096)
    if start.startswith(COMPRESSED):
        raise BadInput(f"{path.name} is compressed. Unpack it, then name what was in it.")
    if not start.strip():
        raise BadInput(f"{path.name} is empty. Name one with rows.")
    if start.startswith(b"PAR1") or path.suffix.lower() in (".parquet", ".pq"):
        return _parquet(path, columns)
    with readable(path):
        text = path.open(encoding="utf-8-sig", newline="")
    sign = start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    read = {b"[": _array, b"{": _json_lines}.get(sign, _csv)
    return _closing(text, read(path.name, text, size, columns))


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Raises BadInput for whatever the system says, or where it is not UTF-8."""
    try:
        yield
    except FileNotFoundError:
        raise BadInput(f"There is no file {path}. Check its name and folder.") from None
    except IsADirectoryError:
        raise BadInput(f"{path} is a folder. Name the files in it.") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise _no_utf8(path) from None


def _closing(text: TextIO, lines: Iterator[Line]) -> Iterator[Line]:
    with text, readable(Path(text.name)):
        yield from lines


def _no_utf8(path: Path) -> BadInput:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):  # noqa: B007 -- told below
            try:
                line.decode()
            except UnicodeDecodeError:
                break
    return BadInput(
        f"{path.name} is not UTF-8 (line {number} cannot be read). Save it again as UTF-8; "
        "spreadsheets call that CSV UTF-8."
    )


def _check_votes(name: str, columns: Iterable[Any]) -> None:
    """name: of the file."""
    found = [str(column) for column in columns]
    if twice := [column for column in WANTED if found.count(column) > 1]:
        raise BadInput(
            f"{name} has the column {', '.join(sorted(twice))} more than once. Leave one of each."
        )
    if layout_of(found):
        return
    known = {lmarena.OLDER_NAMES.get(column, column) for column in found}
    if known >= lmarena.FLAGS.keys():
        known.add("winner")
    if missing := [column for column in NEEDED if column not in known]:
        has = ", ".join(found[:12]) + (", …" if len(found) > 12 else "")
        raise BadInput(
            f"{name} has no column {', '.join(missing)}. A vote needs {', '.join(NEEDED)}; this "
            f"file has: {has or 'none'}."
        )


# CSV -------------------------------------------------------------------------------------------


def guarded(text: str) -> str:
    """A text that no spreadsheet takes for a formula: one that begins like one gets an
    apostrophe in front, and so does one that looks guarded already. `_unguarded` undoes it."""
    return f"'{text}" if _is_formula(text) else text


def _unguarded(text: str) -> str:
    return text[1:] if text.startswith("'") and _is_formula(text) else text


def _is_formula(text: str) -> bool:
    """What is not seen is passed over by whoever looks for one, and so are marks; the signs may be
    wide, small, raised or lowered."""
    if text[:1] in PLAIN:
        return False
    begun = text.lstrip("'")
    if begun.startswith(("\t", "\r", "\n")):
        return True
    seen = (sign for sign in begun if not (unseen(sign) or unicodedata.category(sign) == "Mc"))
    return unicodedata.normalize("NFKC", next(seen, "")).startswith(("=", "+", "-", "@"))


def _csv(name: str, text: TextIO, size: int, columns: Columns) -> Iterator[Line]:
    # For the whole process, as the module has it.
    csv.field_size_limit(LARGEST_CELL)
    first = text.readline()
    delimiter = max(",;\t", key=first.count)
    spaced = 0 < first.count(delimiter) == first.count(f"{delimiter} ")
    text.seek(0)
    rows = csv.reader(text, delimiter=delimiter, skipinitialspace=spaced, strict=True)
    header: list[str] = []
    while True:
        number, cells = rows.line_num + 1, []
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield Line(number, None, f"is no CSV from here on ({error})", 1.0)
            return
        part = text.buffer.tell() / size
        if not cells:
            continue
        if not header:
            header = [cell.strip() for cell in cells]
            columns.check(name, header)
        elif len(cells) != len(header):
            fault = f"has {len(cells)} cells where the first line has {len(header)}"
            yield Line(number, None, fault, part)
        else:
            yield Line(number, columns.record(header, cells), "", part)


def _of_votes(header: Sequence[str], cells: Sequence[str]) -> dict[str, Any]:
    return {
        name: _unguarded(cell)
        for name, cell in zip(header, cells, strict=True)
        if cell and name in WANTED
    }


VOTES = Columns(_check_votes, WANTED.__contains__, _of_votes)


def _as_they_stand(header: Sequence[str], cells: Sequence[str]) -> dict[str, Any]:
    ours = any(known.issubset(header) for known in OURS)
    return dict(zip(header, map(_unguarded, cells) if ours else cells, strict=True))


EVERY = Columns(lambda name, columns: None, lambda column: True, _as_they_stand)


# JSON ------------------------------------------------------------------------------------------


def _json_lines(name: str, text: TextIO, size: int, columns: Columns) -> Iterator[Line]:
    checked = False
    for number, line in enumerate(_split(text), 1):
        if not line.strip():
            continue
        part = text.buffer.tell() / size
        try:
            made = _object(number, json.loads(line), part)
        except (ValueError, RecursionError) as error:
            made = Line(number, None, f"is no JSON ({error})", part)
        if made.record is not None and not checked:
            columns.check(name, made.record)
            checked = True
        yield made


def _split(text: TextIO) -> Iterator[str]:
    """At line feeds alone: other ends of line may stand inside a text."""
    rest = ""
    while piece := text.read(READ_AT_ONCE):
        *whole, rest = (rest + piece).split("\n")
        yield from whole
    if rest:
        yield rest


def _object(number: int, value: Any, part: float) -> Line:
    if not isinstance(value, dict):
        return Line(number, None, "is no object with columns", part)
    return Line(number, value, "", part)


def _array(name: str, text: TextIO, size: int, columns: Columns) -> Iterator[Line]:
    """The objects of one array, by their number in it."""
    decoder = json.JSONDecoder()
    held, number, more = text.read(READ_AT_ONCE), 0, True
    at, due = held.index("[") + 1, "value or ]"
    while True:
        at = SPACE.match(held, at).end()  # type: ignore[union-attr]
        sign, fault = held[at : at + 1], ""
        if not sign and due == "nothing" and not more:
            return
        if sign and due == "nothing":
            fault = "something follows the end of the array"
        elif sign == "]" and due != "value":
            at, due = at + 1, "nothing"
            continue
        elif sign == "," and due == ", or ]":
            at, due = at + 1, "value"
            continue
        elif sign and due == ", or ]":
            fault = "a comma is missing"
        elif sign:
            try:
                value, at = decoder.raw_decode(held, at)
                due = ", or ]"
            except (ValueError, RecursionError) as error:
                sign, fault = "", str(error)
        if sign and not fault:
            number += 1
            part = text.buffer.tell() / size
            made = replace(_object(number, value, part), counted=ROW)
            if number == 1 and made.record is not None:
                columns.check(name, made.record)
            yield made
            continue
        if sign or not more:
            said = fault or "the array has no end"
            yield Line(number + 1, None, f"is no JSON from here on ({said})", 1.0, ROW)
            return
        # As much again each time, so that a long object is not begun over and over.
        piece = text.read(max(READ_AT_ONCE, len(held) - at))
        held, at, more = held[at:] + piece, 0, bool(piece)


def _parquet(path: Path, columns: Columns) -> Iterator[Line]:
    def chosen(names: list[str]) -> list[str]:
        columns.check(path.name, names)
        return list(filter(columns.wanted, names))

    for number, (part, record) in enumerate(parquet.rows_of(path, chosen), 1):
        yield Line(number, record, "", part, ROW)
