"""Votes by cluster: those of one battle, or of one rater, that may err together.

Kept as sums by cluster and kind of vote, so that votes can be folded in and taken out again at
a cost that does not depend on how many there are. It does not know names, rows or the fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from arena.core.standings.moments import Moments, sides, worthwhile
from arena.core.standings.sandwich import FEW_CELLS, SMALL, gram, squared
from arena.core.standings.sums import Sums, keys_of, summed

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

OUTCOMES = 4
"""A kind of vote is its pair · 4 + its outcome: first won, second won, tie, both_bad."""

FEW_ENTRIES = 10_000
"""So many are summed afresh for each fit in about a millisecond."""

NOTHING = np.zeros(0, dtype=np.int64)
MOST_EMPTY = 16
"""Cells of the vectors of clusters for each entry; with more, few of them would be used."""

MOST_FLAGS = 64_000_000
"""Bytes used to tell which clusters know whom."""

FEW_CLUSTERS = 256
"""Changed at once, each is followed by itself; of more the moments are made afresh."""


@dataclass(frozen=True, slots=True)
class Worth:
    """What a vote of each outcome is worth in the fit; (4,) each."""

    votes: Floats
    score: Floats
    squares: Floats

    @classmethod
    def of(cls, ties: float, bad: float) -> Worth:
        """From how many votes a tie and a both_bad are worth."""
        votes = np.array([1.0, 1.0, ties, bad])
        score = np.array([1.0, 0.0, 0.5, 0.5])
        return cls(votes, votes * score, votes * score**2)


class Clustering:
    """All votes by cluster. Cluster numbers may be negative, and leave gaps."""

    def __init__(self, cluster: Ints, kind: Ints) -> None:
        self._sums = Sums(keys_of(cluster, kind))
        self._weighed: dict[tuple[float, float], Weighed] = {}
        self._spread: Floats | None = None

    def weighed(self, ties: float, bad: float) -> Weighed:
        """The clusters as the fit sees them: how many votes a tie and a both_bad are worth."""
        if (ties, bad) not in self._weighed:
            self._weighed[ties, bad] = Weighed(self._sums, Worth.of(ties, bad))
        return self._weighed[ties, bad]

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
        amounts = sign * times.astype(float)
        changed = np.unique(cluster)
        if len(changed) > FEW_CLUSTERS:
            self._sums.add(keys, amounts)
            self._weighed.clear()
            self._spread = None
            return
        before = [self._votes_of(number) for number in changed.tolist()]
        self._sums.add(keys, amounts)
        if self._spread is not None:
            self._spread = np.pad(self._spread, (0, size - len(self._spread)))
        for number, then in zip(changed.tolist(), before, strict=True):
            now = self._votes_of(number)
            for weighed in self._weighed.values():
                weighed.change(then, now, size)
            if self._spread is not None:
                self._spread += _present(now, size) * 1.0 - _present(then, size)

    def _votes_of(self, cluster: int) -> tuple[Ints, Floats]:
        at = self._sums.row(cluster)
        return self._sums.columns_at(at), self._sums.values[at]


class Weighed:
    """The clusters of votes that count so much each: `bradley_terry.Clusters`. Kept counts get
    moments, once it is clear by a first change that they are going to be asked again."""

    def __init__(self, sums: Sums, worth: Worth) -> None:
        self._sums = sums
        self._worth = worth
        self._changes = False
        self._few_entries = FEW_ENTRIES
        self._moments: Moments | None = None
        self._kept_as_of = (-1, 0)
        self._kept = (NOTHING, NOTHING, NOTHING)
        self._group: Ints | None = None
        self._number = self._squares = np.zeros(0)

    def sizes(self, group: Ints) -> tuple[Floats, Floats]:
        if self._group is None or not np.array_equal(group, self._group):
            self._group = group
            self._number, self._squares = self._sizes(group)
        return self._number, self._squares

    def meat(self, p: Floats) -> Floats:
        size = _contenders(len(p))
        entries = len(self._sums.keys)
        if self._moments is None and self._changes and entries > self._few_entries:
            votes, score = self._vectors(size)
            if worthwhile(votes):
                self._moments = Moments(votes, score)
            # Asked again when there is clearly more to spare.
            self._few_entries = 2 * entries
        if self._moments is not None:
            self._moments.grow(size)
            return self._moments.meat(p)
        return self._afresh(p, size)

    def change(self, before: tuple[Ints, Floats], now: tuple[Ints, Floats], size: int) -> None:
        """The votes of one cluster, as kinds and numbers of each, have become others."""
        self._changes = True
        if self._group is None and self._moments is None:
            return
        kinds = np.r_[before[0], now[0]]
        pairs, place = np.unique(kinds // OUTCOMES, return_inverse=True)
        first, second = (side[pairs] for side in sides(size))
        votes, score = [], []
        for at, (kind, times) in zip(np.split(place, [len(before[0])]), (before, now), strict=True):
            outcome = kind % OUTCOMES
            votes.append(summed(at, times * self._worth.votes[outcome], len(pairs)))
            won = summed(at, times * self._worth.score[outcome], len(pairs))
            score.append(summed(first, won, size) - summed(second, won, size))
        self._regroup(first, second, votes, size)
        if self._moments is not None:
            self._moments.grow(size)
            self._moments.change(pairs, (votes[0], votes[1]), (score[0], score[1]))

    def _regroup(self, first: Ints, second: Ints, votes: list[Floats], size: int) -> None:
        """Follow the sizes, as long as the groups stay what they were."""
        if self._group is None:
            return
        counted = votes[0] + votes[1] > 0
        group = np.pad(self._group, (0, size - len(self._group)), constant_values=-1)
        group, other = group[first[counted]], group[second[counted]]
        if ((group != other) | (group < 0)).any():
            self._group = None
            return
        before, now = (summed(group, n[counted], len(self._number)) for n in votes)
        self._number = self._number + (now > 0) - (before > 0)
        self._squares = self._squares + now**2 - before**2

    def _entries(self) -> tuple[Ints, int, Ints, Floats]:
        """Cluster (numbered from 0), number of clusters, kind and number of votes."""
        cluster = self._sums.rows
        if len(cluster):
            cluster = cluster - cluster.min()
        return cluster, int(cluster.max(initial=-1)) + 1, self._sums.columns, self._sums.values

    def _sizes(self, group: Ints) -> tuple[Floats, Floats]:
        cluster, clusters, kind, times = self._entries()
        votes = times * np.tile(self._worth.votes, len(sides(len(group))[0]))[kind]
        member = np.repeat(group[sides(len(group))[0]], OUTCOMES)[kind]
        number, squares = [], []
        for g in range(group.max(initial=-1) + 1):
            inside = slice(None) if group.max() == 0 else member == g
            size = summed(cluster[inside], votes[inside], clusters)
            number.append(np.count_nonzero(size))
            squares.append(size @ size)
        return np.array(number, dtype=float), np.array(squares, dtype=float)

    def _vectors(self, size: int) -> tuple[csr_array, csr_array]:
        """Votes by cluster and pair (G, m), and scores by cluster and contender (G, K)."""
        cluster, clusters, kind, times = self._entries()
        first, second = sides(size)
        pair, outcome = np.divmod(kind, OUTCOMES)
        votes = times * self._worth.votes[outcome]
        score = times * self._worth.score[outcome]
        by_pair = coo_array((votes, (cluster, pair)), shape=(clusters, len(first))).tocsr()
        where = (np.r_[cluster, cluster], np.r_[first[pair], second[pair]])
        by_contender = coo_array((np.r_[score, -score], where), shape=(clusters, size)).tocsr()
        by_pair.eliminate_zeros()
        return by_pair, by_contender

    def _afresh(self, p: Floats, size: int) -> Floats:
        surplus = (self._worth.score - self._worth.votes * p[:, None]).ravel()
        lowest, highest = self._sums.bounds
        entries = len(self._sums.keys)
        cells = (highest + 1) * max(size, SMALL)
        if lowest >= 0 and cells <= min(FEW_CELLS, MOST_EMPTY * entries):
            return self._by_kept_vectors(surplus, highest + 1, size)
        cluster, _, kind, times = self._entries()
        if self._sums.head < len(cluster):
            order = np.argsort(self._sums.keys)
            cluster, kind, times = cluster[order], kind[order], times[order]
        first, second = (np.repeat(side, OUTCOMES)[kind] for side in sides(size))
        return squared(cluster, first, second, times * surplus[kind], size)

    def _by_kept_vectors(self, surplus: Floats, clusters: int, size: int) -> Floats:
        """(K, K) Σ u uᵀ of not too many clusters, numbered from 0. Where an entry adds to u is
        kept as long as entries stay where they are."""
        head, as_of = self._sums.head, (self._sums.settled, size)
        if self._kept_as_of != as_of:
            self._kept_as_of, self._kept = as_of, self._places(slice(0, head), size)
        u = np.zeros(clusters * size)
        for part in (slice(0, head), slice(head, None)):
            kind, first, second = self._kept if part.stop else self._places(part, size)
            gained = self._sums.values[part] * surplus[kind]
            np.add.at(u, first, gained)
            np.subtract.at(u, second, gained)
        return gram(u.reshape(clusters, size))

    def _places(self, part: slice, size: int) -> tuple[Ints, Ints, Ints]:
        """Of entries: the kind, and where in (clusters, K) their two contenders are."""
        kind, at = self._sums.columns_at(part), self._sums.rows_at(part) * size
        first, second = (np.repeat(side, OUTCOMES)[kind] for side in sides(size))
        return kind, at + first, at + second


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
            inside: slice | NDArray[np.bool_] = slice(None)
            if block < size:
                inside = (contender >= start) & (contender < start + block)
            seen[(contender[inside] - start) * rows + row[inside]] = True
        spread[start : start + block] = np.count_nonzero(seen.reshape(-1, rows), axis=1)
    return spread


def _present(votes: tuple[Ints, Floats], size: int) -> NDArray[np.bool_]:
    """(K,) on whom there are votes."""
    kind, times = votes
    present = np.zeros(size, dtype=bool)
    for side in sides(size):
        present[side[kind[times > 0] // OUTCOMES]] = True
    return present


def _contenders(pairs: int) -> int:
    """K of m = K(K−1)/2"""
    return round((1 + np.sqrt(1 + 8 * pairs)) / 2) if pairs else 0
