"""The sandwich: what votes that may err together say of how sure a fit is.

It does not know contenders, battles or raters, only numbers of them.

White 1980 and Liang & Zeger 1986 (the sandwich and its clusters).
"""

import numpy as np
from numpy.typing import NDArray

from arena.core.standings.sums import summed

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SMALL = 4
"""A cluster of so many entries is squared entry by entry."""

FEW_CELLS = 1_000_000
"""Cells of the vectors that are held at once."""

FEW_PRODUCTS = 20_000_000
"""So many are made without the matrix library, in some milliseconds."""


def leaning(size: Ints, votes: Floats, lean: float) -> Floats:
    """w = lean·K/(N + lean·K): how far few votes lean on the model's own variance, 0…1."""
    own = lean * size.astype(float)
    return own / (votes + own)


def effective(sizes: Floats) -> float:
    """(Σm)²/Σm²: how many clusters of equal size would say as much."""
    return float(sizes.sum() ** 2 / (sizes @ sizes))


def means(group: Ints, effects: int = 0) -> Floats:
    """(K + effects,)² The matrix that puts each group's mean for its strengths, and 0 for the
    effects, which come after them."""
    same = group[:, None] == group
    return np.pad(same / same.sum(axis=1), (0, effects))


def sandwich(information: Floats, meat: Floats, precision: float, means: Floats) -> Floats:
    """Covariance of the parameters, strengths around their means: P A (B* + λI) A Pᵀ, with
    A = (H0 + λI)⁻¹ and P = I − means."""
    unit = np.eye(len(information))
    # The votes say nothing about the mean of all strengths, and P takes it out; a weight on it
    # leaves the rest as it is and lets the matrix be inverted without a prior.
    half = (unit - means) @ np.linalg.inv(information + precision * unit + means)
    return half @ (meat + precision * unit) @ half.T


def squared(cluster: Ints, first: Ints, second: Ints, gained: Floats, size: int) -> Floats:
    """(K, K) Σ u uᵀ over clusters: u is what an entry gains for the first of its contenders and
    takes from the second, summed over those of its cluster. cluster: from 0, in order."""
    if len(cluster) and (cluster[-1] + 1) * size <= FEW_CELLS:
        return _by_vectors(cluster, first, second, gained, size)
    small = np.bincount(cluster)[cluster] <= SMALL
    products = _by_products(np.flatnonzero(small), cluster, first, second, gained, size)
    rest = np.flatnonzero(~small)
    if not len(rest):
        return products
    vectors = _by_vectors(cluster[rest], first[rest], second[rest], gained[rest], size)
    return products + vectors


def _by_products(
    at: Ints, cluster: Ints, first: Ints, second: Ints, gained: Floats, size: int
) -> Floats:
    """(K, K) Σ u uᵀ of clusters of few entries, which stand side by side: the products of each
    entry with itself, with the next of its cluster, with the next but one, …"""
    own = np.zeros((size, size))
    distance, total = 0, np.zeros((size, size))
    while len(at):
        other = at + distance
        value = gained[at] * gained[other]
        for sign, side, other_side in (
            (1, first, first),
            (1, second, second),
            (-1, first, second),
            (-1, second, first),
        ):
            where = side[at] * size + other_side[other]
            total += sign * summed(where, value, size**2).reshape(size, size)
        if distance == 0:
            own, total = total, np.zeros((size, size))
        distance += 1
        at = at[at + distance < len(cluster)]
        at = at[cluster[at + distance] == cluster[at]]
    return own + total + total.T


def _by_vectors(cluster: Ints, first: Ints, second: Ints, gained: Floats, size: int) -> Floats:
    """(K, K) Σ u uᵀ of clusters of many entries, from their vectors u."""
    new = np.diff(cluster, prepend=cluster[0] - 1) != 0
    number = np.cumsum(new) - 1
    meat = np.zeros((size, size))
    block = max(FEW_CELLS // size, 1)
    for start in range(0, int(number[-1]) + 1, block):
        low, high = np.searchsorted(number, (start, start + block))
        at = (number[low:high] - start) * size
        cells = (int(number[high - 1]) - start + 1) * size
        u = summed(at + first[low:high], gained[low:high], cells)
        u -= summed(at + second[low:high], gained[low:high], cells)
        u = u.reshape(-1, size)
        # On a busy machine the threads of the matrix library wait for one another for longer.
        few = u.size * size <= FEW_PRODUCTS
        meat += np.einsum("gi,gj->ij", u, u) if few else u.T @ u
    return meat
