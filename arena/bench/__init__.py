"""Measurements that `arena bench …` makes, one file a bench; `arenas` is what `draws` plays.

They do not draw the figures.
"""

from collections.abc import Callable
from dataclasses import dataclass

Told = Callable[[str, float], None]
"""Called with what is measured now, and how much of the whole is done (0…1)."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured, and the least or the most that it is to be."""

    what: str
    value: float
    unit: str = "s"
    least: float | None = None
    most: float | None = None
