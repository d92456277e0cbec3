"""What commands write on the terminal: lines, bars, tables; in colour only where one reads it.

It does not know what is told, only how it is drawn.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from rich.console import Console
from rich.table import Table
from rich.text import Text

from arena.core.errors import ArenaError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from arena.core.ports import Readiness

Row = TypeVar("Row")

console = Console(markup=False, highlight=False, soft_wrap=True)
errors = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)

DASH = "–"
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def refused(error: ArenaError) -> None:
    """An error as one kind line, without a traceback."""
    errors.print(f"{error.title}: {error}", style="red")


def print_json(value: Any, *, one_line: bool = False) -> None:
    """Exactly this on standard output, for scripts."""
    print(_json(value, None if one_line else 2), flush=True)


def _json(value: Any, indent: int | None = 2) -> str:
    return json.dumps(_plain(value), indent=indent, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    """Times in ISO 8601, facts as objects, and nothing for a number that JSON does not know."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _plain(of) for key, of in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(of) for of in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    return value


def told(where: str, value: Any, tables: Iterable[Table], words: str) -> None:
    """What a bench found: tables and a word on them, or JSON where `--json` names no file."""
    if where == "-":
        print_json(value)
        return
    for drawn in tables:
        console.print(drawn)
    console.print(words)
    if where:
        Path(where).write_text(f"{_json(value)}\n", encoding="utf-8")
        console.print(f"Written: {where}")


def table(
    title: str,
    columns: Mapping[str, Callable[[Row], str]],
    rows: Iterable[Row],
    texts: Collection[str] = (),
) -> Table:
    """Columns by their headings, with what stands there of a row; all but `texts` are numbers.
    A name with brackets is no markup, and none can steer the terminal."""
    heading = Text(title, style="bold")
    made = Table(title=heading, title_justify="left", header_style="dim", caption_justify="left")
    for name in columns:
        left = name in texts
        made.add_column(name, justify="left" if left else "right", overflow="fold")
    for row in rows:
        made.add_row(*(Text(harmless(cell(row))) for cell in columns.values()))
    return made


def harmless(text: str) -> str:
    """Without the signs by which a text could steer the terminal."""
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def figure(value: float | None, how: str = "{:.1f}", unknown: str = DASH) -> str:
    return unknown if value is None or math.isnan(value) else how.format(value)


def milliseconds(value: float) -> str:
    return figure(1000 * value, "{:.0f}")


def gigabytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB"


class Bar:
    """A bar with what is being done; on a terminal that nobody reads, one line a step."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._last = ""

    def show(self, text: str, part: float | None) -> None:
        """part: 0…1, or None while it is not known."""
        if not errors.is_terminal:
            if text != self._last:
                errors.print(f"  {text}")
            self._last = text
            return
        if not self._bar or self._task is None:
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

            columns = (TextColumn("  {task.description}"), BarColumn(), TaskProgressColumn())
            self._bar = Progress(*columns, console=errors, transient=True)
            self._bar.start()
            self._task = self._bar.add_task(text, total=1.0)
        self._bar.update(self._task, description=text, completed=part or 0.0)

    def loading(self, done: int, total: int) -> None:
        """How many models of so many are loaded."""
        if done < total:
            self.show(f"Loading model {done + 1} of {total}", done / total)

    def reading(self, name: str, part: float) -> None:
        """How far a file of votes is read."""
        self.show(f"Reading {name}", part)

    def readiness(self, readiness: Readiness, _: str) -> None:
        """How far a house is, as far as it takes time."""
        if readiness.progress is not None and not readiness.ready:
            self.show(readiness.headline, readiness.progress)

    def close(self) -> None:
        if self._bar:
            self._bar.stop()
            self._bar = self._task = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
