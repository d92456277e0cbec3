"""The Bradley–Terry fit with covariates: strengths and effects from single votes, at once.

It sees numbers only and does not know what a covariate stands for. What the fit is and where it
comes from: `core.standings.bradley_terry`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from arena.core.errors import BadInput
from arena.core.standings.bradley_terry import MIN_RATERS, Method, laplacian, strengths
from arena.core.standings.sandwich import effective, leaning, means, sandwich, squared
from arena.core.standings.sums import summed

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """N votes on K contenders with Q covariates, in U units: votes of one unit are of the same
    two contenders and have the same covariates."""

    first: Ints
    """(U,)"""
    second: Ints
    covariates: Floats
    """(Q, U)"""
    votes: Floats
    """(U,)"""
    score: Floats
    """(U,) of the first"""
    group: Ints
    """(K,) from 0"""
    unit: Ints
    """(N,)"""
    gained: Floats
    """(N,) score of each vote"""
    clusters: Callable[[bool], Ints]
    """(N,) number of each vote's rater (True) or battle (False)"""


@dataclass(frozen=True, slots=True, eq=False)
class Joint:
    """θ (K,) and β (Q,), their covariance (K + Q)² with each group's θ around its mean, and the
    degrees of freedom (K + Q,): of θ those of its group, of β those of all votes."""

    theta: Floats
    beta: Floats
    covariance: Floats
    df: Floats


def fit(design: Design, method: Method) -> Joint:
    """Mode and sandwich, the prior being the same on strengths and effects. Raises `BadInput`
    where without a prior the votes leave something unbounded."""
    theta, beta, information, p = _mode(design, method)
    meat, df, alone = _meat(design, method, p)
    size = np.r_[np.bincount(design.group), len(theta)]
    votes = np.r_[np.bincount(design.group[design.first], design.votes), design.votes.sum()]
    member = _members(design)
    lean = np.where(alone, 1.0, leaning(size, votes, method.lean))[member]
    # Weights on both sides, so that what differs between groups leaves it a covariance.
    own, seen = np.sqrt(lean), np.sqrt(1 - lean)
    meat = own[:, None] * information * own + seen[:, None] * meat * seen
    level = means(design.group, len(beta))
    return Joint(theta, beta, sandwich(information, meat, method.precision, level), df[member])


def _mode(design: Design, method: Method) -> tuple[Floats, Floats, Floats, Floats]:
    """θ, β, the information there, and what is expected of each unit; by Newton's method from
    the strengths without covariates."""
    size, precision = len(design.group), method.precision
    level = means(design.group, len(design.covariates))
    ridge = precision * np.eye(len(level)) + level
    cell = design.first * size + design.second
    first, second = np.divmod(np.arange(size**2), size)
    votes, score = (summed(cell, of, size**2) for of in (design.votes, design.score))
    met = np.flatnonzero(votes)
    x = np.zeros(len(level))
    x[:size], _ = strengths(
        first[met], second[met], votes[met], score[met], precision, level[:size, :size]
    )

    def gap(x: Floats) -> Floats:
        gap: Floats = (x[:size, None] - x[:size]).ravel()[cell] + x[size:] @ design.covariates
        return gap

    def loss(x: Floats) -> float:
        at = gap(x)
        own = design.votes @ np.logaddexp(0, at) - design.score @ at
        return float(own + precision / 2 * x @ x)

    for _ in range(50):
        p = expit(gap(x))
        slope = _summed(design, cell, design.score - design.votes * p) - precision * x
        information = _information(design, cell, design.votes * p * (1 - p))
        try:
            step = np.linalg.solve(information + ridge, slope)
        except np.linalg.LinAlgError:
            break
        while np.abs(step).max() > 0.1 and loss(x + step) > loss(x):
            step /= 2
        x = x + step
        if np.abs(step).max() < 1e-9:
            p = expit(gap(x))
            information = _information(design, cell, design.votes * p * (1 - p))
            return x[:size], x[size:], information, p
    raise BadInput(
        "Without a prior these votes leave an effect or a rating unbounded. Give prior_sd a "
        "number, such as 1.5, correct for less, or wait for more votes."
    )


def _summed(design: Design, cell: Ints, weight: Floats) -> Floats:
    """(K + Q,) Σ weight · z over units, z being a unit's contenders and covariates."""
    size = len(design.group)
    by_pair = summed(cell, weight, size**2).reshape(size, size)
    return np.concatenate((by_pair.sum(axis=1) - by_pair.sum(axis=0), design.covariates @ weight))


def _information(design: Design, cell: Ints, weight: Floats) -> Floats:
    """(K + Q,)² Σ weight · z zᵀ"""
    size, count = len(design.group), len(design.covariates)
    both = np.zeros((size + count, size + count))
    first, second = np.divmod(np.arange(size**2), size)
    both[:size, :size] = laplacian(first, second, summed(cell, weight, size**2), size)
    weighted = design.covariates * weight
    both[size:, size:] = weighted @ design.covariates.T
    for number, covariate in enumerate(weighted):
        by_pair = summed(cell, covariate, size**2).reshape(size, size)
        both[size + number, :size] = by_pair.sum(axis=1) - by_pair.sum(axis=0)
    both[:size, size:] = both[size:, :size].T
    return both


def _members(design: Design) -> Ints:
    """(K + Q,) the group of each parameter; effects are of all groups, which come last."""
    return np.append(design.group, np.full(len(design.covariates), design.group.max() + 1))


def _meat(design: Design, method: Method, p: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """The observed (K + Q,)²; by group and for all, the degrees of freedom and whether there is
    but one cluster. As without covariates, each group's votes are clustered by rater where its
    raters are effectively enough."""
    surplus = design.gained - p[design.unit]
    groups = int(design.group.max()) + 1
    if method.clusters == "none":
        cell = design.first * len(design.group) + design.second
        by_unit = summed(design.unit, surplus**2, len(p))
        df, alone = np.full(groups + 1, np.inf), np.zeros(groups + 1, dtype=bool)
        return _information(design, cell, by_unit), df, alone
    group = design.group[design.first][design.unit]
    by_rater = method.clusters == "auto"
    numbers = design.clusters(by_rater)
    order, cluster = _clusters(numbers)
    sizes = _sizes(cluster, group[order])
    enough = np.array([effective(of) >= MIN_RATERS for of in sizes])
    if by_rater and not enough.all():
        # Even and odd, so that no battle has the number of a rater.
        numbers = np.where(enough[group], 2 * numbers, 2 * design.clusters(False) + 1)
        order, cluster = _clusters(numbers)
        sizes = _sizes(cluster, group[order])
    sizes.append(np.bincount(cluster).astype(float))
    unit, surplus = design.unit[order], surplus[order]
    number, size = len(sizes[-1]), len(design.group)
    first, second = design.first[unit], design.second[unit]
    meat = np.zeros((size + len(design.covariates),) * 2)
    meat[:size, :size] = squared(cluster, first, second, surplus, size)
    effects = np.array(
        [summed(cluster, surplus * covariate[unit], number) for covariate in design.covariates]
    )
    meat[size:, size:] = effects @ effects.T
    for at, effect in enumerate(effects, start=size):
        by_pair = summed(first * size + second, surplus * effect[cluster], size**2)
        by_pair = by_pair.reshape(size, size)
        meat[at, :size] = meat[:size, at] = by_pair.sum(axis=1) - by_pair.sum(axis=0)
    count = np.array([len(of) for of in sizes])
    correction = np.sqrt(count / np.maximum(count - 1, 1))[_members(design)]
    df = np.array([max(effective(of) - 1, 1.0) for of in sizes])
    return correction[:, None] * meat * correction, df, count < 2


def _clusters(numbers: Ints) -> tuple[Ints, Ints]:
    """Votes in the order of their cluster, and the clusters of these from 0."""
    order = np.argsort(numbers)
    ordered = numbers[order]
    new = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    return order, np.cumsum(new) - 1


def _sizes(cluster: Ints, group: Ints) -> list[Floats]:
    """By group, how many of its votes each cluster has that has any. Both (N,)."""
    sizes = (np.bincount(cluster[group == g]) for g in range(int(group.max()) + 1))
    return [of[of > 0].astype(float) for of in sizes]
