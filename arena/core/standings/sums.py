"""Sparse sums by row and column, in order of their keys. It does not know what is summed."""

import numpy as np
from numpy.typing import NDArray

from arena.core.arrays import Bools, Floats, Ints

COLUMN_BITS = 32
DENSE, MOST_CELLS = 16, 32_000_000
"""Cells for each key, and in all; up to so many it is quicker to count into cells than to sort."""


def keys_of(rows: Ints, columns: Ints) -> Ints:
    """One number for each row (below 2³¹, may be negative) and column (0 to 2³¹)."""
    return (rows.astype(np.int64, copy=False) << COLUMN_BITS) | columns


def summed(at: NDArray[np.integer], values: Floats, length: int) -> Floats:
    """(length,) the values added up by their place."""
    # With weights it gives numbers of their kind, which its types do not say.
    return np.bincount(at, values, length).astype(float, copy=False)


class Sums:
    """Sums by key, in the order of `keys`. Some may have become zero."""

    def __init__(self, keys: Ints) -> None:
        """From keys in any order; each counts 1, so often as it is there."""
        self.keys, self.values = _counted(keys)

    @property
    def rows(self) -> Ints:
        return self.keys >> COLUMN_BITS

    @property
    def columns(self) -> Ints:
        return self.keys & ((1 << COLUMN_BITS) - 1)

    def in_row(self, row: int) -> tuple[Ints, Floats]:
        """The columns of a row, and what is there."""
        start, end = np.searchsorted(self.keys, np.array([row, row + 1]) << COLUMN_BITS)
        return self.keys[start:end] & ((1 << COLUMN_BITS) - 1), self.values[start:end]

    def of(self, keys: Ints) -> Floats:
        """The sums by key; 0 for one that is not there."""
        at, known = self._places(keys)
        found = np.zeros(len(keys))
        found[known] = self.values[at[known]]
        return found

    def add(self, keys: Ints, values: Floats) -> None:
        """Keys in order, none twice."""
        at, known = self._places(keys)
        self.values[at[known]] += values[known]
        self.keys = np.insert(self.keys, at[~known], keys[~known])
        self.values = np.insert(self.values, at[~known], values[~known])

    def _places(self, keys: Ints) -> tuple[Ints, Bools]:
        """Where each key is or belongs, and whether it is there."""
        at = np.searchsorted(self.keys, keys)
        return at, np.append(self.keys, -1)[at] == keys


def _counted(keys: Ints) -> tuple[Ints, Floats]:
    """The different keys in order, and how often each is there."""
    rows, columns = keys >> COLUMN_BITS, keys & ((1 << COLUMN_BITS) - 1)
    lowest, width = rows.min(initial=0), columns.max(initial=0) + 1
    if (rows.max(initial=0) - lowest + 1) * width <= min(DENSE * len(keys), MOST_CELLS):
        times = np.bincount((rows - lowest) * width + columns)
        there = np.flatnonzero(times)
        row, column = np.divmod(there, width)
        return keys_of(row + lowest, column), times[there].astype(float)
    # Where rows come nearly in order, as battles do, this sort is the quickest.
    keys = np.sort(keys, kind="stable")
    start = np.flatnonzero(np.diff(keys, prepend=keys[:1] - 1))
    return keys[start], np.diff(start, append=len(keys)).astype(float)
