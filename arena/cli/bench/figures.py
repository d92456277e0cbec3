"""Figures of a bench beside what they are to reach, as a table or as JSON.

It knows no bench.
"""

from argparse import Namespace
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from typing import Any

from arena.bench import Figure, Told
from arena.cli.terminal import Bar, table, told


def draw(
    options: Namespace,
    title: str,
    words: str,
    measure: Callable[[Told], Coroutine[Any, Any, list[Figure]]],
) -> int:
    from arena.bench.launched import fast

    with Bar() as bar:
        figures = fast(measure(bar.show))
    columns: dict[str, Callable[[Figure], str]] = {
        "": lambda f: f.what,
        "Measured": lambda f: _with(f.value, f.unit),
        "To reach": _reach,
        " ": lambda f: "" if reached(f) else "missed",
    }
    told(
        options.json, list(map(asdict, figures)), [table(title, columns, figures, ("", " "))], words
    )
    return 0


def reached(figure: Figure) -> bool:
    """What could not be measured was not."""
    least = figure.least is None or figure.value >= figure.least
    return least and (figure.most is None or figure.value <= figure.most)


def _reach(figure: Figure) -> str:
    if figure.least is not None:
        return f"≥ {_with(figure.least, figure.unit)}"
    return "" if figure.most is None else f"≤ {_with(figure.most, figure.unit)}"


def _with(value: float, unit: str) -> str:
    return f"{value:.3g} {unit}" if abs(value) < 100 else f"{value:.0f} {unit}"
