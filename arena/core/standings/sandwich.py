"""The sandwich: what votes that may err together say of how sure a fit is.

It does not know contenders, battles or raters, only numbers of them.

White 1980 and Liang & Zeger 1986 (the sandwich and its clusters).
"""

import numpy as np

from arena.core.arrays import Floats, Ints
from arena.core.standings.sums import summed

FEW_CELLS = 1_000_000
"""Cells of the vectors of all clusters up to which they are written out."""

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
    own: Floats = same / same.sum(axis=1)
    return np.pad(own, (0, effects)) if effects else own


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
    takes from the second, summed over those of its cluster. cluster: from 0."""
    clusters = int(cluster.max(initial=-1)) + 1
    product: Floats
    if clusters * size > FEW_CELLS:
        from scipy.sparse import coo_array

        where = np.r_[cluster, cluster], np.r_[first, second]
        u = coo_array((np.r_[gained, -gained], where), shape=(clusters, size)).tocsr()
        product = (u.T @ u).toarray()
        return product
    cells, at = clusters * size, cluster * size
    whole = summed(at + first, gained, cells) - summed(at + second, gained, cells)
    whole = whole.reshape(clusters, size)
    # On a busy machine the threads of the matrix library wait for one another for longer.
    few = cells * size <= FEW_PRODUCTS
    product = np.einsum("gi,gj->ij", whole, whole) if few else whole.T @ whole
    return product
