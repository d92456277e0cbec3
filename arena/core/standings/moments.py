"""What clusters of votes say across pairs, summed so that nothing is lost for the sandwich.

A cluster's u is v − Dᵀ(n p): v its scores by contender, n its votes by pair, p what the fit
expects of a pair, D the incidence of pairs and contenders. So Σ u uᵀ needs of all clusters only
Σ v vᵀ, Σ n vᵀ and Σ n nᵀ, whatever p is; one cluster's change changes them by its own products.
All are sums of whole and half numbers, hence exact. It does not know rows, raters or battles.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from arena.core.standings.sums import Sums, keys_of, summed

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_ENTRIES = 2_000_000
"""Pairs of pairs that are kept (about 100 bytes each); the fit's time grows with them."""

MOST_PRODUCTS = 100_000_000
"""Products that are made one by one to begin with; about a second."""

PROLIFIC = 12
"""A cluster that knows a pair in so many is faster multiplied whole than entry by entry."""


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


@lru_cache(maxsize=8)
def _incidence(size: int) -> csr_array:
    """Dᵀ (K, m)"""
    first, second = sides(size)
    pair = np.arange(len(first))
    sign = np.repeat([1.0, -1.0], len(first))
    where = (np.r_[first, second], np.r_[pair, pair])
    return csr_array((sign, where), shape=(size, len(first)))


def worthwhile(votes: csr_array) -> bool:
    """Whether the moments of these clusters can be kept. votes: (G, m)."""
    known = np.diff(votes.indptr).astype(float)
    pairs = votes.shape[1]
    few = known * PROLIFIC <= pairs
    products = known[few] @ known[few]
    entries = min(pairs * (pairs + 1), known @ known + known.sum()) / 2
    return bool(entries <= MOST_ENTRIES and products <= MOST_PRODUCTS)


class Moments:
    """The three sums over clusters. K may grow by `grow`."""

    def __init__(self, votes: csr_array, score: csr_array) -> None:
        """votes: (G, m) by pair, without repeated entries; score: (G, K) by contender."""
        pairs, self._size = votes.shape[1], score.shape[1]
        self._score_score = (score.T @ score).toarray()
        self._votes_score = (votes.T @ score).toarray(order="C")
        few = np.diff(votes.indptr) * PROLIFIC <= pairs
        product = (votes[few].T @ votes[few]).tocoo()
        upper = product.row <= product.col
        rows, columns, values = product.row[upper], product.col[upper], product.data[upper]
        prolific = np.flatnonzero(~few)
        if len(prolific):
            whole = np.zeros((pairs, pairs))
            for start in range(0, len(prolific), 512):
                block = votes[prolific[start : start + 512]].toarray()
                whole += block.T @ block
            row, column = np.nonzero(np.triu(whole))
            rows, columns = np.r_[rows, row], np.r_[columns, column]
            values = np.r_[values, whole[row, column]]
        self._votes_votes = Sums(keys_of(rows, columns), values)
        self._placed = -1
        self._head: tuple[Ints, ...] = ()

    def grow(self, size: int) -> None:
        """There are `size` contenders now."""
        if size == self._size:
            return
        more = size - self._size
        pairs = len(sides(size)[0]) - len(sides(self._size)[0])
        self._score_score = np.pad(self._score_score, (0, more))
        self._votes_score = np.pad(self._votes_score, ((0, pairs), (0, more)))
        self._size, self._placed = size, -1

    def change(
        self, pairs: Ints, votes: tuple[Floats, Floats], score: tuple[Floats, Floats]
    ) -> None:
        """One cluster, before and after. pairs: those it has votes of at either time, in order;
        votes: by these; score: (K,) by contender."""
        (n, now), (v, w) = votes, score
        self._score_score += np.outer(w, w) - np.outer(v, v)
        self._votes_score[pairs] += np.outer(now, w) - np.outer(n, v)
        changed = np.flatnonzero(now != n)
        gain = np.outer(now[changed], now) - np.outer(n[changed], n)
        # Two changed pairs meet twice; they are counted from the side of the first.
        is_changed = np.zeros(len(pairs), dtype=bool)
        is_changed[changed] = True
        once = ~is_changed | (np.arange(len(pairs)) >= changed[:, None])
        rows, columns = np.broadcast_arrays(pairs[changed][:, None], pairs)
        upper = keys_of(np.minimum(rows, columns)[once], np.maximum(rows, columns)[once])
        self._votes_votes.add(upper, gain[once])

    def meat(self, p: Floats) -> Floats:
        """(K, K) Σ u uᵀ at the expected scores p (m,)."""
        incidence = _incidence(self._size)
        crossed = incidence @ (self._votes_score * p[:, None])
        meat: Floats = self._score_score - crossed - crossed.T + self._expected(p)
        return meat

    def _expected(self, p: Floats) -> Floats:
        """(K, K) Σ Dᵀ(n p) (n p)ᵀ D"""
        products, head = self._votes_votes, self._votes_votes.head
        if self._placed != products.settled:
            self._placed, self._head = products.settled, self._corners(slice(0, head))
        total = np.zeros((self._size, self._size))
        total += self._scattered(self._head, p, products.values[:head])
        if len(products.values) > head:
            tail = self._corners(slice(head, None))
            total += self._scattered(tail, p, products.values[head:])
        return total + total.T

    def _corners(self, part: slice) -> tuple[Ints, ...]:
        """Of each pair of pairs: the pairs, and where in (K, K) their contenders meet."""
        first, second = sides(self._size)
        row, column = self._votes_votes.rows[part], self._votes_votes.columns[part]
        (a, b), (c, d) = (first[row], second[row]), (first[column], second[column])
        size = self._size
        return row, column, a * size + c, b * size + d, a * size + d, b * size + c

    def _scattered(self, corners: tuple[Ints, ...], p: Floats, values: Floats) -> Floats:
        row, column, *meeting = corners
        value = values * p[row] * p[column]
        value[row == column] /= 2
        cells = self._size**2
        plus_1, plus_2, minus_1, minus_2 = (summed(at, value, cells) for at in meeting)
        return (plus_1 + plus_2 - minus_1 - minus_2).reshape(self._size, self._size)
