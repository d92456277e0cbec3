"""Measurements that `arena bench …` makes, one file a bench; `arenas` is what `draws` plays.

They do not draw the figures.
"""

from collections.abc import Callable

Told = Callable[[str, float], None]
"""Called with what is measured now, and how much of the whole is done (0…1)."""
