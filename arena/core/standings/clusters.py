"""Votes by cluster: those of one battle, or of one rater, that may err together.

Kept as sums by cluster and kind of vote, so that votes can be folded in and taken out again. It
does not know names, rows or the fit.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np

from arena.core.arrays import Bools, Floats, Ints
from arena.core.standings.sums import Sums, keys_of

OUTCOMES = 4
"""A kind of vote is its pair · 4 + its outcome: first won, second won, tie, both_bad."""

MOST_FLAGS = 64_000_000
"""Bytes used to tell which clusters know whom."""

FEW_CLUSTERS = 256
"""Changed at once, each is followed by itself; of more all are counted again."""


@lru_cache(maxsize=8)
def sides(size: int) -> tuple[Ints, Ints]:
    """The two contenders of each pair; (m,), m = K(K−1)/2, first < second. Pairs are numbered
    second(second − 1)/2 + first, so more contenders leave the numbers of the pairs as they are."""
    second, first = np.tril_indices(size, -1)
    first.flags.writeable = second.flags.writeable = False
    return first, second


def pair_of(first: Ints, second: Ints) -> Ints:
    """The numbers of pairs, as `sides` has them."""
    return second * (second - 1) // 2 + first


@dataclass(frozen=True, slots=True)
class Worth:
    """What a vote of each outcome is worth in the fit; (4,) each."""

    votes: Floats
    score: Floats
    squares: Floats

    @classmethod
    def of(cls, ties: float, bad: float) -> Self:
        """From how many votes a tie and a both_bad are worth."""
        votes = np.array([1.0, 1.0, ties, bad])
        score = np.array([1.0, 0.0, 0.5, 0.5])
        return cls(votes, votes * score, votes * score**2)


class Clustering:
    """All votes by cluster. Cluster numbers may be negative, and leave gaps."""

    def __init__(self, cluster: Ints, kind: Ints) -> None:
        self._sums = Sums(keys_of(cluster, kind))
        self._spread: Floats | None = None

    def entries(self) -> tuple[Ints, Ints, Floats]:
        """Cluster (from 0), kind and number of votes of each that there are."""
        cluster = self._sums.rows
        return cluster - cluster.min(initial=0), self._sums.columns, self._sums.values

    def spread(self, size: int) -> Floats:
        """(K,) how many clusters have votes on each contender."""
        if self._spread is None:
            self._spread = _spread(self._sums, size)
        return np.pad(self._spread, (0, size - len(self._spread)))

    def holds(self, cluster: Ints, kind: Ints) -> bool:
        """Whether all these votes are among those of their clusters."""
        keys, times = np.unique(keys_of(cluster, kind), return_counts=True)
        return bool((self._sums.of(keys) >= times).all())

    def fold(self, cluster: Ints, kind: Ints, sign: int, size: int) -> None:
        """Votes come (sign 1) or go (−1); there are `size` contenders now."""
        keys, times = np.unique(keys_of(cluster, kind), return_counts=True)
        changed = np.unique(cluster).tolist()
        follows = self._spread is not None and len(changed) <= FEW_CLUSTERS
        before = self._present(changed, size) if follows else 0
        self._sums.add(keys, sign * times.astype(float))
        self._spread = (
            self.spread(size) + self._present(changed, size) - before if follows else None
        )

    def _present(self, clusters: list[int], size: int) -> Floats:
        """(K,) in how many of these there are votes on each contender."""
        present = np.zeros(size)
        for cluster in clusters:
            kind, times = self._sums.in_row(cluster)
            pairs = kind[times > 0] // OUTCOMES
            present[np.unique([side[pairs] for side in sides(size)])] += 1
        return present


def _spread(sums: Sums, size: int) -> Floats:
    """(K,) how many rows have votes on each contender."""
    there = sums.values > 0
    row, kind = sums.rows[there], sums.columns[there]
    spread = np.zeros(size)
    if not len(row):
        return spread
    row = row - row.min()
    rows = int(row.max()) + 1
    contenders = [np.repeat(side, OUTCOMES)[kind] for side in sides(size)]
    block = max(MOST_FLAGS // rows, 1)
    for start in range(0, size, block):
        seen = np.zeros(min(block, size - start) * rows, dtype=bool)
        for contender in contenders:
            inside: slice | Bools = slice(None)
            if block < size:
                inside = (contender >= start) & (contender < start + block)
            seen[(contender[inside] - start) * rows + row[inside]] = True
        spread[start : start + block] = np.count_nonzero(seen.reshape(-1, rows), axis=1)
    return spread
