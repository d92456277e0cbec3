"""The Bradley–Terry fit: strengths, and effects of covariates, from votes and their clusters.

It sees numbers only and does not know what a covariate stands for, nor how votes are kept. What
the fit is and where it comes from: `core.standings.bradley_terry`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from arena.core.arrays import Bools, Floats, Ints
from arena.core.standings.bradley_terry import MIN_RATERS, Fit, Method
from arena.core.standings.sandwich import effective, leaning, means, sandwich, squared
from arena.core.standings.sums import summed


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """Votes of one cluster and unit, (N,) each: their cluster (from 0), their unit, how
    many they are and the score of the first contender."""

    cluster: Ints
    unit: Ints
    votes: Floats
    score: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """Votes on K contenders with Q covariates, in U units: votes of one unit are of the same
    two contenders and have the same covariates."""

    group: Ints
    """(K,) from 0"""
    first: Ints
    """(U,)"""
    second: Ints
    covariates: Floats
    """(Q, U)"""
    votes: Floats
    """(U,)"""
    score: Floats
    """(U,) of the first"""
    squares: Floats
    """(U,) of the scores of single votes"""
    tied: Floats
    """(U,) votes that are ties"""
    entries: Callable[[bool], Entries]
    """by rater (True) or battle (False)"""


@dataclass(frozen=True, slots=True, eq=False)
class Effects:
    """β (Q,), their standard errors, and the degrees of freedom of all votes."""

    beta: Floats
    error: Floats
    df: float


def fit(names: tuple[str, ...], design: Design, method: Method) -> tuple[Fit, Effects]:
    """Mode and sandwich, the prior being the same on strengths and effects."""
    size = len(names)
    if not size:
        none = np.zeros(0)
        return Fit(names, none, np.zeros((0, 0)), design.group, none), Effects(none, none, np.inf)
    x, information, p, tie = _mode(design, method)
    meat, df, alone = _meat(design, method, p)
    sizes = np.r_[np.bincount(design.group), size]
    votes = np.r_[summed(design.group[design.first], design.votes, 0), design.votes.sum()]
    member = _members(design)
    lean = np.where(alone, 1.0, leaning(sizes, votes, method.lean))[member]
    # Weights on both sides, so that what differs between groups leaves it a covariance.
    own, seen = np.sqrt(lean), np.sqrt(1 - lean)
    meat = own[:, None] * information * own + seen[:, None] * meat * seen
    level = means(design.group, len(x) - size)
    covariance = sandwich(information, meat, method.precision, level)
    apart = covariance[:size, :size] * (design.group[:, None] == design.group)
    strengths = Fit(
        names,
        x[:size],
        apart,
        design.group,
        df[member][:size],
        method.prior_sd,
        method.anchor,
        np.diag(information)[:size],
        _score(design),
        tie,
    )
    error = np.sqrt(np.maximum(np.diag(covariance)[size:], 0.0))
    return strengths, Effects(x[size:], error, float(df[-1]))


def strengths(names: tuple[str, ...], design: Design, method: Method) -> Fit:
    """The mode alone, as if it were certain: half of the work."""
    size = len(names)
    certain = np.zeros((size, size)), design.group, np.full(size, np.inf)
    own = method.prior_sd, method.anchor
    if not size:
        return Fit(names, np.zeros(0), *certain, *own)
    x, information, _, tie = _mode(design, method)
    return Fit(names, x[:size], *certain, *own, np.diag(information)[:size], _score(design), tie)


def _mode(design: Design, method: Method) -> tuple[Floats, Floats, Floats, float]:
    """θ and β as (K + Q,), the information there, what is expected of each unit, and Davidson's
    ν, which is fitted in turns with the others; the covariance takes it for known."""
    x, tie = np.zeros(len(design.group) + len(design.covariates)), 0.0
    if method.ties != "davidson" or not design.tied.any():
        return *_mode_with(design, method, x, tie), tie
    tie = 2 * design.tied.sum() / max(design.votes.sum() - design.tied.sum(), 0.5)
    for _ in range(100):
        x, information, p = _mode_with(design, method, x, tie)
        before, tie = tie, _tie(design, _gap(design, x), tie)
        if abs(tie - before) < 1e-10 * tie:
            break
    return x, information, p, tie


def _score(design: Design) -> Floats:
    """(K,) votes won."""
    size = len(design.group)
    lost = design.votes - design.score
    return summed(design.first, design.score, size) + summed(design.second, lost, size)


def _gap(design: Design, x: Floats) -> Floats:
    """(U,) what stands between the two contenders of each unit."""
    size = len(design.group)
    gap: Floats = x[design.first] - x[design.second] + x[size:] @ design.covariates
    return gap


def expected(gap: Floats, tie: float) -> tuple[Floats, Floats, Floats]:
    """The score that the first is expected to have, a tie being ½; its variance; how likely a
    tie is. With no ties this is Bradley and Terry's σ, p(1 − p) and 0."""
    if not tie:
        p = expit(gap)
        return p, p * (1 - p), np.zeros(len(gap))
    weight = np.exp(-np.abs(gap) / 2)
    total = 1 + weight**2 + tie * weight
    win, tied = np.where(gap > 0, 1.0, weight**2) / total, tie * weight / total
    p = win + tied / 2
    return p, win + tied / 4 - p**2, tied


def _tie(design: Design, gap: Floats, tie: float) -> float:
    """The ν under which as many ties are expected as there are, by Newton's method on log ν."""
    for _ in range(50):
        tied = expected(gap, tie)[2]
        slope = design.votes @ (tied * (1 - tied))
        step = (design.tied.sum() - design.votes @ tied) / max(slope, 1e-9)
        tie *= np.exp(np.clip(step, -2, 2))
        if abs(step) < 1e-12:
            break
    return float(tie)


def _mode_with(
    design: Design, method: Method, x: Floats, tie: float
) -> tuple[Floats, Floats, Floats]:
    """By Newton's method from x. The prior being the same for all, each group's θ sum to 0;
    `means` keeps them there without a prior as well."""
    precision = method.precision
    level = means(design.group, len(design.covariates))
    ridge = precision * np.eye(len(level)) + level

    def loss(x: Floats) -> float:
        half = _gap(design, x) / 2
        total = np.logaddexp(half, -half)
        total = np.logaddexp(total, np.log(tie)) if tie else total
        own = design.votes @ total - (2 * design.score - design.votes) @ half
        return float(own + precision / 2 * x @ x)

    for _ in range(100):
        p, variance, _ = expected(_gap(design, x), tie)
        slope = _summed(design, design.score - design.votes * p) - precision * x
        step = np.linalg.solve(_information(design, design.votes * variance) + ridge, slope)
        # Far from the mode the quadratic can overshoot; near it a full step always gains.
        while np.abs(step).max() > 0.1 and loss(x + step) > loss(x):
            step /= 2
        x = x + step
        if np.abs(step).max() < 1e-10:
            break
    p, variance, _ = expected(_gap(design, x), tie)
    return x, _information(design, design.votes * variance), p


def _summed(design: Design, weight: Floats) -> Floats:
    """(K + Q,) Σ weight · z over units, z being a unit's contenders and covariates."""
    size = len(design.group)
    by_contender = summed(design.first, weight, size) - summed(design.second, weight, size)
    return np.concatenate((by_contender, design.covariates @ weight))


def _information(design: Design, weight: Floats) -> Floats:
    """(K + Q,)² Σ weight · z zᵀ"""
    size = len(design.group)
    cells = summed(design.first * size + design.second, weight, size**2).reshape(size, size)
    cells += cells.T
    own: Floats = np.diag(cells.sum(axis=1)) - cells
    if not len(design.covariates):
        return own
    weighted = design.covariates * weight
    crossed = np.array([_summed(design, row)[:size] for row in weighted]).reshape(-1, size)
    return np.block([[own, crossed.T], [crossed, weighted @ design.covariates.T]])


def _members(design: Design) -> Ints:
    """(K + Q,) the group of each parameter; effects are of all groups, which come last."""
    return np.append(design.group, np.full(len(design.covariates), design.group.max() + 1))


def _meat(design: Design, method: Method, p: Floats) -> tuple[Floats, Floats, Bools]:
    """The observed (K + Q,)²; by group and for all, the degrees of freedom and whether there is
    but one cluster, which says nothing about how clusters differ. Each group's votes are clustered
    by rater where its raters are effectively enough."""
    if method.clusters == "none":
        spread = design.squares - 2 * p * design.score + p**2 * design.votes
        groups = int(design.group.max()) + 2
        return _information(design, spread), np.full(groups, np.inf), np.zeros(groups, dtype=bool)
    entries = design.entries(method.clusters == "auto")
    sizes = _sizes(design, entries)
    enough = np.array([effective(of) >= MIN_RATERS for of in sizes[:-1]])
    if method.clusters == "auto" and not enough.all():
        entries = _mixed(design, entries, design.entries(False), enough)
        sizes = _sizes(design, entries)
    unit, size = entries.unit, len(design.group)
    surplus = entries.score - entries.votes * p[unit]
    first, second = design.first[unit], design.second[unit]
    meat = np.zeros((size + len(design.covariates),) * 2)
    meat[:size, :size] = squared(entries.cluster, first, second, surplus, size)
    if len(design.covariates):
        effects = np.array(
            [summed(entries.cluster, surplus * each[unit], 0) for each in design.covariates]
        )
        meat[size:, size:] = effects @ effects.T
        for at, effect in enumerate(effects, start=size):
            gained = surplus * effect[entries.cluster]
            meat[at, :size] = summed(first, gained, size) - summed(second, gained, size)
            meat[:size, at] = meat[at, :size]
    count = np.array([len(of) for of in sizes])
    correction = np.sqrt(count / np.maximum(count - 1, 1))[_members(design)]
    df = np.array([max(effective(of) - 1, 1.0) for of in sizes])
    return correction[:, None] * meat * correction, df, count < 2


def _sizes(design: Design, entries: Entries) -> list[Floats]:
    """By group and for all, how many of its votes each cluster has that has any."""
    member = design.group[design.first][entries.unit]
    groups = int(design.group.max()) + 1
    votes = [entries.votes * (member == g) for g in range(groups)] if groups > 1 else []
    sizes = [summed(entries.cluster, of, 0) for of in (*votes, entries.votes)]
    return [of[of > 0] for of in (sizes if votes else 2 * sizes)]


def _mixed(design: Design, raters: Entries, battles: Entries, enough: Bools) -> Entries:
    """Those of raters in the groups that have enough, those of battles in the others."""
    group = design.group[design.first]
    here, there = enough[group[raters.unit]], ~enough[group[battles.unit]]
    # Even and odd, so that no battle has the number of a rater.
    cluster = np.r_[2 * raters.cluster[here], 2 * battles.cluster[there] + 1]
    parts = (
        np.r_[getattr(raters, name)[here], getattr(battles, name)[there]]
        for name in ("unit", "votes", "score")
    )
    return Entries(cluster, *parts)
