"""Sparse sums by row and column that are quick to look up, to add to and to read as a whole.

A sorted head with a short unsorted tail: an addition touches only its own entries, and the tail
is sorted in before it gets long. It does not know what is summed.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

COLUMN_BITS = 32
DENSE, MOST_CELLS = 16, 32_000_000
"""Cells for each key, and in all; up to so many it is quicker to count into cells than to sort."""

LONGEST_TAIL = 1024
"""…or an eighth of the head, whichever is more."""


def keys_of(rows: Ints, columns: Ints) -> Ints:
    """One number for each row (below 2³¹, may be negative) and column (0 to 2³¹)."""
    return (rows.astype(np.int64, copy=False) << COLUMN_BITS) | columns


def summed(at: NDArray[np.integer], values: Floats, length: int) -> Floats:
    """(length,) the values added up by their place."""
    # With weights it gives numbers of their kind, which its types do not say.
    return np.bincount(at, values, length).astype(float, copy=False)


class Sums:
    """Sums by key. Entries may have become zero."""

    _keys: Ints
    _values: Floats
    _head: int
    _size: int

    def __init__(self, keys: Ints, values: Floats | None = None) -> None:
        """From keys in any order, repeated ones being summed; each counts 1 without values."""
        self._settled = 0
        self._tail: dict[int, int] = {}
        self._tail_rows: defaultdict[int, list[int]] = defaultdict(list)
        self._settle(keys, values)

    @property
    def keys(self) -> Ints:
        return self._keys[: self._size]

    @property
    def values(self) -> Floats:
        return self._values[: self._size]

    @property
    def rows(self) -> Ints:
        return self.keys >> COLUMN_BITS

    @property
    def columns(self) -> Ints:
        return self.keys & ((1 << COLUMN_BITS) - 1)

    def rows_at(self, places: Ints | slice) -> Ints:
        return self.keys[places] >> COLUMN_BITS

    def columns_at(self, places: Ints | slice) -> Ints:
        return self.keys[places] & ((1 << COLUMN_BITS) - 1)

    @property
    def bounds(self) -> tuple[int, int]:
        """The lowest and the highest row; (0, −1) without any."""
        if not self._size:
            return 0, -1
        ends = np.r_[self._keys[: self._head][[0, -1][: 2 * self._head]], self.keys[self._head :]]
        return int(ends.min()) >> COLUMN_BITS, int(ends.max()) >> COLUMN_BITS

    @property
    def head(self) -> int:
        """So many entries come first, in order."""
        return self._head

    @property
    def settled(self) -> int:
        """Goes up whenever entries change places."""
        return self._settled

    def row(self, row: int) -> Ints:
        """Where the row's entries are."""
        bounds = np.array([row, row + 1]) << COLUMN_BITS
        start, end = np.searchsorted(self._keys[: self._head], bounds)
        tail = np.array(self._tail_rows.get(row, ()), dtype=np.int64)
        return np.concatenate((np.arange(start, end), tail))

    def of(self, keys: Ints) -> Floats:
        """The sums by key; 0 for one that is not there."""
        at, known = self._in_head(keys)
        found = np.where(known, self._values[at] if self._head else 0.0, 0.0)
        for number in np.flatnonzero(~known).tolist() if self._tail else ():
            if (place := self._tail.get(int(keys[number]))) is not None:
                found[number] = self._values[place]
        return found

    def add(self, keys: Ints, values: Floats) -> None:
        """No key twice."""
        if len(keys) > self._longest_tail():
            self._settle(np.r_[self.keys, keys], np.r_[self.values, values])
            return
        at, known = self._in_head(keys)
        self._values[at[known]] += values[known]
        new = ~known
        for key, value in zip(keys[new].tolist(), values[new].tolist(), strict=True):
            self._append(key, value)
        if len(self._tail) > self._longest_tail():
            self._settle(self.keys, self.values)

    def _in_head(self, keys: Ints) -> tuple[Ints, NDArray[np.bool_]]:
        """Where in the head each key is, and whether it is there."""
        if not self._head:
            return np.zeros(len(keys), dtype=np.int64), np.zeros(len(keys), dtype=bool)
        at = np.searchsorted(self._keys[: self._head], keys)
        at[at == self._head] = 0
        return at, self._keys[at] == keys

    def _append(self, key: int, value: float) -> None:
        if (place := self._tail.get(key)) is not None:
            self._values[place] += value
            return
        if self._size == len(self._keys):
            self._keys = np.r_[self._keys, np.zeros_like(self._keys), [0]]
            self._values = np.r_[self._values, np.zeros_like(self._values), [0]]
        self._keys[self._size], self._values[self._size] = key, value
        self._tail[key] = self._size
        self._tail_rows[key >> COLUMN_BITS].append(self._size)
        self._size += 1

    def _longest_tail(self) -> int:
        return max(LONGEST_TAIL, self._head // 8)

    def _settle(self, keys: Ints, values: Floats | None) -> None:
        """All into the head, without the entries that are zero."""
        if values is None:
            self._keys, self._values = _counted(keys)
        else:
            order = np.argsort(keys)
            keys, values = keys[order], values[order]
            start = _starts(keys)
            total = np.add.reduceat(values, start) if len(start) else values
            self._keys, self._values = keys[start][total != 0], total[total != 0]
        self._head = self._size = len(self._keys)
        self._tail.clear()
        self._tail_rows.clear()
        self._settled += 1


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
    start = _starts(keys)
    return keys[start], np.diff(start, append=len(keys)).astype(float)


def _starts(ordered: Ints) -> Ints:
    """Where a new key begins."""
    first = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return np.flatnonzero(first)
