"""What is wrong with a study's file, and where.

It does not know what is right.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from arena.core.errors import BadInput

_NAME = r"""(?:[\w-]+|"[^"]*"|'[^']*')"""
_PATH = rf"({_NAME}(?:\s*\.\s*{_NAME})*)"
_TABLE = re.compile(rf"\s*(\[\[?)\s*{_PATH}\s*\]")
_KEY = re.compile(rf"\s*{_PATH}\s*=")
_QUOTED = re.compile(r"""["'\s]""")
_LINE = re.compile(r"\(at line (\d+), column \d+\)")
_QUOTES = ('"""', "'''")


@dataclass(frozen=True, slots=True)
class Fault:
    """place: a line, as `study.toml, line 3`."""

    place: str
    said: str

    def __str__(self) -> str:
        return f"{self.place}: {self.said}"


class FaultyStudy(BadInput):
    """A study's file has faults, all of which are told."""

    title = "The study cannot be used"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = tuple(faults)


def tables(text: str, source: str) -> tuple[Mapping[str, Any], Mapping[str, str]]:
    """What the TOML says, and where: `table.key`, `table.0.key` → its place. Raises FaultyStudy."""
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _LINE.search(str(error))
        line = found.group(1) if found else f"{len(text.splitlines())}"
        why = _LINE.sub("", str(error)).strip().rstrip(".")
        place = f"{source}, line {line}"
        raise FaultyStudy([Fault(place, f"This is not valid TOML: {why}.")]) from None
    return said, {path: f"{source}, line {number}" for path, number in _keys(text)}


def _keys(text: str) -> Iterator[tuple[str, int]]:
    """The keys and tables of a valid TOML text, with their lines; what looks like one within a
    text of several lines is none."""
    table, counted, within = "", dict[str, int](), ""
    for number, line in enumerate(text.split("\n"), start=1):
        if within:
            within = "" if line.count(within) % 2 else within
            continue
        if found := _TABLE.match(line):
            table = _QUOTED.sub("", found.group(2))
            if found.group(1) == "[[":
                counted[table] = counted.get(table, -1) + 1
                table = f"{table}.{counted[table]}"
            yield table, number
        elif found := _KEY.match(line):
            key = _QUOTED.sub("", found.group(1))
            yield f"{table}.{key}".lstrip("."), number
            within = next((q for q in _QUOTES if line.count(q) % 2), "")
